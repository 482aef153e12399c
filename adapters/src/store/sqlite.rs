//! Accounts in SQLite: one file, one writer, as many readers as threads ask.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use blake2::{Blake2b, Digest, digest::consts::U32};
use gatepass_core::{
    accounts::{guest_name, is_given_name, player_name, well_formed},
    ids::{AccountId, Payload},
    message::{AccountsAnswer, AccountsAsk, Credentials},
    refusal::Refusal,
    text::{Device, Identity, Name, Password, bounded},
};
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior, params,
};

use super::{
    StoreError,
    password::{HashCost, Passwords},
    remembered::{self, Remembered},
    schema,
};
use crate::clock::unix_time;

/// How long a statement waits for another program's write.
const BUSY: Duration = Duration::from_secs(5);
/// Threads are dealt out over this many sets of read connections...
const READER_SETS: usize = 8;
/// ...each of which keeps this many idle ones.
const READERS_MAX: usize = 4;
/// Play times are written together, at most this long after the first of them...
const PLAYED_DELAY: Duration = Duration::from_secs(1);
/// ...or when there are this many.
const PLAYED_MAX: usize = 4_096;
/// How often a login looks again when it loses a race for a name or a device. Accounts are never deleted, so
/// the first look after a lost race finds the winner.
const TRIES: usize = 3;

/// The account store of a single machine.
///
/// All methods block: call them from threads that may. No lock is held while a password is hashed, so
/// threads hash side by side. What must survive a power cut (accounts, bans, the generation) is synchronised
/// before it is answered; play times are not worth that and may lag by a second.
pub struct SqliteAccounts {
    path: String,
    flags: OpenFlags,
    readers: [Readers; READER_SETS],
    writer: Mutex<Connection>,
    played: Mutex<Played>,
    passwords: Passwords,
    /// Passwords that were right a short while ago, if any are to be remembered.
    remembered: Option<Remembered>,
    device_salt: [u8; 16],
}

/// Idle read connections of a few threads. What a connection remembers of the database stays near the processor of the
/// thread that uses it: to fetch it from another one takes longer than to look up an account.
#[derive(Default)]
#[repr(align(64))]
struct Readers(Mutex<Vec<Connection>>);

thread_local! {
    /// Which read connections a thread uses.
    static READER_SET: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Ordering::Relaxed) % READER_SETS
    };
}

/// Play times that are not written yet.
#[derive(Default)]
struct Played {
    at: BTreeMap<i64, i64>,
    since: Option<Instant>,
}

/// A row of `accounts`, as far as a login asks.
struct Account {
    id: AccountId,
    name: Name,
    hash: String,
    banned: bool,
}

/// Nobody's account.
const NOBODY: AccountId = AccountId(0);

/// What is remembered of a login's password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recall {
    /// It was found right a short while ago: this is the answer.
    Hit(AccountsAnswer),
    /// Not that it was: ask, and it is hashed.
    Miss,
    /// There is nothing to remember: this is no password, or none are remembered.
    Unasked,
}

/// Whose an account is to be.
#[derive(Clone, Copy)]
enum Owner<'a> {
    /// Of whoever knows its password.
    Name(&'a Name),
    /// A guest's.
    Device(&'a DeviceHash),
    /// Of somebody others vouch for.
    Identity(&'a Identity),
}

/// A device as the database knows it. Whoever knows a device id is its guest, so the id itself is not
/// stored: a salted 256-bit hash is enough for ids that cannot be guessed, as those of the original clients.
type DeviceHash = [u8; 32];

impl SqliteAccounts {
    /// Opens the database, creates it if it is not there, and brings its tables up to date. `:memory:` is a
    /// database that ends with this value.
    ///
    /// # Errors
    /// If the file cannot be opened or was written by a newer release.
    pub fn open(path: &str, cost: HashCost) -> Result<Self, StoreError> {
        let (path, flags) = if path == ":memory:" {
            // A shared name of its own, so that all connections of this value see one database.
            let mut name = [0; 8];
            getrandom::fill(&mut name).map_err(|_| StoreError::Entropy)?;
            let name = u64::from_le_bytes(name);
            (
                format!("file:/gatepass-{name:016x}?vfs=memdb"),
                OpenFlags::default() | OpenFlags::SQLITE_OPEN_URI,
            )
        } else {
            create_private(path);
            (path.to_owned(), OpenFlags::default() - OpenFlags::SQLITE_OPEN_URI)
        };
        let mut writer = connect(&path, flags)?;
        schema::migrate(&mut writer)?;
        let device_salt = writer.query_row("SELECT device_salt FROM meta", [], |row| row.get(0))?;
        Ok(Self {
            path,
            flags,
            readers: Default::default(),
            writer: Mutex::new(writer),
            played: Mutex::default(),
            passwords: Passwords::new(cost)?,
            remembered: None,
            device_salt,
        })
    }

    /// Has each password that was found right remembered for this long, so that [`SqliteAccounts::recall`] can answer
    /// for it without hashing: as a keyed hash, in the memory of this process only, for at most 65,536 accounts and at
    /// most a day.
    ///
    /// # Errors
    /// If the operating system has no randomness.
    pub fn remembering(mut self, lasts: Duration) -> Result<Self, StoreError> {
        self.remembered = Some(Remembered::new(lasts.min(remembered::LASTS_MAX), remembered::ACCOUNTS_MAX)?);
        Ok(self)
    }

    /// Answers a login whose password is remembered, as [`SqliteAccounts::answer`] would. Everything but the hash is
    /// looked at as there, so a ban or a changed password counts at once.
    ///
    /// # Errors
    /// If the database fails.
    pub fn recall(&self, ask: &AccountsAsk) -> Result<Recall, StoreError> {
        let Some(remembered) = &self.remembered else { return Ok(Recall::Unasked) };
        let AccountsAsk::Verify { credentials, .. } = ask else { return Ok(Recall::Unasked) };
        let (Credentials::Password { name, password } | Credentials::Register { name, password }) =
            credentials
        else {
            return Ok(Recall::Unasked);
        };
        let account = self.by_name(name)?;
        let now = Instant::now();
        // Who does not exist costs nearly as much as who does.
        let (id, hash) = account.as_ref().map_or((NOBODY, ""), |account| (account.id, &account.hash));
        let fits = remembered.fits(id, hash, password, now);
        Ok(match account {
            Some(account) if fits => Recall::Hit(admit(account)),
            _ => Recall::Miss,
        })
    }

    /// Wipes what is remembered and too old to count.
    pub fn forget(&self) {
        if let Some(remembered) = &self.remembered {
            remembered.forget(Instant::now());
        }
    }

    /// Answers a question of a role.
    ///
    /// # Errors
    /// If the database fails: the asking role is to hear of an outage, never of a refusal.
    pub fn answer(&self, ask: AccountsAsk) -> Result<AccountsAnswer, StoreError> {
        match ask {
            AccountsAsk::Verify { credentials, guest_password } => match credentials {
                Credentials::Password { name, password } => self.log_in(&name, &password, false),
                Credentials::Register { name, password } => self.log_in(&name, &password, true),
                Credentials::Guest { device } => self.log_in_guest(&device, &guest_password),
                Credentials::Signed { identity, registers, .. } => {
                    self.log_in_signed(&identity, registers, &guest_password)
                }
            },
            AccountsAsk::Profile { account } => self.profile(account),
            AccountsAsk::Played { account } => {
                self.note_played(account)?;
                Ok(AccountsAnswer::Done)
            }
        }
    }

    /// Draws the cache's next generation: greater than any that was ever drawn from this database, also
    /// after a power cut. It is at least the time in seconds, so it rises also where an older copy of the
    /// database was put back.
    ///
    /// # Errors
    /// If the database fails. The generation must then not be guessed.
    pub fn next_generation(&self) -> Result<u32, StoreError> {
        // From 2106 on it is the count alone.
        let now = u32::try_from(unix_seconds()).unwrap_or(0);
        let generation = self.writer().query_row(
            "UPDATE meta SET generation = max(generation + 1, ?1) RETURNING generation",
            [now],
            |row| row.get(0),
        )?;
        Ok(generation)
    }

    /// Whether a generation was ever drawn from this database.
    ///
    /// # Errors
    /// If the database fails.
    pub fn has_generations(&self) -> Result<bool, StoreError> {
        self.read(|reader| reader.query_row("SELECT generation > 0 FROM meta", [], |row| row.get(0)))
    }

    /// Takes the signed payloads that an earlier process has kept, so that they are there once. None if it did not
    /// come to that, and some may have been used that nobody knows of.
    ///
    /// # Errors
    /// If the database fails.
    pub fn take_used(&self) -> Result<Option<Vec<Payload>>, StoreError> {
        let mut writer = self.writer();
        let transaction = Transaction::new(&mut writer, TransactionBehavior::Immediate)?;
        let whole: bool =
            transaction.query_row("SELECT used_payloads_whole FROM meta", [], |row| row.get(0))?;
        let used: Vec<[u8; 16]> = {
            let mut rows = transaction.prepare("DELETE FROM used_payloads RETURNING payload")?;
            rows.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?
        };
        transaction.execute("UPDATE meta SET used_payloads_whole = 0", [])?;
        transaction.commit()?;
        Ok(whole.then(|| used.into_iter().map(Payload::new).collect()))
    }

    /// Keeps all signed payloads that are remembered as used, for [`SqliteAccounts::take_used`].
    ///
    /// # Errors
    /// If the database fails. Then nothing is kept.
    pub fn keep_used(&self, used: &[Payload]) -> Result<(), StoreError> {
        let mut writer = self.writer();
        let transaction = Transaction::new(&mut writer, TransactionBehavior::Immediate)?;
        transaction.execute("DELETE FROM used_payloads", [])?;
        {
            let mut insert = transaction.prepare("INSERT INTO used_payloads (payload) VALUES (?1)")?;
            for payload in used {
                insert.execute([payload.bits()])?;
            }
        }
        transaction.execute("UPDATE meta SET used_payloads_whole = 1", [])?;
        transaction.commit()?;
        Ok(())
    }

    /// Bans an account by its name, or lifts the ban. `false` if there is no such account.
    ///
    /// # Errors
    /// If the database fails.
    pub fn set_banned(&self, name: &str, banned: bool) -> Result<bool, StoreError> {
        let changed = self
            .writer()
            .prepare_cached("UPDATE accounts SET banned = ?2 WHERE name = ?1")?
            .execute(params![name, banned])?;
        Ok(changed == 1)
    }

    /// How many accounts there are.
    ///
    /// # Errors
    /// If the database fails.
    pub fn count(&self) -> Result<u64, StoreError> {
        let count: i64 =
            self.read(|reader| reader.query_row("SELECT count(*) FROM accounts", [], |row| row.get(0)))?;
        u64::try_from(count).map_err(|_| StoreError::Damaged("a count"))
    }

    fn log_in(&self, name: &Name, password: &Password, register: bool) -> Result<AccountsAnswer, StoreError> {
        if !well_formed(name) || password.is_empty() {
            return Ok(AccountsAnswer::Refused(Refusal::Malformed));
        }
        for _ in 0..TRIES {
            if let Some(account) = self.by_name(name)? {
                let wrong = if register { Refusal::NameTaken } else { Refusal::WrongCredentials };
                if !self.passwords.verify(password, &account.hash)? {
                    return Ok(AccountsAnswer::Refused(wrong));
                }
                if let Some(remembered) = &self.remembered {
                    remembered.remember(account.id, &account.hash, password, Instant::now());
                }
                return Ok(admit(account));
            }
            if !register {
                self.passwords.verify_nobody(password)?;
                return Ok(AccountsAnswer::Refused(Refusal::WrongCredentials));
            }
            if is_given_name(name) {
                return Ok(AccountsAnswer::Refused(Refusal::NameTaken));
            }
            let hash = self.passwords.hash(password)?;
            if let Some(id) = self.insert(Owner::Name(name), &hash)? {
                let newcomer = Account { id, name: *name, hash, banned: false };
                return Ok(welcome(&newcomer, false));
            }
        }
        Ok(AccountsAnswer::Refused(Refusal::NameTaken))
    }

    fn log_in_guest(&self, device: &Device, password: &Password) -> Result<AccountsAnswer, StoreError> {
        if device.is_empty() {
            return Ok(AccountsAnswer::Refused(Refusal::Malformed));
        }
        let device = self.hash_device(device);
        for _ in 0..TRIES {
            if let Some(account) = self.by_device(&device)? {
                return Ok(admit(account));
            }
            let hash = self.passwords.hash(password)?;
            if let Some(id) = self.insert(Owner::Device(&device), &hash)? {
                let newcomer = Account { id, name: guest_name(id), hash, banned: false };
                return Ok(welcome(&newcomer, true));
            }
        }
        Ok(AccountsAnswer::Refused(Refusal::NameTaken))
    }

    /// A login whose signature has been checked. An account that is made for it gets a password that nobody is ever
    /// told.
    fn log_in_signed(
        &self,
        identity: &Identity,
        registers: bool,
        password: &Password,
    ) -> Result<AccountsAnswer, StoreError> {
        for _ in 0..TRIES {
            if let Some(account) = self.by_identity(identity)? {
                return Ok(admit(account));
            }
            if !registers {
                return Ok(AccountsAnswer::Refused(Refusal::WrongCredentials));
            }
            let hash = self.passwords.hash(password)?;
            if let Some(id) = self.insert(Owner::Identity(identity), &hash)? {
                let newcomer = Account { id, name: player_name(id), hash, banned: false };
                return Ok(welcome(&newcomer, false));
            }
        }
        Ok(AccountsAnswer::Refused(Refusal::NameTaken))
    }

    /// Creates an account. Nothing if its name exists or its owner has one.
    fn insert(&self, owner: Owner<'_>, hash: &str) -> Result<Option<AccountId>, StoreError> {
        let mut writer = self.writer();
        let transaction = Transaction::new(&mut writer, TransactionBehavior::Immediate)?;
        let next: i64 = transaction
            .prepare_cached("SELECT coalesce(max(id), 0) + 1 FROM accounts")?
            .query_row([], |row| row.get(0))?;
        let id = account_id(next)?;
        match insert_as(&transaction, id, next, owner, hash) {
            Ok(()) => {
                transaction.commit()?;
                Ok(Some(id))
            }
            Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == ErrorCode::ConstraintViolation => {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn profile(&self, account: AccountId) -> Result<AccountsAnswer, StoreError> {
        let Ok(id) = i64::try_from(account.0) else {
            return Ok(AccountsAnswer::Refused(Refusal::WrongCredentials));
        };
        let banned = self.read(|reader| {
            let mut statement = reader.prepare_cached("SELECT banned FROM accounts WHERE id = ?1")?;
            statement.query_row([id], |row| row.get::<_, bool>(0)).optional()
        })?;
        Ok(match banned {
            None => AccountsAnswer::Refused(Refusal::WrongCredentials),
            Some(true) => AccountsAnswer::Refused(Refusal::Banned),
            Some(false) => AccountsAnswer::Profile,
        })
    }

    fn by_name(&self, name: &Name) -> Result<Option<Account>, StoreError> {
        const BY_NAME: &str = "SELECT id, name, password_hash, banned FROM accounts WHERE name = ?1";
        self.read(|reader| {
            reader.prepare_cached(BY_NAME)?.query_row([name.as_str()], |row| Ok(account(row))).optional()
        })?
        .transpose()
    }

    fn by_device(&self, device: &DeviceHash) -> Result<Option<Account>, StoreError> {
        const BY_DEVICE: &str = "SELECT id, name, password_hash, banned FROM accounts WHERE device = ?1";
        self.read(|reader| {
            reader.prepare_cached(BY_DEVICE)?.query_row([device], |row| Ok(account(row))).optional()
        })?
        .transpose()
    }

    fn by_identity(&self, identity: &Identity) -> Result<Option<Account>, StoreError> {
        const BY_IDENTITY: &str = "SELECT id, name, password_hash, banned FROM accounts
            JOIN identities ON identities.account = accounts.id WHERE realm = ?1 AND subject = ?2";
        self.read(|reader| {
            let key = [identity.realm.as_str(), identity.subject.as_str()];
            reader.prepare_cached(BY_IDENTITY)?.query_row(key, |row| Ok(account(row))).optional()
        })?
        .transpose()
    }

    fn note_played(&self, account: AccountId) -> Result<(), StoreError> {
        let Ok(id) = i64::try_from(account.0) else { return Ok(()) };
        let due = {
            let mut played = lock(&self.played);
            played.at.insert(id, unix_seconds());
            let since = *played.since.get_or_insert_with(Instant::now);
            if played.at.len() < PLAYED_MAX && since.elapsed() < PLAYED_DELAY {
                return Ok(());
            }
            std::mem::take(&mut *played)
        };
        self.write_played(&due)
    }

    fn write_played(&self, played: &Played) -> Result<(), StoreError> {
        let mut writer = self.writer();
        // These alone may be lost in a power cut, so they do not wait for the disk.
        writer.pragma_update(None, "synchronous", "NORMAL")?;
        let written = write_times(&mut writer, played);
        writer.pragma_update(None, "synchronous", "FULL")?;
        written.map_err(StoreError::from)
    }

    fn hash_device(&self, device: &Device) -> DeviceHash {
        Blake2b::<U32>::new().chain_update(self.device_salt).chain_update(device.as_bytes()).finalize().into()
    }

    /// Runs a question on a read connection of its own.
    fn read<T>(&self, question: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let Readers(readers) = &self.readers[READER_SET.with(|set| *set)];
        let kept = lock(readers).pop();
        let reader = match kept {
            Some(reader) => reader,
            None => connect(&self.path, self.flags)?,
        };
        let answer = question(&reader)?;
        // A connection whose question failed is not kept: the next one starts afresh.
        let mut readers = lock(readers);
        if readers.len() < READERS_MAX {
            readers.push(reader);
        }
        Ok(answer)
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        lock(&self.writer)
    }
}

impl Drop for SqliteAccounts {
    fn drop(&mut self) {
        let last = std::mem::take(&mut *lock(&self.played));
        if !last.at.is_empty()
            && let Err(error) = self.write_played(&last)
        {
            tracing::warn!(%error, "the last play times are not written");
        }
    }
}

impl std::fmt::Debug for SqliteAccounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteAccounts").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Locks. A thread that panicked while it held the lock left nothing half done: transactions roll back.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Creates the file, if it is not there, for its owner alone: it holds password hashes. SQLite gives the files
/// it puts beside it the same permissions.
fn create_private(path: &str) {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Whatever is wrong with the path, opening the database says it better.
    let _ = options.open(path);
}

fn connect(path: &str, flags: OpenFlags) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

fn insert_as(
    transaction: &Transaction<'_>,
    id: AccountId,
    row: i64,
    owner: Owner<'_>,
    hash: &str,
) -> rusqlite::Result<()> {
    const ACCOUNT: &str =
        "INSERT INTO accounts (id, name, device, password_hash, created) VALUES (?1, ?2, ?3, ?4, ?5)";
    const IDENTITY: &str = "INSERT INTO identities (realm, subject, account) VALUES (?1, ?2, ?3)";
    let (name, device) = match owner {
        Owner::Name(name) => (*name, None),
        Owner::Device(device) => (guest_name(id), Some(device)),
        Owner::Identity(_) => (player_name(id), None),
    };
    transaction.prepare_cached(ACCOUNT)?.execute(params![
        row,
        name.as_str(),
        device,
        hash,
        unix_seconds()
    ])?;
    if let Owner::Identity(identity) = owner {
        let Identity { realm, subject } = identity;
        transaction.prepare_cached(IDENTITY)?.execute(params![realm.as_str(), subject.as_str(), row])?;
    }
    Ok(())
}

fn write_times(writer: &mut Connection, played: &Played) -> rusqlite::Result<()> {
    let transaction = Transaction::new(writer, TransactionBehavior::Immediate)?;
    {
        let mut statement =
            transaction.prepare_cached("UPDATE accounts SET last_played = ?2 WHERE id = ?1")?;
        for (id, at) in &played.at {
            statement.execute(params![id, at])?;
        }
    }
    transaction.commit()
}

/// The answer to an account whose owner has proved himself.
fn admit(account: Account) -> AccountsAnswer {
    if account.banned {
        return AccountsAnswer::Refused(Refusal::Banned);
    }
    AccountsAnswer::Verified { account: account.id, name: account.name, newbie: false, guest: false }
}

/// The answer to an account that has just been created.
fn welcome(account: &Account, guest: bool) -> AccountsAnswer {
    AccountsAnswer::Verified { account: account.id, name: account.name, newbie: true, guest }
}

fn account(row: &Row<'_>) -> Result<Account, StoreError> {
    let name = row.get_ref(1)?.as_str().map_err(|_| StoreError::Damaged("a name"))?;
    Ok(Account {
        id: account_id(row.get(0)?)?,
        name: bounded(name).ok_or(StoreError::Damaged("a name"))?,
        hash: row.get(2)?,
        banned: row.get(3)?,
    })
}

fn account_id(id: i64) -> Result<AccountId, StoreError> {
    u64::try_from(id).map(AccountId).map_err(|_| StoreError::Damaged("an account id"))
}

fn unix_seconds() -> i64 {
    i64::try_from(unix_time().as_secs()).unwrap_or(i64::MAX)
}
