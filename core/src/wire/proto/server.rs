//! Messages between servers (`server.proto` of the original).

use alloc::string::String;
use alloc::vec::Vec;

use super::{debug_without_secrets, shape};

/// A server registers at RCenter.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct ReqServerLogin {
    /// Address to hand to clients, `host:port`.
    #[prost(string, required, tag = "1")]
    pub address: String,
    /// Secret all servers share.
    #[prost(string, required, tag = "2")]
    pub key: String,
    /// See [`super::ServerType`].
    #[prost(uint32, required, tag = "3")]
    pub ser_type: u32,
    /// Address for watchers, `host:port`.
    #[prost(string, required, tag = "4")]
    pub waddress: String,
}

shape!(ReqServerLogin: required [1, 2, 3], text [1, 2, 4]);
debug_without_secrets!(ReqServerLogin { address, ser_type, waddress });

/// The registration is accepted.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RetServerLogin {
    /// Number of the server; the original keeps the low 16 bits and needs them non-zero.
    #[prost(uint32, required, tag = "1")]
    pub id: u32,
}

shape!(RetServerLogin: required [1], text []);

/// The load of a RoomServer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReqUpdateServer {
    /// Rooms.
    #[prost(uint32, required, tag = "1")]
    pub room_num: u32,
    /// Live sessions.
    #[prost(uint32, required, tag = "2")]
    pub user_num: u32,
    /// 0 from a RoomServer.
    #[prost(uint64, required, tag = "3")]
    pub watched_id: u64,
    /// 0 from a RoomServer.
    #[prost(uint32, required, tag = "4")]
    pub watcher_num: u32,
    /// 0 from a RoomServer.
    #[prost(uint32, required, tag = "5")]
    pub room_id: u32,
}

shape!(ReqUpdateServer: required [1, 2], text []);

/// A room was made.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReqAddRoom {
    /// 1 team, 2 quick.
    #[prost(uint32, required, tag = "1")]
    pub room_type: u32,
    /// Room.
    #[prost(uint32, required, tag = "2")]
    pub room_id: u32,
    /// End of the room, unix seconds.
    #[prost(uint32, required, tag = "3")]
    pub end_time: u32,
    /// False from a RoomServer.
    #[prost(bool, required, tag = "4")]
    pub is_coop: bool,
    /// Hidden score of the first player.
    #[prost(uint32, required, tag = "5")]
    pub hscores: u32,
    /// Mode.
    #[prost(uint32, required, tag = "6")]
    pub un_coop: u32,
    /// 0 from a RoomServer.
    #[prost(uint32, required, tag = "7")]
    pub robot: u32,
    /// Whether the first player has played at most five times.
    #[prost(bool, required, tag = "8")]
    pub is_new: bool,
    /// Map.
    #[prost(uint32, required, tag = "9")]
    pub scene_id: u32,
    /// Rank of the first player.
    #[prost(uint32, required, tag = "10")]
    pub level: u32,
}

shape!(ReqAddRoom: required [1, 2, 3, 4, 5, 6], text []);

/// Somebody came to a room or left it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReqUpdateRoom {
    /// 1 team, 2 quick.
    #[prost(uint32, required, tag = "1")]
    pub room_type: u32,
    /// Room.
    #[prost(uint32, required, tag = "2")]
    pub room_id: u32,
    /// Players in the room.
    #[prost(int32, required, tag = "3")]
    pub user_num: i32,
    /// 1 came, 2 left.
    #[prost(int32, required, tag = "4")]
    pub ustate: i32,
    /// False from a RoomServer.
    #[prost(bool, required, tag = "5")]
    pub is_coop: bool,
    /// 0 from a RoomServer.
    #[prost(uint32, required, tag = "6")]
    pub hscores: u32,
    /// 0 from a RoomServer.
    #[prost(uint32, required, tag = "7")]
    pub robot: u32,
}

shape!(ReqUpdateRoom: required [1, 2, 3, 4, 5, 6], text []);

/// A room has ended.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReqRemoveRoom {
    /// 1 team, 2 quick.
    #[prost(uint32, required, tag = "1")]
    pub room_type: u32,
    /// Room.
    #[prost(uint32, required, tag = "2")]
    pub room_id: u32,
}

shape!(ReqRemoveRoom: required [1, 2], text []);

/// A player ended a game; defined, but never sent by the original.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReqEndGame {
    /// Room.
    #[prost(uint32, required, tag = "1")]
    pub room_id: u32,
    /// Player id.
    #[prost(uint64, required, tag = "2")]
    pub user_id: u64,
}

shape!(ReqEndGame: required [1, 2], text []);

/// End the session of this id, if it has this key.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct ReqCheckRelogin {
    /// Room token of the session to end.
    #[prost(string, required, tag = "1")]
    pub key: String,
    /// Player id.
    #[prost(uint64, required, tag = "2")]
    pub id: u64,
}

shape!(ReqCheckRelogin: required [1, 2], text [1]);
debug_without_secrets!(ReqCheckRelogin { id });

/// A frame for another server.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct S2SCmd {
    /// Number of the receiver.
    #[prost(uint32, required, tag = "1")]
    pub server_id: u32,
    /// Flag byte of the inner frame.
    #[prost(uint32, required, tag = "2")]
    pub flag: u32,
    /// Inner command (16 bits, little-endian) and body.
    #[prost(bytes = "vec", required, tag = "3")]
    pub data: Vec<u8>,
}

shape!(S2SCmd: required [1, 2, 3], text []);
debug_without_secrets!(S2SCmd { server_id, flag });

/// A frame for one user of another server.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct S2SClientCmd {
    /// Number of the receiver.
    #[prost(uint32, required, tag = "1")]
    pub server_id: u32,
    /// Player id.
    #[prost(uint64, required, tag = "2")]
    pub user_id: u64,
    /// Flag byte of the inner frame.
    #[prost(uint32, required, tag = "3")]
    pub flag: u32,
    /// Inner command (16 bits, little-endian) and body.
    #[prost(bytes = "vec", required, tag = "4")]
    pub data: Vec<u8>,
}

shape!(S2SClientCmd: required [1, 2, 3, 4], text []);
debug_without_secrets!(S2SClientCmd { server_id, user_id, flag });

/// A frame for all servers of a type.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct S2STypeCmd {
    /// Type of the receivers (`Type`), see [`super::ServerType`].
    #[prost(uint32, required, tag = "1")]
    pub kind: u32,
    /// Flag byte of the inner frame.
    #[prost(uint32, required, tag = "2")]
    pub flag: u32,
    /// Inner command (16 bits, little-endian) and body.
    #[prost(bytes = "vec", required, tag = "3")]
    pub data: Vec<u8>,
}

shape!(S2STypeCmd: required [1, 2, 3], text []);
debug_without_secrets!(S2STypeCmd { kind, flag });

/// The load of a team server.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReqTSerUserNum {
    /// Players online.
    #[prost(uint32, required, tag = "1")]
    pub user_num: u32,
    /// The same, with those timed out.
    #[prost(uint32, required, tag = "2")]
    pub tuser_num: u32,
}

shape!(ReqTSerUserNum: required [1, 2], text []);

/// Read the configuration again. No fields.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReqLoadConfig {}

shape!(ReqLoadConfig: required [], text []);
