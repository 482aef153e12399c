//! The RoomServer, one rule at a time: what it holds, what it is told, and what rules that are left out make of it.

use gatepass_core::{
    ids::Version,
    limits::{ANNOUNCE_MAX, CONNECTIONS_MAX, ROOMS_MAX},
    policy::{Conflict, Handover, UdpBind},
    role::{Outage, Why},
};

use super::{edges::endpoint, *};

const STALE: Step = Step::Ignored(Why::Stale);
const UNEXPECTED: Step = Step::Ignored(Why::Unexpected);

fn from_center(msg: ToServer) -> Event {
    Event::FromCenter(Message::ToServer(msg))
}

fn renewed(generation: u32) -> Answer {
    Answer::Cache(CacheAnswer::Renewed { generation: Generation(generation) })
}

fn profile() -> Answer {
    Answer::Accounts(AccountsAnswer::Profile)
}

/// A room with rules of its own.
fn room_with(policy: Policy) -> Sut<RoomServer> {
    let mut it = room();
    it.policy = policy;
    it
}

fn granted(
    account: u64,
    seq: u64,
    version: Version,
    room: u32,
    previous: Option<(ServerId, Version)>,
) -> Answer {
    let (account, seq, room) = (AccountId(account), ordinal(seq), RoomId(room));
    Answer::Cache(CacheAnswer::Granted(Grant { account, seq, room, version, previous }))
}

impl Sut<RoomServer> {
    fn told(&self) -> Vec<ToCenter> {
        let told = |effect: &Effect| match effect {
            Effect::ToCenter(Message::ToCenter(msg)) => Some(msg.clone()),
            _ => None,
        };
        self.did.iter().filter_map(told).collect()
    }

    fn closes(&self, conn: u64) -> bool {
        self.did(|effect| *effect == Effect::Close(ConnId(conn)))
    }

    fn asks(&self, what: impl Fn(&CacheAsk) -> bool) -> bool {
        self.did(|effect| matches!(effect, Effect::Ask { ask: Ask::Cache(ask), .. } if what(ask)))
    }

    fn reasserts(&self) -> Option<Vec<u64>> {
        self.did.iter().find_map(|effect| match effect {
            Effect::Ask { ask: Ask::Cache(CacheAsk::Reassert { held, .. }), .. } => {
                Some(held.iter().map(|(account, _)| account.0).collect())
            }
            _ => None,
        })
    }

    fn is_fenced(&self) -> bool {
        self.did(|effect| *effect == Effect::Note(Fact::Fencing))
    }

    fn fires(&mut self, timer: Timer) -> Step {
        self.step(Event::Fired(timer))
    }

    /// Into a room of its own choice.
    fn enter_room(&mut self, conn: u64, account: u64, room: u32) {
        self.open(conn, A);
        let key = Some(RoomKey::new(u128::from(conn).to_be_bytes()));
        let _ = self.says(conn, ToRoom::Login { name: nickname("nick"), key });
        let _ = self.answer(granted(account, conn, ordinal(1_000 + conn), room, None));
        if self.refused().is_none() {
            let _ = self.answer(profile());
        }
    }
}

#[test]
fn a_room_server_says_what_it_holds() {
    let mut it = Sut::new(RoomServer::new(ServerId(1), endpoint()));
    assert!(!it.role.has_lease() && !it.role.is_linked());
    let mut it_ = room();
    assert!(it_.role.has_lease() && it_.role.is_linked() && it_.role.id() == ServerId(1));
    it_.enter(10, A, 1, 1);
    it_.open(11, A);
    assert_eq!((it_.role.sizes(), it_.role.waiting()), ((2, 1), 0));
    assert!(it_.role.is_live(ConnId(10)) && !it_.role.is_live(ConnId(11)) && !it_.role.is_live(ConnId(9)));
    assert_eq!(it_.role.rooms().collect::<Vec<_>>(), [(RoomId(1), 1)]);
    let _ = it_.step(Event::Unlinked);
    assert!(!it_.role.is_linked());
    it_.enter(12, A, 2, 2);
    assert_eq!(it_.told(), [], "nobody hears it");
    assert_eq!(it_.step(Event::Unlinked), STALE);
    let _ = it_.step(Event::Linked);
    let _ = it_.step(from_center(ToServer::Registered(Default::default())));
    let rooms = ToCenter::Room { room: RoomId(1), players: 2, joined: None };
    assert_eq!(it_.told(), [rooms, ToCenter::Load { rooms: 1, players: 2 }]);
    let event = Event::Lost(ConnId(10));
    let names = |it: &Sut<RoomServer>| [it.role.phase(&event), it.role.phase(&Event::Linked)];
    assert_eq!(names(&it), ["no connection", "without lease"]);
    assert_eq!(names(&it_), ["live", "leased"]);
    let _ = it_.step(Event::Command(Command::Drain));
    assert_eq!(names(&it_), ["live", "draining"]);
    let _ = it.step(Event::Command(Command::Start));
    assert_eq!(names(&it)[1], "without lease", "it has asked for one");
}

#[test]
fn many_rooms_are_announced_in_turns() {
    let mut it = room();
    let rooms = ANNOUNCE_MAX as u32 + 3;
    for n in 1..=rooms {
        it.enter_room(u64::from(n), u64::from(n), n);
    }
    let announced =
        |it: &Sut<RoomServer>| it.told().iter().filter(|msg| matches!(msg, ToCenter::Room { .. })).count();
    let _ = it.step(Event::Linked);
    let _ = it.step(from_center(ToServer::Registered(Default::default())));
    let load = ToCenter::Load { rooms, players: rooms };
    assert!(announced(&it) == ANNOUNCE_MAX && !it.told().contains(&load));
    assert!(it.did(|e| matches!(e, Effect::Arm { timer: Timer::Announce, .. })));
    let mut cut = Sut::new(it.role.clone());
    let _ = cut.step(Event::Unlinked);
    assert!(cut.did(|e| *e == Effect::Disarm(Timer::Announce)));
    assert_eq!(it.fires(Timer::Announce), Step::Advanced);
    assert!(announced(&it) == 3 && it.told().contains(&load));
    assert_eq!(it.fires(Timer::Announce), STALE);
}

#[test]
fn who_waits_too_long_is_told_why() {
    let mut it = room();
    it.open(10, A);
    let _ = it.fires(Timer::Unverified(ConnId(10)));
    assert_eq!((it.refused(), it.closes(10)), (Some(Refusal::TooSlow), true));
    it.login(11, A, 1);
    let _ = it.fires(Timer::Unverified(ConnId(11)));
    assert_eq!((it.refused(), it.closes(11)), (Some(Refusal::Unavailable), true));
    let mut it = room();
    it.enter(12, A, 2, 2);
    assert_eq!(it.fires(Timer::Unverified(ConnId(12))), STALE);
    assert_eq!(it.fires(Timer::Idle(ConnId(9))), STALE);
    assert_eq!(it.fires(Timer::DrainEnd), STALE);
    assert_eq!(it.fires(Timer::Grace), UNEXPECTED);
    assert_eq!(it.fires(Timer::Idle(ConnId(12))), Step::Advanced);
    assert_eq!((it.left(12), it.closes(12), it.live()), (Some(Ended::Idle), true, vec![]));
    let mut new = Sut::new(RoomServer::new(ServerId(1), endpoint()));
    assert_eq!(new.fires(Timer::Renew), STALE, "it has not started");
}

#[test]
fn a_drain_ends_what_is_left_once() {
    let mut it = room();
    it.enter(10, A, 1, 1);
    let _ = it.step(Event::Command(Command::Drain));
    assert_eq!(it.step(Event::Command(Command::Drain)), STALE);
    assert_eq!(it.fires(Timer::DrainEnd), Step::Advanced);
    assert!(it.did(|e| *e == Effect::CloseAll) && it.did(|e| *e == Effect::Note(Fact::Drained)));
    assert!(it.asks(|ask| matches!(ask, CacheAsk::Resign { .. })));
    assert_eq!(it.fires(Timer::DrainEnd), STALE, "it has ended");
    assert_eq!(it.fires(Timer::Renew), STALE, "it has ended");
    assert_eq!(it.step(Event::Command(Command::Start)), UNEXPECTED);
}

#[test]
fn a_room_server_starts_once_and_where_leases_are_asked_for() {
    let begins = |it: &mut Sut<RoomServer>| it.step(Event::Command(Command::Start)) == Step::Advanced;
    let new = || Sut::new(RoomServer::new(ServerId(1), endpoint()));
    let mut it = new();
    assert!(begins(&mut it) && !begins(&mut it));
    let mut it = new();
    it.policy.lease_required = false;
    assert!(!begins(&mut it));
    let mut it = new();
    let _ = it.step(Event::Command(Command::Drain));
    let _ = it.fires(Timer::DrainEnd);
    assert!(!begins(&mut it), "it has ended before it began");
}

#[test]
fn answers_about_a_lease_count_while_they_are_awaited() {
    let other = |it: &Sut<RoomServer>| it.did(|e| matches!(e, Effect::Note(Fact::OtherTerms { .. })));
    let times = gatepass_core::limits::Times::default();
    let told = || Answer::Cache(CacheAnswer::OtherTerms(times.lease_terms()));
    let soon =
        |it: &Sut<RoomServer>| it.did(|e| *e == Effect::Arm { timer: Timer::Renew, after: times.retry });
    let answers = |it: &mut Sut<RoomServer>, answer| {
        let (call, _) = it.asked.pop_front().unwrap();
        it.step(Event::Answered { call, answer })
    };
    let renews = || {
        let mut it = room();
        let _ = it.fires(Timer::Renew);
        it
    };
    let mut it = renews();
    assert!(answers(&mut it, Ok(told())) == Step::Advanced && other(&it));
    let mut it = renews();
    assert!(answers(&mut it, Err(Outage::Down)) == Step::Advanced && soon(&it));
    // Its own time was over before the answer came.
    for answer in [Ok(told()), Err(Outage::Down), Ok(renewed(1))] {
        let mut it = renews();
        let _ = it.fires(Timer::LeaseEnd(2));
        assert_eq!(answers(&mut it, answer), STALE);
        assert!(it.did.is_empty());
    }
}

#[test]
fn a_renewal_of_the_same_generation_changes_nothing_and_a_first_lease_is_announced() {
    let load = |it: &Sut<RoomServer>| it.told().iter().any(|msg| matches!(msg, ToCenter::Load { .. }));
    let mut it = room();
    it.enter(10, A, 1, 1);
    let _ = it.fires(Timer::Renew);
    let _ = it.answer(renewed(1));
    assert!(!load(&it) && it.reasserts().is_none());
    let _ = it.fires(Timer::LeaseEnd(2));
    assert_eq!(it.told(), [ToCenter::Fenced]);
    let _ = it.fires(Timer::Renew);
    let _ = it.answer(renewed(2));
    assert!(load(&it) && it.reasserts().is_none(), "nothing is held, and RCenter was told so");
    let _ = it.step(Event::Unlinked);
    let _ = it.fires(Timer::LeaseEnd(3));
    let _ = it.fires(Timer::Renew);
    let _ = it.answer(renewed(2));
    assert!(!load(&it), "nobody hears it");
}

/// A room with the sessions of accounts 1 and 2 on the connections 10 and 11, which it reasserts in generation 2.
fn reasserting() -> Sut<RoomServer> {
    let mut it = room();
    it.enter(10, A, 1, 1);
    it.enter(11, A, 2, 2);
    let _ = it.fires(Timer::Renew);
    let _ = it.answer(renewed(2));
    assert_eq!(it.reasserts(), Some(vec![1, 2]));
    it
}

fn of_new(count: u64) -> Version {
    Ordinal { generation: Generation(2), count }
}

#[test]
fn what_is_not_reasserted_ends_one_at_a_time() {
    let reasserted = |versions: &[(u64, Option<Version>)]| {
        let versions: Vec<_> =
            versions.iter().map(|(account, version)| (AccountId(*account), *version)).collect();
        Answer::Cache(CacheAnswer::Reasserted(versions.into()))
    };
    let mut it = reasserting();
    let _ = it.answer(reasserted(&[(1, None), (2, None)]));
    assert_eq!((it.left(10), it.refused()), (Some(Ended::NotReasserted), Some(Refusal::Replaced)));
    assert_eq!((it.live(), it.reasserts(), it.closes(10)), (vec![11], Some(vec![2]), true));
    let _ = it.answer(reasserted(&[(2, None)]));
    assert_eq!((it.live(), it.left(11), it.reasserts()), (vec![], Some(Ended::NotReasserted), None));
    assert!(it.did(|e| *e == Effect::Disarm(Timer::LeaseEnd(1))), "the new lease counts");
    let mut it = reasserting();
    let _ = it.answer(reasserted(&[(1, Some(of_new(1))), (2, None)]));
    assert_eq!((it.live(), it.reasserts()), (vec![10, 11], Some(vec![2])), "a step of its own");
    // While it lasts, whatever is granted may be another's by now.
    let mut it = reasserting();
    it.open(12, A);
    let _ = it.says(12, ToRoom::Login { name: nickname("nick"), key: Some(key(3)) });
    let (call, _) = it.asked.pop_back().unwrap();
    let _ = it.step(Event::Answered { call, answer: Ok(granted(3, 3, of_new(9), 2, None)) });
    assert!(it.is_fenced() && !it.did(|e| matches!(e, Effect::Ask { .. })));
    // What comes after the end of it says nothing.
    let mut it = reasserting();
    let _ = it.fires(Timer::LeaseEnd(2));
    assert_eq!(it.answer(reasserted(&[(1, Some(of_new(1)))])), STALE);
}

#[test]
fn a_grant_of_an_older_generation_is_void() {
    let mut it = room();
    let _ = it.fires(Timer::Renew);
    let _ = it.answer(renewed(2));
    for (version, void) in [(ordinal(900), true), (of_new(1), false)] {
        it.login(10 + version.count, A, version.count as u8);
        let _ = it.answer(granted(1, 1, version, 1, None));
        assert_eq!(it.is_fenced(), void, "{version:?}");
        it.asked.clear();
    }
}

#[test]
fn an_answer_counts_for_the_call_that_is_out() {
    let call = |number| CallId { conn: ConnId(10), number };
    let waits = |it: &Sut<RoomServer>| [1, 2, 3].map(|number| it.role.waits_for(call(number)));
    let refused = || Ok(Answer::Cache(CacheAnswer::Refused(Refusal::TokenUsed)));
    let asks_twice = |policy| {
        let mut it = room_with(policy);
        it.login(10, A, 1);
        assert!(it.asks(|ask| matches!(ask, CacheAsk::Redeem { attempt, .. } if *attempt == call(1))));
        assert!(it.role.waits_for(call(1)) && !it.role.waits_for(CallId { conn: ConnId(11), number: 1 }));
        let _ = it.fires(Timer::Retry(ConnId(10)));
        assert!(it.asks(|ask| matches!(ask, CacheAsk::Redeem { attempt, .. } if *attempt == call(1))));
        assert_eq!(waits(&it), [false, true, false]);
        it
    };
    let unmatched = Policy { calls_matched: false, ..Policy::STRICT };
    for (policy, number, counts) in [
        (Policy::STRICT, 1, false),
        (Policy::STRICT, 2, true),
        (unmatched, 1, true),
        (unmatched, 2, true),
        (unmatched, 0, false),
    ] {
        let mut it = asks_twice(policy);
        let step = it.step(Event::Answered { call: call(number), answer: refused() });
        assert_eq!((step == Step::Advanced, it.refused().is_some()), (counts, counts), "{number}");
    }
    let mut it = asks_twice(unmatched);
    let _ = it.step(Event::Answered { call: call(2), answer: Err(Outage::Down) });
    assert_eq!(waits(&it), [false; 3]);
    assert_eq!(it.step(Event::Answered { call: call(1), answer: refused() }), STALE, "nothing is out");
    // The next login on the connection is another attempt.
    let mut it = room();
    it.enter(10, A, 1, 1);
    let _ = it.says(10, ToRoom::Logout);
    let _ = it.says(10, ToRoom::Login { name: nickname("nick"), key: Some(key(2)) });
    assert!(it.asks(|ask| matches!(ask, CacheAsk::Redeem { attempt, .. } if *attempt == call(3))));
}

#[test]
fn a_grant_that_comes_late_is_given_back_unless_it_is_asked_for_again() {
    let late = |it: &mut Sut<RoomServer>, version| {
        let call = CallId { conn: ConnId(10), number: 1 };
        it.step(Event::Answered { call, answer: Ok(granted(1, 1, ordinal(version), 1, None)) })
    };
    let mut it = room();
    it.login(10, A, 1);
    let _ = it.step(Event::Lost(ConnId(10)));
    assert_eq!(late(&mut it, 101), Step::Advanced);
    assert!(it.releases() && it.is_fenced());
    assert_eq!(late(&mut it, 101), STALE, "it was released");
    assert!(late(&mut it, 102) == Step::Advanced && it.releases());
    let mut it = room();
    it.login(10, A, 1);
    let _ = it.fires(Timer::Retry(ConnId(10)));
    assert_eq!(late(&mut it, 101), STALE, "the other answer is a newer version of it");
    assert!(!it.releases());
}

#[test]
fn a_takeover_needs_no_second_place_if_it_is_newer_and_in_the_same_room() {
    for (seq, room_, fits) in [(3, 1, true), (1, 1, false), (0, 1, false), (3, 2, true)] {
        let mut it = room();
        it.enter(10, A, 1, 1);
        it.enter(11, A, 2, 2);
        it.login(12, B, 9);
        let _ = it.answer(granted(1, seq, ordinal(900), room_, None));
        assert_eq!(it.refused(), (!fits).then_some(Refusal::RoomFull), "login {seq} for room {room_}");
    }
}

#[test]
fn a_server_has_as_many_rooms_as_it_may() {
    let mut it = room();
    for n in 1..=ROOMS_MAX as u32 {
        it.enter_room(n.into(), n.into(), n);
        assert_eq!(it.refused(), None, "room {n}");
    }
    it.enter_room(5_000, 5_000, 5_000);
    assert_eq!(it.refused(), Some(Refusal::RoomFull));
    it.enter_room(5_001, 5_001, 1);
    assert_eq!(it.refused(), None, "there is a place in a room that there is");
}

#[test]
fn the_end_of_a_session_that_names_no_connection_unseats_the_next() {
    let late = Policy { leave_names_connection: false, ..Policy::STRICT };
    let unseated = |it: &Sut<RoomServer>| it.did(|e| matches!(e, Effect::Note(Fact::Unseated { .. })));
    let offline =
        |it: &Sut<RoomServer>| it.did(|e| matches!(e, Effect::Arm { timer: Timer::Offline(_), .. }));
    let mut it = room();
    it.enter(10, A, 1, 1);
    let _ = it.step(Event::Lost(ConnId(10)));
    assert!(!offline(&it));
    let mut it = room_with(late);
    it.enter(10, A, 1, 1);
    it.enter(11, A, 1, 2);
    assert!(offline(&it));
    assert!(it.fires(Timer::Offline(ConnId(10))) == Step::Advanced && unseated(&it));
    assert_eq!(it.fires(Timer::Offline(ConnId(10))), STALE);
    // As many as there may be connections, and no more.
    let mut it = room_with(late);
    for conn in 1..=CONNECTIONS_MAX as u64 + 1 {
        it.enter_room(conn, 1, 1);
        let _ = it.step(Event::Lost(ConnId(conn)));
        assert_eq!(offline(&it), conn <= CONNECTIONS_MAX as u64, "{conn}");
    }
}

#[test]
fn a_confirmation_that_is_trusted_admits_without_the_cache() {
    let owned = || {
        let (account, seq, room) = (ANN, ordinal(2), RoomId(1));
        Answer::Cache(CacheAnswer::Owned { account, seq, room, owner: ServerId(2), version: ordinal(50) })
    };
    for confirmation_is_hint in [true, false] {
        let mut it = room_with(Policy { confirmation_is_hint, ..Policy::STRICT });
        it.login(10, A, 2);
        let _ = it.answer(owned());
        let _ = it.step(from_center(ToServer::Kicked(ANN)));
        assert_eq!(it.asks(|ask| matches!(ask, CacheAsk::Redeem { .. })), confirmation_is_hint);
        let _ = it.answer(if confirmation_is_hint { owned() } else { profile() });
        assert_eq!(it.live().is_empty(), confirmation_is_hint);
    }
}

#[test]
fn a_relogin_that_rcenter_tells_of_ends_the_session_of_that_token_and_account() {
    let told = |key, account| from_center(ToServer::CheckRelogin { key, account: AccountId(account) });
    let mut it = room();
    it.enter(10, A, 1, 5);
    assert_eq!(it.step(told(Some(key(5)), 2)), STALE);
    assert_eq!(it.step(told(Some(key(6)), 1)), STALE);
    assert_eq!(it.step(told(None, 1)), STALE);
    assert_eq!(it.live(), [10]);
    assert_eq!(it.step(told(Some(key(5)), 1)), Step::Advanced);
    assert_eq!((it.left(10), it.closes(10)), (Some(Ended::Replaced { by: ordinal(5) }), true));
}

#[test]
fn the_empty_key_is_the_oldest_connections_where_it_is_taken() {
    for (empty_key_refused, from, live, why) in [
        (true, A, 10, Some(Refusal::TokenUnknown)),
        (false, B, 10, Some(Refusal::TokenUsed)),
        (false, A, 12, None),
    ] {
        let mut it = room_with(Policy { empty_key_refused, ..Policy::STRICT });
        it.enter(10, A, 1, 2);
        it.enter(11, B, 2, 1);
        it.open(12, from);
        let _ = it.says(12, ToRoom::Login { name: nickname("nick"), key: None });
        assert!(it.live().contains(&live));
        assert_eq!(it.left(10).is_some(), why.is_none());
        let told = it.refused().filter(|why| *why != Refusal::Replaced);
        assert_eq!(told, why);
    }
    let mut it = room_with(Policy { empty_key_refused: false, ..Policy::STRICT });
    it.open(12, A);
    let _ = it.says(12, ToRoom::Login { name: nickname("nick"), key: None });
    assert_eq!(it.refused(), Some(Refusal::TokenUnknown), "there is nobody");
}

#[test]
fn a_refusal_that_does_not_close_keeps_the_connection_and_perhaps_who_he_was() {
    let open = Policy { refusal_closes: false, ..Policy::STRICT };
    let mut it = room_with(open);
    it.open(10, A);
    assert_eq!(it.says(10, ToRoom::Heartbeat), UNEXPECTED, "it is not even refused");
    assert_eq!(it.refused(), None);
    for (policy, told, asks_token) in [
        (Policy::STRICT, None, true),
        (open, Some(Refusal::Unavailable), true),
        (Policy { refusal_forgets: false, ..open }, Some(Refusal::Unavailable), false),
    ] {
        let mut it = room_with(policy);
        it.login(10, A, 1);
        let _ = it.grant(1, 1, 101);
        let (call, _) = it.asked.pop_front().unwrap();
        let _ = it.step(Event::Answered { call, answer: Err(Outage::Down) });
        assert_eq!((it.refused(), it.closes(10)), (told, false));
        if told.is_none() {
            continue;
        }
        let _ = it.says(10, ToRoom::Login { name: nickname("nick"), key: Some(key(2)) });
        assert_eq!(it.asks(|ask| matches!(ask, CacheAsk::Redeem { .. })), asks_token);
        if !asks_token {
            assert_eq!(it.role.rooms().collect::<Vec<_>>(), [(RoomId(1), 1)]);
            let _ = it.answer(profile());
            assert_eq!(it.live(), [10], "the token was never looked at");
        }
    }
}

#[test]
fn a_session_that_moves_binds_its_datagrams_anew() {
    let mut it = room_with(Policy { udp_bind: UdpBind::SameAddress, ..Policy::STRICT });
    it.enter(10, A, 1, 1);
    let bind = || {
        let msg = Message::ToRoom(ToRoom::Bind { account: ANN, key: Some(key(1)) });
        Event::Datagram { addr: A, port: 9, msg }
    };
    let bound =
        |it: &Sut<RoomServer>, to| it.did(|e| matches!(e, Effect::Bound { conn, .. } if conn.0 == to));
    let _ = it.step(bind());
    assert!(bound(&it, 10));
    it.login(11, A, 1);
    assert_eq!(it.live(), [11]);
    let _ = it.step(bind());
    assert!(bound(&it, 11));
    assert_eq!(it.step(bind()), UNEXPECTED);
}

#[test]
fn rules_of_the_originals_about_who_owns_an_account() {
    let previous = Some((ServerId(2), ordinal(50)));
    let kicks = |it: &Sut<RoomServer>| it.told().iter().any(|msg| matches!(msg, ToCenter::Kick(_)));
    for (handover, kicked) in [(Handover::BeforeAdmission, false), (Handover::AfterAdmission, true)] {
        let mut it = room_with(Policy { handover, ..Policy::STRICT });
        it.login(10, A, 1);
        let _ = it.answer(granted(1, 1, ordinal(101), 1, previous));
        assert_eq!(kicks(&it), kicked);
    }
    for redeem_claims in [true, false] {
        let mut it = room_with(Policy { redeem_claims, ..Policy::STRICT });
        it.enter(10, A, 1, 1);
        assert_eq!(it.asks(|ask| matches!(ask, CacheAsk::Claim { .. })), !redeem_claims);
    }
    for (local_takeover_atomic, conflict, at_once) in [
        (true, Conflict::KickOld, false),
        (false, Conflict::KickOld, true),
        (false, Conflict::KeepBoth, false),
    ] {
        let mut it = room_with(Policy { local_takeover_atomic, conflict, ..Policy::STRICT });
        it.enter(10, A, 1, 1);
        it.login(11, B, 2);
        let _ = it.grant(1, 2, 102);
        assert_eq!(it.left(10).is_some(), at_once, "{conflict:?}");
    }
}

#[test]
fn what_is_over_is_disarmed_and_can_begin_again() {
    let mut it = room();
    it.login(10, A, 1);
    let _ = it.grant(1, 1, 101);
    let _ = it.answer(profile());
    for timer in [Timer::Retry(ConnId(10)), Timer::Unverified(ConnId(10))] {
        assert!(it.did(|e| *e == Effect::Disarm(timer)), "{timer:?}");
    }
    let _ = it.step(Event::Lost(ConnId(10)));
    it.login(11, A, 1);
    assert!(it.asks(|ask| matches!(ask, CacheAsk::Redeem { .. })), "the token leads nowhere here any more");
    let _ = it.fires(Timer::Renew);
    assert_eq!(it.fires(Timer::LeaseEnd(9)), STALE, "no lease of this server's");
    let drains = |it: &Sut<RoomServer>| it.did(|e| matches!(e, Effect::Arm { timer: Timer::DrainEnd, .. }));
    for empty in [true, false] {
        let mut it = room();
        if !empty {
            it.enter(10, A, 1, 1);
        }
        let _ = it.step(Event::Command(Command::Drain));
        assert_eq!(drains(&it), !empty, "what is empty has ended");
    }
    let mut it = room_with(Policy { unverified_is_mute: false, ..Policy::STRICT });
    it.open(10, A);
    let _ = it.says(10, ToRoom::Heartbeat);
    assert!(it.did(|e| *e == Effect::Send { conn: ConnId(10), msg: Message::ToPlayer(ToPlayer::Echo) }));
}
