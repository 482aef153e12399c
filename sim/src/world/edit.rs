//! Changes that are named completely. Whoever remembers what came of a choice need not compare what only such changes
//! concern: the network and the ledger.

use super::*;

/// A change of the network.
#[derive(Clone, Debug)]
pub(super) enum Traffic {
    /// A packet is on its way.
    Post(Shared<Packet>),
    /// A packet is taken off its way.
    Take(Pick),
    /// Everything to this node is lost.
    LoseTo(usize),
    /// Everything to this node on a lane is lost.
    LoseOn(u32, usize),
}

impl Traffic {
    pub(super) fn make(&self, net: &mut Net) {
        match self {
            Self::Post(packet) => net.post(packet.clone()),
            Self::Take(pick) => net.take(*pick),
            Self::LoseTo(node) => net.lose(|packet| usize::from(packet.to) == *node),
            Self::LoseOn(lane, node) => {
                net.lose(|packet| packet.lane == *lane && usize::from(packet.to) == *node);
            }
        }
    }

    pub(super) fn print(&self) -> u64 {
        match self {
            Self::Post(packet) => packet.fingerprint(),
            Self::Take(pick) => fingerprint(&("take", pick)),
            Self::LoseTo(node) => fingerprint(&("lose", node)),
            Self::LoseOn(lane, node) => fingerprint(&("lose", lane, node)),
        }
    }
}

/// What was changed by changes that are named.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) traffic: Vec<Traffic>,
    /// Names all changes of the ledger, in their order; 0: none.
    pub(super) ledger: u64,
}

impl Scratch {
    /// The ledger is told or asked something of this name.
    fn name_told(&mut self, name: impl FnOnce() -> u64) {
        if let Some(named) = &mut self.named {
            named.ledger = fingerprint(&(named.ledger, name()));
        }
    }
}

impl World {
    /// Puts a packet on its way.
    pub(super) fn put(&mut self, packet: Shared<Packet>, scratch: &mut Scratch) {
        if let Some(started) = &mut scratch.started {
            let Packet { from, to, lane, .. } = *packet.get();
            started.push(Started::Sent(Pick { from, to, lane, nth: 0 }));
        }
        self.change_net(Traffic::Post(packet), scratch);
    }

    /// The packet that a choice is about.
    pub(super) fn under_way(&self, pick: Pick) -> Option<&Shared<Packet>> {
        let net = self.net.shared().get();
        net.find(pick).map(|at| &net.packets[at])
    }

    /// Takes the packet that a choice is about off its way.
    pub(super) fn take_packet(&mut self, pick: Pick, scratch: &mut Scratch) -> Option<Shared<Packet>> {
        let packet = self.under_way(pick)?.clone();
        self.change_net(Traffic::Take(pick), scratch);
        Some(packet)
    }

    pub(super) fn change_net(&mut self, change: Traffic, scratch: &mut Scratch) {
        change.make(self.net.edit_unseen());
        if let Some(named) = &mut scratch.named {
            named.traffic.push(change);
        }
    }

    /// Changes the ledger by `edit`, which `name` names completely.
    pub(super) fn edit_ledger(
        &mut self,
        scratch: &mut Scratch,
        name: impl FnOnce() -> u64,
        edit: impl FnOnce(&mut Ledger) -> Judgement,
    ) -> Judgement {
        scratch.name_told(name);
        edit(self.ledger.edit_unseen())
    }

    /// The same where the ledger has nothing to say to it.
    pub(super) fn tell_ledger(
        &mut self,
        scratch: &mut Scratch,
        name: impl FnOnce() -> u64,
        tell: impl FnOnce(&mut Ledger),
    ) {
        let _ = self.edit_ledger(scratch, name, |ledger| {
            tell(ledger);
            Judgement::default()
        });
    }

    /// Asks the ledger, and `name` names completely what.
    pub(super) fn ask_ledger(
        &mut self,
        scratch: &mut Scratch,
        name: impl FnOnce() -> u64,
        ask: impl FnOnce(&Ledger) -> Judgement,
    ) -> Judgement {
        scratch.name_told(name);
        ask(self.ledger.shared().get())
    }
}
