//! Exhaustive checking: every interleaving, every fault within its budget, every property in every step.
//!
//! The explorer goes level by level, so one search gives both: that everything was seen, and the shortest way to
//! whatever breaks.

use std::{ops::ControlFlow, sync::Arc};

use gatepass_core::properties::{Goal, Property};
use serde::Serialize;
use stateright::Model;

pub use crate::explorer::{Bounds, Progress};
use crate::{
    choice::Choice,
    eventually::{self, Unkept},
    explorer::{self, Found, GraphBounds, Keep, Options, Space, Unfit, search_kept},
    reductions::Reduction,
    scenario::{Scenario, ScenarioError},
    setup::Setup,
    world::{Broken, Context, Memory, Packed, Scratch, Store, World},
};

/// What stateright is told to watch: which property breaks, the world itself says.
const NOTHING_BROKEN: &str = "nothing is broken";

/// Worlds of one setup as a model that can be explored.
#[derive(Clone)]
pub struct Worlds {
    /// What the worlds have in common.
    pub setup: Arc<Setup>,
}

impl Worlds {
    /// The worlds of a setup.
    #[must_use]
    pub const fn new(setup: Arc<Setup>) -> Self {
        Self { setup }
    }

    /// Makes a choice, and whatever is not worth one.
    fn follow(&self, world: &mut World, choice: Choice, scratch: &mut Scratch) -> bool {
        let possible = world.apply(&self.setup, choice, scratch);
        if possible {
            world.settle(&self.setup, scratch, &mut |_| {});
        }
        possible
    }

    /// The choices of a way with those between them that were not worth one, as far as what breaks needs them.
    fn in_full(&self, way: &[Choice], broken: Broken) -> Vec<Choice> {
        let (mut world, mut scratch) = (World::new(&self.setup), Scratch::default());
        let (mut all, mut between) = (Vec::new(), Vec::new());
        for &choice in way {
            world.apply(&self.setup, choice, &mut scratch);
            all.push(choice);
            world.settle(&self.setup, &mut scratch, &mut |arrival| {
                between.push(all.len());
                all.push(arrival);
            });
        }
        for at in between.into_iter().rev() {
            let arrival = all.remove(at);
            if !leads_to(&self.setup, &all, broken) {
                all.insert(at, arrival);
            }
        }
        all
    }
}

/// Whether these choices, all of them possible, break this in the end.
fn leads_to(setup: &Setup, choices: &[Choice], broken: Broken) -> bool {
    let (mut world, mut scratch) = (World::new(setup), Scratch::default());
    choices.iter().all(|choice| world.apply(setup, *choice, &mut scratch)) && world.broken() == Some(broken)
}

impl Model for Worlds {
    type State = World;
    type Action = Choice;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(&self.setup)]
    }

    fn actions(&self, world: &World, choices: &mut Vec<Choice>) {
        world.choices(&self.setup, choices);
    }

    fn next_state(&self, world: &World, choice: Choice) -> Option<World> {
        let mut next = world.clone();
        self.follow(&mut next, choice, &mut Scratch::default()).then_some(next)
    }

    fn format_action(&self, choice: &Choice) -> String {
        crate::explore::action(&self.setup, *choice)
    }

    fn format_step(&self, world: &World, choice: Choice) -> Option<String> {
        crate::explore::step(&self.setup, world, choice)
    }

    fn properties(&self) -> Vec<stateright::Property<Self>> {
        vec![stateright::Property::always(NOTHING_BROKEN, |_, world: &World| world.broken().is_none())]
    }

    fn as_svg(&self, path: stateright::Path<World, Choice>) -> Option<String> {
        let choices: Vec<Choice> = path.into_actions();
        let trace = crate::replay::tell(&self.setup, &choices);
        Some(crate::diagram::svg(&trace))
    }
}

impl Space for Worlds {
    type State = World;
    type Action = Choice;
    type Finding = Broken;
    type Scratch = Memory;
    type Kept = Packed;
    type Reached = Option<Packed>;
    type Store = Store;

    fn init(&self) -> Vec<World> {
        vec![World::new(&self.setup)]
    }

    fn actions(&self, store: &Store, packed: &Packed, memory: &mut Memory, choices: &mut Vec<Choice>) {
        memory.choices(Context { setup: &self.setup, store }, packed, choices);
    }

    fn enter(&self, store: &Store, world: &World, to: &mut Option<Packed>) {
        *to = Some(world.clone().pack(store));
    }

    fn step(
        &self,
        store: &Store,
        packed: &Packed,
        choice: &Choice,
        to: &mut Option<Packed>,
        memory: &mut Memory,
    ) -> bool {
        let to = to.get_or_insert_with(|| packed.clone());
        memory.follow(Context { setup: &self.setup, store }, packed, *choice, to)
    }

    fn exchange(&self, store: &Store, memory: &mut Memory) {
        memory.exchange(store);
    }

    fn fingerprint(&self, reached: &Option<Packed>) -> u64 {
        reached.as_ref().map_or(0, |packed| packed.print)
    }

    fn findings(&self, store: &Store, reached: &Option<Packed>, found: &mut dyn FnMut(Broken)) {
        if let Some(broken) = reached.as_ref().and_then(|packed| packed.broken(store)) {
            found(broken);
        }
    }

    fn keep(&self, reached: &mut Option<Packed>) -> Packed {
        reached.take().expect("a world was reached")
    }

    fn restore<'a>(
        &self,
        store: &Store,
        packed: &'a Packed,
        last: &'a mut Option<(World, Packed)>,
    ) -> &'a World {
        let (world, is) = last.get_or_insert_with(|| (World::unpack(store, packed), packed.clone()));
        world.become_packed(store, is, packed);
        world
    }

    fn state(&self, store: &Store, reached: &Option<Packed>) -> World {
        World::unpack(store, reached.as_ref().expect("a world was reached"))
    }

    fn same(&self, one: &World, other: &World) -> bool {
        one == other
    }
}

/// How an exploration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Every state was seen.
    Exhausted,
    /// Something broke.
    Violated,
    /// The bound on states.
    StateBound,
    /// The bound on memory.
    MemoryBound,
    /// The bound on time.
    TimeBound,
    /// Somebody stopped it.
    Interrupted,
}

/// What is known of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds in every state, and something came of what it speaks of.
    Holds,
    /// It holds in every state, but nothing ever exercised it: that says nothing.
    Vacuous,
    /// It is broken.
    Violated,
    /// It was not broken before the exploration ended.
    NotViolatedWithinBounds,
}

/// A way to something broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What breaks.
    pub broken: Broken,
    /// The choices that lead there.
    pub choices: Vec<Choice>,
    /// No shorter way exists. Otherwise one may, by as many choices as the way has arrivals that a reduction
    /// does not count.
    pub shortest: bool,
}

/// What an exploration found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Name of the scenario.
    pub scenario: String,
    /// Its policy.
    pub policy: String,
    /// Unique states.
    pub states: u64,
    /// States generated, repeated ones included.
    pub generated: u64,
    /// Choices to the farthest state, on the shortest way there.
    pub depth: u64,
    /// Time it took.
    pub seconds: f64,
    /// Peak resident memory of the process in bytes.
    pub peak_memory: u64,
    /// How it ended.
    pub ended: Ended,
    /// Every property that was judged, with its verdict.
    pub properties: Vec<(Property, Verdict)>,
    /// Every goal of the scenario, and whether a run met it.
    pub goals: Vec<(Goal, bool)>,
    /// Whether every run ends as it must, where that was looked at and there were not too many.
    pub in_the_end: Option<bool>,
    /// What broke, the one that was asked for first.
    pub violations: Vec<Violation>,
}

impl Report {
    /// Unique states per second.
    #[must_use]
    pub fn states_per_second(&self) -> f64 {
        self.states as f64 / self.seconds.max(1e-9)
    }

    /// Whether everything that was claimed was proven.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.ended == Ended::Exhausted && self.goals.iter().all(|(_, met)| *met)
    }
}

/// Explores a scenario. `progress` is called a few times a second.
///
/// # Errors
/// If the scenario cannot be played.
pub fn check(
    scenario: Scenario,
    bounds: Bounds,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, ScenarioError> {
    scenario.explorable()?;
    let setup = Arc::new(Setup::new(scenario)?);
    Ok(explore(&setup, None, bounds, progress))
}

/// How many levels a search goes on after the first violation, to see what else breaks.
const LEVELS_BEYOND: u64 = 4;

/// Explores the worlds of a setup.
///
/// If something breaks, the search ends with the level in which `wanted` breaks; without it, a few levels after
/// the first violation. The way to a violation is a shortest one, and always the same.
pub fn explore(
    setup: &Arc<Setup>,
    wanted: Option<Property>,
    bounds: Bounds,
    progress: &mut dyn FnMut(Progress),
) -> Report {
    explore_kept(setup, wanted, bounds, progress, Keep::default()).expect("nothing is taken up again")
}

/// The same for a check that may be stopped and taken up again.
///
/// # Errors
/// If the check to take up again is not one of this setup.
pub fn explore_kept(
    setup: &Arc<Setup>,
    wanted: Option<Property>,
    bounds: Bounds,
    progress: &mut dyn FnMut(Progress),
    keep: Keep<'_, Broken>,
) -> Result<Report, Unfit> {
    let worlds = Worlds::new(Arc::clone(setup));
    let is_wanted = |broken: Broken| wanted.is_some_and(|wanted| broken == Broken::Property(wanted));
    let mut enough = |depth: u64, found: &[Found<Broken>]| {
        let first = found.first().map(|it| it.depth);
        let enough = match wanted {
            Some(_) => found.iter().any(|it| is_wanted(it.finding)),
            None => first.is_some_and(|first| depth >= first + LEVELS_BEYOND),
        };
        if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let options = Options { bounds, exact: !setup.reductions.has(Reduction::Fingerprints) };
    let outcome = search_kept(&worlds, options, &mut enough, progress, keep)?;
    let violation = |it: &Found<Broken>| {
        let way = outcome.path(&worlds, it.state);
        let breaks = |states: &[World]| states.last().and_then(World::broken) == Some(it.finding);
        let (_, way) =
            way.filter(|(states, _)| breaks(states)).expect("a way that was found can be gone again");
        let choices = worlds.in_full(&way, it.finding);
        let shortest = choices.len() == way.len();
        Violation { broken: it.finding, choices, shortest }
    };
    let mut violations: Vec<Violation> = outcome.found.iter().map(violation).collect();
    // What was asked for first, then in the order of the properties.
    violations.sort_by_key(|it| (!is_wanted(it.broken), it.broken));
    let mut ended = match outcome.ended {
        _ if !violations.is_empty() => Ended::Violated,
        explorer::Ended::Exhausted | explorer::Ended::Stopped => Ended::Exhausted,
        explorer::Ended::StateBound => Ended::StateBound,
        explorer::Ended::MemoryBound => Ended::MemoryBound,
        explorer::Ended::TimeBound => Ended::TimeBound,
        explorer::Ended::Interrupted => Ended::Interrupted,
    };
    let mut in_the_end = None;
    if setup.scenario.patient && ended == Ended::Exhausted {
        let unkept = match eventually::in_the_end(setup, GraphBounds::default()) {
            Ok((_, None)) => {
                in_the_end = Some(true);
                None
            }
            Ok((_, unkept)) => unkept,
            Err(_) => None,
        };
        if let Some(Unkept { promise, choices }) = unkept {
            in_the_end = Some(false);
            ended = Ended::Violated;
            let goes_round = Broken::Invariant("a run goes round for ever");
            let broken = promise.map_or(goes_round, Broken::Eventually);
            violations.push(Violation { broken, choices, shortest: true });
        }
    }
    Ok(Report {
        in_the_end,
        scenario: setup.scenario.name.clone(),
        policy: setup.scenario.policy.clone(),
        states: outcome.states,
        generated: outcome.generated,
        depth: outcome.depth,
        seconds: outcome.elapsed.as_secs_f64(),
        peak_memory: outcome.peak_memory,
        ended,
        properties: verdicts(setup, ended, &violations),
        goals: setup.scenario.goals.iter().map(|goal| (*goal, setup.is_met(*goal))).collect(),
        violations,
    })
}

fn verdicts(setup: &Setup, ended: Ended, violations: &[Violation]) -> Vec<(Property, Verdict)> {
    // What is not judged is not claimed.
    let judged = Property::ALL.into_iter().filter(|property| setup.watched().has(*property));
    judged
        .map(|property| {
            let broken = violations.iter().any(|it| it.broken == Broken::Property(property));
            let verdict = match ended {
                _ if broken => Verdict::Violated,
                Ended::Exhausted if setup.is_exercised(property) => Verdict::Holds,
                Ended::Exhausted => Verdict::Vacuous,
                _ => Verdict::NotViolatedWithinBounds,
            };
            (property, verdict)
        })
        .collect()
}
