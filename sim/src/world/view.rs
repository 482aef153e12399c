//! A world that waits, as it may be looked at: it need not be put together to know what may happen next.

use super::{
    age::Signed,
    choices::{Prospect, Standing},
    networks::OnWay,
    pack::{OTHERS, Slot, slot_of},
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
        self.store.nets.among(self.numbers, Slot::Net)
    }

    fn prospects(&self) -> impl Iterator<Item = Prospect> {
        self.under_way.iter().map(|packet| packet.prospect)
    }

    fn conns(&self) -> &Conns {
        self.store.conns.among(self.numbers, Slot::Conns)
    }

    fn links(&self) -> &Links {
        self.store.links.among(self.numbers, Slot::Links)
    }

    fn faults(&self) -> &Faults {
        self.store.faults.among(self.numbers, Slot::Faults)
    }

    fn fires(&self) -> &Fires {
        self.store.fires.among(self.numbers, Slot::Fires)
    }

    fn waiting(&self) -> &Nodes {
        self.store.waiting.among(self.numbers, Slot::Waiting)
    }

    fn lost_leases(&self) -> &[(ServerId, u32)] {
        self.store.lost_leases.among(self.numbers, Slot::LostLeases)
    }

    fn attacker(&self) -> &Attacker {
        self.store.attackers.among(self.numbers, Slot::Attacker)
    }

    fn signed(&self) -> &[Signed] {
        self.store.signed.among(self.numbers, Slot::Signed)
    }

    fn is_broken(&self) -> bool {
        self.store.broken.among(self.numbers, Slot::Broken).is_some()
    }
}
