//! The account store behind the roles: its questions block, so they run where blocking is allowed.
//!
//! Passwords are hashed by a few threads behind a bounded queue; a full queue is an answer
//! ([`Outage::Overloaded`]), not a longer wait. Looking up an account takes microseconds and happens at once, so
//! that entering a room never waits behind somebody's password.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use gatepass_core::{
    ids::CallId,
    message::{AccountsAnswer, AccountsAsk},
    role::Outage,
};

use crate::{
    drive::RoleId,
    metrics::{Metrics, StoreOp},
    peer::Peer,
    store::{Recall, SqliteAccounts, StoreError},
};

/// A store of accounts. Its methods block.
pub trait AccountsPort: Send + Sync {
    /// Answers a question.
    ///
    /// # Errors
    /// If the store fails: the asker is told of an outage, never of a refusal.
    fn answer(&self, ask: AccountsAsk) -> Result<AccountsAnswer, Outage>;

    /// Answers a login whose password was found right a short while ago, in microseconds: it is asked first, on the thread
    /// that has the question. A store that remembers nothing does not answer.
    ///
    /// # Errors
    /// As [`AccountsPort::answer`].
    fn recall(&self, ask: &AccountsAsk) -> Result<Recall, Outage> {
        let _ = ask;
        Ok(Recall::Unasked)
    }

    /// Wipes what is remembered and too old to count. To be called every few seconds.
    fn forget(&self) {}
}

impl AccountsPort for SqliteAccounts {
    fn answer(&self, ask: AccountsAsk) -> Result<AccountsAnswer, Outage> {
        Self::answer(self, ask).map_err(failed)
    }

    fn recall(&self, ask: &AccountsAsk) -> Result<Recall, Outage> {
        Self::recall(self, ask).map_err(failed)
    }

    fn forget(&self) {
        Self::forget(self);
    }
}

fn failed(error: StoreError) -> Outage {
    // The error names operations and columns, never what a client sent.
    tracing::error!(%error, "the account store failed");
    Outage::Down
}

/// Who waits for an answer.
#[derive(Clone, Debug)]
pub enum Waiter {
    /// A role of this process.
    Role(RoleId, CallId),
    /// A role of another process.
    Link {
        /// Its link.
        peer: Arc<Peer>,
        /// Which of its roles.
        role: u8,
        /// The question's name.
        call: CallId,
    },
}

/// A question and who waits for its answer.
#[derive(Debug)]
pub struct Job {
    /// Who waits.
    pub waiter: Waiter,
    /// The question.
    pub ask: AccountsAsk,
}

/// What came of a question.
pub type Outcome = Result<AccountsAnswer, Outage>;

/// How questions are spread over threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneLimits {
    /// Threads that hash passwords.
    pub threads: usize,
    /// Passwords that may wait for them.
    pub queue: usize,
    /// Hash on the thread that asks. Right only where a hash costs less than a change of thread (some ten
    /// microseconds), which no cost fit for real passwords does.
    pub inline: bool,
}

/// Play times that may wait to be written.
const PLAYED_QUEUE: usize = 16_384;
/// Play times are gathered this long: waking a thread for each would cost more than writing it.
const PLAYED_GATHER: Duration = Duration::from_millis(50);

/// The store with its threads.
pub struct Lanes {
    store: Arc<dyn AccountsPort>,
    metrics: Arc<Metrics>,
    inline: bool,
    passwords: Arc<Lane>,
    played: Arc<Lane>,
}

struct Lane {
    state: Mutex<LaneState>,
    ready: Condvar,
    max: usize,
    /// How long a thread that is woken waits for more to do. Meanwhile it need not be woken again.
    gather: Duration,
}

#[derive(Default)]
struct LaneState {
    jobs: VecDeque<Job>,
    idle: usize,
    closed: bool,
}

impl Lanes {
    /// Starts the threads. `done` is called on them with every answer that was not given at once.
    ///
    /// # Errors
    /// A thread could not be started.
    pub fn start(
        store: Arc<dyn AccountsPort>,
        limits: LaneLimits,
        metrics: Arc<Metrics>,
        done: impl Fn(Waiter, Outcome) + Clone + Send + 'static,
    ) -> std::io::Result<Self> {
        let lanes = Self {
            store,
            metrics,
            inline: limits.inline,
            passwords: Arc::new(Lane::new(limits.queue, Duration::ZERO)),
            played: Arc::new(Lane::new(PLAYED_QUEUE, PLAYED_GATHER)),
        };
        for n in 0..limits.threads.max(1) {
            lanes.thread(&format!("password-{n}"), &lanes.passwords, StoreOp::Verify, done.clone())?;
        }
        // Nobody waits to hear that a play time is written.
        lanes.thread("played", &lanes.played, StoreOp::Played, |_, _| {})?;
        Ok(lanes)
    }

    fn thread(
        &self,
        name: &str,
        lane: &Arc<Lane>,
        op: StoreOp,
        done: impl Fn(Waiter, Outcome) + Send + 'static,
    ) -> std::io::Result<()> {
        let (lane, store, metrics) = (Arc::clone(lane), Arc::clone(&self.store), Arc::clone(&self.metrics));
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            while let Some((job, left)) = lane.take() {
                if op == StoreOp::Verify {
                    metrics.hash_queue(left);
                }
                let outcome = timed(&*store, &metrics, op, job.ask);
                done(job.waiter, outcome);
            }
        })?;
        Ok(())
    }

    /// Takes a question. The answer, if there is one at once; else it comes later.
    pub fn submit(&self, job: Job) -> Option<(Waiter, Outcome)> {
        if matches!(job.ask, AccountsAsk::Verify { .. })
            && let Some(outcome) = self.recall(&job.ask)
        {
            return Some((job.waiter, outcome));
        }
        match job.ask {
            AccountsAsk::Verify { .. } if self.inline => {
                Some((job.waiter, timed(&*self.store, &self.metrics, StoreOp::Verify, job.ask)))
            }
            AccountsAsk::Verify { .. } => {
                let refused = self.passwords.put(job, &self.metrics)?;
                Some((refused.waiter, Err(Outage::Overloaded)))
            }
            AccountsAsk::Profile { .. } => {
                Some((job.waiter, timed(&*self.store, &self.metrics, StoreOp::Profile, job.ask)))
            }
            AccountsAsk::Played { .. } => {
                let waiter = job.waiter.clone();
                let outcome = match self.played.put(job, &self.metrics) {
                    Some(_) => Err(Outage::Overloaded),
                    None => Ok(AccountsAnswer::Done),
                };
                Some((waiter, outcome))
            }
        }
    }

    /// The answer to a login whose password is remembered. It does not wait behind those that are hashed.
    fn recall(&self, ask: &AccountsAsk) -> Option<Outcome> {
        match self.store.recall(ask) {
            Ok(Recall::Unasked) => None,
            Ok(Recall::Miss) => {
                self.metrics.recalled(false);
                None
            }
            Ok(Recall::Hit(answer)) => {
                self.metrics.recalled(true);
                Some(Ok(answer))
            }
            // Whoever asks in full hears of it.
            Err(_) => None,
        }
    }

    /// Has the store wipe what it need not remember any more.
    pub(crate) fn forget(&self) {
        self.store.forget();
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.passwords.close();
        self.played.close();
    }
}

impl fmt::Debug for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lanes").field("inline", &self.inline).finish_non_exhaustive()
    }
}

fn timed(store: &dyn AccountsPort, metrics: &Metrics, op: StoreOp, ask: AccountsAsk) -> Outcome {
    let since = Instant::now();
    let outcome = store.answer(ask);
    metrics.store(op, since, outcome.is_err());
    outcome
}

impl Lane {
    fn new(max: usize, gather: Duration) -> Self {
        Self { state: Mutex::default(), ready: Condvar::new(), max, gather }
    }

    /// Queues a job; gives it back if the queue is full.
    fn put(&self, job: Job, metrics: &Metrics) -> Option<Job> {
        let mut state = self.lock();
        if state.jobs.len() >= self.max || state.closed {
            return Some(job);
        }
        if matches!(job.ask, AccountsAsk::Verify { .. }) {
            metrics.hash_queue(state.jobs.len() + 1);
        }
        state.jobs.push_back(job);
        let wake = state.idle > 0;
        drop(state);
        if wake {
            self.ready.notify_one();
        }
        None
    }

    /// Waits for a job; with it, how many are left. None once the lane is closed and empty.
    fn take(&self) -> Option<(Job, usize)> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some((job, state.jobs.len()));
            }
            if state.closed {
                return None;
            }
            state.idle += 1;
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
            if !self.gather.is_zero() && !state.closed {
                drop(state);
                thread::sleep(self.gather);
                state = self.lock();
            }
        }
    }

    fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, LaneState> {
        // A queue has no invariant that a panic could break.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use gatepass_core::{
        ids::AccountId,
        message::Credentials,
        text::{Password, bounded},
    };

    use super::*;

    /// A store that never ends with a hash, and remembers one password.
    struct Busy;

    impl AccountsPort for Busy {
        fn answer(&self, _: AccountsAsk) -> Outcome {
            loop {
                thread::park();
            }
        }

        fn recall(&self, ask: &AccountsAsk) -> Result<Recall, Outage> {
            let AccountsAsk::Verify { credentials: Credentials::Password { name, .. }, .. } = ask else {
                return Ok(Recall::Unasked);
            };
            match name.as_str() {
                "known" => Ok(Recall::Hit(verified())),
                "broken" => Err(Outage::Down),
                _ => Ok(Recall::Miss),
            }
        }
    }

    fn verified() -> AccountsAnswer {
        AccountsAnswer::Verified {
            account: AccountId(1),
            name: bounded("known").expect("short"),
            newbie: false,
            guest: false,
        }
    }

    fn job(name: &str) -> Job {
        let password = Password::new("any").expect("short");
        let credentials = Credentials::Password { name: bounded(name).expect("short"), password };
        let ask = AccountsAsk::Verify { credentials, guest_password: Password::empty() };
        Job { waiter: Waiter::Role(RoleId::Login, CallId::default()), ask }
    }

    #[test]
    fn who_is_remembered_does_not_wait_behind_those_who_are_hashed() {
        let metrics = Arc::new(Metrics::new());
        let limits = LaneLimits { threads: 1, queue: 1, inline: false };
        let lanes = Lanes::start(Arc::new(Busy), limits, Arc::clone(&metrics), |_, _| {}).expect("starts");
        // One is hashed for ever, one waits; whoever comes then is too many.
        let outcome = |name| lanes.submit(job(name)).map(|(_, outcome)| outcome);
        let full = |outcome: Option<Outcome>| matches!(outcome, Some(Err(Outage::Overloaded)));
        assert!((0..100).any(|_| {
            thread::sleep(Duration::from_millis(1));
            full(outcome("stranger"))
        }));
        assert!(full(outcome("broken")));
        assert_eq!(outcome("known"), Some(Ok(verified())));
        let page = metrics.render();
        assert!(page.contains("gatepass_remembered_passwords_total{result=\"hit\"} 1"), "{page}");
        assert!(!page.contains("gatepass_remembered_passwords_total{result=\"miss\"} 0"), "{page}");
    }
}
