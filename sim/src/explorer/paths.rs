//! The way back: from which state and by which action each state was first reached.

use super::{
    space::{Actions, Space, States},
    table::Link,
};

/// The links of all states in the order of the search, level by level. A state is named by its place in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Paths {
    levels: Vec<Vec<Link>>,
    /// The first state of each level.
    firsts: Vec<u64>,
    len: u64,
}

impl Paths {
    /// States.
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// Levels.
    pub(super) const fn depth(&self) -> u64 {
        self.levels.len() as u64
    }

    /// What this takes in memory, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.levels.iter().map(|level| (level.capacity() * size_of::<Link>()) as u64).sum()
    }

    /// Adds a level, in order.
    pub(super) fn push(&mut self, level: Vec<Link>) {
        self.firsts.push(self.len);
        self.len += level.len() as u64;
        self.levels.push(level);
    }

    /// How a state was reached.
    pub(super) fn link(&self, state: u64) -> Link {
        let level = self.firsts.partition_point(|first| *first <= state) - 1;
        self.levels[level][(state - self.firsts[level]) as usize]
    }

    /// The initial state and the actions, by their indices, that lead to a state.
    pub(super) fn way(&self, mut state: u64) -> (usize, Vec<usize>) {
        let mut actions = Vec::new();
        loop {
            let link = self.link(state);
            let Some(parent) = link.parent() else {
                actions.reverse();
                return (link.action(), actions);
            };
            actions.push(link.action());
            state = parent;
        }
    }
}

/// Walks a way: the states on it and the actions between them.
pub(super) fn walk<S: Space>(
    space: &S,
    (initial, way): &(usize, Vec<usize>),
) -> Option<(States<S>, Actions<S>)> {
    let (mut scratch, mut choices) = (S::Scratch::default(), Vec::new());
    let (store, mut reached) = (S::Store::default(), S::Reached::default());
    let mut states = vec![space.init().into_iter().nth(*initial)?];
    space.enter(&store, states.first()?, &mut reached);
    let mut actions = Vec::new();
    for nth in way {
        let kept = space.keep(&mut reached);
        choices.clear();
        space.actions(&store, &kept, &mut scratch, &mut choices);
        let action = choices.get(*nth)?.clone();
        if !space.step(&store, &kept, &action, &mut reached, &mut scratch) {
            return None;
        }
        states.push(space.state(&store, &reached));
        actions.push(action);
    }
    Some((states, actions))
}
