//! What must happen in the end: when faults stop and what is sent arrives.
//!
//! A run in virtual time asks it after the longest wait. An exploration asks it of every run of a scenario: a world
//! from which nothing goes on by itself must be one in which all of it is true. Fair is what happens by itself:
//! players begin, messages arrive, what is down comes back, and a timer that bounds a wait runs out. Faults never
//! have to happen, nor what a player does of his own will.

use std::sync::Arc;

use gatepass_core::{
    client::Outcome,
    role::{Cx, Entropy},
};

use crate::{
    check::Worlds,
    choice::Choice,
    explorer::{Graph, GraphBounds, TooLarge, liveness},
    host::{HostRole, TimerKind},
    setup::Setup,
    world::World,
};

/// What must be true once faults are over and time has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Eventually {
    /// Every player who keeps trying is in, was told why not, or left.
    EveryPlayerIsAnswered,
    /// No connection waits for another server to hand its account over.
    NoHandoverWaits,
    /// No seat is reserved: whoever it was for has come or will not come.
    NoSeatLeaks,
    /// Every server holds its lease, the cache knows no other leases, and who is live is owned.
    LeasesSettle,
}

impl Eventually {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::EveryPlayerIsAnswered, Self::NoHandoverWaits, Self::NoSeatLeaks, Self::LeasesSettle];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EveryPlayerIsAnswered => "every_player_is_answered",
            Self::NoHandoverWaits => "no_handover_waits",
            Self::NoSeatLeaks => "no_seat_leaks",
            Self::LeasesSettle => "leases_settle",
        }
    }

    /// What it says, in a sentence.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::EveryPlayerIsAnswered => "in the end every player is in, was told why not, or left",
            Self::NoHandoverWaits => "in the end no connection waits for a handover",
            Self::NoSeatLeaks => "in the end no seat is reserved",
            Self::LeasesSettle => "in the end every server holds its lease, and no lease is a dead server's",
        }
    }

    /// Whether it is true now.
    #[must_use]
    pub fn holds(self, world: &World, setup: &Setup) -> bool {
        world.hosts().filter(|host| host.up).all(|host| match (self, &host.role) {
            (Self::EveryPlayerIsAnswered, HostRole::Player(player)) => player.outcome() != Outcome::Underway,
            (Self::NoHandoverWaits, HostRole::Room(room)) => room.waiting() == 0,
            (Self::NoSeatLeaks, HostRole::Center(center)) => center.sizes().1 == 0,
            (Self::LeasesSettle, HostRole::Room(room)) => {
                let cx = Cx { settings: &setup.settings, entropy: &mut Nothing };
                room.serves(&cx)
            }
            (Self::LeasesSettle, HostRole::Cache(cache)) => {
                let mut rooms = world.hosts().filter(|host| host.up).filter_map(|host| match &host.role {
                    HostRole::Room(room) => Some(room),
                    _ => None,
                });
                let known = |id| {
                    world
                        .hosts()
                        .any(|host| host.up && matches!(&host.role, HostRole::Room(room) if room.id() == id))
                };
                cache.leases().all(|(server, _)| known(server))
                    && rooms.all(|room| {
                        let owns =
                            |account| cache.owner(account).is_some_and(|(owner, _)| owner == room.id());
                        cache.lease(room.id()).is_some() && room.live().all(|(_, account, _)| owns(account))
                    })
            }
            _ => true,
        })
    }
}

/// Nobody who only looks draws keys.
struct Nothing;

impl Entropy for Nothing {
    fn bits(&mut self) -> [u8; 16] {
        [0; 16]
    }
}

/// Whether a timer of this kind bounds a wait: it runs out in the end if nothing else ends the wait.
#[must_use]
pub const fn ends_a_wait(kind: TimerKind) -> bool {
    matches!(
        kind,
        TimerKind::Reply
            | TimerKind::Request
            | TimerKind::Unverified
            | TimerKind::Seat
            | TimerKind::ServerLease
            | TimerKind::Grace
            | TimerKind::Renew
    )
}

const fn is_fair(choice: &Choice) -> bool {
    match choice {
        Choice::Begin(_) | Choice::Restart(_) | Choice::Link(_) | Choice::Wake(_) => true,
        Choice::Deliver(pick) => pick.nth == 0,
        Choice::Fire { kind, .. } => ends_a_wait(*kind),
        _ => false,
    }
}

/// A run that ends, with everything fair done, where something is not true that must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unkept {
    /// What is not true; nothing: the run goes round for ever.
    pub promise: Option<Eventually>,
    /// The choices that lead there.
    pub choices: Vec<Choice>,
}

/// Walks all runs of a scenario that is patient, and looks where they end. How many worlds there are.
///
/// # Errors
/// If they are too many.
pub fn in_the_end(setup: &Arc<Setup>, bounds: GraphBounds) -> Result<(usize, Option<Unkept>), TooLarge> {
    let worlds = Worlds::new(Arc::clone(setup));
    let kept = |world: &World| world.broken().is_some() || broken_promise(world, setup).is_none();
    let graph = Graph::of(&worlds, bounds, kept, |_, choice| u32::from(is_fair(choice)))?;
    let unkept = liveness::in_the_end(&graph).err().and_then(|lasso| {
        let (choices, round) = lasso.actions(&worlds)?;
        let (mut world, mut scratch) = (World::new(setup), crate::world::Scratch::default());
        // With what arrives between choices, as the exploration let it arrive.
        let mut all = Vec::new();
        for choice in choices {
            world.apply(setup, choice, &mut scratch);
            all.push(choice);
            world.settle(setup, &mut scratch, &mut |arrival| all.push(arrival));
        }
        let choices = all;
        let promise = if round.is_empty() { broken_promise(&world, setup) } else { None };
        Some(Unkept { promise, choices })
    });
    Ok((graph.len(), unkept))
}

/// What is not true where everything fair is done: something must still happen, or all is well, otherwise.
pub(crate) fn unkept_at_end(world: &World, setup: &Setup) -> Option<Eventually> {
    if !setup.scenario.patient || world.broken().is_some() {
        return None;
    }
    let mut choices = Vec::new();
    world.choices(setup, &mut choices);
    if choices.iter().any(is_fair) { None } else { broken_promise(world, setup) }
}

fn broken_promise(world: &World, setup: &Setup) -> Option<Eventually> {
    Eventually::ALL.into_iter().find(|promise| !promise.holds(world, setup))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{check, explorer::Bounds, flaws::END_FLAWS, scenario::Scenario, world::Broken};

    #[test]
    fn a_rule_less_leaves_something_undone() {
        for flaw in END_FLAWS {
            let report = check::explore(&Arc::new(flaw.setup()), None, Bounds::default(), &mut |_| {});
            let broken = report.violations.first().map(|violation| violation.broken);
            assert_eq!(broken, Some(Broken::Eventually(flaw.breaks)), "{}", flaw.name);
            let violation = &report.violations[0];
            let told = crate::replay::outcome(&flaw.setup(), &violation.choices);
            assert_eq!(told, broken, "{}", flaw.name);
        }
    }

    #[test]
    fn strict_ends_well() {
        let scenario = Scenario::named("in-the-end").expect("it is shipped");
        let setup = Arc::new(Setup::new(scenario).expect("it can be played"));
        let (worlds, unkept) = in_the_end(&setup, GraphBounds::default()).expect("it is small enough");
        assert!(worlds > 1_000);
        assert_eq!(unkept, None);
    }
}
