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
                self.break_by(Broken::Invariant("nodes answer each other for ever"));
            }
            if self.broken().is_some() {
                scratch.queue.clear();
                break;
            }
            let host = self.hosts[node].get();
            if host.runs() {
                self.step(setup, node, event, scratch);
            } else if host.paused {
                self.hosts[node].missed.push(event);
            }
        }
    }

    fn step(&mut self, setup: &Setup, node: usize, mut event: Event, scratch: &mut Scratch) {
        self.seen_now(setup, node, &mut event);
        let (mut unverified, mut stranger) = (None, None);
        if let Event::Received { conn, msg } = &event {
            match (&self.hosts[node].get().role, msg) {
                (HostRole::Room(room), Message::ToRoom(msg)) if !room.is_live(*conn) => {
                    unverified = Some((*conn, msg.clone()));
                }
                (HostRole::Login(_), Message::Request(request)) => {
                    let evidence = self.evidence(setup, node, request);
                    self.tell_ledger(setup, Told::Requested(*conn, request.clone(), evidence), scratch);
                }
                (HostRole::Center(center), _) => {
                    stranger = properties::LinkStep::stranger(center, *conn, msg);
                }
                _ => {}
            }
        }
        let mut buffer = std::mem::take(&mut scratch.effects);
        self.take(setup, node, event, &mut buffer, scratch);
        let effects = buffer.as_slice();
        if let Some(link) = stranger {
            let judgement = properties::LinkStep { unverified: link, effects }.judge();
            self.judge(setup, scratch, judgement, false);
        }
        if let Some((conn, msg)) = &unverified {
            let judgement = properties::Step { unverified: *conn, msg, effects }.judge();
            self.judge(setup, scratch, judgement, false);
        }
        let overbooked = match &self.hosts[node].get().role {
            HostRole::Center(center) => properties::promises_too_much(center, effects),
            _ => false,
        };
        for effect in effects {
            self.perform(setup, node, effect, scratch);
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

    /// Steps the role of a node, and sets its timers. What follows is in `effects`.
    pub(super) fn take(
        &mut self,
        setup: &Setup,
        node: usize,
        event: Event,
        effects: &mut Effects,
        scratch: &mut Scratch,
    ) {
        scratch.steps += 1;
        // What roles have met, and in which phase, is asked of events.
        let met = scratch.coverage.is_some().then(|| Met::of(self.hosts[node].get(), &event));
        let host = self.hosts[node].edit();
        if let Event::Fired(timer) = &event {
            host.disarm(timer);
        }
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
            self.break_by(Broken::Invariant(rule));
        }
    }
}
