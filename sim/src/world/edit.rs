//! Changes that are named completely. Whoever remembers what came of a choice need not compare what only such changes
//! concern: the network and the ledger.

use gatepass_core::{
    ledger::Evidence,
    message::{Reply, Request},
    properties::View,
};

use super::*;

/// A change of the network.
#[derive(Clone, Debug, Hash)]
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
}

/// Something that the ledger is told.
#[derive(Clone, Debug, Hash)]
pub(super) enum Told {
    /// A role noted this fact; and whose credential the player behind an admitted connection knows, if that can be seen.
    Fact(Fact, Option<Option<AccountId>>),
    /// A request came to a LoginServer.
    Requested(ConnId, Request, Option<Evidence>),
    /// It was answered.
    Replied(ConnId, Reply),
    /// A connection is gone: what was counted against it is forgotten.
    Closed(ConnId),
    /// This node, a LoginServer, crashed: nobody waits for its answers.
    LoginCrashed(usize),
    /// A RoomServer crashed.
    RoomCrashed(ServerId),
}

impl Told {
    /// Tells it, and what the ledger says to that.
    pub(super) fn tell(&self, setup: &Setup, ledger: &mut Shared<Ledger>) -> Judgement {
        match self {
            Self::Fact(fact, player) if matters(fact) => {
                let view = View { player: *player, room_capacity: setup.settings.capacity.room };
                ledger.edit().record(fact, view)
            }
            // It leaves nothing behind: what it exercises is all there is to it.
            Self::Fact(fact, _) => ledger.get().exercised(fact),
            Self::Replied(conn, reply) => ledger.edit().replied(*conn, reply),
            Self::Requested(conn, request, evidence) => {
                ledger.edit().requested(*conn, request, *evidence);
                Judgement::default()
            }
            Self::Closed(conn) => {
                ledger.edit().closed(*conn);
                Judgement::default()
            }
            Self::LoginCrashed(node) => {
                ledger.edit().asked.retain(|conn, _| setup.login_of(*conn) != *node);
                Judgement::default()
            }
            Self::RoomCrashed(server) => {
                ledger.edit().server_died(*server);
                Judgement::default()
            }
        }
    }
}

/// Whether the ledger must remember it.
const fn matters(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::CredentialChecked { genuine: true, .. }
            | Fact::SignatureAccepted { .. }
            | Fact::SessionOpened { .. }
            | Fact::SessionEnded { .. }
            | Fact::TokenIssued { .. }
            | Fact::TokenSuperseded { .. }
            | Fact::TokenExpired { .. }
            | Fact::TokenRedeemed { .. }
            | Fact::EntryRefused { .. }
            | Fact::Admitted { .. }
            | Fact::Left { .. }
            | Fact::Unseated { .. }
            | Fact::Fenced { .. }
    )
}

/// What was changed by changes that are named.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) traffic: Vec<Traffic>,
    pub(super) told: Vec<Told>,
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

    /// Tells the ledger something, and judges what it says to that.
    pub(super) fn tell_ledger(&mut self, setup: &Setup, told: Told, scratch: &mut Scratch) {
        let judgement = told.tell(setup, self.ledger.shared_unseen());
        self.judge(setup, scratch, judgement, false);
        if let Some(named) = &mut scratch.named {
            named.told.push(told);
        }
    }
}
