//! Reductions leave out nothing that anybody could notice: with none of them, with each alone and with all, the same
//! is found, and every way to it is a way in the full world.

use std::sync::Arc;

use gatepass_core::{message::Answer, properties::Property};
use gatepass_sim::{
    catalog::Shelf,
    check::{Bounds, Ended, Report, Violation, explore},
    choice::Choice,
    flaws::FLAWS,
    net::{Body, Pick},
    reductions::{Reduction, Reductions},
    replay::Replay,
    scenario::Scenario,
    setup::Setup,
    world::{Scratch, World},
};

/// What is explored: its name, how it is made, and the property that must break, if one must.
struct Subject {
    name: String,
    setup: Box<dyn Fn() -> Setup>,
    wanted: Option<Property>,
}

fn subjects() -> Vec<Subject> {
    let scenarios = Shelf::ALL.into_iter().flat_map(Shelf::scenarios).map(scenario);
    let flaws = FLAWS.iter().map(|flaw| Subject {
        name: format!("{} in {}", flaw.name, flaw.scenario),
        setup: Box::new(|| flaw.setup()),
        wanted: Some(flaw.breaks),
    });
    scenarios.chain(flaws).chain([LOSSES, DOUBLED, CROSSING].map(written)).collect()
}

/// Small enough to be explored in full, and nothing in it is safe from being lost.
const LOSSES: &str = r#"
    name = "losses"
    servers = 1
    slow = ["player-room", "room-cache"]

    [timers]
    retry = 1

    [faults]
    drop = 2

    [[players]]
    account = "ann"

    [[players]]
    account = "ann"
"#;

/// What is on its way to players is lost and doubled, though they say nothing any more.
const DOUBLED: &str = r#"
    name = "doubled"
    servers = 2
    slow = ["player-room", "room-cache"]

    [timers]
    retry = 1

    [faults]
    drop = 1
    duplicate = 1

    [[players]]
    account = "ann"

    [[players]]
    account = "ann"
"#;

/// Two accounts change places, so kicks cross on the links that break when a server or RCenter crashes.
const CROSSING: &str = r#"
    name = "crossing"
    servers = 2
    slow = ["room-center"]

    [faults]
    crash_room = 1
    crash_center = 1

    [[players]]
    account = "ann"

    [[players]]
    account = "bob"

    [[players]]
    account = "ann"

    [[players]]
    account = "bob"
"#;

fn written(text: &str) -> Subject {
    scenario(Scenario::from_toml(text).expect("it reads"))
}

fn scenario(scenario: Scenario) -> Subject {
    Subject {
        name: scenario.name.clone(),
        setup: Box::new(move || Setup::new(scenario.clone()).expect("it can be played")),
        wanted: None,
    }
}

impl Subject {
    fn explore(&self, reductions: Reductions, states: u64) -> (Arc<Setup>, Report) {
        let setup = Arc::new((self.setup)().reduced_by(reductions));
        let bounds = Bounds { states, memory: 4 << 30, threads: 2, ..Bounds::default() };
        let report = explore(&setup, self.wanted, bounds, &mut |_| {});
        (setup, report)
    }
}

/// Which thread plays a choice first, and which recalls it, makes no difference, nor that any does. In `database` some
/// property is exercised only by what the ledger is told again.
#[test]
fn what_is_recalled_depends_on_no_thread() {
    let database = scenario(Scenario::named("database").expect("it is shipped"));
    // All of the one, the first levels of the other.
    for (subject, level_states, ended) in
        [(written(CROSSING), u64::MAX, Ended::Exhausted), (database, 12_000, Ended::StateBound)]
    {
        let seen = |reductions: Reductions, threads: usize| {
            let setup = Arc::new((subject.setup)().reduced_by(reductions));
            let bounds = Bounds { threads, level_states, ..Bounds::default() };
            let report = explore(&setup, None, bounds, &mut |_| {});
            assert_eq!(report.ended, ended);
            let exercised = Property::ALL.map(|property| setup.is_exercised(property));
            (report.states, report.generated, report.depth, report.goals, exercised)
        };
        let played = seen(Reductions::ALL.without(Reduction::RememberedSteps), 1);
        for threads in [1, 2, 3] {
            assert_eq!(seen(Reductions::ALL, threads), played, "{} on {threads} threads", subject.name);
        }
    }
}

/// Compares every subject whose full exploration ends within so many states. Returns how many there were.
fn compare(states: u64) -> [usize; 2] {
    let mut compared = [0; 2];
    for subject in subjects() {
        let (_, full) = subject.explore(Reductions::NONE, states);
        if !matches!(full.ended, Ended::Exhausted | Ended::Violated) {
            println!("{:44} more than {states} in full", subject.name);
            continue;
        }
        compared[usize::from(full.ended == Ended::Violated)] += 1;
        let mut line = format!("{:44} none {:>8}", subject.name, full.states);
        let each = Reduction::ALL.into_iter().map(|one| (one.name(), Reductions::only(one)));
        for (name, reductions) in each.chain([("all", Reductions::ALL)]) {
            let (setup, reduced) = subject.explore(reductions, u64::MAX);
            line += &format!("  {name} {:>8}", reduced.states);
            same(&subject, name, &full, &setup, &reduced);
        }
        println!("{line}");
    }
    compared
}

fn same(subject: &Subject, reductions: &str, full: &Report, setup: &Arc<Setup>, reduced: &Report) {
    let name = format!("{} with {reductions}", subject.name);
    assert_eq!(full.ended, reduced.ended, "{name}");
    let Some(longest) = full.violations.first() else {
        // Everything was seen: the same holds, the same was exercised, the same goals were met.
        assert!(reduced.states <= full.states, "{name}");
        // These leave out no world.
        if [Reduction::RememberedSteps, Reduction::Fingerprints].iter().any(|one| one.name() == reductions) {
            let counts = |report: &Report| (report.states, report.generated, report.depth);
            assert_eq!(counts(full), counts(reduced), "{name}");
        }
        assert_eq!(full.properties, reduced.properties, "{name}");
        assert_eq!(full.goals, reduced.goals, "{name}");
        return;
    };
    let violation = &reduced.violations[0];
    assert_eq!(longest.broken, violation.broken, "{name}");
    // No choice of the full world is two of the reduced one, and the way back says how many more there are.
    let least = longest.choices.len();
    if violation.shortest {
        assert!(violation.choices.len() <= least, "{name}: {} > {least}", violation.choices.len());
    }
    let unmerged = in_the_full_world(subject, setup, violation);
    assert!(least <= unmerged, "{name}: {least} > {unmerged}");
    let trace = Replay::from_toml(&Replay::new(setup, &violation.choices).to_toml()).expect("it reads").run();
    assert_eq!(
        trace.expect("it replays").violation.map(|(name, _)| name),
        Some(violation.broken.name().to_owned())
    );
}

/// Goes the way of a violation in the world without reductions, where the end of a connection arrives by itself.
/// Returns how many choices that takes; it breaks the same.
fn in_the_full_world(subject: &Subject, reduced: &Setup, violation: &Violation) -> usize {
    let setup = (subject.setup)().reduced_by(Reductions::NONE);
    let (mut world, mut scratch) = (World::new(&setup), Scratch::default());
    let mut made = 0;
    let mut make = |world: &mut World, choice| {
        assert!(world.apply(&setup, choice, &mut scratch), "{}: {choice} is not possible", subject.name);
        made += 1;
    };
    for &choice in &violation.choices {
        make(&mut world, choice);
        if let Choice::Deliver(pick) = choice
            && reduced.reductions.has(Reduction::CloseWithLast)
            && usize::from(pick.to) < setup.players()
        {
            let first = Pick { nth: 0, ..pick };
            let net = world.net();
            if net.find(first).is_some_and(|at| matches!(net.packets[at].get().body, Body::Closed(_))) {
                make(&mut world, Choice::Deliver(first));
            }
        }
    }
    // A world is at rest only when what matters to nobody has arrived, too.
    while world.broken().is_none() {
        let net = world.net();
        let idle = |at: &usize| {
            let packet = net.packets[*at].get();
            let answer = matches!(packet.body, Body::Answered(_, Answer::Cache(_) | Answer::Accounts(_)));
            usize::from(packet.to) < setup.players() || answer
        };
        let at = (0..net.packets.len()).find(idle).expect("something is left that keeps the world from rest");
        let pick = net.pick(at, None);
        make(&mut world, Choice::Deliver(Pick { nth: 0, ..pick }));
    }
    assert_eq!(world.broken(), Some(violation.broken), "{}", subject.name);
    made
}

#[test]
fn reductions_change_no_verdict_of_small_worlds() {
    let [exhausted, violated] = compare(1_500);
    assert!(exhausted >= 1 && violated >= 20, "{exhausted} and {violated} were compared");
}

/// The same for larger ones, in release builds: it takes minutes in others. Part of CI, and
/// `GATEPASS_REDUCTIONS_STATES` says how large they may be in full.
#[test]
#[cfg(not(debug_assertions))]
fn reductions_change_no_verdict_of_larger_worlds() {
    let asked = std::env::var("GATEPASS_REDUCTIONS_STATES").ok();
    let states = asked.map_or(50_000, |states| states.parse().expect("a number of states"));
    let [exhausted, violated] = compare(states);
    println!(
        "{exhausted} exhausted and {violated} violated, of at most {states} states in full, were compared"
    );
    let least = if states < 50_000 { (1, 20) } else { (3, 30) };
    assert!(exhausted >= least.0 && violated >= least.1, "{exhausted} and {violated} were compared");
}
