//! Worlds that wait, in few bytes: worlds of one search are made of few different parts, so each part is held
//! once, and a world that waits is a list of their numbers.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Mutex, PoisonError},
};

use super::*;

/// A world that waits: the numbers of its parts in a [`Store`].
pub type Packed = Box<[u32]>;

/// The parts of all worlds of a search.
#[derive(Debug, Default)]
pub struct Store {
    hosts: Parts<Host>,
    nets: Parts<Net>,
    ledgers: Parts<Ledger>,
    rests: Parts<Rest>,
}

/// What changes seldom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Rest {
    faults: Faults,
    fires: [u8; TimerKind::ALL.len()],
    waiting: Shared<Nodes>,
    past: Past,
    lost_leases: Shared<Vec<(ServerId, u32)>>,
    attacker: Shared<Attacker>,
    signed: Shared<Vec<Signed>>,
    broken: Option<Broken>,
}

/// A power of two, so that threads seldom meet.
const SHARDS: usize = 64;

/// Different values of one part, each with a number.
#[derive(Debug)]
struct Parts<T> {
    shards: [Mutex<Shard<T>>; SHARDS],
}

#[derive(Debug)]
struct Shard<T> {
    /// By fingerprint: a world is known by the fingerprints of its parts.
    numbers: HashMap<u64, u32, foldhash::fast::FixedState>,
    parts: Vec<Shared<T>>,
}

impl<T> Default for Parts<T> {
    fn default() -> Self {
        let shard = || Mutex::new(Shard { numbers: HashMap::default(), parts: Vec::new() });
        Self { shards: std::array::from_fn(|_| shard()) }
    }
}

impl<T: Clone + Hash + PartialEq> Parts<T> {
    /// The number of a part.
    fn number(&self, part: &Shared<T>) -> u32 {
        let print = part.fingerprint();
        let at = print as usize % SHARDS;
        let mut shard = self.shards[at].lock().unwrap_or_else(PoisonError::into_inner);
        let Shard { numbers, parts } = &mut *shard;
        match numbers.entry(print) {
            Entry::Occupied(entry) => {
                debug_assert!(
                    parts[*entry.get() as usize / SHARDS] == *part,
                    "two parts have one fingerprint"
                );
                *entry.get()
            }
            Entry::Vacant(entry) => {
                let number = u32::try_from(parts.len() * SHARDS + at).expect("parts are few");
                parts.push(part.clone());
                *entry.insert(number)
            }
        }
    }

    /// Makes `part` the part with this number.
    fn fetch(&self, number: u32, part: &mut Shared<T>) {
        part.clone_from(&self.lock(number).parts[number as usize / SHARDS]);
    }

    fn get(&self, number: u32) -> Shared<T> {
        self.lock(number).parts[number as usize / SHARDS].clone()
    }

    fn lock(&self, number: u32) -> std::sync::MutexGuard<'_, Shard<T>> {
        self.shards[number as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    /// The world in few bytes. `from`: another one and its numbers; parts that are the same need no search.
    pub(crate) fn pack(&self, store: &Store, from: Option<(&Self, &Packed)>) -> Packed {
        let nodes = self.hosts.len();
        let mut packed = Vec::with_capacity(nodes + 3);
        let Some((from, numbers)) = from else {
            packed.extend(self.hosts.iter().map(|host| store.hosts.number(host)));
            packed.push(store.nets.number(&self.net));
            packed.push(store.ledgers.number(&self.ledger));
            packed.push(store.rests.number(&Shared::new(self.rest())));
            return packed.into();
        };
        let hosts = self.hosts.iter().zip(&from.hosts).zip(&**numbers);
        packed.extend(hosts.map(
            |((host, other), number)| {
                if host.is(other) { *number } else { store.hosts.number(host) }
            },
        ));
        let net = if self.net.is(&from.net) { numbers[nodes] } else { store.nets.number(&self.net) };
        let ledger = if self.ledger.is(&from.ledger) {
            numbers[nodes + 1]
        } else {
            store.ledgers.number(&self.ledger)
        };
        let rest = if self.has_rest_of(from) {
            numbers[nodes + 2]
        } else {
            store.rests.number(&Shared::new(self.rest()))
        };
        packed.extend([net, ledger, rest]);
        packed.into()
    }

    /// The world that was packed. `last`: the one that was unpacked before; what is the same is left alone.
    pub(crate) fn unpack<'a>(
        store: &Store,
        packed: &Packed,
        last: &'a mut Option<(Self, Packed)>,
    ) -> &'a Self {
        let nodes = packed.len() - 3;
        let (net, ledger, rest) = (packed[nodes], packed[nodes + 1], packed[nodes + 2]);
        if let Some((world, numbers)) = last {
            let hosts = world.hosts.iter_mut().zip(&**packed).zip(&**numbers);
            for ((host, number), _) in hosts.filter(|((_, number), before)| number != before) {
                store.hosts.fetch(*number, host);
            }
            if numbers[nodes] != net {
                store.nets.fetch(net, &mut world.net);
            }
            if numbers[nodes + 1] != ledger {
                store.ledgers.fetch(ledger, &mut world.ledger);
            }
            if numbers[nodes + 2] != rest {
                world.set_rest(store.rests.get(rest).get());
            }
            numbers.copy_from_slice(packed);
        } else {
            let rest = store.rests.get(rest);
            let Rest { faults, fires, waiting, past, lost_leases, attacker, signed, broken } =
                rest.get().clone();
            let world = Self {
                hosts: packed[..nodes].iter().map(|number| store.hosts.get(*number)).collect(),
                net: store.nets.get(net),
                ledger: store.ledgers.get(ledger),
                faults,
                fires,
                waiting,
                past,
                lost_leases,
                attacker,
                signed,
                broken,
            };
            *last = Some((world, packed.clone()));
        }
        let (world, _) = last.as_ref().expect("it was just put there");
        world
    }

    fn rest(&self) -> Rest {
        Rest {
            faults: self.faults,
            fires: self.fires,
            waiting: self.waiting.clone(),
            past: self.past,
            lost_leases: self.lost_leases.clone(),
            attacker: self.attacker.clone(),
            signed: self.signed.clone(),
            broken: self.broken,
        }
    }

    fn set_rest(&mut self, rest: &Rest) {
        let Rest { faults, fires, waiting, past, lost_leases, attacker, signed, broken } = rest;
        self.waiting.clone_from(waiting);
        self.lost_leases.clone_from(lost_leases);
        self.attacker.clone_from(attacker);
        self.signed.clone_from(signed);
        (self.faults, self.fires, self.past, self.broken) = (*faults, *fires, *past, *broken);
    }

    fn has_rest_of(&self, other: &Self) -> bool {
        self.faults == other.faults
            && self.fires == other.fires
            && self.past == other.past
            && self.broken == other.broken
            && self.waiting.is(&other.waiting)
            && self.lost_leases.is(&other.lost_leases)
            && self.attacker.is(&other.attacker)
            && self.signed.is(&other.signed)
    }
}
