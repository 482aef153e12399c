//! The rules of the roles, and of what judges them, one at a time. The cache has its model in the tests of the whole.

#[path = "rules/cache.rs"]
mod cache;
#[path = "rules/center.rs"]
mod center;
#[path = "rules/client.rs"]
mod client;
#[path = "rules/edges.rs"]
mod edges;
#[path = "rules/judge.rs"]
mod judge;
#[path = "rules/profiles.rs"]
mod profiles;
#[path = "rules/room.rs"]
mod room_server;
#[path = "rules/services.rs"]
mod services;

use std::collections::VecDeque;

use gatepass_core::{
    client::{Client, Outcome, Script},
    ids::{
        AccountId, Addr, CallId, ConnId, Generation, Ordinal, Payload, RoomId, RoomKey, ServerId, SessionKey,
    },
    ledger::{Ended, Fact},
    limits::Capacity,
    login::LoginServer,
    message::{
        AccountsAnswer, Age, Answer, Ask, Asker, CacheAnswer, CacheAsk, CenterAnswer, CenterAsk, Credentials,
        Grant, Kick, Message, Place, Question, Reply, Request, RequestBody, ToCenter, ToPlayer, ToRoom,
        ToServer,
    },
    policy::{Policy, SignedText},
    rcenter::RCenter,
    refusal::Refusal,
    role::{Command, Cx, Effect, Effects, Entropy, Event, Role, Settings, Step, Timer},
    room::RoomServer,
    text::{Identity, Password, bounded, nickname},
};

struct Numbers(u8);
impl Entropy for Numbers {
    fn bits(&mut self) -> [u8; 16] {
        self.0 = self.0.wrapping_add(1);
        [self.0; 16]
    }
}

/// A role under the strict policy unless said otherwise, two players per room, and what its last event caused.
struct Sut<R> {
    role: R,
    policy: Policy,
    entropy: Numbers,
    did: Vec<Effect>,
    asked: VecDeque<(CallId, Ask)>,
}

impl<R: Role> Sut<R> {
    fn new(role: R) -> Self {
        Self { role, policy: Policy::STRICT, entropy: Numbers(0), did: Vec::new(), asked: VecDeque::new() }
    }

    fn step(&mut self, event: Event) -> Step {
        let settings = Settings {
            policy: self.policy,
            capacity: Capacity { room: 2, server: 3, ..Capacity::default() },
            ..Settings::default()
        };
        let mut out = Effects::new();
        let step =
            self.role.step(&mut Cx { settings: &settings, entropy: &mut self.entropy }, event, &mut out);
        self.role.check().unwrap();
        self.did = out.drain().collect();
        self.asked.extend(self.did.iter().filter_map(|effect| match effect {
            Effect::Ask { call, ask } if call.wants_answer() => Some((*call, ask.clone())),
            _ => None,
        }));
        step
    }

    /// Answers the oldest open question.
    fn answer(&mut self, answer: Answer) -> Step {
        let (call, _) = self.asked.pop_front().expect("something was asked");
        self.step(Event::Answered { call, answer: Ok(answer) })
    }

    fn ignores(&mut self, event: Event) -> bool {
        matches!(self.step(event), Step::Ignored(_))
    }

    fn refused(&self) -> Option<Refusal> {
        self.did.iter().find_map(|effect| match effect {
            Effect::Send { msg: Message::ToPlayer(ToPlayer::Refused(why)), .. }
            | Effect::Send { msg: Message::Reply(Reply::Refused(why)), .. } => Some(*why),
            _ => None,
        })
    }

    fn did(&self, what: impl Fn(&Effect) -> bool) -> bool {
        self.did.iter().any(what)
    }
}

const ANN: AccountId = AccountId(1);
const A: Addr = Addr(1);
const B: Addr = Addr(2);

fn ordinal(count: u64) -> Ordinal {
    Ordinal { generation: Generation(1), count }
}

fn key(n: u8) -> RoomKey {
    RoomKey::new([n; 16])
}

/// A RoomServer with a lease, registered.
fn room() -> Sut<RoomServer> {
    let mut it = Sut::new(RoomServer::new(ServerId(1), bounded("room:1").unwrap()));
    let _ = it.step(Event::Command(Command::Start));
    let _ = it.answer(Answer::Cache(CacheAnswer::Renewed { generation: Generation(1) }));
    let _ = it.step(Event::Linked);
    let _ = it.step(Event::FromCenter(Message::ToServer(ToServer::Registered(Default::default()))));
    it
}

impl Sut<RoomServer> {
    fn open(&mut self, conn: u64, addr: Addr) {
        let _ = self.step(Event::Opened { conn: ConnId(conn), addr });
    }

    fn says(&mut self, conn: u64, msg: ToRoom) -> Step {
        self.step(Event::Received { conn: ConnId(conn), msg: Message::ToRoom(msg) })
    }

    fn login(&mut self, conn: u64, addr: Addr, token: u8) {
        self.open(conn, addr);
        let _ = self.says(conn, ToRoom::Login { name: nickname("nick"), key: Some(key(token)) });
    }

    fn grant(&mut self, account: u64, seq: u64, version: u64) -> Step {
        let (account, seq, version) = (AccountId(account), ordinal(seq), ordinal(version));
        let grant = Grant { account, seq, room: RoomId(1), version, previous: None };
        self.answer(Answer::Cache(CacheAnswer::Granted(grant)))
    }

    /// Token `n` is for login `n`; versions are far above.
    fn enter(&mut self, conn: u64, addr: Addr, account: u64, n: u8) {
        self.login(conn, addr, n);
        let _ = self.grant(account, n.into(), 100 + u64::from(n));
        if self.refused().is_none() {
            let _ = self.answer(Answer::Accounts(AccountsAnswer::Profile));
        }
    }

    fn live(&self) -> Vec<u64> {
        self.role.live().map(|(conn, ..)| conn.0).collect()
    }

    fn left(&self, conn: u64) -> Option<Ended> {
        self.did.iter().find_map(|effect| match effect {
            Effect::Note(Fact::Left { conn: own, why, .. }) if own.0 == conn => Some(*why),
            _ => None,
        })
    }

    fn releases(&self) -> bool {
        self.did(|effect| matches!(effect, Effect::Ask { ask: Ask::Cache(CacheAsk::Release { .. }), .. }))
    }
}

fn kick(below: u64) -> Event {
    let kick = Kick {
        from: ServerId(2),
        owner: ServerId(1),
        account: ANN,
        below: ordinal(below),
        version: ordinal(101),
    };
    Event::FromCenter(Message::ToServer(ToServer::Kick(kick)))
}

#[test]
fn a_newer_login_takes_over_and_an_older_one_does_not() {
    let mut it = room();
    it.enter(10, A, 1, 1);
    it.enter(11, B, 1, 2);
    assert_eq!((it.live(), it.left(10)), (vec![11], Some(Ended::Replaced { by: ordinal(2) })));
    assert!(!it.releases(), "the account stays here");
    let mut it = room();
    it.enter(11, B, 1, 2);
    it.enter(10, A, 1, 1);
    assert_eq!((it.live(), it.refused()), (vec![11], Some(Refusal::Replaced)));
}

#[test]
fn a_token_resumes_from_its_own_address_only() {
    let mut it = room();
    it.enter(10, A, 1, 1);
    it.login(11, B, 1);
    assert_eq!((it.live(), it.refused()), (vec![10], Some(Refusal::TokenUsed)));
    it.login(12, A, 1);
    assert_eq!((it.live(), it.left(10)), (vec![12], Some(Ended::Resumed)));
}

#[test]
fn a_kick_closes_exactly_what_is_older() {
    let mut it = room();
    it.enter(10, A, 1, 5);
    assert!(it.ignores(kick(5)), "the session is not older than itself");
    assert_eq!(it.live(), [10]);
    let _ = it.step(kick(6));
    assert_eq!((it.live(), it.left(10)), (vec![], Some(Ended::Replaced { by: ordinal(6) })));
    assert!(it.releases());
    assert!(
        it.did(|e| matches!(
            e,
            Effect::ToCenter(Message::ToCenter(ToCenter::Kicked { to: ServerId(2), .. }))
        ))
    );
}

#[test]
fn a_grant_that_a_release_overtook_admits_nobody() {
    let mut it = room();
    it.login(10, A, 1);
    // The owner has nothing, so it releases the version that the kick names: 101.
    let _ = it.step(kick(9));
    assert!(it.releases());
    let _ = it.grant(1, 1, 101);
    assert!(it.did(|e| matches!(e, Effect::Note(Fact::Fencing))));
    assert!(!it.did(|e| matches!(e, Effect::Ask { .. })), "it is not looked up");
    // Asked again, a newer version counts.
    let _ = it.step(Event::Fired(Timer::Retry(ConnId(10))));
    let _ = it.grant(1, 1, 102);
    let _ = it.answer(Answer::Accounts(AccountsAnswer::Profile));
    assert_eq!(it.live(), [10]);
}

#[test]
fn the_end_of_the_lease_ends_every_session() {
    let mut it = room();
    it.enter(10, A, 1, 1);
    assert!(it.ignores(Event::Fired(Timer::LeaseEnd(9))), "not the lease it stands on");
    let _ = it.step(Event::Fired(Timer::LeaseEnd(1)));
    assert!(it.live().is_empty());
    assert!(it.did(|e| matches!(e, Effect::CloseAll)));
    it.open(11, A);
    assert_eq!(it.refused(), Some(Refusal::Busy));
}

#[test]
fn a_drained_server_lets_nobody_in_and_tells_when_it_is_empty() {
    let mut it = room();
    it.enter(10, A, 1, 1);
    let _ = it.step(Event::Command(Command::Drain));
    assert!(!it.did(|e| matches!(e, Effect::Note(Fact::Drained))));
    it.open(11, A);
    assert_eq!(it.refused(), Some(Refusal::Draining));
    let _ = it.says(10, ToRoom::Logout);
    assert!(it.did(|e| matches!(e, Effect::Note(Fact::Drained))));
}

#[test]
fn a_connection_logs_out_and_in_again() {
    let mut it = room();
    it.enter(10, A, 1, 1);
    let _ = it.says(10, ToRoom::Logout);
    assert_eq!((it.live(), it.left(10), it.releases()), (vec![], Some(Ended::LoggedOut), true));
    let _ = it.says(10, ToRoom::Login { name: nickname("nick"), key: Some(key(2)) });
    let _ = it.grant(1, 2, 200);
    let _ = it.answer(Answer::Accounts(AccountsAnswer::Profile));
    assert_eq!(it.live(), [10]);
}

#[test]
fn a_full_room_takes_a_takeover_but_no_third_player() {
    let mut it = room();
    it.enter(10, A, 1, 1);
    it.enter(11, A, 2, 2);
    it.enter(12, A, 3, 3);
    assert_eq!((it.live(), it.refused(), it.releases()), (vec![10, 11], Some(Refusal::RoomFull), true));
    it.enter(13, B, 1, 4);
    assert_eq!(it.live(), [11, 13]);
}

#[test]
fn before_its_login_a_connection_is_only_refused() {
    for msg in [ToRoom::Heartbeat, ToRoom::Logout, ToRoom::Game(6), ToRoom::Malformed] {
        let mut it = room();
        it.open(10, A);
        let _ = it.says(10, msg.clone());
        let why = if msg == ToRoom::Malformed { Refusal::Malformed } else { Refusal::NotALogin };
        assert_eq!(it.refused(), Some(why));
        assert!(it.did(|e| *e == Effect::Close(ConnId(10))));
    }
}

impl Sut<RCenter> {
    fn tells(&mut self, link: u64, msg: ToCenter) -> Step {
        self.step(Event::Received { conn: ConnId(link), msg: Message::ToCenter(msg) })
    }

    fn register(&mut self, link: u64, server: u64) {
        let _ = self.step(Event::Opened { conn: ConnId(link), addr: A });
        let endpoint = bounded(&format!("room:{server}")).unwrap();
        let server = Some(ServerId(server));
        let _ = self.tells(
            link,
            ToCenter::Register { trusted: true, server, endpoint, room_capacity: 2, capacity: 3 },
        );
    }

    fn place(&mut self, account: u64) -> Option<Place> {
        let ask = Ask::Center(CenterAsk::Place { account: AccountId(account), scene: 1 });
        let call = CallId { conn: ConnId(1), number: 1 };
        let _ = self.step(Event::Asked(Question { from: Asker(1), call, ask }));
        self.did.iter().find_map(|effect| match effect {
            Effect::Answer { answer: Answer::Center(CenterAnswer::Placed(place)), .. } => Some(*place),
            _ => None,
        })
    }
}

const READY: ToCenter = ToCenter::Load { rooms: 0, players: 0 };

#[test]
fn rcenter_places_within_capacity_and_again_the_same() {
    let mut it = Sut::new(RCenter::new());
    it.register(1, 1);
    assert_eq!(it.place(1), None, "not before it has told its rooms");
    let _ = it.tells(1, READY);
    let rooms: Vec<_> = (1..=4).map(|account| it.place(account).map(|place| place.room)).collect();
    assert_eq!(rooms, [Some(RoomId(1)), Some(RoomId(1)), Some(RoomId(2)), None]);
    assert_eq!(it.place(1).map(|place| place.room), Some(RoomId(1)));
    assert_eq!(it.role.sizes(), (1, 3), "and no second seat");
    let _ = it.step(Event::Fired(Timer::Seat(AccountId(1))));
    assert_eq!(it.place(4).map(|place| place.room), Some(RoomId(1)), "a seat nobody came for is free again");
}

#[test]
fn rcenter_moves_the_seats_of_a_server_that_takes_nobody() {
    for gone in [ToCenter::Draining, ToCenter::Fenced] {
        let mut it = Sut::new(RCenter::new());
        for server in [1, 2] {
            it.register(server, server);
            let _ = it.tells(server, READY);
        }
        let first = it.place(1).map(|place| place.server);
        assert_eq!(first, Some(ServerId(1)));
        assert_eq!(it.place(1).map(|place| place.server), first);
        let _ = it.tells(1, gone);
        assert_eq!(it.place(1).map(|place| place.server), Some(ServerId(2)));
    }
}

#[test]
fn rcenter_forgets_the_old_link_of_a_server_that_registers_again() {
    let mut it = Sut::new(RCenter::new());
    it.register(1, 1);
    let _ = it.tells(1, READY);
    assert!(it.place(1).is_some());
    it.register(2, 1);
    assert!(it.did(|e| *e == Effect::Close(ConnId(1))));
    assert_eq!(it.role.sizes().0, 1);
    assert_eq!(it.place(1), None, "the new link has not told its rooms");
}

#[test]
fn rcenter_takes_a_kick_only_from_the_server_that_asks() {
    let mut it = Sut::new(RCenter::new());
    it.register(1, 1);
    it.register(2, 2);
    let kick =
        Kick { from: ServerId(2), owner: ServerId(1), account: ANN, below: ordinal(2), version: ordinal(1) };
    let forged = Event::Received { conn: ConnId(1), msg: Message::ToCenter(ToCenter::Kick(kick)) };
    assert!(it.ignores(forged));
    let _ = it.tells(2, ToCenter::Kick(kick));
    let sent = Effect::Send { conn: ConnId(1), msg: Message::ToServer(ToServer::Kick(kick)) };
    assert!(it.did(|e| *e == sent));
}

fn credentials() -> Credentials {
    Credentials::Password { name: bounded("ann").unwrap(), password: Password::new("a password").unwrap() }
}

impl Sut<LoginServer> {
    fn attempt(&mut self, conn: u64, addr: Addr, right: bool) {
        let request = Request { addr, signed: true, body: RequestBody::Login(credentials()) };
        let _ = self.step(Event::Received { conn: ConnId(conn), msg: Message::Request(request) });
        if self.refused().is_none() {
            let name = bounded("ann").unwrap();
            let verified = AccountsAnswer::Verified { account: ANN, name, newbie: false, guest: false };
            let wrong = AccountsAnswer::Refused(Refusal::WrongCredentials);
            let _ = self.answer(Answer::Accounts(if right { verified } else { wrong }));
        }
    }
}

#[test]
fn guessing_pauses_the_guesser_and_not_the_owner() {
    let (guesser, owner) = (Addr((0xffff << 32) | 1), Addr((0xffff << 32) | 2));
    let mut it = Sut::new(LoginServer::new());
    for n in 1..=3 {
        it.attempt(n, guesser, false);
        assert_eq!(it.refused(), Some(Refusal::WrongCredentials));
    }
    it.attempt(4, guesser, true);
    assert_eq!(it.refused(), Some(Refusal::TooManyAttempts));
    it.attempt(5, owner, true);
    assert_eq!(it.refused(), None);
    assert_eq!(it.asked.len(), 1, "the owner's session is opened");
}

#[test]
fn a_signed_login_is_taken_inside_of_its_window_and_asks_for_no_password() {
    let sure = Some(SignedText::Unambiguous);
    for (age, form, refused) in [
        (Age::Future, sure, Some(Refusal::SignatureStale)),
        (Age::Fresh, sure, None),
        (Age::Fresh, Some(SignedText::Joined), Some(Refusal::BadSignature)),
        (Age::Fresh, Some(SignedText::Glued), Some(Refusal::BadSignature)),
        (Age::Fresh, None, Some(Refusal::BadSignature)),
        (Age::Stale, sure, Some(Refusal::SignatureStale)),
    ] {
        let mut it = Sut::new(LoginServer::new());
        let (name, payload) = (bounded("player#1").unwrap(), Payload::new([5; 16]));
        let identity = Identity::new("portal", "ann").unwrap();
        let body = RequestBody::Login(Credentials::Signed { identity, registers: true, payload, age, form });
        let msg = Message::Request(Request { addr: A, signed: true, body });
        let _ = it.step(Event::Received { conn: ConnId(1), msg });
        assert_eq!(
            (it.refused(), it.role.works_on(payload)),
            (refused, refused.is_none()),
            "{age:?} {form:?}"
        );
        if let Some(why) = refused {
            assert!(it.did(|e| *e == Effect::Note(Fact::SignatureRefused { payload, why })));
            continue;
        }
        let verified = AccountsAnswer::Verified { account: ANN, name, newbie: true, guest: false };
        let _ = it.answer(Answer::Accounts(verified));
        let (_, ask) = it.asked.front().expect("it asks the cache");
        assert!(
            matches!(ask, Ask::Cache(CacheAsk::OpenSession { payload: Some(used), .. }) if *used == payload)
        );
        let _ = it.answer(Answer::Cache(CacheAnswer::Done));
        assert!(it.did(|e| *e == Effect::Note(Fact::SignatureAccepted { payload, age })));
        assert!(it.did(|e| matches!(
            e,
            Effect::Send { msg: Message::Reply(Reply::LoggedIn { password: None, newbie: true, .. }), .. }
        )));
        assert!(!it.role.works_on(payload));
    }
}

#[test]
fn an_answer_to_an_older_question_opens_nothing() {
    let mut it = Sut::new(LoginServer::new());
    it.attempt(1, A, true);
    let call = CallId { conn: ConnId(1), number: 1 };
    assert!(it.ignores(Event::Answered { call, answer: Ok(Answer::Cache(CacheAnswer::Done)) }));
    let _ = it.answer(Answer::Cache(CacheAnswer::Done));
    assert!(it.did(|e| matches!(e, Effect::Send { msg: Message::Reply(Reply::LoggedIn { .. }), .. })));
    assert_eq!(it.role.pending(), 0);
}

#[test]
fn a_client_tries_again_as_often_as_it_may() {
    let (addr, name) = (A, nickname("nick"));
    let script = Script {
        credentials: credentials(),
        addr,
        scene: 1,
        name,
        heartbeats: Some(0),
        retries: 1,
        resumes: false,
        cheat: None,
    };
    let mut it = Sut::new(Client::new(script, ConnId(1)));
    let _ = it.step(Event::Command(Command::Start));
    let _ = it.step(Event::Fired(Timer::Reply));
    let late = Reply::LoggedIn {
        name: bounded("ann").unwrap(),
        account: ANN,
        newbie: false,
        password: None,
        session: SessionKey::new([1; 16]),
    };
    assert!(it.ignores(Event::Received { conn: ConnId(1), msg: Message::Reply(late.clone()) }), "too late");
    let _ = it.step(Event::Received { conn: ConnId(2), msg: Message::Reply(late) });
    assert_eq!(it.role.account(), Some(ANN));
    let _ = it.step(Event::Lost(ConnId(3)));
    assert_eq!(it.role.outcome(), Outcome::GaveUp);
}
