//! The production driver: all roles of one process in one value, with their timers.
//!
//! [`Node::feed`] takes one event and carries out everything that follows from it between local roles, in the
//! same call and without bytes: questions and answers, and the link between a RoomServer and its RCenter. What
//! leaves the process is left in [`Node::outbox`]. A node has no socket and no clock; its caller brings the time.

use std::{collections::VecDeque, time::Duration, vec::Drain};

use gatepass_core::{
    cache::Cache,
    ids::{Addr, CallId, ConnId, Generation, ServerId},
    ledger::Fact,
    login::LoginServer,
    message::{AccountsAsk, Answer, Ask, Asker, Message, Question, Reply, ToCenter, ToPlayer, ToServer},
    rcenter::RCenter,
    role::{Command, Cx, Effect, Effects, Entropy, Event, Outage, Role, Settings, Step},
    room::RoomServer,
    text::Endpoint,
};
use serde::{Deserialize, Serialize};

use crate::{record::Tape, timers::Timers};

/// Most steps of one call. What follows beyond it waits for the next call, in order.
pub const STEPS_MAX: usize = 4_096;
/// RCenter's name for the link from the RoomServer of its own process.
pub const LOCAL_LINK: ConnId = ConnId(0);
/// A RoomServer tries a lost link again this often, as in the original.
pub const RELINK: Duration = Duration::from_secs(3);

const LOOPBACK: Addr = Addr((0xffff << 32) | 0x7f00_0001);

/// A role of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RoleId {
    /// Sessions, tokens, ownership.
    Cache,
    /// Seats and kicks.
    Center,
    /// HTTP login.
    Login,
    /// Rooms.
    Room,
}

impl RoleId {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Cache, Self::Center, Self::Login, Self::Room];

    /// How it asks services of its own process: remote askers have higher numbers.
    #[must_use]
    pub const fn asker(self) -> Asker {
        Asker(self as u64)
    }

    /// The local role behind an asker, if it is one.
    #[must_use]
    pub fn of_asker(asker: Asker) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.asker() == asker)
    }

    /// Its name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Center => "center",
            Self::Login => "login",
            Self::Room => "room",
        }
    }
}

/// What the caller has to carry out, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Out {
    /// Answer an HTTP request.
    Reply {
        /// The request.
        conn: ConnId,
        /// The answer.
        reply: Reply,
    },
    /// Send to a player.
    ToPlayer {
        /// The player's connection.
        conn: ConnId,
        /// The message.
        msg: ToPlayer,
    },
    /// Send to a RoomServer of another process.
    ToServer {
        /// Its link.
        conn: ConnId,
        /// The message.
        msg: ToServer,
    },
    /// Send to the RCenter of another process.
    ToCenter(ToCenter),
    /// Close a connection of a role once it is flushed.
    Close {
        /// Whose connection.
        role: RoleId,
        /// The connection.
        conn: ConnId,
    },
    /// Close every connection of a role.
    CloseAll(RoleId),
    /// Ask the account store.
    Accounts {
        /// Who gets the answer.
        role: RoleId,
        /// The question's name.
        call: CallId,
        /// The question.
        ask: AccountsAsk,
    },
    /// Ask a service of another process.
    Ask {
        /// Who gets the answer.
        role: RoleId,
        /// The question's name.
        call: CallId,
        /// The question.
        ask: Ask,
    },
    /// Answer another process.
    Answer {
        /// Who asked.
        to: Asker,
        /// The question's name.
        call: CallId,
        /// The answer.
        answer: Answer,
    },
    /// Datagrams of a session go there from now on.
    Bound {
        /// The session's connection.
        conn: ConnId,
        /// The address.
        addr: Addr,
        /// The port.
        port: u16,
    },
    /// Hand the frame just received to the game.
    Play {
        /// From whom.
        conn: ConnId,
        /// Its command.
        command: u16,
    },
    /// Count a fact.
    Note(Fact),
}

/// The local roles and everything between them.
#[derive(Debug)]
pub struct Node<E> {
    settings: Settings,
    entropy: E,
    roles: Roles,
    tape: Option<Tape>,
    timers: Timers,
    queue: VecDeque<(RoleId, Event)>,
    effects: Effects,
    out: Vec<Out>,
    /// When the RoomServer tries the link to the RCenter of its own process again.
    relink: Option<Duration>,
}

/// Which roles a node has.
#[derive(Debug, Default)]
pub struct Roles {
    /// Sessions, tokens, ownership.
    pub cache: Option<Cache>,
    /// Seats and kicks.
    pub center: Option<RCenter>,
    /// HTTP login.
    pub login: Option<LoginServer>,
    /// Rooms.
    pub room: Option<RoomServer>,
}

/// What the roles of one life of a process are made of: with the events they hear, all that they do follows from it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The generation the cache lives in, and whether it begins with a grace. Either way it takes nothing signed until
    /// it has been told what was used before, or that is too old.
    pub cache: Option<(Generation, bool)>,
    /// RCenter is there.
    pub center: bool,
    /// The LoginServer is there.
    pub login: bool,
    /// The RoomServer's id in this life, and what clients are told of its address.
    pub room: Option<(ServerId, Endpoint)>,
}

impl Origin {
    /// The roles, not yet started.
    #[must_use]
    pub fn roles(&self) -> Roles {
        Roles {
            cache: self.cache.map(|(generation, grace)| match grace {
                true => Cache::new(generation, true),
                false => Cache::forgetful(generation),
            }),
            center: self.center.then(RCenter::new),
            login: self.login.then(LoginServer::new),
            room: self.room.map(|(id, endpoint)| RoomServer::new(id, endpoint)),
        }
    }
}

impl Roles {
    /// Whether a role is here.
    #[must_use]
    pub const fn has(&self, role: RoleId) -> bool {
        match role {
            RoleId::Cache => self.cache.is_some(),
            RoleId::Center => self.center.is_some(),
            RoleId::Login => self.login.is_some(),
            RoleId::Room => self.room.is_some(),
        }
    }

    /// Steps one of them; nothing if it is not here. Servers and the check of a recording both step roles here.
    pub fn step(&mut self, role: RoleId, cx: &mut Cx<'_>, event: Event, out: &mut Effects) -> Option<Step> {
        match role {
            RoleId::Cache => self.cache.as_mut().map(|role| role.step(cx, event, out)),
            RoleId::Center => self.center.as_mut().map(|role| role.step(cx, event, out)),
            RoleId::Login => self.login.as_mut().map(|role| role.step(cx, event, out)),
            RoleId::Room => self.room.as_mut().map(|role| role.step(cx, event, out)),
        }
    }

    /// The invariants of all of them.
    ///
    /// # Errors
    /// Names the invariant that does not hold.
    pub fn check(&self) -> Result<(), &'static str> {
        self.cache.as_ref().map_or(Ok(()), Role::check)?;
        self.center.as_ref().map_or(Ok(()), Role::check)?;
        self.login.as_ref().map_or(Ok(()), Role::check)?;
        self.room.as_ref().map_or(Ok(()), Role::check)
    }
}

impl<E: Entropy> Node<E> {
    /// A node of these roles, not yet started.
    #[must_use]
    pub fn new(settings: Settings, roles: Roles, entropy: E) -> Self {
        Self {
            settings,
            entropy,
            roles,
            tape: None,
            timers: Timers::new(),
            queue: VecDeque::new(),
            effects: Effects::new(),
            out: Vec::new(),
            relink: None,
        }
    }

    /// Has every step recorded from now on: before the first, or the recording cannot be replayed.
    pub fn record(&mut self, tape: Tape) {
        self.tape = Some(tape);
    }

    /// Starts the roles, services first, and links RoomServer and RCenter if both are here.
    pub fn start(&mut self, now: Duration) {
        for role in RoleId::ALL {
            if self.has(role) {
                self.queue.push_back((role, Event::Command(Command::Start)));
            }
        }
        if self.has(RoleId::Center) && self.has(RoleId::Room) {
            self.link();
        }
        self.run(now);
    }

    /// Whether a role is here.
    #[must_use]
    pub const fn has(&self, role: RoleId) -> bool {
        self.roles.has(role)
    }

    /// The settings of the deployment.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The RoomServer, for gauges and readiness.
    #[must_use]
    pub const fn room(&self) -> Option<&RoomServer> {
        self.roles.room.as_ref()
    }

    /// The LoginServer, to know whether anybody waits for it.
    #[must_use]
    pub const fn login(&self) -> Option<&LoginServer> {
        self.roles.login.as_ref()
    }

    /// The cache, for gauges.
    #[must_use]
    pub const fn cache(&self) -> Option<&Cache> {
        self.roles.cache.as_ref()
    }

    /// Takes an event and what follows from it. Timers that have ended come first, so nothing is accepted after
    /// its end because a clock was late.
    pub fn feed(&mut self, role: RoleId, event: Event, now: Duration) {
        self.fire(now, usize::MAX);
        if self.queue.is_empty() {
            self.step(role, event);
            self.carry_out(role, now);
        } else {
            self.queue.push_back((role, event));
        }
        self.run(now);
    }

    /// Fires at most `max` timers that have ended, with what follows. Whether any is left.
    pub fn fire(&mut self, now: Duration, max: usize) -> bool {
        if self.relink.is_some_and(|at| at <= now) {
            self.link();
        }
        self.run(now);
        for _ in 0..max {
            let Some((role, timer)) = self.timers.due(now) else { return self.has_more(now) };
            self.queue.push_back((role, Event::Fired(timer)));
            self.run(now);
        }
        self.has_more(now)
    }

    /// When there is something to do without a new event.
    #[must_use]
    pub fn next(&self) -> Option<Duration> {
        if !self.queue.is_empty() {
            return Some(Duration::ZERO);
        }
        [self.timers.next(), self.relink].into_iter().flatten().min()
    }

    /// How many timers are armed.
    #[must_use]
    pub fn timers(&self) -> usize {
        self.timers.len()
    }

    /// Takes what is to be carried out; the buffer keeps its memory.
    pub fn outbox(&mut self) -> Drain<'_, Out> {
        self.out.drain(..)
    }

    /// Swaps the outbox with an empty buffer, so that it can be carried out while the node is used.
    pub fn swap_outbox(&mut self, empty: &mut Vec<Out>) {
        debug_assert!(empty.is_empty(), "what is swapped in has been carried out");
        std::mem::swap(&mut self.out, empty);
    }

    /// The invariants of all local roles.
    ///
    /// # Errors
    /// Names the invariant that does not hold.
    pub fn check(&self) -> Result<(), &'static str> {
        self.roles.check()
    }

    fn has_more(&self, now: Duration) -> bool {
        self.next().is_some_and(|at| at <= now)
    }

    fn link(&mut self) {
        self.relink = None;
        self.queue.push_back((RoleId::Center, Event::Opened { conn: LOCAL_LINK, addr: LOOPBACK }));
        self.queue.push_back((RoleId::Room, Event::Linked));
    }

    fn run(&mut self, now: Duration) {
        for _ in 0..STEPS_MAX {
            let Some((role, event)) = self.queue.pop_front() else { return };
            self.step(role, event);
            self.carry_out(role, now);
        }
    }

    fn step(&mut self, role: RoleId, event: Event) {
        let Self { settings, entropy, roles, tape, effects: out, .. } = self;
        // A role that is not here ignores everything, as one that is here ignores what means nothing to it.
        let Some(tape) = tape.as_mut().filter(|_| roles.has(role)) else {
            let _ = roles.step(role, &mut Cx { settings, entropy }, event, out);
            return;
        };
        tape.hears(role, &event);
        let became = roles.step(role, &mut Cx { settings, entropy: &mut tape.tap(entropy) }, event, out);
        tape.does(became, out.as_slice());
    }

    fn carry_out(&mut self, role: RoleId, now: Duration) {
        // Taken out of `self` for the time of the loop, so that the buffer's memory is kept.
        let mut effects = std::mem::take(&mut self.effects);
        effects.take_each(|effect| match effect {
            Effect::Arm { timer, after } => self.timers.arm(role, *timer, now + *after),
            Effect::Disarm(timer) => self.timers.disarm(role, *timer),
            Effect::Note(fact) => self.out.push(Out::Note(fact.clone())),
            // What is left in its place says nothing and owns nothing.
            effect => self.carry_out_large(role, std::mem::replace(effect, Effect::CloseAll), now),
        });
        self.effects = effects;
    }

    fn carry_out_large(&mut self, role: RoleId, effect: Effect, now: Duration) {
        match effect {
            Effect::Send { conn, msg } => self.send(conn, msg),
            Effect::ToCenter(Message::ToCenter(msg)) => self.send_to_center(msg),
            Effect::Ask { call, ask } => self.ask(role, call, ask),
            Effect::Answer { to, call, answer } => match RoleId::of_asker(to) {
                Some(asker) => {
                    self.queue.push_back((asker, Event::Answered { call, answer: Ok(answer) }));
                }
                None => self.out.push(Out::Answer { to, call, answer }),
            },
            Effect::Close(LOCAL_LINK) if role == RoleId::Center => {
                self.queue.push_back((RoleId::Room, Event::Unlinked));
                self.relink = Some(now + RELINK);
            }
            Effect::Close(conn) => self.out.push(Out::Close { role, conn }),
            Effect::CloseAll => {
                self.timers.disarm_connections(role);
                self.out.push(Out::CloseAll(role));
            }
            Effect::Bound { conn, addr, port } => self.out.push(Out::Bound { conn, addr, port }),
            Effect::Play { conn, command } => self.out.push(Out::Play { conn, command }),
            // Clients run elsewhere, and a role sends to RCenter only what is meant for it.
            Effect::Connect { .. } | Effect::ToCenter(_) => {}
            // Carried out where they lay.
            Effect::Arm { .. } | Effect::Disarm(_) | Effect::Note(_) => {}
        }
    }

    fn send(&mut self, conn: ConnId, msg: Message) {
        match msg {
            Message::Reply(reply) => self.out.push(Out::Reply { conn, reply }),
            Message::ToPlayer(msg) => self.out.push(Out::ToPlayer { conn, msg }),
            Message::ToServer(_) if conn == LOCAL_LINK => {
                self.queue.push_back((RoleId::Room, Event::FromCenter(msg)));
            }
            Message::ToServer(msg) => self.out.push(Out::ToServer { conn, msg }),
            // No server sends what only clients and RoomServers say.
            Message::Request(_) | Message::ToRoom(_) | Message::ToCenter(_) => {}
        }
    }

    fn send_to_center(&mut self, mut msg: ToCenter) {
        if !self.has(RoleId::Center) {
            self.out.push(Out::ToCenter(msg));
            return;
        }
        if let ToCenter::Register { trusted, .. } = &mut msg {
            // Between roles of one process there is no key to compare.
            *trusted = true;
        }
        if self.relink.is_none() {
            let msg = Message::ToCenter(msg);
            self.queue.push_back((RoleId::Center, Event::Received { conn: LOCAL_LINK, msg }));
        }
    }

    fn ask(&mut self, role: RoleId, call: CallId, ask: Ask) {
        let service = match ask {
            Ask::Cache(_) => RoleId::Cache,
            Ask::Center(_) => RoleId::Center,
            Ask::Accounts(ask) => return self.out.push(Out::Accounts { role, call, ask }),
        };
        if self.has(service) {
            let question = Question { from: role.asker(), call, ask };
            self.queue.push_back((service, Event::Asked(question)));
        } else {
            self.out.push(Out::Ask { role, call, ask });
        }
    }

    /// Tells a role that its question will not be answered.
    pub fn outage(&mut self, role: RoleId, call: CallId, why: Outage, now: Duration) {
        self.feed(role, Event::Answered { call, answer: Err(why) }, now);
    }
}

/// The operating system's randomness.
///
/// Drawn in blocks: one call to the system covers many keys. What was handed out is wiped.
pub struct OsEntropy {
    block: [u8; Self::BLOCK],
    used: usize,
}

impl OsEntropy {
    const BLOCK: usize = 256;

    /// A source with an empty block.
    #[must_use]
    pub const fn new() -> Self {
        Self { block: [0; Self::BLOCK], used: Self::BLOCK }
    }
}

impl Default for OsEntropy {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for OsEntropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OsEntropy(..)")
    }
}

impl Entropy for OsEntropy {
    /// # Panics
    /// If the operating system has no randomness: no key may be issued then.
    fn bits(&mut self) -> [u8; 16] {
        if self.used == Self::BLOCK {
            getrandom::fill(&mut self.block).expect("the operating system has randomness");
            self.used = 0;
        }
        let mut bits = [0; 16];
        let drawn = &mut self.block[self.used..self.used + 16];
        bits.copy_from_slice(drawn);
        drawn.fill(0);
        self.used += 16;
        bits
    }
}

#[cfg(test)]
mod tests;
