//! Traces of reality: what the roles of a process heard and did, written down as it happened, and checked later.
//!
//! [`Recording`] writes one file for each life of a process: what its roles are made of, then every event with the
//! randomness that was drawn and the effects that followed. Nothing else makes a role do anything, so [`verify`] can
//! step the very same roles again, compare, and hold the facts of all processes, in the order in which they
//! happened, against the properties.
//!
//! No secret is written: keys are replaced by aliases, passwords and device ids by nothing at all. Names of
//! accounts, nicknames and addresses are written as they are.
//!
//! | module | what it is |
//! |---|---|
//! | `tape` | what a node does while it is recorded: bytes into a bounded buffer |
//! | `writer` | the thread that takes secrets out of it and writes it down |
//! | `alias` | secrets and what stands for them |
//! | `chain` | the file: blocks that each vouch for those before it |
//! | `replay` | one file through the roles again |
//! | `judge` | all files of a directory, in order, and the verdict |

mod alias;
mod chain;
mod judge;
mod replay;
mod tape;
mod writer;

use std::time::Duration;

use gatepass_core::{
    ids::AccountId,
    role::{Effect, Event, Settings, Step},
};
use serde::{Deserialize, Serialize};

pub use alias::Aliases;
pub use judge::{FileReport, Judged, Report, VerifyError, Violation, verify};
pub use replay::Fault;
pub use tape::{Recorder, Tape, Witnessed};
pub use writer::Recording;

use crate::{
    clock::unix_time,
    drive::{Origin, RoleId},
};

/// What names of recordings end with.
pub const EXTENSION: &str = "trace";

/// How a recording begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the program that wrote it.
    pub program: String,
    /// The rules, times and sizes that the roles were given.
    pub settings: Settings,
    /// What the roles were made of.
    pub origin: Origin,
    /// The account store, if it was here.
    pub store: Option<StoreKind>,
    /// When it began, by all clocks there are.
    pub began: Began,
    /// The same in all recordings whose aliases mean the same keys.
    pub aliases: [u8; 16],
}

/// How long an account store lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoreKind {
    /// It outlives its process.
    Durable,
    /// It began empty: ids of accounts and generations begin anew.
    InMemory,
}

/// When a recording began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Began {
    /// Names the clock of `monotonic`: a start of a machine. Processes on one machine share it.
    pub boot: String,
    /// Nanoseconds on that clock, which never jumps.
    pub monotonic: u64,
    /// Nanoseconds since 1970, as the machine believes.
    pub wall: u64,
}

impl Began {
    /// Now.
    fn now() -> Self {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let since_boot = Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0));
        // Where there is no such file, every machine is taken for the same: then a directory is for one machine.
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let wall = unix_time();
        Self { boot: boot.trim().to_owned(), monotonic: nanos(since_boot), wall: nanos(wall) }
    }
}

/// One entry of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Entry {
    /// A role took a step.
    Stepped(Box<Stepped>),
    /// The account store found a credential to be the account's own.
    Verified {
        /// When.
        at: u64,
        /// Whose.
        account: AccountId,
    },
    /// Nothing happened for a while: the process is alive.
    Alive {
        /// When.
        at: u64,
    },
    /// The recording ends.
    Ended {
        /// When.
        at: u64,
        /// Why.
        why: Ending,
    },
}

/// A step of a role.
///
/// `at` is in nanoseconds: from the beginning of the recording while it is in memory, from the entry before it in
/// the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Stepped {
    at: u64,
    role: RoleId,
    event: Event,
    drawn: Vec<[u8; 16]>,
    became: Step,
    effects: Vec<Effect>,
}

impl Entry {
    const fn at(&mut self) -> &mut u64 {
        match self {
            Self::Stepped(step) => &mut step.at,
            Self::Verified { at, .. } | Self::Alive { at } | Self::Ended { at, .. } => at,
        }
    }
}

/// Why a recording ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The process ended in an orderly way.
    Orderly,
    /// The process ended, but not in the orderly way.
    Abrupt,
    /// More happened than could be written: the process went on, its recording did not.
    Overrun,
    /// The directory has no room left: the process went on, its recording did not.
    Full,
    /// The file could not be written: the process went on, its recording did not.
    Failed,
}

impl Ending {
    /// For people.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::Orderly => "in an orderly way",
            Self::Abrupt => "with its process, abruptly",
            Self::Overrun => "before its process: more happened than could be written",
            Self::Full => "before its process: the directory was full",
            Self::Failed => "before its process: the file could not be written",
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Appends a value. What is recorded always serialises.
fn put<T: Serialize + ?Sized>(value: &T, to: &mut Vec<u8>) {
    struct Append<'a>(&'a mut Vec<u8>);
    impl postcard::ser_flavors::Flavor for Append<'_> {
        type Output = ();
        fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
            self.0.extend_from_slice(data);
            Ok(())
        }
        fn try_push(&mut self, data: u8) -> postcard::Result<()> {
            self.0.push(data);
            Ok(())
        }
        fn finalize(self) -> postcard::Result<()> {
            Ok(())
        }
    }
    let written = postcard::serialize_with_flavor(value, Append(to));
    debug_assert!(written.is_ok(), "{written:?}");
}

#[cfg(test)]
mod tests;
