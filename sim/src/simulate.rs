//! Simulation: one run per seed, every choice drawn from it.
//!
//! The same seed gives the same run for ever, on every machine and with any number of threads. It first draws
//! how the run draws its choices (`schedule`), so that runs differ in character: some are quick and clean,
//! some are all faults and timers, some hold one message back until nothing else is left to do.

mod schedule;
pub mod timed;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use gatepass_core::properties::{Goal, Property};

use self::schedule::Schedule;
pub use self::schedule::Scheduler;
use crate::{
    choice::Choice,
    coverage::Coverage,
    setup::Setup,
    shared::fingerprint,
    shrink::{WORLDS_MAX, shorter, shrink},
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
    /// How runs draw their choices.
    pub scheduler: Scheduler,
    /// Whether to count which events roles meet in which phases: it takes time.
    pub coverage: bool,
    /// Only a run that breaks this counts as one that fails, and the first of them ends it all.
    pub wanted: Option<Property>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            from_seed: 1,
            seeds: 10_000,
            steps: 2_000,
            threads: 2,
            scheduler: Scheduler::Mix,
            coverage: false,
            wanted: None,
        }
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
    /// Players who were admitted by a login.
    pub logins: u64,
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
    /// The fewest choices that are known to lead to it.
    pub choices: Vec<Choice>,
    /// How many the run had made.
    pub found_in: usize,
    /// How many of them are needed; less than those is a way that the run did not take.
    pub needed: usize,
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
    /// Players admitted in all, those who came back by their token not counted.
    pub logins: u64,
    /// Time it took.
    pub seconds: f64,
    /// Every goal of the scenario, and how many runs met it.
    pub goals: Vec<(Goal, u64)>,
    /// Which events roles met in which phases, in all runs; nothing if the plan does not want to know.
    pub coverage: Coverage,
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

impl Plan {
    fn fails(self, run: &Run) -> bool {
        match self.wanted {
            Some(wanted) => run.broken == Some(Broken::Property(wanted)),
            None => run.broken.is_some(),
        }
    }
}

/// Choices in a run per player, about: priorities change somewhere among them.
const CHOICES_PER_PLAYER: u32 = 8;

/// Runs one seed.
#[must_use]
pub fn run(setup: &Setup, seed: u64, plan: Plan, keep: bool) -> Run {
    let mut world = World::new(setup);
    run_from(&mut world, setup, seed, plan, keep, &mut Scratch::default())
}

fn run_from(
    world: &mut World,
    setup: &Setup,
    seed: u64,
    plan: Plan,
    keep: bool,
    scratch: &mut Scratch,
) -> Run {
    let length = CHOICES_PER_PLAYER.saturating_mul(setup.players() as u32);
    let mut schedule = Schedule::new(seed, plan.scheduler, length);
    let (events, ignored, logins) = (scratch.steps, scratch.ignored, scratch.logins);
    scratch.goals = 0;
    let mut made = Vec::new();
    let mut choices = Vec::new();
    let mut count = 0;
    while count < u64::from(plan.steps) && world.broken().is_none() {
        choices.clear();
        world.choices(setup, &mut choices);
        if choices.is_empty() {
            break;
        }
        let choice = schedule.pick(&choices);
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
        logins: scratch.logins - logins,
        end: fingerprint(world),
        goals: scratch.goals,
        broken: world.broken(),
    }
}

/// Runs all seeds of a plan. `progress` hears how many runs and steps are done.
pub fn simulate(setup: &Arc<Setup>, plan: Plan, progress: &mut dyn FnMut(u64, u64)) -> Summary {
    let started = Instant::now();
    let [next, runs, steps, events, logins]: [AtomicU64; 5] = Default::default();
    let (failed, failing) = (AtomicU64::new(u64::MAX), AtomicU64::new(0));
    let met: [AtomicU64; Goal::ALL.len()] = Default::default();
    let mut coverage = Coverage::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..plan.threads.max(1))
            .map(|_| {
                scope.spawn(|| {
                    let first = World::new(setup);
                    let mut scratch = Scratch::default();
                    scratch.coverage = plan.coverage.then(Coverage::default);
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let seed = plan.from_seed.wrapping_add(index);
                        // Seeds are handed out in order: all below the first that failed are run.
                        let over = plan.wanted.is_some() && index > failed.load(Ordering::Relaxed);
                        if index >= plan.seeds || over {
                            break scratch.coverage.take();
                        }
                        let mut world = first.clone();
                        let run = run_from(&mut world, setup, seed, plan, false, &mut scratch);
                        runs.fetch_add(1, Ordering::Relaxed);
                        steps.fetch_add(run.steps, Ordering::Relaxed);
                        events.fetch_add(run.events, Ordering::Relaxed);
                        logins.fetch_add(run.logins, Ordering::Relaxed);
                        for (goal, met) in Goal::ALL.into_iter().zip(&met) {
                            met.fetch_add(u64::from(run.goals >> goal as u32 & 1), Ordering::Relaxed);
                        }
                        if plan.fails(&run) {
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
        for worker in workers {
            if let Some(own) = worker.join().expect("a run that panics is a defect of the simulator") {
                coverage.join(&own);
            }
        }
    });
    let seconds = started.elapsed().as_secs_f64();
    let failure = match failed.into_inner() {
        u64::MAX => None,
        index => explain(setup, plan.from_seed.wrapping_add(index), plan),
    };
    Summary {
        runs: runs.into_inner(),
        steps: steps.into_inner(),
        events: events.into_inner(),
        logins: logins.into_inner(),
        seconds,
        goals: setup
            .scenario
            .goals
            .iter()
            .map(|goal| (*goal, met[*goal as usize].load(Ordering::Relaxed)))
            .collect(),
        coverage,
        failing: failing.into_inner(),
        failure,
    }
}

/// Runs a failing seed again and makes its choices few.
#[must_use]
pub fn explain(setup: &Setup, seed: u64, plan: Plan) -> Option<Failure> {
    let run = run(setup, seed, plan, true);
    let broken = run.broken?;
    let found_in = run.choices.len();
    let needed = shrink(setup, &run.choices, broken);
    let choices = shorter(setup, &needed, broken, WORLDS_MAX).unwrap_or_else(|| needed.clone());
    Some(Failure { seed, broken, choices, found_in, needed: needed.len() })
}
