//! What is known of networks, by their numbers: what is under way in them, and what comes of them.

use super::{
    choices::Prospect,
    edit::Traffic,
    pack::Slot,
    recall::{After, KEPT_MAX, at},
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

impl<'a> Context<'a> {
    /// What is under way in a network, in order.
    pub(super) fn under_way(self, net: u32) -> &'a [OnWay] {
        self.store.under_way.get_or_init(net, || {
            let net = self.store.nets.get(net).get();
            let mut arrivals = Vec::new();
            net.may_arrive(self.setup, &mut arrivals);
            let on_way = |prospect: Prospect| {
                let pick = prospect.pick;
                let name = fingerprint(&(pick, net.subject(pick)));
                OnWay { prospect, name, may_arrive: arrivals.contains(&pick) }
            };
            net.prospects().map(on_way).collect()
        })
    }
}

/// What one thread knows of networks.
#[derive(Debug, Default)]
pub(super) struct Networks {
    /// Whether nothing is under way that may not be worth a choice: mostly that is all that is asked.
    quiet: Vec<Option<bool>>,
    /// What comes of each. They are few, and who looks for one will look for others.
    afters: Vec<Vec<Then>>,
    known: usize,
}

/// What comes of a network by some traffic.
#[derive(Clone, Copy, Debug)]
struct Then {
    traffic: u32,
    number: u32,
    print: u64,
}

impl Networks {
    /// Whether nothing is under way in it that may not be worth a choice.
    pub(super) fn is_quiet(&mut self, on: Context<'_>, net: u32) -> bool {
        *at(&mut self.quiet, net).get_or_insert_with(|| on.under_way(net).iter().all(|it| !it.may_arrive))
    }

    /// What comes of a network by these changes, which have this number.
    pub(super) fn after(&mut self, on: Context<'_>, net: u32, traffic: u32, changes: &[Traffic]) -> After {
        let known = at(&mut self.afters, net);
        if let Some(&Then { number, print, .. }) = known.iter().find(|it| it.traffic == traffic) {
            return After { number, print };
        }
        let mut after = on.store.nets.get(net).clone();
        changes.iter().for_each(|change| change.make(after.edit()));
        let slot = on.setup.nodes() + Slot::Net as usize;
        let after = After::of(&on.store.nets, slot, net, &after);
        self.add(net, traffic, after);
        after
    }

    pub(super) fn learn(&mut self, net: u32, traffic: u32, after: After) {
        if at(&mut self.afters, net).iter().all(|it| it.traffic != traffic) {
            self.add(net, traffic, after);
        }
    }

    fn add(&mut self, net: u32, traffic: u32, After { number, print }: After) {
        if self.known >= KEPT_MAX {
            *self = Self::default();
        }
        at(&mut self.afters, net).push(Then { traffic, number, print });
        self.known += 1;
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
