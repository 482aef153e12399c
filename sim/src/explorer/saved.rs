//! A search that ends between two levels and goes on later: what to keep of it, and how to take it up again.
//!
//! Kept are fingerprint and link of each state of the levels that are complete, and nothing of a level that is
//! half done. States are not kept: those of the last level are reached again, along the links of their ancestors,
//! and each must have the fingerprint that was kept for it.

use std::{fmt, ops::Range, time::Duration};

use super::{
    level::New,
    search::Found,
    space::{Space, print_of},
    table::{Link, Table},
};

/// What is kept of a search, up to the last complete level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved<F> {
    /// How each state was first reached and its fingerprint, in the order of the search.
    pub seen: Vec<(u64, u64)>,
    /// States generated, repeated ones included.
    pub generated: u64,
    /// What was found so far.
    pub found: Vec<Found<F>>,
}

/// What was kept does not fit the space that is searched, or is no search at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfit;

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its states are not those of this scenario: another build wrote it, or it is damaged")
    }
}

impl std::error::Error for Unfit {}

/// Interruptions of a search: how it may be stopped, and what becomes of it then.
pub struct Keep<'a, F> {
    /// A search to take up again.
    pub resume: Option<Saved<F>>,
    /// How often it is saved while it goes on, at the end of a level.
    pub every: Duration,
    /// Asked some times a second: whether to stop.
    pub stop: &'a dyn Fn() -> bool,
    /// Takes what is to be kept: now and then, and when a bound or `stop` ends the search.
    pub save: Option<&'a mut dyn FnMut(Saved<F>)>,
}

impl<F> Default for Keep<'_, F> {
    /// Never stopped, and nothing is kept.
    fn default() -> Self {
        Self { resume: None, every: Duration::MAX, stop: &|| false, save: None }
    }
}

/// Where the levels begin and end. Links are in order, so those that lead from one level stand together.
pub(super) fn levels(seen: &[(u64, u64)]) -> Result<Vec<Range<usize>>, Unfit> {
    let before =
        |end: usize| move |(link, _): &(u64, u64)| Link(*link).parent().is_none_or(|it| it < end as u64);
    let mut levels = Vec::new();
    let (mut begin, mut end) = (0, seen.partition_point(before(0)));
    while begin < end {
        levels.push(begin..end);
        (begin, end) = (end, seen.partition_point(before(end)));
    }
    let ordered = seen.is_sorted_by(|one, other| one.0 < other.0);
    if ordered && !levels.is_empty() && end == seen.len() { Ok(levels) } else { Err(Unfit) }
}

/// All complete levels of a table: those that were reached from states before `first`.
pub(super) fn complete(table: &Table, first: u64) -> Vec<(u64, u64)> {
    let is_complete = |(_, link): &(u64, Link)| link.parent().is_none_or(|parent| parent < first);
    let mut seen: Vec<(u64, u64)> =
        table.entries().filter(is_complete).map(|(print, link)| (link.0, print)).collect();
    seen.sort_unstable();
    seen
}

/// Reaches the states of the last level again.
pub(super) fn replay<S: Space>(
    space: &S,
    store: &S::Store,
    seen: &[(u64, u64)],
    levels: &[Range<usize>],
) -> Result<New<S>, Unfit> {
    let (Some(first), Some(last)) = (levels.first(), levels.last()) else { return Err(Unfit) };
    let parent = |at: usize| Link(seen[at].0).parent().map(|it| it as usize);
    let mut needed = vec![false; seen.len()];
    for at in (0..seen.len()).rev() {
        if needed[at] || last.contains(&at) {
            needed[at] = true;
            if let Some(parent) = parent(at) {
                needed[parent] = true;
            }
        }
    }
    let is_it = |reached: &S::Reached, at: usize| print_of(space, reached) == seen[at].1;
    let initial = space.init();
    let (mut level, mut to) = (Vec::new(), S::Reached::default());
    for at in first.clone().filter(|at| needed[*at]) {
        let state = initial.get(Link(seen[at].0).action()).ok_or(Unfit)?;
        space.enter(store, state, &mut to);
        if !is_it(&to, at) {
            return Err(Unfit);
        }
        level.push((at, space.keep(&mut to)));
    }
    let mut scratch = S::Scratch::default();
    for next in &levels[1..] {
        let mut children = next.clone().filter(|at| needed[*at]).peekable();
        let (mut reached, mut actions) = (Vec::new(), Vec::new());
        for (parent_at, kept) in &level {
            let is_child = |at: &usize| parent(*at) == Some(*parent_at);
            if !children.peek().is_some_and(is_child) {
                continue;
            }
            actions.clear();
            space.actions(store, kept, &mut scratch, &mut actions);
            while let Some(at) = children.next_if(is_child) {
                let action = actions.get(Link(seen[at].0).action()).ok_or(Unfit)?;
                let possible = space.step(store, kept, action, &mut to, &mut scratch);
                if !possible || !is_it(&to, at) {
                    return Err(Unfit);
                }
                reached.push((at, space.keep(&mut to)));
            }
        }
        level = reached;
    }
    let (mut new, mut spare) = (New::default(), Vec::new());
    for (at, kept) in level {
        new.push(seen[at].1, Link(seen[at].0), kept, &mut spare);
    }
    if new.prints.len() == last.len() { Ok(new) } else { Err(Unfit) }
}
