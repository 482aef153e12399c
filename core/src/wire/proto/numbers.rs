//! Numbers with a name: commands, server types, error codes.

use core::fmt;

/// Command numbers, by link. The same number means different things on different links.
pub mod cmd {
    /// Answers of the LoginServer; on this link the number is also the `c` parameter of the request.
    pub mod http {
        /// Login, and its answer `RetLoginMsg`.
        pub const LOGIN: u16 = 1;
        /// Gateway address, and its answer `RetGateAddr`.
        pub const GATE_ADDR: u16 = 2;
        /// Room request, and its answer `RetIntoFRoom`.
        pub const INTO_ROOM: u16 = 3;
        /// Refusal of any request: `RetErrorMsg`.
        pub const ERROR: u16 = 4;
    }

    /// Client and RoomServer.
    pub mod room {
        /// Client: `MsgLogin`; server: `MsgLoginResult`.
        pub const LOGIN: u16 = 1;
        /// Server: `MsgTop`, the ranking.
        pub const TOP: u16 = 2;
        /// Server: `MsgAddPlayer`.
        pub const ADD_PLAYER: u16 = 3;
        /// Server: `MsgRemovePlayer`.
        pub const REMOVE_PLAYER: u16 = 4;
        /// Client: move.
        pub const MOVE: u16 = 6;
        /// Client: run; empty body.
        pub const RUN: u16 = 7;
        /// Client: revive; empty body.
        pub const RELIFE: u16 = 9;
        /// Server: `MsgEndRoom`.
        pub const END_ROOM: u16 = 11;
        /// Server: changes of players, each frame.
        pub const REFRESH_PLAYER: u16 = 13;
        /// Client: any body; the server echoes it with its flag.
        pub const HEARTBEAT: u16 = 16;
        /// Both: `MsgSceneChat`.
        pub const SCENE_CHAT: u16 = 20;
        /// Client: logout, empty body; server: the same as an answer.
        pub const CLOSE: u16 = 21;
        /// Server: `RetErrorMsgCmd`.
        pub const ERROR: u16 = 25;
        /// Server: scene changes over TCP.
        pub const SCENE_TCP: u16 = 31;
        /// Server: `MsgSceneUDP`; by datagram once the client has bound one.
        pub const SCENE_UDP: u16 = 32;
        /// Client, datagram only: `MsgBindTCPSession`.
        pub const BIND: u16 = 33;
        /// Server: `RetVoiceInfo`.
        pub const VOICE_INFO: u16 = 36;
    }

    /// RoomServer (and other servers) and RCenter.
    pub mod center {
        /// Up: `ReqServerLogin`; down: `RetServerLogin`.
        pub const LOGIN: u16 = 1;
        /// Up: `ReqTSerUserNum`, from the team server.
        pub const TEAM_USER_NUM: u16 = 2;
        /// Down: `ReqCheckRelogin`, end the session of this key and id.
        pub const CHECK_RELOGIN: u16 = 3;
        /// Up: `S2SCmd`, forward to another server.
        pub const S2S: u16 = 6;
        /// Up: `ReqAddRoom`.
        pub const ADD_ROOM: u16 = 17;
        /// Up: `ReqRemoveRoom`.
        pub const REMOVE_ROOM: u16 = 18;
        /// Up: `ReqUpdateRoom`.
        pub const UPDATE_ROOM: u16 = 19;
        /// Up: `ReqEndGame`; defined, but the original never sends it.
        pub const END_GAME: u16 = 20;
        /// Up: `ReqUpdateServer`, the load of the server.
        pub const UPDATE_SERVER: u16 = 21;
        /// Down: read the configuration again; empty body.
        pub const LOAD_CONFIG: u16 = 22;
    }
}

/// What kind of server registers at RCenter (`ReqServerLogin.SerType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServerType(pub u32);

impl ServerType {
    /// RoomServer.
    pub const ROOM: Self = Self(1);
    /// Team server.
    pub const TEAM: Self = Self(2);
    /// LoginServer.
    pub const LOGIN: Self = Self(3);
    /// Chat server.
    pub const CHAT: Self = Self(4);
}

/// An error code of the original system, as it stands in `RetCode` and `Err`.
///
/// The codes the login path uses have a name; any other number is representable, because a peer may send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub u32);

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $text:literal;)*) => {
        impl ErrorCode {
            $($(#[$doc])* pub const $name: Self = Self($value);)*

            /// What the code means, in a few words; `None` for codes the login path does not use.
            #[must_use]
            pub const fn meaning(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

error_codes! {
    /// Success.
    OK = 0, "ok";
    /// Illegal name.
    NAME = 1, "illegal name";
    /// Client version does not match.
    VERSION = 2, "version mismatch";
    /// No such room.
    ROOM = 3, "room not found";
    /// The database failed.
    DB = 4, "database error";
    /// Wrong account or password; the two are not told apart.
    PASS = 5, "wrong account or password";
    /// A parameter is missing or malformed.
    PARAM = 6, "bad parameter";
    /// The session is unknown or expired.
    SESSION = 7, "session error";
    /// The message does not decode.
    DECODE = 8, "message decode error";
    /// Unknown command.
    CMD = 9, "unknown command";
    /// The account name is taken.
    EXIST = 10, "account name taken";
    /// No such account.
    NOT_EXIST = 11, "no such account";
    /// The room is full. Defined by the original, but its RoomServer never sends it.
    IS_FULL = 13, "room full";
    /// The room token was not accepted.
    VERIFY = 17, "verification failed";
    /// Too many requests.
    TOO_QUICK = 18, "too fast";
    /// The account logged in elsewhere; this session ends.
    RELOGIN = 21, "logged in elsewhere";
    /// The microphone is taken.
    MIC_BUSY = 23, "microphone taken";
    /// Not in a team.
    OUT_TEAM = 31, "not in a team";
    /// Too many wrong passwords.
    MAX_ERR = 44, "too many wrong passwords";
    /// The account is banned.
    BAN_ACC = 53, "account banned";
    /// The name has illegal characters.
    ILLEGAL_CHARS = 133, "illegal characters";
    /// The player is banned.
    USER_BANNED = 137, "player banned";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.meaning() {
            Some(meaning) => write!(f, "{} ({meaning})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}
