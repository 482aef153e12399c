//! One level of a search: every state of it is expanded, by as many threads as there are.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use super::{
    bettered::Bettered,
    space::{Space, print_of},
    table::{Added, Link, Table},
};

/// States taken from a level at a time.
const BATCH: usize = 256;
/// Room that a thread asks the table for at a time.
const GRANT: usize = 512;
/// Levels of fewer states are not worth more than one thread.
const SMALL: usize = 512;
/// States whose steps are looked up together.
const GROUP: usize = 16;
/// How often the caller is asked whether to go on.
const TICK: Duration = Duration::from_millis(50);

/// States that are kept in one piece of memory. Pieces are used again: to ask the system for fresh memory in
/// every level costs more than to hash the states in it.
const PART: usize = 1 << 8;

/// All states seen, by fingerprint: for a search that compares them.
pub(super) type Exact<S> = Mutex<HashMap<u64, <S as Space>::State, foldhash::fast::FixedState>>;

/// The states of a level, where threads left them, and their order.
#[derive(Debug)]
pub(super) struct Frontier<T> {
    /// The place of the first in the order of the search.
    pub(super) first: u64,
    pub(super) parts: Vec<Vec<T>>,
    /// Part and place in it.
    pub(super) order: Vec<(u32, u32)>,
}

impl<T> Frontier<T> {
    /// The state at this place of the level.
    pub(super) fn get(&self, at: usize) -> &T {
        let (part, place) = self.order[at];
        &self.parts[part as usize][place as usize]
    }
}

/// What changes between levels only.
pub(super) struct Ground<S: Space> {
    pub(super) table: Table,
    pub(super) frontier: Frontier<S::Kept>,
    /// Found in earlier levels.
    pub(super) known: BTreeSet<S::Finding>,
    /// What nobody has taken yet.
    pub(super) left: Mutex<Left>,
    /// New states that somebody reached by a lesser link after they were added.
    pub(super) bettered: Bettered,
    /// States that nobody needs any more: threads free them.
    pub(super) waste: Mutex<Vec<Vec<S::Kept>>>,
}

/// What all threads know of a search.
pub(super) struct Common<'a, S: Space> {
    pub(super) space: &'a S,
    pub(super) store: S::Store,
    pub(super) exact: Option<Exact<S>>,
    pub(super) states_max: u64,
    pub(super) counts: Counts,
    pub(super) ground: RwLock<Ground<S>>,
}

/// What was counted so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) unique: AtomicU64,
    pub(super) generated: AtomicU64,
    pub(super) collisions: AtomicU64,
    /// Everybody stops.
    pub(super) stop: AtomicBool,
    /// The bound on states was reached.
    pub(super) state_bound: AtomicBool,
    /// Room in the table that somebody did not get.
    missing: AtomicUsize,
}

/// The part of a level that nobody has taken yet.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// The share of each thread. States that stand together lead to the same, so threads work far from each other.
    shares: Vec<Range<usize>>,
    returned: Vec<Range<usize>>,
}

impl Left {
    /// All of a level, in equal shares.
    fn all(states: usize, threads: usize) -> Self {
        let begin = |thread: usize| states * thread / threads;
        let shares = (0..threads).map(|thread| begin(thread)..begin(thread + 1)).collect();
        Self { shares, returned: Vec::new() }
    }

    /// What a thread does next: its share, from the beginning; then half of what is left of the largest one.
    fn take(&mut self, thread: usize) -> Option<Range<usize>> {
        if let Some(range) = self.returned.pop() {
            return Some(range);
        }
        if self.shares[thread].is_empty() {
            let largest = self.shares.iter_mut().max_by_key(ExactSizeIterator::len)?;
            let middle = largest.start + largest.len() / 2;
            let end = std::mem::replace(&mut largest.end, middle);
            self.shares[thread] = middle..end;
        }
        let share = &mut self.shares[thread];
        let end = share.end.min(share.start + BATCH);
        let range = std::mem::replace(&mut share.start, end)..end;
        (!range.is_empty()).then_some(range)
    }
}

/// The new states that one thread met.
pub(super) struct New<S: Space> {
    pub(super) parts: Vec<Vec<S::Kept>>,
    /// Their fingerprints.
    pub(super) prints: Vec<u64>,
    /// What was found at states, named by their fingerprints.
    pub(super) found: Vec<(S::Finding, u64)>,
    /// The states in the order of the search: each by its link, the piece of memory it is in, and its place there.
    pub(super) order: Vec<(Link, u32, u32)>,
}

impl<S: Space> Default for New<S> {
    fn default() -> Self {
        Self { parts: Vec::new(), prints: Vec::new(), found: Vec::new(), order: Vec::new() }
    }
}

impl<S: Space> New<S> {
    /// Adds a state, in a spare piece of memory if there is one.
    pub(super) fn push(&mut self, print: u64, link: Link, state: S::Kept, spare: &mut Vec<Vec<S::Kept>>) {
        let (part, at) = (self.prints.len() / PART, self.prints.len() % PART);
        if at == 0 {
            self.parts.push(spare.pop().unwrap_or_else(|| Vec::with_capacity(PART)));
        }
        self.parts[part].push(state);
        self.prints.push(print);
        self.order.push((link, part as u32, at as u32));
    }

    /// Puts the states in order, when all states of the level have their links.
    fn rank(&mut self, table: &Table, bettered: &Bettered) {
        for ((link, ..), print) in self.order.iter_mut().zip(&self.prints) {
            if bettered.may_hold(*print) {
                *link = table.link(*print).expect("it was added");
            }
        }
        // Mostly in order already.
        self.order.sort();
    }
}

/// What the threads of a search met in one level, each by itself. They keep the memory from level to level.
pub(super) type Met<S> = [Mutex<New<S>>];

/// What a thread is asked to do.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// Expand states, until none is left or there is no room.
    Expand,
    /// Put what it met in order.
    Rank,
}

/// The threads of a search.
pub(super) struct Crew<'a, S: Space> {
    orders: Vec<Sender<Order>>,
    done: Receiver<thread::Result<()>>,
    pub(super) met: &'a Met<S>,
}

/// Calls `main` with a crew, whose threads live until it returns.
pub(super) fn with_crew<S: Space, R>(
    common: &Common<'_, S>,
    threads: usize,
    main: impl FnOnce(&Crew<'_, S>) -> R,
) -> R {
    let met: Vec<Mutex<New<S>>> = (0..threads.max(1)).map(|_| Mutex::default()).collect();
    thread::scope(|scope| {
        let (report, done) = channel();
        let hire = |(nth, met): (usize, _)| {
            let (order, orders) = channel();
            let report = report.clone();
            let mut worker = Worker::new(nth);
            common.space.exchange(&common.store, &mut worker.scratch);
            scope.spawn(move || {
                while let Ok(order) = orders.recv() {
                    let work = || worker.work(order, common, met);
                    if report.send(catch_unwind(AssertUnwindSafe(work))).is_err() {
                        break;
                    }
                }
            });
            order
        };
        let orders = met.iter().enumerate().map(hire).collect();
        main(&Crew { orders, done, met: &met })
    })
}

impl<S: Space> Crew<'_, S> {
    /// Expands the level that lies there. `tick` is called while threads work, and returns whether to go on.
    pub(super) fn expand(&self, common: &Common<'_, S>, tick: &mut dyn FnMut() -> bool) {
        let ground = || common.ground.write().unwrap_or_else(PoisonError::into_inner);
        let mut level = ground();
        let states = level.frontier.order.len();
        let threads = if states < SMALL { 1 } else { self.orders.len() };
        level.left = Mutex::new(Left::all(states, threads));
        level.bettered.clear(states);
        drop(level);
        loop {
            self.send_out(Order::Expand, threads, common, tick);
            let missing = common.counts.missing.swap(0, Ordering::Relaxed);
            if missing == 0 || common.counts.stop.load(Ordering::Relaxed) {
                return self.send_out(Order::Rank, threads, common, tick);
            }
            // Nobody reads it now.
            ground().table.grow(missing, self.orders.len());
        }
    }

    fn send_out(&self, order: Order, threads: usize, common: &Common<'_, S>, tick: &mut dyn FnMut() -> bool) {
        for orders in &self.orders[..threads] {
            orders.send(order).expect("a thread ends only with its crew");
        }
        let mut working = threads;
        while working > 0 {
            match self.done.recv_timeout(TICK) {
                Ok(Ok(())) => working -= 1,
                Ok(Err(panic)) => {
                    common.counts.stop.store(true, Ordering::Relaxed);
                    resume_unwind(panic)
                }
                Err(_) => {}
            }
            if !tick() {
                common.counts.stop.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// What one thread has at hand.
struct Worker<S: Space> {
    scratch: S::Scratch,
    /// What was reached from some states, and how, with its fingerprint.
    to: Vec<S::Reached>,
    came: Vec<(Link, u64)>,
    /// Pieces of memory for new states.
    spare: Vec<Vec<S::Kept>>,
    /// Room in the table that is left.
    granted: usize,
    /// Which of the threads it is.
    nth: usize,
}

impl<S: Space> Worker<S> {
    fn new(nth: usize) -> Self {
        Self {
            nth,
            scratch: S::Scratch::default(),
            to: Vec::new(),
            came: Vec::new(),
            spare: Vec::new(),
            granted: 0,
        }
    }

    fn work(&mut self, order: Order, common: &Common<'_, S>, new: &Mutex<New<S>>) {
        let ground = common.ground.read().unwrap_or_else(PoisonError::into_inner);
        let mut new = new.lock().unwrap_or_else(PoisonError::into_inner);
        match order {
            Order::Expand => self.run(common, &ground, &mut new),
            Order::Rank => new.rank(&ground.table, &ground.bettered),
        }
    }

    fn run(&mut self, common: &Common<'_, S>, ground: &Ground<S>, new: &mut New<S>) {
        let counts = &common.counts;
        let waste = || ground.waste.lock().unwrap_or_else(PoisonError::into_inner).pop();
        while let Some(mut part) = waste() {
            part.clear();
            self.spare.push(part);
        }
        let mut actions = Vec::new();
        let nth = self.nth;
        let take = || ground.left.lock().unwrap_or_else(PoisonError::into_inner).take(nth);
        while let Some(mut range) = take() {
            common.space.exchange(&common.store, &mut self.scratch);
            let before = new.prints.len();
            let mut generated = 0;
            while !range.is_empty() && !counts.stop.load(Ordering::Relaxed) {
                let has_room = self.expand(common, ground, &mut range, &mut actions);
                generated += self.came.len() as u64;
                self.add(common, ground, new);
                if !has_room {
                    break;
                }
            }
            let more = (new.prints.len() - before) as u64;
            counts.generated.fetch_add(generated, Ordering::Relaxed);
            if counts.unique.fetch_add(more, Ordering::Relaxed) + more >= common.states_max {
                counts.state_bound.store(true, Ordering::Relaxed);
                counts.stop.store(true, Ordering::Relaxed);
            }
            if !range.is_empty() {
                ground.left.lock().unwrap_or_else(PoisonError::into_inner).returned.push(range);
                break;
            }
        }
        ground.table.refund(std::mem::take(&mut self.granted));
    }

    /// Takes all steps from some states, which are gone from the range then. `false` if the table has no room for those
    /// of the next one.
    fn expand(
        &mut self,
        common: &Common<'_, S>,
        ground: &Ground<S>,
        range: &mut Range<usize>,
        actions: &mut Vec<S::Action>,
    ) -> bool {
        self.came.clear();
        for at in range.clone().take(GROUP) {
            let kept = ground.frontier.get(at);
            actions.clear();
            common.space.actions(&common.store, kept, &mut self.scratch, actions);
            assert!(actions.len() <= Link::ACTIONS_MAX, "a state has too many actions");
            let most = self.came.len() + actions.len();
            if self.granted < most {
                let more = most.max(GRANT);
                if !ground.table.grant(more) {
                    common.counts.missing.fetch_max(more * 2, Ordering::Relaxed);
                    return false;
                }
                self.granted += more;
            }
            for (nth, action) in actions.iter().enumerate() {
                if self.to.len() == self.came.len() {
                    self.to.push(S::Reached::default());
                }
                let to = &mut self.to[self.came.len()];
                if common.space.step(&common.store, kept, action, to, &mut self.scratch) {
                    let link = Link::from(ground.frontier.first + at as u64, nth);
                    self.came.push((link, print_of(common.space, to)));
                }
            }
            range.start += 1;
        }
        true
    }

    /// Adds what was reached, as far as it is new.
    fn add(&mut self, common: &Common<'_, S>, ground: &Ground<S>, new: &mut New<S>) {
        let table = &ground.table;
        table.approach(self.came.iter().map(|(_, print)| *print));
        for (to, &(link, print)) in self.to.iter_mut().zip(&self.came) {
            let added = match &common.exact {
                None => table.add(print, link),
                Some(states) => add_exact(common, states, table, print, link, to),
            };
            match added {
                Added::Known => continue,
                Added::Bettered => {
                    ground.bettered.add(print);
                    continue;
                }
                Added::New => {}
            }
            self.granted -= 1;
            let found = &mut new.found;
            common.space.findings(&common.store, to, &mut |finding| {
                if !ground.known.contains(&finding) {
                    found.push((finding, print));
                }
            });
            new.push(print, link, common.space.keep(to), &mut self.spare);
        }
    }
}

fn add_exact<S: Space>(
    common: &Common<'_, S>,
    states: &Exact<S>,
    table: &Table,
    print: u64,
    link: Link,
    reached: &S::Reached,
) -> Added {
    let state = common.space.state(&common.store, reached);
    let mut states = states.lock().unwrap_or_else(PoisonError::into_inner);
    let added = table.add(print, link);
    let first = states.entry(print).or_insert_with(|| state.clone());
    if added != Added::New && !common.space.same(first, &state) {
        common.counts.collisions.fetch_add(1, Ordering::Relaxed);
    }
    added
}
