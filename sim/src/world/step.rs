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
        while let Some((node, event)) = scratch.queue.pop_front() {
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
                self.step(setup, node, event, scratch);
            } else if host.paused {
                self.hosts[node].edit().missed.push(event);
            }
        }
    }

    pub(super) fn step(&mut self, setup: &Setup, node: usize, mut event: Event, scratch: &mut Scratch) {
        self.seen_now(setup, node, &mut event);
        let mut effects = std::mem::take(&mut scratch.effects);
        let unverified = match (&self.hosts[node].get().role, &event) {
            (HostRole::Room(room), Event::Received { conn, msg: Message::ToRoom(msg) })
                if !room.is_live(*conn) =>
            {
                Some((*conn, msg.clone()))
            }
            (HostRole::Login(_), Event::Received { conn, msg: Message::Request(request) }) => {
                let evidence = self.evidence(setup, node, request);
                let _ = self.edit_ledger(scratch, &("requested", conn, request, evidence), |ledger| {
                    ledger.requested(*conn, request, evidence);
                    Judgement::default()
                });
                None
            }
            _ => None,
        };
        let stranger = match &self.hosts[node].get().role {
            HostRole::Center(center) => properties::LinkStep::stranger(center, &event),
            _ => None,
        };
        self.take(setup, node, event, &mut effects, scratch);
        if let Some(link) = stranger {
            let judgement = properties::LinkStep { unverified: link, effects: effects.as_slice() }.judge();
            self.judge(setup, scratch, judgement, false);
        }
        if let Some((conn, msg)) = unverified {
            let judgement =
                properties::Step { unverified: conn, msg: &msg, effects: effects.as_slice() }.judge();
            self.judge(setup, scratch, judgement, false);
        }
        let overbooked = match &self.hosts[node].get().role {
            HostRole::Center(center) => properties::promises_too_much(center, effects.as_slice()),
            _ => false,
        };
        for effect in effects.drain() {
            self.perform(setup, node, effect, scratch);
        }
        scratch.effects = effects;
        match &self.hosts[node].get().role {
            HostRole::Center(_) if overbooked => self.breaks(setup, scratch, Property::Capacity),
            HostRole::Room(room) if room.sizes().0 > setup.settings.capacity.connections as usize => {
                self.breaks(setup, scratch, Property::Bounded);
            }
            _ => {}
        }
    }

    /// Steps the role of a node, and sets its timers.
    pub(super) fn take(
        &mut self,
        setup: &Setup,
        node: usize,
        event: Event,
        effects: &mut Effects,
        scratch: &mut Scratch,
    ) {
        scratch.steps += 1;
        let met = scratch.coverage.is_some().then(|| Met::of(self.hosts[node].get(), &event));
        let remembers = setup.reductions.has(Reduction::RememberedSteps);
        let memo = scratch.memo.as_ref().filter(|_| remembers);
        let key = memo.map(|_| Memo::key(node, &self.hosts[node], &event));
        if let Some((memo, key)) = scratch.memo.as_ref().zip(key)
            && let Some(taken) = memo.get(&key)
        {
            self.hosts[node] = taken.host.clone();
            for effect in &taken.effects {
                effects.push(effect.clone());
            }
            let ignored = taken.ignored;
            scratch.took(met, ignored);
            return;
        }
        let host = self.hosts[node].edit();
        let ignored = matches!(host.step(node, &setup.settings, event, effects), Step::Ignored(_));
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
            let _ = self.hosts[node].fingerprint();
            let follows = |effect: &&Effect| !matches!(effect, Effect::Arm { .. } | Effect::Disarm(_));
            let effects = effects.as_slice().iter().filter(follows).cloned().collect();
            memo.insert(key, Taken { host: self.hosts[node].clone(), effects, ignored });
        }
    }
}
