//! The world: nodes, network, budgets and ledger, with what may happen next and what comes of it. The one
//! place in the simulator where effects get a meaning.

use std::collections::VecDeque;

use arrayvec::ArrayVec;
use gatepass_core::{
    cache::Cache,
    ids::{AccountId, ConnId, Generation, ServerId},
    ledger::{Ended, Fact, Ledger},
    login::LoginServer,
    message::{Answer, Asker, CenterAnswer, Message, Question, ToCenter, ToPlayer, ToServer},
    policy::Policy,
    properties::{Goal, Property},
    rcenter::RCenter,
    refusal::Refusal,
    role::{Command, Effect, Effects, Event, Step, Timer},
};

use crate::{
    choice::Choice,
    host::{Host, HostRole, TimerKind},
    memo::{Memo, Taken},
    net::{Body, Net, Packet, Pick},
    scenario::Faults,
    setup::{FIRST_LINK, Setup, server_id},
    shared::Shared,
    trace::Happening,
    words,
};

/// A state of the world.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    hosts: Vec<Shared<Host>>,
    net: Shared<Net>,
    ledger: Shared<Ledger>,
    faults: Faults,
    fires: [u8; TimerKind::ALL.len()],
    /// Players who have not begun.
    waiting: u64,
    past: Past,
    /// Renewals that the cache had granted when it lost its memory: its grace outlasts them.
    lost_leases: ArrayVec<(ServerId, u32), { crate::scenario::SERVERS_MAX }>,
    broken: Option<Broken>,
}

/// What goals ask of the past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Past {
    kick_lost: bool,
    room_crashed: bool,
    cache_lost: bool,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Broken {
    /// A property.
    Property(Property),
    /// A role's own invariant: a defect of ours, whatever the policy.
    Invariant(&'static str),
}

impl Broken {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Property(property) => property.name(),
            Self::Invariant(rule) => rule,
        }
    }

    /// What it says.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::Property(property) => property.says(),
            Self::Invariant(_) => "a role's own invariant does not hold",
        }
    }
}

/// Buffers that one thread reuses from step to step, and what it wants to be told.
#[derive(Debug, Default)]
pub struct Scratch {
    effects: Effects,
    /// Events that follow at once.
    queue: VecDeque<(usize, Event)>,
    /// Steps that were taken before, for a checker: it meets the same ones again and again.
    memo: Option<Memo>,
    /// Goals met since somebody last looked, a bit each.
    pub goals: u32,
    /// What happened, if somebody wants to know.
    pub log: Option<Vec<Happening>>,
    /// Events that meant nothing to their role.
    pub ignored: u64,
    /// Events given to roles.
    pub steps: u64,
}

impl Scratch {
    /// For a checker.
    #[must_use]
    pub fn remembering() -> Self {
        Self { memo: Some(Memo::default()), ..Self::default() }
    }
}

/// Events that one choice may cause on links that take no time. Far above what any protocol step needs: more
/// means that nodes answer each other for ever.
const CASCADE_MAX: usize = 2_000;

impl World {
    /// The world at the beginning: servers have registered and hold their leases, no player has begun.
    #[must_use]
    pub fn new(setup: &Setup) -> Self {
        let mut world = Self {
            hosts: setup.hosts().into_iter().map(Shared::new).collect(),
            net: Shared::new(Net::default()),
            ledger: Shared::new(Ledger::default()),
            faults: setup.faults(),
            fires: setup.fires,
            waiting: (1_u64.checked_shl(setup.players() as u32).unwrap_or(0)).wrapping_sub(1),
            past: Past::default(),
            lost_leases: ArrayVec::new(),
            broken: None,
        };
        let mut scratch = Scratch::default();
        for node in setup.players()..setup.nodes() {
            scratch.queue.push_back((node, Event::Command(Command::Start)));
        }
        for room in setup.first_room()..setup.nodes() {
            world.link(setup, room, &mut scratch);
        }
        world.run(setup, &mut scratch);
        while let Some(first) = world.net.get().packets.first().map(|_| world.net.get().pick(0)) {
            world.deliver(first, &mut scratch);
            world.run(setup, &mut scratch);
        }
        world
    }

    /// What went wrong, if something did. Nothing happens after it.
    #[must_use]
    pub const fn broken(&self) -> Option<Broken> {
        self.broken
    }

    /// The nodes.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().map(Shared::get)
    }

    /// What is under way.
    #[must_use]
    pub fn net(&self) -> &Net {
        self.net.get()
    }

    /// What has happened.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        self.ledger.get()
    }

    /// Everything that may happen next, in a fixed order.
    pub fn choices(&self, setup: &Setup, choices: &mut Vec<Choice>) {
        if self.broken.is_some() {
            return;
        }
        for node in 0..setup.players() {
            // Players who want the same and have not begun are interchangeable: the first of them begins.
            let same_earlier =
                (0..node).any(|other| self.waiting & (1 << other) != 0 && setup.are_alike(other, node));
            if self.waiting & (1 << node) != 0 && !same_earlier {
                choices.push(Choice::Begin(node as u8));
            }
        }
        let net = self.net.get();
        for at in 0..net.packets.len() {
            let pick = net.pick(at);
            if pick.nth == 0 {
                choices.push(Choice::Deliver(pick));
                if self.faults.duplicate > 0 && !net.packets[at].get().is_question() {
                    choices.push(Choice::Duplicate(pick));
                }
            } else if self.faults.reorder > 0 {
                choices.push(Choice::Deliver(pick));
            }
            if self.faults.drop > 0 {
                choices.push(Choice::Drop(pick));
            }
        }
        for (node, host) in self.hosts.iter().enumerate() {
            let host = host.get();
            let mut last = (None, 0);
            for timer in &host.timers {
                let kind = TimerKind::of(timer);
                last = if last.0 == Some(kind) { (last.0, last.1 + 1) } else { (Some(kind), 0) };
                if self.fires[kind as usize] > 0 && self.may_fire(setup, host, timer, last.1) {
                    choices.push(Choice::Fire { node: node as u8, kind, nth: last.1 });
                }
            }
        }
        self.fault_choices(setup, choices);
    }

    fn fault_choices(&self, setup: &Setup, choices: &mut Vec<Choice>) {
        let mut crash = |node: usize, budget: u8| {
            let up = self.hosts[node].get().up;
            if !up {
                choices.push(Choice::Restart(node as u8));
            } else if budget > 0 {
                choices.push(Choice::Crash(node as u8));
            }
        };
        crash(setup.login(), self.faults.crash_login);
        crash(setup.center(), self.faults.crash_center);
        for room in setup.first_room()..setup.nodes() {
            crash(room, self.faults.crash_room);
        }
        if self.faults.lose_cache > 0 {
            choices.push(Choice::LoseCache);
        }
        for room in setup.first_room()..setup.nodes() {
            let host = self.hosts[room].get();
            if host.link.is_some() {
                if self.faults.cut_link > 0 {
                    choices.push(Choice::Cut(room as u8));
                }
            } else if host.up && self.hosts[setup.center()].get().up {
                choices.push(Choice::Link(room as u8));
            }
        }
    }

    /// Time in a world has no length: any armed timer may run out, but for the order that clocks within their
    /// drift bound keep. `nth`: its place among the armed timers of its kind.
    fn may_fire(&self, setup: &Setup, host: &Host, timer: &Timer, nth: u8) -> bool {
        let ordered = setup.settings.policy.lease_ends_first_at_server;
        match timer {
            // Leases are counted from when they were asked for: the older one ends first.
            Timer::LeaseEnd(_) => nth == 0,
            Timer::ServerLease(server) if ordered => {
                let HostRole::Cache(cache) = &host.role else { return true };
                cache.lease(*server).is_none_or(|number| self.has_ended(setup, *server, number))
            }
            Timer::Grace if ordered => {
                self.lost_leases.iter().all(|(server, number)| self.has_ended(setup, *server, *number))
            }
            _ => true,
        }
    }

    /// Whether the server has ended every lease up to this renewal itself, or is dead.
    fn has_ended(&self, setup: &Setup, server: ServerId, number: u32) -> bool {
        (setup.first_room()..setup.nodes()).all(|node| {
            let host = self.hosts[node].get();
            let HostRole::Room(room) = &host.role else { return true };
            let lasts = |timer: &Timer| matches!(timer, Timer::LeaseEnd(other) if *other <= number);
            !host.up || room.id() != server || !host.timers.iter().any(lasts)
        })
    }

    /// Lets it happen. `false`, and nothing changes, if it cannot happen here.
    pub fn apply(&mut self, setup: &Setup, choice: Choice, scratch: &mut Scratch) -> bool {
        if self.broken.is_some() || !self.begin(setup, choice, scratch) {
            return false;
        }
        self.run(setup, scratch);
        true
    }

    fn begin(&mut self, setup: &Setup, choice: Choice, scratch: &mut Scratch) -> bool {
        match choice {
            Choice::Begin(node) => {
                let bit = 1_u64.checked_shl(u32::from(node)).unwrap_or(0);
                if self.waiting & bit == 0 {
                    return false;
                }
                self.waiting &= !bit;
                scratch.queue.push_back((usize::from(node), Event::Command(Command::Start)));
                true
            }
            Choice::Deliver(pick) => {
                if pick.nth > 0 && !spend(&mut self.faults.reorder) {
                    return false;
                }
                self.deliver(pick, scratch) && {
                    self.deliver_close(setup, pick, scratch);
                    true
                }
            }
            Choice::Drop(pick) => self.faults.drop > 0 && self.drop(pick, scratch),
            Choice::Duplicate(pick) => {
                let Some(at) = self.net.get().find(pick) else { return false };
                if self.net.get().packets[at].get().is_question() || !spend(&mut self.faults.duplicate) {
                    return false;
                }
                let copy = self.net.get().packets[at].clone();
                let delivered = self.deliver(pick, scratch);
                // The copy comes after everything that was sent on its lane before.
                self.net.edit().packets.push(copy);
                delivered
            }
            Choice::Fire { node, kind, nth } => self.fire(setup, usize::from(node), kind, nth, scratch),
            Choice::Crash(node) => self.crash(setup, usize::from(node), scratch),
            Choice::Restart(node) => self.restart(setup, usize::from(node), scratch),
            Choice::LoseCache => spend(&mut self.faults.lose_cache) && self.lose_cache(setup, scratch),
            Choice::Cut(room) => {
                let room = usize::from(room);
                let linked = self.hosts.get(room).is_some_and(|host| host.get().link.is_some());
                linked && spend(&mut self.faults.cut_link) && self.unlink(setup, room, scratch)
            }
            Choice::Link(room) => {
                let room = usize::from(room);
                let possible = (setup.first_room()..setup.nodes()).contains(&room)
                    && self.hosts[room].get().link.is_none()
                    && self.hosts[room].get().up
                    && self.hosts[setup.center()].get().up;
                possible && self.link(setup, room, scratch)
            }
        }
    }

    fn deliver(&mut self, pick: Pick, scratch: &mut Scratch) -> bool {
        let Some(at) = self.net.get().find(pick) else { return false };
        let packet = self.net.edit().packets.remove(at);
        let packet = packet.get();
        let (from, to) = (usize::from(packet.from), usize::from(packet.to));
        let host = self.hosts[to].get();
        let reaches = host.up && packet.life.is_none_or(|life| life == host.life);
        let open = match &packet.body {
            Body::FromCenter(link, _) | Body::LinkClosed(link) => host.link == Some(*link),
            _ => true,
        };
        if let Some(log) = &mut scratch.log {
            let label = words::body(&packet.body);
            log.push(if reaches && open {
                Happening::Message { from, to, label }
            } else {
                Happening::Lost { from, to, label }
            });
        }
        if reaches && open {
            if matches!(packet.body, Body::LinkClosed(_)) {
                self.hosts[to].edit().link = None;
            }
            scratch.queue.push_back((to, packet.body.clone().event()));
        }
        true
    }

    /// The end of a connection comes to a player together with what was last sent on it: he cannot do anything
    /// in between that its other end would notice.
    fn deliver_close(&mut self, setup: &Setup, pick: Pick, scratch: &mut Scratch) {
        if usize::from(pick.to) >= setup.players() {
            return;
        }
        let next = Pick { nth: 0, ..pick };
        if let Some(at) = self.net.get().find(next)
            && matches!(self.net.get().packets[at].get().body, Body::Closed(_))
        {
            self.deliver(next, scratch);
        }
    }

    fn drop(&mut self, pick: Pick, scratch: &mut Scratch) -> bool {
        let Some(at) = self.net.get().find(pick) else { return false };
        self.faults.drop -= 1;
        let packet = self.net.edit().packets.remove(at);
        let packet = packet.get();
        if is_kick(&packet.body) {
            self.past.kick_lost = true;
        }
        if let Some(log) = &mut scratch.log {
            let (from, to) = (usize::from(packet.from), usize::from(packet.to));
            log.push(Happening::Lost { from, to, label: words::body(&packet.body) });
        }
        true
    }

    fn fire(&mut self, setup: &Setup, node: usize, kind: TimerKind, nth: u8, scratch: &mut Scratch) -> bool {
        let Some(host) = self.hosts.get(node) else { return false };
        let same = |timer: &&Timer| TimerKind::of(timer) == kind;
        let Some(timer) = host.get().timers.iter().filter(same).nth(usize::from(nth)).copied() else {
            return false;
        };
        if !self.may_fire(setup, host.get(), &timer, nth) || !spend(&mut self.fires[kind as usize]) {
            return false;
        }
        self.hosts[node].edit().disarm(&timer);
        if let Some(log) = &mut scratch.log {
            log.push(Happening::At { node, label: words::timer(&timer) });
        }
        scratch.queue.push_back((node, Event::Fired(timer)));
        true
    }

    fn crash(&mut self, setup: &Setup, node: usize, scratch: &mut Scratch) -> bool {
        let budget = if node == setup.login() {
            &mut self.faults.crash_login
        } else if node == setup.center() {
            &mut self.faults.crash_center
        } else if (setup.first_room()..setup.nodes()).contains(&node) {
            &mut self.faults.crash_room
        } else {
            return false;
        };
        if !self.hosts[node].get().up || !spend(budget) {
            return false;
        }
        note(scratch, node, "crashes");
        self.net.edit().packets.retain(|packet| usize::from(packet.get().to) != node);
        if node == setup.center() {
            for room in setup.first_room()..setup.nodes() {
                self.unlink(setup, room, scratch);
            }
        } else if node != setup.login() {
            self.past.room_crashed = true;
            self.unlink(setup, node, scratch);
            self.reset_players(node);
            if let HostRole::Room(room) = &self.hosts[node].get().role {
                let id = room.id();
                self.ledger.edit().server_gone(id);
            }
        }
        let host = self.hosts[node].edit();
        host.up = false;
        host.timers.clear();
        true
    }

    fn restart(&mut self, setup: &Setup, node: usize, scratch: &mut Scratch) -> bool {
        if self.hosts.get(node).is_none_or(|host| host.get().up) {
            return false;
        }
        note(scratch, node, "starts again");
        let host = self.hosts[node].edit();
        host.up = true;
        host.life += 1;
        host.role = if node == setup.login() {
            HostRole::Login(LoginServer::new())
        } else if node == setup.center() {
            HostRole::Center(RCenter::new())
        } else {
            setup.room(node - setup.first_room(), host.life)
        };
        scratch.queue.push_back((node, Event::Command(Command::Start)));
        true
    }

    fn lose_cache(&mut self, setup: &Setup, scratch: &mut Scratch) -> bool {
        let node = setup.cache();
        note(scratch, node, "loses its memory");
        self.past.cache_lost = true;
        let policy = setup.settings.policy;
        let host = self.hosts[node].edit();
        let HostRole::Cache(cache) = &host.role else { return false };
        self.lost_leases = cache.leases().take(self.lost_leases.capacity()).collect();
        let raised = u32::from(policy.generation_durable);
        let generation = Generation(cache.generation().0 + raised);
        host.role = HostRole::Cache(Cache::new(generation, policy.grace_after_loss));
        host.timers.clear();
        host.life += 1;
        scratch.queue.push_back((node, Event::Command(Command::Start)));
        true
    }

    /// The link between a RoomServer and RCenter comes up.
    fn link(&mut self, setup: &Setup, room: usize, scratch: &mut Scratch) -> bool {
        let host = self.hosts[room].edit();
        let index = room - setup.first_room();
        let link = ConnId(FIRST_LINK + index as u64 * 100 + u64::from(host.links));
        host.links += 1;
        host.link = Some(link);
        let addr = gatepass_core::ids::Addr(1000 + index as u128);
        scratch.queue.push_back((setup.center(), Event::Opened { conn: link, addr }));
        scratch.queue.push_back((room, Event::Linked));
        if let Some(log) = &mut scratch.log {
            let label = "opens a link".to_owned();
            log.push(Happening::Message { from: room, to: setup.center(), label });
        }
        true
    }

    /// The link between a RoomServer and RCenter goes down; what is on it is lost.
    fn unlink(&mut self, setup: &Setup, room: usize, scratch: &mut Scratch) -> bool {
        let Some(link) = self.hosts[room].get().link else { return false };
        self.hosts[room].edit().link = None;
        let center = setup.center();
        let on_link = |packet: &Shared<Packet>| {
            let packet = packet.get();
            packet.lane == lane(link)
                && (usize::from(packet.to) == center || usize::from(packet.from) == center)
        };
        if self.net.get().packets.iter().any(|packet| on_link(packet) && is_kick(&packet.get().body)) {
            self.past.kick_lost = true;
        }
        self.net.edit().packets.retain(|packet| !on_link(packet));
        note(scratch, room, "loses its link to rcenter");
        if self.hosts[center].get().up {
            scratch.queue.push_back((center, Event::Lost(link)));
        }
        scratch.queue.push_back((room, Event::Unlinked));
        true
    }

    /// Every player's connection to this RoomServer breaks.
    fn reset_players(&mut self, node: usize) {
        let net = self.net.edit();
        let conns: Vec<ConnId> =
            net.conns.iter().filter(|(_, room)| usize::from(*room) == node).map(|(conn, _)| *conn).collect();
        net.conns.retain(|(_, room)| usize::from(*room) != node);
        for conn in conns {
            let to = (conn.0 / crate::setup::CONNS_PER_PLAYER - 1) as u8;
            let packet =
                Packet { from: node as u8, to, lane: lane(conn), life: None, body: Body::Closed(conn) };
            net.packets.push(Shared::new(packet));
        }
    }

    /// Steps roles until nothing follows at once.
    fn run(&mut self, setup: &Setup, scratch: &mut Scratch) {
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
            if self.hosts[node].get().up {
                self.step(setup, node, event, scratch);
            }
        }
    }

    fn step(&mut self, setup: &Setup, node: usize, event: Event, scratch: &mut Scratch) {
        let mut effects = std::mem::take(&mut scratch.effects);
        let unverified = match (&self.hosts[node].get().role, &event) {
            (HostRole::Room(room), Event::Received { conn, .. }) if !room.is_live(*conn) => Some(*conn),
            _ => None,
        };
        self.take(setup, node, event, &mut effects, scratch);
        if let Some(conn) = unverified
            && speaks_out_of_turn(conn, effects.as_slice())
        {
            self.broken = Some(Broken::Property(Property::UnverifiedIsMute));
        }
        let promised = effects.as_slice().iter().find_map(|effect| match effect {
            Effect::Answer { answer: Answer::Center(CenterAnswer::Placed(place)), .. } => Some(place.room),
            _ => None,
        });
        for effect in effects.drain() {
            self.perform(setup, node, effect, scratch);
        }
        scratch.effects = effects;
        if let HostRole::Center(center) = &self.hosts[node].get().role
            && center
                .rooms()
                .any(|(room, capacity, taken)| promised == Some(room) && taken > u32::from(capacity))
        {
            self.broken.get_or_insert(Broken::Property(Property::Capacity));
        }
    }

    /// Steps the role of a node, and sets its timers.
    fn take(
        &mut self,
        setup: &Setup,
        node: usize,
        event: Event,
        effects: &mut Effects,
        scratch: &mut Scratch,
    ) {
        scratch.steps += 1;
        let key = scratch.memo.as_ref().map(|_| Memo::key(node, &self.hosts[node], &event));
        if let Some((memo, key)) = scratch.memo.as_ref().zip(key)
            && let Some(taken) = memo.get(&key)
        {
            scratch.ignored += u64::from(taken.ignored);
            self.hosts[node] = taken.host.clone();
            for effect in &taken.effects {
                effects.push(effect.clone());
            }
            return;
        }
        let host = self.hosts[node].edit();
        let ignored = matches!(host.step(node, &setup.settings, event, effects), Step::Ignored(_));
        for effect in effects.as_slice() {
            match effect {
                Effect::Arm { timer, .. } => host.arm(*timer),
                Effect::Disarm(timer) => {
                    host.disarm(timer);
                }
                _ => {}
            }
        }
        scratch.ignored += u64::from(ignored);
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

    fn perform(&mut self, setup: &Setup, node: usize, effect: Effect, scratch: &mut Scratch) {
        match effect {
            Effect::Send { conn, msg } => self.send(setup, node, conn, msg, scratch),
            Effect::ToCenter(msg) => {
                if let Some(link) = self.hosts[node].get().link {
                    let body = Body::Message(link, msg);
                    self.post(setup, node, setup.center(), lane(link), None, body, scratch);
                } else if matches!(msg, Message::ToCenter(ToCenter::Kick(_))) {
                    self.past.kick_lost = true;
                    if let Some(log) = &mut scratch.log {
                        let label = words::message(&msg);
                        log.push(Happening::Lost { from: node, to: setup.center(), label });
                    }
                }
            }
            Effect::Ask { call, ask } => {
                let to = setup.service(&ask);
                let life = u64::from(self.hosts[node].get().life);
                let from = Asker(node as u64 | life << 8);
                let question = Question { from, call, ask };
                self.post(setup, node, to, lane(call.conn), None, Body::Asked(question), scratch);
            }
            Effect::Answer { to, call, answer } => {
                let life = (to.0 >> 8) as u8;
                let to = (to.0 & 0xff) as usize;
                let body = Body::Answered(call, answer);
                self.post(setup, node, to, lane(call.conn), Some(life), body, scratch);
            }
            // The node's timers are set where its step is taken.
            Effect::Arm { .. } | Effect::Disarm(_) => {}
            Effect::Connect { conn, endpoint } => self.connect(setup, node, conn, &endpoint, scratch),
            Effect::Close(conn) => self.close(setup, node, conn, scratch),
            Effect::CloseAll => {
                self.reset_players(node);
                self.hosts[node].edit().disarm_conns();
                note(scratch, node, "closes every connection");
            }
            Effect::Note(fact) => self.note(setup, node, &fact, scratch),
            Effect::Bound { .. } | Effect::Play { .. } => {}
        }
    }

    fn send(&mut self, setup: &Setup, node: usize, conn: ConnId, msg: Message, scratch: &mut Scratch) {
        let to = match &msg {
            Message::Request(_) => Some(setup.login()),
            Message::Reply(_) | Message::ToPlayer(_) => setup.player_of(conn),
            Message::ToRoom(_) => self.net.get().room_of(conn).map(usize::from),
            Message::ToServer(_) => {
                (setup.first_room()..setup.nodes()).find(|room| self.hosts[*room].get().link == Some(conn))
            }
            Message::ToCenter(_) => None,
        };
        let Some(to) = to else { return };
        let body = match msg {
            Message::ToServer(_) => Body::FromCenter(conn, msg),
            _ => Body::Message(conn, msg),
        };
        self.post(setup, node, to, lane(conn), None, body, scratch);
    }

    /// Sends a packet; on a link that takes no time it has already arrived.
    #[expect(clippy::too_many_arguments, reason = "the fields of a packet")]
    fn post(
        &mut self,
        setup: &Setup,
        from: usize,
        to: usize,
        lane: u32,
        life: Option<u8>,
        body: Body,
        scratch: &mut Scratch,
    ) {
        // What comes on a connection that a player has given up can never matter again.
        if let HostRole::Player(player) = &self.hosts[to].get().role
            && let Body::Message(conn, _) | Body::Closed(conn) = &body
            && !player.listens(*conn)
        {
            return;
        }
        if setup.is_slow(from, to, &body) {
            let packet = Packet { from: from as u8, to: to as u8, lane, life, body };
            self.net.edit().packets.push(Shared::new(packet));
            return;
        }
        let host = self.hosts[to].get();
        let reaches = host.up && life.is_none_or(|life| life == host.life);
        if let Some(log) = &mut scratch.log {
            let label = words::body(&body);
            log.push(if reaches {
                Happening::Message { from, to, label }
            } else {
                Happening::Lost { from, to, label }
            });
        }
        if reaches {
            if matches!(body, Body::LinkClosed(_)) {
                self.hosts[to].edit().link = None;
            }
            scratch.queue.push_back((to, body.event()));
        }
    }

    fn connect(
        &mut self,
        setup: &Setup,
        node: usize,
        conn: ConnId,
        endpoint: &gatepass_core::text::Endpoint,
        scratch: &mut Scratch,
    ) {
        let room = setup.room_at(endpoint).filter(|room| self.hosts[*room].get().up);
        let Some(room) = room else {
            scratch.queue.push_back((node, Event::Lost(conn)));
            return;
        };
        self.net.edit().conns.push((conn, room as u8));
        if let Some(log) = &mut scratch.log {
            log.push(Happening::Message { from: node, to: room, label: "connects".to_owned() });
        }
        let addr = gatepass_core::ids::Addr(node as u128 + 1);
        scratch.queue.push_back((room, Event::Opened { conn, addr }));
        scratch.queue.push_back((node, Event::Opened { conn, addr }));
    }

    fn close(&mut self, setup: &Setup, node: usize, conn: ConnId, scratch: &mut Scratch) {
        if node == setup.center() {
            let room =
                (setup.first_room()..setup.nodes()).find(|room| self.hosts[*room].get().link == Some(conn));
            if let Some(room) = room {
                self.post(setup, node, room, lane(conn), None, Body::LinkClosed(conn), scratch);
            }
            return;
        }
        let Some(room) = self.net.get().room_of(conn).map(usize::from) else { return };
        let to = if node == room { setup.player_of(conn) } else { Some(room) };
        self.net.edit().close(conn);
        if let Some(to) = to {
            self.post(setup, node, to, lane(conn), None, Body::Closed(conn), scratch);
        }
    }

    fn note(&mut self, setup: &Setup, node: usize, fact: &Fact, scratch: &mut Scratch) {
        if let Some(log) = &mut scratch.log
            && let Some(label) = words::fact(fact)
        {
            log.push(Happening::At { node, label });
        }
        let player = match fact {
            Fact::Admitted { conn, .. } => setup.player_of(*conn).map(|player| setup.knows(player)),
            _ => None,
        };
        self.goals(setup, fact, scratch);
        if matters(fact) {
            let capacity = setup.settings.capacity.room;
            if let Err(property) = self.ledger.edit().record(fact, player, capacity) {
                self.broken.get_or_insert(Broken::Property(property));
            }
        }
    }

    fn goals(&self, setup: &Setup, fact: &Fact, scratch: &mut Scratch) {
        let mut meet = |goal: Goal| {
            scratch.goals |= 1 << goal as u32;
            setup.meet(goal);
        };
        match fact {
            Fact::Admitted { account, handed_over, resumes: None, .. } => {
                meet(Goal::LoginSucceeds);
                if *handed_over && !self.past.room_crashed {
                    meet(Goal::RemoteTakeover);
                }
                if *handed_over && self.past.kick_lost {
                    meet(Goal::TakeoverAfterLostKick);
                }
                if *handed_over && self.past.room_crashed && self.ledger.get().newest.contains_key(account) {
                    meet(Goal::TakeoverAfterCrash);
                }
            }
            Fact::Left { why: Ended::Replaced { .. }, .. } if self.past == Past::default() => {
                meet(Goal::LocalTakeover);
            }
            Fact::TokenExpired { unused: true, .. } => meet(Goal::TokenExpiresUnused),
            Fact::TokenRefused { why: Refusal::TokenUsed } => meet(Goal::ReplayRefused),
            Fact::GraceEnded if self.past.cache_lost && !self.ledger.get().live.is_empty() => {
                meet(Goal::CacheLossSurvived);
            }
            Fact::EntryRefused { why: Refusal::RoomFull } => meet(Goal::FullRoomRefuses),
            _ => {}
        }
    }

    /// The id of a RoomServer's present life.
    #[must_use]
    pub fn server(&self, setup: &Setup, room: usize) -> Option<ServerId> {
        let host = self.hosts.get(setup.first_room() + room)?.get();
        Some(server_id(room, host.life))
    }

    /// Who is live where, for people.
    pub fn live(&self) -> impl Iterator<Item = (ConnId, AccountId)> + '_ {
        self.ledger.get().live.iter().map(|(conn, live)| (*conn, live.account))
    }
}

fn lane(conn: ConnId) -> u32 {
    u32::try_from(conn.0).unwrap_or(u32::MAX)
}

const fn spend(budget: &mut u8) -> bool {
    if *budget == 0 {
        return false;
    }
    *budget -= 1;
    true
}

fn note(scratch: &mut Scratch, node: usize, label: &str) {
    if let Some(log) = &mut scratch.log {
        log.push(Happening::At { node, label: label.to_owned() });
    }
}

const fn is_kick(body: &Body) -> bool {
    matches!(
        body,
        Body::Message(_, Message::ToCenter(ToCenter::Kick(_)))
            | Body::FromCenter(_, Message::ToServer(ToServer::Kick(_)))
    )
}

/// Whether the ledger must hear of it.
const fn matters(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::CredentialChecked { .. }
            | Fact::SessionOpened { .. }
            | Fact::SessionEnded { .. }
            | Fact::TokenIssued { .. }
            | Fact::TokenExpired { .. }
            | Fact::TokenRedeemed { .. }
            | Fact::Admitted { .. }
            | Fact::Left { .. }
            | Fact::Fenced { .. }
    )
}

/// Whether an event of an unverified connection had effects beyond the check of its token, its own refusal
/// and close. If the event made it live, it was not unverified in the end.
fn speaks_out_of_turn(conn: ConnId, effects: &[Effect]) -> bool {
    let admitted =
        |effect: &Effect| matches!(effect, Effect::Note(Fact::Admitted { conn: own, .. }) if *own == conn);
    if effects.iter().any(admitted) {
        return false;
    }
    effects.iter().any(|effect| match effect {
        Effect::Send { conn: to, msg } => {
            *to != conn || !matches!(msg, Message::ToPlayer(ToPlayer::Refused(_)))
        }
        Effect::Close(other) => *other != conn,
        Effect::ToCenter(_) | Effect::Play { .. } | Effect::Bound { .. } | Effect::CloseAll => true,
        _ => false,
    })
}
