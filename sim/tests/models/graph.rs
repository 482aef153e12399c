//! Graphs as models: states are numbers, actions are edges.

use std::collections::BTreeMap;

use gatepass_sim::prng::Prng;
use stateright::{Model, Property};

#[derive(Clone)]
pub(crate) struct Graph {
    pub(crate) initial: Vec<u32>,
    pub(crate) edges: Vec<(u32, u32)>,
    pub(crate) properties: Vec<Property<Self>>,
}

impl Graph {
    /// A graph of this many nodes, each with up to `degree` edges, some to itself, some twice.
    pub(crate) fn random(seed: u64, nodes: u32, degree: u32) -> Self {
        let mut random = Prng::new(seed);
        let mut below = |n: u32| random.below(n);
        let mut edges = Vec::new();
        for node in 0..nodes {
            for _ in 0..below(degree + 1) {
                edges.push((node, below(nodes)));
            }
        }
        let initial = vec![below(nodes), below(nodes), below(nodes)];
        let properties = vec![
            Property::sometimes("met", |_, state| state % 97 == 13),
            Property::always("never 200 to 210", |_, state| !(200..210).contains(state)),
            Property::always("never so high", |_, state| *state < 1_000_000),
        ];
        Self { initial, edges, properties }
    }

    /// How many steps each node is away, found by asking all edges again and again.
    pub(crate) fn distances(&self) -> BTreeMap<u32, usize> {
        let mut known: BTreeMap<u32, usize> = self.initial.iter().map(|node| (*node, 0)).collect();
        for steps in 1.. {
            let last = |node: &u32| known.get(node) == Some(&(steps - 1));
            let next: Vec<u32> =
                self.edges.iter().filter(|(from, _)| last(from)).map(|(_, to)| *to).collect();
            let before = known.len();
            for node in next {
                known.entry(node).or_insert(steps);
            }
            if known.len() == before {
                break;
            }
        }
        known
    }
}

impl Model for Graph {
    type State = u32;
    type Action = (u32, u32);

    fn init_states(&self) -> Vec<u32> {
        self.initial.clone()
    }

    fn actions(&self, state: &u32, actions: &mut Vec<(u32, u32)>) {
        actions.extend(self.edges.iter().filter(|(from, _)| from == state));
    }

    fn next_state(&self, _: &u32, (_, to): (u32, u32)) -> Option<u32> {
        Some(to)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        self.properties.clone()
    }
}
