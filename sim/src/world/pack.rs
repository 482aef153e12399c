//! Worlds that wait, in few bytes: worlds of one search are made of few different parts, so each part is held
//! once, and a world that waits is a list of their numbers.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use smallvec::{SmallVec, smallvec};

use super::{lesson::Board, networks::OnWay, recall::After, *};

/// A world that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// A hash of the world that is the same in every run: the sum of what each part has to do with it.
    pub(crate) print: u64,
    /// The numbers of its parts in a [`Store`].
    pub(super) numbers: SmallVec<[u32; INLINE]>,
}

/// Parts of worlds that need no memory of their own.
const INLINE: usize = 22;

/// Where the parts of a world stand: then come its nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Net,
    Conns,
    Links,
    Ledger,
    Faults,
    Fires,
    Waiting,
    Past,
    LostLeases,
    Attacker,
    Signed,
    Broken,
}

impl Slot {
    pub(super) const fn at(self) -> usize {
        self as usize
    }
}

/// Parts that are no nodes.
pub(super) const OTHERS: usize = Slot::Broken as usize + 1;

/// Where a node stands.
pub(super) const fn slot_of(node: usize) -> usize {
    OTHERS + node
}

/// The parts of all worlds of a search.
#[derive(Debug, Default)]
pub struct Store {
    pub(super) hosts: Parts<Host>,
    pub(super) nets: Parts<Net>,
    pub(super) conns: Parts<Conns>,
    pub(super) links: Parts<Links>,
    pub(super) ledgers: Parts<Ledger>,
    pub(super) faults: Parts<Faults>,
    pub(super) fires: Parts<Fires>,
    pub(super) waiting: Parts<Nodes>,
    pasts: Parts<Past>,
    pub(super) lost_leases: Parts<Vec<(ServerId, u32)>>,
    pub(super) attackers: Parts<Attacker>,
    pub(super) signed: Parts<Vec<Signed>>,
    pub(super) broken: Parts<Option<Broken>>,
    /// What is under way, by network.
    pub(super) under_way: ByNumber<Box<[OnWay]>>,
    /// What threads learned of steps.
    pub(super) board: Board,
}

/// A power of two, so that threads seldom meet.
const SHARDS: usize = 64;
/// The first chunk holds so many parts, each other one twice as many as the one before it.
const FIRST_CHUNK: usize = 1 << 8;
/// Chunks for all numbers there are.
const CHUNKS: usize = 25;

/// Something of each number. It stays where it is, so nobody waits to see it.
#[derive(Debug)]
pub(super) struct ByNumber<T>([OnceLock<Box<[OnceLock<T>]>>; CHUNKS]);

impl<T> Default for ByNumber<T> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| OnceLock::new()))
    }
}

impl<T> ByNumber<T> {
    pub(super) fn get(&self, number: u32) -> Option<&T> {
        let (chunk, at) = place(number);
        self.0[chunk].get().and_then(|chunk| chunk[at].get())
    }

    pub(super) fn get_or_init(&self, number: u32, init: impl FnOnce() -> T) -> &T {
        let (chunk, at) = place(number);
        let fresh = || (0..FIRST_CHUNK << chunk).map(|_| OnceLock::new()).collect();
        self.0[chunk].get_or_init(fresh)[at].get_or_init(init)
    }
}

/// Different values of one part, each with a number.
#[derive(Debug)]
pub(super) struct Parts<T> {
    /// By fingerprint: a world is known by the fingerprints of its parts.
    numbers: [Mutex<HashMap<u64, u32, foldhash::fast::FixedState>>; SHARDS],
    parts: ByNumber<Shared<T>>,
    next: AtomicU32,
}

impl<T> Default for Parts<T> {
    fn default() -> Self {
        Self {
            numbers: std::array::from_fn(|_| Mutex::default()),
            parts: ByNumber::default(),
            next: AtomicU32::default(),
        }
    }
}

impl<T: Clone + Hash + PartialEq> Parts<T> {
    /// The number of a part.
    pub(super) fn number(&self, part: &Shared<T>) -> u32 {
        let print = part.fingerprint();
        let shard = &self.numbers[print as usize % SHARDS];
        match shard.lock().unwrap_or_else(PoisonError::into_inner).entry(print) {
            Entry::Occupied(entry) => {
                let number = *entry.get();
                assert!(self.get(number) == part, "two parts of worlds have one fingerprint");
                number
            }
            Entry::Vacant(entry) => {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                self.parts.get_or_init(number, || part.clone());
                *entry.insert(number)
            }
        }
    }

    /// The part of a world that stands there, by the numbers of all its parts.
    pub(super) fn among(&self, numbers: &[u32], slot: Slot) -> &T {
        self.get(numbers[slot.at()]).get()
    }

    /// The part with this number.
    pub(super) fn get(&self, number: u32) -> &Shared<T> {
        self.parts.get(number).expect("whoever has a number got it here")
    }
}

/// Chunk, and place in it, of a number.
const fn place(number: u32) -> (usize, usize) {
    let at = number as usize / FIRST_CHUNK + 1;
    let chunk = at.ilog2() as usize;
    (chunk, number as usize - FIRST_CHUNK * ((1 << chunk) - 1))
}

/// Goes from part to part of a world.
pub(super) trait Visit {
    /// Sees a part, its place, and where its like are held.
    fn part<T: Clone + Hash + PartialEq>(&mut self, slot: usize, part: &mut Part<T>, parts: &Parts<T>);
}

impl World {
    /// Shows somebody all parts.
    pub(super) fn visit(&mut self, store: &Store, visit: &mut impl Visit) {
        visit.part(Slot::Net.at(), &mut self.net, &store.nets);
        visit.part(Slot::Conns.at(), &mut self.conns, &store.conns);
        visit.part(Slot::Links.at(), &mut self.links, &store.links);
        visit.part(Slot::Ledger.at(), &mut self.ledger, &store.ledgers);
        visit.part(Slot::Faults.at(), &mut self.faults, &store.faults);
        visit.part(Slot::Fires.at(), &mut self.fires, &store.fires);
        visit.part(Slot::Waiting.at(), &mut self.waiting, &store.waiting);
        visit.part(Slot::Past.at(), &mut self.past, &store.pasts);
        visit.part(Slot::LostLeases.at(), &mut self.lost_leases, &store.lost_leases);
        visit.part(Slot::Attacker.at(), &mut self.attacker, &store.attackers);
        visit.part(Slot::Signed.at(), &mut self.signed, &store.signed);
        visit.part(Slot::Broken.at(), &mut self.broken, &store.broken);
        for (node, host) in self.hosts.iter_mut().enumerate() {
            visit.part(slot_of(node), host, &store.hosts);
        }
    }

    /// The world in few bytes.
    pub(crate) fn pack(&mut self, store: &Store) -> Packed {
        struct Pack(Packed);
        impl Visit for Pack {
            fn part<T: Clone + Hash + PartialEq>(&mut self, slot: usize, part: &mut Part<T>, all: &Parts<T>) {
                let number = all.number(part.shared());
                self.0.put(slot, After { number, print: print_of(slot, part.shared()) });
            }
        }
        let mut pack = Pack(Packed { print: 0, numbers: smallvec![0; OTHERS + self.hosts.len()] });
        self.visit(store, &mut pack);
        pack.0
    }

    /// The world that was packed.
    pub(crate) fn unpack(store: &Store, packed: &Packed) -> Self {
        let other = |slot: Slot| packed.numbers[slot.at()];
        let host = |node: usize| fetch(&store.hosts, packed.numbers[slot_of(node)]);
        Self {
            hosts: (0..packed.numbers.len() - OTHERS).map(host).collect(),
            net: fetch(&store.nets, other(Slot::Net)),
            conns: fetch(&store.conns, other(Slot::Conns)),
            links: fetch(&store.links, other(Slot::Links)),
            ledger: fetch(&store.ledgers, other(Slot::Ledger)),
            faults: fetch(&store.faults, other(Slot::Faults)),
            fires: fetch(&store.fires, other(Slot::Fires)),
            waiting: fetch(&store.waiting, other(Slot::Waiting)),
            past: fetch(&store.pasts, other(Slot::Past)),
            lost_leases: fetch(&store.lost_leases, other(Slot::LostLeases)),
            attacker: fetch(&store.attackers, other(Slot::Attacker)),
            signed: fetch(&store.signed, other(Slot::Signed)),
            broken: fetch(&store.broken, other(Slot::Broken)),
        }
    }

    /// Makes this world, which was packed as `from`, the one that was packed as `to`.
    pub(crate) fn become_packed(&mut self, store: &Store, from: &mut Packed, to: &Packed) {
        struct Fetch<'a>(&'a [u32], &'a [u32]);
        impl Visit for Fetch<'_> {
            fn part<T: Clone + Hash + PartialEq>(&mut self, slot: usize, part: &mut Part<T>, all: &Parts<T>) {
                let number = self.1[slot];
                if number != self.0[slot] {
                    part.shared_unseen().clone_from(all.get(number));
                }
            }
        }
        self.visit(store, &mut Fetch(&from.numbers, &to.numbers));
        from.copy(to);
    }
}

fn fetch<T: Clone + Hash + PartialEq>(parts: &Parts<T>, number: u32) -> Part<T> {
    Part::of(parts.get(number).clone())
}

/// What a part in its place has to do with the fingerprint of its world.
pub(super) fn print_of<T: Clone + Hash>(slot: usize, part: &Shared<T>) -> u64 {
    fingerprint(&(slot, part.fingerprint()))
}

impl Packed {
    /// The part that stands there, which is no node.
    pub(super) fn part<'a, T: Clone + Hash + PartialEq>(&self, parts: &'a Parts<T>, slot: Slot) -> &'a T {
        parts.among(&self.numbers, slot)
    }

    /// Another part in its place.
    pub(super) fn put(&mut self, slot: usize, after: After) {
        self.numbers[slot] = after.number;
        self.print = self.print.wrapping_add(after.print);
    }

    /// Becomes the same as another of its world.
    pub(super) fn copy(&mut self, other: &Self) {
        self.print = other.print;
        self.numbers.copy_from_slice(&other.numbers);
    }

    /// The world broke, and this is how.
    pub(crate) fn broken(&self, store: &Store) -> Option<Broken> {
        *self.part(&store.broken, Slot::Broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_its_place() {
        let mut places = (0..100_000).map(place);
        let mut expected = (0..CHUNKS).flat_map(|chunk| (0..FIRST_CHUNK << chunk).map(move |at| (chunk, at)));
        assert!(places.all(|place| expected.next() == Some(place)));
        assert!(place(u32::MAX).0 < CHUNKS);
    }
}
