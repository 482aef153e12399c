//! A state space as a graph in memory: every state, every step between states.

use std::collections::{HashMap, VecDeque, hash_map::Entry};

use super::space::Space;

/// What may be held in memory.
#[derive(Clone, Copy, Debug)]
pub struct GraphBounds {
    /// States.
    pub states: usize,
    /// Steps.
    pub edges: usize,
}

impl Default for GraphBounds {
    fn default() -> Self {
        Self { states: 5_000_000, edges: 40_000_000 }
    }
}

/// The space is larger than the bounds allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

impl std::fmt::Display for TooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("there are more states or steps than the graph may hold")
    }
}

impl std::error::Error for TooLarge {}

/// Actions that fairness speaks of together, a bit for each class: whatever is in a class and stays possible
/// must happen some time. 0: nothing must.
pub type Classes = u32;

/// The graph of a space. Nodes are numbered in breadth-first order.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// What is asked about holds here.
    holds: Vec<bool>,
    /// Classes of which something is possible here.
    enabled: Vec<Classes>,
    /// How the node was first reached: from which node, by which action. Initial nodes name themselves, and
    /// which initial state they are.
    reached: Vec<(u32, u32)>,
    /// Where the edges of a node begin in `edges`; one more than there are nodes.
    begins: Vec<usize>,
    edges: Vec<Edge>,
}

/// A step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) to: u32,
    /// Which action.
    pub(super) action: u32,
    pub(super) classes: Classes,
}

impl Graph {
    /// Walks a whole space. `holds` says of each state what the analysis will ask about, `classes` of each
    /// action which fairness it is subject to.
    ///
    /// # Errors
    /// If it is too large.
    pub fn of<S: Space>(
        space: &S,
        bounds: GraphBounds,
        holds: impl Fn(&S::State) -> bool,
        classes: impl Fn(&S::State, &S::Action) -> Classes,
    ) -> Result<Self, TooLarge> {
        let mut graph = Self::default();
        let mut nodes: HashMap<u64, u32, foldhash::fast::FixedState> = HashMap::default();
        let mut queue = VecDeque::new();
        let (mut scratch, mut actions) = (S::Scratch::default(), Vec::new());
        let (store, mut last, mut to) = (S::Store::default(), None, S::Reached::default());
        for (nth, state) in space.init().into_iter().enumerate() {
            let node = nodes.len() as u32;
            space.enter(&store, &state, &mut to);
            if let Entry::Vacant(entry) = nodes.entry(space.fingerprint(&to)) {
                entry.insert(node);
                graph.reached.push((node, nth as u32));
                queue.push_back(space.keep(&mut to));
            }
        }
        let mut from = 0;
        while let Some(kept) = queue.pop_front() {
            let state = space.restore(&store, &kept, &mut last);
            graph.holds.push(holds(state));
            graph.begins.push(graph.edges.len());
            actions.clear();
            space.actions(&store, &kept, &mut scratch, &mut actions);
            let mut enabled = 0;
            for (nth, action) in actions.iter().enumerate() {
                if !space.step(&store, &kept, action, &mut to, &mut scratch) {
                    continue;
                }
                let next_node = nodes.len() as u32;
                let to_node = match nodes.entry(space.fingerprint(&to)) {
                    Entry::Occupied(entry) => *entry.get(),
                    Entry::Vacant(entry) => {
                        entry.insert(next_node);
                        graph.reached.push((from, nth as u32));
                        queue.push_back(space.keep(&mut to));
                        next_node
                    }
                };
                let classes = classes(state, action);
                enabled |= classes;
                graph.edges.push(Edge { to: to_node, action: nth as u32, classes });
            }
            graph.enabled.push(enabled);
            if nodes.len() > bounds.states.min(u32::MAX as usize - 1) || graph.edges.len() > bounds.edges {
                return Err(TooLarge);
            }
            from += 1;
        }
        graph.begins.push(graph.edges.len());
        Ok(graph)
    }

    /// Nodes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.holds.len()
    }

    /// Whether there is no initial state.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.holds.is_empty()
    }

    pub(super) fn holds(&self, node: u32) -> bool {
        self.holds[node as usize]
    }

    pub(super) fn enabled(&self, node: u32) -> Classes {
        self.enabled[node as usize]
    }

    pub(super) fn edges(&self, node: u32) -> &[Edge] {
        &self.edges[self.begins[node as usize]..self.begins[node as usize + 1]]
    }

    /// Initial nodes: they are the first.
    pub(super) fn initial(&self) -> impl Iterator<Item = u32> {
        (0..self.len() as u32).take_while(|node| self.reached[*node as usize].0 == *node)
    }

    /// Which initial state this initial node is.
    pub(super) fn initial_state(&self, node: u32) -> usize {
        self.reached[node as usize].1 as usize
    }

    /// From which initial state and by which actions a node is reached first.
    pub(super) fn way(&self, node: u32) -> (usize, Vec<usize>) {
        way(&self.reached, node)
    }
}

/// The way back, where of each node is known from which one and by which action it was reached: initial ones from
/// themselves, by their number.
pub(super) fn way(reached: &[(u32, u32)], mut node: u32) -> (usize, Vec<usize>) {
    let mut actions = Vec::new();
    loop {
        let (from, action) = reached[node as usize];
        if from == node {
            actions.reverse();
            return (action as usize, actions);
        }
        actions.push(action as usize);
        node = from;
    }
}
