//! The accounts, the cache and the LoginServer, one rule at a time: what they answer, and what they keep.

use gatepass_core::{
    accounts::Accounts,
    cache::Cache,
    ids::{LinkId, SessionKey},
    limits::{BACKOFFS_MAX, LeaseTerms, PAYLOADS_MAX, RECALL_MAX, SERVERS_MAX, Times},
    message::{AccountsAsk, Place},
    role::Why,
};

use super::{edges::endpoint, *};
use gatepass_core::text;
use std::time::Duration;

const CALL: CallId = CallId { conn: ConnId(1), number: 1 };
const STALE: Step = Step::Ignored(Why::Stale);
const UNEXPECTED: Step = Step::Ignored(Why::Unexpected);

fn password() -> Password {
    Password::new("a password").unwrap()
}

impl<R: Role> Sut<R> {
    fn ask(&mut self, ask: Ask) -> Answer {
        let _ = self.step(Event::Asked(Question { from: Asker(0), call: CALL, ask }));
        let answer = self.did.iter().find_map(|effect| match effect {
            Effect::Answer { answer, .. } => Some(answer.clone()),
            _ => None,
        });
        answer.expect("every question is answered")
    }

    fn phase(&self, event: &Event) -> &'static str {
        self.role.phase(event)
    }
}

impl Sut<Accounts> {
    /// Account, name, whether it is new, whether it is a guest that is told its password.
    fn verify(&mut self, credentials: Credentials) -> Result<(u64, String, bool, bool), Refusal> {
        match self.ask(Ask::Accounts(AccountsAsk::Verify { credentials, guest_password: password() })) {
            Answer::Accounts(AccountsAnswer::Verified { account, name, newbie, guest }) => {
                Ok((account.0, name.to_string(), newbie, guest))
            }
            Answer::Accounts(AccountsAnswer::Refused(why)) => Err(why),
            other => panic!("{other:?}"),
        }
    }

    fn profile(&mut self, account: u64) -> Answer {
        self.ask(Ask::Accounts(AccountsAsk::Profile { account: AccountId(account) }))
    }
}

#[test]
fn guests_are_known_by_their_device_and_others_by_their_identity() {
    let guest = |device| Credentials::Guest { device: bounded(device).unwrap() };
    let signed = |subject, registers| Credentials::Signed {
        identity: Identity::new("portal", subject).unwrap(),
        registers,
        payload: Payload::new([1; 16]),
        age: Age::Fresh,
        form: Some(SignedText::Unambiguous),
    };
    let mut it = Sut::new(Accounts::new());
    for (credentials, expected) in [
        (guest(""), Err(Refusal::Malformed)),
        (guest("a"), Ok((1, "guest1", true, true))),
        (guest("b"), Ok((2, "guest2", true, true))),
        (guest("a"), Ok((1, "guest1", false, false))),
        (guest("b"), Ok((2, "guest2", false, false))),
        (signed("ann", false), Err(Refusal::WrongCredentials)),
        (signed("ann", true), Ok((3, "player#3", true, false))),
        (signed("bob", true), Ok((4, "player#4", true, false))),
        (signed("ann", false), Ok((3, "player#3", false, false))),
        (signed("ann", true), Ok((3, "player#3", false, false))),
        (signed("bob", false), Ok((4, "player#4", false, false))),
    ] {
        let told = format!("{credentials:?}");
        let expected = expected.map(|(id, name, newbie, guest)| (id, name.to_owned(), newbie, guest));
        assert_eq!(it.verify(credentials), expected, "{told}");
    }
    assert_eq!(it.role.create_for(Identity::new("portal", "ann").unwrap(), password()), None, "one each");
    let profile = Answer::Accounts(AccountsAnswer::Profile);
    let refused = |why| Answer::Accounts(AccountsAnswer::Refused(why));
    assert!(!it.role.set_banned(AccountId(9), true));
    for id in [1, 3] {
        assert!(it.role.set_banned(AccountId(id), true));
        assert_eq!(it.profile(id), refused(Refusal::Banned));
        assert_eq!(it.profile(id + 1), profile);
        let credentials = if id == 1 { guest("a") } else { signed("ann", false) };
        assert_eq!(it.verify(credentials.clone()), Err(Refusal::Banned));
        assert!(it.role.set_banned(AccountId(id), false));
        assert!(it.verify(credentials).is_ok());
        assert_eq!(it.profile(id), profile);
    }
    assert_eq!(it.profile(9), refused(Refusal::WrongCredentials));
    assert_eq!(it.phase(&Event::Linked), "open");
}

/// A cache in its first generation, server 1 with a lease, and Ann with session 1.
pub(super) fn cache() -> Sut<Cache> {
    let mut it = Sut::new(Cache::new(Generation(1), false));
    assert_eq!(it.renew(1, 1), CacheAnswer::Renewed { generation: Generation(1) });
    assert_eq!(it.open_session(ANN, 1, None), CacheAnswer::Done);
    it
}

pub(super) fn session(n: u8) -> SessionKey {
    SessionKey::new([n; 16])
}

impl Sut<Cache> {
    pub(super) fn cache(&mut self, ask: CacheAsk) -> CacheAnswer {
        match self.ask(Ask::Cache(ask)) {
            Answer::Cache(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn renew(&mut self, server: u64, number: u32) -> CacheAnswer {
        let terms = Times::default().lease_terms();
        self.cache(CacheAsk::Renew { server: ServerId(server), number, terms })
    }

    pub(super) fn open_session(
        &mut self,
        account: AccountId,
        n: u8,
        payload: Option<Payload>,
    ) -> CacheAnswer {
        self.cache(CacheAsk::OpenSession { account, key: session(n), payload })
    }

    pub(super) fn token(&mut self, token: u8) -> CacheAnswer {
        let place = Place { server: ServerId(1), endpoint: endpoint(), room: RoomId(1), scene: 1 };
        self.cache(CacheAsk::IssueToken { session: session(1), account: ANN, key: key(token), place })
    }

    pub(super) fn redeem(&mut self, token: u8) -> CacheAnswer {
        let (attempt, generation) = (CALL, Generation(1));
        self.cache(CacheAsk::Redeem { key: key(token), server: ServerId(1), attempt, generation })
    }

    pub(super) fn recall(&mut self, used: Vec<Payload>, last: bool) {
        assert_eq!(self.cache(CacheAsk::Recall { used: used.into(), last }), CacheAnswer::Done);
    }
}

pub(super) fn issued(answer: &CacheAnswer) -> Option<RoomKey> {
    if let CacheAnswer::Issued { key, .. } = answer { Some(*key) } else { None }
}

#[test]
fn a_cache_tells_what_it_holds() {
    let mut it = cache();
    let sizes = |it: &Sut<Cache>| it.role.sizes();
    assert_eq!((sizes(&it), it.role.generation()), ((1, 0, 1), Generation(1)));
    assert_eq!((it.role.lease(ServerId(1)), it.role.lease(ServerId(2))), (Some(1), None));
    let _ = it.renew(1, 7);
    let _ = it.renew(2, 3);
    let _ = it.renew(1, 5);
    assert_eq!(it.role.lease(ServerId(1)), Some(7), "an overtaken renewal stands for nothing");
    assert_eq!(it.role.leases().collect::<Vec<_>>(), [(ServerId(1), 7), (ServerId(2), 3)]);
    let _ = it.token(1);
    assert_eq!((sizes(&it), it.role.owner(ANN)), ((1, 1, 2), None));
    let CacheAnswer::Granted(grant) = it.redeem(1) else { panic!("granted") };
    assert_eq!(it.role.owner(ANN), Some((ServerId(1), grant.version)));
    let other = LeaseTerms { margin: Duration::ZERO, ..Times::default().lease_terms() };
    let asked = CacheAsk::Renew { server: ServerId(1), number: 9, terms: other };
    assert_eq!(it.cache(asked), CacheAnswer::OtherTerms(Times::default().lease_terms()));
    assert!(it.did(|e| *e == Effect::Note(Fact::OtherTerms { server: ServerId(1), theirs: other })));
}

#[test]
fn a_release_that_frees_nothing_is_noted() {
    let mut it = cache();
    let _ = it.token(1);
    let CacheAnswer::Granted(grant) = it.redeem(1) else { panic!("granted") };
    for (server, version, frees) in [
        (1, ordinal(99), false),
        (2, grant.version, false),
        (1, grant.version, true),
        (1, grant.version, false),
    ] {
        let _ = it.cache(CacheAsk::Release { account: ANN, server: ServerId(server), version });
        assert_eq!(!it.did(|e| *e == Effect::Note(Fact::Fencing)), frees, "{server} {version:?}");
    }
    assert_eq!(it.role.owner(ANN), None);
}

#[test]
fn where_expiry_is_not_final_an_expired_token_is_told_again_and_a_spent_one_is_not() {
    let expires = |policy: Policy| {
        let mut it = cache();
        it.policy = policy;
        assert_eq!(issued(&it.token(1)), Some(key(1)));
        let _ = it.step(Event::Fired(Timer::TokenEnd(key(1))));
        it
    };
    let mut it = expires(Policy::STRICT);
    assert_eq!(it.redeem(1), CacheAnswer::Refused(Refusal::TokenExpired));
    assert_eq!(issued(&it.token(2)), Some(key(2)));
    let mut it = expires(Policy { expiry_is_final: false, ..Policy::STRICT });
    assert_eq!(issued(&it.token(2)), Some(key(1)));
    assert!(matches!(it.redeem(1), CacheAnswer::Granted(_)));
    assert_eq!(issued(&it.token(3)), Some(key(3)), "what is spent is spent");
    let mut it = expires(Policy { token_expires: false, ..Policy::STRICT });
    assert!(matches!(it.redeem(1), CacheAnswer::Granted(_)));
}

#[test]
fn a_full_cache_renews_the_leases_that_there_are() {
    let mut it = cache();
    let renewed = CacheAnswer::Renewed { generation: Generation(1) };
    for server in 2..=SERVERS_MAX as u64 {
        assert_eq!(it.renew(server, 1), renewed);
    }
    assert_eq!(it.renew(SERVERS_MAX as u64 + 1, 1), CacheAnswer::Refused(Refusal::Busy));
    assert_eq!(it.renew(1, 2), renewed);
}

#[test]
fn what_was_used_is_recalled_whole_or_not_believed() {
    let payload = |n: u64| Payload::new(u128::from(n).to_be_bytes());
    let forgetful = || Sut::new(Cache::forgetful(Generation(2)));
    let mut it = forgetful();
    assert!(it.role.doubts() && it.role.used_payloads().is_none());
    it.recall(vec![payload(1)], false);
    assert!(it.role.doubts() && it.role.remembers(payload(1)) && !it.role.remembers(payload(2)));
    it.recall(vec![payload(2)], true);
    assert!(it.did(|e| *e == Effect::Disarm(Timer::PayloadGrace)));
    assert!(!it.role.doubts());
    assert_eq!(it.role.used_payloads().unwrap().collect::<Vec<_>>(), [payload(1), payload(2)]);
    let replayed = CacheAnswer::Refused(Refusal::SignatureReplayed);
    assert_eq!(it.open_session(ANN, 1, Some(payload(2))), replayed);
    for (count, whole) in [(RECALL_MAX, true), (RECALL_MAX + 1, false)] {
        let mut it = forgetful();
        it.recall((0..count as u64).map(payload).collect(), true);
        assert_eq!(!it.role.doubts(), whole, "{count}");
    }
}

#[test]
fn a_cache_recalls_as_much_as_it_may_remember() {
    let payload = |n: usize| Payload::new((n as u128).to_be_bytes());
    let mut it = Sut::new(Cache::forgetful(Generation(2)));
    for from in (0..PAYLOADS_MAX).step_by(RECALL_MAX) {
        let to = PAYLOADS_MAX.min(from + RECALL_MAX);
        it.recall((from..to).map(payload).collect(), to == PAYLOADS_MAX);
    }
    assert!(it.role.remembers(payload(PAYLOADS_MAX - 1)));
    assert!(it.role.doubts(), "what is not the last may have found no place");
    it.recall(vec![payload(PAYLOADS_MAX)], false);
    assert!(!it.role.remembers(payload(PAYLOADS_MAX)));
}

#[test]
fn phases_of_services_have_names() {
    let linked = Event::Linked;
    let phases = [true, false].map(|in_grace| Sut::new(Cache::new(Generation(1), in_grace)).phase(&linked));
    assert_eq!(phases, ["grace", "open"]);
    let mut it = Sut::new(LoginServer::new());
    let lost = Event::Lost(ConnId(1));
    assert_eq!(it.phase(&lost), "idle");
    it.hears(1, A, true, RequestBody::Login(credentials()));
    assert_eq!((it.phase(&lost), it.phase(&Event::Lost(ConnId(2)))), ("verifying", "idle"));
    let _ = it.step(Event::Command(Command::Drain));
    assert_eq!((it.phase(&lost), it.phase(&Event::Lost(ConnId(2)))), ("verifying", "draining"));
    let fired = |timer| Event::Fired(timer);
    for (event, conn) in [
        (Event::Opened { conn: ConnId(1), addr: A }, Some(1)),
        (Event::Lost(ConnId(2)), Some(2)),
        (Event::Received { conn: ConnId(3), msg: Message::ToRoom(ToRoom::Heartbeat) }, Some(3)),
        (Event::Answered { call: CALL, answer: Err(gatepass_core::role::Outage::Down) }, Some(1)),
        (fired(Timer::Idle(ConnId(4))), Some(4)),
        (fired(Timer::Renew), None),
        (Event::Lost(ConnId::default()), None),
        (Event::Linked, None),
    ] {
        assert_eq!(event.conn(), conn.map(ConnId), "{event:?}");
    }
}

impl Sut<LoginServer> {
    pub(super) fn hears(&mut self, conn: u64, addr: Addr, signed: bool, body: RequestBody) {
        let msg = Message::Request(Request { addr, signed, body });
        let _ = self.step(Event::Received { conn: ConnId(conn), msg });
    }

    fn tries(&mut self, conn: u64, addr: Addr, name: &str, answer: AccountsAnswer) {
        let (name, password) = (bounded(name).unwrap(), password());
        self.hears(conn, addr, true, RequestBody::Login(Credentials::Password { name, password }));
        let _ = self.answer(Answer::Accounts(answer));
    }

    /// For how long this pause, or the memory of it, was armed.
    fn pause(&self, addr: Addr, name: Option<&str>) -> Option<Duration> {
        let name = name.map(|name| bounded(name).unwrap());
        self.did.iter().find_map(|effect| match effect {
            Effect::Arm { timer: Timer::Backoff(own, whose), after } if *own == addr && *whose == name => {
                Some(*after)
            }
            _ => None,
        })
    }
}

fn wrong() -> AccountsAnswer {
    AccountsAnswer::Refused(Refusal::WrongCredentials)
}

fn right() -> AccountsAnswer {
    AccountsAnswer::Verified { account: ANN, name: bounded("ann").unwrap(), newbie: false, guest: false }
}

#[test]
fn a_login_server_refuses_what_is_not_signed_and_what_comes_while_it_drains() {
    let mut it = Sut::new(LoginServer::new());
    it.hears(1, A, false, RequestBody::Login(credentials()));
    assert_eq!((it.refused(), it.role.pending()), (Some(Refusal::BadSignature), 0));
    assert_eq!(it.step(Event::Lost(ConnId(1))), STALE, "it was answered");
    assert_eq!(it.step(Event::Fired(Timer::Request(ConnId(1)))), STALE);
    assert_eq!(it.step(Event::Linked), UNEXPECTED);
    it.hears(1, A, true, RequestBody::Login(credentials()));
    assert_eq!(it.step(Event::Command(Command::Drain)), Step::Advanced);
    assert_eq!(it.step(Event::Command(Command::Drain)), UNEXPECTED, "it drains");
    it.hears(2, A, true, RequestBody::Login(credentials()));
    assert_eq!((it.refused(), it.role.pending()), (Some(Refusal::Draining), 1));
    assert_eq!(it.step(Event::Lost(ConnId(1))), Step::Advanced, "nobody waits for the answer");
    assert_eq!(it.role.pending(), 0);
}

#[test]
fn a_login_server_tells_what_the_cache_refuses() {
    let refused = || Answer::Cache(CacheAnswer::Refused(Refusal::Busy));
    let mut it = Sut::new(LoginServer::new());
    it.tries(1, A, "ann", right());
    let _ = it.answer(refused());
    assert_eq!((it.refused(), it.role.pending()), (Some(Refusal::Busy), 0));
    it.hears(2, A, true, RequestBody::Room { session: Some(session(1)), scene: 1 });
    let _ = it.answer(Answer::Cache(CacheAnswer::Session { account: ANN }));
    let place = Place { server: ServerId(1), endpoint: endpoint(), room: RoomId(1), scene: 1 };
    let _ = it.answer(Answer::Center(CenterAnswer::Placed(place)));
    let mut lucky = Sut::new(it.role.clone());
    lucky.asked = it.asked.clone();
    let _ = lucky.answer(Answer::Cache(CacheAnswer::Issued { key: key(1), place }));
    let (endpoint, room) = (endpoint(), RoomId(1));
    let told = Reply::Room { account: ANN, endpoint, key: key(1), room, scene: 1 };
    assert_eq!(lucky.did.last(), Some(&Effect::Send { conn: ConnId(2), msg: Message::Reply(told) }));
    let _ = it.answer(refused());
    assert_eq!((it.refused(), it.role.pending()), (Some(Refusal::Busy), 0));
}

#[test]
fn what_is_signed_is_taken_in_the_form_that_the_rules_ask_for_and_in_a_stricter_one() {
    use SignedText::{Glued, Unambiguous};
    for (signed_text, form, evidence_required, taken) in [
        (Unambiguous, Some(Unambiguous), true, true),
        (Unambiguous, Some(Glued), true, false),
        (Glued, Some(Glued), true, true),
        (Glued, Some(Unambiguous), true, true),
        (Glued, None, true, false),
        (Glued, None, false, true),
    ] {
        let mut it = Sut::new(LoginServer::new());
        it.policy = Policy { signed_text, evidence_required, ..Policy::STRICT };
        let identity = Identity::new("portal", "ann").unwrap();
        let (payload, age) = (Payload::new([1; 16]), Age::Fresh);
        let credentials = Credentials::Signed { identity, registers: true, payload, age, form };
        it.hears(1, A, true, RequestBody::Login(credentials));
        assert_eq!(it.refused().is_none(), taken, "{signed_text:?} {form:?} {evidence_required}");
    }
}

#[test]
fn a_key_that_is_not_drawn_is_the_accounts() {
    let key = |policy, account| {
        let mut it = Sut::new(LoginServer::new());
        it.policy = policy;
        let name = bounded("ann").unwrap();
        it.tries(1, A, "ann", AccountsAnswer::Verified { account, name, newbie: false, guest: false });
        match it.asked.pop_front() {
            Some((_, Ask::Cache(CacheAsk::OpenSession { key, .. }))) => key,
            other => panic!("{other:?}"),
        }
    };
    let made = Policy { session_keys_drawn: false, ..Policy::STRICT };
    assert_eq!(key(made, ANN), SessionKey::new(1_u128.to_be_bytes()));
    assert_ne!(key(made, ANN), key(made, AccountId(2)));
    assert_ne!(key(Policy::STRICT, ANN), key(made, ANN));
}

#[test]
fn pauses_double_up_to_a_bound_and_are_forgiven_to_who_knows_better() {
    let base = Times::default().backoff;
    let long = base * 1_024;
    let addr = Addr((0xffff << 32) | 1);
    let mut it = Sut::new(LoginServer::new());
    let passed = |it: &mut Sut<LoginServer>| {
        let name = Some(bounded("ann").unwrap());
        assert_eq!(it.step(Event::Fired(Timer::Backoff(addr, name))), Step::Advanced);
    };
    // Failures at which there is no pause yet are remembered for long; then pauses double.
    let expected = [1_024, 1_024, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 1_024];
    for (at, times) in expected.into_iter().enumerate() {
        it.tries(1, addr, "ann", wrong());
        assert_eq!(it.refused(), Some(Refusal::WrongCredentials));
        assert_eq!(it.pause(addr, Some("ann")), Some(base * times), "failure {}", at + 1);
        assert_eq!(it.pause(addr, None), Some(long), "many share an address");
        it.hears(2, addr, true, RequestBody::Login(credentials()));
        assert_eq!(it.refused(), (at >= 2).then_some(Refusal::TooManyAttempts), "failure {}", at + 1);
        if at >= 2 {
            passed(&mut it);
            assert_eq!(it.pause(addr, Some("ann")), Some(long), "it is remembered behind the pause");
        } else {
            let _ = it.step(Event::Lost(ConnId(2)));
            it.asked.clear();
        }
    }
    it.tries(1, addr, "ann", right());
    assert!(it.did(|e| *e == Effect::Disarm(Timer::Backoff(addr, Some(bounded("ann").unwrap())))));
    let _ = it.answer(Answer::Cache(CacheAnswer::Done));
    it.tries(1, addr, "ann", wrong());
    assert_eq!(it.pause(addr, Some("ann")), Some(long), "the first one again");
    passed(&mut it);
    let forgotten = Event::Fired(Timer::Backoff(addr, Some(bounded("ann").unwrap())));
    assert_eq!(it.step(forgotten), STALE, "it was forgotten");
}

#[test]
fn who_guesses_at_many_accounts_pauses_for_all_of_them() {
    let base = Times::default().backoff;
    let addr = Addr((0xffff << 32) | 1);
    let mut it = Sut::new(LoginServer::new());
    for n in 1..=32 {
        it.tries(1, addr, &format!("a{n}"), wrong());
        assert_eq!(it.pause(addr, None), Some(base * if n < 32 { 1_024 } else { 1 }), "{n}");
    }
    it.hears(1, addr, true, RequestBody::Login(credentials()));
    assert_eq!(it.refused(), Some(Refusal::TooManyAttempts));
}

#[test]
fn a_full_table_of_failures_makes_room_for_others_and_not_for_the_same() {
    let mut it = Sut::new(LoginServer::new());
    let addr = |n: u64| Addr(u128::from((0xffff << 32) | n));
    let dropped = |it: &Sut<LoginServer>| it.did(|e| matches!(e, Effect::Disarm(Timer::Backoff(..))));
    // Two entries each: one of the address, one of it and the name.
    let most = BACKOFFS_MAX as u64 / 2;
    for n in 0..most {
        it.tries(1, addr(n), "ann", wrong());
        assert!(!dropped(&it));
        it.asked.clear();
    }
    it.tries(1, addr(0), "ann", wrong());
    assert!(!dropped(&it), "it has its entries");
    it.tries(1, addr(most), "ann", wrong());
    assert!(dropped(&it));
}

#[test]
fn a_server_is_named_by_where_it_is() {
    let fnv = |text: &str| {
        let hash =
            text.bytes().fold(0x811c_9dc5_u32, |hash, b| (hash ^ u32::from(b)).wrapping_mul(0x0100_0193));
        (hash >> 16) as u16 ^ hash as u16
    };
    let at = |n: u32| format!("room:{n}");
    let registers = |it: &mut Sut<RCenter>, link: u64, at: &str| {
        let _ = it.step(Event::Opened { conn: ConnId(link), addr: A });
        let (server, endpoint) = (Some(ServerId(link)), bounded(at).unwrap());
        let _ = it.tells(
            link,
            ToCenter::Register { trusted: true, server, endpoint, room_capacity: 2, capacity: 3 },
        );
        it.did.iter().find_map(|effect| match effect {
            Effect::Send { msg: Message::ToServer(ToServer::Registered(LinkId(id))), .. } => Some(*id),
            _ => None,
        })
    };
    let mut it = Sut::new(RCenter::new());
    for (link, n) in [(1, 1), (2, 2), (3, 77)] {
        assert_eq!(registers(&mut it, link, &at(n)), Some(fnv(&at(n))));
    }
    let same = (100..).find(|n| fnv(&at(*n)) == fnv("room:1")).unwrap();
    assert_eq!(registers(&mut it, 4, &at(same)), Some(fnv("room:1").wrapping_add(1)), "it is in use");
    let zero = (100..).find(|n| fnv(&at(*n)) == 0).unwrap();
    assert_eq!(registers(&mut it, 5, &at(zero)), Some(1), "zero names nobody");
}

#[test]
fn a_server_registers_anew_by_its_id_or_its_address() {
    let other: text::Endpoint = bounded("room:other").unwrap();
    for (server, endpoint, replaces) in [
        (Some(ServerId(1)), other, true),
        (Some(ServerId(9)), endpoint(), true),
        (None, endpoint(), true),
        (Some(ServerId(9)), other, false),
        (None, other, false),
    ] {
        let mut it = Sut::new(RCenter::new());
        it.register(1, 1);
        let _ = it.tells(1, READY);
        let place = it.place(1).expect("there is a server");
        assert_eq!(place.endpoint, endpoint_of(1));
        let _ = it.step(Event::Opened { conn: ConnId(2), addr: A });
        let endpoint = if endpoint == self::endpoint() { endpoint_of(1) } else { endpoint };
        let (room_capacity, capacity) = (2, 3);
        let register = ToCenter::Register { trusted: true, server, endpoint, room_capacity, capacity };
        let _ = it.tells(2, register);
        assert_eq!(it.did(|e| *e == Effect::Close(ConnId(1))), replaces, "{server:?} {endpoint}");
        assert!(it.role.knows(ConnId(2)) && !it.role.knows(ConnId(3)));
        assert!(it.role.knows(ConnId(1)), "a seat is there");
        let _ = it.step(Event::Fired(Timer::Seat(AccountId(1))));
        assert_eq!(it.role.knows(ConnId(1)), !replaces);
    }
}

fn endpoint_of(server: u64) -> text::Endpoint {
    bounded(&format!("room:{server}")).unwrap()
}
