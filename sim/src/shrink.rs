//! Makes a failing list of choices small: what is not needed for the failure is left out.

use crate::{
    choice::Choice,
    replay::outcome,
    setup::Setup,
    world::{Broken, Scratch, World},
};

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
