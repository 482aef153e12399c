//! A world that waits, as it may be looked at: it need not be put together to know what may happen next.

use super::{
    age::Signed,
    choices::{Prospect, Standing},
    networks::OnWay,
    pack::{OTHERS, Parts, Slot, slot_of},
    *,
};

/// A world that waits.
pub(super) struct View<'a> {
    pub(super) store: &'a Store,
    pub(super) numbers: &'a [u32],
    pub(super) under_way: &'a [OnWay],
    /// Of each node.
    pub(super) standings: &'a [Standing],
    /// All of them stand idle.
    pub(super) idle: bool,
}

impl<'a> View<'a> {
    fn part<T: Clone + Hash + PartialEq>(&self, parts: &'a Parts<T>, slot: Slot) -> &'a T {
        parts.get(self.numbers[slot.at()]).get()
    }
}

impl Look for View<'_> {
    fn nodes(&self) -> usize {
        self.numbers.len() - OTHERS
    }

    fn host(&self, node: usize) -> &Host {
        self.store.hosts.get(self.numbers[slot_of(node)]).get()
    }

    fn standing(&self, _: &Setup, node: usize) -> Standing {
        self.standings[node]
    }

    fn is_idle(&self) -> bool {
        self.idle
    }

    fn net(&self) -> &Net {
        self.part(&self.store.nets, Slot::Net)
    }

    fn prospects(&self) -> impl Iterator<Item = Prospect> {
        self.under_way.iter().map(|packet| packet.prospect)
    }

    fn conns(&self) -> &Conns {
        self.part(&self.store.conns, Slot::Conns)
    }

    fn links(&self) -> &Links {
        self.part(&self.store.links, Slot::Links)
    }

    fn faults(&self) -> &Faults {
        self.part(&self.store.faults, Slot::Faults)
    }

    fn fires(&self) -> &Fires {
        self.part(&self.store.fires, Slot::Fires)
    }

    fn waiting(&self) -> &Nodes {
        self.part(&self.store.waiting, Slot::Waiting)
    }

    fn lost_leases(&self) -> &[(ServerId, u32)] {
        self.part::<Vec<_>>(&self.store.lost_leases, Slot::LostLeases)
    }

    fn attacker(&self) -> &Attacker {
        self.part(&self.store.attackers, Slot::Attacker)
    }

    fn signed(&self) -> &[Signed] {
        self.part::<Vec<_>>(&self.store.signed, Slot::Signed)
    }

    fn is_broken(&self) -> bool {
        self.part(&self.store.broken, Slot::Broken).is_some()
    }
}
