//! What breaks a property and what only just does not, what exercises it and what does not: situation by situation. A
//! judge that is blind to one of them would find no fault with roles that are.

use gatepass_core::{
    ids::SessionKey,
    ledger::{Claim, Evidence, Ledger},
    message::Place,
    properties::{
        Goal, Judgement, LinkStep, Properties, Property, Step as RoomStep, View, promises_too_much,
    },
};

use super::{edges::endpoint, *};

const BOB: AccountId = AccountId(2);
const CAPACITY: u16 = 2;

use Property::*;

fn set(properties: &[Property]) -> Properties {
    let mut set = Properties::NONE;
    for property in properties {
        set.add(Properties::only(*property));
    }
    set
}

fn place(server: u64) -> Place {
    Place { server: ServerId(server), endpoint: endpoint(), room: RoomId(1), scene: 1 }
}

fn session(n: u8) -> SessionKey {
    SessionKey::new([n; 16])
}

fn payload(n: u8) -> Payload {
    Payload::new([n; 16])
}

fn checked(account: AccountId) -> Fact {
    Fact::CredentialChecked { account, genuine: true }
}

fn opened(n: u8, account: AccountId) -> Fact {
    Fact::SessionOpened { key: session(n), account }
}

fn issued(token: u8, on: u8, account: AccountId, server: u64) -> Fact {
    let (key, seq, place) = (key(token), ordinal(token.into()), place(server));
    Fact::TokenIssued { key, session: session(on), account, seq, place }
}

fn redeemed(token: u8, server: u64) -> Fact {
    Fact::TokenRedeemed { key: key(token), server: ServerId(server) }
}

/// Somebody who comes in.
#[derive(Clone, Copy)]
struct Entry {
    server: u64,
    conn: u64,
    account: AccountId,
    seq: u64,
    token: Option<u8>,
    room: u32,
    resumes: Option<u64>,
}

/// Ann's, on token 1, where it leads.
const ENTRY: Entry =
    Entry { server: 1, conn: 10, account: ANN, seq: 1, token: Some(1), room: 1, resumes: None };

impl From<Entry> for Fact {
    fn from(it: Entry) -> Self {
        Self::Admitted {
            server: ServerId(it.server),
            conn: ConnId(it.conn),
            account: it.account,
            seq: ordinal(it.seq),
            key: it.token.map(key),
            room: RoomId(it.room),
            resumes: it.resumes.map(ConnId),
            handed_over: false,
        }
    }
}

fn left(conn: u64, why: Ended) -> Fact {
    Fact::Left { server: ServerId(1), conn: ConnId(conn), account: ANN, why }
}

fn token_refused(token: u8, server: u64) -> Fact {
    Fact::TokenRefused { key: key(token), server: ServerId(server), why: Refusal::TokenUsed }
}

fn entry_refused(conn: u64, why: Refusal) -> Fact {
    Fact::EntryRefused { conn: ConnId(conn), waited: false, why }
}

fn record(ledger: &mut Ledger, fact: &Fact, player: Option<Option<AccountId>>) -> Judgement {
    ledger.record(fact, View { player, room_capacity: CAPACITY })
}

fn ledger(before: &[Fact]) -> Ledger {
    let mut ledger = Ledger::default();
    for fact in before {
        let _ = record(&mut ledger, fact, None);
    }
    ledger
}

/// What a fact says after others.
#[track_caller]
fn judged(before: &[Fact], fact: impl Into<Fact>, met: &[Property], broken: &[Property]) {
    let fact = fact.into();
    let judged = record(&mut ledger(before), &fact, None);
    assert_eq!(judged, Judgement { met: set(met), broken: set(broken) }, "{fact:?}");
}

/// Ann has logged in and has token 1 for server 1; then these.
fn and(more: &[Fact]) -> Vec<Fact> {
    let begin = [checked(ANN), opened(1, ANN), issued(1, 1, ANN, 1)];
    begin.into_iter().chain(more.iter().cloned()).collect()
}

#[test]
fn signatures_are_fresh_and_good_once() {
    let accepted = |n, age| Fact::SignatureAccepted { payload: payload(n), age };
    let refused = |n, why| Fact::SignatureRefused { payload: payload(n), why };
    judged(&[], accepted(1, Age::Fresh), &[], &[]);
    for age in [Age::Stale, Age::Future] {
        judged(&[], accepted(1, age), &[SignatureFresh], &[SignatureFresh]);
    }
    let before = [accepted(1, Age::Fresh)];
    judged(&before, accepted(2, Age::Fresh), &[], &[]);
    judged(&before, accepted(1, Age::Fresh), &[SignatureOnce], &[SignatureOnce]);
    judged(&before, refused(1, Refusal::SignatureReplayed), &[SignatureOnce], &[]);
    judged(&before, refused(2, Refusal::SignatureReplayed), &[], &[]);
    judged(&before, refused(2, Refusal::SignatureStale), &[SignatureFresh], &[]);
}

#[test]
fn a_session_stands_on_a_verification_of_its_own() {
    let ledger = ledger(&[
        opened(1, ANN),
        checked(ANN),
        checked(ANN),
        Fact::CredentialChecked { account: ANN, genuine: false },
        opened(2, ANN),
        opened(3, BOB),
        opened(4, ANN),
        opened(5, ANN),
    ]);
    let genuine = [1, 2, 3, 4, 5].map(|n| ledger.sessions[&session(n)].genuine);
    assert_eq!(genuine, [false, true, false, true, false]);
    judged(&[], Fact::CredentialChecked { account: ANN, genuine: false }, &[Authentic], &[]);
    judged(&[], checked(ANN), &[], &[]);
}

#[test]
fn a_session_that_is_over_stays_over() {
    let ended = |n| Fact::SessionEnded { key: session(n) };
    let open = [checked(ANN), opened(1, ANN)];
    judged(&[], opened(1, ANN), &[], &[]);
    judged(&open, opened(1, ANN), &[], &[]);
    judged(&open, opened(2, ANN), &[], &[]);
    judged(&open, issued(1, 1, ANN, 1), &[], &[]);
    let by = |end: Fact| [open[0].clone(), open[1].clone(), end];
    for over in [by(ended(1)), by(opened(2, ANN))] {
        judged(&over, opened(1, ANN), &[], &[SessionExpires]);
        judged(&over, issued(1, 1, ANN, 1), &[], &[SessionExpires]);
    }
    for other in [by(ended(2)), by(opened(2, BOB)), [opened(2, BOB), opened(1, ANN), ended(2)]] {
        judged(&other, issued(1, 1, ANN, 1), &[], &[]);
    }
    judged(&[], Fact::RequestRefused { why: Refusal::NoSession }, &[SessionExpires], &[]);
}

#[test]
fn a_session_has_one_good_token() {
    judged(&and(&[]), issued(2, 1, ANN, 1), &[], &[Bounded]);
    let gone = [
        Fact::TokenSuperseded { key: key(1) },
        Fact::TokenExpired { key: key(1), unused: true },
        redeemed(1, 1),
    ];
    for over in gone {
        judged(&and(&[over]), issued(2, 1, ANN, 1), &[], &[]);
    }
    judged(&and(&[checked(BOB), opened(2, BOB)]), issued(2, 2, BOB, 1), &[], &[]);
}

#[test]
fn what_it_means_to_show_a_token() {
    let expired = Fact::TokenExpired { key: key(1), unused: true };
    let newer = Fact::TokenSuperseded { key: key(1) };
    let of = |before: &[Fact], server, met: &[Property], broken: &[Property]| {
        judged(&and(before), redeemed(1, server), met, broken);
        judged(&and(before), token_refused(1, server), met, &[]);
    };
    of(&[], 1, &[], &[]);
    of(&[], 2, &[RoomTokenBound], &[]);
    of(&[expired], 1, &[RoomTokenExpires], &[RoomTokenExpires]);
    of(&[newer], 1, &[NewestLoginWins], &[]);
    of(&[redeemed(1, 1)], 1, &[], &[]);
    of(&[ENTRY.into()], 1, &[RoomTokenSingleUse], &[]);
    judged(&and(&[]), redeemed(2, 1), &[Authentic], &[]);
    judged(&and(&[]), token_refused(2, 1), &[Authentic], &[]);
}

#[test]
fn a_connection_is_refused_once() {
    judged(&[], entry_refused(1, Refusal::Busy), &[Bounded], &[]);
    judged(&[], entry_refused(1, Refusal::RoomFull), &[Bounded, Capacity], &[]);
    let before = [entry_refused(1, Refusal::Busy)];
    judged(&before, entry_refused(1, Refusal::Busy), &[Bounded], &[Bounded]);
    judged(&before, entry_refused(2, Refusal::Busy), &[Bounded], &[]);
    let mut ledger = ledger(&before);
    ledger.closed(ConnId(1));
    let fact = entry_refused(1, Refusal::Busy);
    assert_eq!(record(&mut ledger, &fact, None).broken, Properties::NONE, "the name is another's by now");
}

#[test]
fn refusals_of_requests_exercise_what_they_are_about() {
    for (why, met) in [
        (Refusal::NoRoom, &[Capacity][..]),
        (Refusal::WrongCredentials, &[NoSecretLeaks]),
        (Refusal::Busy, &[]),
    ] {
        judged(&[], Fact::RequestRefused { why }, met, &[]);
    }
}

#[test]
fn an_account_is_live_once() {
    let again = Entry { server: 2, conn: 20, seq: 2, token: Some(2), ..ENTRY };
    let second = [redeemed(1, 1), ENTRY.into(), issued(2, 1, ANN, 2)];
    judged(&and(&[]), ENTRY, &[], &[]);
    judged(&and(&second), again, &[SingleLiveSession], &[SingleLiveSession]);
    for ends in [left(10, Ended::Lost), Fact::Fenced { server: ServerId(1) }] {
        let before = [&second[..], &[ends]].concat();
        judged(&and(&before), again, &[SingleLiveSession], &[]);
    }
    // In its own place nobody is another.
    let mut before = and(&second);
    judged(&before, Entry { server: 1, conn: 10, ..again }, &[SingleLiveSession], &[RoomTokenBound]);
    // Nor are two on one server, or one connection of two servers.
    for (server, conn) in [(1, 11), (2, 10)] {
        let broken: &[_] =
            if server == 1 { &[SingleLiveSession, RoomTokenBound] } else { &[SingleLiveSession] };
        judged(&before, Entry { server, conn, ..again }, &[SingleLiveSession], broken);
    }
    before.extend([checked(BOB), opened(2, BOB), issued(3, 2, BOB, 1)]);
    judged(&before, Entry { conn: 30, account: BOB, seq: 3, token: Some(3), ..ENTRY }, &[], &[]);
}

#[test]
fn a_stopped_server_holds_nothing_once_its_lease_is_over() {
    let second = Fact::from(Entry { server: 2, conn: 20, seq: 2, token: Some(2), ..ENTRY });
    let before = || ledger(&and(&[redeemed(1, 1), ENTRY.into(), issued(2, 1, ANN, 2)]));
    for (suspended, broken) in [(1, Properties::NONE), (3, set(&[SingleLiveSession]))] {
        let mut ledger = before();
        ledger.suspend(ServerId(suspended));
        assert_eq!(record(&mut ledger, &second, None).broken, broken);
        assert_eq!(ledger.wake(ServerId(2)), Properties::NONE, "it was never stopped");
        assert_eq!(ledger.wake(ServerId(suspended)), set(&[SingleLiveSession]));
        assert_eq!(ledger.wake(ServerId(suspended)), Properties::NONE, "it is awake");
    }
    let mut ledger = before();
    ledger.suspend(ServerId(1));
    assert_eq!(ledger.wake(ServerId(1)), Properties::NONE, "nobody else came");
    ledger.suspend(ServerId(1));
    ledger.server_gone(ServerId(1));
    assert!(ledger.suspended.is_empty() && ledger.live.is_empty());
}

#[test]
fn two_live_sessions_break_at_rest_whoever_was_judged() {
    let entries = [ENTRY, Entry { conn: 20, account: BOB, ..ENTRY }, Entry { server: 2, ..ENTRY }];
    let facts = entries.map(Fact::from);
    assert_eq!(ledger(&facts[..2]).at_rest(), Properties::NONE, "two accounts");
    assert_eq!(ledger(&facts).at_rest(), set(&[SingleLiveSession]));
}

#[test]
fn a_player_is_who_he_says_he_is() {
    let before = and(&[redeemed(1, 1)]);
    for (player, broken) in [
        (None, Properties::NONE),
        (Some(Some(ANN)), Properties::NONE),
        (Some(Some(BOB)), set(&[Authentic])),
        (Some(None), set(&[Authentic])),
    ] {
        assert_eq!(record(&mut ledger(&before), &ENTRY.into(), player).broken, broken, "{player:?}");
    }
    judged(&before, Entry { token: None, ..ENTRY }, &[], &[Authentic]);
    judged(&before, Entry { token: Some(9), ..ENTRY }, &[], &[Authentic]);
    let token = issued(1, 1, ANN, 1);
    judged(std::slice::from_ref(&token), ENTRY, &[], &[Authentic]);
    judged(&[opened(1, ANN), token.clone()], ENTRY, &[], &[Authentic]);
    judged(&[checked(BOB), opened(1, BOB), token], ENTRY, &[], &[Authentic]);
}

#[test]
fn a_token_lets_one_in_where_it_leads() {
    let before = and(&[redeemed(1, 1), ENTRY.into(), left(10, Ended::Lost)]);
    let again = Entry { conn: 11, seq: 2, ..ENTRY };
    judged(&before, again, &[SingleLiveSession], &[RoomTokenSingleUse]);
    judged(&before, Entry { resumes: Some(10), ..again }, &[SingleLiveSession], &[]);
    judged(&and(&[]), Entry { server: 2, ..ENTRY }, &[], &[RoomTokenBound]);
    judged(&and(&[]), Entry { account: BOB, ..ENTRY }, &[], &[RoomTokenBound, Authentic]);
    for (died, broken) in [(1, set(&[RoomTokenBound])), (2, Properties::NONE)] {
        let mut ledger = ledger(&and(&[]));
        ledger.server_died(ServerId(died));
        assert_eq!(record(&mut ledger, &ENTRY.into(), None).broken, broken, "{died}");
    }
}

#[test]
fn logins_get_newer() {
    let first = Entry { seq: 5, ..ENTRY };
    let moves = Entry { seq: 5, conn: 11, resumes: Some(10), ..ENTRY };
    let before = and(&[redeemed(1, 1), first.into(), left(10, Ended::Resumed)]);
    for (entry, wins) in [
        (moves, true),
        (Entry { seq: 6, ..moves }, true),
        (Entry { seq: 4, ..moves }, false),
        (Entry { seq: 5, resumes: None, ..moves }, false),
        (Entry { seq: 6, resumes: None, ..moves }, true),
    ] {
        let broken = record(&mut ledger(&before), &entry.into(), None).broken;
        assert_eq!(broken.has(NewestLoginWins), !wins, "{} {:?}", entry.seq, entry.resumes);
    }
    let by = |n| Ended::Replaced { by: ordinal(n) };
    let live = and(&[first.into()]);
    judged(&live, left(10, by(6)), &[NewestLoginWins], &[]);
    judged(&live, left(10, by(5)), &[NewestLoginWins], &[NewestLoginWins]);
    judged(&live, left(10, by(4)), &[NewestLoginWins], &[NewestLoginWins]);
    judged(&live, left(10, Ended::LoggedOut), &[], &[]);
    judged(&live, left(11, by(4)), &[], &[]);
    let unseated = Fact::Unseated { server: ServerId(1), conn: ConnId(10) };
    judged(&live, unseated, &[], &[NewestLoginWins]);
}

#[test]
fn a_room_holds_as_many_as_it_has_places() {
    let others =
        [1, 2].map(|n| Entry { conn: n, account: AccountId(10 + u64::from(n as u8)), ..ENTRY }.into());
    for (server, room, fits) in [(1, 1, false), (1, 2, true), (2, 1, true)] {
        let entry = Entry { server, room, conn: 3, ..ENTRY };
        let broken = record(&mut ledger(&and(&others)), &entry.into(), None).broken;
        assert_eq!(broken.has(Capacity), !fits, "room {room} of {server}");
    }
    let moves = Entry { conn: 2, ..ENTRY };
    assert!(!record(&mut ledger(&and(&others)), &moves.into(), None).broken.has(Capacity));
}

fn logged_in(name: &str, account: AccountId) -> Reply {
    let name = bounded(name).unwrap();
    Reply::LoggedIn { name, account, newbie: false, password: None, session: session(1) }
}

/// What a reply says to whoever asked this, after a session 1 of Ann's and a token 1 on it.
fn answered(asked: Option<(RequestBody, Option<Evidence>)>, reply: &Reply) -> Properties {
    let mut ledger = ledger(&and(&[]));
    if let Some((body, evidence)) = asked {
        ledger.requested(ConnId(1), &Request { addr: A, signed: true, body }, evidence);
    }
    let judged = ledger.replied(ConnId(1), reply);
    assert_eq!(judged.met, Properties::NONE, "nobody else asks");
    assert!(ledger.asked.is_empty());
    judged.broken
}

fn signed(identity: Identity) -> RequestBody {
    let (age, form) = (Age::Fresh, Some(SignedText::Unambiguous));
    RequestBody::Login(Credentials::Signed { identity, registers: true, payload: payload(1), age, form })
}

#[test]
fn replies_tell_what_is_the_askers_own() {
    let (none, leaks) = (Properties::NONE, set(&[NoSecretLeaks]));
    let of = |n| Some(session(n));
    let login = || Some((RequestBody::Login(credentials()), None));
    let room = |session| Some((RequestBody::Room { session, scene: 1 }, None));
    let whose = |session| Some((RequestBody::Session { session }, None));
    let guest = || {
        let device = bounded("device").unwrap();
        Some((RequestBody::Login(Credentials::Guest { device }), None))
    };
    let register = || {
        let (name, password) = (bounded("ann").unwrap(), Password::new("a password").unwrap());
        Some((RequestBody::Login(Credentials::Register { name, password }), None))
    };
    let sent = |account, token| Reply::Room {
        account,
        endpoint: endpoint(),
        key: key(token),
        room: RoomId(1),
        scene: 1,
    };
    let is = |account| Reply::Session { account };
    let refused = Reply::Refused;
    for (at, (asked, reply, broken)) in [
        (login(), logged_in("ann", ANN), none),
        (login(), logged_in("bob", ANN), leaks),
        (register(), logged_in("ann", ANN), none),
        (guest(), logged_in("guest1", ANN), none),
        (guest(), logged_in("ann", ANN), leaks),
        (room(of(1)), logged_in("ann", ANN), leaks),
        (None, logged_in("ann", ANN), leaks),
        (room(of(1)), sent(ANN, 1), none),
        (room(of(1)), sent(ANN, 2), none),
        (room(of(1)), sent(BOB, 1), leaks),
        (room(of(1)), sent(BOB, 2), leaks),
        (room(of(2)), sent(ANN, 1), leaks),
        (room(None), sent(ANN, 1), leaks),
        (login(), sent(ANN, 1), leaks),
        (whose(of(1)), is(ANN), none),
        (whose(of(1)), is(BOB), leaks),
        (whose(of(2)), is(ANN), leaks),
        (whose(None), is(ANN), leaks),
        (login(), is(ANN), leaks),
        (login(), refused(Refusal::WrongCredentials), none),
        (login(), refused(Refusal::UnknownAccount), leaks),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(answered(asked, &reply), broken, "{at}: {reply:?}");
    }
    // A token of somebody else's is no answer, whoever's session it was asked on.
    let mut ledger = ledger(&and(&[checked(BOB), opened(2, BOB), issued(2, 2, BOB, 1)]));
    let body = RequestBody::Room { session: of(1), scene: 1 };
    ledger.requested(ConnId(1), &Request { addr: A, signed: true, body }, None);
    assert_eq!(ledger.replied(ConnId(1), &sent(ANN, 2)).broken, leaks);
}

#[test]
fn a_signature_speaks_for_whom_it_was_made_and_when() {
    let [ann, bob] = ["ann", "bob"].map(|name| Identity::new("portal", name).unwrap());
    let reply = logged_in("player#1", ANN);
    for (evidence, broken) in [
        (None, &[][..]),
        (Some(Evidence { identity: Some(ann), age: Age::Fresh }), &[]),
        (Some(Evidence { identity: Some(bob), age: Age::Fresh }), &[Authentic]),
        (Some(Evidence { identity: None, age: Age::Fresh }), &[Authentic]),
        (Some(Evidence { identity: Some(ann), age: Age::Stale }), &[SignatureFresh]),
        (Some(Evidence { identity: Some(ann), age: Age::Future }), &[SignatureFresh]),
    ] {
        assert_eq!(answered(Some((signed(ann), evidence)), &reply), set(broken), "{evidence:?}");
    }
}

#[test]
fn an_identity_has_one_account_and_an_account_one_identity() {
    let [ann, bob] = ["ann", "bob"].map(|name| Identity::new("portal", name).unwrap());
    let mut ledger = Ledger::default();
    for (identity, account, own) in
        [(ann, ANN, true), (ann, ANN, true), (ann, BOB, false), (bob, BOB, true), (bob, ANN, false)]
    {
        ledger.requested(ConnId(1), &Request { addr: A, signed: true, body: signed(identity) }, None);
        let broken = ledger.replied(ConnId(1), &logged_in("player#1", account)).broken;
        assert_eq!(broken.has(NoSecretLeaks), !own, "{identity:?} {account}");
    }
    let carl = Identity::new("portal", "carl").unwrap();
    for (identity, own) in [(carl, false), (bob, false)] {
        ledger.requested(ConnId(1), &Request { addr: A, signed: true, body: signed(identity) }, None);
        let broken = ledger.replied(ConnId(1), &logged_in("player#2", BOB)).broken;
        assert_eq!(broken.has(NoSecretLeaks), !own, "two have the account now: {identity:?}");
    }
}

#[test]
fn two_who_ask_at_once_could_be_mixed_up() {
    let mut ledger = ledger(&and(&[]));
    for conn in [1, 2] {
        let body = RequestBody::Login(credentials());
        ledger.requested(ConnId(conn), &Request { addr: A, signed: true, body }, None);
    }
    let reply = logged_in("ann", ANN);
    assert_eq!(ledger.replied(ConnId(1), &reply).met, set(&[NoSecretLeaks]));
    assert!(matches!(ledger.asked.get(&ConnId(2)), Some(Claim::Name(_))));
    ledger.closed(ConnId(2));
    assert!(ledger.asked.is_empty(), "who is gone is told nothing");
}

#[test]
fn an_unverified_connection_causes_its_own_end_alone() {
    let (own, other) = (ConnId(1), ConnId(2));
    let refused = |conn| Effect::Send { conn, msg: Message::ToPlayer(ToPlayer::Refused(Refusal::NotALogin)) };
    let echo = Effect::Send { conn: own, msg: Message::ToPlayer(ToPlayer::Echo) };
    let entry = |conn| Fact::from(Entry { conn, ..ENTRY });
    let to_center = Effect::ToCenter(Message::ToCenter(ToCenter::Draining));
    let redeem = Ask::Cache(CacheAsk::FindSession { key: session(1) });
    for (at, (effects, mute)) in [
        (vec![], true),
        (vec![refused(own), Effect::Close(own)], true),
        (vec![Effect::Ask { call: CallId { conn: own, number: 1 }, ask: redeem }], true),
        (vec![Effect::Disarm(Timer::Unverified(own))], true),
        (vec![refused(other)], false),
        (vec![echo.clone()], false),
        (vec![Effect::Close(other)], false),
        (vec![to_center], false),
        (vec![Effect::Play { conn: own, command: 6 }], false),
        (vec![Effect::Bound { conn: own, addr: A, port: 1 }], false),
        (vec![Effect::CloseAll], false),
        (vec![Effect::Note(entry(1)), echo.clone()], true),
        (vec![Effect::Note(entry(2)), echo], false),
    ]
    .into_iter()
    .enumerate()
    {
        for (msg, met) in [
            (ToRoom::Heartbeat, set(&[UnverifiedIsMute])),
            (ToRoom::Login { name: nickname("nick"), key: None }, Properties::NONE),
        ] {
            let judged = RoomStep { unverified: own, msg: &msg, effects: &effects }.judge();
            let broken = if mute { Properties::NONE } else { set(&[UnverifiedIsMute]) };
            assert_eq!(judged, Judgement { met, broken }, "{at}");
        }
    }
}

#[test]
fn a_stranger_at_rcenter_is_who_has_not_registered_and_shows_no_key() {
    let mut it = Sut::new(RCenter::new());
    it.register(1, 1);
    let _ = it.step(Event::Opened { conn: ConnId(2), addr: A });
    let shows = |trusted| {
        let (server, endpoint) = (Some(ServerId(3)), endpoint());
        Message::ToCenter(ToCenter::Register { trusted, server, endpoint, room_capacity: 1, capacity: 1 })
    };
    let load = || Message::ToCenter(READY);
    for (conn, msg, stranger) in [
        (1, load(), false),
        (1, shows(false), false),
        (2, load(), true),
        (2, shows(false), true),
        (2, shows(true), false),
        (3, load(), false),
        (2, Message::ToRoom(ToRoom::Heartbeat), false),
    ] {
        let found = LinkStep::stranger(&it.role, ConnId(conn), &msg);
        assert_eq!(found, stranger.then_some(ConnId(conn)), "{conn} {msg:?}");
    }
    let disarmed =
        LinkStep { unverified: ConnId(2), effects: &[Effect::Disarm(Timer::LinkUnverified(ConnId(2)))] };
    assert_eq!(disarmed.judge().broken, Properties::NONE);
}

#[test]
fn rcenter_promises_no_place_that_it_knows_to_be_taken() {
    let promise = |room| {
        let answer = Answer::Center(CenterAnswer::Placed(Place { room: RoomId(room), ..place(1) }));
        let call = CallId { conn: ConnId(1), number: 1 };
        [Effect::CloseAll, Effect::Answer { to: Asker(1), call, answer }]
    };
    let mut it = Sut::new(RCenter::new());
    it.register(1, 1);
    for (players, too_much) in [(1, false), (2, false), (3, true)] {
        let _ = it.tells(1, ToCenter::Room { room: RoomId(1), players, joined: None });
        assert_eq!(promises_too_much(&it.role, &promise(1)), too_much, "{players} in a room for 2");
        assert!(!promises_too_much(&it.role, &promise(2)), "another room");
        assert!(!promises_too_much(&it.role, &[]), "nothing was promised");
    }
}

#[test]
fn sets_of_properties_are_sets() {
    for (at, property) in Property::ALL.into_iter().enumerate() {
        assert_eq!(Property::named(property.name()), Some(property));
        assert_eq!(Properties::only(property).bits(), 1 << at);
        assert!(Properties::ALL.has(property) && !Properties::NONE.has(property));
    }
    let different = |texts: Vec<&str>| texts.iter().collect::<std::collections::BTreeSet<_>>().len();
    let texts = Property::ALL.iter().flat_map(|property| [property.name(), property.says()]);
    assert_eq!(different(texts.chain(Goal::ALL.map(Goal::name)).collect()), 2 * 13 + 13);
    assert_eq!(Property::named("nothing"), None);
    let two = set(&[Capacity, Bounded]);
    assert_eq!(two.bits(), Properties::only(Capacity).bits() | Properties::only(Bounded).bits());
    assert_eq!(Properties::ALL.bits(), (1 << Property::ALL.len()) - 1);
    assert_eq!(two.first_of(Properties::ALL), Some(Capacity));
    assert_eq!(two.first_of(set(&[Bounded, Authentic])), Some(Bounded));
    assert_eq!(two.first_of(set(&[Authentic])), None);
    let mut twice = two;
    twice.add(two);
    assert_eq!(twice, two);
}
