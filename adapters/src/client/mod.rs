//! One player over real sockets: the role `client::Client` decides, this drives it.
//!
//! It works against any server of the original protocol whose keys are 128-bit ones. What the player does and
//! when is the role's business; here are connections, timers and bytes.

mod dial;
mod drive;
pub(crate) mod gamecloud;
pub(crate) mod gtarcade;
mod http;
mod room;
mod speech;
#[cfg(test)]
pub(crate) mod tests;

use std::{fmt, io, time::Duration};

use gatepass_core::{
    ids::{AccountId, RoomId},
    role::Settings,
    text::{Endpoint, Name, Nickname, Password},
    wire::{WireError, local::Handover},
};

pub use dial::{Dial, resolve};
pub use drive::play;
pub use gtarcade::write_handover;
pub use http::{HttpConnection, HttpError, Response, write_request};
pub use room::RoomConnection;
pub use speech::{Refused, Unclear, cookie, reply, request, to_player, to_room};

/// Where and how a player connects.
#[derive(Clone, Debug)]
pub struct Options {
    /// The LoginServer, `host:port`.
    pub server: String,
    /// Both requests use one connection; without it each has its own, as in the original.
    pub keep_alive: bool,
    /// How connections are made.
    pub dial: Dial,
    /// As whose client the player logs in. What follows is the same for all.
    pub system: System,
    /// The client's times are in here: how long it waits for answers, how often it sends a heartbeat.
    pub settings: Settings,
}

/// A system whose clients log in in a way of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum System {
    /// The original: with a name and a password, at [`Options::server`].
    #[default]
    Mope,
    /// GTarcade, with [`Credentials::Signed`](gatepass_core::message::Credentials): what they say does not matter,
    /// the payload goes to [`Options::server`] as it is.
    Gtarcade {
        /// What the launcher has handed over.
        payload: Handover,
    },
    /// gamecloud, with [`Credentials::Signed`](gatepass_core::message::Credentials) that name domain and id: what
    /// they say of a payload does not matter, for it is the servers that issue one.
    Gamecloud {
        /// The Index, `host:port`.
        index: String,
    },
}

/// Something that happened to a player.
#[derive(Debug)]
pub struct Moment {
    /// When, from the start of the attempt.
    pub at: Duration,
    /// How long it took, from the request that it answers.
    pub took: Option<Duration>,
    /// What.
    pub what: What,
}

/// What can happen to a player.
#[derive(Debug)]
pub enum What {
    /// gamecloud's Index has said where to log in.
    Located {
        /// The logic server, `host:port`.
        server: String,
        /// The Index had never sent him anywhere.
        newbie: bool,
    },
    /// A set has been signed for the player.
    Issued {
        /// How long it is, in bytes.
        bytes: usize,
    },
    /// The LoginServer accepted the credentials.
    LoggedIn {
        /// The account.
        account: AccountId,
        /// Its name.
        name: Name,
        /// It was just created.
        newbie: bool,
        /// The password that a new guest got.
        password: Option<Password>,
    },
    /// The LoginServer assigned a room.
    Assigned {
        /// The RoomServer.
        endpoint: Endpoint,
        /// The room.
        room: RoomId,
        /// The map.
        scene: u32,
    },
    /// The connection to the RoomServer is there.
    Connected,
    /// The player is in the room.
    Admitted {
        /// The account, as the RoomServer sees it.
        account: AccountId,
        /// The nickname after the cut.
        name: Nickname,
    },
    /// A heartbeat came back.
    Heartbeat,
    /// The RoomServer confirmed the logout.
    LoggedOut,
    /// A server refused, or ended the session with a code.
    Refused(Refused),
    /// A connection is gone, or never came to be.
    Lost(Trouble),
}

/// Why a connection is of no use.
#[derive(Debug)]
pub enum Trouble {
    /// It could not be made.
    Unreachable {
        /// Where to.
        endpoint: String,
        /// What the system says.
        error: io::Error,
    },
    /// It failed.
    Io(io::Error),
    /// The server closed it.
    Closed,
    /// No answer that is one came over HTTP.
    Http(HttpError),
    /// An answer that means nothing.
    Unclear(Unclear),
    /// Bytes that are no frame or no message.
    Wire(WireError),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { endpoint, error } => write!(f, "cannot connect to {endpoint}: {error}"),
            Self::Io(error) => error.fmt(f),
            Self::Closed => f.write_str("the server closed the connection"),
            Self::Http(error) => error.fmt(f),
            Self::Unclear(error) => error.fmt(f),
            Self::Wire(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Trouble {}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<HttpError> for Trouble {
    fn from(error: HttpError) -> Self {
        Self::Http(error)
    }
}

impl From<Unclear> for Trouble {
    fn from(error: Unclear) -> Self {
        Self::Unclear(error)
    }
}

impl From<WireError> for Trouble {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}
