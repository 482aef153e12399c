//! How the parts of a world are changed: the same change of the same part is made once only, if somebody remembers.

use super::*;

impl World {
    /// Puts a packet on its way.
    pub(super) fn put(&mut self, packet: Shared<Packet>, scratch: &mut Scratch) {
        if let Some(started) = &mut scratch.started {
            let Packet { from, to, lane, .. } = *packet.get();
            started.push(Started::Sent(Pick { from, to, lane, nth: 0 }));
        }
        // Who remembers nothing need not name it.
        let print = scratch.memo.as_ref().map(|_| packet.fingerprint());
        self.edit_net(scratch, &("post", print), |net| net.post(packet));
    }

    /// Takes a packet off its way.
    pub(super) fn take_packet(&mut self, at: usize, scratch: &mut Scratch) -> Shared<Packet> {
        let packet = self.net.get().packets[at].clone();
        self.edit_net(scratch, &("take", at), |net| {
            net.packets.remove(at);
        });
        packet
    }

    /// Changes a node by `edit`, which `change` names completely.
    pub(super) fn edit_host(
        &mut self,
        node: usize,
        scratch: &mut Scratch,
        change: &impl Hash,
        edit: impl FnOnce(&mut Host),
    ) {
        match &mut scratch.memo {
            Some(memo) => memo.hosts.edit(&mut self.hosts[node], change, edit),
            None => edit(self.hosts[node].edit()),
        }
    }

    /// Changes the network by `edit`, which `change` names completely.
    pub(super) fn edit_net(
        &mut self,
        scratch: &mut Scratch,
        change: &impl Hash,
        edit: impl FnOnce(&mut Net),
    ) {
        match &mut scratch.memo {
            Some(memo) => memo.nets.edit(&mut self.net, change, edit),
            None => edit(self.net.edit()),
        }
    }

    /// Changes the ledger by `edit`, which `change` names completely.
    pub(super) fn edit_ledger(
        &mut self,
        scratch: &mut Scratch,
        change: &impl Hash,
        edit: impl FnOnce(&mut Ledger) -> Judgement,
    ) -> Judgement {
        match &mut scratch.memo {
            Some(memo) => memo.ledgers.edit(&mut self.ledger, change, edit),
            None => edit(self.ledger.edit()),
        }
    }
}
