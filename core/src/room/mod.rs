//! The RoomServer: connections in, live sessions out. It alone decides which of its connections is live; that
//! it may decide at all, for an account, is the ownership that the cache grants it.
//!
//! `entry` takes a connection from its first message to admission, `lease` keeps the right to hold
//! sessions, `center` speaks with RCenter and obeys kicks. What happens inside a room is the game's business.

mod center;
mod entry;
mod lease;

use alloc::collections::BTreeMap;
use core::time::Duration;

use self::lease::Lease;
use crate::{
    ids::{AccountId, Addr, CallId, ConnId, RoomId, RoomKey, Seq, ServerId, Version},
    ledger::{Ended, Fact},
    limits::CONNECTIONS_MAX,
    message::{Ask, CacheAsk, Message, ToCenter, ToPlayer, ToRoom},
    policy::{Resume, UdpBind},
    refusal::Refusal,
    role::{Command, Cx, Effect, Effects, Event, Role, Step, Timer, Why},
    text::{Endpoint, Nickname},
};

/// One life of a RoomServer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RoomServer {
    id: ServerId,
    endpoint: Endpoint,
    conns: BTreeMap<ConnId, Conn>,
    /// Accounts this server has been granted and has not released.
    held: BTreeMap<AccountId, Held>,
    /// Tokens that connections have come with: another one with the same token wants to resume.
    keys: BTreeMap<RoomKey, ConnId>,
    /// Players per room, those about to be admitted included.
    rooms: BTreeMap<RoomId, u16>,
    lease: Lease,
    /// The newest version it has released. A grant that is not newer was overtaken by that release.
    released: Version,
    link: Link,
    draining: bool,
    /// The drain is over and the lease given back: nothing starts any more.
    ended: bool,
    /// Where the announcement of rooms over a new link goes on.
    announced: Option<RoomId>,
    /// Sessions whose end has not reached their room yet: only where the end does not name its connection.
    offline: BTreeMap<ConnId, AccountId>,
}

/// The link to RCenter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Link {
    Down,
    /// Up, but without a lease there is nothing to offer yet.
    Up,
    Registering,
    Registered,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Conn {
    addr: Addr,
    /// Number of the newest call; an answer counts only if it is to this one, and it is out.
    call: u32,
    asking: bool,
    /// The first call of the login it is at.
    attempt: u32,
    name: Nickname,
    key: Option<RoomKey>,
    /// It has waited for another server.
    waited: bool,
    /// What a failed login has left here, where the policy lets it.
    residue: Option<Entry>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Has not said who it is.
    Unverified,
    /// The cache redeems its token.
    Redeeming,
    /// Its token is spent, but its account belongs to another server.
    Waiting { account: AccountId, seq: Seq, room: RoomId, owner: ServerId, version: Version },
    /// Its account is granted, and looked up.
    LookingUp(Entry),
    /// In a room.
    Live(Entry),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Entry {
    account: AccountId,
    seq: Seq,
    room: RoomId,
    /// Datagrams of the session are bound.
    bound: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Held {
    /// The highest version it was granted.
    version: Version,
    /// The newest login it was granted for.
    seq: Seq,
    live: Option<ConnId>,
    /// Connections that are being looked up.
    entering: u16,
}

impl Conn {
    const fn unverified(addr: Addr, call: u32) -> Self {
        Self {
            addr,
            call,
            asking: false,
            attempt: 0,
            name: Nickname::new_const(),
            key: None,
            waited: false,
            residue: None,
            phase: Phase::Unverified,
        }
    }
}

impl RoomServer {
    /// A server that has not started. `id` must be new with every start.
    #[must_use]
    pub fn new(id: ServerId, endpoint: Endpoint) -> Self {
        Self {
            id,
            endpoint,
            conns: BTreeMap::new(),
            held: BTreeMap::new(),
            keys: BTreeMap::new(),
            rooms: BTreeMap::new(),
            lease: Lease::default(),
            released: Version::default(),
            link: Link::Down,
            draining: false,
            ended: false,
            announced: None,
            offline: BTreeMap::new(),
        }
    }

    /// Its id in this life.
    #[must_use]
    pub const fn id(&self) -> ServerId {
        self.id
    }

    /// Live sessions: connection, account, login.
    pub fn live(&self) -> impl Iterator<Item = (ConnId, AccountId, Seq)> + '_ {
        self.conns.iter().filter_map(|(conn, state)| match state.phase {
            Phase::Live(entry) => Some((*conn, entry.account, entry.seq)),
            _ => None,
        })
    }

    /// How many connections wait for another server to hand an account over.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.conns.values().filter(|state| matches!(state.phase, Phase::Waiting { .. })).count()
    }

    /// Whether this connection is verified.
    #[must_use]
    pub fn is_live(&self, conn: ConnId) -> bool {
        self.conns.get(&conn).is_some_and(|state| matches!(state.phase, Phase::Live(_)))
    }

    /// Players per room, those about to enter included.
    pub fn rooms(&self) -> impl Iterator<Item = (RoomId, u16)> + '_ {
        self.rooms.iter().map(|(room, players)| (*room, *players))
    }

    /// How many connections and live sessions there are.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize) {
        (self.conns.len(), self.players())
    }

    fn players(&self) -> usize {
        self.held.values().filter(|held| held.live.is_some()).count()
    }

    /// Whether it may serve: its lease lasts and it is not being drained.
    #[must_use]
    pub fn serves(&self, cx: &Cx<'_>) -> bool {
        self.lease.held(cx) && !self.draining
    }

    /// Whether it has a lease of its own that lasts.
    #[must_use]
    pub const fn has_lease(&self) -> bool {
        self.lease.is_in_force()
    }

    /// Whether the link to RCenter is registered.
    #[must_use]
    pub const fn is_linked(&self) -> bool {
        matches!(self.link, Link::Registered)
    }

    fn connections_max(&self, cx: &Cx<'_>) -> usize {
        let sized = usize::try_from(cx.settings.capacity.connections).unwrap_or(usize::MAX);
        if cx.settings.policy.connections_bounded { sized.min(CONNECTIONS_MAX) } else { CONNECTIONS_MAX }
    }

    fn opened(&mut self, cx: &Cx<'_>, conn: ConnId, addr: Addr, out: &mut Effects) -> Step {
        if self.conns.contains_key(&conn) {
            return Step::Ignored(Why::Unexpected);
        }
        let refusal = if self.draining {
            Some(Refusal::Draining)
        } else if !self.lease.held(cx) || self.conns.len() >= self.connections_max(cx) {
            Some(Refusal::Busy)
        } else {
            None
        };
        if let Some(why) = refusal {
            out.note(Fact::EntryRefused { conn, waited: false, why });
            out.send(conn, Message::ToPlayer(ToPlayer::Refused(why)));
            out.push(Effect::Close(conn));
            return Step::Advanced;
        }
        self.conns.insert(conn, Conn::unverified(addr, 0));
        if cx.settings.policy.waits_bounded {
            out.arm(Timer::Unverified(conn), cx.settings.times.unverified);
        }
        Step::Advanced
    }

    fn received(&mut self, cx: &Cx<'_>, conn: ConnId, msg: ToRoom, out: &mut Effects) -> Step {
        let Some(state) = self.conns.get(&conn) else { return Step::Ignored(Why::Stale) };
        match (state.phase, msg) {
            (Phase::Live(_), msg) => self.play(cx, conn, msg, out),
            (Phase::Unverified, ToRoom::Login { name, key }) => self.login(cx, conn, name, key, out),
            (Phase::Unverified, ToRoom::Malformed) => self.refuse(cx, conn, Refusal::Malformed, out),
            (Phase::Unverified, ToRoom::Heartbeat) if !cx.settings.policy.unverified_is_mute => {
                out.send(conn, Message::ToPlayer(ToPlayer::Echo));
                Step::Advanced
            }
            (Phase::Unverified, ToRoom::Game(command)) if !cx.settings.policy.game_after_login => {
                out.push(Effect::Play { conn, command });
                Step::Advanced
            }
            // The original ignores what comes before the login and keeps the connection for its 30 seconds.
            (Phase::Unverified, _) if !cx.settings.policy.refusal_closes => Step::Ignored(Why::Unexpected),
            (Phase::Unverified, _) => self.refuse(cx, conn, Refusal::NotALogin, out),
            // An answer is on its way; nothing that is said meanwhile can change it.
            (Phase::Redeeming | Phase::Waiting { .. } | Phase::LookingUp(_), _) => {
                Step::Ignored(Why::Unexpected)
            }
        }
    }

    /// A frame of a live session.
    fn play(&mut self, cx: &Cx<'_>, conn: ConnId, msg: ToRoom, out: &mut Effects) -> Step {
        if msg == ToRoom::Logout {
            out.send(conn, Message::ToPlayer(ToPlayer::LoggedOut));
            return self.log_out(cx, conn, out);
        }
        out.arm(Timer::Idle(conn), cx.settings.times.idle);
        match msg {
            ToRoom::Heartbeat => out.send(conn, Message::ToPlayer(ToPlayer::Echo)),
            ToRoom::Game(command) => out.push(Effect::Play { conn, command }),
            // A second login on a live connection means nothing, and garbage is the game's to ignore.
            ToRoom::Login { .. } | ToRoom::Bind { .. } | ToRoom::Malformed | ToRoom::Logout => {}
        }
        Step::Advanced
    }

    /// Ends the session but keeps the connection, as the original does: its client closes it, or logs in again
    /// with a new token, as on a new connection.
    fn log_out(&mut self, cx: &Cx<'_>, conn: ConnId, out: &mut Effects) -> Step {
        advanced(self.start_over(cx, conn, Ended::LoggedOut, out))
    }

    /// Leaves nothing on a connection but the connection itself.
    fn start_over(&mut self, cx: &Cx<'_>, conn: ConnId, why: Ended, out: &mut Effects) -> bool {
        let Some(state) = self.conns.get(&conn) else { return false };
        // Calls are numbered on, so that no late answer is taken for a new one.
        let fresh = Conn::unverified(state.addr, state.call);
        self.leave(cx, conn, why, out);
        self.conns.insert(conn, fresh);
        if cx.settings.policy.waits_bounded {
            out.arm(Timer::Unverified(conn), cx.settings.times.unverified);
        }
        true
    }

    fn bind(
        &mut self,
        cx: &Cx<'_>,
        addr: Addr,
        port: u16,
        account: AccountId,
        key: Option<RoomKey>,
        out: &mut Effects,
    ) -> Step {
        let Some(conn) = key.and_then(|key| self.keys.get(&key).copied()) else {
            return Step::Ignored(Why::Unexpected);
        };
        let Some(state) = self.conns.get_mut(&conn) else { return Step::Ignored(Why::Stale) };
        let Phase::Live(entry) = &mut state.phase else { return Step::Ignored(Why::Stale) };
        let allowed = match cx.settings.policy.udp_bind {
            UdpBind::Off => false,
            UdpBind::SameAddress => !entry.bound && addr == state.addr,
            UdpBind::Anyone => true,
        };
        if !allowed || entry.account != account {
            return Step::Ignored(Why::Unexpected);
        }
        entry.bound = true;
        out.push(Effect::Bound { conn, addr, port });
        Step::Advanced
    }

    fn refuse(&mut self, cx: &Cx<'_>, conn: ConnId, why: Refusal, out: &mut Effects) -> Step {
        let waited = self.conns.get(&conn).is_some_and(|state| state.waited);
        out.note(Fact::EntryRefused { conn, waited, why });
        out.send(conn, Message::ToPlayer(ToPlayer::Refused(why)));
        if cx.settings.policy.refusal_closes {
            self.leave(cx, conn, Ended::Lost, out);
            out.push(Effect::Close(conn));
            return Step::Advanced;
        }
        let looked_up = self.conns.get(&conn).and_then(|state| match state.phase {
            Phase::LookingUp(entry) => Some(entry),
            _ => None,
        });
        self.start_over(cx, conn, Ended::Lost, out);
        if !cx.settings.policy.refusal_forgets
            && let Some(state) = self.conns.get_mut(&conn)
        {
            state.residue = looked_up;
        }
        Step::Advanced
    }

    /// Forgets a connection, and everything that stands on it.
    fn leave(&mut self, cx: &Cx<'_>, conn: ConnId, why: Ended, out: &mut Effects) -> bool {
        let Some(state) = self.conns.remove(&conn) else { return false };
        if let Some(key) = state.key
            && self.keys.get(&key) == Some(&conn)
        {
            self.keys.remove(&key);
        }
        match state.phase {
            Phase::Live(entry) => {
                out.disarm(Timer::Idle(conn));
                if let Some(held) = self.held.get_mut(&entry.account)
                    && held.live == Some(conn)
                {
                    held.live = None;
                }
                self.free_place(entry.room, out);
                out.note(Fact::Left { server: self.id, conn, account: entry.account, why });
                if !cx.settings.policy.leave_names_connection && self.offline.len() < CONNECTIONS_MAX {
                    self.offline.insert(conn, entry.account);
                    out.arm(Timer::Offline(conn), Duration::ZERO);
                }
                self.release_if_idle(entry.account, conn, out);
            }
            Phase::LookingUp(entry) => {
                disarm_entry(conn, out);
                if let Some(held) = self.held.get_mut(&entry.account) {
                    held.entering = held.entering.saturating_sub(1);
                }
                self.free_place(entry.room, out);
                self.release_if_idle(entry.account, conn, out);
            }
            Phase::Unverified => out.disarm(Timer::Unverified(conn)),
            Phase::Redeeming | Phase::Waiting { .. } => disarm_entry(conn, out),
        }
        self.note_drained(out);
        true
    }

    /// The end of a session reaches its room late, and names no connection: whoever has the account now is taken
    /// out of the room.
    fn offline(&mut self, conn: ConnId, out: &mut Effects) -> Step {
        let Some(account) = self.offline.remove(&conn) else { return Step::Ignored(Why::Stale) };
        if let Some(conn) = self.held.get(&account).and_then(|held| held.live) {
            out.note(Fact::Unseated { server: self.id, conn });
        }
        Step::Advanced
    }

    /// A draining server that holds nothing and waits for nothing gives its lease back.
    fn note_drained(&mut self, out: &mut Effects) {
        let busy = |state: &Conn| !matches!(state.phase, Phase::Unverified);
        if self.draining && self.lease.is_in_force() && !self.conns.values().any(busy) {
            self.resign(out);
        }
    }

    fn resign(&mut self, out: &mut Effects) {
        self.lease.end(out);
        self.ended = true;
        out.disarm(Timer::Renew);
        out.disarm(Timer::DrainEnd);
        let call = CallId::unanswered(ConnId::default());
        out.push(Effect::Ask { call, ask: Ask::Cache(CacheAsk::Resign { server: self.id }) });
        out.note(Fact::Drained);
    }

    /// Releases an account once nothing here stands on it.
    fn release_if_idle(&mut self, account: AccountId, conn: ConnId, out: &mut Effects) {
        let Some(held) = self.held.get(&account) else { return };
        if held.live.is_none() && held.entering == 0 {
            let version = held.version;
            self.held.remove(&account);
            self.release(account, version, conn, out);
        }
    }

    fn release(&mut self, account: AccountId, version: Version, conn: ConnId, out: &mut Effects) {
        self.released = self.released.max(version);
        let ask = CacheAsk::Release { account, server: self.id, version };
        // Nothing depends on the answer: a lost release is repeated when somebody is in the way of it.
        out.push(Effect::Ask { call: CallId::unanswered(conn), ask: Ask::Cache(ask) });
    }

    fn free_place(&mut self, room: RoomId, out: &mut Effects) {
        let Some(players) = self.rooms.get_mut(&room) else { return };
        *players = players.saturating_sub(1);
        let players = *players;
        if players == 0 {
            self.rooms.remove(&room);
        }
        self.report(room, players, None, out);
    }

    fn report(&self, room: RoomId, players: u16, joined: Option<AccountId>, out: &mut Effects) {
        if self.is_linked() {
            out.push(Effect::ToCenter(Message::ToCenter(ToCenter::Room { room, players, joined })));
        }
    }

    fn drain(&mut self, cx: &Cx<'_>, out: &mut Effects) -> Step {
        if self.draining {
            return Step::Ignored(Why::Stale);
        }
        self.draining = true;
        if self.is_linked() {
            out.push(Effect::ToCenter(Message::ToCenter(ToCenter::Draining)));
        }
        self.note_drained(out);
        if !self.ended {
            out.arm(Timer::DrainEnd, cx.settings.times.drain);
        }
        Step::Advanced
    }

    /// Closes everything and gives the lease back.
    fn end(&mut self, out: &mut Effects) -> Step {
        self.clear(out);
        // Also without a lease in force: the answer to a renewal may be on its way.
        self.resign(out);
        Step::Advanced
    }

    fn clear(&mut self, out: &mut Effects) {
        self.conns.clear();
        self.held.clear();
        self.keys.clear();
        self.rooms.clear();
        self.offline.clear();
        out.push(Effect::CloseAll);
        out.note(Fact::Fenced { server: self.id });
    }
}

/// Forgets the timers of a connection that waits for admission.
fn disarm_entry(conn: ConnId, out: &mut Effects) {
    out.disarm(Timer::Retry(conn));
    out.disarm(Timer::Unverified(conn));
}

impl Role for RoomServer {
    fn phase(&self, event: &Event) -> &'static str {
        match event.conn().map(|conn| self.conns.get(&conn).map(|conn| conn.phase)) {
            None if self.draining => "draining",
            None if self.has_lease() => "leased",
            None => "without lease",
            Some(None) => "no connection",
            Some(Some(Phase::Unverified)) => "unverified",
            Some(Some(Phase::Redeeming)) => "redeeming",
            Some(Some(Phase::Waiting { .. })) => "waiting",
            Some(Some(Phase::LookingUp(_))) => "looking up",
            Some(Some(Phase::Live(_))) => "live",
        }
    }

    fn step(&mut self, cx: &mut Cx<'_>, event: Event, out: &mut Effects) -> Step {
        match event {
            Event::Command(Command::Start) => self.start(cx, out),
            Event::Command(Command::Drain) => self.drain(cx, out),
            Event::Opened { conn, addr } => self.opened(cx, conn, addr, out),
            Event::Received { conn, msg: Message::ToRoom(msg) } => self.received(cx, conn, msg, out),
            Event::Datagram { addr, port, msg: Message::ToRoom(ToRoom::Bind { account, key }) } => {
                self.bind(cx, addr, port, account, key, out)
            }
            Event::Lost(conn) => advanced(self.leave(cx, conn, Ended::Lost, out)),
            Event::Fired(Timer::Idle(conn)) if self.is_live(conn) => {
                self.leave(cx, conn, Ended::Idle, out);
                out.push(Effect::Close(conn));
                Step::Advanced
            }
            Event::Fired(Timer::Unverified(conn)) => self.too_slow(cx, conn, out),
            Event::Fired(Timer::Retry(conn)) => self.retry(cx, conn, out),
            Event::Fired(Timer::Renew) if self.lease.is_wanted() && !self.ended => self.renew(cx, out),
            Event::Fired(Timer::LeaseEnd(number)) => self.lease_ended(number, out),
            Event::Fired(Timer::Offline(conn)) => self.offline(conn, out),
            Event::Fired(Timer::Announce) => self.announce(out),
            Event::Fired(Timer::DrainEnd) if self.draining && !self.ended => self.end(out),
            Event::Answered { call, answer } if call.conn == ConnId::default() => {
                self.lease_answered(cx, call, answer, out)
            }
            Event::Answered { call, answer } => self.answered(cx, call, answer, out),
            Event::Linked => {
                self.link = Link::Up;
                self.register(cx, out);
                Step::Advanced
            }
            Event::Unlinked => {
                let was = core::mem::replace(&mut self.link, Link::Down) != Link::Down;
                if self.announced.take().is_some() {
                    out.disarm(Timer::Announce);
                }
                advanced(was)
            }
            Event::FromCenter(Message::ToServer(msg)) => self.told_by_center(cx, msg, out),
            Event::Fired(Timer::Idle(_) | Timer::DrainEnd | Timer::Renew) => Step::Ignored(Why::Stale),
            _ => Step::Ignored(Why::Unexpected),
        }
    }

    fn check(&self) -> Result<(), &'static str> {
        for (conn, state) in &self.conns {
            if let Phase::Live(entry) = state.phase
                && self.held.get(&entry.account).and_then(|held| held.live) != Some(*conn)
            {
                return Err("every live session is its account's live session");
            }
        }
        let placed = |phase: &Phase| matches!(phase, Phase::Live(_) | Phase::LookingUp(_));
        let taken = self.conns.values().filter(|state| placed(&state.phase)).count();
        let counted: usize = self.rooms.values().map(|players| usize::from(*players)).sum();
        if taken != counted {
            return Err("every place taken in a room is taken by a connection");
        }
        Ok(())
    }
}

const fn advanced(it: bool) -> Step {
    if it { Step::Advanced } else { Step::Ignored(Why::Stale) }
}

/// Whether a session may move to a new connection from this address.
fn may_resume(cx: &Cx<'_>, session: Addr, newcomer: Addr) -> bool {
    match cx.settings.policy.resume {
        Resume::SameAddress => session == newcomer,
        Resume::Anyone => true,
    }
}
