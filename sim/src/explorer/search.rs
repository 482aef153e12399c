//! The search: level after level, until nothing is new, somebody has seen enough, or a bound is reached.

use std::{
    collections::BTreeSet,
    ops::ControlFlow,
    sync::{Mutex, PoisonError, RwLock, RwLockWriteGuard, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{
    bettered::Bettered,
    level::{Common, Counts, Crew, Exact, Frontier, Ground, Met, New, with_crew},
    paths::{Paths, walk},
    saved::{self, Keep, Saved, Unfit},
    space::{Actions, Space, States, print_of},
    table::{Added, Link, Table},
};
use crate::memory;

/// Where a search ends, finished or not.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Unique states. The search ends soon after there are as many.
    pub states: u64,
    /// Unique states at the end of a level: then the search ends in the same place whatever the threads do.
    pub level_states: u64,
    /// Resident memory of the process in bytes.
    pub memory: u64,
    /// Time.
    pub time: Duration,
    /// Threads, at least one.
    pub threads: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            states: 200_000_000,
            level_states: u64::MAX,
            memory: 12 << 30,
            time: Duration::from_secs(600),
            threads: 2,
        }
    }
}

/// How to search.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Where to end.
    pub bounds: Bounds,
    /// Keeps every state and compares states whose fingerprints are equal. For small spaces.
    pub exact: bool,
}

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every state was seen.
    Exhausted,
    /// The caller had seen enough.
    Stopped,
    /// The bound on states.
    StateBound,
    /// The bound on memory.
    MemoryBound,
    /// The bound on time.
    TimeBound,
    /// Somebody stopped it.
    Interrupted,
}

/// How far a search is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Unique states so far.
    pub states: u64,
    /// Levels so far: every state that fewer steps reach was seen.
    pub depth: u64,
    /// Time so far.
    pub elapsed: Duration,
    /// Resident memory of the process in bytes.
    pub memory: u64,
}

/// Something that was found, where it is nearest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<F> {
    /// What.
    pub finding: F,
    /// At which state, by its place in the order of the search.
    pub state: u64,
    /// How many steps from the beginning: no way is shorter.
    pub depth: u64,
}

/// What a search came to.
#[derive(Clone, Debug)]
pub struct Outcome<F> {
    /// How it ended.
    pub ended: Ended,
    /// Unique states.
    pub states: u64,
    /// States generated, repeated ones included.
    pub generated: u64,
    /// Steps to the farthest state.
    pub depth: u64,
    /// Everything that was found, each once, in the order in which the search met it.
    pub found: Vec<Found<F>>,
    /// Pairs of different states with one fingerprint, if states were compared.
    pub collisions: Option<u64>,
    /// What table and paths take at the end, in bytes.
    pub kept_bytes: u64,
    /// Most resident memory of the process that was seen, in bytes.
    pub peak_memory: u64,
    /// Time it took.
    pub elapsed: Duration,
    pub(super) paths: Paths,
}

impl<F> Outcome<F> {
    /// The states and actions that lead to a state of the search; `None` if the space is not the one searched.
    pub fn path<S: Space<Finding = F>>(&self, space: &S, state: u64) -> Option<(States<S>, Actions<S>)> {
        walk(space, &self.paths.way(state))
    }
}

/// Says after a level, by its depth and what was found so far, whether to end.
pub type Enough<'a, F> = dyn FnMut(u64, &[Found<F>]) -> ControlFlow<()> + 'a;

/// Explores a space.
///
/// After each level `enough` is told how many steps deep it was and what was found so far, and may end the
/// search. `progress` is called some times a second.
pub fn search<S: Space>(
    space: &S,
    options: Options,
    enough: &mut Enough<'_, S::Finding>,
    progress: &mut dyn FnMut(Progress),
) -> Outcome<S::Finding> {
    search_kept(space, options, enough, progress, Keep::default()).expect("nothing is taken up again")
}

/// The same for a search that may be stopped and taken up again.
///
/// # Errors
/// If the search to take up again is not one of this space.
pub fn search_kept<S: Space>(
    space: &S,
    options: Options,
    enough: &mut Enough<'_, S::Finding>,
    progress: &mut dyn FnMut(Progress),
    mut keep: Keep<'_, S::Finding>,
) -> Result<Outcome<S::Finding>, Unfit> {
    let bounds = options.bounds;
    let common = Common {
        space,
        store: S::Store::default(),
        exact: options.exact.then(Exact::<S>::default),
        states_max: bounds.states.min(Link::STATES_MAX),
        counts: Counts::default(),
        ground: RwLock::new(Ground {
            table: Table::new(),
            frontier: Frontier { first: 0, parts: Vec::new(), order: Vec::new() },
            known: BTreeSet::new(),
            left: Mutex::default(),
            bettered: Bettered::new(),
            waste: Mutex::default(),
        }),
    };
    let mut search = Search { common: &common, paths: Paths::default(), found: Vec::new() };
    let mut clock = Clock { started: Instant::now(), last: Instant::now(), peak: 0 };
    match keep.resume.take() {
        Some(saved) => search.resume(saved)?,
        None => search.begin(),
    }
    let ended = with_crew(&common, bounds.threads, |crew| {
        let mut last_saved = Instant::now();
        loop {
            if enough(search.paths.depth() - 1, &search.found).is_break() {
                break Ended::Stopped;
            }
            if search.ground().frontier.order.is_empty() {
                break Ended::Exhausted;
            }
            if search.paths.len() >= bounds.level_states {
                break Ended::StateBound;
            }
            let boundary = search.boundary();
            let due = last_saved.elapsed() >= keep.every;
            if let Some(save) = keep.save.as_mut().filter(|_| due) {
                save(search.saved(boundary));
                last_saved = Instant::now();
            }
            if let Some(bound) = search.level(crew, bounds, &mut clock, progress, keep.stop) {
                if let Some(save) = &mut keep.save {
                    save(search.saved(boundary));
                }
                break bound;
            }
        }
    });
    clock.peak = clock.peak.max(memory::resident());
    Ok(search.outcome(ended, &clock))
}

/// How far a search was when its last level was complete.
#[derive(Clone, Copy)]
struct Boundary {
    /// The first state of the level that is expanded next.
    first: u64,
    states: u64,
    generated: u64,
}

struct Clock {
    started: Instant,
    last: Instant,
    peak: u64,
}

impl Clock {
    /// Tells how far it is, and which bound is reached.
    fn tick(&mut self, bounds: Bounds, now: Progress, progress: &mut dyn FnMut(Progress)) -> Option<Ended> {
        self.last = Instant::now();
        self.peak = self.peak.max(now.memory);
        progress(now);
        if now.memory > bounds.memory {
            Some(Ended::MemoryBound)
        } else if now.elapsed > bounds.time {
            Some(Ended::TimeBound)
        } else {
            None
        }
    }
}

/// Small levels take little time: how long they may go on unseen.
const PAUSE: Duration = Duration::from_millis(50);

struct Search<'a, S: Space> {
    common: &'a Common<'a, S>,
    paths: Paths,
    found: Vec<Found<S::Finding>>,
}

impl<S: Space> Search<'_, S> {
    /// Nobody else works between levels.
    fn ground(&self) -> RwLockWriteGuard<'_, Ground<S>> {
        self.common.ground.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The initial states are the first level.
    fn begin(&mut self) {
        let Common { space, store, counts, exact, .. } = self.common;
        let initial = space.init();
        counts.generated.store(initial.len() as u64, Ordering::Relaxed);
        let (mut new, mut reached) = (New::default(), S::Reached::default());
        let mut ground = self.ground();
        for (nth, state) in initial.into_iter().enumerate() {
            if !ground.table.grant(1) {
                ground.table.grow(1, 1);
                assert!(ground.table.grant(1), "it has grown");
            }
            space.enter(store, &state, &mut reached);
            let print = print_of(*space, &reached);
            let link = Link::initial(nth);
            if ground.table.add(print, link) != Added::New {
                ground.table.refund(1);
                continue;
            }
            space.findings(store, &reached, &mut |finding| new.found.push((finding, print)));
            new.push(print, link, space.keep(&mut reached), &mut Vec::new());
            if let Some(exact) = exact {
                exact.lock().unwrap_or_else(PoisonError::into_inner).insert(print, state);
            }
        }
        counts.unique.store(new.prints.len() as u64, Ordering::Relaxed);
        drop(ground);
        self.settle(&[Mutex::new(new)]);
    }

    /// Takes up a search where it was.
    fn resume(&mut self, saved: Saved<S::Finding>) -> Result<(), Unfit> {
        let Common { space, store, counts, exact, .. } = self.common;
        let Saved { seen, generated, found } = saved;
        let levels = saved::levels(&seen)?;
        if exact.is_some() || found.iter().any(|it| it.state >= seen.len() as u64) {
            return Err(Unfit);
        }
        let last = saved::replay(*space, store, &seen, &levels)?;
        let mut ground = self.ground();
        ground.table.grow(seen.len(), 1);
        assert!(ground.table.grant(seen.len()), "it has grown");
        if seen.iter().any(|(link, print)| ground.table.add(*print, Link(*link)) != Added::New) {
            return Err(Unfit);
        }
        ground.known = found.iter().map(|it| it.finding.clone()).collect();
        drop(ground);
        for level in &levels[..levels.len() - 1] {
            self.paths.push(seen[level.clone()].iter().map(|(link, _)| Link(*link)).collect());
        }
        self.found = found;
        counts.unique.store(seen.len() as u64, Ordering::Relaxed);
        counts.generated.store(generated, Ordering::Relaxed);
        self.settle(&[Mutex::new(last)]);
        Ok(())
    }

    /// Between two levels.
    fn boundary(&self) -> Boundary {
        let generated = self.common.counts.generated.load(Ordering::Relaxed);
        Boundary { first: self.ground().frontier.first, states: self.paths.len(), generated }
    }

    /// What to keep of the search as it was then.
    fn saved(&self, then: Boundary) -> Saved<S::Finding> {
        let found = self.found.iter().filter(|it| it.state < then.states).cloned().collect();
        Saved { seen: saved::complete(&self.ground().table, then.first), generated: then.generated, found }
    }

    /// Expands the frontier; which bound ended it, if one did.
    fn level(
        &mut self,
        crew: &Crew<'_, S>,
        bounds: Bounds,
        clock: &mut Clock,
        progress: &mut dyn FnMut(Progress),
        stop: &dyn Fn() -> bool,
    ) -> Option<Ended> {
        let depth = self.paths.depth();
        let counts = &self.common.counts;
        let mut bound = None;
        let mut tick = || {
            if clock.last.elapsed() < PAUSE {
                return true;
            }
            let now = Progress {
                states: counts.unique.load(Ordering::Relaxed),
                depth,
                elapsed: clock.started.elapsed(),
                memory: memory::resident(),
            };
            bound = bound.or(clock.tick(bounds, now, progress)).or(stop().then_some(Ended::Interrupted));
            bound.is_none()
        };
        crew.expand(self.common, &mut tick);
        tick();
        self.settle(crew.met);
        bound.or(counts.state_bound.load(Ordering::Relaxed).then_some(Ended::StateBound))
    }

    /// Puts together what each thread has put in order: that is the next level. Which thread met a state first does
    /// not matter.
    fn settle(&mut self, met: &Met<S>) {
        let mut ground = self.common.ground.write().unwrap_or_else(PoisonError::into_inner);
        let Ground { table, frontier, known, waste, .. } = &mut *ground;
        let mut met: Vec<_> =
            met.iter().map(|new| new.lock().unwrap_or_else(PoisonError::into_inner)).collect();
        let mut links = Vec::with_capacity(met.iter().map(|new| new.order.len()).sum());
        frontier.order.clear();
        let parts = |new: &New<S>| new.parts.len() as u32;
        let firsts: Vec<u32> =
            met.iter().scan(0, |first, new| Some(std::mem::replace(first, *first + parts(new)))).collect();
        let mut next = vec![0; met.len()];
        let least = |next: &[usize]| {
            let heads = met.iter().zip(next).map(|(new, at)| new.order.get(*at));
            heads.enumerate().filter_map(|(whose, head)| Some((*head?, whose))).min()
        };
        while let Some(((link, part, at), whose)) = least(&next) {
            next[whose] += 1;
            links.push(link);
            frontier.order.push((firsts[whose] + part, at));
        }
        let waste = waste.get_mut().unwrap_or_else(PoisonError::into_inner);
        waste.append(&mut frontier.parts);
        let mut found = Vec::new();
        for new in &mut met {
            let New { parts, prints, found: newly, order } = &mut **new;
            frontier.parts.append(parts);
            let link = |print: u64| table.link(print).expect("it was added");
            found.extend(newly.drain(..).map(|(finding, print)| (link(print), finding)));
            prints.clear();
            order.clear();
        }
        found.sort();
        let (first, depth) = (self.paths.len(), self.paths.depth());
        for (link, finding) in found {
            if known.insert(finding.clone()) {
                let at = links.binary_search(&link).expect("it is in this level");
                self.found.push(Found { finding, state: first + at as u64, depth });
            }
        }
        if !links.is_empty() {
            self.paths.push(links);
        }
        frontier.first = first;
    }

    fn outcome(self, ended: Ended, clock: &Clock) -> Outcome<S::Finding> {
        let kept_bytes = self.ground().table.bytes() + self.paths.bytes();
        Outcome {
            ended,
            states: self.paths.len(),
            generated: self.common.counts.generated.load(Ordering::Relaxed),
            depth: self.paths.depth().saturating_sub(1),
            found: self.found,
            collisions: self
                .common
                .exact
                .is_some()
                .then(|| self.common.counts.collisions.load(Ordering::Relaxed)),
            kept_bytes,
            peak_memory: clock.peak,
            elapsed: clock.started.elapsed(),
            paths: self.paths,
        }
    }
}
