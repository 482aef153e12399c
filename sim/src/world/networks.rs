//! What one thread knows of networks, by their numbers: what is under way in them, and what comes of them.

use super::{
    choices::Prospect,
    edit::Traffic,
    pack::{Slot, print_of},
    recall::{After, KEPT_MAX},
    *,
};

/// A packet under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OnWay {
    pub(super) prospect: Prospect,
    /// Names it and its [subject](Net::subject).
    pub(super) name: u64,
    /// Its arrival may not be worth a choice.
    pub(super) may_arrive: bool,
}

/// What is known of networks.
#[derive(Debug, Default)]
pub(super) struct Networks {
    known: Vec<Option<Known>>,
    /// Those in which nothing is that may not be worth a choice: mostly that is all that is asked, and a byte each
    /// stays at hand.
    quiet: Vec<bool>,
    afters: usize,
}

#[derive(Clone, Debug)]
struct Known {
    /// In order.
    under_way: Arc<[OnWay]>,
    /// What comes of it, by traffic. They are few, and who looks for one will look for others.
    afters: Vec<(u32, After)>,
}

impl Networks {
    pub(super) fn is_quiet(&self, net: u32) -> bool {
        self.quiet.get(net as usize) == Some(&true)
    }

    pub(super) fn under_way(&mut self, on: Context<'_>, net: u32) -> Arc<[OnWay]> {
        Arc::clone(&self.known(on, net).under_way)
    }

    /// What comes of a network by these changes, which have this number.
    pub(super) fn after(&mut self, on: Context<'_>, net: u32, traffic: u32, changes: &[Traffic]) -> After {
        if let Some((_, after)) = self.known(on, net).afters.iter().find(|it| it.0 == traffic) {
            return *after;
        }
        let before = on.store.nets.get(net);
        let mut after = before.clone();
        changes.iter().for_each(|change| change.make(after.edit()));
        let slot = on.setup.nodes() + Slot::Net as usize;
        let print = print_of(slot, &after).wrapping_sub(print_of(slot, before));
        let after = After { number: on.store.nets.number(&after), print };
        self.learn(on, net, traffic, after);
        after
    }

    pub(super) fn learn(&mut self, on: Context<'_>, net: u32, traffic: u32, after: After) {
        if self.afters >= KEPT_MAX {
            *self = Self::default();
        }
        let known = &mut self.known(on, net).afters;
        if known.iter().all(|it| it.0 != traffic) {
            known.push((traffic, after));
            self.afters += 1;
        }
    }

    fn known(&mut self, on: Context<'_>, net: u32) -> &mut Known {
        let at = net as usize;
        if self.known.len() <= at {
            self.known.resize(at + 1, None);
            self.quiet.resize(at + 1, false);
        }
        let quiet = &mut self.quiet[at];
        self.known[at].get_or_insert_with(|| {
            let net = on.store.nets.get(net).get();
            let mut arrivals = Vec::new();
            net.may_arrive(on.setup, &mut arrivals);
            let on_way = |prospect: Prospect| {
                let pick = prospect.pick;
                let name = fingerprint(&(pick, net.subject(pick)));
                OnWay { prospect, name, may_arrive: arrivals.contains(&pick) }
            };
            *quiet = arrivals.is_empty();
            Known { under_way: net.prospects().map(on_way).collect(), afters: Vec::new() }
        })
    }
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
