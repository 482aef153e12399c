//! The world: nodes, network, budgets and ledger, with what may happen next and what comes of it. The one
//! place in the simulator where effects get a meaning.

mod age;
mod attack;
mod budgets;
mod changes;
mod choices;
mod edit;
mod effects;
mod faults;
mod follow;
mod happen;
mod lesson;
mod networks;
mod pack;
mod part;
mod recall;
mod settle;
mod step;
mod view;

use std::{collections::VecDeque, hash::Hash, sync::Arc, time::Duration};

use gatepass_core::{
    cache::Cache,
    ids::{AccountId, ConnId, Generation, ServerId},
    ledger::{Ended, Fact, Ledger},
    login::LoginServer,
    message::{Answer, Asker, CacheAnswer, Message, Question, ToCenter, ToServer},
    policy::Policy,
    properties::{Goal, Judgement, Properties, Property},
    rcenter::RCenter,
    refusal::Refusal,
    role::{Command, Effect, Effects, Event, Step, Timer},
};

pub(crate) use self::follow::Context;
use self::{
    age::Signed,
    choices::Look,
    edit::{Named, Told, Traffic},
    part::Part,
};
pub use self::{
    follow::Memory,
    pack::{Packed, Store},
};
use crate::{
    attacker::Attacker,
    choice::Choice,
    coverage::{Coverage, Met},
    eventually::{Eventually, ends_a_wait},
    host::{Host, HostRole, TimerKind},
    net::{Body, Conns, Links, Net, Nodes, Packet, Pick},
    reductions::Reduction,
    scenario::Faults,
    setup::{FIRST_LINK, Setup},
    shared::{Shared, fingerprint},
    trace::Happening,
    words,
};

/// A state of the world.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    hosts: Vec<Part<Host>>,
    net: Part<Net>,
    conns: Part<Conns>,
    links: Part<Links>,
    ledger: Part<Ledger>,
    faults: Part<Faults>,
    fires: Part<Fires>,
    /// Players who have not begun.
    waiting: Part<Nodes>,
    past: Part<Past>,
    /// Renewals that the cache had granted when it lost its memory: its grace outlasts them.
    lost_leases: Part<Vec<(ServerId, u32)>>,
    attacker: Part<Attacker>,
    /// Payloads that were signed, in order.
    signed: Part<Vec<Signed>>,
    broken: Part<Option<Broken>>,
}

/// How often each kind of timer may still run out.
type Fires = [u8; TimerKind::ALL.len()];

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
    /// Something that must be true in the end.
    Eventually(Eventually),
    /// A role's own invariant: a defect of ours, whatever the policy.
    Invariant(&'static str),
}

impl Broken {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Property(property) => property.name(),
            Self::Eventually(promise) => promise.name(),
            Self::Invariant(rule) => rule,
        }
    }

    /// What it says.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::Property(property) => property.says(),
            Self::Eventually(promise) => promise.says(),
            Self::Invariant(_) => "a role's own invariant does not hold",
        }
    }
}

/// Buffers that one thread reuses from step to step, and what it wants to be told.
#[derive(Debug, Default)]
pub struct Scratch {
    effects: Effects,
    /// What comes to nodes at once.
    queue: VecDeque<(usize, Event)>,
    /// Changes that have names, if somebody remembers what comes of them.
    named: Option<Named>,
    /// Goals met since somebody last looked, a bit each.
    pub goals: u32,
    /// What happened, if somebody wants to know.
    pub log: Option<Vec<Happening>>,
    /// The entry of the log that broke a property, where a fact did.
    pub broke_at: Option<usize>,
    /// Events that meant nothing to their role.
    pub ignored: u64,
    /// Events given to roles.
    pub steps: u64,
    /// Players admitted by a login.
    pub logins: u64,
    /// What takes time, if somebody keeps the time.
    pub started: Option<Vec<Started>>,
    /// Which events roles have met in which phases, if somebody wants to know.
    pub coverage: Option<Coverage>,
}

/// Something that takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// A message was sent, the last of its lane.
    Sent(Pick),
    /// A node armed a timer, to fire after this time.
    Armed(usize, Timer, Duration),
}

impl Scratch {
    /// This comes to a node at once.
    fn tell(&mut self, node: usize, event: Event) {
        self.queue.push_back((node, event));
    }

    fn took(&mut self, met: Option<Met>, ignored: bool) {
        self.ignored += u64::from(ignored);
        if let Some((coverage, met)) = self.coverage.as_mut().zip(met) {
            coverage.add(met, ignored);
        }
    }
}

impl World {
    /// The world at the beginning: servers have registered and hold their leases, no player has begun.
    #[must_use]
    pub fn new(setup: &Setup) -> Self {
        Self::begin_with(setup, &mut Scratch::default())
    }

    /// The same, telling what has started on the way there.
    #[must_use]
    pub fn begin_with(setup: &Setup, scratch: &mut Scratch) -> Self {
        let mut world = Self {
            hosts: setup.hosts().into_iter().map(Part::new).collect(),
            net: Part::new(Net::new(setup.reductions.has(Reduction::OneOrder))),
            conns: Part::new(Conns::default()),
            links: Part::new(Links::of(setup.rooms())),
            ledger: Part::new(Ledger::default()),
            faults: Part::new(setup.faults()),
            fires: Part::new(setup.fires),
            waiting: Part::new(Nodes::first(setup.players())),
            past: Part::new(Past::default()),
            lost_leases: Part::new(Vec::new()),
            attacker: Part::new(setup.attacker()),
            signed: Part::new(Vec::new()),
            broken: Part::new(None),
        };
        if let Some(own) = setup.attackers_credentials() {
            world.sign(&own);
        }
        for node in setup.players()..setup.nodes() {
            scratch.tell(node, Event::Command(Command::Start));
        }
        for room in setup.rooms() {
            world.link(setup, room, scratch);
        }
        world.run(setup, scratch);
        while !world.net.get().packets.is_empty() {
            let first = world.net.get().pick(0, None);
            world.deliver(first, scratch);
            world.run(setup, scratch);
        }
        world
    }

    /// What went wrong, if something did. Nothing happens after it.
    #[must_use]
    pub fn broken(&self) -> Option<Broken> {
        *self.broken.shared().get()
    }

    /// Something goes wrong. What went wrong before stays what it was.
    fn break_by(&mut self, broken: Broken) {
        if self.broken().is_none() {
            *self.broken.edit_unseen() = Some(broken);
        }
    }

    /// Somebody who keeps the time found a timer due that may not run out yet: clocks do not keep their order.
    pub(crate) fn refuse_time(&mut self) {
        self.break_by(Broken::Invariant("a lease ends at its server first, whatever the clocks do"));
    }

    /// The nodes.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().map(Part::get)
    }

    /// What is under way.
    #[must_use]
    pub fn net(&self) -> &Net {
        self.net.get()
    }

    /// Whether this node is a RoomServer with a link to RCenter.
    #[must_use]
    pub fn is_linked(&self, node: usize) -> bool {
        self.links.of_node(node).is_some()
    }

    /// What has happened.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        self.ledger.get()
    }

    /// Everything that may happen next, in a fixed order.
    pub fn choices(&self, setup: &Setup, choices: &mut Vec<Choice>) {
        Look::choices(self, setup, choices);
    }

    /// Lets it happen. `false`, and nothing changes, if it cannot happen here.
    pub fn apply(&mut self, setup: &Setup, choice: Choice, scratch: &mut Scratch) -> bool {
        if self.broken().is_some() || !self.begin(setup, choice, scratch) {
            return false;
        }
        self.run(setup, scratch);
        if setup.scenario.at_rest && self.net.get().packets.is_empty() {
            self.judge(
                setup,
                scratch,
                Judgement { broken: self.ledger.get().at_rest(), ..Judgement::default() },
                true,
            );
        }
        true
    }

    /// Takes a judgement: the first broken property that is watched breaks the world. `at_rest`: nothing is under
    /// way.
    fn judge(&mut self, setup: &Setup, scratch: &mut Scratch, judgement: Judgement, at_rest: bool) {
        setup.exercise(judgement.met);
        if let Some(property) = Self::first_broken(setup, judgement, at_rest)
            && self.broken().is_none()
        {
            self.break_by(Broken::Property(property));
            scratch.broke_at = scratch.log.as_ref().and_then(|log| log.len().checked_sub(1));
        }
    }

    /// The same for one property.
    fn breaks(&mut self, setup: &Setup, scratch: &mut Scratch, property: Property) {
        self.judge(
            setup,
            scratch,
            Judgement { broken: Properties::only(property), ..Judgement::default() },
            false,
        );
    }

    /// The first of the watched properties that is broken. Where a scenario looks when nothing is under way, two sessions
    /// of one account count only then.
    fn first_broken(setup: &Setup, judgement: Judgement, at_rest: bool) -> Option<Property> {
        let mut watched = setup.watched();
        if setup.scenario.at_rest && !at_rest {
            watched = watched.without(Property::SingleLiveSession);
        }
        judgement.broken.first_of(watched)
    }

    fn begin(&mut self, setup: &Setup, choice: Choice, scratch: &mut Scratch) -> bool {
        match choice {
            Choice::Begin(node) => {
                let node = usize::from(node);
                let waits = self.waiting.get().has(node);
                if waits {
                    self.waiting.edit().remove(node);
                    scratch.tell(node, Event::Command(Command::Start));
                }
                waits
            }
            Choice::Deliver(pick) => {
                let possible =
                    self.can_arrive(pick) && (pick.nth == 0 || self.spend(|faults| &mut faults.reorder));
                possible && self.deliver(pick, scratch) && {
                    self.deliver_close(setup, pick, scratch);
                    true
                }
            }
            Choice::Drop(pick) => self.drop(pick, scratch),
            Choice::Duplicate(pick) => {
                let Some(copy) = self.under_way(pick).cloned() else { return false };
                if copy.get().is_question()
                    || !self.can_arrive(pick)
                    || !self.spend(|faults| &mut faults.duplicate)
                {
                    return false;
                }
                let delivered = self.deliver(pick, scratch);
                // The copy comes after everything that was sent on its lane before.
                self.put(copy, scratch);
                delivered
            }
            Choice::Fire { node, kind, nth } => self.fire(setup, usize::from(node), kind, nth, scratch),
            Choice::Crash(node) => self.crash(setup, usize::from(node), scratch),
            Choice::Restart(node) => self.restart(setup, usize::from(node), scratch),
            Choice::LoseCache => self.renew_cache(setup, false, scratch),
            Choice::RenewCache => self.renew_cache(setup, true, scratch),
            Choice::Cut(room) => {
                let room = usize::from(room);
                let linked = self.links.of_node(room).is_some();
                linked && self.spend(|faults| &mut faults.cut_link) && self.unlink(setup, room, None, scratch)
            }
            Choice::Link(room) => {
                let room = usize::from(room);
                let possible = setup.rooms().contains(&room)
                    && self.links.of_node(room).is_none()
                    && self.hosts[room].get().runs()
                    && self.hosts[setup.center()].get().up;
                possible && self.link(setup, room, scratch)
            }
            Choice::Fail(pick) => self.fail(setup, pick, scratch),
            Choice::HangUp(player) => self.hang_up(setup, usize::from(player), scratch),
            Choice::Drain(room) => self.drain(setup, usize::from(room), scratch),
            Choice::Pause(room) => self.pause(setup, usize::from(room), scratch),
            Choice::Wake(room) => self.wake(setup, usize::from(room), scratch),
            Choice::Jump { node, kind, nth } => self.jump(setup, usize::from(node), kind, nth, scratch),
            Choice::Attack(attack) => self.attack(setup, attack, scratch),
            Choice::Age { nth, clock } => self.grow_older(setup, nth, clock, scratch),
        }
    }
}

fn lane(conn: ConnId) -> u32 {
    u32::try_from(conn.0).unwrap_or(u32::MAX)
}

/// A node in one of its lives, as those it asks see it.
fn asker(node: usize, life: u8) -> Asker {
    Asker(node as u64 | u64::from(life) << 16)
}

/// The node that asked, and in which of its lives.
const fn who_asked(asker: Asker) -> (usize, u8) {
    ((asker.0 & 0xffff) as usize, (asker.0 >> 16) as u8)
}

fn note(scratch: &mut Scratch, node: usize, label: &str) {
    if let Some(log) = &mut scratch.log {
        log.push(Happening::At { node, label: label.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn what_counts_at_rest_alone_hides_nothing_else() {
        let scenario = Scenario { at_rest: true, ..Scenario::named("login").expect("it is shipped") };
        let setup = Setup::new(scenario).expect("it can be played");
        let mut broken = Properties::only(Property::SingleLiveSession);
        broken.add(Properties::only(Property::Capacity));
        let judgement = Judgement { broken, ..Judgement::default() };
        let first = |at_rest| World::first_broken(&setup, judgement, at_rest);
        assert_eq!(first(false), Some(Property::Capacity));
        assert_eq!(first(true), Some(Property::SingleLiveSession));
    }
}
