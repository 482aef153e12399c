//! Exhaustive checking: every interleaving, every fault within its budget, every property in every step.
//!
//! stateright explores the worlds (depth first: it keeps eight bytes per state). When something breaks, a
//! search of our own, level by level, finds the shortest way there: the first counterexample that an explorer
//! meets is seldom the one a person wants to read.

use std::{
    cell::RefCell,
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use gatepass_core::properties::{Goal, Property};
use stateright::{Checker, HasDiscoveries, Model};

use crate::{
    choice::Choice,
    memory,
    scenario::{Scenario, ScenarioError},
    setup::Setup,
    shared::fingerprint,
    world::{Broken, Scratch, World},
};

/// What stateright is told to watch: which property breaks, the world itself says.
const NOTHING_BROKEN: &str = "nothing is broken";

/// Worlds of one setup as a model that can be explored.
#[derive(Clone)]
pub struct Worlds {
    /// What the worlds have in common.
    pub setup: Arc<Setup>,
    /// Set to end an exploration: no world has a future any more.
    pub stop: Arc<AtomicBool>,
}

impl Worlds {
    /// The worlds of a setup.
    #[must_use]
    pub fn new(setup: Arc<Setup>) -> Self {
        Self { setup, stop: Arc::default() }
    }
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::remembering());
}

impl Model for Worlds {
    type State = World;
    type Action = Choice;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(&self.setup)]
    }

    fn actions(&self, world: &World, choices: &mut Vec<Choice>) {
        if !self.stop.load(Ordering::Relaxed) {
            world.choices(&self.setup, choices);
        }
    }

    fn next_state(&self, world: &World, choice: Choice) -> Option<World> {
        let mut next = world.clone();
        SCRATCH.with_borrow_mut(|scratch| next.apply(&self.setup, choice, scratch)).then_some(next)
    }

    fn format_action(&self, choice: &Choice) -> String {
        choice.to_string()
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

/// Where an exploration ends, finished or not.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Unique states.
    pub states: u64,
    /// Resident memory of the process in bytes.
    pub memory: u64,
    /// Time.
    pub time: Duration,
    /// Threads.
    pub threads: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { states: 200_000_000, memory: 12 << 30, time: Duration::from_secs(600), threads: 2 }
    }
}

/// How an exploration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

/// What is known of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds in every state.
    Holds,
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
    /// No shorter way exists.
    pub shortest: bool,
}

/// What an exploration found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Name of the scenario.
    pub scenario: String,
    /// Its policy.
    pub policy: String,
    /// The flaw it was given.
    pub flaw: Option<String>,
    /// Unique states.
    pub states: u64,
    /// States generated, repeated ones included.
    pub generated: u64,
    /// Longest path.
    pub depth: u64,
    /// Time it took.
    pub seconds: f64,
    /// Peak resident memory of the process in bytes.
    pub peak_memory: u64,
    /// How it ended.
    pub ended: Ended,
    /// Every property with its verdict.
    pub properties: Vec<(Property, Verdict)>,
    /// Every goal of the scenario, and whether a run met it.
    pub goals: Vec<(Goal, bool)>,
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

/// How far an exploration is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Unique states so far.
    pub states: u64,
    /// Longest path so far.
    pub depth: u64,
    /// Time so far.
    pub elapsed: Duration,
    /// Resident memory of the process in bytes.
    pub memory: u64,
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

/// Explores the worlds of a setup.
///
/// If something breaks, the shortest ways there are searched for: to `wanted`, if it is given, else to whatever
/// breaks at about the same depth.
pub fn explore(
    setup: &Arc<Setup>,
    wanted: Option<Property>,
    bounds: Bounds,
    progress: &mut dyn FnMut(Progress),
) -> Report {
    let worlds = Worlds::new(Arc::clone(setup));
    let started = Instant::now();
    let checker = worlds
        .clone()
        .checker()
        .threads(bounds.threads.max(1))
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_dfs();
    let mut ended = Ended::Exhausted;
    let mut peak = memory::resident();
    let mut pause = Duration::from_millis(1);
    while !checker.is_done() {
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(100));
        let now = Progress {
            states: checker.unique_state_count() as u64,
            depth: checker.max_depth() as u64,
            elapsed: started.elapsed(),
            memory: memory::resident(),
        };
        peak = peak.max(now.memory);
        progress(now);
        let bound = if now.states > bounds.states {
            Some(Ended::StateBound)
        } else if now.memory > bounds.memory {
            Some(Ended::MemoryBound)
        } else if now.elapsed > bounds.time {
            Some(Ended::TimeBound)
        } else {
            None
        };
        if let Some(bound) = bound {
            ended = bound;
            worlds.stop.store(true, Ordering::Relaxed);
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let found = checker.discovery(NOTHING_BROKEN).map(stateright::Path::into_actions);
    let mut violations = Vec::new();
    if let Some(choices) = found {
        ended = Ended::Violated;
        violations = shortest(setup, wanted, bounds, progress);
        if violations.is_empty() {
            let broken = crate::replay::outcome(setup, &choices)
                .unwrap_or(Broken::Invariant("the violation does not replay"));
            violations.push(Violation { broken, choices, shortest: false });
        }
    }
    Report {
        scenario: setup.scenario.name.clone(),
        policy: setup.scenario.policy.clone(),
        flaw: None,
        states: checker.unique_state_count() as u64,
        generated: checker.state_count() as u64,
        depth: checker.max_depth() as u64,
        seconds,
        peak_memory: peak,
        ended,
        properties: verdicts(ended, &violations),
        goals: setup.scenario.goals.iter().map(|goal| (*goal, setup.is_met(*goal))).collect(),
        violations,
    }
}

fn verdicts(ended: Ended, violations: &[Violation]) -> Vec<(Property, Verdict)> {
    Property::ALL
        .into_iter()
        .map(|property| {
            let broken = violations.iter().any(|it| it.broken == Broken::Property(property));
            let verdict = match ended {
                _ if broken => Verdict::Violated,
                Ended::Exhausted => Verdict::Holds,
                _ => Verdict::NotViolatedWithinBounds,
            };
            (property, verdict)
        })
        .collect()
}

/// How many levels a search goes on after the first violation, to see what else breaks.
const LEVELS_BEYOND: u64 = 4;

/// The shortest way to each property that breaks, by exploring one level after the other. Where several are
/// equally short it is always the same one. The search ends when `wanted` is found; without it, a few levels
/// after the first violation; or at a bound.
pub fn shortest(
    setup: &Arc<Setup>,
    wanted: Option<Property>,
    bounds: Bounds,
    progress: &mut dyn FnMut(Progress),
) -> Vec<Violation> {
    let started = Instant::now();
    let mut scratch = Scratch::remembering();
    let mut seen: HashMap<u64, (u64, Choice), foldhash::fast::FixedState> = HashMap::default();
    let first = World::new(setup);
    let root = fingerprint(&first);
    let mut level = vec![(root, first)];
    let (mut depth, mut last_level) = (0, u64::MAX);
    let mut choices = Vec::new();
    let mut found: Vec<Violation> = Vec::new();
    while !level.is_empty() && depth < last_level {
        let mut next_level = Vec::new();
        for (from, world) in level {
            choices.clear();
            world.choices(setup, &mut choices);
            for &choice in &choices {
                let mut next = world.clone();
                if !next.apply(setup, choice, &mut scratch) {
                    continue;
                }
                let print = fingerprint(&next);
                if print == root || seen.contains_key(&print) {
                    continue;
                }
                seen.insert(print, (from, choice));
                let Some(broken) = next.broken() else {
                    next_level.push((print, next));
                    continue;
                };
                if found.iter().all(|known| known.broken != broken) {
                    found.push(Violation { broken, choices: path(&seen, print, root), shortest: true });
                }
            }
        }
        level = next_level;
        depth += 1;
        let is_wanted = |it: &Violation| wanted.is_some_and(|wanted| it.broken == Broken::Property(wanted));
        if found.iter().any(is_wanted) {
            break;
        }
        if !found.is_empty() && wanted.is_none() {
            last_level = last_level.min(depth + LEVELS_BEYOND);
        }
        let now = Progress {
            states: seen.len() as u64,
            depth,
            elapsed: started.elapsed(),
            memory: memory::resident(),
        };
        progress(now);
        if now.states > bounds.states || now.elapsed > bounds.time || now.memory > bounds.memory {
            break;
        }
    }
    // What was asked for first, then in the order of the properties.
    found.sort_by_key(|it| (wanted.is_none_or(|wanted| it.broken != Broken::Property(wanted)), it.broken));
    found
}

fn path<S: std::hash::BuildHasher>(
    seen: &HashMap<u64, (u64, Choice), S>,
    mut at: u64,
    root: u64,
) -> Vec<Choice> {
    let mut choices = Vec::new();
    while at != root {
        let Some((from, choice)) = seen.get(&at) else { break };
        choices.push(*choice);
        at = *from;
    }
    choices.reverse();
    choices
}
