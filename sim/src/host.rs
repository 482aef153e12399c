//! A node of the world: a role, its armed timers, and the life it lives.

use gatepass_core::{
    accounts::Accounts,
    cache::Cache,
    client::Client,
    login::LoginServer,
    rcenter::RCenter,
    role::{Cx, Effects, Entropy, Event, Role, Settings, Step, Timer},
    room::RoomServer,
};
use serde::{Deserialize, Serialize};

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    /// What it does.
    pub role: HostRole,
    /// Armed timers, in order.
    pub timers: Vec<Timer>,
    /// Whether its process runs.
    pub up: bool,
    /// Counts its starts.
    pub life: u8,
    /// Keys it has drawn.
    pub drawn: u32,
    /// Its process is stopped: nothing reaches it, and its timers do not fire.
    pub paused: bool,
    /// Leases up to this renewal have ended while it was stopped.
    pub overdue: u32,
    /// What came while it was stopped.
    pub missed: Vec<Event>,
}

/// The role of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::large_enum_variant, reason = "a world holds each node behind a pointer of its own")]
pub enum HostRole {
    /// A player.
    Player(Client),
    /// The LoginServer.
    Login(LoginServer),
    /// The account store.
    Accounts(Accounts),
    /// The cache.
    Cache(Cache),
    /// RCenter.
    Center(RCenter),
    /// A RoomServer.
    Room(RoomServer),
}

impl Host {
    /// A node that runs its first life.
    #[must_use]
    pub const fn new(role: HostRole) -> Self {
        Self {
            role,
            timers: Vec::new(),
            up: true,
            life: 0,
            drawn: 0,
            paused: false,
            overdue: 0,
            missed: Vec::new(),
        }
    }

    /// Whether it takes steps.
    #[must_use]
    pub const fn runs(&self) -> bool {
        self.up && !self.paused
    }

    /// Steps its role.
    pub fn step(&mut self, node: usize, settings: &Settings, event: Event, out: &mut Effects) -> Step {
        let mut entropy = Counter { node: node as u16, life: self.life, drawn: &mut self.drawn };
        let mut cx = Cx { settings, entropy: &mut entropy };
        match &mut self.role {
            HostRole::Player(role) => role.step(&mut cx, event, out),
            HostRole::Login(role) => role.step(&mut cx, event, out),
            HostRole::Accounts(role) => role.step(&mut cx, event, out),
            HostRole::Cache(role) => role.step(&mut cx, event, out),
            HostRole::Center(role) => role.step(&mut cx, event, out),
            HostRole::Room(role) => role.step(&mut cx, event, out),
        }
    }

    /// Its role's name, and the phase in which that role meets an event.
    #[must_use]
    pub fn phase(&self, event: &Event) -> (&'static str, &'static str) {
        match &self.role {
            HostRole::Player(role) => ("Client", role.phase(event)),
            HostRole::Login(role) => ("LoginServer", role.phase(event)),
            HostRole::Accounts(role) => ("Accounts", role.phase(event)),
            HostRole::Cache(role) => ("Cache", role.phase(event)),
            HostRole::Center(role) => ("RCenter", role.phase(event)),
            HostRole::Room(role) => ("RoomServer", role.phase(event)),
        }
    }

    /// Checks its role's own invariants.
    ///
    /// # Errors
    /// The invariant that does not hold.
    pub fn check(&self) -> Result<(), &'static str> {
        match &self.role {
            HostRole::Player(role) => role.check(),
            HostRole::Login(role) => role.check(),
            HostRole::Accounts(role) => role.check(),
            HostRole::Cache(role) => role.check(),
            HostRole::Center(role) => role.check(),
            HostRole::Room(role) => role.check(),
        }
    }

    /// The `nth` armed timer of a kind.
    #[must_use]
    pub fn armed(&self, kind: TimerKind, nth: u16) -> Option<Timer> {
        self.timers.iter().filter(|timer| TimerKind::of(timer) == kind).nth(usize::from(nth)).copied()
    }

    /// Arms a timer; replaces an armed one of the same name.
    pub fn arm(&mut self, timer: Timer) {
        if let Err(at) = self.timers.binary_search(&timer) {
            self.timers.insert(at, timer);
        }
    }

    /// Disarms a timer.
    pub fn disarm(&mut self, timer: &Timer) -> bool {
        self.timers.binary_search(timer).map(|at| self.timers.remove(at)).is_ok()
    }

    /// Forgets the timers of connections.
    pub fn disarm_conns(&mut self) {
        self.timers.retain(|timer| timer.conn().is_none());
    }
}

/// Entropy of a world: every key is new, and says who drew it.
struct Counter<'a> {
    node: u16,
    life: u8,
    drawn: &'a mut u32,
}

impl Entropy for Counter<'_> {
    fn bits(&mut self) -> [u8; 16] {
        *self.drawn += 1;
        let mut bits = [0; 16];
        let [high, low] = self.node.to_be_bytes();
        (bits[0], bits[1], bits[2]) = (low, self.life, high);
        bits[12..].copy_from_slice(&self.drawn.to_be_bytes());
        bits
    }
}

/// The kinds of timers: what a scenario says may run out, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimerKind {
    /// [`Timer::Reply`]
    Reply,
    /// [`Timer::Heartbeat`]
    Heartbeat,
    /// [`Timer::Leave`]
    Leave,
    /// [`Timer::Request`]
    Request,
    /// [`Timer::Backoff`]
    Backoff,
    /// [`Timer::SessionEnd`]
    SessionEnd,
    /// [`Timer::TokenEnd`]
    TokenEnd,
    /// [`Timer::PayloadEnd`]
    PayloadEnd,
    /// [`Timer::ServerLease`]
    ServerLease,
    /// [`Timer::Grace`]
    Grace,
    /// [`Timer::PayloadGrace`]
    PayloadGrace,
    /// [`Timer::Seat`]
    Seat,
    /// [`Timer::LinkUnverified`]
    LinkUnverified,
    /// [`Timer::Unverified`]
    Unverified,
    /// [`Timer::Retry`]
    Retry,
    /// [`Timer::Idle`]
    Idle,
    /// [`Timer::Offline`]
    Offline,
    /// [`Timer::Renew`]
    Renew,
    /// [`Timer::LeaseEnd`]
    LeaseEnd,
    /// [`Timer::Announce`]
    Announce,
    /// [`Timer::DrainEnd`]
    DrainEnd,
}

impl TimerKind {
    /// All kinds.
    pub const ALL: [Self; 21] = [
        Self::Reply,
        Self::Heartbeat,
        Self::Leave,
        Self::Request,
        Self::Backoff,
        Self::SessionEnd,
        Self::TokenEnd,
        Self::PayloadEnd,
        Self::ServerLease,
        Self::Grace,
        Self::PayloadGrace,
        Self::Seat,
        Self::LinkUnverified,
        Self::Unverified,
        Self::Retry,
        Self::Idle,
        Self::Offline,
        Self::Renew,
        Self::LeaseEnd,
        Self::Announce,
        Self::DrainEnd,
    ];

    /// The kind of a timer.
    #[must_use]
    pub const fn of(timer: &Timer) -> Self {
        match timer {
            Timer::Reply => Self::Reply,
            Timer::Heartbeat => Self::Heartbeat,
            Timer::Leave => Self::Leave,
            Timer::Request(_) => Self::Request,
            Timer::Backoff(..) => Self::Backoff,
            Timer::SessionEnd(_) => Self::SessionEnd,
            Timer::TokenEnd(_) => Self::TokenEnd,
            Timer::PayloadEnd(_) => Self::PayloadEnd,
            Timer::ServerLease(_) => Self::ServerLease,
            Timer::Grace => Self::Grace,
            Timer::PayloadGrace => Self::PayloadGrace,
            Timer::Seat(_) => Self::Seat,
            Timer::LinkUnverified(_) => Self::LinkUnverified,
            Timer::Unverified(_) => Self::Unverified,
            Timer::Retry(_) => Self::Retry,
            Timer::Idle(_) => Self::Idle,
            Timer::Offline(_) => Self::Offline,
            Timer::Renew => Self::Renew,
            Timer::LeaseEnd(_) => Self::LeaseEnd,
            Timer::Announce => Self::Announce,
            Timer::DrainEnd => Self::DrainEnd,
        }
    }

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::Heartbeat => "heartbeat",
            Self::Leave => "leave",
            Self::Request => "request",
            Self::Backoff => "backoff",
            Self::SessionEnd => "session_end",
            Self::TokenEnd => "token_end",
            Self::PayloadEnd => "payload_end",
            Self::ServerLease => "server_lease",
            Self::Grace => "grace",
            Self::PayloadGrace => "payload_grace",
            Self::Seat => "seat",
            Self::LinkUnverified => "link_unverified",
            Self::Unverified => "unverified",
            Self::Retry => "retry",
            Self::Idle => "idle",
            Self::Offline => "offline",
            Self::Renew => "renew",
            Self::LeaseEnd => "lease_end",
            Self::Announce => "announce",
            Self::DrainEnd => "drain_end",
        }
    }
}
