//! Steps of roles: until nothing follows at once, each with its timers, its checks and its effects.

use gatepass_core::properties;

use super::*;

/// Events that one choice may cause on links that take no time. Far above what any protocol step needs: more
/// means that nodes answer each other for ever.
const CASCADE_MAX: usize = 2_000;

impl World {
    /// Steps roles until nothing follows at once.
    pub(super) fn run(&mut self, setup: &Setup, scratch: &mut Scratch) {
        let mut steps = 0;
        while let Some((node, coming)) = scratch.queue.pop_front() {
            steps += 1;
            if steps > CASCADE_MAX {
                self.broken = Some(Broken::Invariant("nodes answer each other for ever"));
            }
            if self.broken.is_some() {
                scratch.queue.clear();
                break;
            }
            let host = self.hosts[node].get();
            if host.runs() {
                self.step(setup, node, coming, scratch);
            } else if host.paused {
                self.hosts[node].edit().missed.push(coming.event());
            }
        }
    }

    fn step(&mut self, setup: &Setup, node: usize, coming: Coming, scratch: &mut Scratch) {
        let coming = self.seen_now(setup, node, coming);
        let mut unverified = None;
        match (&self.hosts[node].get().role, coming.received()) {
            (HostRole::Room(room), Some((conn, Message::ToRoom(_)))) if !room.is_live(conn) => {
                unverified = Some(coming.clone());
            }
            (HostRole::Login(_), Some((conn, Message::Request(request)))) => {
                let evidence = self.evidence(setup, node, request);
                let _ = self.edit_ledger(scratch, &("requested", conn, request, evidence), |ledger| {
                    ledger.requested(conn, request, evidence);
                    Judgement::default()
                });
            }
            _ => {}
        }
        let stranger = match (&self.hosts[node].get().role, coming.received()) {
            (HostRole::Center(center), Some((conn, msg))) => {
                properties::LinkStep::stranger(center, conn, msg)
            }
            _ => None,
        };
        let mut buffer = std::mem::take(&mut scratch.effects);
        let taken = self.take(setup, node, coming, &mut buffer, scratch);
        let effects = taken.as_ref().map_or(buffer.as_slice(), |taken| &*taken.effects);
        if let Some(link) = stranger {
            let judgement = properties::LinkStep { unverified: link, effects }.judge();
            self.judge(setup, scratch, judgement, false);
        }
        if let Some((conn, Message::ToRoom(msg))) = unverified.as_ref().and_then(Coming::received) {
            let judgement = properties::Step { unverified: conn, msg, effects }.judge();
            self.judge(setup, scratch, judgement, false);
        }
        let overbooked = match &self.hosts[node].get().role {
            HostRole::Center(center) => properties::promises_too_much(center, effects),
            _ => false,
        };
        for (nth, effect) in effects.iter().enumerate() {
            let known = taken.as_ref().map(|taken| &taken.known[nth]);
            self.perform(setup, node, effect, known, scratch);
        }
        buffer.drain();
        scratch.effects = buffer;
        match &self.hosts[node].get().role {
            HostRole::Center(_) if overbooked => self.breaks(setup, scratch, Property::Capacity),
            HostRole::Room(room) if room.sizes().0 > setup.settings.capacity.connections as usize => {
                self.breaks(setup, scratch, Property::Bounded);
            }
            _ => {}
        }
    }

    /// Steps the role of a node, and sets its timers. What follows is in `effects`, or in what is returned: the same
    /// step as it was taken before.
    pub(super) fn take(
        &mut self,
        setup: &Setup,
        node: usize,
        coming: Coming,
        effects: &mut Effects,
        scratch: &mut Scratch,
    ) -> Option<Arc<Taken>> {
        scratch.steps += 1;
        // What roles have met, and in which phase, is asked of events.
        let event = scratch.coverage.is_some().then(|| coming.clone().event());
        let met = event.map(|event| Met::of(self.hosts[node].get(), &event));
        let remembers = setup.reductions.has(Reduction::RememberedSteps);
        let memo = scratch.memo.as_ref().filter(|_| remembers);
        let key = memo.map(|_| (node, self.hosts[node].fingerprint(), coming.print()));
        if let Some(taken) = memo.zip(key).and_then(|(memo, key)| memo.get(&key)) {
            self.hosts[node] = taken.host.clone();
            scratch.took(met, taken.ignored);
            return Some(taken);
        }
        let host = self.hosts[node].edit();
        if let Coming::RanOut(timer) = &coming {
            host.disarm(timer);
        }
        let ignored = matches!(host.step(node, &setup.settings, coming.event(), effects), Step::Ignored(_));
        for effect in effects.as_slice() {
            match effect {
                Effect::Arm { timer, after } => {
                    host.arm(*timer);
                    if let Some(started) = &mut scratch.started {
                        started.push(Started::Armed(node, *timer, *after));
                    }
                }
                Effect::Disarm(timer) => {
                    host.disarm(timer);
                }
                _ => {}
            }
        }
        scratch.took(met, ignored);
        // A role's invariants are those of the strict rules.
        if cfg!(debug_assertions)
            && setup.settings.policy == Policy::STRICT
            && let Err(rule) = host.check()
        {
            self.broken = Some(Broken::Invariant(rule));
        }
        if let Some((memo, key)) = scratch.memo.as_mut().zip(key) {
            memo.insert(key, &self.hosts[node], effects.as_slice(), ignored);
        }
        None
    }
}
