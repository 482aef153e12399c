//! The world as a whole: small scenarios exhausted, flaws found, the same bytes twice, and every replay kept.

use std::{fs, path::Path, sync::Arc};

use gatepass_sim::{
    check::{Bounds, Ended, check, explore},
    flaws::{FLAWS, Flaw},
    replay::{Replay, outcome},
    scenario::Scenario,
    setup::Setup,
    simulate::{Plan, Scheduler, explain, run, simulate},
    world::Broken,
};

fn named(name: &str) -> Scenario {
    Scenario::named(name).expect("a shipped scenario")
}

fn setup(name: &str) -> Arc<Setup> {
    Arc::new(Setup::new(named(name)).expect("shipped scenarios can be played"))
}

#[test]
fn small_scenarios_hold_with_one_thread_and_with_two() {
    for name in ["strangers", "tokens", "reject-new", "full-room"] {
        let [one, two] = [1, 2].map(|threads| {
            let bounds = Bounds { threads, ..Bounds::default() };
            check(named(name), bounds, &mut |_| {}).expect("shipped scenarios can be played")
        });
        assert!(one.holds() && two.holds(), "{name}: {:?} {:?}", one.violations, one.goals);
        assert_eq!(one.states, two.states, "{name}");
    }
}

/// The flaws that show within seconds in a debug build; the others are found by the same command in a release
/// build, which is part of CI.
#[test]
fn flaws_are_found_for_what_they_are() {
    let slow = ["no-grace", "no-generation", "kick-by-account", "login-sequence-restarts"];
    for flaw in FLAWS.iter().filter(|flaw| !slow.contains(&flaw.name)) {
        let setup = Arc::new(flaw.setup());
        let found = explore(&setup, Some(flaw.breaks), Bounds::default(), &mut |_| {}).violations;
        let first = found.first().unwrap_or_else(|| panic!("{} is not found", flaw.name));
        assert_eq!(first.broken, Broken::Property(flaw.breaks), "{}", flaw.name);
        let replay = Replay::new(&setup, &first.choices);
        let trace = replay.run().expect("a violation replays");
        assert_eq!(
            trace.violation.map(|(name, _)| name),
            Some(flaw.breaks.name().to_owned()),
            "{}",
            flaw.name
        );
    }
}

#[test]
fn the_original_rules_let_two_sessions_live() {
    let scenario = Scenario { policy: "mope".into(), ..named("takeover-remote") };
    let setup = Arc::new(Setup::new(scenario).expect("it can be played"));
    let report = explore(&setup, None, Bounds::default(), &mut |_| {});
    assert_eq!(report.ended, Ended::Violated);
    let broken = report.violations.first().map(|violation| violation.broken.name());
    assert_eq!(broken, Some("single_live_session"));
}

#[test]
fn a_seed_is_the_same_run_for_ever() {
    for name in ["login", "lost-kick", "cache-loss"] {
        let setup = setup(name);
        for seed in 0..40 {
            for scheduler in Scheduler::ALL {
                let plan = Plan { scheduler, ..Plan::default() };
                let [one, other] = [(); 2].map(|()| run(&setup, seed, plan, true));
                assert_eq!(one, other, "{name}, seed {seed}, {scheduler:?}");
            }
        }
    }
}

/// Pins what some seeds come to: a change of this number is a change of what seeds mean.
#[test]
fn runs_are_the_same_on_every_machine() {
    let setup = setup("takeover-remote");
    let sizes = |seed| {
        let run = run(&setup, seed, Plan::default(), true);
        let text: usize = run.choices.iter().map(|choice| choice.to_string().len()).sum();
        (run.steps, run.events, text)
    };
    let known = [(19, 73, 268), (18, 72, 257), (19, 73, 268), (27, 86, 420), (26, 81, 404)];
    assert_eq!([1, 2, 3, 4, 5].map(sizes), known);
}

#[test]
fn threads_do_not_change_what_seeds_find() {
    for scheduler in Scheduler::ALL {
        let plan = Plan { seeds: 200, scheduler, ..Plan::default() };
        let of =
            |setup, plan| [1, 2, 3].map(|threads| simulate(setup, Plan { threads, ..plan }, &mut |_, _| {}));
        let strict = setup("takeover-remote");
        let [one, others @ ..] = of(&strict, plan);
        for other in others {
            assert_eq!((one.steps, one.events, &one.goals), (other.steps, other.events, &other.goals));
            assert!(one.failure.is_none() && other.failure.is_none());
        }
        let flaw = Flaw::named("check-then-insert").expect("a flaw");
        let flawed = Arc::new(flaw.setup());
        let [one, others @ ..] = of(&flawed, Plan { wanted: Some(flaw.breaks), ..plan });
        let first = one.failure.expect("some seed fails");
        for other in others {
            let failure = other.failure.expect("some seed fails");
            assert_eq!((first.seed, &first.choices), (failure.seed, &failure.choices), "{scheduler:?}");
        }
    }
}

/// Those that need few seeds. The others are found by `gatepass simulate --flaws`, which is part of CI.
#[test]
fn seeds_find_flaws() {
    let rare = [
        "no-generation",
        "login-sequence-restarts",
        "kick-by-account",
        "wakes-into-old-lease",
        "expired-token-revived",
        "forgotten-on-one-clock",
    ];
    for flaw in FLAWS.iter().filter(|flaw| !rare.contains(&flaw.name)) {
        let setup = Arc::new(flaw.setup());
        let plan = Plan { seeds: 2_000, wanted: Some(flaw.breaks), ..Plan::default() };
        let failure = simulate(&setup, plan, &mut |_, _| {}).failure;
        let failure = failure.unwrap_or_else(|| panic!("{} is not found", flaw.name));
        assert_eq!(failure.broken, Broken::Property(flaw.breaks), "{}", flaw.name);
        assert!(failure.choices.len() <= failure.needed && failure.needed <= failure.found_in, "{failure:?}");
        assert_eq!(outcome(&setup, &failure.choices), Some(failure.broken), "{}", flaw.name);
    }
}

#[test]
fn a_failing_seed_is_shrunk_to_what_it_needs() {
    let flaw = Flaw::named("no-capacity").expect("a flaw");
    let setup = Arc::new(flaw.setup());
    let plan = Plan { seeds: 500, threads: 2, ..Plan::default() };
    let failure = simulate(&setup, plan, &mut |_, _| {}).failure.expect("some seed fails");
    assert_eq!(failure.broken, Broken::Property(flaw.breaks));
    assert!(failure.choices.len() <= 16 && failure.choices.len() <= failure.found_in, "{failure:?}");
    let again = explain(&setup, failure.seed, plan).expect("the same seed fails again");
    assert_eq!(again.choices, failure.choices);
}

/// Every bug that was found is kept as the choices that led to it. They still fit, and break nothing any more.
#[test]
fn bugs_that_were_found_stay_away() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replays");
    let mut count = 0;
    for entry in fs::read_dir(dir).expect("the folder of replays") {
        let path = entry.expect("an entry").path();
        let replay = Replay::from_toml(&fs::read_to_string(&path).expect("a file")).expect("a replay file");
        let trace = replay.run().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(trace.violation, None, "{}", path.display());
        count += 1;
    }
    assert!(count > 0);
}
