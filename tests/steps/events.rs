//! Where events come from: mostly what a role may expect after what it has done so far, sometimes anything.

use std::collections::BTreeSet;

use gatepass_core::{
    ids::{
        AccountId, Addr, CallId, ConnId, Generation, LinkId, Ordinal, Payload, RoomId, RoomKey, ServerId,
        SessionKey,
    },
    limits::Times,
    message::{
        AccountsAnswer, AccountsAsk, Answer, Ask, Asker, CacheAnswer, CacheAsk, CenterAnswer, CenterAsk,
        Grant, Kick, Message, Place, Question, Reply, Request, RequestBody, ToCenter, ToPlayer, ToRoom,
        ToServer,
    },
    refusal::Refusal,
    role::{Command, Effect, Event, Outage, Timer},
    text::nickname,
};

use crate::values::{SERVER, credentials, endpoint, name, password, secret};

/// Which role a life is of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Accounts,
    Cache,
    Center,
    Login,
    Room,
    Client,
}

/// One number, used up bit by bit.
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    /// A number below `n`, by splitmix64.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() { None } else { Some(from[self.below(from.len() as u64) as usize]) }
    }
    fn account(&mut self) -> AccountId {
        AccountId(self.below(4))
    }
    fn conn(&mut self) -> ConnId {
        ConnId(self.below(9))
    }
    pub(crate) fn server(&mut self) -> ServerId {
        ServerId(SERVER + self.below(3))
    }
    fn room(&mut self) -> RoomId {
        RoomId(1 + self.below(3) as u32)
    }
    fn addr(&mut self) -> Addr {
        Addr(u128::from(self.below(3)))
    }
    pub(crate) fn session(&mut self) -> SessionKey {
        SessionKey::new(secret(self.below(6) as u8))
    }
    pub(crate) fn key(&mut self) -> RoomKey {
        RoomKey::new(secret(self.below(10) as u8))
    }
    fn payload(&mut self) -> Payload {
        Payload::new(secret(self.below(5) as u8))
    }
    fn maybe_key(&mut self) -> Option<RoomKey> {
        if self.one_in(8) { None } else { Some(self.key()) }
    }
    fn generation(&mut self) -> Generation {
        Generation(if self.one_in(6) { self.below(4) as u32 } else { 1 })
    }
    fn ordinal(&mut self) -> Ordinal {
        Ordinal { generation: self.generation(), count: self.below(12) }
    }
    fn place(&mut self) -> Place {
        let server = self.server();
        Place { server, endpoint: endpoint(server.0), room: self.room(), scene: self.below(2) as u32 }
    }
    fn refusal(&mut self) -> Refusal {
        const SOME: [Refusal; 10] = [
            Refusal::WrongCredentials,
            Refusal::NameTaken,
            Refusal::NoSession,
            Refusal::TokenUnknown,
            Refusal::TokenUsed,
            Refusal::Replaced,
            Refusal::Conflict,
            Refusal::RoomFull,
            Refusal::Busy,
            Refusal::Unavailable,
        ];
        SOME[self.below(10) as usize]
    }
    fn call(&mut self) -> CallId {
        CallId { conn: self.conn(), number: self.below(5) as u32 }
    }

    fn command(&mut self) -> Command {
        [Command::Start, Command::Drain, Command::Leave][self.below(3) as usize]
    }

    fn timer(&mut self) -> Timer {
        match self.below(20) {
            0 => Timer::Reply,
            1 => Timer::Heartbeat,
            2 => Timer::Leave,
            3 => Timer::Request(self.conn()),
            4 => Timer::Backoff(self.addr(), Some(name(self.below(4)))),
            5 => Timer::SessionEnd(self.session()),
            6 => Timer::TokenEnd(self.key()),
            7 => Timer::ServerLease(self.server()),
            8 => Timer::Grace,
            9 => Timer::Seat(self.account()),
            10 => Timer::LinkUnverified(self.conn()),
            11 => Timer::Unverified(self.conn()),
            12 => Timer::Retry(self.conn()),
            13 => Timer::Idle(self.conn()),
            14 => Timer::Renew,
            15 => Timer::LeaseEnd(self.below(6) as u32),
            16 => Timer::Announce,
            17 => Timer::PayloadEnd(self.payload()),
            18 => Timer::PayloadGrace,
            _ => Timer::DrainEnd,
        }
    }

    fn request(&mut self) -> Request {
        let body = match self.below(9) {
            0 => RequestBody::Bad(self.refusal()),
            1..=4 => RequestBody::Login(credentials(self.below(70))),
            5 => RequestBody::Session { session: if self.one_in(6) { None } else { Some(self.session()) } },
            _ => {
                let session = if self.one_in(6) { None } else { Some(self.session()) };
                RequestBody::Room { session, scene: 1 }
            }
        };
        Request { addr: self.addr(), signed: !self.one_in(12), body }
    }

    fn reply(&mut self) -> Reply {
        let account = self.account();
        match self.below(5) {
            0 => Reply::Refused(self.refusal()),
            4 => Reply::Session { account },
            1 => {
                let password = if self.one_in(2) { Some(password(1)) } else { None };
                let session = self.session();
                Reply::LoggedIn { name: name(1), account, newbie: false, password, session }
            }
            _ => {
                let (key, room) = (self.key(), self.room());
                Reply::Room { account, endpoint: endpoint(1), key, room, scene: 0 }
            }
        }
    }

    fn for_room(&mut self) -> ToRoom {
        match self.below(9) {
            0 => ToRoom::Heartbeat,
            1 => ToRoom::Logout,
            2 => ToRoom::Bind { account: self.account(), key: self.maybe_key() },
            3 => ToRoom::Game(100),
            4 => ToRoom::Malformed,
            _ => ToRoom::Login { name: nickname("nick"), key: self.maybe_key() },
        }
    }

    fn for_player(&mut self) -> ToPlayer {
        match self.below(6) {
            0 => ToPlayer::Echo,
            1 => ToPlayer::LoggedOut,
            2 => ToPlayer::Refused(self.refusal()),
            _ => ToPlayer::Admitted { account: self.account(), room: self.room(), name: nickname("nick") },
        }
    }

    fn kick(&mut self) -> Kick {
        let (from, owner) = (self.server(), self.server());
        Kick { from, owner, account: self.account(), below: self.ordinal(), version: self.ordinal() }
    }

    fn for_center(&mut self) -> ToCenter {
        match self.below(14) {
            0 | 1 => {
                let server = self.server();
                ToCenter::Register {
                    trusted: !self.one_in(8),
                    server: if self.one_in(6) { None } else { Some(server) },
                    endpoint: endpoint(server.0),
                    room_capacity: 2,
                    capacity: 5,
                }
            }
            2..=4 => ToCenter::Load { rooms: 1, players: self.below(9) as u32 },
            5..=7 => {
                let joined = if self.one_in(2) { Some(self.account()) } else { None };
                ToCenter::Room { room: self.room(), players: self.below(4) as u16, joined }
            }
            8 => ToCenter::RoomGone(self.room()),
            9 => ToCenter::Kick(self.kick()),
            10 => ToCenter::Kicked { to: self.server(), account: self.account() },
            11 => ToCenter::Kept { to: self.server(), account: self.account(), below: self.ordinal() },
            12 => ToCenter::Draining,
            _ => {
                let link = LinkId(self.below(5) as u16);
                ToCenter::Forward { link, flag: 1, data: Box::new([1, 2, 3]) }
            }
        }
    }

    fn for_server(&mut self) -> ToServer {
        match self.below(8) {
            0 | 1 => ToServer::Registered(LinkId(1)),
            2 | 3 => ToServer::Kick(Kick { owner: ServerId(SERVER), ..self.kick() }),
            4 => ToServer::Kick(self.kick()),
            5 => ToServer::Kicked(self.account()),
            6 => ToServer::Kept { account: self.account(), below: self.ordinal() },
            _ => ToServer::CheckRelogin { key: self.maybe_key(), account: self.account() },
        }
    }

    pub(crate) fn cache_ask(&mut self) -> CacheAsk {
        let (account, server) = (self.account(), self.server());
        match self.below(16) {
            0 | 1 => {
                let payload = if self.one_in(3) { Some(self.payload()) } else { None };
                CacheAsk::OpenSession { account, key: self.session(), payload }
            }
            2 => CacheAsk::FindSession { key: self.session() },
            3..=5 => {
                let (session, key) = (self.session(), self.key());
                CacheAsk::IssueToken { session, account, key, place: self.place() }
            }
            6 if self.one_in(3) => CacheAsk::RevokeSession { account },
            6..=10 => {
                let (key, generation) = (self.key(), self.generation());
                let attempt = CallId { conn: self.conn(), number: 1 + self.below(2) as u32 };
                CacheAsk::Redeem { key, server, attempt, generation }
            }
            11 | 12 => CacheAsk::Release { account, server, version: self.ordinal() },
            13 | 14 => self.renewal(server),
            _ if self.one_in(6) => CacheAsk::Resign { server },
            _ if self.one_in(2) => self.renewal(server),
            _ => {
                let held = (0..=self.below(3)).map(|_| (self.account(), self.ordinal())).collect();
                CacheAsk::Reassert { server, generation: self.generation(), held }
            }
        }
    }

    /// Mostly by the times of everybody else.
    fn renewal(&mut self, server: ServerId) -> CacheAsk {
        let mut terms = Times::default().lease_terms();
        if self.one_in(9) {
            terms.margin += terms.margin;
        }
        CacheAsk::Renew { server, number: self.below(5) as u32, terms }
    }

    fn ask(&mut self) -> Ask {
        match self.below(3) {
            0 => Ask::Cache(self.cache_ask()),
            1 => Ask::Accounts(match self.below(4) {
                0 => AccountsAsk::Profile { account: self.account() },
                1 => AccountsAsk::Played { account: self.account() },
                _ => {
                    let credentials = credentials(self.below(70));
                    AccountsAsk::Verify { credentials, guest_password: password(9) }
                }
            }),
            _ => Ask::Center(CenterAsk::Place { account: self.account(), scene: 1 }),
        }
    }

    fn question(&mut self, ask: Ask) -> Event {
        Event::Asked(Question { from: Asker(self.below(3)), call: self.call(), ask })
    }

    fn answer(&mut self) -> Answer {
        let (account, key) = (self.account(), self.key());
        let answer = match self.below(13) {
            0 => CacheAnswer::Done,
            1 => CacheAnswer::Session { account },
            2 => CacheAnswer::Issued { key, place: self.place() },
            3 => CacheAnswer::Granted(self.grant()),
            4 => {
                let (seq, room, owner) = (self.ordinal(), self.room(), self.server());
                CacheAnswer::Owned { account, seq, room, owner, version: self.ordinal() }
            }
            5 => CacheAnswer::NotYet,
            6 => CacheAnswer::Renewed { generation: self.generation() },
            7 if self.one_in(4) => CacheAnswer::OtherTerms(Times::default().lease_terms()),
            7 => {
                let one = |draw: &mut Self| (draw.account(), (!draw.one_in(3)).then(|| draw.ordinal()));
                CacheAnswer::Reasserted((0..self.below(4)).map(|_| one(self)).collect())
            }
            8 => CacheAnswer::Refused(self.refusal()),
            9 => return Answer::Accounts(AccountsAnswer::Profile),
            10 => return Answer::Accounts(AccountsAnswer::Refused(self.refusal())),
            11 => {
                let (newbie, guest) = (self.one_in(2), self.one_in(2));
                return Answer::Accounts(AccountsAnswer::Verified { account, name: name(1), newbie, guest });
            }
            _ => return Answer::Center(CenterAnswer::Placed(self.place())),
        };
        Answer::Cache(answer)
    }

    fn grant(&mut self) -> Grant {
        let previous = if self.one_in(4) { Some((self.server(), self.ordinal())) } else { None };
        let (account, seq, room) = (self.account(), self.ordinal(), self.room());
        Grant { account, seq, room, version: self.ordinal(), previous }
    }

    /// Anything at all, for anybody.
    fn anything(&mut self) -> Event {
        let conn = self.conn();
        match self.below(13) {
            0 => Event::Opened { conn, addr: self.addr() },
            1 => Event::Received { conn, msg: self.message() },
            2 => Event::Datagram { addr: self.addr(), port: 9, msg: self.message() },
            3 => Event::Lost(conn),
            4 => Event::Linked,
            5 => Event::Unlinked,
            6 => Event::FromCenter(self.message()),
            7 => {
                let ask = self.ask();
                self.question(ask)
            }
            8..=10 => {
                let call = self.call();
                Event::Answered { call, answer: Ok(self.answer()) }
            }
            11 => Event::Fired(self.timer()),
            _ if self.one_in(8) => Event::Command(self.command()),
            _ => Event::Answered { call: self.call(), answer: Err(Outage::Down) },
        }
    }

    fn message(&mut self) -> Message {
        match self.below(6) {
            0 => Message::Request(self.request()),
            1 => Message::Reply(self.reply()),
            2 => Message::ToRoom(self.for_room()),
            3 => Message::ToPlayer(self.for_player()),
            4 => Message::ToCenter(self.for_center()),
            _ => Message::ToServer(self.for_server()),
        }
    }
}

/// What a role has asked, armed and connected: what it may expect.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) armed: BTreeSet<Timer>,
    pub(crate) conns: BTreeSet<ConnId>,
    asked: Vec<(CallId, Ask)>,
    /// Versions that a plausible cache has given out.
    versions: u64,
}

impl Memory {
    pub(crate) fn note(&mut self, event: &Event, effects: &[Effect]) {
        match event {
            Event::Opened { conn, .. } | Event::Received { conn, .. } => {
                self.conns.insert(*conn);
            }
            Event::Fired(timer) => {
                self.armed.remove(timer);
            }
            _ => {}
        }
        for effect in effects {
            match effect {
                Effect::Arm { timer, .. } => {
                    self.armed.insert(*timer);
                }
                Effect::Disarm(timer) => {
                    self.armed.remove(timer);
                }
                Effect::CloseAll => self.armed.retain(|timer| timer.conn().is_none()),
                Effect::Ask { call, ask } => {
                    self.asked.push((*call, ask.clone()));
                    if self.asked.len() > 6 {
                        self.asked.remove(0);
                    }
                }
                Effect::Connect { conn, .. } => {
                    self.conns.insert(*conn);
                }
                Effect::Send { conn, msg: Message::Request(_) } => {
                    self.conns.insert(*conn);
                }
                _ => {}
            }
        }
    }

    /// The next event of a life.
    pub(crate) fn event(&mut self, kind: Kind, draw: &mut Draw) -> Event {
        if draw.one_in(7) {
            return draw.anything();
        }
        let fires = match kind {
            Kind::Room | Kind::Client => 8,
            _ => 12,
        };
        if draw.one_in(fires) {
            let armed: Vec<Timer> = self.armed.iter().copied().collect();
            if let Some(timer) = draw.pick(&armed) {
                return Event::Fired(timer);
            }
        }
        match kind {
            Kind::Accounts => {
                let credentials = credentials(draw.below(70));
                let ask = match draw.below(4) {
                    0 => AccountsAsk::Profile { account: draw.account() },
                    _ => AccountsAsk::Verify { credentials, guest_password: password(9) },
                };
                draw.question(Ask::Accounts(ask))
            }
            Kind::Cache => {
                let ask = draw.cache_ask();
                draw.question(Ask::Cache(ask))
            }
            Kind::Center => self.center(draw),
            Kind::Login => match draw.below(3) {
                0 => Event::Received { conn: draw.conn(), msg: Message::Request(draw.request()) },
                _ => self.answer(draw),
            },
            Kind::Room => self.room(draw),
            Kind::Client => self.client(draw),
        }
    }

    fn center(&self, draw: &mut Draw) -> Event {
        let conn = ConnId(1 + draw.below(4));
        match draw.below(10) {
            0 | 1 if !self.conns.contains(&conn) => Event::Opened { conn, addr: draw.addr() },
            1 if draw.one_in(4) => Event::Lost(conn),
            0 | 1 => {
                let load = ToCenter::Load { rooms: 0, players: 0 };
                Event::Received { conn, msg: Message::ToCenter(load) }
            }
            2 => {
                let register = ToCenter::Register {
                    trusted: true,
                    server: Some(ServerId(conn.0)),
                    endpoint: endpoint(conn.0),
                    room_capacity: 2,
                    capacity: 5,
                };
                Event::Received { conn, msg: Message::ToCenter(register) }
            }
            3..=6 => Event::Received { conn, msg: Message::ToCenter(draw.for_center()) },
            _ => {
                let ask = Ask::Center(CenterAsk::Place { account: draw.account(), scene: 1 });
                draw.question(ask)
            }
        }
    }

    fn room(&mut self, draw: &mut Draw) -> Event {
        let conn = ConnId(1 + draw.below(8));
        match draw.below(20) {
            0 => Event::Command(Command::Start),
            1 => Event::Linked,
            2 | 3 => Event::FromCenter(Message::ToServer(draw.for_server())),
            4..=6 => Event::Opened { conn, addr: draw.addr() },
            7..=9 => {
                let msg = ToRoom::Login { name: nickname("nick"), key: draw.maybe_key() };
                Event::Received { conn, msg: Message::ToRoom(msg) }
            }
            10 => Event::Received { conn, msg: Message::ToRoom(draw.for_room()) },
            11 => Event::Lost(conn),
            _ => self.answer(draw),
        }
    }

    fn client(&self, draw: &mut Draw) -> Event {
        let conns: Vec<ConnId> = self.conns.iter().copied().collect();
        // Usually the newest connection speaks.
        let last = conns.last().copied().unwrap_or_default();
        let conn = if draw.one_in(6) { draw.pick(&conns).unwrap_or_default() } else { last };
        match draw.below(9) {
            0 => Event::Command(Command::Start),
            1 => Event::Opened { conn, addr: draw.addr() },
            2 if draw.one_in(3) => Event::Lost(conn),
            3 if draw.one_in(3) => Event::Command(Command::Leave),
            2..=5 => Event::Received { conn, msg: Message::Reply(draw.reply()) },
            _ => Event::Received { conn, msg: Message::ToPlayer(draw.for_player()) },
        }
    }

    /// An answer to something that was asked: mostly one that fits, mostly in time, sometimes twice.
    fn answer(&mut self, draw: &mut Draw) -> Event {
        if self.asked.is_empty() {
            return draw.anything();
        }
        let at = self.asked.len() - 1 - draw.below(self.asked.len() as u64) as usize;
        let (call, ask) = if draw.one_in(5) { self.asked[at].clone() } else { self.asked.remove(at) };
        if draw.one_in(12) {
            return Event::Answered { call, answer: Err(Outage::Overloaded) };
        }
        if draw.one_in(8) {
            return Event::Answered { call, answer: Ok(draw.answer()) };
        }
        Event::Answered { call, answer: Ok(self.fitting(ask, draw)) }
    }

    fn fitting(&mut self, ask: Ask, draw: &mut Draw) -> Answer {
        self.versions += 1;
        let version = Ordinal { generation: Generation(1), count: self.versions };
        let answer = match ask {
            Ask::Accounts(AccountsAsk::Verify { .. }) if draw.one_in(3) => {
                return Answer::Accounts(AccountsAnswer::Refused(Refusal::WrongCredentials));
            }
            Ask::Accounts(AccountsAsk::Verify { .. }) => {
                let (account, guest) = (draw.account(), draw.one_in(2));
                let verified = AccountsAnswer::Verified { account, name: name(1), newbie: false, guest };
                return Answer::Accounts(verified);
            }
            Ask::Accounts(_) => return Answer::Accounts(AccountsAnswer::Profile),
            Ask::Center(_) => return Answer::Center(CenterAnswer::Placed(draw.place())),
            Ask::Cache(CacheAsk::FindSession { .. }) => CacheAnswer::Session { account: draw.account() },
            Ask::Cache(CacheAsk::IssueToken { key, place, .. }) => CacheAnswer::Issued { key, place },
            Ask::Cache(CacheAsk::Redeem { key, .. }) => {
                // A key stands for an account and a login, as in the cache.
                let n = u64::from(key.bits()[15]);
                let (account, room) = (AccountId(n % 3), RoomId(1 + (n % 2) as u32));
                let seq = Ordinal { generation: Generation(1), count: n };
                if draw.one_in(4) {
                    let owner = ServerId(SERVER + 1);
                    CacheAnswer::Owned { account, seq, room, owner, version }
                } else {
                    CacheAnswer::Granted(Grant { account, seq, room, version, previous: None })
                }
            }
            Ask::Cache(CacheAsk::Renew { .. }) => CacheAnswer::Renewed { generation: draw.generation() },
            Ask::Cache(CacheAsk::Reassert { held, .. }) => {
                let mut one = |account| (account, (!draw.one_in(9)).then_some(version));
                CacheAnswer::Reasserted(held.iter().map(|(account, _)| one(*account)).collect())
            }
            Ask::Cache(_) => CacheAnswer::Done,
        };
        Answer::Cache(answer)
    }
}
