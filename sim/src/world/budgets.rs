//! What may still go wrong, and how often timers may still run out. A choice is offered while its budget lasts, so who makes
//! it need not look how much is left: what it takes says all.

use std::collections::HashMap;

use super::{follow::Context, pack::Slot, recall::After, *};
use crate::scenario::ALWAYS;

impl World {
    /// Takes one from a budget; `false` if nothing is left.
    pub(super) fn spend(&mut self, budget: impl FnOnce(&mut Faults) -> &mut u8) -> bool {
        take_one(budget(self.faults.edit_unseen()))
    }

    /// The same for timers of a kind that runs out.
    pub(super) fn spend_fire(&mut self, kind: TimerKind) -> bool {
        let budget = &mut self.fires.edit_unseen()[kind as usize];
        *budget == ALWAYS || take_one(budget)
    }
}

const fn take_one(budget: &mut u8) -> bool {
    let is_left = *budget > 0;
    *budget = budget.saturating_sub(1);
    is_left
}

/// What there is of each budget, or what is taken from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Amounts {
    pub(super) faults: Faults,
    pub(super) fires: Fires,
}

impl Amounts {
    pub(super) fn less(mut self, mut other: Self) -> Self {
        let taken = other.faults.budgets().into_iter().chain(&mut other.fires);
        for (budget, taken) in self.faults.budgets().into_iter().chain(&mut self.fires).zip(taken) {
            debug_assert!(*budget >= *taken, "nobody takes what is not there");
            *budget = budget.saturating_sub(*taken);
        }
        self
    }
}

/// What one thread knows of budgets.
#[derive(Debug, Default)]
pub(super) struct Budgets {
    /// What may be taken.
    taken: Vec<Amounts>,
    /// What is left, by the numbers of both parts and of what was taken.
    left: HashMap<[u32; 3], [After; 2], foldhash::fast::FixedState>,
}

impl Budgets {
    /// The number of what is taken.
    pub(super) fn number(&mut self, taken: Amounts) -> u32 {
        let at = self.taken.iter().position(|other| *other == taken).unwrap_or_else(|| {
            self.taken.push(taken);
            self.taken.len() - 1
        });
        at as u32
    }

    /// What is left of these budgets, faults and timers, when this was taken.
    pub(super) fn left(&mut self, on: Context<'_>, [faults, fires]: [u32; 2], taken: u32) -> [After; 2] {
        let Self { taken: all, left } = self;
        *left.entry([faults, fires, taken]).or_insert_with(|| {
            let there = Amounts {
                faults: *on.store.faults.get(faults).get(),
                fires: *on.store.fires.get(fires).get(),
            };
            let left = there.less(all[taken as usize]);
            [
                After::of(&on.store.faults, Slot::Faults.at(), faults, &Shared::new(left.faults)),
                After::of(&on.store.fires, Slot::Fires.at(), fires, &Shared::new(left.fires)),
            ]
        })
    }
}
