//! What is under way in networks, by their numbers.

use super::{choices::Prospect, *};

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
