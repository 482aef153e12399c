//! What came of choices before. A choice looks at few parts of a world and changes few; wherever the parts that it
//! looked at are the same, it does the same again. So a checker need not make it again: a step between worlds is a
//! step between lists of numbers.
//!
//! Messages under way and the ledger are told of by most choices and looked at by few, so what is said to them has a
//! name of its own, and what becomes of each by that is remembered apart.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasherDefault, Hasher},
    mem::discriminant,
};

use smallvec::SmallVec;

use super::{
    choices::{Prospect, Standing},
    edit::Traffic,
    lesson::Learned,
    pack::{Parts, Slot, Visit, print_of},
    view::{OnWay, View},
    *,
};

/// By what is a hash already, or nearly.
type Map<V> = HashMap<u64, V, BuildHasherDefault<Fold>>;

/// A hash of one number.
#[derive(Clone, Copy, Debug, Default)]
struct Fold(u64);

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = fold(self.0 ^ number);
    }
}

/// Mixes the bits of a number.
fn fold(number: u64) -> u64 {
    let product = u128::from(number) * 0x9e37_79b9_7f4a_7c15;
    (product >> 64) as u64 ^ product as u64
}

/// Outcomes, networks or ledgers kept at most; then all are forgotten.
const KEPT_MAX: usize = 1 << 22;
/// Worlds of more parts are not remembered: there is a bit for each.
const SLOTS_MAX: usize = u64::BITS as usize;
/// Parts that an outcome names itself.
const FEW: usize = 3;
/// No traffic, or nothing that is told.
const NOTHING: u32 = 0;

/// That a packet may arrive at once is asked: with the name of the packet that is a key, as the kind of a choice is.
const ARRIVES_AT_ONCE: u64 = 1;

/// Of which kind a choice is.
fn kind_of(choice: Choice) -> u64 {
    fingerprint(&discriminant(&choice))
}

/// What one thread remembers. Parts are known by their numbers, choices by 64-bit fingerprints, as worlds are.
#[derive(Debug, Default)]
pub(super) struct Recall {
    /// Which parts decided what came of a choice: sets of them, a bit each.
    decisive: Map<SmallVec<[u64; 2]>>,
    /// What came of it, by the choice and the numbers of those parts.
    outcomes: Map<Outcome>,
    /// Parts that outcomes put in their places.
    replaced: Vec<(u8, u32)>,
    /// What may be done to a network, from 1, and its names.
    traffic: Vec<Arc<[Traffic]>>,
    traffic_names: Map<u32>,
    /// What is told to a ledger, from 1, by the names of it.
    told: Map<u32>,
    /// What comes of a network by traffic, and of a ledger by what it is told.
    nets: Map<After>,
    ledgers: Map<After>,
    /// What is under way, by network, in order.
    under_way: Vec<Option<Arc<[OnWay]>>>,
    /// Networks in which nothing is that may not be worth a choice: mostly that is all that is asked, and a byte each
    /// stays at hand.
    quiet: Vec<bool>,
    /// How nodes stand, by their numbers.
    standings: Vec<Option<Standing>>,
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
    /// By how much the fingerprint changes.
    print: u64,
}

/// A part that is put in its place, and by how much the fingerprint changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct After {
    number: u32,
    print: u64,
}

/// What stays the same in one search.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) store: &'a Store,
}

/// What one thread has at hand.
#[derive(Debug, Default)]
pub struct Memory {
    scratch: Scratch,
    pub(super) recall: Recall,
    /// A world to play in, and what it is.
    stage: Option<(World, Packed)>,
    /// What is under way in the world that was left last, by its network.
    left: Option<(u32, Arc<[OnWay]>)>,
    /// How its nodes stand.
    standings: Vec<Standing>,
    /// Its place on the board.
    pub(super) place: Option<usize>,
}

impl Memory {
    /// Everything that may happen next in a world, as [`World::choices`] says.
    pub(crate) fn choices(&mut self, on: Context<'_>, packed: &Packed, choices: &mut Vec<Choice>) {
        let left = self.left_by(on, packed);
        self.standings.clear();
        let numbers = packed.numbers()[..packed.nodes()].iter();
        self.standings.extend(numbers.map(|number| self.recall.standing(on, *number)));
        let view = View { store: on.store, packed, under_way: &left, standings: &self.standings };
        Look::choices(&view, on.setup, choices);
        debug_assert_eq!(
            *choices,
            {
                let mut all = Vec::new();
                World::unpack(on.store, packed).choices(on.setup, &mut all);
                all
            },
            "the choices are those of the world"
        );
        self.left = Some((packed.number(packed.slot(Slot::Net)), left));
    }

    /// What is under way in a world that is left.
    fn left_by(&mut self, on: Context<'_>, packed: &Packed) -> Arc<[OnWay]> {
        let net = packed.number(packed.slot(Slot::Net));
        match self.left.take() {
            Some((number, left)) if number == net => left,
            _ => self.recall.under_way(on, net),
        }
    }

    /// Makes a choice in a world and then, as [`World::settle`] does, whatever is not worth one.
    pub(crate) fn follow(
        &mut self,
        on: Context<'_>,
        packed: &Packed,
        choice: Choice,
        to: &mut Packed,
    ) -> bool {
        let left = self.left_by(on, packed);
        let possible = self.follow_from(on, (packed, &left), choice, to);
        self.left = Some((packed.number(packed.slot(Slot::Net)), left));
        possible
    }

    fn follow_from(
        &mut self,
        on: Context<'_>,
        (packed, left): (&Packed, &[OnWay]),
        choice: Choice,
        to: &mut Packed,
    ) -> bool {
        to.copy(packed);
        let [broken, net] = [Slot::Broken, Slot::Net].map(|slot| packed.slot(slot));
        let key = match choice.pick() {
            Some(pick) => {
                let name = left.iter().find(|it| it.prospect.pick == pick).map_or(0, |it| it.name);
                fold(kind_of(choice) ^ name)
            }
            None => {
                let view = View { store: on.store, packed, under_way: left, standings: &[] };
                fingerprint(&(choice, view.subject(on.setup, choice)))
            }
        };
        if !self.choose(on, to, choice, key) {
            return false;
        }
        'settle: while to.number(broken) == packed.number(broken) && !self.recall.is_quiet(to.number(net)) {
            let under_way = self.recall.under_way(on, to.number(net));
            for packet in under_way.iter().filter(|packet| packet.may_arrive) {
                let (pick, name) = (packet.prospect.pick, packet.name);
                // What did not arrive at once before does not now, unless something has changed that it depends on.
                let was_there = |it: &OnWay| it.may_arrive && it.prospect.pick == pick && it.name == name;
                let waits = left.iter().any(was_there) && {
                    let same = |slot: usize| to.number(slot) == packed.number(slot);
                    let node = usize::from(pick.to);
                    let certain = [Slot::Faults, Slot::Fires, Slot::Conns];
                    same(node)
                        && (node >= on.setup.players() || certain.iter().all(|it| same(packed.slot(*it))))
                };
                if waits {
                    continue;
                }
                let arrives =
                    |world: &mut World, scratch: &mut Scratch| world.arrives_at_once(on.setup, pick, scratch);
                if self.play(on, to, fold(ARRIVES_AT_ONCE ^ name), arrives) {
                    let choice = Choice::Deliver(pick);
                    self.choose(on, to, choice, fold(kind_of(choice) ^ name));
                    continue 'settle;
                }
            }
            break;
        }
        debug_assert_eq!(
            World::unpack(on.store, to).pack(on.store),
            *to,
            "the fingerprint is that of the parts"
        );
        true
    }

    /// `key` names the choice completely, and what it says of the network.
    fn choose(&mut self, on: Context<'_>, to: &mut Packed, choice: Choice, key: u64) -> bool {
        self.play(on, to, key, |world, scratch| world.apply(on.setup, choice, scratch))
    }

    /// Plays, or recalls what came of it. `key` names completely what is played.
    fn play(
        &mut self,
        on: Context<'_>,
        to: &mut Packed,
        key: u64,
        play: impl FnOnce(&mut World, &mut Scratch) -> bool,
    ) -> bool {
        let remembers = on.setup.reductions.has(Reduction::RememberedSteps) && to.slots() <= SLOTS_MAX;
        if remembers && let Some(possible) = self.recall.again(on, to, key) {
            return possible;
        }
        let (world, is) = self.stage.get_or_insert_with(|| (World::unpack(on.store, to), to.clone()));
        world.become_packed(on.store, is, to);
        world.visit(on.store, &mut Begin);
        self.scratch.named = Some(Named::default());
        let possible = play(world, &mut self.scratch);
        let named = self.scratch.named.take().unwrap_or_default();
        let mut seen =
            Seen { to, from: is, looked_at: 0, replaced: Vec::new(), print: 0, net: None, ledger: None };
        world.visit(on.store, &mut seen);
        let Seen { looked_at, replaced, print, net, ledger, .. } = seen;
        let broken = is.slot(Slot::Broken);
        // What breaks it depends on the ledger, which nobody looked at.
        if remembers && to.number(broken) == is.number(broken) {
            let number = |slot: Slot| is.number(is.slot(slot));
            let traffic = net.filter(|_| !named.traffic.is_empty()).map(|after| {
                let name = named.traffic.iter().fold(0, |name, change| fingerprint(&(name, change.print())));
                (name, named.traffic.as_slice().into(), number(Slot::Net), after)
            });
            let told = ledger.filter(|_| named.ledger != 0);
            let learned = Learned {
                key,
                looked_at,
                circumstances: circumstances(key, looked_at, is),
                possible,
                replaced: replaced.into(),
                print,
                traffic,
                told: told.map(|after| (named.ledger, number(Slot::Ledger), after)),
            };
            self.recall.learn(&learned);
            if self.recall.shares {
                self.recall.lessons.push(learned);
            }
        }
        is.copy(to);
        possible
    }
}

/// Nobody has looked yet.
struct Begin;

impl Visit for Begin {
    fn part<T: Clone + Hash + PartialEq>(&mut self, _: usize, part: &mut Part<T>, _: &Parts<T>) {
        part.begin();
    }
}

/// Sees what was looked at and what has changed.
struct Seen<'a> {
    to: &'a mut Packed,
    from: &'a Packed,
    looked_at: u64,
    replaced: Vec<(u8, u32)>,
    print: u64,
    /// What became of a network and of a ledger that nobody looked at.
    net: Option<After>,
    ledger: Option<After>,
}

impl Visit for Seen<'_> {
    fn part<T: Clone + Hash + PartialEq>(&mut self, slot: usize, part: &mut Part<T>, all: &Parts<T>) {
        let looked_at = part.was_looked_at();
        if looked_at && slot < SLOTS_MAX {
            self.looked_at |= 1 << slot;
        }
        let before = self.from.number(slot);
        let mut after = After { number: before, print: 0 };
        if part.has_changed() {
            after.number = all.number(part.shared());
        }
        if after.number != before {
            let lost = print_of(slot, all.get(before));
            after.print = print_of(slot, part.shared()).wrapping_sub(lost);
            self.to.set(slot, after.number, after.print);
        }
        if !looked_at && slot == self.from.slot(Slot::Net) {
            self.net = Some(after);
        } else if !looked_at && slot == self.from.slot(Slot::Ledger) {
            self.ledger = Some(after);
        } else if after.number != before {
            self.replaced.push((slot as u8, after.number));
            self.print = self.print.wrapping_add(after.print);
        }
    }
}

impl Recall {
    /// What came of it before, if it is known.
    fn again(&mut self, on: Context<'_>, to: &mut Packed, key: u64) -> Option<bool> {
        let decisive = self.decisive.get(&key)?;
        let known = |parts: &u64| self.outcomes.get(&circumstances(key, *parts, to));
        let outcome = *decisive.iter().find_map(known)?;
        if outcome.told != NOTHING {
            let ledger = to.slot(Slot::Ledger);
            let after = *self.ledgers.get(&pair(to.number(ledger), outcome.told))?;
            to.set(ledger, after.number, after.print);
        }
        if outcome.traffic != NOTHING {
            let net = to.slot(Slot::Net);
            let after = self.net_after(on.store, to.number(net), net, outcome.traffic);
            to.set(net, after.number, after.print);
        }
        let replaced = usize::from(outcome.replaced);
        if replaced <= FEW {
            for (slot, number) in outcome.slots.into_iter().zip(outcome.parts).take(replaced) {
                to.set(usize::from(slot), number, 0);
            }
        } else {
            for &(slot, number) in &self.replaced[outcome.parts[0] as usize..][..replaced] {
                to.set(usize::from(slot), number, 0);
            }
        }
        to.add_print(outcome.print);
        Some(outcome.possible)
    }

    fn net_after(&mut self, store: &Store, net: u32, slot: usize, traffic: u32) -> After {
        if let Some(after) = self.nets.get(&pair(net, traffic)) {
            return *after;
        }
        let before = store.nets.get(net);
        let mut after = before.clone();
        let changes = &self.traffic[traffic as usize - 1];
        changes.iter().for_each(|change| change.make(after.edit()));
        let print = print_of(slot, &after).wrapping_sub(print_of(slot, before));
        let after = After { number: store.nets.number(&after), print };
        self.learn_net(net, traffic, after);
        after
    }

    fn learn_net(&mut self, net: u32, traffic: u32, after: After) {
        if self.nets.len() >= KEPT_MAX {
            self.nets.clear();
            self.under_way.clear();
            self.quiet.clear();
        }
        self.nets.insert(pair(net, traffic), after);
    }

    pub(super) fn learn(&mut self, learned: &Learned) {
        if self.outcomes.len() >= KEPT_MAX {
            let lessons = std::mem::take(&mut self.lessons);
            *self = Self { lessons, shares: self.shares, ..Self::default() };
        }
        let (mut traffic, mut told) = (NOTHING, NOTHING);
        if let Some((name, changes, net, after)) = &learned.traffic {
            let next = self.traffic.len() as u32 + 1;
            traffic = *self.traffic_names.entry(*name).or_insert(next);
            if traffic == next {
                self.traffic.push(Arc::clone(changes));
            }
            self.learn_net(*net, traffic, *after);
        }
        if let Some((name, ledger, after)) = learned.told {
            let next = self.told.len() as u32 + 1;
            told = *self.told.entry(name).or_insert(next);
            if self.ledgers.len() >= KEPT_MAX {
                self.ledgers.clear();
            }
            self.ledgers.insert(pair(ledger, told), after);
        }
        let decisive = self.decisive.entry(learned.key).or_default();
        if !decisive.contains(&learned.looked_at) {
            decisive.push(learned.looked_at);
        }
        // It may be known, and only what became of the ledger was not.
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
            entry.insert(Outcome { possible, replaced, slots, parts, traffic, told, print });
        }
    }

    fn is_quiet(&self, net: u32) -> bool {
        self.quiet.get(net as usize) == Some(&true)
    }

    fn under_way(&mut self, on: Context<'_>, net: u32) -> Arc<[OnWay]> {
        let at = net as usize;
        if let Some(Some(under_way)) = self.under_way.get(at) {
            return Arc::clone(under_way);
        }
        let all = on.store.nets.get(net).get();
        let mut arrivals = Vec::new();
        all.may_arrive(on.setup, &mut arrivals);
        let on_way = |prospect: Prospect| {
            let pick = prospect.pick;
            let name = fingerprint(&(pick, all.subject(pick)));
            OnWay { prospect, name, may_arrive: arrivals.contains(&pick) }
        };
        let under_way: Arc<[OnWay]> = all.prospects().map(on_way).collect();
        if self.under_way.len() <= at {
            self.under_way.resize(at + 1, None);
            self.quiet.resize(at + 1, false);
        }
        self.under_way[at] = Some(Arc::clone(&under_way));
        self.quiet[at] = arrivals.is_empty();
        under_way
    }

    fn standing(&mut self, on: Context<'_>, host: u32) -> Standing {
        let at = host as usize;
        if let Some(Some(standing)) = self.standings.get(at) {
            return *standing;
        }
        let standing = Standing::of(on.setup, on.store.hosts.get(host).get());
        if self.standings.len() <= at {
            self.standings.resize(at + 1, None);
        }
        self.standings[at] = Some(standing);
        standing
    }
}

/// Two numbers as one.
fn pair(one: u32, other: u32) -> u64 {
    u64::from(one) << 32 | u64::from(other)
}

/// Names a choice in its circumstances: the numbers of these parts.
fn circumstances(key: u64, mut parts: u64, packed: &Packed) -> u64 {
    let mut name = key ^ parts.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let numbers = packed.numbers();
    while parts != 0 {
        let slot = parts.trailing_zeros();
        // Each by itself, so that they need not wait for each other.
        let number = u64::from(numbers[slot as usize]) | u64::from(slot + 1) << u32::BITS;
        name = name.wrapping_add(fold(number.wrapping_mul(0xd6e8_feb8_6659_fd93)));
        parts &= parts - 1;
    }
    name
}

impl Net {
    /// Names a packet and, if that is the end of a connection, the one behind it, or before it where it is not the first.
    pub(super) fn subject(&self, pick: Pick) -> u64 {
        let first_left = Pick { nth: u16::from(pick.nth == 0), ..pick };
        let print = |pick| self.find(pick).map(|at| self.packets[at].fingerprint());
        let closing = self.find(first_left).map(|at| &self.packets[at]);
        let closing = closing.filter(|packet| matches!(packet.get().body, Body::Closed(_)));
        fingerprint(&(print(pick), closing.map(Shared::fingerprint)))
    }
}
