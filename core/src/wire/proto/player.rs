//! Answers of the LoginServer (`player.proto` of the original).

use alloc::string::String;

use super::{debug_without_secrets, shape};

/// The answer to a login. Field 5 is unused.
///
/// The original client takes the login as failed if the id is 0.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct RetLoginMsg {
    /// Account name.
    #[prost(string, required, tag = "1")]
    pub account: String,
    /// Player id, never 0.
    #[prost(uint64, required, tag = "2")]
    pub id: u64,
    /// First login of the account.
    #[prost(bool, required, tag = "3")]
    pub is_newbie: bool,
    /// Password, told only to a guest whose account was just made.
    #[prost(string, required, tag = "4")]
    pub password: String,
    /// Region.
    #[prost(uint32, required, tag = "6")]
    pub location: u32,
    /// Server clock, unix seconds.
    #[prost(int64, required, tag = "7")]
    pub time_now: i64,
    /// Sex.
    #[prost(uint32, required, tag = "8")]
    pub sex: u32,
    /// Age.
    #[prost(uint32, required, tag = "9")]
    pub age: u32,
    /// Bound phone number.
    #[prost(string, required, tag = "10")]
    pub tel: String,
    /// Icon.
    #[prost(uint32, required, tag = "11")]
    pub icon: u32,
    /// Nickname.
    #[prost(string, required, tag = "12")]
    pub nick: String,
    /// Sales channel.
    #[prost(uint32, required, tag = "13")]
    pub channl: u32,
    /// Guest marker.
    #[prost(uint32, required, tag = "14")]
    pub isregist: u32,
    /// Approved picture.
    #[prost(string, required, tag = "15")]
    pub pass_icon: String,
    /// Best rank.
    #[prost(uint32, required, tag = "16")]
    pub max_level: u32,
    /// Identity card.
    #[prost(string, required, tag = "17")]
    pub idcard: String,
    /// Registration time, unix seconds.
    #[prost(uint32, required, tag = "18")]
    pub reg_time: u32,
}

shape!(RetLoginMsg: required [1, 2, 3, 4, 6], text [1, 4, 10, 12, 15, 17]);
debug_without_secrets!(RetLoginMsg {
    account,
    id,
    is_newbie,
    location,
    time_now,
    sex,
    age,
    icon,
    nick,
    channl,
    isregist,
    pass_icon,
    max_level,
    reg_time
});

/// The answer to a room request: where to go and with which key, or why not.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct RetIntoFRoom {
    /// 0, or an error code; the other fields have no meaning then.
    #[prost(uint32, required, tag = "1")]
    pub err: u32,
    /// RoomServer as `host:port`.
    #[prost(string, required, tag = "2")]
    pub addr: String,
    /// Room token.
    #[prost(string, required, tag = "3")]
    pub key: String,
    /// Player id.
    #[prost(uint64, required, tag = "4")]
    pub uid: u64,
    /// Hint.
    #[prost(uint32, required, tag = "5")]
    pub tips: u32,
    /// Room.
    #[prost(uint32, required, tag = "6")]
    pub room_id: u32,
    /// Privilege (`Priv`).
    #[prost(uint32, required, tag = "7")]
    pub privilege: u32,
    /// Room model.
    #[prost(uint32, required, tag = "8")]
    pub model: u32,
    /// Map.
    #[prost(uint32, required, tag = "9")]
    pub scene_id: u32,
    /// Tickets left.
    #[prost(uint32, required, tag = "10")]
    pub ticketnum: u32,
}

shape!(RetIntoFRoom: required [1], text [2, 3]);
debug_without_secrets!(RetIntoFRoom { err, addr, uid, tips, room_id, privilege, model, scene_id, ticketnum });

/// A refusal. The original client reads it as a *successful* login with id `params` if it asked for one and `params` is
/// not 0, so a LoginServer never sets it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RetErrorMsg {
    /// Error code.
    #[prost(uint32, required, tag = "1")]
    pub ret_code: u32,
    /// Number belonging to the code.
    #[prost(uint64, required, tag = "2")]
    pub params: u64,
    /// Text belonging to the code.
    #[prost(string, required, tag = "3")]
    pub json_param: String,
}

shape!(RetErrorMsg: required [1], text [3]);

/// The address of the gateway.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct RetGateAddr {
    /// Gateway as `host:port`.
    #[prost(string, required, tag = "1")]
    pub address: String,
    /// Token for the gateway.
    #[prost(string, required, tag = "2")]
    pub key: String,
}

shape!(RetGateAddr: required [1, 2], text [1, 2]);
debug_without_secrets!(RetGateAddr { address });
