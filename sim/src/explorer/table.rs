//! The visited states, in one open table that threads fill without locks.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

/// A table is at most this full: 4 of 5 slots.
const FULL: (usize, usize) = (4, 5);
/// Slots that are asked of the system at a time.
const PIECE: usize = 1 << 11;
/// Parts of the table.
const SHARDS: usize = 4;
/// Slots from which on it is worth to have several threads.
const WORTH_THREADS: usize = 1 << 16;

/// How a state was first reached: from which state, by which action; ordered by that.
///
/// 40 bits say which state, by its place in the order of the search plus one, 0 for an initial state; 24 bits
/// say which of its actions, or which initial state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Link(pub(super) u64);

impl Link {
    const ACTION_BITS: u32 = 24;
    /// States that can be told apart.
    pub(super) const STATES_MAX: u64 = (1 << 40) - 2;
    /// Actions of one state that can be told apart.
    pub(super) const ACTIONS_MAX: usize = 1 << Self::ACTION_BITS;

    /// The `nth` initial state.
    pub(super) const fn initial(nth: usize) -> Self {
        Self(nth as u64)
    }

    /// By the `nth` action of a state.
    pub(super) const fn from(state: u64, nth: usize) -> Self {
        Self((state + 1) << Self::ACTION_BITS | nth as u64)
    }

    /// From which state; `None` for an initial state.
    pub(super) const fn parent(self) -> Option<u64> {
        (self.0 >> Self::ACTION_BITS).checked_sub(1)
    }

    /// Which action of that state, or which initial state.
    pub(super) const fn action(self) -> usize {
        (self.0 & (Self::ACTIONS_MAX as u64 - 1)) as usize
    }
}

/// What became of a state that was added.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// It was not there.
    New,
    /// It was there, and has a lesser link now.
    Bettered,
    /// It was there, and its link is as it was.
    Known,
}

/// Fingerprints of visited states, with the least link of each.
#[derive(Debug)]
pub(super) struct Table {
    /// By the last bits of fingerprints, so that threads can make them larger at the same time. All are as large.
    shards: [Shard; SHARDS],
    /// Filled slots, and those that threads may still fill before they ask again.
    granted: AtomicU64,
}

#[derive(Debug, Default)]
struct Slot {
    /// 0: free.
    print: AtomicU64,
    /// The complement of the link, so that an empty slot needs no other value than 0.
    link: AtomicU64,
}

impl Table {
    /// An empty one.
    pub(super) fn new() -> Self {
        let shard = || {
            let mut shard = Shard::default();
            shard.extend(1);
            shard
        };
        Self { shards: std::array::from_fn(|_| shard()), granted: AtomicU64::default() }
    }

    const fn slots(&self) -> usize {
        self.shards[0].slots() * SHARDS
    }

    const fn shard(&self, print: u64) -> &Shard {
        &self.shards[print as usize % SHARDS]
    }

    /// What the table takes in memory, in bytes.
    pub(super) const fn bytes(&self) -> u64 {
        (self.slots() * size_of::<Slot>()) as u64
    }

    /// Asks for room for this many states more; `false` if the table must grow first.
    pub(super) fn grant(&self, states: usize) -> bool {
        let most = (self.slots() / FULL.1 * FULL.0) as u64;
        let granted = self.granted.fetch_add(states as u64, Ordering::Relaxed) + states as u64;
        if granted > most {
            self.refund(states);
        }
        granted <= most
    }

    /// Gives back room that was not needed.
    pub(super) fn refund(&self, states: usize) {
        self.granted.fetch_sub(states as u64, Ordering::Relaxed);
    }

    /// Looks where these would stand, all at once: each is a wait for memory, and they are waits at the same time.
    pub(super) fn approach(&self, prints: impl Iterator<Item = u64>) {
        let there = |print| {
            let shard = self.shard(print);
            shard.slot(shard.home(print)).print.load(Ordering::Relaxed)
        };
        std::hint::black_box(prints.map(there).fold(0, |all, there| all ^ there));
    }

    /// Adds a state for which room was granted. If it is there, the lesser link stays. No fingerprint is 0.
    pub(super) fn add(&self, print: u64, link: Link) -> Added {
        self.shard(print).add(print, link)
    }

    /// The least link of a state that is there.
    pub(super) fn link(&self, print: u64) -> Option<Link> {
        self.shard(print).link(print)
    }

    /// Grows by half, and at least so that `more` states find room; by as many threads.
    pub(super) fn grow(&mut self, more: usize, threads: usize) {
        let least = (*self.granted.get_mut() as usize + more) * FULL.1 / FULL.0 + FULL.1;
        let slots = (self.slots() * 3 / 2).max(least).div_ceil(SHARDS);
        if self.slots() < WORTH_THREADS || threads < 2 {
            return self.shards.iter_mut().for_each(|shard| shard.grow(slots));
        }
        thread::scope(|scope| {
            for shards in self.shards.chunks_mut(SHARDS.div_ceil(threads)) {
                scope.spawn(move || shards.iter_mut().for_each(|shard| shard.grow(slots)));
            }
        });
    }

    /// All that is there, in no order.
    pub(super) fn entries(&self) -> impl Iterator<Item = (u64, Link)> {
        self.shards.iter().flat_map(Shard::entries)
    }
}

#[derive(Debug, Default)]
struct Shard {
    /// It grows where it is: fresh memory is what costs most of all.
    pieces: Vec<Box<[Slot; PIECE]>>,
}

impl Shard {
    fn extend(&mut self, slots: usize) {
        let piece = || {
            let slots: Vec<Slot> = std::iter::repeat_with(Slot::default).take(PIECE).collect();
            slots.try_into().expect("so many were taken")
        };
        self.pieces.resize_with(slots.div_ceil(PIECE), piece);
    }

    const fn slots(&self) -> usize {
        self.pieces.len() * PIECE
    }

    fn slot(&self, at: usize) -> &Slot {
        &self.pieces[at / PIECE][at % PIECE]
    }

    /// Where a fingerprint stands if nothing is in its way: any number of slots will do.
    fn home(&self, print: u64) -> usize {
        ((u128::from(print) * self.slots() as u128) >> 64) as usize
    }

    /// Where to look next.
    fn next(&self, at: usize) -> usize {
        if at + 1 == self.slots() { 0 } else { at + 1 }
    }

    fn add(&self, print: u64, link: Link) -> Added {
        let complement = !link.0;
        let mut at = self.home(print);
        loop {
            let slot = self.slot(at);
            let mut there = slot.print.load(Ordering::Relaxed);
            if there == 0 {
                match slot.print.compare_exchange(0, print, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => {
                        // Another thread may have put a lesser link here already; it has said so.
                        slot.link.fetch_max(complement, Ordering::Relaxed);
                        return Added::New;
                    }
                    Err(other) => there = other,
                }
            }
            if there == print {
                let is_less = |there: u64| complement > there;
                return if is_less(slot.link.load(Ordering::Relaxed))
                    && is_less(slot.link.fetch_max(complement, Ordering::Relaxed))
                {
                    Added::Bettered
                } else {
                    Added::Known
                };
            }
            at = self.next(at);
            assert!(at != self.home(print), "fingerprints of so many states end alike");
        }
    }

    fn link(&self, print: u64) -> Option<Link> {
        let mut at = self.home(print);
        loop {
            let slot = self.slot(at);
            match slot.print.load(Ordering::Relaxed) {
                0 => return None,
                there if there == print => return Some(Link(!slot.link.load(Ordering::Relaxed))),
                _ => at = self.next(at),
            }
        }
    }

    fn grow(&mut self, slots: usize) {
        let before = self.slots();
        self.extend(slots);
        // Whoever stands farther back moves farther, and finds nobody there who has not moved yet.
        let mut others = Vec::new();
        for at in (0..before).rev() {
            let slot = std::mem::take(&mut self.pieces[at / PIECE][at % PIECE]);
            let print = slot.print.into_inner();
            if print == 0 {
                continue;
            }
            let home = self.home(print);
            let is_free = |at: &usize| self.slot(*at).print.load(Ordering::Relaxed) == 0;
            let free = if home < at { None } else { (home..self.slots()).find(is_free) };
            match free {
                Some(to) => {
                    self.pieces[to / PIECE][to % PIECE] = Slot { print: print.into(), link: slot.link };
                }
                // Those before him had moved him back that far.
                None => others.push((print, Link(!slot.link.into_inner()))),
            }
        }
        for (print, link) in others {
            let _ = self.add(print, link);
        }
    }

    fn entries(&self) -> impl Iterator<Item = (u64, Link)> {
        self.pieces.iter().flat_map(|piece| piece.iter()).filter_map(|slot| {
            let print = slot.print.load(Ordering::Relaxed);
            (print != 0).then(|| (print, Link(!slot.link.load(Ordering::Relaxed))))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that crowd the last slots, so that probes wrap around, and numbers that do not.
    fn prints() -> impl Iterator<Item = u64> {
        (0..3_000_u64).map(|n| if n % 3 == 0 { u64::MAX - n } else { n.wrapping_mul(0x9e37_79b9_7f4a_7c15) })
    }

    #[test]
    fn keeps_the_least_link_of_each_state_through_growth() {
        let mut table = Table::new();
        for (n, print) in prints().enumerate() {
            while !table.grant(1) {
                table.grow(1, 1);
            }
            assert_eq!(table.add(print, Link::from(n as u64 + 10, 3)), Added::New, "{n}");
            assert_eq!(table.add(print, Link::from(n as u64 + 10, 4)), Added::Known);
            assert_eq!(table.add(print, Link::from(n as u64, 9)), Added::Bettered);
        }
        table.grow(100_000, 1);
        table.grow(200_000, 3);
        for (n, print) in prints().enumerate() {
            assert_eq!(table.link(print), Some(Link::from(n as u64, 9)));
        }
        assert_eq!((table.link(12345), table.entries().count()), (None, 3_000));
    }

    #[test]
    fn two_threads_add_each_state_once() {
        let table = Table::new();
        assert!(table.grant(3_000));
        let is_new = |print: u64, actor: usize| table.add(print, Link::from(7, actor)) == Added::New;
        let add = |actor: usize| prints().filter(|print| is_new(*print, actor)).count();
        let (one, two) = thread::scope(|scope| {
            let other = scope.spawn(|| add(1));
            (add(2), other.join().expect("it ends"))
        });
        assert_eq!(one + two, 3_000);
        assert!(prints().all(|print| table.link(print) == Some(Link::from(7, 1))));
    }

    #[test]
    fn links_are_ordered_by_state_then_action() {
        let links =
            [Link::initial(0), Link::initial(5), Link::from(0, 0), Link::from(0, 1), Link::from(1, 0)];
        assert!(links.is_sorted());
        assert_eq!(links.map(Link::parent), [None, None, Some(0), Some(0), Some(1)]);
        assert_eq!(links.map(Link::action), [0, 5, 0, 1, 0]);
    }
}
