//! Messages between client and RoomServer that concern the session (`wilds.proto` of the original).

use alloc::string::String;
use alloc::vec::Vec;

use prost::encoding;

use super::{MsgBall, MsgPlayer, MsgPlayerBall, debug_without_secrets, shape};

/// The first message of a client on a RoomServer connection.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct MsgLogin {
    /// Nickname; the original cuts it to 14 code points.
    #[prost(string, required, tag = "1")]
    pub name: String,
    /// Room token.
    #[prost(string, required, tag = "2")]
    pub key: String,
}

shape!(MsgLogin: required [1, 2], text [1, 2]);
debug_without_secrets!(MsgLogin { name });

/// A refusal, or the notice that ends a session.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RetErrorMsgCmd {
    /// Error code.
    #[prost(uint32, required, tag = "1")]
    pub ret_code: u32,
    /// Number belonging to the code.
    #[prost(uint32, required, tag = "2")]
    pub params: u32,
    /// JSON text belonging to the code.
    #[prost(string, required, tag = "3")]
    pub json_param: String,
}

shape!(RetErrorMsgCmd: required [1], text [3]);

/// The answer to an accepted [`MsgLogin`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgLoginResult {
    /// Always true; refusals are [`RetErrorMsgCmd`].
    #[prost(bool, required, tag = "1")]
    pub ok: bool,
    /// Player id.
    #[prost(uint64, required, tag = "2")]
    pub id: u64,
    /// Nickname after the cut.
    #[prost(string, required, tag = "3")]
    pub name: String,
    /// Every player of the room, the receiver included.
    #[prost(message, repeated, tag = "4")]
    pub others: Vec<MsgPlayer>,
    /// Frame number of the room, 25 ms each.
    #[prost(uint32, required, tag = "5")]
    pub frame: u32,
    /// Region, 0 if hidden.
    #[prost(uint32, required, tag = "6")]
    pub local: u32,
    /// Name of a custom room, else empty.
    #[prost(string, required, tag = "7")]
    pub room_name: String,
    /// Ball of the receiver.
    #[prost(uint32, required, tag = "8")]
    pub ball_id: u32,
    /// Items in view.
    #[prost(message, repeated, tag = "9")]
    pub balls: Vec<MsgBall>,
    /// Own ball first, then those in view.
    #[prost(message, repeated, tag = "10")]
    pub playerballs: Vec<MsgPlayerBall>,
    /// Name of the team, by number.
    #[prost(uint32, required, tag = "11")]
    pub team_name: u32,
    /// Team.
    #[prost(uint32, required, tag = "12")]
    pub team_id: u32,
    /// Seconds since the last team notice; may wrap.
    #[prost(uint32, required, tag = "13")]
    pub team_notice_cd: u32,
    /// End of the room in unix seconds minus the seconds it has run; not a remaining time.
    #[prost(uint32, required, tag = "14")]
    pub left_time: u32,
}

shape!(MsgLoginResult: required [1, 2, 5, 6, 8], text [3, 7], children { 4: MsgPlayer, 9: MsgBall, 10: MsgPlayerBall });

impl MsgLoginResult {
    /// Appends a player as one of `others`, for [`Self::encode_around`].
    pub fn encode_other(player: &MsgPlayer, out: &mut Vec<u8>) {
        encoding::message::encode(4, player, out);
    }

    /// Appends a ball as one of `playerballs`, for [`Self::encode_around`].
    pub fn encode_playerball(ball: &MsgPlayerBall, out: &mut Vec<u8>) {
        encoding::message::encode(10, ball, out);
    }

    /// Appends the message as [`encode_body`](super::WireMessage::encode_body) does, with players and balls that
    /// are already encoded in place of its own. A room tells every newcomer of everybody, and so need not write
    /// everybody down each time.
    pub fn encode_around(&self, others: &[u8], playerballs: [&[u8]; 2], out: &mut Vec<u8>) {
        encoding::bool::encode(1, &self.ok, out);
        encoding::uint64::encode(2, &self.id, out);
        encoding::string::encode(3, &self.name, out);
        out.extend_from_slice(others);
        encoding::uint32::encode(5, &self.frame, out);
        encoding::uint32::encode(6, &self.local, out);
        encoding::string::encode(7, &self.room_name, out);
        encoding::uint32::encode(8, &self.ball_id, out);
        encoding::message::encode_repeated(9, &self.balls, out);
        for balls in playerballs {
            out.extend_from_slice(balls);
        }
        encoding::uint32::encode(11, &self.team_name, out);
        encoding::uint32::encode(12, &self.team_id, out);
        encoding::uint32::encode(13, &self.team_notice_cd, out);
        encoding::uint32::encode(14, &self.left_time, out);
    }
}

/// The datagram that binds a UDP address to a live TCP session.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct MsgBindTCPSession {
    /// Player id.
    #[prost(uint64, required, tag = "1")]
    pub id: u64,
    /// Room token of the session.
    #[prost(string, required, tag = "2")]
    pub key: String,
}

shape!(MsgBindTCPSession: required [1, 2], text [2]);
debug_without_secrets!(MsgBindTCPSession { id });

/// No fields: the body of the heartbeat and of the answer to a logout.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ClientHeartBeat {}

shape!(ClientHeartBeat: required [], text []);

/// Where the voice server is.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RetVoiceInfo {
    /// Voice server as `host:port`.
    #[prost(string, required, tag = "1")]
    pub address: String,
    /// Room.
    #[prost(uint32, required, tag = "2")]
    pub room_id: u32,
}

shape!(RetVoiceInfo: required [1, 2], text [1]);
