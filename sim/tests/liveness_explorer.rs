//! What must happen in the end, on graphs with known answers: among them those that stateright's `eventually`
//! misses.

use gatepass_sim::explorer::{
    Classes, Graph, GraphBounds, OfModel, TooLarge,
    liveness::{Lasso, always_possible, eventually},
};
use stateright::{Checker, Model, Property};

mod models;

use models::graph::Graph as Edges;

/// The graph of some edges; it holds in odd states. Edges to a state of at least 100 more are of class 1.
fn graph(initial: &[u32], edges: &[(u32, u32)]) -> (Edges, Graph) {
    let properties = vec![Property::eventually("odd", |_, state| state % 2 == 1)];
    let edges = Edges { initial: initial.to_vec(), edges: edges.to_vec(), properties };
    let classes = |_: &u32, (from, to): &(u32, u32)| Classes::from(*to >= from + 100);
    let graph =
        Graph::of(&OfModel::new(edges.clone()), GraphBounds::default(), |state| state % 2 == 1, classes);
    (edges, graph.expect("it is small"))
}

fn lasso(initial: usize, prefix: &[usize], cycle: &[usize]) -> Result<(), Lasso> {
    Err(Lasso { initial, prefix: prefix.to_vec(), cycle: cycle.to_vec() })
}

#[test]
fn a_cycle_is_found_which_stateright_misses() {
    let (edges, graph) = graph(&[0], &[(0, 2), (2, 4), (4, 2)]);
    assert_eq!(eventually(&graph, 0), lasso(0, &[0], &[0, 0]));
    assert!(edges.checker().spawn_bfs().join().discovery("odd").is_none());
}

#[test]
fn a_loop_of_one_state_is_found_which_stateright_misses() {
    let (edges, graph) = graph(&[0], &[(0, 0), (0, 1)]);
    assert_eq!(eventually(&graph, 0), lasso(0, &[], &[0]));
    // But 1 can always be reached.
    assert_eq!(always_possible(&graph), Ok(()));
    assert!(edges.checker().spawn_bfs().join().discovery("odd").is_none());
}

#[test]
fn the_order_of_initial_states_does_not_matter() {
    for initial in [[0, 1], [1, 0]] {
        let (_, graph) = graph(&initial, &[(0, 4), (1, 4), (4, 6)]);
        let even = initial.iter().position(|state| *state == 0).expect("it is there");
        assert_eq!(eventually(&graph, 0), lasso(even, &[0, 0], &[]), "{initial:?}");
    }
}

#[test]
fn what_holds_on_every_way_holds() {
    let (_, tree) = graph(&[0], &[(0, 1), (0, 2), (2, 3), (3, 4), (4, 4)]);
    assert_eq!(eventually(&tree, 0), Ok(()));
    // Once it has held, a run may go anywhere; but from there it does not hold again.
    assert_eq!(always_possible(&tree), lasso(0, &[1, 0, 0], &[]));
}

#[test]
fn fairness_leaves_out_runs_that_starve_an_action() {
    // 0 ⇄ 2, and from both of them to 101 or 103: possible all the time.
    let (_, starved) = graph(&[0], &[(0, 2), (2, 0), (0, 101), (2, 103)]);
    assert_eq!(eventually(&starved, 0), lasso(0, &[], &[0, 0]));
    assert_eq!(eventually(&starved, 1), Ok(()));
    // Possible only in 0: weak fairness does not ask for it, and the way round passes 2.
    let (_, blinking) = graph(&[0], &[(0, 2), (2, 0), (0, 101)]);
    assert_eq!(eventually(&blinking, 1), lasso(0, &[], &[0, 0]));
    // Possible all the time, and taken, but to no avail: the way round takes it.
    let (edges, taken) = graph(
        &[0],
        &[
            (0, 2),
            (2, 0),
            (0, 100),
            (100, 200),
            (200, 0),
            (2, 102),
            (102, 0),
            (102, 202),
            (202, 0),
            (202, 302),
            (302, 0),
            (302, 403),
            (200, 301),
        ],
    );
    let found = eventually(&taken, 1).expect_err("it goes round");
    let (_, cycle) = found.actions(&OfModel::new(edges)).expect("it replays");
    assert!(cycle.iter().any(|(from, to)| *to >= from + 100), "{cycle:?}");
}

#[test]
fn a_chain_of_a_hundred_thousand_states_needs_no_deep_stack() {
    let model = OfModel::new(models::lattice::Chain { length: 100_000 });
    let graph = |last| {
        Graph::of(&model, GraphBounds::default(), |state| *state == last, |_, ()| 1)
            .expect("it is small enough")
    };
    assert_eq!((eventually(&graph(100_000), 1), always_possible(&graph(100_000))), (Ok(()), Ok(())));
    assert_eq!(eventually(&graph(100_001), 1).expect_err("it ends").prefix.len(), 100_000);
    let bounds = GraphBounds { states: 1_000, ..GraphBounds::default() };
    assert_eq!(Graph::of(&model, bounds, |_| true, |_, ()| 0).err(), Some(TooLarge));
}

/// Every verdict against one by other means: a node that never sees an odd one can go on for ever, or it ends.
#[test]
fn random_graphs_get_the_verdict_of_a_fixed_point() {
    let mut verdicts = [0, 0];
    for seed in 0..200 {
        let random = Edges::random(seed, 30, 2);
        let (edges, graph) = graph(&random.initial, &random.edges);
        // The greatest set of even nodes that end, or have a next one in the set.
        let mut avoids: Vec<bool> = (0..30).map(|node| node % 2 == 0).collect();
        for _ in 0..30 {
            let next = |node: u32| {
                edges.edges.iter().filter(move |(from, _)| *from == node).map(|(_, to)| *to as usize)
            };
            for node in 0..30_u32 {
                avoids[node as usize] &= next(node).count() == 0 || next(node).any(|to| avoids[to]);
            }
        }
        let expected = edges.initial.iter().any(|node| avoids[*node as usize]);
        let found = eventually(&graph, 0);
        assert_eq!(found.is_err(), expected, "seed {seed}");
        verdicts[usize::from(expected)] += 1;
        let Err(lasso) = found else { continue };
        // The lasso replays, never meets an odd node, and ends where it says.
        let (prefix, cycle) = lasso.actions(&OfModel::new(edges.clone())).expect("it replays");
        let start = edges.initial[lasso.initial];
        let entry = prefix.last().map_or(start, |(_, to)| *to);
        assert!(start % 2 == 0 && prefix.iter().chain(&cycle).all(|(_, to)| to % 2 == 0), "seed {seed}");
        match cycle.last() {
            Some((_, to)) => assert_eq!(*to, entry, "seed {seed}"),
            None => assert!(edges.edges.iter().all(|(from, _)| *from != entry), "seed {seed}"),
        }
    }
    assert!(verdicts.iter().all(|count| *count > 10), "{verdicts:?}");
}
