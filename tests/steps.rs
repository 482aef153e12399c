//! Every event in every state: long random lives of each role, hostile and plausible events mixed.
//!
//! The lives are the same in every run. `GATEPASS_SEED=<number> cargo test --test steps` draws others; a failure
//! prints its shortest form and the seed that finds it again.

#[path = "steps/cache.rs"]
mod cache;
#[path = "steps/events.rs"]
mod events;
#[path = "steps/life.rs"]
mod life;
#[path = "steps/values.rs"]
mod values;

use gatepass_core::{
    cache::Cache,
    client::Outcome,
    ids::{ConnId, Generation, ServerId},
    login::LoginServer,
    policy::Policy,
    rcenter::RCenter,
    role::{Command, Event, Role, Timer},
    room::RoomServer,
};
use proptest::{
    collection::vec,
    prelude::any,
    test_runner::{Config, FileFailurePersistence, RngSeed, TestRunner},
};

use self::{
    events::{Draw, Kind},
    life::{CHEATS, Life, POLICIES, player, store},
    values::{SERVER, endpoint},
};

/// Lives per role and policy, and the events of the longest.
const LIVES: u32 = 128;
const EVENTS: usize = 400;

/// Draws lives and plays them. A life is a list of numbers, so that shrinking leaves events out.
fn lives(play: impl Fn(&[u64])) {
    let seed = std::env::var("GATEPASS_SEED").ok().and_then(|seed| seed.parse().ok());
    let rng_seed = RngSeed::Fixed(seed.unwrap_or(1));
    let failure_persistence: Option<Box<dyn proptest::test_runner::FailurePersistence>> =
        Some(Box::new(FileFailurePersistence::Off));
    let config = Config { cases: LIVES, rng_seed, failure_persistence, ..Config::default() };
    let result = TestRunner::new(config).run(&vec(any::<u64>(), 1..EVENTS), |draws| {
        play(&draws);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}\nfound with GATEPASS_SEED={}", seed.unwrap_or(1));
    }
}

/// Plays lives of a role under each policy. `end` looks at how each ended; what it returns is counted, and
/// must not be rare: a life that never gets anywhere tests nothing.
fn check<R: Role>(kind: Kind, first: impl Fn() -> R, end: impl Fn(&mut Life<R>) -> bool) {
    for policy in POLICIES {
        // The first event of a life, wherever it matters.
        let start = Event::Command(Command::Start);
        let deep = std::cell::Cell::new(0_u32);
        lives(|draws| {
            let mut life = Life::new(kind, first(), policy);
            life.step(start.clone());
            for &draw in draws {
                let event = life.memory.event(kind, &mut Draw(draw));
                life.step(event);
            }
            deep.set(deep.get() + u32::from(end(&mut life)));
        });
        assert!(deep.get() >= LIVES / 8, "only {} of {LIVES} lives got deep", deep.get());
    }
}

#[test]
fn accounts() {
    check(Kind::Accounts, store, |life| life.seen.len() > 2);
}

#[test]
fn cache() {
    check(
        Kind::Cache,
        || Cache::new(Generation(1), false),
        |life| {
            let granted = life.seen.contains("Granted");
            if life.strict() {
                life.fire_all();
                assert_eq!(life.role.sizes(), (0, 0, 0), "everything ends");
                assert!(format!("{:?}", life.role).contains("accounts: {}"), "{:?}", life.role);
            }
            granted
        },
    );
}

#[test]
fn cache_after_a_loss() {
    check(
        Kind::Cache,
        || Cache::new(Generation(1), true),
        |life| life.seen.contains("GraceEnded") || life.seen.contains("Granted"),
    );
}

#[test]
fn rcenter() {
    check(Kind::Center, RCenter::new, |life| {
        let placed = life.seen.contains("Placed");
        life.lose_all();
        life.fire_all();
        assert_eq!(life.role.sizes(), (0, 0));
        placed
    });
}

#[test]
fn login() {
    check(Kind::Login, LoginServer::new, |life| {
        let far = life.seen.contains("LoggedIn") && life.seen.contains("Room");
        life.lose_all();
        assert_eq!(life.role.pending(), 0);
        life.fire_all();
        assert!(format!("{:?}", life.role).contains("failures: {}"), "{:?}", life.role);
        far
    });
}

#[test]
fn room() {
    check(
        Kind::Room,
        || RoomServer::new(ServerId(SERVER), endpoint(1)),
        |life| {
            let admitted = life.seen.contains("Admitted");
            life.lose_all();
            assert_eq!(life.role.sizes(), (0, 0));
            assert_eq!(life.role.rooms().count(), 0);
            let state = format!("{:?}", life.role);
            assert!(state.contains("held: {}") && state.contains("keys: {}"), "{state}");
            admitted
        },
    );
}

#[test]
fn client() {
    for cheat in CHEATS {
        let first = || player(1, cheat);
        check(Kind::Client, first, |life| {
            let far = life.seen.contains("Connect");
            if !matches!(life.role.outcome(), Outcome::Underway | Outcome::Live) {
                assert_eq!(life.memory.armed.len(), 0, "who is done waits for nothing");
                assert!(!(0..200).any(|conn| life.role.listens(ConnId(conn))));
            }
            far
        });
    }
}

/// The checks of a life can fail: a role that breaks each rule is caught.
#[test]
fn a_broken_role_is_caught() {
    use gatepass_core::role::{Cx, Effects, Step, Why};

    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Broken(u8, String);
    impl Role for Broken {
        fn phase(&self, _: &Event) -> &'static str {
            "broken"
        }

        fn step(&mut self, _: &mut Cx<'_>, event: Event, out: &mut Effects) -> Step {
            match event {
                Event::Linked => self.0 += 1,
                Event::Unlinked => out.disarm(Timer::Reply),
                Event::Command(_) => self.1 = "secret-password-1".into(),
                Event::Fired(_) => return Step::Advanced,
                _ => {}
            }
            Step::Ignored(Why::Stale)
        }
        fn check(&self) -> Result<(), &'static str> {
            Ok(())
        }
    }
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let caught = |event: Event| {
        std::panic::catch_unwind(|| {
            let mut life = Life::new(Kind::Client, Broken(0, String::new()), Policy::STRICT);
            life.step(event);
        })
        .is_err()
    };
    let events = [Event::Linked, Event::Unlinked, Event::Command(Command::Start), Event::Fired(Timer::Grace)];
    let results = events.map(caught);
    let harmless = caught(Event::Lost(ConnId(1)));
    std::panic::set_hook(hook);
    assert_eq!(results, [true; 4]);
    assert!(!harmless);
}
