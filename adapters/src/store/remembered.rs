//! Passwords that were found right a short while ago, so that whoever comes back soon is not hashed for again.
//!
//! Nothing here admits anybody by itself: it says that this very password was compared with this very stored hash, by
//! argon2id, not long ago. What is kept of it is a keyed hash. The key is drawn by each process for itself and leaves it
//! no more than the hashes do; both are wiped when they are of no more use.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use blake2::{
    Blake2bMac,
    digest::{FixedOutput, Update, consts::U32},
};
use gatepass_core::{ids::AccountId, text::Password};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::StoreError;

/// Accounts whose password is remembered at once. One more has the oldest forgotten.
pub(super) const ACCOUNTS_MAX: usize = 65_536;
/// The longest that any is remembered.
pub(crate) const LASTS_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What the keyed hash is for, so that no other use of the same function means the same.
const PURPOSE: &[u8; 16] = b"gatepass.pw.seen";

/// A keyed hash of a password, its account and the hash stored for it.
type Tag = Zeroizing<[u8; 32]>;

/// What is remembered.
pub(super) struct Remembered {
    key: Zeroizing<[u8; 32]>,
    lasts: Duration,
    max: usize,
    table: Mutex<Table>,
}

/// All entries last equally long, so the first to come is the first to go, for its age as for want of room.
///
/// Entries never move in memory while they are here, so that to wipe one is to wipe it.
struct Table {
    entries: VecDeque<Entry>,
    /// The number of the first of them; those behind it count on.
    first: u64,
    /// The number of an account's entry. Older ones of the same account are wiped, and wait for their turn.
    newest: HashMap<AccountId, u64>,
}

struct Entry {
    account: AccountId,
    tag: [u8; 32],
    until: Instant,
}

impl Remembered {
    /// Nothing yet. Each password will be remembered for this long after its check, those of at most `max` accounts.
    pub(super) fn new(lasts: Duration, max: usize) -> Result<Self, StoreError> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *key).map_err(|_| StoreError::Entropy)?;
        let table = Table { entries: VecDeque::with_capacity(max), first: 0, newest: HashMap::new() };
        Ok(Self { key, lasts, max, table: Mutex::new(table) })
    }

    /// Whether this password was found to be the one behind this stored hash, of this account, a short while ago. Takes
    /// the same time whether something is remembered of the account or not.
    pub(super) fn fits(&self, account: AccountId, stored: &str, password: &Password, now: Instant) -> bool {
        let tag = self.tag(account, stored, password);
        let table = self.lock();
        let nothing = Entry { account, tag: [0; 32], until: now };
        let entry = table.of(account).unwrap_or(&nothing);
        bool::from(entry.tag.ct_eq(&*tag)) & (now < entry.until)
    }

    /// Remembers a password that has just been found right.
    pub(super) fn remember(&self, account: AccountId, stored: &str, password: &Password, now: Instant) {
        let tag = self.tag(account, stored, password);
        let mut table = self.lock();
        table.forget(now);
        if let Some(known) = table.of_mut(account) {
            if known.tag.ct_eq(&*tag).into() {
                return;
            }
            known.tag.zeroize();
        }
        if table.entries.len() >= self.max {
            table.forget_first();
        }
        let number = table.first + table.entries.len() as u64;
        table.entries.push_back(Entry { account, tag: *tag, until: now + self.lasts });
        table.newest.insert(account, number);
    }

    /// Wipes what is too old to count.
    pub(super) fn forget(&self, now: Instant) {
        self.lock().forget(now);
    }

    fn tag(&self, account: AccountId, stored: &str, password: &Password) -> Tag {
        // Key and purpose have the lengths that the function takes.
        let mut mac = Blake2bMac::<U32>::new_with_salt_and_personal(Some(&*self.key), &[], PURPOSE)
            .expect("key and purpose are short enough");
        // Of known length, but for the last: no two triples are written alike.
        mac.update(&account.0.to_le_bytes());
        mac.update(&(stored.len() as u64).to_le_bytes());
        mac.update(stored.as_bytes());
        mac.update(password.expose());
        let mut tag = Tag::default();
        mac.finalize_into((&mut *tag).into());
        tag
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // At worst a password is hashed once more than it had to be.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn of(&self, account: AccountId) -> Option<&Entry> {
        self.entries.get(self.index(account)?)
    }

    fn of_mut(&mut self, account: AccountId) -> Option<&mut Entry> {
        let index = self.index(account)?;
        self.entries.get_mut(index)
    }

    fn index(&self, account: AccountId) -> Option<usize> {
        usize::try_from(self.newest.get(&account)? - self.first).ok()
    }

    fn forget(&mut self, now: Instant) {
        while self.entries.front().is_some_and(|entry| entry.until <= now) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let Some(entry) = self.entries.front_mut() else { return };
        entry.tag.zeroize();
        let account = entry.account;
        self.entries.pop_front();
        if self.newest.get(&account) == Some(&self.first) {
            self.newest.remove(&account);
        }
        self.first += 1;
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        for entry in &mut self.entries {
            entry.tag.zeroize();
        }
    }
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remembered").field("lasts", &self.lasts).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LASTS: Duration = Duration::from_secs(600);
    const STORED: &str = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNo";
    const ANN: AccountId = AccountId(1);

    fn password(text: &str) -> Password {
        Password::new(text).expect("short enough")
    }

    fn remembered(max: usize) -> Remembered {
        Remembered::new(LASTS, max).expect("there is randomness")
    }

    #[test]
    fn only_the_same_password_of_the_same_account_and_hash_fits() {
        let (remembered, now) = (remembered(9), Instant::now());
        let right = password("correct horse");
        assert!(!remembered.fits(ANN, STORED, &right, now));
        remembered.remember(ANN, STORED, &right, now);
        assert!(remembered.fits(ANN, STORED, &right, now));
        for wrong in ["correct horsf", "correct hors", "correct horse ", ""] {
            assert!(!remembered.fits(ANN, STORED, &password(wrong), now), "{wrong:?}");
        }
        assert!(remembered.fits(ANN, STORED, &right, now), "who guesses wrong takes nothing from who knows");
        assert!(!remembered.fits(AccountId(2), STORED, &right, now));
        assert!(!remembered.fits(ANN, &STORED.replace("c2Fs", "c2Ft"), &right, now));
        // What moves from the hash to the password is another triple.
        let (hash, rest) = STORED.split_at(STORED.len() - 1);
        assert!(!remembered.fits(ANN, hash, &password(&format!("{rest}correct horse")), now));
    }

    #[test]
    fn a_process_does_not_know_what_another_remembers() {
        let now = Instant::now();
        let (one, other) = (remembered(9), remembered(9));
        one.remember(ANN, STORED, &password("a"), now);
        assert_ne!(*one.tag(ANN, STORED, &password("a")), *other.tag(ANN, STORED, &password("a")));
    }

    #[test]
    fn it_ends_a_time_after_the_check_however_often_it_was_of_use() {
        let (remembered, now) = (remembered(9), Instant::now());
        let right = password("a");
        remembered.remember(ANN, STORED, &right, now);
        let last = now + LASTS - Duration::from_nanos(1);
        assert!(remembered.fits(ANN, STORED, &right, last));
        remembered.remember(ANN, STORED, &right, last);
        assert!(!remembered.fits(ANN, STORED, &right, now + LASTS));
        remembered.forget(now + LASTS);
        assert!(remembered.lock().entries.is_empty() && remembered.lock().newest.is_empty());
    }

    #[test]
    fn a_new_hash_takes_the_place_of_the_old_one() {
        let (remembered, now) = (remembered(9), Instant::now());
        let later = STORED.replace("c2Fs", "c2Ft");
        remembered.remember(ANN, STORED, &password("a"), now);
        remembered.remember(ANN, &later, &password("b"), now);
        assert!(remembered.fits(ANN, &later, &password("b"), now));
        assert!(!remembered.fits(ANN, STORED, &password("a"), now));
        assert_eq!(remembered.lock().entries[0].tag, [0; 32], "what is void is wiped");
        // The first entry goes without what came later.
        remembered.lock().forget_first();
        assert!(remembered.fits(ANN, &later, &password("b"), now));
    }

    #[test]
    fn beyond_its_bound_it_forgets_the_oldest() {
        let (remembered, now) = (remembered(100), Instant::now());
        let room = remembered.lock().entries.capacity();
        for id in 0..1_000 {
            remembered.remember(AccountId(id), STORED, &password("a"), now);
        }
        let fits = |id| remembered.fits(AccountId(id), STORED, &password("a"), now);
        assert_eq!((0..1_000).filter(|id| fits(*id)).collect::<Vec<_>>(), (900..1_000).collect::<Vec<_>>());
        let table = remembered.lock();
        assert_eq!((table.entries.len(), table.newest.len()), (100, 100));
        assert_eq!(table.entries.capacity(), room, "entries that move leave something behind");
    }

    #[test]
    fn it_shows_nothing() {
        let remembered = remembered(9);
        remembered.remember(ANN, STORED, &password("hunter2"), Instant::now());
        assert_eq!(format!("{remembered:?}"), "Remembered { lasts: 600s, .. }");
    }
}
