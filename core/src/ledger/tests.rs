//! What the ledger counts is what a look through all of it would find.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::{
    ids::Generation,
    properties::{Judgement, Property, View},
    text::bounded,
};

const CAPACITY: u16 = 2;

fn record(ledger: &mut Ledger, fact: &Fact) -> Judgement {
    ledger.record(fact, View { player: None, room_capacity: CAPACITY })
}

/// A fact about few things, so that many facts are about the same.
fn fact([kind, a, b, c]: [u8; 4]) -> Fact {
    let (account, session) = (AccountId(u64::from(a % 2)), SessionKey::new([b % 3; 16]));
    let (key, server) = (RoomKey::new([c % 4; 16]), ServerId(u64::from(a % 3)));
    let seq = Seq { generation: Generation(1), count: u64::from(b) };
    let (conn, room) = (ConnId(u64::from(c % 4)), RoomId(u32::from(b % 2)));
    let place = Place { server, endpoint: bounded("room:1").expect("short"), room, scene: 0 };
    match kind % 10 {
        0 => Fact::SessionOpened { key: session, account },
        1 => Fact::SessionEnded { key: session },
        2 | 3 => Fact::TokenIssued { key, session, account, seq, place },
        4 => Fact::TokenSuperseded { key },
        5 => Fact::TokenExpired { key, unused: true },
        6 => Fact::TokenRedeemed { key, server },
        7 => Fact::Left { server, conn, account, why: Ended::Lost },
        8 if b % 4 == 0 => Fact::Fenced { server },
        _ => {
            let (key, resumes) = (Some(key), None);
            Fact::Admitted { server, conn, account, seq, key, room, resumes, handed_over: false }
        }
    }
}

/// Whether what is counted in the ledger is what stands in it. `known`: every session was opened before its tokens.
fn counts(ledger: &Ledger, known: bool) {
    for (key, session) in &ledger.sessions {
        let good = ledger.tokens.values().filter(|token| token.session == *key && token.is_good()).count();
        assert!(session.good as usize == good || !known, "{session:?} {good}");
    }
    for (id, account) in &ledger.accounts {
        assert_eq!(account.live as usize, ledger.live.values().filter(|live| live.account == *id).count());
    }
    assert!(ledger.live.values().all(|live| ledger.accounts.contains_key(&live.account)));
}

proptest! {
    #[test]
    fn what_is_counted_is_what_is_there(known: bool, facts: Vec<[u8; 4]>) {
        let mut ledger = Ledger::default();
        for key in (0..3).map(|n| SessionKey::new([n; 16])).filter(|_| known) {
            let _ = record(&mut ledger, &Fact::SessionOpened { key, account: AccountId(0) });
        }
        for fact in facts.into_iter().map(fact) {
            let before = ledger.clone();
            let judged = record(&mut ledger, &fact).broken;
            match fact {
                Fact::TokenIssued { session, key, .. } if known => {
                    let other = |(own, token): (&RoomKey, &Token)| {
                        *own != key && token.session == session && token.is_good()
                    };
                    prop_assert_eq!(judged.has(Property::Bounded), before.tokens.iter().any(other));
                }
                Fact::SessionOpened { account, .. } => {
                    let open = ledger.sessions.keys().filter(|key| ledger.is_open(**key));
                    let own = open.filter(|key| ledger.sessions[*key].account == account).count();
                    prop_assert_eq!(own, 1, "the older ones are over");
                }
                Fact::Admitted { server, conn, account, room, .. } => {
                    let others = ledger.live.iter().filter(|(place, _)| **place != (server, conn));
                    let doubled = others.clone().any(|(_, live)| live.account == account);
                    prop_assert_eq!(judged.has(Property::SingleLiveSession), doubled);
                    let there = others.filter(|((at, _), live)| *at == server && live.room == room).count();
                    prop_assert_eq!(judged.has(Property::Capacity), there >= usize::from(CAPACITY));
                }
                Fact::Fenced { server } => prop_assert!(ledger.live.keys().all(|(at, _)| *at != server)),
                _ => {}
            }
            counts(&ledger, known);
            let live = ledger.clone().only_live();
            prop_assert_eq!(&live.live, &ledger.live);
            prop_assert!(live.tokens.is_empty() && live.sessions.is_empty());
            counts(&live, known);
        }
    }
}
