//! What must happen in the end: questions about a whole [`Graph`].
//!
//! Two of them. *Can it always still happen?* ([`always_possible`]): from every reachable state there is a way to
//! a state where it holds. *Does it always happen?* ([`eventually`]): there is no run, finite and at its end, or
//! endless and fair, in which it never holds. A run is fair if no class of actions stays possible for ever from
//! some point on without being taken (weak fairness).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    graph::{Classes, Edge, Graph, way},
    paths::walk,
    space::{Actions, Space},
};

/// A run in which what was asked for never comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lasso {
    /// Which initial state.
    pub initial: usize,
    /// The way to where it goes round, or ends: indices of actions.
    pub prefix: Vec<usize>,
    /// What is repeated for ever; empty if there the run ends, as nothing is possible any more.
    pub cycle: Vec<usize>,
}

impl Lasso {
    /// The actions of prefix and cycle; `None` if the space is not the one that was analysed.
    pub fn actions<S: Space>(&self, space: &S) -> Option<(Actions<S>, Actions<S>)> {
        let whole = self.prefix.iter().chain(&self.cycle).copied().collect();
        let (_, mut actions) = walk(space, &(self.initial, whole))?;
        let cycle = actions.split_off(self.prefix.len());
        Some((actions, cycle))
    }
}

/// Whether from every state a state is reachable where it holds. Otherwise the nearest state from which none is,
/// as a run that ends there, though more may follow.
///
/// # Errors
/// The way into the trap.
pub fn always_possible(graph: &Graph) -> Result<(), Lasso> {
    let nodes = graph.len() as u32;
    // Edges the other way round: where those into a node begin, and where they come from.
    let mut begins = vec![0_usize; graph.len() + 2];
    for node in 0..nodes {
        for edge in graph.edges(node) {
            begins[edge.to as usize + 2] += 1;
        }
    }
    for at in 2..begins.len() {
        begins[at] += begins[at - 1];
    }
    let mut sources = vec![0_u32; begins.last().copied().unwrap_or(0)];
    for node in 0..nodes {
        for edge in graph.edges(node) {
            let at = &mut begins[edge.to as usize + 1];
            sources[*at] = node;
            *at += 1;
        }
    }
    let mut possible: Vec<bool> = (0..nodes).map(|node| graph.holds(node)).collect();
    let mut queue: Vec<u32> = (0..nodes).filter(|node| graph.holds(*node)).collect();
    while let Some(node) = queue.pop() {
        for &source in &sources[begins[node as usize]..begins[node as usize + 1]] {
            if !std::mem::replace(&mut possible[source as usize], true) {
                queue.push(source);
            }
        }
    }
    // Nodes are in breadth-first order: the first trap is the nearest.
    match possible.iter().position(|possible| !possible) {
        None => Ok(()),
        Some(trap) => {
            let (initial, prefix) = graph.way(trap as u32);
            Err(Lasso { initial, prefix, cycle: Vec::new() })
        }
    }
}

/// Whether it holds some time in every run that is fair to the classes in `fair`.
///
/// # Errors
/// A run in which it never does.
pub fn eventually(graph: &Graph, fair: Classes) -> Result<(), Lasso> {
    let search = Without::new(graph);
    // A run that ends.
    if let Some(end) = search.order.iter().find(|node| graph.edges(**node).is_empty()) {
        let (initial, prefix) = search.way(*end);
        return Err(Lasso { initial, prefix, cycle: Vec::new() });
    }
    for component in search.components() {
        let inside = Inside::new(&search, &component);
        let goes_round = component.iter().any(|node| inside.edges(*node).next().is_some());
        let taken =
            component.iter().flat_map(|node| inside.edges(*node)).fold(0, |all, edge| all | edge.classes);
        let always_enabled = component.iter().fold(fair, |all, node| all & graph.enabled(*node));
        if goes_round && always_enabled & !taken == 0 {
            let entry = *component.iter().min_by_key(|node| search.place(**node)).expect("it has a node");
            let (initial, prefix) = search.way(entry);
            return Err(Lasso { initial, prefix, cycle: inside.round(entry, fair) });
        }
    }
    Ok(())
}

/// Whether every run comes to an end, and ends where it holds. A run may end wherever no class of actions is
/// possible that must be taken: what is not in a class never has to happen.
///
/// # Errors
/// A run that ends where it does not hold; or, with a cycle, one that need not end.
pub fn in_the_end(graph: &Graph) -> Result<(), Lasso> {
    let nodes = graph.len() as u32;
    if let Some(end) = (0..nodes).find(|node| graph.enabled(*node) == 0 && !graph.holds(*node)) {
        let (initial, prefix) = graph.way(end);
        return Err(Lasso { initial, prefix, cycle: Vec::new() });
    }
    // Take away nodes that nothing leads to, again and again: what is left goes round.
    let mut leading = vec![0_u32; graph.len()];
    for edge in (0..nodes).flat_map(|node| graph.edges(node)) {
        leading[edge.to as usize] += 1;
    }
    let mut free: Vec<u32> = (0..nodes).filter(|node| leading[*node as usize] == 0).collect();
    while let Some(node) = free.pop() {
        for edge in graph.edges(node) {
            leading[edge.to as usize] -= 1;
            if leading[edge.to as usize] == 0 {
                free.push(edge.to);
            }
        }
    }
    let Some(first) = leading.iter().position(|leading| *leading > 0) else { return Ok(()) };
    // From a node that is left one can always go back to another one that is: some node comes twice.
    let mut back: Vec<u32> = vec![first as u32];
    loop {
        let at = *back.last().expect("it begins with a node");
        let into =
            |node: &u32| leading[*node as usize] > 0 && graph.edges(*node).iter().any(|edge| edge.to == at);
        let before = (0..nodes).find(into).expect("an edge leads to it");
        if let Some(met) = back.iter().position(|node| *node == before) {
            let mut round: Vec<u32> = back[met..].to_vec();
            round.push(before);
            round.reverse();
            round.pop();
            let step = |pair: &[u32]| {
                let edge = graph.edges(pair[0]).iter().find(|edge| edge.to == pair[1]);
                edge.map_or(0, |edge| edge.action as usize)
            };
            let mut closed = round.clone();
            closed.push(round[0]);
            let cycle = closed.windows(2).map(step).collect();
            let (initial, prefix) = graph.way(round[0]);
            return Err(Lasso { initial, prefix, cycle });
        }
        back.push(before);
    }
}

const NOT_MET: u32 = u32::MAX;

/// The part of a graph that is reached without that it ever held.
struct Without<'a> {
    graph: &'a Graph,
    /// Its nodes, breadth first.
    order: Vec<u32>,
    /// Place of each node in `order`.
    places: Vec<u32>,
    /// From which node and by which action each was reached; initial ones from themselves.
    reached: Vec<(u32, u32)>,
}

impl<'a> Without<'a> {
    fn new(graph: &'a Graph) -> Self {
        let nodes = graph.len();
        let mut it = Self {
            graph,
            order: Vec::new(),
            places: vec![NOT_MET; nodes],
            reached: vec![(NOT_MET, 0); nodes],
        };
        for node in graph.initial() {
            it.meet(node, node, graph.initial_state(node) as u32);
        }
        let mut at = 0;
        while let Some(&node) = it.order.get(at) {
            for edge in graph.edges(node) {
                it.meet(edge.to, node, edge.action);
            }
            at += 1;
        }
        it
    }

    fn meet(&mut self, node: u32, from: u32, action: u32) {
        if self.places[node as usize] == NOT_MET && !self.graph.holds(node) {
            self.places[node as usize] = self.order.len() as u32;
            self.reached[node as usize] = (from, action);
            self.order.push(node);
        }
    }

    fn place(&self, node: u32) -> u32 {
        self.places[node as usize]
    }

    fn way(&self, node: u32) -> (usize, Vec<usize>) {
        way(&self.reached, node)
    }

    /// Edges that stay in this part.
    fn edges(&self, node: u32) -> impl Iterator<Item = &'a Edge> {
        let places = &self.places;
        self.graph.edges(node).iter().filter(move |edge| places[edge.to as usize] != NOT_MET)
    }

    /// Strongly connected components, by Tarjan's algorithm with a stack of its own.
    fn components(&self) -> Vec<Vec<u32>> {
        let nodes = self.graph.len();
        let (mut index, mut low) = (vec![NOT_MET; nodes], vec![0_u32; nodes]);
        let mut on_stack = vec![false; nodes];
        let (mut stack, mut calls, mut components) = (Vec::new(), Vec::new(), Vec::new());
        let mut count = 0;
        for &root in &self.order {
            if index[root as usize] != NOT_MET {
                continue;
            }
            calls.push((root, 0_usize));
            while let Some((node, next)) = calls.last_mut() {
                let at = *node as usize;
                if *next == 0 {
                    (index[at], low[at], on_stack[at]) = (count, count, true);
                    count += 1;
                    stack.push(*node);
                }
                let edges = self.graph.edges(*node);
                let mut deeper = None;
                while let Some(edge) = edges.get(*next) {
                    *next += 1;
                    let to = edge.to as usize;
                    if self.places[to] == NOT_MET {
                        continue;
                    }
                    if index[to] == NOT_MET {
                        deeper = Some(edge.to);
                        break;
                    }
                    if on_stack[to] {
                        low[at] = low[at].min(index[to]);
                    }
                }
                if let Some(deeper) = deeper {
                    calls.push((deeper, 0));
                    continue;
                }
                calls.pop();
                if let Some((caller, _)) = calls.last() {
                    let caller = *caller as usize;
                    low[caller] = low[caller].min(low[at]);
                }
                if low[at] == index[at] {
                    let first =
                        stack.iter().rposition(|node| *node as usize == at).expect("it is on the stack");
                    let component = stack.split_off(first);
                    for node in &component {
                        on_stack[*node as usize] = false;
                    }
                    components.push(component);
                }
            }
        }
        components
    }
}

/// One component.
struct Inside<'a> {
    all: &'a Without<'a>,
    nodes: BTreeSet<u32>,
}

impl<'a> Inside<'a> {
    fn new(all: &'a Without<'a>, component: &[u32]) -> Self {
        Self { all, nodes: component.iter().copied().collect() }
    }

    fn edges(&self, node: u32) -> impl Iterator<Item = &'a Edge> {
        self.all.edges(node).filter(|edge| self.nodes.contains(&edge.to))
    }

    /// A way round from `entry` to itself that is fair: for each class it takes an action of it, or passes a
    /// node where there is none.
    fn round(&self, entry: u32, fair: Classes) -> Vec<usize> {
        let (mut at, mut actions, mut open) = (entry, Vec::new(), fair);
        loop {
            // A node where some open class is not possible settles it, and so does an edge of that class.
            open &= self.all.graph.enabled(at);
            let Some((way, last)) = self.nearest(at, |edge| {
                if open == 0 {
                    edge.to == entry
                } else {
                    edge.classes & open != 0 || open & !self.all.graph.enabled(edge.to) != 0
                }
            }) else {
                return actions;
            };
            for edge in way {
                open &= !edge.classes & self.all.graph.enabled(edge.to);
                actions.push(edge.action as usize);
            }
            at = last;
            if open == 0 && at == entry {
                return actions;
            }
        }
    }

    /// The shortest way from a node whose last edge is wanted, and where it leads.
    fn nearest(&self, from: u32, wanted: impl Fn(&Edge) -> bool) -> Option<(Vec<Edge>, u32)> {
        let mut reached = BTreeMap::new();
        let mut queue = VecDeque::from([from]);
        while let Some(node) = queue.pop_front() {
            for edge in self.edges(node) {
                if wanted(edge) {
                    let (mut way, mut at) = (vec![*edge], node);
                    while at != from {
                        let (before, edge): (u32, Edge) = reached[&at];
                        way.push(edge);
                        at = before;
                    }
                    way.reverse();
                    return Some((way, edge.to));
                }
                if edge.to != from && !reached.contains_key(&edge.to) {
                    reached.insert(edge.to, (node, *edge));
                    queue.push_back(edge.to);
                }
            }
        }
        None
    }
}
