//! Virtual time: every message takes a drawn time, every timer its real one on the clock of its node.
//!
//! A world knows no time. This driver keeps it: it remembers when what is under way is due, jumps to what is due
//! next, and makes the choice that it is. Faults happen until [`FAULTS`], then nothing goes wrong any more,
//! and after [`settles_within`] everything must have come to rest ([`Eventually`]).
//!
//! Clocks run fast or slow, each node's by its own drawn rate, within what `lease_margin` allows. That they also
//! show different times makes no difference: no role asks what time it is.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use gatepass_core::{limits::Times, role::Timer};

use crate::{
    choice::Choice,
    eventually::Eventually,
    host::TimerKind,
    net::Pick,
    prng::Prng,
    setup::Setup,
    world::{Broken, Scratch, Started, World},
};

/// How long things go wrong.
pub const FAULTS: Duration = Duration::from_secs(30);
/// Crashed nodes and cut links are looked after this often.
const RECOVERY: Duration = Duration::from_millis(700);

/// How long after the last fault everything has come to rest: the longest wait of a seat, of a connection and of
/// a player, one after the other.
#[must_use]
pub fn settles_within(times: &Times) -> Duration {
    times.seat + times.unverified + times.reply
}

/// A run in virtual time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedRun {
    /// Its seed.
    pub seed: u64,
    /// The choices it made, in order: they replay without a clock.
    pub choices: Vec<Choice>,
    /// Players who were admitted by a login.
    pub logins: u64,
    /// What it broke.
    pub broken: Option<Broken>,
    /// What had not come to rest in time.
    pub unsettled: Vec<Eventually>,
}

/// What all timed runs came to. It does not depend on the number of threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedSummary {
    /// Players admitted in all.
    pub logins: u64,
    /// The lowest seed after which each had not come to rest, in the order of [`Eventually::ALL`].
    pub unsettled: [Option<u64>; Eventually::ALL.len()],
    /// Runs that broke something.
    pub failing: u64,
    /// The one of the lowest seed.
    pub broken: Option<TimedRun>,
}

/// Runs so many seeds, the first of them `from_seed`. `progress` hears how many are done.
pub fn simulate_timed(
    setup: &Setup,
    from_seed: u64,
    seeds: u64,
    threads: usize,
    progress: &mut dyn FnMut(u64),
) -> TimedSummary {
    let [next, runs, logins, failing]: [AtomicU64; 4] = Default::default();
    // Numbers of seeds: those are in order, whatever the first seed is.
    let unsettled = [const { AtomicU64::new(u64::MAX) }; Eventually::ALL.len()];
    let broken = AtomicU64::new(u64::MAX);
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= seeds {
                break;
            }
            let run = run_timed(setup, from_seed.wrapping_add(index));
            logins.fetch_add(run.logins, Ordering::Relaxed);
            for late in run.unsettled {
                unsettled[late as usize].fetch_min(index, Ordering::Relaxed);
            }
            if run.broken.is_some() {
                failing.fetch_add(1, Ordering::Relaxed);
                broken.fetch_min(index, Ordering::Relaxed);
            }
            runs.fetch_add(1, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        while !workers.iter().all(thread::ScopedJoinHandle::is_finished) {
            thread::sleep(Duration::from_millis(20));
            progress(runs.load(Ordering::Relaxed));
        }
    });
    let seed = |index: AtomicU64| match index.into_inner() {
        u64::MAX => None,
        index => Some(from_seed.wrapping_add(index)),
    };
    TimedSummary {
        logins: logins.into_inner(),
        unsettled: unsettled.map(seed),
        failing: failing.into_inner(),
        broken: seed(broken).map(|seed| run_timed(setup, seed)),
    }
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Begin(u16),
    Arrival(Pick),
    Timer(usize, Timer),
    Fault,
    Recovery,
}

struct Driver<'a> {
    setup: &'a Setup,
    world: World,
    scratch: Scratch,
    prng: Prng,
    /// Microseconds since the beginning.
    now: u64,
    count: u64,
    agenda: BinaryHeap<Reverse<(u64, u64, Due)>>,
    /// The entry of the agenda at which an armed timer fires: older ones are void.
    armed: BTreeMap<(usize, Timer), u64>,
    /// When the last message of a lane arrives: none overtakes it.
    lanes: BTreeMap<(u16, u16, u32), u64>,
    /// Per node, by how many millionths its clock is slow.
    drift: Vec<i64>,
    /// One message in so many meets a fault.
    rate: u32,
    /// Longest time under way.
    latency: u32,
    choices: Vec<Choice>,
}

/// Runs one seed in virtual time. The scenario should be a timed one (`Scenario::timed`), or little takes time.
#[must_use]
pub fn run_timed(setup: &Setup, seed: u64) -> TimedRun {
    let mut prng = Prng::new(seed);
    let times = &setup.settings.times;
    // Two clocks that are wrong in opposite directions: half of the margin each.
    let most = micros(times.lease_margin) * 1_000_000 / (2 * micros(times.lease));
    let mut drifts = || i64::from(prng.below(2 * most as u32 + 1)) - most as i64;
    let drift = (0..setup.nodes()).map(|_| drifts()).collect();
    let (rate, latency) =
        ([4, 16, 64, 1_000][prng.below(4) as usize], [1_000, 50_000, 800_000][prng.below(3) as usize]);
    let mut scratch = Scratch::default();
    scratch.started = Some(Vec::new());
    let world = World::begin_with(setup, &mut scratch);
    let mut driver = Driver {
        setup,
        world,
        scratch,
        prng,
        now: 0,
        count: 0,
        agenda: BinaryHeap::new(),
        armed: BTreeMap::new(),
        lanes: BTreeMap::new(),
        drift,
        rate,
        latency,
        choices: Vec::new(),
    };
    driver.plan();
    driver.go();
    let unsettled = match driver.world.broken() {
        Some(_) => Vec::new(),
        None => Eventually::ALL.into_iter().filter(|it| !it.holds(&driver.world, setup)).collect(),
    };
    TimedRun {
        seed,
        logins: driver.scratch.logins,
        broken: driver.world.broken(),
        choices: driver.choices,
        unsettled,
    }
}

impl Driver<'_> {
    /// Puts on the agenda what does not follow from anything.
    fn plan(&mut self) {
        let faults = micros(FAULTS);
        for player in 0..self.setup.players() {
            let at = self.below(faults / 2);
            self.due(at, Due::Begin(player as u16));
        }
        for _ in 0..self.prng.below(8) {
            let at = self.below(faults);
            self.due(at, Due::Fault);
        }
        self.due(micros(RECOVERY), Due::Recovery);
        self.hear();
    }

    /// Lets happen what is due, until everything must have come to rest.
    fn go(&mut self) {
        let end = micros(FAULTS) + micros(settles_within(&self.setup.settings.times));
        while let Some(Reverse((at, number, due))) = self.agenda.pop() {
            if at > end || self.world.broken().is_some() {
                break;
            }
            self.now = at;
            match due {
                Due::Begin(player) => {
                    self.make(Choice::Begin(player));
                }
                Due::Arrival(pick) => self.arrive(pick),
                Due::Timer(node, timer) => {
                    if self.armed.get(&(node, timer)) == Some(&number) {
                        self.armed.remove(&(node, timer));
                        self.fire(node, timer);
                    }
                }
                Due::Fault => self.fault(),
                Due::Recovery => {
                    self.recover();
                    self.due(micros(RECOVERY), Due::Recovery);
                }
            }
        }
    }

    fn arrive(&mut self, pick: Pick) {
        let faulty = self.now < micros(FAULTS) && self.prng.below(self.rate) == 0;
        let made = faulty && {
            let later = Pick { nth: 1, ..pick };
            let fault = [Choice::Drop(pick), Choice::Duplicate(pick), Choice::Deliver(later)];
            let at = self.prng.below(3) as usize;
            self.make(fault[at])
        };
        // Nothing arrives if it was lost on the way.
        if !made {
            self.make(Choice::Deliver(pick));
        }
    }

    /// A timer runs out, if it is still armed. That it may, although clocks are wrong, is what margins are for.
    fn fire(&mut self, node: usize, timer: Timer) {
        let Some(host) = self.world.hosts().nth(node) else { return };
        let kind = TimerKind::of(&timer);
        let armed = host.timers.iter().filter(|other| TimerKind::of(other) == kind);
        let Some(nth) = armed.clone().position(|other| *other == timer) else { return };
        let choice = Choice::Fire { node: node as u16, kind, nth: nth as u16 };
        if !self.make(choice) {
            self.world.refuse_time();
        }
    }

    fn fault(&mut self) {
        let mut choices = Vec::new();
        self.world.choices(self.setup, &mut choices);
        choices.retain(|choice| {
            !matches!(
                choice,
                Choice::Begin(_)
                    | Choice::Deliver(_)
                    | Choice::Drop(_)
                    | Choice::Duplicate(_)
                    | Choice::Fire { .. }
                    | Choice::Restart(_)
                    | Choice::Wake(_)
                    | Choice::Link(_)
            )
        });
        if !choices.is_empty() {
            let at = self.prng.below(choices.len() as u32) as usize;
            self.make(choices[at]);
        }
    }

    /// What is down starts again, half of it at a time; once faults are over all of it.
    fn recover(&mut self) {
        let mut choices = Vec::new();
        self.world.choices(self.setup, &mut choices);
        choices.retain(|choice| matches!(choice, Choice::Restart(_) | Choice::Wake(_) | Choice::Link(_)));
        for choice in choices {
            if self.now >= micros(FAULTS) || self.prng.below(2) == 0 {
                self.make(choice);
            }
        }
    }

    fn make(&mut self, choice: Choice) -> bool {
        let made = self.world.apply(self.setup, choice, &mut self.scratch);
        if made {
            self.choices.push(choice);
            self.hear();
        }
        made
    }

    /// Puts on the agenda what has started.
    fn hear(&mut self) {
        let mut started = self.scratch.started.take().unwrap_or_default();
        for it in started.drain(..) {
            match it {
                Started::Sent(pick) => {
                    let arrives = self.now + 1 + u64::from(self.prng.below(self.latency));
                    let lane = self.lanes.entry((pick.from, pick.to, pick.lane)).or_default();
                    *lane = arrives.max(*lane);
                    let after = *lane - self.now;
                    self.due(after, Due::Arrival(pick));
                }
                Started::Armed(node, timer, after) => {
                    let slow = self.drift.get(node).copied().unwrap_or(0);
                    let after =
                        micros(after).saturating_mul(1_000_000_u64.saturating_add_signed(slow)) / 1_000_000;
                    let number = self.due(after, Due::Timer(node, timer));
                    self.armed.insert((node, timer), number);
                }
            }
        }
        self.scratch.started = Some(started);
    }

    fn due(&mut self, after: u64, due: Due) -> u64 {
        self.count += 1;
        self.agenda.push(Reverse((self.now.saturating_add(after), self.count, due)));
        self.count
    }

    fn below(&mut self, bound: u64) -> u64 {
        u64::from(self.prng.below(u32::try_from(bound).unwrap_or(u32::MAX)))
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX >> 22)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{replay::outcome, scenario::Scenario};

    #[test]
    fn everything_comes_to_rest_after_faults() {
        for name in ["takeover-remote", "lost-kick", "cache-loss", "crash-owner", "retry"] {
            let scenario = Scenario::named(name).expect("a shipped scenario");
            let setup = Setup::new(scenario.timed()).expect("it can be played");
            for seed in 1..=20 {
                let run = run_timed(&setup, seed);
                assert_eq!((run.broken, &run.unsettled[..]), (None, &[][..]), "{name}, seed {seed}");
                assert_eq!(run, run_timed(&setup, seed), "a seed is the same run for ever");
                assert_eq!(outcome(&setup, &run.choices), None, "it replays without a clock");
            }
        }
    }

    #[test]
    fn it_does_not_matter_how_many_threads_run() {
        let takeover = Scenario::named("takeover-local").expect("a shipped scenario");
        let scenario = Scenario { policy: "mope".into(), ..takeover };
        let setup = Setup::new(scenario.timed()).expect("it can be played");
        let [one, three] = [1, 3].map(|threads| simulate_timed(&setup, 7, 100, threads, &mut |_| {}));
        assert_eq!(one, three);
        assert!(one.failing > 0 && one.logins > 0, "{one:?}");
        let first = one.broken.as_ref().map(|run| run.seed).expect("one of them");
        assert!((7..first).all(|seed| run_timed(&setup, seed).broken.is_none()), "it is the lowest");
    }

    #[test]
    fn nothing_is_at_rest_in_the_beginning() {
        let scenario = Scenario::named("login").expect("a shipped scenario");
        let setup = Setup::new(scenario.timed()).expect("it can be played");
        let world = World::new(&setup);
        assert!(!Eventually::EveryPlayerIsAnswered.holds(&world, &setup));
    }
}
