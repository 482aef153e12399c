//! Makes a failing list of choices small: what is not needed for the failure is left out, and then a shorter
//! way is looked for that the run might have taken instead.

use std::{collections::HashSet, mem::discriminant};

use crate::{
    choice::Choice,
    replay::outcome,
    setup::Setup,
    shared::fingerprint,
    world::{Broken, Scratch, World},
};

/// Worlds that the search for a shorter way looks at: a bound that is the same on every machine, as time is not.
pub const WORLDS_MAX: usize = 100_000;

/// A list that breaks the same and from which nothing can be left out: delta debugging, then one by one.
#[must_use]
pub fn shrink(setup: &Setup, choices: &[Choice], broken: Broken) -> Vec<Choice> {
    let fails = |list: &[Choice]| outcome(setup, list) == Some(broken);
    let mut list = choices.to_vec();
    let mut parts = 2;
    while list.len() >= 2 && fails(&list) {
        let size = list.len().div_ceil(parts);
        let smaller = (0..list.len()).step_by(size).find_map(|start| {
            let mut rest = list.clone();
            rest.drain(start..(start + size).min(list.len()));
            fails(&rest).then_some(rest)
        });
        match smaller {
            Some(rest) => {
                list = rest;
                parts = 2.max(parts - 1);
            }
            None if size == 1 => break,
            None => parts = (parts * 2).min(list.len()),
        }
    }
    possible(setup, &list)
}

/// The list without choices that are not possible where they stand.
fn possible(setup: &Setup, choices: &[Choice]) -> Vec<Choice> {
    let mut world = World::new(setup);
    let mut scratch = Scratch::default();
    choices.iter().copied().filter(|choice| world.apply(setup, *choice, &mut scratch)).collect()
}

/// The shortest way to break the same with the nodes and the kinds of choices of this list alone, if it is
/// shorter than the list and found among the first `worlds` worlds. It is always the same one.
#[must_use]
pub fn shorter(setup: &Setup, list: &[Choice], broken: Broken, worlds: usize) -> Option<Vec<Choice>> {
    let kinds: HashSet<u64, foldhash::fast::FixedState> = list.iter().map(kind).collect();
    let there: HashSet<u16, foldhash::fast::FixedState> = list.iter().flat_map(Choice::nodes).collect();
    let fits =
        |choice: &&Choice| kinds.contains(&kind(choice)) && choice.nodes().all(|it| there.contains(&it));
    let mut scratch = Scratch::default();
    let first = World::new(setup);
    let mut seen: HashSet<u64, foldhash::fast::FixedState> = HashSet::default();
    seen.insert(fingerprint(&first));
    // Every world that was met: which one led to it (its place here), and by which choice.
    let mut came: Vec<(usize, Choice)> = Vec::new();
    let mut level = vec![(usize::MAX, first)];
    let mut choices = Vec::new();
    for _ in 1..list.len() {
        let mut next_level = Vec::new();
        for (from, world) in level {
            choices.clear();
            world.choices(setup, &mut choices);
            for &choice in choices.iter().filter(fits) {
                let mut next = world.clone();
                if !next.apply(setup, choice, &mut scratch) || !seen.insert(fingerprint(&next)) {
                    continue;
                }
                came.push((from, choice));
                if next.broken() == Some(broken) {
                    return Some(way(&came));
                }
                if came.len() >= worlds {
                    return None;
                }
                if next.broken().is_none() {
                    next_level.push((came.len() - 1, next));
                }
            }
        }
        level = next_level;
    }
    None
}

/// The choices that led to the last of these.
fn way(came: &[(usize, Choice)]) -> Vec<Choice> {
    let mut choices = Vec::new();
    let mut at = came.len().checked_sub(1);
    while let Some((from, choice)) = at.and_then(|at| came.get(at)) {
        choices.push(*choice);
        at = Some(*from);
    }
    choices.reverse();
    choices
}

/// What kind of thing happens.
fn kind(choice: &Choice) -> u64 {
    let timer = if let Choice::Fire { kind, .. } = choice { Some(kind) } else { None };
    let overtakes = matches!(choice, Choice::Deliver(pick) if pick.nth > 0);
    fingerprint(&(discriminant(choice), timer, overtakes))
}
