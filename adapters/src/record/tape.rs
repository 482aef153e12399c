//! What happens to a node that is recorded: every step becomes bytes in a buffer that a thread of its own empties.
//!
//! The buffer is bounded. If it is full, the recording ends, and the node goes on: nobody ever waits for a disk.

use std::{
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use gatepass_core::{
    message::{AccountsAnswer, AccountsAsk},
    role::{Effect, Entropy, Event, Outage, Step},
};

use super::{Ending, Entry, nanos, put};
use crate::{accounts::AccountsPort, drive::RoleId, store::Recall};

/// Bytes that may wait to be written.
const PENDING_MAX: usize = 16 << 20;
/// Entries are gathered this long: a process that is killed loses no more.
const GATHER: Duration = Duration::from_millis(25);
/// A process to which nothing happens says so this often.
const ALIVE: Duration = Duration::from_millis(500);

/// Where entries of a recording go, from any thread.
pub struct Recorder {
    since: Instant,
    pending: Mutex<Pending>,
    ready: Condvar,
}

struct Pending {
    /// Entries with secrets in them, not for any file.
    bytes: Vec<u8>,
    /// Nothing is taken any more, for this reason.
    ended: Option<Ending>,
    /// The thread that writes waits for something to do.
    idle: bool,
}

impl Recorder {
    pub(super) fn new(since: Instant) -> Self {
        let pending = Pending { bytes: Vec::new(), ended: None, idle: false };
        Self { since, pending: Mutex::new(pending), ready: Condvar::new() }
    }

    /// Appends an entry: `write` is told when.
    fn append(&self, write: impl FnOnce(u64, &mut Vec<u8>)) {
        let mut pending = self.lock();
        if pending.ended.is_some() {
            return;
        }
        // Taken under the lock, so that times never go back from one entry to the next.
        write(nanos(self.since.elapsed()), &mut pending.bytes);
        if pending.bytes.len() >= PENDING_MAX {
            pending.ended = Some(Ending::Overrun);
        }
        let wake = std::mem::take(&mut pending.idle);
        drop(pending);
        if wake {
            self.ready.notify_one();
        }
    }

    /// The last entry is there, for this reason.
    pub(super) fn end(&self, why: Ending) {
        self.lock().ended.get_or_insert(why);
        self.ready.notify_one();
    }

    /// Waits for entries and swaps them into `batch`, which is empty. Why there will be no more, if so.
    pub(super) fn take(&self, batch: &mut Vec<u8>) -> Option<Ending> {
        let mut pending = self.lock();
        while pending.bytes.is_empty() && pending.ended.is_none() {
            pending.idle = true;
            let woken = self.ready.wait_timeout(pending, ALIVE);
            let (again, timeout) = woken.unwrap_or_else(PoisonError::into_inner);
            pending = again;
            if timeout.timed_out() && pending.bytes.is_empty() && pending.ended.is_none() {
                put(&Entry::Alive { at: nanos(self.since.elapsed()) }, &mut pending.bytes);
            }
        }
        pending.idle = false;
        if pending.ended.is_none() {
            drop(pending);
            std::thread::sleep(GATHER);
            pending = self.lock();
        }
        std::mem::swap(&mut pending.bytes, batch);
        pending.ended
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        // Entries are appended whole, or their writer has panicked and takes the process with it.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder(..)")
    }
}

/// A node's own end of a recording.
pub struct Tape {
    recorder: Arc<Recorder>,
    /// The role and the event it hears, before anybody knows what follows.
    heard: Vec<u8>,
    drawn: Vec<[u8; 16]>,
}

impl Tape {
    pub(super) const fn new(recorder: Arc<Recorder>) -> Self {
        Self { recorder, heard: Vec::new(), drawn: Vec::new() }
    }

    /// A role hears an event.
    pub(crate) fn hears(&mut self, role: RoleId, event: &Event) {
        put(&(role, event), &mut self.heard);
    }

    /// Randomness that is noted when it is drawn.
    pub(crate) fn tap<'a>(&'a mut self, from: &'a mut dyn Entropy) -> impl Entropy + 'a {
        Tap { from, drawn: &mut self.drawn }
    }

    /// What followed from the event.
    pub(crate) fn does(&mut self, became: Option<Step>, effects: &[Effect]) {
        let Self { recorder, heard, drawn } = self;
        if let Some(became) = became {
            recorder.append(|at, bytes| {
                // The parts of `Entry::Stepped`, in its order and without owning any of them.
                put(&0_u8, bytes);
                put(&at, bytes);
                bytes.extend_from_slice(heard);
                put(&(&drawn[..], became, effects), bytes);
            });
        }
        heard.fill(0);
        heard.clear();
        drawn.fill([0; 16]);
        drawn.clear();
    }
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tape(..)")
    }
}

struct Tap<'a> {
    from: &'a mut dyn Entropy,
    drawn: &'a mut Vec<[u8; 16]>,
}

impl Entropy for Tap<'_> {
    fn bits(&mut self) -> [u8; 16] {
        let bits = self.from.bits();
        self.drawn.push(bits);
        bits
    }
}

/// An account store whose word that a credential is genuine is recorded, before anybody acts on it.
pub struct Witnessed {
    store: Arc<dyn AccountsPort>,
    recorder: Arc<Recorder>,
}

impl Witnessed {
    /// A store and who hears of it.
    #[must_use]
    pub const fn new(store: Arc<dyn AccountsPort>, recorder: Arc<Recorder>) -> Self {
        Self { store, recorder }
    }

    fn hear(&self, answer: &AccountsAnswer) {
        if let AccountsAnswer::Verified { account, .. } = *answer {
            self.recorder.append(|at, bytes| put(&Entry::Verified { at, account }, bytes));
        }
    }
}

impl fmt::Debug for Witnessed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Witnessed(..)")
    }
}

impl AccountsPort for Witnessed {
    fn answer(&self, ask: AccountsAsk) -> Result<AccountsAnswer, Outage> {
        let answer = self.store.answer(ask);
        if let Ok(answer) = &answer {
            self.hear(answer);
        }
        answer
    }

    fn recall(&self, ask: &AccountsAsk) -> Result<Recall, Outage> {
        let recall = self.store.recall(ask);
        if let Ok(Recall::Hit(answer)) = &recall {
            self.hear(answer);
        }
        recall
    }

    fn forget(&self) {
        self.store.forget();
    }
}
