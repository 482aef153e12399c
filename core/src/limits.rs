//! Every bound by name, and the proof that they agree. Reaching a bound is a refusal, never growth.

use alloc::{format, string::String};
use core::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact::required as human;
use serde::{Deserialize, Serialize};

/// Longest password in bytes. Longer ones cost hashing time and are refused.
pub const PASSWORD_BYTES_MAX: usize = 64;
/// Longest nickname in code points, as in the original.
pub const NICKNAME_CHARS_MAX: usize = 14;
/// HTTP requests one LoginServer works on at once.
pub const REQUESTS_MAX: usize = 8_192;
/// Entries in the table of failed logins. When it is full the first entry makes room.
pub const BACKOFFS_MAX: usize = 65_536;
/// Sessions one cache holds.
pub const SESSIONS_MAX: usize = 1_000_000;
/// Signed payloads one cache remembers. Only what was accepted is remembered, so strangers cannot fill it.
pub const PAYLOADS_MAX: usize = 1_000_000;
/// Room tokens the cache remembers per account, spent ones included.
pub const TOKENS_PER_ACCOUNT_MAX: usize = 4;
/// RoomServers one cache or RCenter knows.
pub const SERVERS_MAX: usize = 1_024;
/// Most connections of one RoomServer, verified or not; [`Capacity::connections`] may be less.
pub const CONNECTIONS_MAX: usize = 16_384;
/// Rooms of one RoomServer.
pub const ROOMS_MAX: usize = 1_024;
/// Rooms announced to RCenter in one step after a new link.
pub const ANNOUNCE_MAX: usize = 32;
/// Between two batches of announced rooms.
pub const ANNOUNCE_PAUSE: Duration = Duration::from_millis(10);
/// Seats one RCenter reserves.
pub const SEATS_MAX: usize = 1_000_000;
/// Most effects of one step of any role.
pub const EFFECTS_MAX: usize = 40;
/// Connections of one account that one kick can close: the live one, and the ones that wait.
pub const KICKED_MAX: usize = 6;
/// Accounts reasserted with one question after a cache loss.
pub const REASSERT_MAX: usize = 16;
/// Signed payloads that one [`CacheAsk::Recall`](crate::message::CacheAsk::Recall) names.
pub const RECALL_MAX: usize = 16;

// For every connection it closes, a kick tells, closes, reports the room, and disarms two timers or disarms one
// and notes the end; then it releases, confirms, and may note that a draining server is empty and resigns.
const _: () = assert!(KICKED_MAX * 5 + 6 <= EFFECTS_MAX, "one kick fits into one step");
// A new link registers, reports its load and announces a batch of rooms.
const _: () = assert!(ANNOUNCE_MAX + 4 <= EFFECTS_MAX, "one announcement fits into one step");
const _: () = assert!(RECALL_MAX + 4 <= EFFECTS_MAX, "one question's timers fit into one step");
// An answer about reasserted accounts releases those that were left meanwhile; then come the next, or the lease.
const _: () = assert!(REASSERT_MAX + 4 <= EFFECTS_MAX, "one answer fits into one step");
// Every connection may hold a place in a room of its own only up to the number of rooms.
const _: () = assert!(ROOMS_MAX <= CONNECTIONS_MAX, "a room without a connection is no room");

/// How long a lease lasts. Cache and server must agree on it, or one would end it too late for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LeaseTerms {
    /// The lease, as the cache counts it.
    pub lease: Duration,
    /// By how much the server counts it shorter.
    pub margin: Duration,
}

/// How long things last. One value for all roles of a deployment: servers that disagree about the lease
/// would break it. Files say them as people do: `"10s"`, `"250ms"`, `"1h 30m"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Times {
    /// A session lives this long after login.
    #[serde(with = "human")]
    pub session: Duration,
    /// A fresh room token can be redeemed this long.
    #[serde(with = "human")]
    pub token: Duration,
    /// A spent or expired token is remembered this long, so that the refusal can say why.
    #[serde(with = "human")]
    pub token_memory: Duration,
    /// A reserved seat is held this long without its player.
    #[serde(with = "human")]
    pub seat: Duration,
    /// A RoomServer's lease in the cache.
    #[serde(with = "human")]
    pub lease: Duration,
    /// A RoomServer counts its own lease as this much shorter: the bound on clock drift over one lease.
    #[serde(with = "human")]
    pub lease_margin: Duration,
    /// A RoomServer renews its lease this often.
    #[serde(with = "human")]
    pub renew: Duration,
    /// A connection must be verified within this time, whatever it waits for (30 s in the original).
    #[serde(with = "human")]
    pub unverified: Duration,
    /// A verified connection that sends nothing for longer is closed (60 s in the original).
    #[serde(with = "human")]
    pub idle: Duration,
    /// Between two tries of the same question.
    #[serde(with = "human")]
    pub retry: Duration,
    /// A LoginServer answers an HTTP request within this time.
    #[serde(with = "human")]
    pub request: Duration,
    /// The client waits this long for any one answer.
    #[serde(with = "human")]
    pub reply: Duration,
    /// The client's heartbeat (30 s in the original).
    #[serde(with = "human")]
    pub heartbeat: Duration,
    /// First pause after a failed login; doubles with every further failure.
    #[serde(with = "human")]
    pub backoff: Duration,
    /// A signed payload is taken this long after it was signed by the verifier's clock, and this long before: the
    /// clocks of verifier and signer differ.
    #[serde(with = "human")]
    pub signature_window: Duration,
    /// The clocks of two LoginServers differ by no more than this.
    #[serde(with = "human")]
    pub clock_skew: Duration,
    /// A draining RoomServer closes what is left after this time.
    #[serde(with = "human")]
    pub drain: Duration,
}

impl Default for Times {
    fn default() -> Self {
        const fn secs(n: u64) -> Duration {
            Duration::from_secs(n)
        }
        Self {
            session: secs(12 * 3600),
            token: secs(60),
            token_memory: secs(60),
            seat: secs(90),
            lease: secs(10),
            lease_margin: secs(1),
            renew: secs(3),
            unverified: secs(30),
            idle: secs(60),
            retry: secs(1),
            request: secs(10),
            reply: secs(12),
            heartbeat: secs(30),
            backoff: secs(1),
            signature_window: secs(300),
            clock_skew: secs(5),
            drain: secs(20),
        }
    }
}

impl Times {
    /// How long a lease lasts by these times.
    #[must_use]
    pub const fn lease_terms(&self) -> LeaseTerms {
        LeaseTerms { lease: self.lease, margin: self.lease_margin }
    }

    /// How long a used payload must be remembered, so that it is never forgotten while it could still be taken: it
    /// may be used at the very beginning of its window on one clock, and again by a request that came at the very end
    /// on another.
    ///
    /// It is also how long a cache that lost its memory takes nothing signed: whatever was used until then is too old
    /// after that.
    #[must_use]
    pub fn payload_memory(&self) -> Duration {
        self.signature_window * 2 + self.clock_skew + self.request
    }

    /// Whether what this verifier has taken is remembered for as long as it wants: what it takes is never good for longer
    /// than twice the window of the servers.
    ///
    /// # Errors
    /// What to change.
    pub fn check_memory(&self, verifier: &str, wanted: Duration) -> Result<(), String> {
        let longest = self.signature_window * 2;
        if wanted <= longest {
            return Ok(());
        }
        Err(format!(
            "{verifier}: what it takes is good for {} s, and would be forgotten after {} s: make \
             times.signature_window longer",
            wanted.as_secs(),
            longest.as_secs()
        ))
    }

    /// Whether the times agree with each other; says which two do not.
    ///
    /// # Errors
    /// Names the rule that is broken, in words an operator can act on.
    pub fn check(&self) -> Result<(), &'static str> {
        let all = [
            self.session,
            self.token,
            self.token_memory,
            self.seat,
            self.lease,
            self.lease_margin,
            self.renew,
            self.unverified,
            self.idle,
            self.retry,
            self.request,
            self.reply,
            self.heartbeat,
            self.backoff,
            self.signature_window,
            self.clock_skew,
            self.drain,
        ];
        let sane = Duration::from_millis(1)..=Duration::from_secs(366 * 24 * 3600);
        let rules = [
            (
                all.iter().all(|time| sane.contains(time)),
                "every time must be between a millisecond and a year",
            ),
            (self.lease_margin < self.lease, "lease_margin must be shorter than lease"),
            (
                self.renew * 2 + self.lease_margin < self.lease,
                "lease must outlast two renewals and its margin",
            ),
            (
                self.lease < self.unverified,
                "unverified must be longer than lease, or no takeover of a dead server ends",
            ),
            (
                self.token_memory >= self.unverified,
                "token_memory must cover unverified, or a waiting login loses its token",
            ),
            (self.seat >= self.token, "seat must be held as long as the token that leads to it"),
            (self.retry < self.unverified, "retry must be shorter than unverified"),
            (
                self.request < self.reply,
                "request must be shorter than reply, or clients give up before the answer",
            ),
            (
                self.request < self.signature_window,
                "signature_window must be longer than request, or a login outlives what it stands on",
            ),
            (
                self.clock_skew < self.signature_window,
                "clock_skew must be shorter than signature_window, or what is fresh on one clock never is on another",
            ),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, rule)) => Err(rule),
            None => Ok(()),
        }
    }
}

/// What an operator sizes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Capacity {
    /// Players per room (50 in the original).
    pub room: u16,
    /// Players per RoomServer.
    pub server: u32,
    /// Connections per RoomServer, verified or not; at most [`CONNECTIONS_MAX`].
    pub connections: u32,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { room: 50, server: 10_000, connections: CONNECTIONS_MAX as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_agree() {
        assert_eq!(Times::default().check(), Ok(()));
    }

    #[test]
    fn times_are_written_as_people_say_them() {
        let times = Times { backoff: Duration::from_millis(250), ..Times::default() };
        let written = serde_json::to_value(&times).expect("times are data");
        assert_eq!((&written["session"], &written["backoff"]), (&"12h".into(), &"250ms".into()));
        assert_eq!(serde_json::from_value(written).ok(), Some(times));
        for wrong in
            ["{\"lease\": \"10\"}", "{\"lease\": 10}", "{\"lease\": \"-1s\"}", "{\"lease\": \"ten\"}"]
        {
            assert!(serde_json::from_str::<Times>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_lease_that_ends_before_its_renewals_is_refused() {
        let times = Times { lease: Duration::from_secs(4), ..Times::default() };
        assert!(times.check().is_err());
    }
}
