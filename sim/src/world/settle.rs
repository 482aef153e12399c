//! What is not worth a choice: messages whose arrival matters to nobody but the player they come to, or to nobody at
//! all. An explorer lets them arrive at once, by choices that are as good as any other.

use super::*;

impl World {
    /// Lets everything arrive that is not worth a choice, and tells by which choices.
    ///
    /// Whatever can come of the world before can come of the world after, in the same order but for these arrivals,
    /// which nobody else notices.
    pub fn settle(&mut self, setup: &Setup, scratch: &mut Scratch, chosen: &mut dyn FnMut(Choice)) {
        let local = setup.reductions.has(Reduction::LocalAtOnce) && self.arrivals_are_certain();
        let late = setup.reductions.has(Reduction::LateAnswers);
        let mut at = 0;
        let mut last = None;
        while (local || late) && self.broken.is_none() && at < self.net.get().packets.len() {
            let pick = self.net.get().pick(at, last);
            let arrived = pick.nth == 0
                && (local && self.is_local(setup, at, pick, scratch) || late && self.is_late(setup, at))
                && self.apply(setup, Choice::Deliver(pick), scratch);
            if arrived {
                chosen(Choice::Deliver(pick));
                // What was behind it has come forward; nothing else has.
                (at, last) = (0, None);
            } else {
                (at, last) = (at + 1, Some(pick));
            }
        }
    }

    /// Nothing can happen any more to what is under way to a player but that it arrives, in order and once, nor to
    /// his connection but by its ends.
    const fn arrivals_are_certain(&self) -> bool {
        let Faults { drop, duplicate, reorder, hang_up, .. } = self.faults;
        drop == 0 && duplicate == 0 && reorder == 0 && hang_up == 0
    }

    /// Whether a message to a player, and the end of its connection if that comes with it, changes nothing but him:
    /// he says nothing, and closes nothing that is open.
    ///
    /// Then it does so whenever it arrives: no timer of his can run out before, what comes on other connections he
    /// does not hear, and a connection that is closed stays closed.
    fn is_local(&self, setup: &Setup, at: usize, pick: Pick, scratch: &mut Scratch) -> bool {
        let player = usize::from(pick.to);
        let may_fire = |timer: &Timer| self.fires[TimerKind::of(timer) as usize] > 0;
        if player >= setup.players() || self.hosts[player].get().timers.iter().any(may_fire) {
            return false;
        }
        let net = self.net.get();
        let closed = |packet: &Packet| matches!(packet.body, Body::Closed(_));
        let end = net.find(Pick { nth: 1, ..pick }).filter(|next| {
            setup.reductions.has(Reduction::CloseWithLast) && closed(net.packets[*next].get())
        });
        let own = |effect: &Effect| match effect {
            Effect::Arm { .. } | Effect::Disarm(_) => true,
            Effect::Close(conn) => net.room_of(*conn).is_none(),
            _ => false,
        };
        let mut local = true;
        let mut tried = self.clone();
        let mut effects = std::mem::take(&mut scratch.effects);
        for packet in [Some(at), end].into_iter().flatten() {
            let taken = tried.take(setup, player, net.packets[packet].clone().into(), &mut effects, scratch);
            local &= taken.iter().flat_map(|taken| &taken.effects).chain(effects.as_slice()).all(own);
            effects.drain();
        }
        scratch.effects = effects;
        local
    }

    /// Whether this is an answer that nobody waits for, and nobody will: its asker's life is over, or the question
    /// was asked again or given up. A late grant is another matter, it must be given back.
    fn is_late(&self, setup: &Setup, at: usize) -> bool {
        let packet = self.net.get().packets[at].get();
        let Body::Answered(call, answer) = &packet.body else { return false };
        let host = self.hosts[usize::from(packet.to)].get();
        if packet.life.is_some_and(|life| life != host.life) {
            return true;
        }
        let HostRole::Room(room) = &host.role else { return false };
        setup.settings.policy.calls_matched
            && call.conn != ConnId::default()
            && !matches!(answer, Answer::Cache(CacheAnswer::Granted(_)))
            && !room.waits_for(*call)
    }
}
