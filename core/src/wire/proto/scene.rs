//! Messages from the RoomServer about what is in the room (`wilds.proto` of the original).

use alloc::string::String;
use alloc::vec::Vec;

use super::shape;

/// The ranking.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgTop {
    /// Players, best first.
    #[prost(message, repeated, tag = "1")]
    pub players: Vec<MsgPlayer>,
    /// Seconds until the room ends.
    #[prost(uint32, required, tag = "3")]
    pub end_time: u32,
    /// Own rank.
    #[prost(uint32, required, tag = "4")]
    pub rank: u32,
    /// Own score.
    #[prost(uint32, required, tag = "5")]
    pub kill_num: u32,
}

shape!(MsgTop: required [], text [], children { 1: MsgPlayer });

/// A player joined.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgAddPlayer {
    /// Who.
    #[prost(message, required, tag = "1")]
    pub player: MsgPlayer,
}

shape!(MsgAddPlayer: required [1], text [], children { 1: MsgPlayer });

/// A player left.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgRemovePlayer {
    /// Player id.
    #[prost(uint64, required, tag = "1")]
    pub id: u64,
}

shape!(MsgRemovePlayer: required [1], text []);

/// A player of the room.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgPlayer {
    /// Player id.
    #[prost(uint64, required, tag = "1")]
    pub id: u64,
    /// Nickname.
    #[prost(string, required, tag = "2")]
    pub name: String,
    /// Region.
    #[prost(uint32, required, tag = "3")]
    pub local: u32,
    /// Whether the player is alive.
    #[prost(bool, required, tag = "4")]
    pub is_live: bool,
    /// Where the player is.
    #[prost(message, optional, tag = "5")]
    pub snap_info: Option<MsgPlayerSnap>,
    /// Ball.
    #[prost(uint32, required, tag = "6")]
    pub ball_id: u32,
    /// Experience.
    #[prost(uint32, required, tag = "7")]
    pub curexp: u32,
    /// Magic points.
    #[prost(uint32, required, tag = "8")]
    pub curmp: u32,
    /// Form.
    #[prost(uint32, required, tag = "9")]
    pub animalid: u32,
    /// Hit points.
    #[prost(uint32, required, tag = "10")]
    pub curhp: u32,
    /// Team.
    #[prost(uint32, required, tag = "11")]
    pub team_name: u32,
    /// Bombs.
    #[prost(int32, required, tag = "12")]
    pub bomb_num: i32,
    /// Hammers.
    #[prost(int32, required, tag = "13")]
    pub hammer_num: i32,
}

shape!(MsgPlayer: required [1, 2, 6], text [2], children { 5: MsgPlayerSnap });

/// A position.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgPlayerSnap {
    /// X in map units.
    #[prost(float, required, tag = "1")]
    pub snapx: f32,
    /// Y in map units.
    #[prost(float, required, tag = "2")]
    pub snapy: f32,
    /// Angle in degrees.
    #[prost(float, required, tag = "3")]
    pub angle: f32,
    /// Player id.
    #[prost(uint64, required, tag = "4")]
    pub id: u64,
}

shape!(MsgPlayerSnap: required [1, 2, 3, 4], text []);

/// An item on the map.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgBall {
    /// Ball.
    #[prost(uint32, required, tag = "1")]
    pub id: u32,
    /// Type of the item (`type`).
    #[prost(int32, required, tag = "2")]
    pub kind: i32,
    /// X in hundredths of a map unit.
    #[prost(int32, required, tag = "3")]
    pub x: i32,
    /// Y in hundredths of a map unit.
    #[prost(int32, required, tag = "4")]
    pub y: i32,
}

shape!(MsgBall: required [1, 2, 3, 4], text []);

/// The ball of a player.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgPlayerBall {
    /// Ball.
    #[prost(uint32, required, tag = "1")]
    pub id: u32,
    /// Form.
    #[prost(uint32, required, tag = "2")]
    pub level: u32,
    /// Hit points.
    #[prost(uint32, required, tag = "3")]
    pub hp: u32,
    /// Magic points.
    #[prost(uint32, required, tag = "4")]
    pub mp: u32,
    /// X in hundredths of a map unit.
    #[prost(int32, required, tag = "5")]
    pub x: i32,
    /// Y in hundredths of a map unit.
    #[prost(int32, required, tag = "6")]
    pub y: i32,
    /// 0 to 360 degrees.
    #[prost(int32, required, tag = "7")]
    pub angle: i32,
    /// Ball it looks at.
    #[prost(uint32, required, tag = "8")]
    pub face: u32,
}

shape!(MsgPlayerBall: required [1, 2, 5, 6], text []);

/// What moved; the only message that goes by datagram.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgSceneUDP {
    /// Moves.
    #[prost(message, repeated, tag = "1")]
    pub moves: Vec<BallMove>,
    /// Frame number of the room, 25 ms each.
    #[prost(uint32, required, tag = "2")]
    pub frame: u32,
    /// Cube heights (`CubeReDst`), each kept as its encoded bytes: the login path never looks inside.
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub changing_inf: Vec<Vec<u8>>,
}

shape!(MsgSceneUDP: required [2], text [], children { 1: BallMove });

/// One move. Known only from what the original RoomServer sent: three fields with a meaning and three small numbers,
/// kept so that a message is written back as it was read.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BallMove {
    /// Ball.
    #[prost(uint32, required, tag = "1")]
    pub id: u32,
    /// X in hundredths of a map unit.
    #[prost(int32, required, tag = "2")]
    pub x: i32,
    /// Y in hundredths of a map unit.
    #[prost(int32, required, tag = "3")]
    pub y: i32,
    /// Meaning unknown.
    #[prost(uint64, required, tag = "4")]
    pub field4: u64,
    /// Meaning unknown.
    #[prost(uint64, required, tag = "5")]
    pub field5: u64,
    /// Meaning unknown.
    #[prost(uint64, required, tag = "6")]
    pub field6: u64,
}

shape!(BallMove: required [1, 2, 3], text []);

/// The room has ended.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgEndRoom {
    /// Final ranking.
    #[prost(message, repeated, tag = "1")]
    pub players: Vec<EndPlayer>,
    /// Line of the receiver.
    #[prost(message, optional, tag = "2")]
    pub user_self: Option<EndPlayer>,
    /// Leader of the team.
    #[prost(uint64, required, tag = "3")]
    pub leader_id: u64,
    /// Rank before.
    #[prost(uint32, required, tag = "4")]
    pub old_level: u32,
    /// Scores before.
    #[prost(uint32, required, tag = "5")]
    pub old_scores: u32,
    /// Rank now.
    #[prost(uint32, required, tag = "6")]
    pub level: u32,
    /// Scores now.
    #[prost(uint32, required, tag = "7")]
    pub scores: u32,
    /// Whether the match counts.
    #[prost(bool, required, tag = "8")]
    pub is_valid: bool,
}

shape!(MsgEndRoom: required [], text [], children { 1: EndPlayer, 2: EndPlayer });

/// A line of the final ranking.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EndPlayer {
    /// Player id.
    #[prost(uint64, required, tag = "1")]
    pub id: u64,
    /// Account name.
    #[prost(string, required, tag = "2")]
    pub uname: String,
    /// Nickname.
    #[prost(string, required, tag = "3")]
    pub name: String,
    /// Score.
    #[prost(uint64, required, tag = "4")]
    pub score: u64,
    /// Kills.
    #[prost(uint32, required, tag = "5")]
    pub kill_num: u32,
    /// Sex.
    #[prost(uint32, required, tag = "6")]
    pub sex: u32,
    /// Icon.
    #[prost(uint32, required, tag = "7")]
    pub icon: u32,
    /// Region.
    #[prost(uint32, required, tag = "8")]
    pub location: u32,
    /// Money.
    #[prost(uint32, required, tag = "9")]
    pub money: u32,
    /// Rank.
    #[prost(uint32, required, tag = "10")]
    pub rank: u32,
    /// Approved picture.
    #[prost(string, required, tag = "11")]
    pub pass_icon: String,
    /// Most valuable player.
    #[prost(bool, required, tag = "12")]
    pub is_mvp: bool,
    /// Whether the receiver follows this player.
    #[prost(bool, required, tag = "13")]
    pub is_follow: bool,
    /// Money won.
    #[prost(int32, required, tag = "14")]
    pub add_money: i32,
    /// Form.
    #[prost(uint32, required, tag = "15")]
    pub animal_id: u32,
    /// Score of the team.
    #[prost(uint32, required, tag = "16")]
    pub team_score: u32,
    /// Team.
    #[prost(uint32, required, tag = "17")]
    pub team_name: u32,
    /// Leader of the team.
    #[prost(uint64, required, tag = "18")]
    pub leader_id: u64,
}

shape!(EndPlayer: required [1, 2, 3, 4, 5], text [2, 3, 11]);

/// A line of chat.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MsgSceneChat {
    /// The line.
    #[prost(string, required, tag = "1")]
    pub msg: String,
    /// Player id of the speaker.
    #[prost(uint64, required, tag = "2")]
    pub id: u64,
}

shape!(MsgSceneChat: required [1], text [1]);
