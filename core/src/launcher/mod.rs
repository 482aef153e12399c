//! The platform's launcher and the games it has started, both ends, as pure state machines over bytes.
//!
//! The launcher listens on the player's machine, starts a game and tells it the port; the game connects and says
//! which game it is (association). The launcher calls it by a `client_id` of its own, asks the platform for a
//! signed payload and hands that over, byte for byte; the game takes it to its server, and reports what came of it.
//! The launcher sends a heartbeat every five seconds, and the game answers.
//!
//! [`LauncherLink`] is the game's end: one connection. [`Launcher`] is the other: a connection for each game, told
//! apart by connection and `client_id`. An event goes in, effects come out; nothing here has a socket, a clock or
//! randomness of its own.
//!
//! Any program on the machine may connect, and with CBC may change what it sees. So whatever cannot be read closes
//! the connection without a word, a game that nobody has started is refused, and nothing that is said here logs
//! anybody in: the game's server checks the payload. If both ends have a [`Key`](crate::wire::local::Key) of this
//! one start, they switch to GCM right after the first status: the game offers `proto` 2, the launcher takes it.
//! Who stands between them could keep that offer back; [`LinkSettings::require_gcm`] is for ends that know that
//! both can.

use alloc::vec::Vec;
use core::{fmt, time::Duration};

use crate::wire::local::{Profile, frame::SILENCE_MS};

mod channel;
mod game;
mod host;

pub use game::{GameEvent, GameNotice, LauncherLink};
pub use host::{Launch, Launcher, LauncherEvent, LauncherNotice};

/// Connections of one launcher, and games it waits for.
pub const LINKS_MAX: usize = 64;
/// The first message must come within this time; and the payload, on the game's end.
pub const FIRST: Duration = Duration::from_secs(10);
/// Between two heartbeats of the launcher.
pub const BEAT: Duration = Duration::from_secs(5);
/// Without a heartbeat of the other end for this long, it is dead: three are missing.
pub const DEAD: Duration = Duration::from_secs(15);
/// Without a byte for this long an unframed message is whole.
pub const SILENCE: Duration = Duration::from_millis(SILENCE_MS);

/// The code of a status that brings a payload.
pub const CODE_READY: &str = "0";
/// The code of a status before there is one. The documentation gives no values but the 0 of its example.
pub const CODE_WAITING: &str = "1";

/// The version of the link with GCM.
const PROTO: &str = "2";

/// What both ends must agree about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkSettings {
    /// Cipher and framing.
    pub profile: Profile,
    /// Close rather than go on without GCM.
    pub require_gcm: bool,
    /// How a game gets its payload.
    pub payload_by: PayloadBy,
}

/// How a game gets its payload; the documentation does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PayloadBy {
    /// As the member `payload` of a status, which must come within [`FIRST`].
    #[default]
    Status,
    /// As the parameter `other` that it is started with: only the first status must come in time.
    LaunchParameter,
}

/// A timer of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkTimer {
    /// The first message, or the payload, is late.
    First,
    /// It is time for a heartbeat.
    Beat,
    /// The other end is dead.
    Dead,
    /// Nothing came for a while, so what waits unframed must be whole.
    Silence,
}

/// What has to be done for a connection.
#[derive(Clone, PartialEq, Eq)]
pub enum LinkEffect<N> {
    /// Send these bytes.
    Send(Vec<u8>),
    /// Close it, after what was sent before. Its timers are void.
    Close,
    /// Fire this timer after this time, and at no other.
    Arm(LinkTimer, Duration),
    /// Do not fire it.
    Disarm(LinkTimer),
    /// Tell whoever runs this end.
    Tell(N),
}

/// Bytes are only counted.
impl<N: fmt::Debug> fmt::Debug for LinkEffect<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(bytes) => write!(f, "Send({})", bytes.len()),
            Self::Close => f.write_str("Close"),
            Self::Arm(timer, after) => write!(f, "Arm({timer:?}, {after:?})"),
            Self::Disarm(timer) => write!(f, "Disarm({timer:?})"),
            Self::Tell(notice) => write!(f, "Tell({notice:?})"),
        }
    }
}

/// Why a connection is over. The other end is told nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Over {
    /// It was ended here.
    Quit,
    /// The other end closed it.
    Ended,
    /// The first message, or the payload, did not come in time.
    TooSlow,
    /// No heartbeat came for [`DEAD`].
    Dead,
    /// What came cannot be read: frame, cipher, or message, nobody learns which.
    Unreadable,
    /// The other end does not switch to GCM, and must.
    NotHardened,
    /// The first message is not that of a game that was started here.
    Stranger,
    /// The message names another run of the launcher, or another game.
    Foreign,
    /// There is no place for another connection.
    Full,
}

impl Over {
    /// A stable name for logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::Ended => "ended",
            Self::TooSlow => "too_slow",
            Self::Dead => "dead",
            Self::Unreadable => "unreadable",
            Self::NotHardened => "not_hardened",
            Self::Stranger => "stranger",
            Self::Foreign => "foreign",
            Self::Full => "full",
        }
    }
}

#[cfg(test)]
mod tests;
