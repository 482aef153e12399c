//! What comes of the network and of the ledger by changes that are named. They are few, and so are those that each
//! network or ledger meets; whatever is not known yet is made without the rest of the world.

use super::{
    follow::Context,
    pack::Slot,
    recall::{After, KEPT_MAX, Map, at},
    *,
};

/// Changes of one part by one step: their name, what they are, and what came of it.
#[derive(Clone, Debug)]
pub(super) struct Changed<C> {
    pub(super) name: u64,
    pub(super) changes: Arc<[C]>,
    /// The number of the part before.
    pub(super) before: u32,
    pub(super) after: After,
}

impl<C: Hash + Clone> Changed<C> {
    /// `None` if nothing was changed.
    pub(super) fn of(changes: &[C], before: u32, after: After) -> Option<Self> {
        let name = changes.iter().fold(0, |name, change| fingerprint(&(name, change)));
        (!changes.is_empty()).then(|| Self { name, changes: changes.into(), before, after })
    }
}

/// What one thread knows of changes of one part.
#[derive(Debug)]
pub(super) struct Changes<C> {
    /// By number, from 1.
    all: Vec<Arc<[C]>>,
    numbers: Map<u32>,
    /// What comes of each part, by its number. Who looks for one change will look for others.
    afters: Vec<Vec<Then>>,
    known: usize,
}

/// What comes of a part by the changes of this number.
#[derive(Clone, Copy, Debug)]
struct Then {
    changes: u32,
    number: u32,
    print: u64,
}

impl<C> Default for Changes<C> {
    fn default() -> Self {
        Self { all: Vec::new(), numbers: Map::default(), afters: Vec::new(), known: 0 }
    }
}

impl<C> Changes<C> {
    fn find(&mut self, part: u32, changes: u32) -> Option<After> {
        let known = at(&mut self.afters, part).iter().find(|it| it.changes == changes);
        known.map(|it| After { number: it.number, print: it.print })
    }

    /// The changes of this number.
    fn of(&self, changes: u32) -> &[C] {
        &self.all[changes as usize - 1]
    }

    /// From now on it is known what comes of a part by the changes of this number.
    fn add(&mut self, part: u32, changes: u32, after: After) -> After {
        let After { number, print } = after;
        if self.known >= KEPT_MAX {
            self.afters.clear();
            self.known = 0;
        }
        at(&mut self.afters, part).push(Then { changes, number, print });
        self.known += 1;
        after
    }

    /// Learns what came of changes, and returns their number.
    pub(super) fn learn(&mut self, changed: &Changed<C>) -> u32 {
        let next = self.all.len() as u32 + 1;
        let changes = *self.numbers.entry(changed.name).or_insert(next);
        if changes == next {
            self.all.push(Arc::clone(&changed.changes));
        }
        if self.find(changed.before, changes).is_none() {
            self.add(changed.before, changes, changed.after);
        }
        changes
    }
}

impl Changes<Traffic> {
    /// What comes of a network.
    #[inline]
    pub(super) fn after_traffic(&mut self, on: Context<'_>, net: u32, traffic: u32) -> After {
        self.find(net, traffic).unwrap_or_else(|| {
            let mut after = on.store.nets.get(net).clone();
            self.of(traffic).iter().for_each(|change| change.make(after.edit()));
            self.add(net, traffic, After::of(&on.store.nets, Slot::Net.at(), net, &after))
        })
    }
}

impl Changes<Told> {
    /// What comes of a ledger; `None` if what it is told breaks something.
    #[inline]
    pub(super) fn after_told(&mut self, on: Context<'_>, ledger: u32, told: u32) -> Option<After> {
        self.find(ledger, told).or_else(|| {
            let mut after = on.store.ledgers.get(ledger).clone();
            for told in self.of(told) {
                let judgement = told.tell(on.setup, &mut after);
                on.setup.exercise(judgement.met);
                if World::first_broken(on.setup, judgement, false).is_some() {
                    return None;
                }
            }
            Some(self.add(ledger, told, After::of(&on.store.ledgers, Slot::Ledger.at(), ledger, &after)))
        })
    }
}
