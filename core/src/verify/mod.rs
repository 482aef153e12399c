//! Who somebody is, on the word of another: signatures of the systems that sign.
//!
//! Everything here is a pure function of bytes, secrets and the second it is. A check ends in a value that says who
//! was signed for, how old the signature is, and what is to be remembered so that it counts once. What follows from
//! them is decided by [`login`](crate::login) and [`cache`](crate::cache).

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::message::Age;

pub mod gamecloud;
pub mod gtarcade;
pub mod verifier;

/// Seconds in which something signed counts, on either side of the time it was signed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Window {
    /// It may be this old. Both originals have five minutes.
    pub back: u32,
    /// Its time may be this far ahead of the clock here. GTarcade says nothing of it; without a bound one payload
    /// with a time to come would count for as long as that takes.
    pub ahead: u32,
}

impl Default for Window {
    fn default() -> Self {
        Self { back: 300, ahead: 60 }
    }
}

impl Window {
    /// Five minutes to either side, as gamecloud has it.
    pub const EVEN: Self = Self { back: 300, ahead: 300 };

    /// Where `now` stands in the window of what was signed at `time`, both in seconds since 1970. Both ends belong to
    /// the window; no value overflows.
    #[must_use]
    pub fn age(self, time: i64, now: i64) -> Age {
        if time < now.saturating_sub(self.back.into()) {
            Age::Stale
        } else if time > now.saturating_add(self.ahead.into()) {
            Age::Future
        } else {
            Age::Fresh
        }
    }

    /// For how long one signature counts: used when it has just begun to, it could be used again until it ends.
    #[must_use]
    pub const fn length(self) -> Duration {
        Duration::from_secs(self.back as u64 + self.ahead as u64)
    }
}

/// Seconds since 1970 as PHP and JavaScript count them.
fn signed(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}
