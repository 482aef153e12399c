//! What is not worth a choice: messages whose arrival matters to nobody but the player they come to, or to nobody at
//! all. An explorer lets them arrive at once, by choices that are as good as any other.

use gatepass_core::{
    client::Client,
    ids::CallId,
    message::{Ask, CacheAsk},
};

use super::*;

impl World {
    /// Lets everything arrive that is not worth a choice, and tells by which choices.
    ///
    /// Whatever can come of the world before can come of the world after, in the same order but for these arrivals,
    /// which nobody else notices.
    pub fn settle(&mut self, setup: &Setup, scratch: &mut Scratch, chosen: &mut dyn FnMut(Choice)) {
        let mut candidates = Vec::new();
        // What was behind what arrives has come forward; nothing else has.
        while self.broken().is_none() {
            candidates.clear();
            self.net.get().may_arrive(setup, &mut candidates);
            let mut picks = candidates.iter().copied();
            let Some(pick) = picks.find(|pick| self.arrives_at_once(setup, *pick, scratch)) else { break };
            self.apply(setup, Choice::Deliver(pick), scratch);
            chosen(Choice::Deliver(pick));
        }
    }

    /// Whether the arrival of this packet, the first of its lane, is worth no choice.
    pub(super) fn arrives_at_once(&self, setup: &Setup, pick: Pick, scratch: &mut Scratch) -> bool {
        // It waits in the socket of a stopped process.
        !self.hosts[usize::from(pick.to)].get().paused
            && (setup.reductions.has(Reduction::LateAnswers) && self.is_late(setup, pick)
                || setup.reductions.has(Reduction::LocalAtOnce)
                    && usize::from(pick.to) < setup.players()
                    && (self.arrivals_are_certain() || self.says_nothing_more(setup, usize::from(pick.to)))
                    && self.is_local(setup, pick, scratch))
    }

    /// Nothing can happen any more to what is under way to a player but that it arrives, in order and once, nor to
    /// his connection but by its ends.
    fn arrivals_are_certain(&self) -> bool {
        let Faults { drop, duplicate, reorder, hang_up, .. } = *self.faults;
        drop == 0 && duplicate == 0 && reorder == 0 && hang_up == 0
    }

    /// Whether a player says nothing any more, whatever he is told, and nobody looks where he stands: then it does not
    /// matter either what is lost on the way to him, or comes twice, or early.
    fn says_nothing_more(&self, setup: &Setup, player: usize) -> bool {
        !setup.scenario.patient
            && !setup.scenario.at_rest
            && self.faults.hang_up == 0
            && Client::TIMERS.iter().all(|timer| self.fires[TimerKind::of(timer) as usize] == 0)
            && matches!(&self.hosts[player].get().role, HostRole::Player(player) if player.has_said_all())
    }

    /// Whether a message to a player, and the end of its connection if that comes with it, changes nothing but him:
    /// he says nothing, and closes nothing that is open.
    ///
    /// Then it does so whenever it arrives: no timer of his can run out before, what comes on other connections he
    /// does not hear, and a connection that is closed stays closed.
    fn is_local(&self, setup: &Setup, pick: Pick, scratch: &mut Scratch) -> bool {
        let player = usize::from(pick.to);
        let may_fire = |timer: &Timer| self.fires[TimerKind::of(timer) as usize] > 0;
        if self.hosts[player].get().timers.iter().any(may_fire) {
            return false;
        }
        let closed = |packet: &&Shared<Packet>| matches!(packet.get().body, Body::Closed(_));
        let with_last = setup.reductions.has(Reduction::CloseWithLast);
        let end = self.under_way(Pick { nth: 1, ..pick }).filter(closed).filter(|_| with_last);
        let own = |effect: &Effect| match effect {
            Effect::Arm { .. } | Effect::Disarm(_) => true,
            Effect::Close(conn) => self.conns.room_of(*conn).is_none(),
            _ => false,
        };
        let mut local = true;
        let mut tried = self.clone();
        let mut effects = std::mem::take(&mut scratch.effects);
        for packet in [self.under_way(pick), end].into_iter().flatten() {
            tried.take(setup, player, packet.get().body.clone().event(), &mut effects, scratch);
            local &= effects.as_slice().iter().all(own);
            effects.drain();
        }
        scratch.effects = effects;
        local
    }

    /// Whether this comes too late to matter, now and whenever it comes: an answer that nobody waits for, or what is
    /// given back and was taken already.
    fn is_late(&self, setup: &Setup, pick: Pick) -> bool {
        let Some(packet) = self.under_way(pick).map(Shared::get) else { return false };
        match &packet.body {
            Body::Answered(call, answer) => self.is_late_answer(setup, packet, *call, answer),
            Body::Asked(question) => self.is_late_release(setup, packet, question),
            _ => false,
        }
    }

    /// Whether the account that is given back belongs to somebody else by now, or to nobody. No version is drawn twice,
    /// so it will never be that one's again.
    fn is_late_release(&self, setup: &Setup, packet: &Packet, question: &Question) -> bool {
        let Ask::Cache(CacheAsk::Release { account, server, version }) = question.ask else { return false };
        let HostRole::Cache(cache) = &self.hosts[usize::from(packet.to)].get().role else { return false };
        let policy = setup.settings.policy;
        policy.release_compares
            && policy.generation_durable
            && !question.call.wants_answer()
            && cache.owner(account) != Some((server, version))
    }

    /// Whether nobody waits for this answer, and nobody will: its asker's life is over, or the question was asked again
    /// or given up. A late grant is another matter, it must be given back.
    fn is_late_answer(&self, setup: &Setup, packet: &Packet, call: CallId, answer: &Answer) -> bool {
        let host = self.hosts[usize::from(packet.to)].get();
        if packet.life.is_some_and(|life| life != host.life) {
            return true;
        }
        let HostRole::Room(room) = &host.role else { return false };
        setup.settings.policy.calls_matched
            && call.conn != ConnId::default()
            && !matches!(answer, Answer::Cache(CacheAnswer::Granted(_)))
            && !room.waits_for(call)
    }
}

/// Whether it is of a kind that can [come too late](World::is_late).
const fn may_be_late(body: &Body) -> bool {
    match body {
        Body::Answered(..) => true,
        Body::Asked(question) => matches!(question.ask, Ask::Cache(CacheAsk::Release { .. })),
        _ => false,
    }
}

impl Net {
    /// The packets that may not be worth a choice when they arrive: the first of their lanes, in order.
    pub(super) fn may_arrive(&self, setup: &Setup, picks: &mut Vec<Pick>) {
        let local = setup.reductions.has(Reduction::LocalAtOnce);
        let late = setup.reductions.has(Reduction::LateAnswers);
        let mut last = None;
        for at in 0..self.packets.len() {
            let pick = self.pick(at, last);
            last = Some(pick);
            if pick.nth == 0
                && (local && usize::from(pick.to) < setup.players()
                    || late && may_be_late(&self.packets[at].get().body))
            {
                picks.push(pick);
            }
        }
    }
}
