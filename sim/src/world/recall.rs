//! What came of choices before. A choice looks at few parts of a world and changes few; wherever the parts that it
//! looked at are the same, it does the same again. So a checker need not make it again: a step between worlds is a
//! step between lists of numbers.
//!
//! Messages under way and the ledger are told of by most choices and looked at by few, so what is said to them has a
//! name of its own, and what becomes of each by that is remembered apart.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasherDefault, Hasher},
};

use smallvec::SmallVec;

use super::{
    budgets::{Amounts, Budgets},
    changes::Changes,
    choices::Standing,
    lesson::Learned,
    pack::{Parts, Slot, print_of},
    *,
};

/// By what is a hash already.
pub(super) type Map<V> = HashMap<u64, V, BuildHasherDefault<Itself>>;

/// A hash as it is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Itself(u64);

impl Hasher for Itself {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("hashes are numbers");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// Mixes the bits of a number.
pub(super) fn fold(number: u64) -> u64 {
    let product = u128::from(number) * 0x9e37_79b9_7f4a_7c15;
    (product >> 64) as u64 ^ product as u64
}

/// Outcomes kept at most, then all is forgotten. As much is kept of what comes of networks, and of ledgers.
pub(super) const KEPT_MAX: usize = 1 << 22;
/// Worlds of more parts are not remembered: there is a bit for each.
pub(super) const SLOTS_MAX: usize = u64::BITS as usize;
/// Parts that an outcome names itself.
const FEW: usize = 3;
/// No traffic, or nothing that is told or taken.
const NOTHING: u32 = 0;

/// What one thread remembers. Parts are known by their numbers, choices by 64-bit fingerprints, as worlds are.
#[derive(Debug, Default)]
pub(super) struct Recall {
    /// Which parts decided what came of a choice: sets of them, a bit each.
    decisive: Map<SmallVec<[u64; 2]>>,
    /// What came of it, by the choice and the numbers of those parts.
    outcomes: Map<Outcome>,
    /// Parts that outcomes put in their places.
    replaced: Vec<(u8, u32)>,
    traffic: Changes<Traffic>,
    told: Changes<Told>,
    budgets: Budgets,
    /// How nodes stand, by their numbers.
    standings: Vec<Option<Standing>>,
    /// Whether nothing is under way that may not be worth a choice, by the numbers of networks: mostly that is all that
    /// is asked.
    quiet: Vec<Option<bool>>,
    /// What was learned and the others have not been told, if there are others.
    pub(super) lessons: Vec<Learned>,
    pub(super) shares: bool,
}

#[derive(Clone, Copy, Debug)]
struct Outcome {
    possible: bool,
    /// How many parts it puts in their places: the first few, or where in `replaced` they begin.
    replaced: u8,
    slots: [u8; FEW],
    parts: [u32; FEW],
    traffic: u32,
    /// What the ledger is told.
    told: u32,
    /// What is taken from budgets.
    taken: u32,
    /// By how much the fingerprint changes.
    print: u64,
}

/// A part that is put in its place, and by how much the fingerprint changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct After {
    pub(super) number: u32,
    pub(super) print: u64,
}

impl After {
    /// This part stands where the one with the number `before` stood.
    pub(super) fn of<T: Clone + Hash + PartialEq>(
        all: &Parts<T>,
        slot: usize,
        before: u32,
        part: &Shared<T>,
    ) -> Self {
        let print = print_of(slot, part).wrapping_sub(print_of(slot, all.get(before)));
        Self { number: all.number(part), print }
    }
}

impl Recall {
    /// What came of it before, if it is known.
    pub(super) fn again(&mut self, on: Context<'_>, to: &mut Packed, key: u64) -> Option<bool> {
        let numbers = &to.numbers[..];
        let known = |parts: &u64| self.outcomes.get(&circumstances(key, *parts, numbers));
        let outcome = self.decisive.get(&key)?.iter().find_map(known)?;
        let [net, ledger, faults, fires] = [Slot::Net, Slot::Ledger, Slot::Faults, Slot::Fires].map(Slot::at);
        let told = if outcome.told == NOTHING {
            None
        } else {
            Some(self.told.after_told(on, numbers[ledger], outcome.told)?)
        };
        let traffic = (outcome.traffic != NOTHING)
            .then(|| self.traffic.after_traffic(on, numbers[net], outcome.traffic));
        let left = (outcome.taken != NOTHING)
            .then(|| self.budgets.left(on, [faults, fires].map(|slot| numbers[slot]), outcome.taken - 1));
        if let Some(after) = told {
            to.put(ledger, after);
        }
        if let Some(after) = traffic {
            to.put(net, after);
        }
        for (slot, after) in [faults, fires].into_iter().zip(left.into_iter().flatten()) {
            to.put(slot, after);
        }
        to.print = to.print.wrapping_add(outcome.print);
        let numbers = &mut to.numbers[..];
        let replaced = usize::from(outcome.replaced);
        if replaced <= FEW {
            for (slot, number) in outcome.slots.into_iter().zip(outcome.parts).take(replaced) {
                numbers[usize::from(slot)] = number;
            }
        } else {
            for &(slot, number) in &self.replaced[outcome.parts[0] as usize..][..replaced] {
                numbers[usize::from(slot)] = number;
            }
        }
        Some(outcome.possible)
    }

    pub(super) fn learn(&mut self, learned: &Learned) {
        if self.outcomes.len() >= KEPT_MAX {
            let lessons = std::mem::take(&mut self.lessons);
            *self = Self { lessons, shares: self.shares, ..Self::default() };
        }
        let traffic = learned.traffic.as_ref().map_or(NOTHING, |changed| self.traffic.learn(changed));
        let told = learned.told.as_ref().map_or(NOTHING, |changed| self.told.learn(changed));
        let decisive = self.decisive.entry(learned.key).or_default();
        if !decisive.contains(&learned.looked_at) {
            decisive.push(learned.looked_at);
        }
        // Another thread may have played it too, or it was played again since what the ledger was told would have broken
        // something.
        if let Entry::Vacant(entry) = self.outcomes.entry(learned.circumstances) {
            let Learned { possible, ref replaced, print, .. } = *learned;
            let (mut slots, mut parts) = ([0; FEW], [0; FEW]);
            if replaced.len() <= FEW {
                for (at, &(slot, number)) in replaced.iter().enumerate() {
                    (slots[at], parts[at]) = (slot, number);
                }
            } else {
                parts[0] = self.replaced.len() as u32;
                self.replaced.extend(replaced);
            }
            let replaced = replaced.len() as u8;
            let taken = match learned.taken {
                taken if taken == Amounts::default() => NOTHING,
                taken => self.budgets.number(taken) + 1,
            };
            entry.insert(Outcome { possible, replaced, slots, parts, traffic, told, taken, print });
        }
    }

    pub(super) fn standing(&mut self, on: Context<'_>, host: u32) -> Standing {
        let standing = || Standing::of(on.setup, on.store.hosts.get(host).get());
        *at(&mut self.standings, host).get_or_insert_with(standing)
    }

    /// Whether nothing is under way in a network that may not be worth a choice.
    pub(super) fn is_quiet(&mut self, on: Context<'_>, net: u32) -> bool {
        *at(&mut self.quiet, net).get_or_insert_with(|| on.under_way(net).iter().all(|it| !it.may_arrive))
    }
}

/// The place of this number: there is one for each.
pub(super) fn at<T: Clone + Default>(all: &mut Vec<T>, number: u32) -> &mut T {
    let at = number as usize;
    if all.len() <= at {
        all.resize(at + 1, T::default());
    }
    &mut all[at]
}

/// Names a choice in its circumstances: the numbers of these parts.
pub(super) fn circumstances(key: u64, mut parts: u64, numbers: &[u32]) -> u64 {
    let mut name = key ^ parts.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    while parts != 0 {
        let slot = parts.trailing_zeros();
        // Each by itself, so that they need not wait for each other.
        let number = u64::from(numbers[slot as usize]) | u64::from(slot + 1) << u32::BITS;
        name = name.wrapping_add(fold(number.wrapping_mul(0xd6e8_feb8_6659_fd93)));
        parts &= parts - 1;
    }
    name
}
