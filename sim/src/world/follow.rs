//! Steps between worlds that wait: recalled where they can be, played where they must be.

use std::mem::discriminant;

use super::{
    budgets::Amounts,
    changes::Changed,
    choices::{Standing, subject},
    lesson::Learned,
    networks::OnWay,
    pack::{OTHERS, Parts, Slot, Visit, slot_of},
    recall::{After, Recall, SLOTS_MAX, circumstances, fold},
    view::View,
    *,
};

/// A packet arrives at once, if that is worth no choice: with the name of the packet that is a key, as the kind of a
/// choice is.
const ARRIVES_AT_ONCE: u64 = 1;

/// Of which kind a choice is.
fn kind_of(choice: Choice) -> u64 {
    fingerprint(&discriminant(&choice))
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
    /// How the nodes of the world stand whose choices were asked for last.
    standings: Vec<Standing>,
    /// Its place on the board.
    pub(super) place: Option<usize>,
}

impl Memory {
    /// Everything that may happen next in a world, as [`World::choices`] says.
    pub(crate) fn choices(&mut self, on: Context<'_>, packed: &Packed, choices: &mut Vec<Choice>) {
        self.standings.clear();
        let numbers = packed.numbers[OTHERS..].iter();
        self.standings.extend(numbers.map(|number| self.recall.standing(on, *number)));
        let idle = self.standings.iter().all(|standing| *standing == Standing::IDLE);
        let under_way = on.under_way(packed.numbers[Slot::Net.at()]);
        let view =
            View { store: on.store, numbers: &packed.numbers, under_way, standings: &self.standings, idle };
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
    }

    /// Makes a choice in a world and then, as [`World::settle`] does, whatever is not worth one.
    pub(crate) fn follow(
        &mut self,
        on: Context<'_>,
        packed: &Packed,
        choice: Choice,
        to: &mut Packed,
    ) -> bool {
        to.copy(packed);
        let from = &packed.numbers[..];
        let [broken, net] = [Slot::Broken.at(), Slot::Net.at()];
        let before = on.under_way(from[net]);
        let key = match choice.pick() {
            Some(pick) => {
                let name = before.iter().find(|it| it.prospect.pick == pick).map_or(0, |it| it.name);
                fold(kind_of(choice) ^ name)
            }
            None => {
                let links = packed.part(&on.store.links, Slot::Links);
                let net = packed.part(&on.store.nets, Slot::Net);
                fingerprint(&(choice, subject(on.setup, choice, links, net)))
            }
        };
        if !self.play(on, to, key, |world, scratch| world.apply(on.setup, choice, scratch)) {
            return false;
        }
        'settle: while to.numbers[broken] == from[broken] && !self.recall.is_quiet(on, to.numbers[net]) {
            let under_way = on.under_way(to.numbers[net]);
            for packet in under_way.iter().filter(|packet| packet.may_arrive) {
                let (pick, name) = (packet.prospect.pick, packet.name);
                // What did not arrive at once before does not now, unless something has changed that it depends on.
                let was_there = |it: &OnWay| it.may_arrive && it.name == name;
                let waits = before.iter().any(was_there) && {
                    let same = |slot: usize| to.numbers[slot] == from[slot];
                    let node = usize::from(pick.to);
                    let certain = [Slot::Faults, Slot::Fires, Slot::Conns];
                    same(slot_of(node))
                        && (node >= on.setup.players() || certain.iter().all(|it| same(it.at())))
                };
                if waits {
                    continue;
                }
                let arrives = |world: &mut World, scratch: &mut Scratch| {
                    world.arrives_at_once(on.setup, pick, scratch)
                        && world.apply(on.setup, Choice::Deliver(pick), scratch)
                };
                if self.play(on, to, fold(ARRIVES_AT_ONCE ^ name), arrives) {
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

    /// Plays, or recalls what came of it. `key` names completely what is played, and what it says of the network.
    fn play(
        &mut self,
        on: Context<'_>,
        to: &mut Packed,
        key: u64,
        play: impl FnOnce(&mut World, &mut Scratch) -> bool,
    ) -> bool {
        let remembers = on.setup.reductions.has(Reduction::RememberedSteps) && to.numbers.len() <= SLOTS_MAX;
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
        let broken = Slot::Broken.at();
        // What breaks it depends on the ledger, which nobody looked at.
        if remembers && to.numbers[broken] == is.numbers[broken] {
            let number = |slot: Slot| is.numbers[slot.at()];
            let traffic = net.and_then(|after| Changed::of(&named.traffic, number(Slot::Net), after));
            let told = ledger.and_then(|after| Changed::of(&named.told, number(Slot::Ledger), after));
            let unseen = |slot: Slot| looked_at >> slot.at() & 1 == 0;
            let amounts = |packed: &Packed| Amounts {
                faults: if unseen(Slot::Faults) {
                    *packed.part(&on.store.faults, Slot::Faults)
                } else {
                    Faults::default()
                },
                fires: if unseen(Slot::Fires) {
                    *packed.part(&on.store.fires, Slot::Fires)
                } else {
                    Fires::default()
                },
            };
            let is_spent = [Slot::Faults, Slot::Fires].iter().any(|it| number(*it) != to.numbers[it.at()]);
            let learned = Learned {
                key,
                looked_at,
                circumstances: circumstances(key, looked_at, &is.numbers),
                possible,
                replaced: replaced.into(),
                print,
                traffic,
                told,
                taken: if is_spent { amounts(is).less(amounts(to)) } else { Amounts::default() },
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
        let before = self.from.numbers[slot];
        let mut after = After { number: before, print: 0 };
        if part.has_changed() {
            after = After::of(all, slot, before, part.shared());
        }
        if after.number != before {
            self.to.put(slot, after);
        }
        if !looked_at && slot == Slot::Net.at() {
            self.net = Some(after);
        } else if !looked_at && slot == Slot::Ledger.at() {
            self.ledger = Some(after);
        } else if !looked_at && [Slot::Faults, Slot::Fires].iter().any(|it| slot == it.at()) {
            // What was taken is read off the amounts.
        } else if after.number != before {
            self.replaced.push((slot as u8, after.number));
            self.print = self.print.wrapping_add(after.print);
        }
    }
}
