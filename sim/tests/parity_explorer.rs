//! Our explorer sees what stateright's own sees: the same number of states, the same verdicts. And for any number
//! of threads it finds the same ways.

use std::sync::Arc;

use gatepass_sim::{
    check::Worlds,
    explorer::{Bounds, Ended, Finish, Options, explore_model, search},
    scenario::Scenario,
    setup::Setup,
};
use stateright::{Checker, Expectation, Model, Property};

mod models;

use models::{graph::Graph, paxos::paxos, two_phase::TwoPhase};

fn options(threads: usize) -> Options {
    Options { bounds: Bounds { threads, ..Bounds::default() }, exact: false }
}

/// What must not depend on who explores: unique states, generated states, depth, what was discovered.
fn result<M: Model>(checker: &impl Checker<M>) -> (usize, usize, usize, Vec<&'static str>)
where
    M::State: Clone + PartialEq,
    M::Action: Clone + PartialEq,
{
    let properties = checker.model().properties();
    let found = checker.discoveries();
    let names = properties.iter().map(|it| it.name).filter(|name| found.contains_key(name)).collect();
    (checker.unique_state_count(), checker.state_count(), checker.max_depth(), names)
}

#[test]
fn two_phase_commit_has_as_many_states_as_for_stateright() {
    // 8 resource managers are known to have 1,745,408 states; a debug build takes fewer.
    let (managers, known) = if cfg!(debug_assertions) { (5, 8_832) } else { (8, 1_745_408) };
    let model = TwoPhase { managers };
    let theirs = model.checker().spawn_bfs().join();
    theirs.assert_properties();
    for threads in [1, 2, 3] {
        let ours = explore_model(model, options(threads), Finish::Exhausted);
        assert_eq!(ours.outcome.ended, Ended::Exhausted);
        assert_eq!(result(&ours), result(&theirs), "{threads} threads");
        ours.assert_properties();
        assert_eq!(ours.unique_state_count(), known);
        assert!(ours.outcome.kept_bytes < 40 * known as u64, "{} bytes", ours.outcome.kept_bytes);
    }
    let exact =
        explore_model(TwoPhase { managers: 4 }, Options { exact: true, ..options(2) }, Finish::Exhausted);
    assert_eq!((exact.outcome.states, exact.outcome.collisions), (1_568, Some(0)));
}

#[test]
fn paxos_has_as_many_states_as_for_stateright() {
    // With three clients they are known to be 1,194,428; a debug build takes two.
    let (clients, known) = if cfg!(debug_assertions) { (2, 16_668) } else { (3, 1_194_428) };
    let theirs = paxos(clients).checker().threads(2).spawn_bfs().join();
    let ours = explore_model(paxos(clients), options(2), Finish::Exhausted);
    assert_eq!(ours.outcome.ended, Ended::Exhausted);
    assert_eq!(result(&ours), result(&theirs));
    assert_eq!(ours.unique_state_count(), known);
    ours.assert_properties();
}

#[test]
fn random_graphs_are_explored_like_by_stateright_and_always_in_the_same_order() {
    for seed in 0..40 {
        let graph = Graph::random(seed, 700, 3);
        let theirs = graph.clone().checker().spawn_bfs().join();
        let [one, two, many] =
            [1, 2, 4].map(|threads| explore_model(graph.clone(), options(threads), Finish::Exhausted));
        assert_eq!(result(&one), result(&theirs), "seed {seed}");
        for other in [two, many] {
            assert_eq!(result(&other), result(&one), "seed {seed}");
            assert_eq!(other.outcome.found, one.outcome.found, "seed {seed}");
        }
        let distance = graph.distances();
        for property in graph.properties().iter().filter(|property| one.discovery(property.name).is_some()) {
            let wanted = !matches!(property.expectation, Expectation::Always);
            let here = |node: &u32| (property.condition)(&graph, node) == wanted;
            let least = distance.iter().filter(|(node, _)| here(node)).map(|(_, steps)| *steps).min();
            let path = one.assert_any_discovery(property.name);
            assert!(here(path.last_state()), "seed {seed}");
            assert_eq!(Some(path.into_actions().len()), least, "seed {seed}: {}", property.name);
        }
    }
}

/// A level so wide that threads meet the same new states in it at the same time.
#[test]
fn threads_that_race_for_a_state_agree_on_the_way_to_it() {
    let lattice = models::lattice::Lattice { sides: [60, 60, 30] };
    let [one, two, many] =
        [1, 2, 4].map(|threads| explore_model(lattice, options(threads), Finish::Exhausted));
    assert_eq!(one.unique_state_count(), 60 * 60 * 30);
    let corner = one.assert_any_discovery("far corner").into_actions();
    assert_eq!(corner.len(), 59 + 59 + 29);
    for other in [&two, &many] {
        assert_eq!(other.outcome.found, one.outcome.found);
        assert_eq!(other.assert_any_discovery("far corner").into_actions(), corner);
    }
}

#[test]
fn bounds_end_a_search_and_say_so() {
    let lattice = models::lattice::Lattice { sides: [200, 200, 200] };
    let bounded =
        |bounds| explore_model(lattice, Options { bounds, exact: false }, Finish::Exhausted).outcome;
    let outcome = bounded(Bounds { states: 5_000, ..Bounds::default() });
    assert_eq!(outcome.ended, Ended::StateBound);
    assert!((5_000..8_000).contains(&outcome.states), "{}", outcome.states);
    let outcome = bounded(Bounds { time: std::time::Duration::from_millis(200), ..Bounds::default() });
    assert_eq!(outcome.ended, Ended::TimeBound);
    let outcome = bounded(Bounds { memory: 1 << 20, ..Bounds::default() });
    assert_eq!(outcome.ended, Ended::MemoryBound);
}

#[test]
fn a_failure_ends_the_search_with_its_level() {
    let graph = Graph {
        initial: vec![0],
        edges: (0..100).map(|n| (n, n + 1)).collect(),
        properties: vec![Property::always("small", |_, state| *state < 7)],
    };
    let explored = explore_model(graph, options(2), Finish::FirstFailure);
    assert_eq!((explored.outcome.ended, explored.outcome.depth), (Ended::Stopped, 7));
    explored.assert_discovery("small", (0..7).map(|n| (n, n + 1)).collect());
}

#[test]
fn worlds_are_explored_like_by_stateright() {
    for scenario in Scenario::shipped() {
        let setup = Arc::new(Setup::new(scenario).expect("shipped scenarios can be played"));
        let worlds = Worlds::new(setup);
        let bounds = Bounds { states: 9_000, ..Bounds::default() };
        let mut go_on = |_, _: &[_]| std::ops::ControlFlow::Continue(());
        let exact = Options { bounds, exact: true };
        let ours = search(&worlds, exact, &mut go_on, &mut |_| {});
        assert_eq!(ours.collisions, Some(0));
        if ours.ended != Ended::Exhausted {
            continue;
        }
        let theirs = worlds.clone().checker().spawn_dfs().join();
        let counts = (theirs.unique_state_count() as u64, theirs.state_count() as u64);
        assert_eq!((ours.states, ours.generated), counts, "{}", worlds.setup.scenario.name);
        assert_eq!(theirs.discoveries().len(), ours.found.len());
    }
}
