//! Simulation: one run per seed, every choice drawn from it.
//!
//! The same seed gives the same run for ever, on every machine and with any number of threads. Within a run
//! each kind of choice has a weight that the seed draws first, so that runs differ in character: some are
//! quick and clean, some are all faults and timers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use gatepass_core::properties::Goal;

use crate::{
    choice::Choice,
    prng::Prng,
    setup::Setup,
    shared::fingerprint,
    shrink::shrink,
    world::{Broken, Scratch, World},
};

/// Which runs, and how long.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The first seed.
    pub from_seed: u64,
    /// How many seeds.
    pub seeds: u64,
    /// Most choices in one run.
    pub steps: u32,
    /// Threads.
    pub threads: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self { from_seed: 1, seeds: 10_000, steps: 2_000, threads: 2 }
    }
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its seed.
    pub seed: u64,
    /// The choices it made; kept only where asked for.
    pub choices: Vec<Choice>,
    /// How many there were.
    pub steps: u64,
    /// Events that its roles took.
    pub events: u64,
    /// Of those, events that meant nothing.
    pub ignored: u64,
    /// Identifies the world it ended in.
    pub end: u64,
    /// Goals it met, a bit each.
    pub goals: u32,
    /// What it broke.
    pub broken: Option<Broken>,
}

/// A run that broke something, made small.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What it breaks.
    pub broken: Broken,
    /// The choices that are needed for it.
    pub choices: Vec<Choice>,
    /// How many the run had made.
    pub found_in: usize,
}

/// What all runs came to.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Runs that ended.
    pub runs: u64,
    /// Choices made in all.
    pub steps: u64,
    /// Events taken in all.
    pub events: u64,
    /// Time it took.
    pub seconds: f64,
    /// Every goal of the scenario, and how many runs met it.
    pub goals: Vec<(Goal, u64)>,
    /// Runs that broke something.
    pub failing: u64,
    /// The failure of the lowest seed that failed, made small.
    pub failure: Option<Failure>,
}

impl Summary {
    /// Choices per second.
    #[must_use]
    pub fn steps_per_second(&self) -> f64 {
        self.steps as f64 / self.seconds.max(1e-9)
    }
}

/// Runs one seed.
#[must_use]
pub fn run(setup: &Setup, seed: u64, steps: u32, keep: bool) -> Run {
    let mut world = World::new(setup);
    run_from(&mut world, setup, seed, steps, keep, &mut Scratch::default())
}

fn run_from(
    world: &mut World,
    setup: &Setup,
    seed: u64,
    steps: u32,
    keep: bool,
    scratch: &mut Scratch,
) -> Run {
    let mut prng = Prng::new(seed);
    let weights = Weights::draw(&mut prng);
    let (events, ignored) = (scratch.steps, scratch.ignored);
    scratch.goals = 0;
    let mut made = Vec::new();
    let mut choices = Vec::new();
    let mut count = 0;
    while count < u64::from(steps) && world.broken().is_none() {
        choices.clear();
        world.choices(setup, &mut choices);
        let total: u32 = choices.iter().map(|choice| weights.of(choice)).sum();
        if total == 0 {
            break;
        }
        let mut at = prng.below(total);
        let chosen = choices.iter().find(|choice| {
            let weight = weights.of(choice);
            let hit = at < weight;
            at = at.saturating_sub(weight);
            hit
        });
        let Some(&choice) = chosen else { break };
        world.apply(setup, choice, scratch);
        count += 1;
        if keep {
            made.push(choice);
        }
    }
    Run {
        seed,
        choices: made,
        steps: count,
        events: scratch.steps - events,
        ignored: scratch.ignored - ignored,
        end: fingerprint(world),
        goals: scratch.goals,
        broken: world.broken(),
    }
}

/// How likely each kind of choice is in one run.
struct Weights {
    begin: u32,
    deliver: u32,
    overtake: u32,
    fire: u32,
    fault: u32,
}

impl Weights {
    fn draw(prng: &mut Prng) -> Self {
        const SCALE: [u32; 3] = [1, 8, 64];
        let mut draw = || SCALE[prng.below(3) as usize];
        Self { begin: draw(), deliver: 64, overtake: draw(), fire: draw(), fault: draw() }
    }

    const fn of(&self, choice: &Choice) -> u32 {
        match choice {
            Choice::Begin(_) => self.begin,
            Choice::Deliver(pick) if pick.nth == 0 => self.deliver,
            Choice::Deliver(_) => self.overtake,
            Choice::Fire { .. } | Choice::Age(_) => self.fire,
            Choice::Link(_) | Choice::Restart(_) | Choice::Wake(_) | Choice::Attack(_) => 8,
            Choice::Drop(_)
            | Choice::Duplicate(_)
            | Choice::Crash(_)
            | Choice::LoseCache
            | Choice::Fail(_)
            | Choice::HangUp(_)
            | Choice::Pause(_)
            | Choice::Jump { .. }
            | Choice::Cut(_) => self.fault,
        }
    }
}

/// Runs all seeds of a plan. `progress` hears how many runs and steps are done.
pub fn simulate(setup: &Arc<Setup>, plan: Plan, progress: &mut dyn FnMut(u64, u64)) -> Summary {
    let started = Instant::now();
    let (next, runs, steps, events) =
        (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let (failed, failing) = (AtomicU64::new(u64::MAX), AtomicU64::new(0));
    let met: [AtomicU64; Goal::ALL.len()] = Default::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..plan.threads.max(1))
            .map(|_| {
                scope.spawn(|| {
                    let first = World::new(setup);
                    let mut scratch = Scratch::default();
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let seed = plan.from_seed.wrapping_add(index);
                        if index >= plan.seeds {
                            break;
                        }
                        let mut world = first.clone();
                        let run = run_from(&mut world, setup, seed, plan.steps, false, &mut scratch);
                        runs.fetch_add(1, Ordering::Relaxed);
                        steps.fetch_add(run.steps, Ordering::Relaxed);
                        events.fetch_add(run.events, Ordering::Relaxed);
                        for (goal, met) in Goal::ALL.into_iter().zip(&met) {
                            met.fetch_add(u64::from(run.goals >> goal as u32 & 1), Ordering::Relaxed);
                        }
                        if run.broken.is_some() {
                            failing.fetch_add(1, Ordering::Relaxed);
                            failed.fetch_min(index, Ordering::Relaxed);
                        }
                    }
                })
            })
            .collect();
        let (runs, steps) = (&runs, &steps);
        while !workers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            std::thread::sleep(Duration::from_millis(20));
            progress(runs.load(Ordering::Relaxed), steps.load(Ordering::Relaxed));
        }
    });
    let seconds = started.elapsed().as_secs_f64();
    let failure = match failed.into_inner() {
        u64::MAX => None,
        index => explain(setup, plan.from_seed.wrapping_add(index), plan.steps),
    };
    Summary {
        runs: runs.into_inner(),
        steps: steps.into_inner(),
        events: events.into_inner(),
        seconds,
        goals: setup
            .scenario
            .goals
            .iter()
            .map(|goal| (*goal, met[*goal as usize].load(Ordering::Relaxed)))
            .collect(),
        failing: failing.into_inner(),
        failure,
    }
}

/// Runs a failing seed again and makes its choices few.
#[must_use]
pub fn explain(setup: &Setup, seed: u64, steps: u32) -> Option<Failure> {
    let run = run(setup, seed, steps, true);
    let broken = run.broken?;
    let found_in = run.choices.len();
    Some(Failure { seed, broken, choices: shrink(setup, &run.choices, broken), found_in })
}
