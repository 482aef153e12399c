//! What an operator sees: counters and gauges of facts, and times. No label names a player, an address or a key.
//!
//! Every series is made once; counting is an atomic addition.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use gatepass_core::{
    ledger::{Ended, Fact},
    message::{Reply, RequestBody},
    refusal::Refusal,
};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::{clock::unix_time, gate::Shut};

/// Buckets of all times, in seconds: from a step in memory to a login that waits for a lease.
const BUCKETS: [f64; 14] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// All refusals, for series that have one per reason.
const REFUSALS: [Refusal; 24] = [
    Refusal::Malformed,
    Refusal::BadSignature,
    Refusal::SignatureStale,
    Refusal::SignatureReplayed,
    Refusal::SignatureDoubtful,
    Refusal::UnknownCommand,
    Refusal::WrongCredentials,
    Refusal::NameTaken,
    Refusal::Banned,
    Refusal::TooManyAttempts,
    Refusal::NoSession,
    Refusal::NoRoom,
    Refusal::TokenUnknown,
    Refusal::TokenUsed,
    Refusal::TokenExpired,
    Refusal::TokenWrongServer,
    Refusal::Replaced,
    Refusal::Conflict,
    Refusal::RoomFull,
    Refusal::NotALogin,
    Refusal::TooSlow,
    Refusal::Busy,
    Refusal::Draining,
    Refusal::Unavailable,
];

/// One counter per reason of a refusal.
#[derive(Debug)]
struct ByRefusal([Counter; REFUSALS.len()]);

impl ByRefusal {
    fn new(make: impl Fn(&'static str) -> Counter) -> Self {
        Self(REFUSALS.map(|why| make(why.name())))
    }

    fn count(&self, why: Refusal) {
        if let Some(index) = REFUSALS.iter().position(|known| *known == why) {
            self.0[index].increment(1);
        }
    }
}

/// Logins on the word of somebody.
#[derive(Debug)]
struct Logins {
    provider: String,
    ok: Counter,
    refused: ByRefusal,
}

impl Logins {
    fn new(provider: &str) -> Self {
        let make = |result: &'static str| counter!("gatepass_logins_total", "result" => result, "provider" => provider.to_owned());
        Self { provider: provider.into(), ok: make("ok"), refused: ByRefusal::new(make) }
    }
}

/// Who vouches for players of mope: they do it themselves.
const PASSWORD: &str = "password";
/// Verifiers that come along.
const VERIFIERS: [&str; 4] = ["gtarcade", "360", "admin", "tx"];
/// Whoever is asked by a name that no verifier has.
const UNKNOWN: &str = "unknown";

/// Every series of a server.
#[derive(Debug)]
pub struct Metrics {
    handle: PrometheusHandle,
    /// By who vouches for the player; the last is nobody that is known.
    logins: Vec<Logins>,
    login_seconds: Histogram,
    allocs_ok: Counter,
    allocs_refused: ByRefusal,
    alloc_seconds: Histogram,
    entries_refused: ByRefusal,
    entry_seconds: Histogram,
    sessions_open: Gauge,
    sessions_live: Gauge,
    left: [Counter; 6],
    kicks_asked: Counter,
    kicks_confirmed: Counter,
    kick_seconds: Histogram,
    tokens_issued: Counter,
    tokens_consumed: Counter,
    tokens_expired: Counter,
    tokens_replayed: Counter,
    tokens_unknown: Counter,
    tokens_wrong_room: Counter,
    tokens_superseded: Counter,
    fenced_server: Counter,
    fenced_stale: Counter,
    store_verify: Histogram,
    store_profile: Histogram,
    store_played: Histogram,
    store_failed: Counter,
    limited: [Counter; 3],
    recalled: [Counter; 2],
    hash_queue: Gauge,
    connections_http: Gauge,
    connections_room: Gauge,
    timers: Gauge,
    resident: Gauge,
    descriptors: Gauge,
}

/// A kind of question to the account store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreOp {
    /// Compare a password.
    Verify,
    /// Look up an account.
    Profile,
    /// Note that it played.
    Played,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Series of their own: several servers of one process do not mix.
    #[must_use]
    pub fn new() -> Self {
        Self::verified_by(&[])
    }

    /// The same with logins by these verifiers besides those that come along.
    #[must_use]
    pub fn verified_by(own: &[&str]) -> Self {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &BUCKETS)
            .unwrap_or_else(|_| PrometheusBuilder::new())
            .build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || Self::register(handle, own))
    }

    fn register(handle: PrometheusHandle, own: &[&str]) -> Self {
        gauge!("process_start_time_seconds").set(unix_time().as_secs_f64());
        gauge!("gatepass_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        let token = |event: &'static str| counter!("gatepass_room_tokens_total", "event" => event);
        let store = |op: &'static str| histogram!("gatepass_store_op_duration_seconds", "store" => "accounts", "op" => op);
        let left = |why: &'static str| counter!("gatepass_sessions_ended_total", "reason" => why);
        let own = own.iter().copied().filter(|name| !VERIFIERS.contains(name));
        let providers = [PASSWORD].into_iter().chain(VERIFIERS).chain(own).chain([UNKNOWN]);
        let recalled =
            |result: &'static str| counter!("gatepass_remembered_passwords_total", "result" => result);
        let limited = |rule: Shut| counter!("gatepass_rate_limited_total", "rule" => rule.name());
        Self {
            handle,
            logins: providers.map(Logins::new).collect(),
            login_seconds: histogram!("gatepass_login_duration_seconds"),
            allocs_ok: counter!("gatepass_alloc_total", "result" => "ok"),
            allocs_refused: ByRefusal::new(|why| counter!("gatepass_alloc_total", "result" => why)),
            alloc_seconds: histogram!("gatepass_alloc_duration_seconds"),
            entries_refused: ByRefusal::new(
                |why| counter!("gatepass_entries_refused_total", "reason" => why),
            ),
            entry_seconds: histogram!("gatepass_entry_duration_seconds"),
            sessions_open: gauge!("gatepass_sessions", "state" => "open"),
            sessions_live: gauge!("gatepass_sessions", "state" => "live"),
            left: ["logged_out", "lost", "idle", "replaced", "resumed", "not_reasserted"].map(left),
            kicks_asked: counter!("gatepass_kicks_total", "reason" => "newer_login", "confirmed" => "false"),
            kicks_confirmed: counter!("gatepass_kicks_total", "reason" => "newer_login", "confirmed" => "true"),
            kick_seconds: histogram!("gatepass_kick_confirm_seconds"),
            tokens_issued: token("issued"),
            tokens_consumed: token("consumed"),
            tokens_expired: token("expired"),
            tokens_replayed: token("replayed"),
            tokens_unknown: token("unknown"),
            tokens_wrong_room: token("wrong_room"),
            tokens_superseded: token("superseded"),
            fenced_server: counter!("gatepass_fenced_total", "op" => "lease_ended"),
            fenced_stale: counter!("gatepass_fenced_total", "op" => "stale_version"),
            store_verify: store("verify"),
            store_profile: store("profile"),
            store_played: store("played"),
            store_failed: counter!("gatepass_store_failures_total", "store" => "accounts"),
            limited: [Shut::Connections, Shut::ConnectionsPerAddress, Shut::Rate].map(limited),
            recalled: ["hit", "miss"].map(recalled),
            hash_queue: gauge!("gatepass_password_hash_queue"),
            connections_http: gauge!("gatepass_connections", "listener" => "http"),
            connections_room: gauge!("gatepass_connections", "listener" => "room"),
            timers: gauge!("gatepass_timers"),
            resident: gauge!("process_resident_memory_bytes"),
            descriptors: gauge!("process_open_fds"),
        }
    }

    /// Counts a fact.
    pub fn fact(&self, fact: &Fact) {
        match fact {
            Fact::SessionOpened { .. } => self.sessions_open.increment(1),
            Fact::SessionEnded { .. } => self.sessions_open.decrement(1),
            Fact::TokenIssued { .. } => self.tokens_issued.increment(1),
            Fact::TokenRedeemed { .. } => self.tokens_consumed.increment(1),
            Fact::TokenExpired { unused: true, .. } => self.tokens_expired.increment(1),
            Fact::TokenRefused { why, .. } => match why {
                Refusal::TokenUsed => self.tokens_replayed.increment(1),
                Refusal::TokenUnknown => self.tokens_unknown.increment(1),
                Refusal::TokenWrongServer => self.tokens_wrong_room.increment(1),
                Refusal::Replaced => self.tokens_superseded.increment(1),
                _ => {}
            },
            Fact::Admitted { .. } => self.sessions_live.increment(1),
            Fact::Left { why, .. } => {
                self.sessions_live.decrement(1);
                let index = match why {
                    Ended::LoggedOut => 0,
                    Ended::Lost => 1,
                    Ended::Idle => 2,
                    Ended::Replaced { .. } => 3,
                    Ended::Resumed => 4,
                    Ended::NotReasserted => 5,
                };
                self.left[index].increment(1);
            }
            Fact::Fenced { .. } => {
                self.fenced_server.increment(1);
                self.sessions_live.set(0.0);
            }
            Fact::EntryRefused { why, .. } => self.entries_refused.count(*why),
            Fact::KickAsked { .. } => self.kicks_asked.increment(1),
            Fact::KickConfirmed { .. } => self.kicks_confirmed.increment(1),
            Fact::Fencing => self.fenced_stale.increment(1),
            // Answers are counted where they are sent, with the time they took.
            _ => {}
        }
    }

    /// Counts an answered HTTP request of mope.
    pub fn answered(&self, asked: Asked, reply: &Reply, took: Duration) {
        if asked != Asked::Room {
            return self.vouched(PASSWORD, reply, took);
        }
        match reply {
            Reply::Refused(why) => self.allocs_refused.count(*why),
            _ => self.allocs_ok.increment(1),
        }
        self.alloc_seconds.record(took);
    }

    /// Counts an answered login on the word of a verifier, by its name.
    pub fn vouched(&self, provider: &str, reply: &Reply, took: Duration) {
        let known = self.logins.iter().find(|logins| logins.provider == provider);
        if let Some(logins) = known.or_else(|| self.logins.last()) {
            match reply {
                Reply::Refused(why) => logins.refused.count(*why),
                _ => logins.ok.increment(1),
            }
        }
        self.login_seconds.record(took);
    }

    /// Counts the time from a connection's login to its admission.
    pub fn entered(&self, took: Duration) {
        self.entry_seconds.record(took);
    }

    /// Counts the time from a kick's order to its confirmation.
    pub fn kicked(&self, took: Duration) {
        self.kick_seconds.record(took);
    }

    /// Counts a question to the account store.
    pub fn store(&self, op: StoreOp, since: Instant, failed: bool) {
        let seconds = match op {
            StoreOp::Verify => &self.store_verify,
            StoreOp::Profile => &self.store_profile,
            StoreOp::Played => &self.store_played,
        };
        seconds.record(since.elapsed());
        if failed {
            self.store_failed.increment(1);
        }
    }

    /// Counts somebody kept outside.
    pub fn limited(&self, rule: Shut) {
        self.limited[rule as usize].increment(1);
    }

    /// Passwords that wait to be hashed.
    pub fn hash_queue(&self, len: usize) {
        self.hash_queue.set(gauge_value(len));
    }

    /// A password was remembered, or had to be hashed.
    pub fn recalled(&self, hit: bool) {
        self.recalled[usize::from(!hit)].increment(1);
    }

    /// What is measured only when somebody looks.
    pub fn sizes(&self, http: usize, room: usize, timers: usize) {
        self.connections_http.set(gauge_value(http));
        self.connections_room.set(gauge_value(room));
        self.timers.set(gauge_value(timers));
        if let Some(bytes) = resident_bytes() {
            self.resident.set(gauge_value(bytes));
        }
        if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
            self.descriptors.set(gauge_value(entries.count()));
        }
    }

    /// All series in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = self.handle.render();
        if let Some(ticks) = cpu_ticks() {
            // The kernel counts hundredths of a second on every platform this file exists on.
            let _ = writeln!(text, "# TYPE process_cpu_seconds_total counter");
            let _ = writeln!(text, "process_cpu_seconds_total {}.{:02}", ticks / 100, ticks % 100);
        }
        text
    }

    /// Folds recorded times into their buckets; to be called every few seconds, or they pile up.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

/// What an HTTP request asked, as metrics tell requests apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A login.
    Login,
    /// A room.
    Room,
    /// Nothing that is served.
    Other,
}

impl Asked {
    /// What this request asks.
    #[must_use]
    pub const fn of(body: &RequestBody) -> Self {
        match body {
            RequestBody::Login(_) => Self::Login,
            RequestBody::Room { .. } => Self::Room,
            RequestBody::Session { .. } | RequestBody::Bad(_) => Self::Other,
        }
    }
}

fn gauge_value(n: usize) -> f64 {
    // Gauges are floats; beyond 2^53 nobody counts.
    n as f64
}

/// Second field of `statm`: resident pages.
fn resident_bytes() -> Option<usize> {
    const PAGE: usize = 4_096;
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(text.split_whitespace().nth(1)?.parse::<usize>().ok()? * PAGE)
}

/// User and system time of the process. The fields are counted from behind the name, which may hold spaces.
fn cpu_ticks() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = text.rsplit(')').next()?.split_whitespace().skip(11);
    let (user, system) = (fields.next()?, fields.next()?);
    Some(user.parse::<u64>().ok()? + system.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_has_a_name_an_operator_expects() {
        let metrics = Metrics::verified_by(&["UserDefine", "admin"]);
        metrics.vouched("UserDefine", &Reply::Refused(Refusal::BadSignature), Duration::ZERO);
        metrics.vouched("whoever", &Reply::Refused(Refusal::BadSignature), Duration::ZERO);
        metrics.fact(&Fact::KickAsked { account: Default::default() });
        metrics.answered(Asked::Login, &Reply::Refused(Refusal::Busy), Duration::from_millis(3));
        metrics.sizes(1, 2, 3);
        metrics.upkeep();
        let text = metrics.render();
        for line in [
            "gatepass_logins_total{result=\"busy\",provider=\"password\"} 1",
            "gatepass_logins_total{result=\"bad_signature\",provider=\"UserDefine\"} 1",
            "gatepass_logins_total{result=\"bad_signature\",provider=\"unknown\"} 1",
            "gatepass_kicks_total{reason=\"newer_login\",confirmed=\"false\"} 1",
            "gatepass_login_duration_seconds_bucket{le=\"0.005\"} 3",
            "gatepass_connections{listener=\"room\"} 2",
            "process_start_time_seconds",
            "process_cpu_seconds_total",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
