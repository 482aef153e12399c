//! What a role is: one total step function, event in, effects out.

use alloc::vec::{Drain, Vec};
use core::{fmt::Debug, hash::Hash, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    ids::{AccountId, Addr, CallId, ConnId, Payload, RoomKey, ServerId, SessionKey},
    ledger::Fact,
    limits::{Capacity, EFFECTS_MAX, Times},
    message::{Answer, Ask, Asker, Message, Question},
    policy::Policy,
    text::{Endpoint, Name},
};

/// A role of the login path: a value that changes only in [`Role::step`].
///
/// It has no clock, randomness, socket or configuration of its own. Stepping it from equal states with equal
/// events, settings and entropy gives equal states and equal effects, everywhere.
pub trait Role: Clone + Debug + Eq + Hash {
    /// Takes one event and appends what follows from it to `out`, at most [`EFFECTS_MAX`] effects.
    ///
    /// Total: any event is allowed in any state. Hostile or late events are answered or ignored; only a
    /// broken invariant of the role itself panics.
    fn step(&mut self, cx: &mut Cx<'_>, event: Event, out: &mut Effects) -> Step;

    /// The phase in which it meets an event: that of the connection or request the event is about, or else its own.
    /// Says what runs have exercised; nothing depends on it.
    fn phase(&self, event: &Event) -> &'static str;

    /// Checks the role's own invariants, for tests and simulated worlds.
    ///
    /// # Errors
    /// Names the invariant that does not hold.
    fn check(&self) -> Result<(), &'static str> {
        Ok(())
    }
}

/// What a role may look at besides its own state.
pub struct Cx<'a> {
    /// Times, sizes and policy of the deployment.
    pub settings: &'a Settings,
    /// Where keys come from.
    pub entropy: &'a mut dyn Entropy,
}

/// The configuration that all roles of a deployment share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Which rules are kept.
    pub policy: Policy,
    /// How long things last.
    pub times: Times,
    /// How much fits.
    pub capacity: Capacity,
}

/// Randomness: the operating system in production, a counter in a world that is explored, a seeded stream in
/// one that is simulated.
pub trait Entropy {
    /// 128 fresh bits.
    fn bits(&mut self) -> [u8; 16];
}

/// What can happen to a role.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Event {
    /// A peer connected.
    Opened {
        /// The connection.
        conn: ConnId,
        /// The peer's address.
        addr: Addr,
    },
    /// A message arrived on a connection.
    Received {
        /// The connection.
        conn: ConnId,
        /// The message.
        msg: Message,
    },
    /// A datagram arrived.
    Datagram {
        /// The sender's address.
        addr: Addr,
        /// The sender's port.
        port: u16,
        /// The message.
        msg: Message,
    },
    /// A connection is gone, whoever ended it. Nothing sent on it can be relied on.
    Lost(ConnId),
    /// The link to RCenter is up.
    Linked,
    /// The link to RCenter is down.
    Unlinked,
    /// RCenter sent a message over the link.
    FromCenter(Message),
    /// A question to this service.
    Asked(Question),
    /// The answer to a question of this role, or the news that there will be none.
    Answered {
        /// The question.
        call: CallId,
        /// Its answer.
        answer: Result<Answer, Outage>,
    },
    /// A timer ran out. A spurious one changes nothing.
    Fired(Timer),
    /// The operator or the embedding program wants something.
    Command(Command),
}

impl Event {
    /// The connection it is about, if it is about one.
    #[must_use]
    pub fn conn(&self) -> Option<ConnId> {
        let conn = match self {
            Self::Opened { conn, .. } | Self::Received { conn, .. } | Self::Lost(conn) => Some(*conn),
            Self::Answered { call, .. } => Some(call.conn),
            Self::Fired(timer) => timer.conn(),
            _ => None,
        };
        // Calls of a role's own are made for no connection.
        conn.filter(|conn| *conn != ConnId::default())
    }
}

/// Why a question got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Outage {
    /// The service cannot be reached.
    Down,
    /// The service has too much to do.
    Overloaded,
}

/// What an operator, or the program around a role, may want of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Command {
    /// Begin: the first event of a life.
    Start,
    /// Take no new players and end when the last one left, or after [`Times::drain`].
    Drain,
    /// The client leaves its room.
    Leave,
}

/// What a role wants done.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Effect {
    /// Send on a connection.
    Send {
        /// The connection.
        conn: ConnId,
        /// The message.
        msg: Message,
    },
    /// Send over the link to RCenter; lost if the link is down.
    ToCenter(Message),
    /// Ask a service.
    Ask {
        /// Names the question.
        call: CallId,
        /// The question.
        ask: Ask,
    },
    /// Answer a question.
    Answer {
        /// Who asked.
        to: Asker,
        /// The question's name.
        call: CallId,
        /// The answer.
        answer: Answer,
    },
    /// Fire this timer after a time. Replaces an armed timer of the same name.
    Arm {
        /// Its name.
        timer: Timer,
        /// When, from now.
        after: Duration,
    },
    /// Forget this timer. No effect if it is not armed.
    Disarm(Timer),
    /// Connect to a RoomServer.
    Connect {
        /// The connection's name from now on.
        conn: ConnId,
        /// Where to.
        endpoint: Endpoint,
    },
    /// Close a connection after what was sent on it is flushed. No [`Event::Lost`] follows.
    Close(ConnId),
    /// Close every connection at once and forget every timer that belongs to one.
    CloseAll,
    /// Datagrams of a live session go to this port of its own address from now on.
    Bound {
        /// The session's connection.
        conn: ConnId,
        /// Where its datagrams go.
        addr: Addr,
        /// The port there.
        port: u16,
    },
    /// Hand the frame just received to the game.
    Play {
        /// From whom.
        conn: ConnId,
        /// The frame's command.
        command: u16,
    },
    /// A fact for the ledger, metrics and audit.
    Note(Fact),
}

/// A timer's name: also the reason it wakes somebody up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Timer {
    /// Client: no answer yet.
    Reply,
    /// Client: time for a heartbeat.
    Heartbeat,
    /// Client: time to leave the room.
    Leave,
    /// LoginServer: the request must be answered now.
    Request(ConnId),
    /// LoginServer: an address may try again.
    Backoff(Addr, Option<Name>),
    /// Cache: the session ends.
    SessionEnd(SessionKey),
    /// Cache: the token expires, or is forgotten.
    TokenEnd(RoomKey),
    /// Cache: a signed payload is forgotten.
    PayloadEnd(Payload),
    /// Cache: a server's lease ends.
    ServerLease(ServerId),
    /// Cache: the grace after a loss ends.
    Grace,
    /// Cache: whatever was used before a loss is too old by now.
    PayloadGrace,
    /// RCenter: nobody came for the seat.
    Seat(AccountId),
    /// RCenter: the link has not registered.
    LinkUnverified(ConnId),
    /// RoomServer: the connection has not been verified.
    Unverified(ConnId),
    /// RoomServer: ask again.
    Retry(ConnId),
    /// RoomServer: the player has been silent too long.
    Idle(ConnId),
    /// RoomServer: the end of this connection's session reaches its room. Never armed by strict rules.
    Offline(ConnId),
    /// RoomServer: renew the lease.
    Renew,
    /// RoomServer: its lease ends, counted from when this renewal was sent.
    LeaseEnd(u32),
    /// RoomServer: announce more rooms.
    Announce,
    /// RoomServer: the drain is over.
    DrainEnd,
}

impl Timer {
    /// The connection it belongs to, if it belongs to one.
    #[must_use]
    pub const fn conn(self) -> Option<ConnId> {
        match self {
            Self::Request(conn)
            | Self::LinkUnverified(conn)
            | Self::Unverified(conn)
            | Self::Retry(conn)
            | Self::Idle(conn)
            | Self::Offline(conn) => Some(conn),
            _ => None,
        }
    }
}

/// What became of an event.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// The role took it.
    Advanced,
    /// It meant nothing here: the state is as before and nothing follows.
    Ignored(Why),
}

/// Why an event meant nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Why {
    /// It speaks of something that is over.
    Stale,
    /// It is not for this role, or not in this state.
    Unexpected,
}

/// The effects of one step, in a buffer that the driver owns and reuses.
#[derive(Debug, Default)]
pub struct Effects {
    buffer: Vec<Effect>,
}

impl Effects {
    /// An empty buffer with room for the effects of any step.
    #[must_use]
    pub fn new() -> Self {
        Self { buffer: Vec::with_capacity(EFFECTS_MAX) }
    }

    /// Appends an effect.
    ///
    /// # Panics
    /// If a role breaks its bound: that is a defect of the role, whatever was sent to it.
    pub fn push(&mut self, effect: Effect) {
        assert!(self.buffer.len() < EFFECTS_MAX, "a step has at most {EFFECTS_MAX} effects");
        self.buffer.push(effect);
    }

    /// Sends on a connection.
    pub fn send(&mut self, conn: ConnId, msg: Message) {
        self.push(Effect::Send { conn, msg });
    }

    /// Arms a timer.
    pub fn arm(&mut self, timer: Timer, after: Duration) {
        self.push(Effect::Arm { timer, after });
    }

    /// Disarms a timer.
    pub fn disarm(&mut self, timer: Timer) {
        self.push(Effect::Disarm(timer));
    }

    /// Answers a question, if an answer is wanted.
    pub fn answer(&mut self, to: Asker, call: CallId, answer: Answer) {
        if call.wants_answer() {
            self.push(Effect::Answer { to, call, answer });
        }
    }

    /// Notes a fact.
    pub fn note(&mut self, fact: Fact) {
        self.push(Effect::Note(fact));
    }

    /// What is in the buffer.
    #[must_use]
    pub fn as_slice(&self) -> &[Effect] {
        &self.buffer
    }

    /// How many effects could still be pushed.
    #[must_use]
    pub fn room(&self) -> usize {
        EFFECTS_MAX - self.buffer.len()
    }

    /// Whether nothing follows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Looks at all effects in order, each where it lies, and forgets them; the buffer keeps its memory. What is taken out
    /// of one is for `each` to say: most are small, and to move one costs as much as to carry it out.
    pub fn take_each(&mut self, mut each: impl FnMut(&mut Effect)) {
        self.buffer.iter_mut().for_each(&mut each);
        self.buffer.clear();
    }

    /// Takes all effects in order; the buffer keeps its memory.
    pub fn drain(&mut self) -> Drain<'_, Effect> {
        self.buffer.drain(..)
    }
}

const _: () = assert!(size_of::<Effect>() <= 256, "an effect is small enough to move");
const _: () = assert!(size_of::<Event>() <= 256, "an event is small enough to move");
