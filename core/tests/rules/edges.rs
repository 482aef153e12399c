//! Steps that the lives of whole roles take without looking: each test holds one that could be otherwise and nobody
//! would notice.

use gatepass_core::{
    accounts::{Accounts, is_guest_name},
    cache::Cache,
    ids::Ordinal,
    limits::{REQUESTS_MAX, Times},
    message::{AccountsAsk, Place},
    policy::UdpBind,
    properties::{LinkStep, Properties, Property},
    role::Outage,
    text::Endpoint,
};

use super::*;
use std::time::Duration;

pub(super) fn endpoint() -> Endpoint {
    bounded("room:1").unwrap()
}

#[test]
fn times_that_only_just_do_not_fit_are_refused() {
    let fine = Times::default();
    let tick = Duration::from_millis(1);
    let with = |change: &dyn Fn(&mut Times)| {
        let mut times = fine.clone();
        change(&mut times);
        times.check()
    };
    assert_eq!(fine.check(), Ok(()));
    // Each bound, and one step on its good side.
    type Change<'a> = &'a dyn Fn(&mut Times);
    let bounds: [(Change<'_>, Change<'_>); 8] = [
        (&|t| t.renew = (t.lease - t.lease_margin) / 2, &|t| t.renew = (t.lease - t.lease_margin) / 2 - tick),
        (&|t| t.unverified = t.lease, &|t| t.unverified = t.lease + tick),
        (&|t| t.token_memory = t.unverified - tick, &|t| t.token_memory = t.unverified),
        (&|t| t.seat = t.token - tick, &|t| t.seat = t.token),
        (&|t| t.retry = t.unverified, &|t| t.retry = t.unverified - tick),
        (&|t| t.request = t.reply, &|t| t.request = t.reply - tick),
        (&|t| t.clock_skew = t.signature_window, &|t| t.clock_skew = t.signature_window - tick),
        (&|t| t.signature_window = t.request, &|t| t.signature_window = t.request + tick),
    ];
    for (at, (wrong, right)) in bounds.into_iter().enumerate() {
        assert!(with(wrong).is_err() && with(right).is_ok(), "bound {at}");
    }
    assert!(with(&|t| t.drain = Duration::ZERO).is_err());
    assert!(with(&|t| t.drain = Duration::from_secs(367 * 24 * 3600)).is_err());
    assert!(with(&|t| t.drain = Duration::from_secs(366 * 24 * 3600)).is_ok());
}

#[test]
fn names_of_guests_are_theirs() {
    for (name, guests) in
        [("guest1", true), ("guest007", true), ("guest", false), ("guesta", false), ("ann1", false)]
    {
        assert_eq!(is_guest_name(name), guests, "{name}");
    }
    let mut store = Accounts::new();
    let create = |store: &mut Accounts| {
        store.create(bounded("ann").unwrap(), None, Password::new("a password").unwrap())
    };
    let first = create(&mut store);
    assert!(first.is_some());
    assert_eq!(create(&mut store), None, "a name is taken once");
}

#[test]
fn a_registration_takes_no_name_of_a_guest() {
    let mut it = Sut::new(Accounts::new());
    let password = Password::new("a password").unwrap();
    let credentials = Credentials::Register { name: bounded("guest9").unwrap(), password: password.clone() };
    let ask = Ask::Accounts(AccountsAsk::Verify { credentials, guest_password: password });
    let call = CallId { conn: ConnId(1), number: 1 };
    let _ = it.step(Event::Asked(Question { from: Asker(0), call, ask }));
    assert!(
        it.did(|e| matches!(e, Effect::Answer { answer: Answer::Accounts(AccountsAnswer::Refused(_)), .. }))
    );
}

#[test]
fn a_service_that_is_overloaded_is_busy_and_one_that_is_gone_is_unavailable() {
    for (outage, why) in [(Outage::Overloaded, Refusal::Busy), (Outage::Down, Refusal::Unavailable)] {
        let mut it = Sut::new(LoginServer::new());
        let request = Request { addr: A, signed: true, body: RequestBody::Login(credentials()) };
        let _ = it.step(Event::Received { conn: ConnId(1), msg: Message::Request(request) });
        let (call, _) = it.asked.pop_front().unwrap();
        let _ = it.step(Event::Answered { call, answer: Err(outage) });
        assert_eq!(it.refused(), Some(why));
        assert_eq!(it.role.pending(), 0);
    }
}

impl Sut<Cache> {
    fn is_asked(&mut self, ask: CacheAsk) {
        let call = CallId { conn: ConnId(1), number: 1 };
        let _ = self.step(Event::Asked(Question { from: Asker(0), call, ask: Ask::Cache(ask) }));
    }

    fn issue(&mut self, token: u8, server: u64) {
        let place = Place { server: ServerId(server), endpoint: endpoint(), room: RoomId(1), scene: 1 };
        let session = SessionKey::new([1; 16]);
        self.is_asked(CacheAsk::IssueToken { session, account: ANN, key: key(token), place });
    }

    fn superseded(&self) -> Vec<RoomKey> {
        let superseded = |effect: &Effect| match effect {
            Effect::Note(Fact::TokenSuperseded { key }) => Some(*key),
            _ => None,
        };
        self.did.iter().filter_map(superseded).collect()
    }
}

#[test]
fn only_tokens_that_could_still_be_spent_are_superseded() {
    let mut it = Sut::new(Cache::new(Generation(1), false));
    it.is_asked(CacheAsk::OpenSession { account: ANN, key: SessionKey::new([1; 16]), payload: None });
    for server in [1, 2] {
        let terms = Times::default().lease_terms();
        it.is_asked(CacheAsk::Renew { server: ServerId(server), number: 1, terms });
    }
    it.issue(1, 1);
    assert_eq!(it.superseded(), []);
    it.issue(2, 2);
    assert_eq!(it.superseded(), [key(1)]);
    let attempt = CallId { conn: ConnId(1), number: 1 };
    it.is_asked(CacheAsk::Redeem { key: key(2), server: ServerId(2), attempt, generation: Generation(1) });
    it.issue(3, 1);
    assert_eq!(it.superseded(), [key(1)], "what is spent is over already");
}

#[test]
fn a_cache_that_lost_nothing_waits_for_nothing() {
    let mut it = Sut::new(Cache::new(Generation(1), false));
    assert!(it.ignores(Event::Command(Command::Start)));
    let mut it = Sut::new(Cache::new(Generation(1), true));
    let _ = it.step(Event::Command(Command::Start));
    assert!(it.did(|e| matches!(e, Effect::Arm { timer: Timer::Grace, .. })));
}

#[test]
fn a_cache_that_lost_its_memory_takes_nothing_signed_until_that_is_too_old() {
    let by = |n: u8| CacheAsk::OpenSession {
        account: ANN,
        key: SessionKey::new([n; 16]),
        payload: (n > 1).then(|| Payload::new([7; 16])),
    };
    let answers = |it: &Sut<Cache>, expected: CacheAnswer| {
        it.did(|e| matches!(e, Effect::Answer { answer: Answer::Cache(answer), .. } if *answer == expected))
    };
    for (cache, waits) in [(Cache::new(Generation(2), true), true), (Cache::forgetful(Generation(2)), false)]
    {
        let mut it = Sut::new(cache);
        let _ = it.step(Event::Command(Command::Start));
        assert_eq!(it.did(|e| matches!(e, Effect::Arm { timer: Timer::Grace, .. })), waits);
        let memory = Times::default().payload_memory();
        assert!(it.did(|e| *e == Effect::Arm { timer: Timer::PayloadGrace, after: memory }));
        it.is_asked(by(1));
        assert!(answers(&it, CacheAnswer::Done), "a password is a password");
        it.is_asked(by(2));
        assert!(answers(&it, CacheAnswer::Refused(Refusal::SignatureDoubtful)));
        let _ = it.step(Event::Fired(Timer::PayloadGrace));
        it.is_asked(by(2));
        assert!(answers(&it, CacheAnswer::Done), "it was not used up by being refused");
        it.is_asked(by(3));
        assert!(answers(&it, CacheAnswer::Refused(Refusal::SignatureReplayed)));
    }
}

#[test]
fn what_is_used_is_remembered_for_as_long_as_any_clock_takes_it() {
    let times = Times::default();
    let (window, skew) = (times.signature_window, times.clock_skew);
    // Used at the beginning of its window on a clock that is ahead, and again at the end of it on one that is behind.
    assert_eq!(times.payload_memory(), window * 2 + skew + times.request);
}

#[test]
fn a_room_server_serves_while_it_holds_a_lease_and_is_not_drained() {
    fn serves(it: &mut Sut<RoomServer>) -> bool {
        let settings = Settings::default();
        it.role.serves(&Cx { settings: &settings, entropy: &mut it.entropy })
    }
    let mut it = Sut::new(RoomServer::new(ServerId(1), endpoint()));
    assert!(!serves(&mut it));
    let mut it = room();
    assert!(serves(&mut it));
    let _ = it.step(Event::Command(Command::Drain));
    assert!(!serves(&mut it));
    let mut it = room();
    let _ = it.step(Event::Fired(Timer::LeaseEnd(1)));
    assert!(!serves(&mut it));
}

#[test]
fn rules_that_are_left_out_let_strangers_play_and_players_bind_once() {
    let mut it = room();
    it.policy = Policy { game_after_login: false, ..Policy::STRICT };
    it.open(10, A);
    let _ = it.says(10, ToRoom::Game(7));
    assert!(it.did(|e| *e == Effect::Play { conn: ConnId(10), command: 7 }));
    it.policy = Policy { udp_bind: UdpBind::SameAddress, ..Policy::STRICT };
    it.enter(11, A, 1, 1);
    let bind = |addr| {
        let msg = Message::ToRoom(ToRoom::Bind { account: ANN, key: Some(key(1)) });
        Event::Datagram { addr, port: 9, msg }
    };
    assert!(it.ignores(bind(B)), "from another address");
    let _ = it.step(bind(A));
    assert!(it.did(|e| matches!(e, Effect::Bound { conn: ConnId(11), port: 9, .. })));
    assert!(it.ignores(bind(A)), "a second time");
}

#[test]
fn reasons_have_names_of_their_own() {
    let all = [
        Refusal::Malformed,
        Refusal::BadSignature,
        Refusal::UnknownCommand,
        Refusal::WrongCredentials,
        Refusal::NameTaken,
        Refusal::Banned,
        Refusal::NoSession,
        Refusal::NoRoom,
        Refusal::TokenUsed,
        Refusal::Replaced,
        Refusal::Conflict,
        Refusal::Busy,
        Refusal::Draining,
        Refusal::Unavailable,
    ];
    let names: std::collections::BTreeSet<_> = all.iter().map(|why| why.name()).collect();
    assert_eq!(names.len(), all.len());
    let codes = [Refusal::Malformed, Refusal::NoSession, Refusal::Replaced].map(Refusal::code);
    assert_eq!(codes, [8, 7, 21], "those of the original");
}

#[test]
fn an_empty_buffer_of_effects_says_so() {
    let mut out = Effects::new();
    assert!(out.is_empty() && out.as_slice().is_empty());
    let room = out.room();
    out.disarm(Timer::Grace);
    assert!(!out.is_empty());
    assert_eq!((out.as_slice().len(), out.room()), (1, room - 1));
}

#[test]
fn rcenter_opens_a_connection_once() {
    let mut it = Sut::new(RCenter::new());
    it.register(1, 1);
    let _ = it.tells(1, READY);
    assert!(it.place(1).is_some());
    assert!(it.ignores(Event::Opened { conn: ConnId(1), addr: A }));
    assert!(it.place(1).is_some(), "the server is still behind it");
}

/// What a RoomServer says to RCenter.
fn to_center(it: &Sut<RoomServer>) -> Vec<ToCenter> {
    let told = |effect: &Effect| match effect {
        Effect::ToCenter(Message::ToCenter(msg)) => Some(msg.clone()),
        _ => None,
    };
    it.did.iter().filter_map(told).collect()
}

fn owned(seq: u64) -> Answer {
    let (account, seq, room) = (ANN, ordinal(seq), RoomId(1));
    Answer::Cache(CacheAnswer::Owned { account, seq, room, owner: ServerId(2), version: ordinal(50) })
}

fn from_center(msg: ToServer) -> Event {
    Event::FromCenter(Message::ToServer(msg))
}

#[test]
fn a_room_server_registers_once_for_each_link_and_only_with_a_lease() {
    let registers =
        |it: &Sut<RoomServer>| to_center(it).iter().any(|msg| matches!(msg, ToCenter::Register { .. }));
    let mut it = Sut::new(RoomServer::new(ServerId(1), endpoint()));
    let _ = it.step(Event::Command(Command::Start));
    let _ = it.step(Event::Linked);
    assert!(!registers(&it), "without a lease nobody must be sent here");
    let _ = it.answer(Answer::Cache(CacheAnswer::Renewed { generation: Generation(1) }));
    assert!(registers(&it));
    let _ = it.step(Event::Fired(Timer::Renew));
    let _ = it.answer(Answer::Cache(CacheAnswer::Renewed { generation: Generation(1) }));
    assert!(!registers(&it), "it has registered over this link");
    let _ = it.step(Event::Unlinked);
    let _ = it.step(Event::Linked);
    assert!(registers(&it));
}

#[test]
fn a_kick_ends_logins_that_wait_or_are_looked_up_if_they_are_older() {
    for (below, ends) in [(2, false), (3, true)] {
        let mut it = room();
        it.login(10, A, 2);
        let _ = it.grant(1, 2, 102);
        let _ = it.step(kick(below));
        assert_eq!(it.did(|e| *e == Effect::Close(ConnId(10))), ends, "looked up, below {below}");
        let mut it = room();
        it.login(10, A, 2);
        let _ = it.answer(owned(2));
        let _ = it.step(kick(below));
        assert_eq!(it.did(|e| *e == Effect::Close(ConnId(10))), ends, "waiting, below {below}");
    }
    let mut it = room();
    it.enter(10, A, 7, 1);
    it.login(11, B, 2);
    let _ = it.grant(8, 2, 102);
    let _ = it.step(kick(99));
    assert!(!it.did(|e| matches!(e, Effect::Close(_))), "others have nothing to do with it");
}

#[test]
fn who_waits_for_an_owner_is_told_by_what_concerns_him() {
    let asks = |it: &Sut<RoomServer>| {
        it.did(|e| matches!(e, Effect::Ask { ask: Ask::Cache(CacheAsk::Redeem { .. }), .. }))
    };
    let mut it = room();
    it.login(10, A, 2);
    let _ = it.answer(owned(2));
    let kicks = |it: &Sut<RoomServer>| to_center(it).iter().any(|msg| matches!(msg, ToCenter::Kick(_)));
    assert!(kicks(&it) && it.role.waiting() == 1);
    assert!(it.ignores(from_center(ToServer::Kicked(AccountId(9)))));
    let _ = it.step(from_center(ToServer::Kicked(ANN)));
    assert!(asks(&it) && it.live().is_empty(), "a confirmation is a hint to ask");
    let _ = it.answer(owned(2));
    assert!(!kicks(&it), "the same owner was asked already");
    let _ = it.step(Event::Fired(Timer::Retry(ConnId(10))));
    assert!(kicks(&it) && asks(&it), "but is again when it is time to");
    assert!(it.ignores(from_center(ToServer::Kept { account: ANN, below: ordinal(3) })), "another login");
    let _ = it.step(from_center(ToServer::Kept { account: ANN, below: ordinal(2) }));
    assert_eq!(it.refused(), Some(Refusal::Conflict));
}

#[test]
fn a_token_that_is_gone_while_its_login_waited_was_replaced() {
    let unknown = || Answer::Cache(CacheAnswer::Refused(Refusal::TokenUnknown));
    let mut it = room();
    it.login(10, A, 2);
    let _ = it.answer(unknown());
    assert_eq!(it.refused(), Some(Refusal::TokenUnknown));
    it.login(11, A, 3);
    let _ = it.answer(owned(3));
    let _ = it.step(Event::Fired(Timer::Retry(ConnId(11))));
    let _ = it.answer(unknown());
    assert_eq!(it.refused(), Some(Refusal::Replaced));
    it.login(12, A, 4);
    let _ = it.answer(owned(4));
    let _ = it.step(Event::Fired(Timer::Retry(ConnId(12))));
    let _ = it.answer(Answer::Cache(CacheAnswer::Refused(Refusal::TokenExpired)));
    assert_eq!(it.refused(), Some(Refusal::TokenExpired));
}

#[test]
fn renewals_follow_each_other_and_a_lost_cache_is_told_what_is_held() {
    let renewed = |generation| Answer::Cache(CacheAnswer::Renewed { generation: Generation(generation) });
    let arms = |it: &Sut<RoomServer>, timer, after: Duration| it.did(|e| *e == Effect::Arm { timer, after });
    let times = Times::default();
    let mut it = Sut::new(RoomServer::new(ServerId(1), endpoint()));
    let _ = it.step(Event::Command(Command::Start));
    assert!(arms(&it, Timer::Renew, times.retry), "without a lease it asks soon again");
    assert!(arms(&it, Timer::LeaseEnd(1), times.lease - times.lease_margin));
    let _ = it.answer(renewed(1));
    let _ = it.step(Event::Linked);
    let _ = it.step(from_center(ToServer::Registered(Default::default())));
    it.enter(10, A, 1, 1);
    let _ = it.step(Event::Fired(Timer::Renew));
    assert!(
        arms(&it, Timer::Renew, times.renew)
            && arms(&it, Timer::LeaseEnd(2), times.lease - times.lease_margin)
    );
    // The cache lives in a new generation: what is held is asserted before the new lease counts.
    let _ = it.answer(renewed(2));
    let held = |e: &Effect| matches!(e, Effect::Ask { ask: Ask::Cache(CacheAsk::Reassert { held, .. }), .. } if **held == [(ANN, ordinal(1))]);
    assert!(it.did(held));
    let mut failed = Sut::new(it.role.clone());
    assert_eq!(failed.step(Event::Fired(Timer::LeaseEnd(2))), Step::Advanced, "not asserted in time");
    assert!(failed.live().is_empty());
    let version = Ordinal { generation: Generation(2), count: 1 };
    let _ = it.answer(Answer::Cache(CacheAnswer::Reasserted([(ANN, Some(version))].into())));
    assert!(it.did(|e| *e == Effect::Disarm(Timer::LeaseEnd(1))), "the new lease counts");
    assert_eq!(it.live(), [10]);
    let _ = it.step(Event::Fired(Timer::LeaseEnd(2)));
    assert!(it.live().is_empty() && to_center(&it) == [ToCenter::Fenced]);
}

#[test]
fn a_renewal_that_would_come_too_late_does_not_count() {
    let mut it = room();
    it.enter(10, A, 1, 1);
    let _ = it.step(Event::Fired(Timer::Renew));
    assert_eq!(it.step(Event::Fired(Timer::LeaseEnd(2))), Step::Advanced);
    assert!(matches!(
        it.answer(Answer::Cache(CacheAnswer::Renewed { generation: Generation(1) })),
        Step::Ignored(_)
    ));
    assert_eq!(it.live(), [10], "the older lease lasts");
    let _ = it.step(Event::Fired(Timer::LeaseEnd(1)));
    assert!(it.live().is_empty());
}

#[test]
fn a_registration_needs_a_name_and_a_password_and_finds_the_account_again() {
    let ask = |it: &mut Sut<Accounts>, credentials: Credentials| {
        let guest_password = Password::new("a password").unwrap();
        let ask = Ask::Accounts(AccountsAsk::Verify { credentials, guest_password });
        let call = CallId { conn: ConnId(1), number: 1 };
        let _ = it.step(Event::Asked(Question { from: Asker(0), call, ask }));
        it.did.iter().find_map(|effect| match effect {
            Effect::Answer { answer: Answer::Accounts(answer), .. } => Some(answer.clone()),
            _ => None,
        })
    };
    let name = |text: &str| bounded(text).unwrap();
    let password = |text: &str| Password::new(text).unwrap();
    let mut it = Sut::new(Accounts::new());
    let register = |n: &str, p: Password| Credentials::Register { name: name(n), password: p };
    let refused = |answer: Option<AccountsAnswer>| matches!(answer, Some(AccountsAnswer::Refused(_)));
    assert!(refused(ask(&mut it, register("", password("a password")))));
    assert!(refused(ask(&mut it, register("ann", Password::empty()))));
    assert!(!refused(ask(&mut it, register("ann", password("one")))));
    assert!(!refused(ask(&mut it, register("bob", password("two")))));
    let login = |n: &str, p: &str| Credentials::Password { name: name(n), password: password(p) };
    let who = |answer| match answer {
        Some(AccountsAnswer::Verified { name, .. }) => Some(name),
        _ => None,
    };
    assert_eq!(who(ask(&mut it, login("bob", "two"))), Some(name("bob")));
    assert_eq!(who(ask(&mut it, login("bob", "one"))), None);
    assert_eq!(who(ask(&mut it, login("cid", "one"))), None);
}

#[test]
fn a_room_is_for_who_has_a_session_and_the_cache_has_the_last_word() {
    let asks = |session| Request { addr: A, signed: true, body: RequestBody::Room { session, scene: 1 } };
    let mut it = Sut::new(LoginServer::new());
    let _ = it.step(Event::Received { conn: ConnId(1), msg: Message::Request(asks(None)) });
    assert_eq!((it.refused(), it.role.pending()), (Some(Refusal::NoSession), 0));
    let session = Some(SessionKey::new([1; 16]));
    let _ = it.step(Event::Received { conn: ConnId(2), msg: Message::Request(asks(session)) });
    assert_eq!(it.role.pending(), 1);
    let _ = it.answer(Answer::Cache(CacheAnswer::Refused(Refusal::Replaced)));
    assert_eq!((it.refused(), it.role.pending()), (Some(Refusal::Replaced), 0));
}

#[test]
fn whose_a_session_is_the_cache_says_and_nobody_else_is_asked() {
    let asks = |session| Request { addr: A, signed: true, body: RequestBody::Session { session } };
    let mut it = Sut::new(LoginServer::new());
    let _ = it.step(Event::Received { conn: ConnId(1), msg: Message::Request(asks(None)) });
    assert_eq!((it.refused(), it.role.pending()), (Some(Refusal::NoSession), 0));
    let session = Some(SessionKey::new([1; 16]));
    for (told, account) in
        [(CacheAnswer::Session { account: ANN }, Some(ANN)), (CacheAnswer::Refused(Refusal::NoSession), None)]
    {
        let _ = it.step(Event::Received { conn: ConnId(2), msg: Message::Request(asks(session)) });
        let _ = it.answer(Answer::Cache(told));
        let replied = it.did.iter().find_map(|effect| match effect {
            Effect::Send { msg: Message::Reply(Reply::Session { account }), .. } => Some(*account),
            _ => None,
        });
        assert_eq!((replied, it.refused().is_some()), (account, account.is_none()));
        assert!(it.role.pending() == 0 && it.asked.is_empty());
    }
}

#[test]
fn timers_of_a_connection_name_it() {
    let conn = ConnId(7);
    for timer in [Timer::Request(conn), Timer::Unverified(conn), Timer::Retry(conn), Timer::Idle(conn)] {
        assert_eq!(timer.conn(), Some(conn));
    }
    assert_eq!(Timer::Renew.conn(), None);
}

#[test]
fn a_seat_is_used_by_who_comes_where_it_is() {
    let mut it = Sut::new(RCenter::new());
    for server in [1, 2] {
        it.register(server, server);
        let _ = it.tells(server, READY);
    }
    let room = it.place(1).expect("both are empty").room;
    let joined = |room| ToCenter::Room { room, players: 1, joined: Some(ANN) };
    for (link, room, seats) in [(2, room, 1), (1, RoomId(99), 1), (1, room, 0)] {
        let _ = it.tells(link, joined(room));
        assert_eq!(it.role.sizes(), (2, seats), "{room} at {link}");
    }
}

#[test]
fn a_link_without_the_key_is_closed_unless_nobody_asks_for_it() {
    let register = ToCenter::Register {
        trusted: false,
        server: Some(ServerId(1)),
        endpoint: endpoint(),
        room_capacity: 1,
        capacity: 1,
    };
    for (links_verified, servers) in [(true, 0), (false, 1)] {
        let mut it = Sut::new(RCenter::new());
        it.policy.links_verified = links_verified;
        let _ = it.step(Event::Opened { conn: ConnId(1), addr: A });
        assert!(it.role.is_unregistered(ConnId(1)) && !it.role.is_unregistered(ConnId(2)));
        let (conn, msg) = (ConnId(1), Message::ToCenter(register.clone()));
        assert_eq!(LinkStep::stranger(&it.role, conn, &msg), Some(conn));
        let _ = it.step(Event::Received { conn, msg });
        let judged = LinkStep { unverified: ConnId(1), effects: &it.did }.judge();
        let broken = if links_verified { Properties::NONE } else { judged.met };
        assert_eq!((it.role.sizes().0, judged.broken), (servers, broken));
        assert_eq!(it.did(|e| *e == Effect::Close(ConnId(1))), links_verified);
        assert_eq!(judged.met, Properties::only(Property::UnverifiedIsMute));
    }
    let other = LinkStep { unverified: ConnId(1), effects: &[Effect::Close(ConnId(2))] };
    assert_eq!(other.judge().broken, Properties::only(Property::UnverifiedIsMute));
}

#[test]
fn a_login_server_takes_one_request_of_a_connection_and_no_more_than_it_has_places_for() {
    let mut it = Sut::new(LoginServer::new());
    let request = |conn| {
        let body = RequestBody::Session { session: Some(SessionKey::new([1; 16])) };
        let msg = Message::Request(Request { addr: A, signed: true, body });
        Event::Received { conn: ConnId(conn), msg }
    };
    for conn in 1..=REQUESTS_MAX as u64 {
        assert_eq!(it.step(request(conn)), Step::Advanced);
        assert_eq!(it.refused(), None);
    }
    assert!(it.ignores(request(1)), "the first is worked on");
    let _ = it.step(request(0));
    assert_eq!(it.refused(), Some(Refusal::Busy));
    let _ = it.step(Event::Fired(Timer::Request(ConnId(2))));
    assert_eq!(it.refused(), Some(Refusal::Unavailable), "it has waited long enough");
    let _ = it.step(Event::Lost(ConnId(1)));
    for conn in [0, 1] {
        let _ = it.step(request(conn));
        assert_eq!(it.refused(), None, "a place is free again");
    }
    let _ = it.step(request(2));
    assert_eq!(it.refused(), Some(Refusal::Busy));
}
