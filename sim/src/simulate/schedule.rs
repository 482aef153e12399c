//! Who goes next: the ways in which a seed may draw the choices of its run.
//!
//! No way is good at everything. Uniform draws try what happens anyway. Swarm weights make runs of one-sided
//! character: some players hurry, some links drag, one kind of fault is everywhere or nowhere. Priorities (PCT)
//! let one process run until it waits for others and hold another back until nothing else is possible, which
//! is what most races need; with `d - 1` changes of mind a run meets every bug that needs `d` things in order
//! with a chance that has a lower bound.

use std::mem::discriminant;

use serde::{Deserialize, Serialize};

use crate::{choice::Choice, prng::Prng, shared::fingerprint};

/// How runs draw their choices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheduler {
    /// Each seed draws one of the others: PCT for half of them, swarm for 30 %, uniform for 20 %.
    #[default]
    Mix,
    /// A random priority per process; the highest that can do something does it. It changes 1 to 4 times.
    Pct,
    /// A random weight (1, 8 or 64) per process and per kind of choice.
    Swarm,
    /// Every choice is as likely as any other.
    Uniform,
}

impl Scheduler {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Mix, Self::Pct, Self::Swarm, Self::Uniform];

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheduler| scheduler.name() == name)
    }

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mix => "mix",
            Self::Pct => "pct",
            Self::Swarm => "swarm",
            Self::Uniform => "uniform",
        }
    }
}

/// Most changes of priority in a run.
const CHANGES_MAX: usize = 4;

/// What the seed of one run has drawn, and how far the run is.
#[derive(Debug)]
pub(super) struct Schedule {
    prng: Prng,
    /// Makes the priorities and weights of this run differ from those of others.
    key: u64,
    way: Way,
    weights: Vec<u32>,
}

#[derive(Debug)]
enum Way {
    Uniform,
    Swarm,
    Pct {
        /// At which choices the process that would act falls below all others, in order.
        changes: [u32; CHANGES_MAX],
        made: u32,
        /// Those that have fallen, in the order in which they fell.
        fallen: [u64; CHANGES_MAX],
        falls: usize,
    },
}

impl Schedule {
    /// The schedule of a seed. `length`: how many choices a run of this world is guessed to make.
    pub(super) fn new(seed: u64, scheduler: Scheduler, length: u32) -> Self {
        let mut prng = Prng::new(seed);
        let drawn = match (scheduler, prng.below(10)) {
            (Scheduler::Mix, 0..=4) => Scheduler::Pct,
            (Scheduler::Mix, 5..=7) => Scheduler::Swarm,
            (Scheduler::Mix, _) => Scheduler::Uniform,
            (asked, _) => asked,
        };
        let way = match drawn {
            Scheduler::Pct => {
                // 1 to 4 changes: PCT of depth 2 to 5. Those that are not drawn never come.
                let count = 1 + prng.below(CHANGES_MAX as u32) as usize;
                let mut changes = [u32::MAX; CHANGES_MAX];
                for change in changes.iter_mut().take(count) {
                    *change = prng.below(length.max(1));
                }
                changes.sort_unstable();
                Way::Pct { changes, made: 0, fallen: [0; CHANGES_MAX], falls: 0 }
            }
            Scheduler::Swarm => Way::Swarm,
            Scheduler::Mix | Scheduler::Uniform => Way::Uniform,
        };
        Self { key: prng.next(), prng, way, weights: Vec::new() }
    }

    /// Which of these choices is made; there is at least one.
    pub(super) fn pick(&mut self, choices: &[Choice]) -> Choice {
        let at = match &mut self.way {
            Way::Uniform => self.prng.below(choices.len() as u32) as usize,
            Way::Swarm => self.weighted(choices),
            Way::Pct { changes, made, fallen, falls } => {
                let mut at = highest(self.key, choices, &fallen[..*falls], &mut self.prng);
                while *falls < CHANGES_MAX && changes[*falls] <= *made {
                    fallen[*falls] = process(&choices[at]);
                    *falls += 1;
                    at = highest(self.key, choices, &fallen[..*falls], &mut self.prng);
                }
                *made += 1;
                at
            }
        };
        choices[at]
    }

    fn weighted(&mut self, choices: &[Choice]) -> usize {
        const SCALE: [u32; 3] = [1, 8, 64];
        self.weights.clear();
        let mut total = 0;
        for choice in choices {
            let of = |what: u64| SCALE[(mix(self.key ^ what) % 3) as usize];
            let weight = of(process(choice)) * of(kind(choice));
            total += weight;
            self.weights.push(weight);
        }
        let mut left = self.prng.below(total);
        let hit = self.weights.iter().position(|weight| {
            let hit = left < *weight;
            left = left.saturating_sub(*weight);
            hit
        });
        hit.unwrap_or(0)
    }
}

/// Which choice the process of the highest priority makes: any of its choices.
fn highest(key: u64, choices: &[Choice], fallen: &[u64], prng: &mut Prng) -> usize {
    let (mut best, mut first, mut same) = (0, 0, 0);
    for (at, choice) in choices.iter().enumerate() {
        let process = process(choice);
        let priority = match fallen.iter().rposition(|other| *other == process) {
            Some(at) => (fallen.len() - at) as u64,
            None => mix(key ^ process) | 1 << 63,
        };
        if priority > best {
            (best, first, same) = (priority, at, 1);
        } else if priority == best {
            // Each of them is as likely as the others.
            same += 1;
            if prng.below(same) == 0 {
                first = at;
            }
        }
    }
    first
}

/// Who acts: what comes in on one lane of a node, a node's own timers, or a fault that may hit.
fn process(choice: &Choice) -> u64 {
    match choice {
        Choice::Deliver(pick) if pick.nth == 0 => 1 << 62 | u64::from(pick.to) << 32 | u64::from(pick.lane),
        Choice::Begin(node) | Choice::Fire { node, .. } => 1 << 61 | u64::from(*node),
        fault => fingerprint(fault),
    }
}

/// What kind of choice it is; a message that overtakes others is not one that arrives in order.
fn kind(choice: &Choice) -> u64 {
    let overtakes = matches!(choice, Choice::Deliver(pick) if pick.nth > 0);
    fingerprint(&(discriminant(choice), overtakes))
}

/// A number that looks drawn, the same for the same input.
const fn mix(n: u64) -> u64 {
    Prng::new(n).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Pick;

    fn deliver(to: u16, lane: u32) -> Choice {
        Choice::Deliver(Pick { from: 0, to, lane, nth: 0 })
    }

    fn picks(seed: u64, scheduler: Scheduler, choices: &[Choice], count: usize) -> Vec<Choice> {
        let mut schedule = Schedule::new(seed, scheduler, 100);
        (0..count).map(|_| schedule.pick(choices)).collect()
    }

    #[test]
    fn every_choice_has_a_chance_in_some_run() {
        let choices = [deliver(1, 7), deliver(1, 8), Choice::Begin(0), Choice::Crash(3), Choice::LoseCache];
        for scheduler in Scheduler::ALL {
            let mut seen: Vec<Choice> =
                (0..200).flat_map(|seed| picks(seed, scheduler, &choices, 1)).collect();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), choices.len(), "{scheduler:?}");
        }
    }

    #[test]
    fn a_process_of_high_priority_runs_until_its_fall() {
        let choices = [deliver(1, 7), deliver(2, 8), deliver(3, 9)];
        for seed in 0..100 {
            let mut order = picks(seed, Scheduler::Pct, &choices, 100);
            order.dedup();
            assert!((2..=CHANGES_MAX + 1).contains(&order.len()), "seed {seed}: {order:?}");
        }
    }

    #[test]
    fn names_are_those_of_files() {
        for scheduler in Scheduler::ALL {
            assert_eq!(serde_json::to_value(scheduler).ok(), Some(scheduler.name().into()));
        }
    }
}
