//! The cache, one rule at a time: who may redeem, who owns, and what is forgotten when.

use gatepass_core::{cache::Cache, message::Place, policy::Handover, role::Why};

use super::{
    edges::endpoint,
    services::{cache, issued, session},
    *,
};

const UNEXPECTED: Step = Step::Ignored(Why::Unexpected);

fn call(number: u32) -> CallId {
    CallId { conn: ConnId(1), number }
}

impl Sut<Cache> {
    fn token_for(&mut self, token: u8, server: u64) -> CacheAnswer {
        let place = Place { server: ServerId(server), endpoint: endpoint(), room: RoomId(1), scene: 1 };
        self.cache(CacheAsk::IssueToken { session: session(1), account: ANN, key: key(token), place })
    }

    fn redeem_at(&mut self, token: u8, server: u64, attempt: u32) -> CacheAnswer {
        let (attempt, generation) = (call(attempt), Generation(1));
        self.cache(CacheAsk::Redeem { key: key(token), server: ServerId(server), attempt, generation })
    }

    fn fires(&mut self, timer: Timer) -> Step {
        self.step(Event::Fired(timer))
    }

    /// What is remembered of accounts.
    fn knows_nobody(&self) -> bool {
        format!("{:?}", self.role).contains("accounts: {}")
    }
}

fn granted(answer: &CacheAnswer) -> Option<Grant> {
    if let CacheAnswer::Granted(grant) = answer { Some(*grant) } else { None }
}

#[test]
fn a_session_is_opened_once_and_ends_with_the_next() {
    let mut it = cache();
    assert_eq!(it.open_session(ANN, 1, None), CacheAnswer::Done, "the same question once more");
    assert!(!it.did(|e| matches!(e, Effect::Note(_))));
    assert_eq!(it.open_session(AccountId(2), 1, None), CacheAnswer::Refused(Refusal::Busy));
    assert_eq!(it.open_session(ANN, 2, None), CacheAnswer::Done);
    assert!(it.did(|e| *e == Effect::Note(Fact::SessionEnded { key: session(1) })));
    assert!(it.did(|e| *e == Effect::Disarm(Timer::SessionEnd(session(1)))));
    assert_eq!(it.fires(Timer::SessionEnd(session(1))), Step::Ignored(Why::Stale));
    assert_eq!(it.fires(Timer::SessionEnd(session(2))), Step::Advanced);
    assert!(it.did(|e| *e == Effect::Note(Fact::SessionEnded { key: session(2) })));
    assert!(it.knows_nobody());
}

#[test]
fn who_holds_no_lease_of_this_generation_redeems_nothing() {
    for (in_grace, leased, generation, redeems) in
        [(false, true, 1, true), (true, true, 1, false), (false, false, 1, false), (false, true, 2, false)]
    {
        let mut it = Sut::new(Cache::new(Generation(1), in_grace));
        if leased {
            let _ = it.renew(1, 1);
        }
        let (key, server, generation) = (key(1), ServerId(1), Generation(generation));
        let answer = it.cache(CacheAsk::Redeem { key, server, attempt: call(1), generation });
        assert_eq!(answer == CacheAnswer::NotYet, !redeems, "{in_grace} {leased} {generation:?}");
    }
}

#[test]
fn a_token_is_spent_by_one_attempt() {
    for token_single_use in [true, false] {
        let mut it = cache();
        it.policy.token_single_use = token_single_use;
        let _ = it.token(1);
        let first = granted(&it.redeem_at(1, 1, 1)).expect("it is fresh");
        let again = granted(&it.redeem_at(1, 1, 1)).expect("the same attempt asks again");
        assert!(again.version > first.version && first.version > first.seq && again.seq == first.seq);
        assert!(!it.did(|e| matches!(e, Effect::Note(Fact::TokenRedeemed { .. }))), "it was noted");
        let other = it.redeem_at(1, 1, 2);
        assert_eq!(granted(&other).is_some(), !token_single_use);
        assert!(token_single_use || it.did(|e| matches!(e, Effect::Note(Fact::TokenRedeemed { .. }))));
    }
}

#[test]
fn of_two_tokens_the_newer_counts() {
    let mut it = cache();
    let _ = it.renew(2, 1);
    assert_eq!(issued(&it.token_for(1, 1)), Some(key(1)));
    assert_eq!(issued(&it.token_for(2, 2)), Some(key(2)));
    assert_eq!(it.redeem_at(1, 1, 1), CacheAnswer::Refused(Refusal::Replaced));
    assert!(granted(&it.redeem_at(2, 2, 1)).is_some());
}

#[test]
fn another_owner_stands_in_the_way_or_is_told_of() {
    for handover in [Handover::BeforeAdmission, Handover::AfterAdmission] {
        let mut it = cache();
        it.policy.handover = handover;
        let _ = it.renew(2, 1);
        let _ = it.token_for(1, 1);
        let owner = granted(&it.redeem_at(1, 1, 1)).expect("it is free");
        assert_eq!(owner.previous, None);
        let mine = granted(&it.redeem_at(1, 1, 1)).expect("it is its own");
        assert_eq!(mine.previous, None);
        let _ = it.token_for(2, 2);
        let answer = it.redeem_at(2, 2, 1);
        if handover == Handover::AfterAdmission {
            assert_eq!(granted(&answer).and_then(|grant| grant.previous), Some((ServerId(1), mine.version)));
            continue;
        }
        let CacheAnswer::Owned { owner, version, .. } = answer else { panic!("{answer:?}") };
        assert_eq!((owner, version), (ServerId(1), mine.version));
        assert_eq!(it.role.owner(ANN), Some((ServerId(1), mine.version)), "until it is released");
    }
}

#[test]
fn what_a_server_reasserts_is_its_own_unless_somebody_else_has_it() {
    let mut it = cache();
    let _ = it.renew(2, 1);
    let _ = it.token_for(1, 1);
    let mine = granted(&it.redeem_at(1, 1, 1)).expect("it is free");
    let held: Box<[_]> = [(ANN, ordinal(1)), (AccountId(2), ordinal(2))].into();
    let mut reassert = |server, generation| {
        let (server, generation) = (ServerId(server), Generation(generation));
        it.cache(CacheAsk::Reassert { server, generation, held: held.clone() })
    };
    assert_eq!(reassert(1, 2), CacheAnswer::NotYet, "another generation");
    assert_eq!(reassert(3, 1), CacheAnswer::NotYet, "no lease");
    let CacheAnswer::Reasserted(own) = reassert(1, 1) else { panic!("it may") };
    let [(_, Some(first)), (_, Some(second))] = own[..] else { panic!("{own:?}") };
    assert!(mine.version < first && first < second);
    let CacheAnswer::Reasserted(others) = reassert(2, 1) else { panic!("it may") };
    assert_eq!(others[..], [(ANN, None), (AccountId(2), None)]);
}

#[test]
fn the_end_of_a_lease_frees_what_the_server_owned_alone() {
    for resigns in [true, false] {
        let mut it = cache();
        let _ = it.renew(2, 1);
        let _ = it.token_for(1, 1);
        let _ = it.redeem_at(1, 1, 1);
        let held: Box<[_]> = [(AccountId(2), ordinal(2))].into();
        let theirs = CacheAsk::Reassert { server: ServerId(2), generation: Generation(1), held };
        let _ = it.cache(theirs);
        let owners = |it: &Sut<Cache>| {
            [ANN, AccountId(2)].map(|account| it.role.owner(account).map(|(server, _)| server.0))
        };
        assert_eq!(owners(&it), [Some(1), Some(2)]);
        let timer = Timer::ServerLease(ServerId(1));
        if resigns {
            let _ = it.cache(CacheAsk::Resign { server: ServerId(1) });
            assert!(it.did(|e| *e == Effect::Disarm(timer)));
            let _ = it.cache(CacheAsk::Resign { server: ServerId(1) });
            assert!(!it.did(|e| *e == Effect::Disarm(timer)), "it has none");
        } else {
            assert_eq!(it.fires(timer), Step::Advanced);
        }
        assert_eq!(it.fires(timer), UNEXPECTED);
        assert_eq!((owners(&it), it.role.lease(ServerId(1))), ([None, Some(2)], None));
        assert_eq!(it.role.sizes(), (1, 1, 1), "the session and the token stay");
        assert_eq!(it.fires(Timer::ServerLease(ServerId(2))), Step::Advanced);
        for timer in [Timer::SessionEnd(session(1)), Timer::TokenEnd(key(1))] {
            assert_eq!(it.fires(timer), Step::Advanced);
        }
        assert!(it.knows_nobody());
    }
}

#[test]
fn a_token_is_remembered_for_a_while_and_then_forgotten_alone() {
    let mut it = cache();
    let _ = it.renew(2, 1);
    let _ = it.token_for(1, 1);
    let _ = it.token_for(2, 2);
    assert_eq!(it.fires(Timer::TokenEnd(key(1))), Step::Advanced);
    assert!(it.did(|e| *e == Effect::Note(Fact::TokenExpired { key: key(1), unused: true })));
    assert_eq!(it.redeem_at(1, 1, 1), CacheAnswer::Refused(Refusal::TokenExpired));
    assert_eq!(it.fires(Timer::TokenEnd(key(1))), Step::Advanced);
    assert_eq!(it.redeem_at(1, 1, 1), CacheAnswer::Refused(Refusal::TokenUnknown));
    assert_eq!(it.fires(Timer::TokenEnd(key(1))), Step::Ignored(Why::Stale));
    assert!(granted(&it.redeem_at(2, 2, 1)).is_some());
}

#[test]
fn timers_of_the_cache_run_out_once() {
    let used = Payload::new([7; 16]);
    let mut it = Sut::new(Cache::new(Generation(1), true));
    for timer in [Timer::Grace, Timer::PayloadGrace] {
        assert_eq!([it.fires(timer), it.fires(timer)], [Step::Advanced, UNEXPECTED], "{timer:?}");
    }
    let _ = it.open_session(ANN, 1, Some(used));
    for remembered in [true, false] {
        assert_eq!(it.role.remembers(used), remembered);
        let step = it.fires(Timer::PayloadEnd(used));
        assert_eq!(step, if remembered { Step::Advanced } else { UNEXPECTED });
    }
}
