//! What may happen next in a world, whatever form it has: a world that steps, or one that waits as a list of numbers.

use gatepass_core::{
    ids::{ConnId, Payload, ServerId},
    message::Age,
    role::Timer,
};

use super::{age::Signed, happen::is_kick, *};

/// What may be done with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prospect {
    pub(super) pick: Pick,
    /// Another one waits behind it on its lane.
    has_next: bool,
    is_question: bool,
    can_fail: bool,
}

/// Whether a node takes steps, and may do so by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    up: bool,
    paused: bool,
    /// It has timers that may run out some time.
    timers: bool,
}

impl Standing {
    /// As every node stands most of the time.
    pub(super) const IDLE: Self = Self { up: true, paused: false, timers: false };

    pub(super) fn of(setup: &Setup, host: &Host) -> Self {
        let ever = |timer: &Timer| setup.fires[TimerKind::of(timer) as usize] > 0;
        let timers = setup.scenario.patient || setup.faults().clock_jump > 0;
        Self {
            up: host.up,
            paused: host.paused,
            timers: !host.timers.is_empty() && (timers || host.timers.iter().any(ever)),
        }
    }

    const fn runs(self) -> bool {
        self.up && !self.paused
    }
}

impl Net {
    /// What may be done with each packet, in order.
    pub(super) fn prospects(&self) -> impl Iterator<Item = Prospect> {
        let mut last = None;
        (0..self.packets.len()).map(move |at| {
            let (packet, pick) = (self.packets[at].get(), self.pick(at, last));
            last = Some(pick);
            Prospect {
                pick,
                has_next: self.has_next(at),
                is_question: packet.is_question(),
                can_fail: can_fail(packet),
            }
        })
    }

    /// Whether a kick is on this link that is lost with it, and not with the node that crashes at its end. The choice
    /// [says so](subject).
    pub(super) fn loses_kick(&self, link: ConnId, crashed: Option<usize>) -> bool {
        let is_it = |packet: &Shared<Packet>| {
            let packet = packet.get();
            packet.lane == lane(link) && is_kick(&packet.body) && Some(usize::from(packet.to)) != crashed
        };
        self.packets.iter().any(is_it)
    }
}

/// Whether a message that will be lost may as well stay under way until another one on its lane would come: then nobody
/// looks whether anything is under way, and nothing overtakes it.
fn losses_can_wait(setup: &Setup, faults: &Faults) -> bool {
    setup.reductions.has(Reduction::LostWhenMissed)
        && !setup.scenario.patient
        && !setup.scenario.at_rest
        && faults.reorder == 0
}

/// Whether a packet is a question that somebody waits for, or the answer to one.
fn can_fail(packet: &Packet) -> bool {
    match &packet.body {
        Body::Asked(question) => question.call.wants_answer(),
        Body::Answered(..) => true,
        _ => false,
    }
}

/// A world that may be looked at.
pub(super) trait Look {
    fn nodes(&self) -> usize;
    fn host(&self, node: usize) -> &Host;
    fn standing(&self, setup: &Setup, node: usize) -> Standing;
    /// Surely every node runs, and no timer of any may run out. `false` says nothing.
    fn is_idle(&self) -> bool;
    fn net(&self) -> &Net;
    fn prospects(&self) -> impl Iterator<Item = Prospect>;
    fn conns(&self) -> &Conns;
    fn links(&self) -> &Links;
    fn faults(&self) -> &Faults;
    fn fires(&self) -> &Fires;
    fn waiting(&self) -> &Nodes;
    fn lost_leases(&self) -> &[(ServerId, u32)];
    fn attacker(&self) -> &Attacker;
    fn signed(&self) -> &[Signed];
    fn is_broken(&self) -> bool;

    /// Everything that may happen next, in a fixed order.
    fn choices(&self, setup: &Setup, choices: &mut Vec<Choice>) {
        if self.is_broken() {
            return;
        }
        for node in self.waiting().iter() {
            // Players who want the same and have not begun are interchangeable: the first of them begins.
            let same_earlier = setup.alike_before(node).is_some_and(|other| self.waiting().has(other))
                && setup.reductions.has(Reduction::AlikeInOrder);
            if !same_earlier {
                choices.push(Choice::Begin(node as u16));
            }
        }
        let (faults, idle) = (self.faults(), self.is_idle());
        let when_missed = losses_can_wait(setup, faults);
        for Prospect { pick, has_next, is_question, can_fail } in self.prospects() {
            // What comes to a stopped process waits in its socket.
            if !idle && self.standing(setup, usize::from(pick.to)).paused {
                continue;
            }
            if faults.fail_service > 0 && pick.nth == 0 && can_fail {
                choices.push(Choice::Fail(pick));
            }
            if pick.nth == 0 {
                choices.push(Choice::Deliver(pick));
                if faults.duplicate > 0 && !is_question {
                    choices.push(Choice::Duplicate(pick));
                }
            } else if faults.reorder > 0 {
                choices.push(Choice::Deliver(pick));
            }
            if faults.drop > 0 && (!when_missed || pick.nth == 0 && has_next) {
                choices.push(Choice::Drop(pick));
            }
        }
        if !idle {
            for node in 0..self.nodes() {
                let standing = self.standing(setup, node);
                if standing.runs() && standing.timers {
                    self.timer_choices(setup, node, faults, choices);
                }
            }
        }
        if !idle || *faults != Faults::default() {
            self.fault_choices(setup, faults, choices);
        }
        if setup.scenario.attacker.is_some() {
            self.attacks(setup, choices);
        }
        if self.standing(setup, setup.cache()).up {
            choices.extend((faults.lose_cache > 0).then_some(Choice::LoseCache));
            choices.extend((faults.renew_cache > 0).then_some(Choice::RenewCache));
        }
        self.link_choices(setup, faults, choices);
        if faults.age > 0 {
            self.age_choices(setup, choices);
        }
    }

    fn timer_choices(&self, setup: &Setup, node: usize, faults: &Faults, choices: &mut Vec<Choice>) {
        let (host, fires) = (self.host(node), self.fires());
        let mut last = (None, 0);
        for timer in &host.timers {
            let kind = TimerKind::of(timer);
            last = if last.0 == Some(kind) { (last.0, last.1 + 1) } else { (Some(kind), 0) };
            let (node, nth) = (node as u16, last.1);
            let runs_out = fires[kind as usize] > 0 || self.runs_out_in_time(setup, host, kind);
            let jumps = faults.clock_jump > 0 && kind != TimerKind::LeaseEnd;
            if !runs_out && !jumps {
                continue;
            }
            match self.may_fire(setup, host, timer, nth) {
                true if runs_out => choices.push(Choice::Fire { node, kind, nth }),
                false if jumps => choices.push(Choice::Jump { node, kind, nth }),
                _ => {}
            }
        }
    }

    fn fault_choices(&self, setup: &Setup, faults: &Faults, choices: &mut Vec<Choice>) {
        let mut crash = |node: usize, budget: u8| {
            if !self.standing(setup, node).up {
                choices.push(Choice::Restart(node as u16));
            } else if budget > 0 {
                choices.push(Choice::Crash(node as u16));
            }
        };
        setup.logins().for_each(|login| crash(login, faults.crash_login));
        crash(setup.center(), faults.crash_center);
        crash(setup.cache(), faults.crash_cache);
        crash(setup.accounts(), faults.crash_accounts);
        for room in setup.rooms() {
            crash(room, faults.crash_room);
        }
        for room in setup.rooms() {
            let standing = self.standing(setup, room);
            if standing.paused {
                choices.push(Choice::Wake(room as u16));
            } else if standing.up && faults.pause_room > 0 {
                choices.push(Choice::Pause(room as u16));
            }
            if standing.runs() && faults.drain_room > 0 {
                choices.push(Choice::Drain(room as u16));
            }
        }
        if faults.hang_up > 0 {
            for node in 0..setup.players() {
                if self.conn_of(node).is_some() {
                    choices.push(Choice::HangUp(node as u16));
                }
            }
        }
    }

    fn attacks(&self, setup: &Setup, choices: &mut Vec<Choice>) {
        let attacker = self.attacker();
        if attacker.moves > 0 {
            let connected = self.attackers_conn(setup).is_some();
            choices.extend(attacker.attacks(setup, connected).into_iter().map(Choice::Attack));
        }
    }

    fn link_choices(&self, setup: &Setup, faults: &Faults, choices: &mut Vec<Choice>) {
        let links = self.links();
        for room in setup.rooms() {
            if links.of_node(room).is_some() {
                if faults.cut_link > 0 {
                    choices.push(Choice::Cut(room as u16));
                }
            } else if self.standing(setup, room).runs() && self.standing(setup, setup.center()).up {
                choices.push(Choice::Link(room as u16));
            }
        }
    }

    /// The payloads that can still grow older.
    fn age_choices(&self, setup: &Setup, choices: &mut Vec<Choice>) {
        for (nth, signed) in self.signed().iter().enumerate() {
            for clock in 0..setup.logins().count() {
                if signed.ages[clock] != Age::Stale {
                    let nth = u8::try_from(nth).unwrap_or(u8::MAX);
                    choices.push(Choice::Age { nth, clock: clock as u16 });
                }
            }
        }
    }

    /// Time in a world has no length: any armed timer may run out, but for the order that clocks within their
    /// drift bound keep. `nth`: its place among the armed timers of its kind.
    fn may_fire(&self, setup: &Setup, host: &Host, timer: &Timer, nth: u16) -> bool {
        let ordered = setup.settings.policy.lease_ends_first_at_server;
        match timer {
            // Leases are counted from when they were asked for: the older one ends first.
            Timer::LeaseEnd(_) => nth == 0,
            Timer::ServerLease(server) if ordered => {
                let HostRole::Cache(cache) = &host.role else { return true };
                cache.lease(*server).is_none_or(|number| self.has_ended(setup, *server, number))
            }
            Timer::Grace if ordered => {
                self.lost_leases().iter().all(|(server, number)| self.has_ended(setup, *server, *number))
            }
            // What was used is forgotten only when nobody can use it again.
            Timer::PayloadEnd(payload) if setup.settings.policy.signature_memory_outlasts_window => {
                self.is_over(setup, *payload)
            }
            Timer::PayloadGrace if setup.settings.policy.signature_memory_outlasts_window => {
                self.lost_payloads_are_over(setup)
            }
            _ => true,
        }
    }

    /// Whether a timer of this kind runs out whatever its budget: it bounds a wait, and nothing else is under way.
    fn runs_out_in_time(&self, setup: &Setup, host: &Host, kind: TimerKind) -> bool {
        let quiet = setup.scenario.patient && self.net().packets.is_empty() && ends_a_wait(kind);
        quiet
            && match (&host.role, kind) {
                // Who has a lease waits for nothing.
                (HostRole::Room(room), TimerKind::Renew) => !room.has_lease(),
                _ => true,
            }
    }

    /// Whether the server has ended every lease up to this renewal itself, or is dead, or is stopped: time goes on
    /// without it.
    fn has_ended(&self, setup: &Setup, server: ServerId, number: u32) -> bool {
        setup.rooms().all(|node| {
            let host = self.host(node);
            let HostRole::Room(room) = &host.role else { return true };
            let lasts = |timer: &Timer| matches!(timer, Timer::LeaseEnd(other) if *other <= number);
            !host.runs() || room.id() != server || !host.timers.iter().any(lasts)
        })
    }

    /// The connection that a player is at, if it is open.
    fn conn_of(&self, player: usize) -> Option<ConnId> {
        match &self.host(player).role {
            HostRole::Player(player) => player.conn(),
            _ => None,
        }
    }

    /// The newest connection of the attacker to a RoomServer.
    fn attackers_conn(&self, setup: &Setup) -> Option<ConnId> {
        self.conns().iter().map(|(conn, _)| conn).rfind(|conn| setup.is_attackers(*conn))
    }

    fn find_signed(&self, payload: Payload) -> Result<usize, usize> {
        self.signed().binary_search_by_key(&payload, |signed| signed.payload)
    }

    /// How old a payload is on the clock of this LoginServer.
    fn age(&self, setup: &Setup, node: usize, payload: Payload) -> Option<Age> {
        let signed = self.signed().get(self.find_signed(payload).ok()?)?;
        signed.ages.get(setup.login_number(node)?).copied()
    }

    /// Whether nobody could use again what a cache had remembered when it lost its memory.
    fn lost_payloads_are_over(&self, setup: &Setup) -> bool {
        self.signed().iter().all(|signed| !signed.forgotten || self.is_over(setup, signed.payload))
    }

    /// Whether nobody could use the payload any more: its window is over on every clock, and no request that came
    /// before is still worked on. Where skew is not counted, one clock is as good as all.
    fn is_over(&self, setup: &Setup, payload: Payload) -> bool {
        let is_over = |node: usize| {
            let working = match &self.host(node).role {
                HostRole::Login(login) => login.works_on(payload),
                _ => false,
            };
            self.age(setup, node, payload) == Some(Age::Stale) && !working
        };
        if setup.settings.policy.signature_memory_counts_skew {
            setup.logins().all(is_over)
        } else {
            setup.logins().any(is_over)
        }
    }
}

/// What a choice that is about no packet says of the network, which it does not look at otherwise: what is on a link that
/// it cuts; which links are spoken of.
pub(super) fn subject(setup: &Setup, choice: Choice, links: &Links, net: &Net) -> u64 {
    let loses_kick = |room: usize, crashed: Option<usize>| {
        links.of_node(room).is_some_and(|link| net.loses_kick(link, crashed))
    };
    match choice {
        Choice::Crash(node) if usize::from(node) == setup.center() => {
            let center = Some(setup.center());
            setup.rooms().fold(1, |all, room| all << 1 | u64::from(loses_kick(room, center)))
        }
        Choice::Crash(node) => u64::from(loses_kick(node.into(), Some(node.into()))),
        Choice::Cut(room) => u64::from(loses_kick(room.into(), None)),
        Choice::Link(_) => {
            let lanes = net.packets.iter().map(|packet| packet.get().lane);
            lanes.filter(|lane| u64::from(*lane) >= FIRST_LINK).fold(0, |all, lane| fingerprint(&(all, lane)))
        }
        _ => 0,
    }
}

impl Look for World {
    fn nodes(&self) -> usize {
        self.hosts.len()
    }

    fn host(&self, node: usize) -> &Host {
        self.hosts[node].get()
    }

    fn standing(&self, setup: &Setup, node: usize) -> Standing {
        Standing::of(setup, self.host(node))
    }

    fn is_idle(&self) -> bool {
        false
    }

    fn net(&self) -> &Net {
        self.net.get()
    }

    fn prospects(&self) -> impl Iterator<Item = Prospect> {
        self.net.get().prospects()
    }

    fn conns(&self) -> &Conns {
        self.conns.get()
    }

    fn links(&self) -> &Links {
        self.links.get()
    }

    fn faults(&self) -> &Faults {
        self.faults.get()
    }

    fn fires(&self) -> &Fires {
        self.fires.get()
    }

    fn waiting(&self) -> &Nodes {
        self.waiting.get()
    }

    fn lost_leases(&self) -> &[(ServerId, u32)] {
        self.lost_leases.get()
    }

    fn attacker(&self) -> &Attacker {
        self.attacker.get()
    }

    fn signed(&self) -> &[Signed] {
        self.signed.get()
    }

    fn is_broken(&self) -> bool {
        self.broken().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{prng::Prng, scenario::Scenario};

    /// Choices of other worlds are mostly impossible in this one.
    #[test]
    fn what_is_not_possible_changes_nothing() {
        let mut refused = 0;
        for name in ["duplicates", "stopped-owner", "retry", "cache-restart", "attacker"] {
            let scenario = Scenario::named(name).expect("it is shipped");
            let setup = Setup::new(scenario).expect("it can be played");
            for seed in 0..40 {
                let (mut prng, mut scratch) = (Prng::new(seed), Scratch::default());
                let (mut world, mut earlier) = (World::new(&setup), Vec::new());
                for _ in 0..40 {
                    let begin = earlier.len();
                    world.choices(&setup, &mut earlier);
                    for &choice in &earlier[..begin] {
                        let mut tried = world.clone();
                        if !tried.apply(&setup, choice, &mut scratch) {
                            assert!(tried == world, "{name}, seed {seed}: {choice}");
                            refused += 1;
                        }
                    }
                    let Some(new) = (earlier.len() - begin).checked_sub(1) else { break };
                    let choice = earlier[begin + prng.below(new as u32 + 1) as usize];
                    assert!(world.apply(&setup, choice, &mut scratch), "{name}, seed {seed}: {choice}");
                }
            }
        }
        assert!(refused > 10_000, "{refused}");
    }
}
