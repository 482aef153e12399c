//! All recordings of a directory: each through its roles again, and the facts of all, in the order in which they
//! happened, against the properties.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    fmt, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use gatepass_core::{
    ids::{AccountId, ConnId, SessionKey},
    ledger::{self, Fact, Ledger},
    properties::{Properties, Property, View},
};
use serde::Serialize;

use super::{
    EXTENSION, Ending, Fault, StoreKind, nanos,
    replay::{End, Life, Noted, What},
};
use crate::drive::RoleId;

/// Violations of one property that are told one by one.
const TOLD_MAX: usize = 8;
/// What recordings do not show: payloads are signed and checked before a role hears of them.
const UNSEEN: [Property; 2] = [Property::SignatureFresh, Property::SignatureOnce];
/// Lives of one directory: their number is part of a connection's name.
const LIVES_MAX: usize = 1 << 16;

/// Why there is nothing to judge.
#[derive(Debug)]
pub enum VerifyError {
    /// The directory cannot be read.
    Io(io::Error),
    /// There is no recording in it.
    Empty,
    /// There are more recordings in it than can be told apart.
    TooMany,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Empty => write!(f, "holds no recording: no file whose name ends with .{EXTENSION}"),
            Self::TooMany => write!(f, "holds more than {LIVES_MAX} recordings"),
        }
    }
}

impl std::error::Error for VerifyError {}

/// What came of a directory.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Every role did again what was recorded, every file is as it was written, and no property is violated.
    pub consistent: bool,
    /// The recordings, oldest first.
    pub files: Vec<FileReport>,
    /// Events that roles heard.
    pub events: u64,
    /// Effects that followed.
    pub effects: u64,
    /// Facts, all of them held against the properties.
    pub facts: u64,
    /// One verdict for each property that recordings show.
    pub properties: Vec<Judged>,
    /// The others.
    pub unseen: Vec<Property>,
    /// Admissions on tokens whose issue is missing, since the recording of their cache is missing or has lost its
    /// end. These tokens are taken as good.
    pub assumed: u64,
    /// Violations that are none if the clocks of two machines are apart as far as they may be.
    pub unordered: u64,
    /// Machines, or starts of them, with clocks of their own.
    pub clocks: usize,
    /// Files that cannot be compared with the first: their aliases stand for other keys.
    pub strangers: usize,
}

/// One recording.
#[derive(Clone, Debug, Serialize)]
pub struct FileReport {
    /// Its file.
    pub file: PathBuf,
    /// What ran there.
    pub roles: Vec<&'static str>,
    /// How long it is.
    pub seconds: f64,
    /// Events that its roles heard.
    pub events: u64,
    /// Effects that followed.
    pub effects: u64,
    /// Facts among them, and what the account store said.
    pub facts: u64,
    /// How it ends, for people.
    pub ended: String,
    /// It ends in an orderly way, with its process.
    pub orderly: bool,
    /// What is wrong with it.
    pub fault: Option<Fault>,
}

/// The verdict on a property.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// Its name.
    pub property: Property,
    /// How often it is violated.
    pub violated: u64,
    /// The first of them.
    pub violations: Vec<Violation>,
}

/// A violation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Violation {
    /// In which recording the fact stands that completes it.
    pub file: PathBuf,
    /// The number of the entry there.
    pub index: u64,
    /// Seconds since the first recording began.
    pub seconds: f64,
    /// The fact.
    pub fact: String,
}

/// Judges all recordings of a directory. `skew` is how far clocks of different machines may be apart.
///
/// Memory is that of the roles and of what the ledger remembers of all sessions and tokens, not of the files.
///
/// # Errors
/// There is no recording. What is wrong with recordings is in the report.
pub fn verify(dir: &Path, skew: Duration) -> Result<Report, VerifyError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(VerifyError::Io)? {
        let path = entry.map_err(VerifyError::Io)?.path();
        if path.extension().is_some_and(|it| it == EXTENSION) {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(VerifyError::Empty);
    }
    if paths.len() >= LIVES_MAX {
        return Err(VerifyError::TooMany);
    }
    paths.sort();
    let mut judge = Judge::new(skew);
    for path in &paths {
        match Life::open(path) {
            Ok(Some(life)) => judge.lives.push(life),
            Ok(None) => judge.unread.push(unread(path, "before it began", None)),
            Err(fault) => judge.unread.push(unread(path, "where it is damaged", Some(fault))),
        }
    }
    judge.run();
    Ok(judge.report())
}

/// A file without a head.
fn unread(path: &Path, ended: &str, fault: Option<Fault>) -> FileReport {
    FileReport {
        file: path.to_owned(),
        roles: Vec::new(),
        seconds: 0.0,
        events: 0,
        effects: 0,
        facts: 0,
        ended: ended.to_owned(),
        orderly: false,
        fault,
    }
}

/// Nanoseconds on the clock that all recordings are put on.
type Time = i128;

struct Judge {
    lives: Vec<Life>,
    unread: Vec<FileReport>,
    ledger: Ledger,
    violations: BTreeMap<Property, (u64, Vec<Violation>)>,
    facts: u64,
    assumed: u64,
    begin: Time,
    skew: Skew,
}

impl Judge {
    fn new(skew: Duration) -> Self {
        Self {
            lives: Vec::new(),
            unread: Vec::new(),
            ledger: Ledger::default(),
            violations: BTreeMap::new(),
            facts: 0,
            assumed: 0,
            begin: 0,
            skew: Skew { most: nanos(skew).into(), ..Skew::default() },
        }
    }

    fn run(&mut self) {
        let (clocks, starts) = on_one_clock(&self.lives);
        self.begin = starts.iter().min().copied().unwrap_or(0);
        // Every life waits here with the time of what it says next; at first, with the time of its start.
        let mut heads: Vec<Option<Noted>> = self.lives.iter().map(|_| None).collect();
        let mut next: BinaryHeap<Reverse<(Time, usize)>> =
            starts.iter().enumerate().map(|(life, start)| Reverse((*start, life))).collect();
        let mut begun = false;
        while let Some(Reverse((time, life))) = next.pop() {
            match heads[life].take() {
                Some(noted) => self.hear(life, clocks[life], time, &noted),
                None if self.lives[life].header.store == Some(StoreKind::InMemory) && begun => {
                    self.start_over();
                }
                None => {}
            }
            begun = true;
            if let Some(noted) = self.lives[life].next() {
                next.push(Reverse((starts[life] + Time::from(noted.at), life)));
                heads[life] = Some(noted);
            }
        }
        let confirmed = self.skew.pass(Time::MAX);
        self.confirm(confirmed);
    }

    /// A new account store: ids and generations begin anew, and mean others.
    fn start_over(&mut self) {
        self.ledger = std::mem::take(&mut self.ledger).only_live();
    }

    fn hear(&mut self, life: usize, clock: usize, time: Time, noted: &Noted) {
        let due = self.skew.pass(time);
        self.confirm(due);
        let own = |conn: &ConnId| own_conn(*conn, life);
        let (broken, account, what) = match &noted.what {
            What::Gone(server) => return self.ledger.server_gone(*server),
            What::Requested(conn, request) => return self.ledger.requested(own(conn), request, None),
            What::Replied(conn, reply) => {
                (self.ledger.replied(own(conn), reply).broken, None, told(&**reply))
            }
            What::Breaks(broken, what) => (*broken, None, what.clone()),
            What::Fact(fact) => {
                let fact = with_own_conns(fact, life);
                self.facts += 1;
                self.assume(&fact);
                let room_capacity = self.lives[life].header.settings.capacity.room;
                let broken = self.ledger.record(&fact, View { player: None, room_capacity }).broken;
                let what = if broken == Properties::NONE { String::new() } else { told(&fact) };
                (broken, account_of(&fact), what)
            }
        };
        let seconds = (time - self.begin) as f64 / 1e9;
        let broken = Property::ALL.into_iter().filter(|property| broken.has(*property));
        let violation = |property| {
            let file = self.lives[life].path.clone();
            (property, Violation { file, index: noted.index, seconds, fact: what.clone() })
        };
        let suspects: Vec<_> = broken.map(violation).collect();
        let at_once = self.skew.hear(clock, time, account, suspects);
        self.confirm(at_once);
    }

    fn confirm(&mut self, suspects: Vec<(Property, Violation)>) {
        for (property, violation) in suspects {
            let (count, told) = self.violations.entry(property).or_default();
            *count += 1;
            if told.len() < TOLD_MAX {
                told.push(violation);
            }
        }
    }

    /// An admission on a token that a cache issued after the end of its recording, or without one, is taken as good.
    fn assume(&mut self, fact: &Fact) {
        let Fact::Admitted { server, account, seq, key: Some(key), .. } = *fact else { return };
        if self.ledger.tokens.contains_key(&key) {
            return;
        }
        let cache = |life: &&Life| {
            life.header.origin.cache.is_some_and(|(generation, _)| generation == seq.generation)
        };
        let lost = |life: &Life| {
            let cut = life.end.is_some_and(|end| end != End::Said(Ending::Orderly));
            cut && seq > life.newest
        };
        let mut caches = self.lives.iter().filter(cache).peekable();
        if caches.peek().is_some() && !caches.any(lost) {
            return;
        }
        self.assumed += 1;
        let session = SessionKey::new(key.bits());
        let genuine = ledger::Session { account, genuine: true, good: 0 };
        self.ledger.sessions.insert(session, genuine);
        let _ = self.ledger.issue(key, account, session, server, seq);
    }

    fn report(mut self) -> Report {
        let first = self.lives.first().map(|life| life.header.aliases);
        let strangers = self.lives.iter().filter(|life| Some(life.header.aliases) != first).count();
        let mut boots: Vec<_> = self.lives.iter().map(|life| &life.header.began.boot).collect();
        boots.sort();
        boots.dedup();
        let clocks = boots.len();
        let mut files: Vec<FileReport> = self.lives.iter().map(file_report).collect();
        files.append(&mut self.unread);
        files.sort_by(|a, b| a.file.cmp(&b.file));
        let judged = |property| {
            let (violated, violations) = self.violations.remove(&property).unwrap_or_default();
            Judged { property, violated, violations }
        };
        let seen = Property::ALL.into_iter().filter(|property| !UNSEEN.contains(property));
        let properties: Vec<Judged> = seen.map(judged).collect();
        let sound = files.iter().all(|file| file.fault.is_none());
        Report {
            consistent: sound && properties.iter().all(|judged| judged.violated == 0),
            events: files.iter().map(|file| file.events).sum(),
            effects: files.iter().map(|file| file.effects).sum(),
            facts: self.facts,
            files,
            properties,
            unseen: UNSEEN.to_vec(),
            assumed: self.assumed,
            unordered: self.skew.unordered,
            clocks,
            strangers,
        }
    }
}

fn file_report(life: &Life) -> FileReport {
    let roles = life.header.origin.roles();
    let here = RoleId::ALL.into_iter().filter(|role| roles.has(*role)).map(RoleId::name);
    let (ended, orderly) = match life.end {
        Some(End::Said(why)) => (why.says().to_owned(), why == Ending::Orderly),
        Some(End::Torn(0)) => ("with its process, which was killed".to_owned(), false),
        Some(End::Torn(bytes)) => {
            (format!("with its process, which was killed: {bytes} bytes of an unfinished block"), false)
        }
        Some(End::Faulty) | None => ("where something is wrong with it".to_owned(), false),
    };
    FileReport {
        file: life.path.clone(),
        roles: life.header.store.map(|_| "accounts").into_iter().chain(here).collect(),
        seconds: Duration::from_nanos(life.clock).as_secs_f64(),
        events: life.events,
        effects: life.effects_seen,
        facts: life.facts,
        ended,
        orderly,
        fault: life.fault.clone(),
    }
}

/// The clock of each life, and when it began, on one clock. Lives on one machine share a clock that never jumps;
/// machines are compared by what they believe the time is, once for each start of a machine.
fn on_one_clock(lives: &[Life]) -> (Vec<usize>, Vec<Time>) {
    let mut boots: Vec<(&str, Time)> = Vec::new();
    let mut clocks = Vec::new();
    let mut starts = Vec::new();
    for life in lives {
        let began = &life.header.began;
        let clock = boots.iter().position(|(boot, _)| *boot == began.boot).unwrap_or_else(|| {
            boots.push((&began.boot, Time::from(began.wall) - Time::from(began.monotonic)));
            boots.len() - 1
        });
        clocks.push(clock);
        starts.push(Time::from(began.monotonic) + boots[clock].1);
    }
    (clocks, starts)
}

/// Names of connections begin anew in every life; in the ledger they must not meet.
const fn own_conn(conn: ConnId, life: usize) -> ConnId {
    ConnId(conn.0 & ((1 << 48) - 1) | (life as u64) << 48)
}

fn with_own_conns(fact: &Fact, life: usize) -> Fact {
    let own = |conn: &mut ConnId| *conn = own_conn(*conn, life);
    let mut fact = fact.clone();
    match &mut fact {
        Fact::Admitted { conn, resumes, .. } => {
            own(conn);
            resumes.iter_mut().for_each(own);
        }
        Fact::Left { conn, .. } | Fact::EntryRefused { conn, .. } | Fact::Unseated { conn, .. } => own(conn),
        _ => {}
    }
    fact
}

/// Whose fact it is, where facts of several processes about one account must be in order.
const fn account_of(fact: &Fact) -> Option<AccountId> {
    match fact {
        Fact::CredentialChecked { account, .. }
        | Fact::SessionOpened { account, .. }
        | Fact::TokenIssued { account, .. }
        | Fact::Admitted { account, .. }
        | Fact::Left { account, .. } => Some(*account),
        _ => None,
    }
}

fn told<T: Serialize + fmt::Debug>(what: &T) -> String {
    serde_json::to_string(what).unwrap_or_else(|_| format!("{what:?}"))
}

/// What is said to be violated, by two machines whose clocks may be apart: it counts only if no fact of another
/// clock about the same account is so near that it may have come before.
#[derive(Default)]
struct Skew {
    most: Time,
    /// When each clock last had a fact about each account.
    latest: BTreeMap<(AccountId, usize), Time>,
    suspects: VecDeque<(Time, usize, AccountId, Property, Violation)>,
    unordered: u64,
}

impl Skew {
    /// Time goes on: what is confirmed by it.
    fn pass(&mut self, now: Time) -> Vec<(Property, Violation)> {
        let mut confirmed = Vec::new();
        while let Some(first) = self.suspects.front()
            && now.saturating_sub(first.0) > self.most
            && let Some((.., property, violation)) = self.suspects.pop_front()
        {
            confirmed.push((property, violation));
        }
        confirmed
    }

    /// A fact, and what it violates: given back if no other clock can have to do with it.
    fn hear(
        &mut self,
        clock: usize,
        time: Time,
        account: Option<AccountId>,
        suspects: Vec<(Property, Violation)>,
    ) -> Vec<(Property, Violation)> {
        let Some(account) = account.filter(|_| self.most > 0) else { return suspects };
        let before = self.suspects.len();
        self.suspects.retain(|(_, other, whose, ..)| *other == clock || *whose != account);
        self.unordered += (before - self.suspects.len()) as u64;
        let near = self
            .latest
            .range((account, 0)..=(account, usize::MAX))
            .any(|((_, other), latest)| *other != clock && time.saturating_sub(*latest) <= self.most);
        self.latest.insert((account, clock), time);
        let of_order = |property| {
            matches!(property, Property::SingleLiveSession | Property::NewestLoginWins | Property::Authentic)
        };
        let (waiting, sure): (Vec<_>, Vec<_>) =
            suspects.into_iter().partition(|(property, _)| of_order(*property));
        for (property, violation) in waiting {
            if near {
                self.unordered += 1;
            } else {
                self.suspects.push_back((time, clock, account, property, violation));
            }
        }
        sure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: Option<AccountId> = Some(AccountId(1));

    fn suspect(property: Property) -> Vec<(Property, Violation)> {
        let violation = Violation { file: PathBuf::new(), index: 0, seconds: 0.0, fact: String::new() };
        vec![(property, violation)]
    }

    /// A fact of one machine at 100, and one of another that breaks something at `time`: how often it counts.
    fn counts(most: Time, time: Time, other: usize, account: u64, property: Property) -> (usize, u64) {
        let mut skew = Skew { most, ..Skew::default() };
        let mut confirmed = 0;
        // In the order of their times, whichever that is.
        let mut facts =
            [(100, 0, ANN, Vec::new()), (time, other, Some(AccountId(account)), suspect(property))];
        facts.sort_by_key(|fact| fact.0);
        for (time, clock, account, suspects) in facts {
            confirmed += skew.pass(time).len();
            confirmed += skew.hear(clock, time, account, suspects).len();
        }
        (confirmed + skew.pass(Time::MAX).len(), skew.unordered)
    }

    #[test]
    fn only_what_another_clock_could_have_put_in_order_does_not_count() {
        let double = Property::SingleLiveSession;
        for near in [95, 105, 110] {
            assert_eq!(counts(10, near, 1, 1, double), (0, 1), "{near}");
            assert_eq!(counts(10, near, 0, 1, double), (1, 0), "the same clock");
            assert_eq!(counts(10, near, 1, 2, double), (1, 0), "another account");
            assert_eq!(counts(0, near, 1, 1, double), (1, 0), "clocks that are one");
            assert_eq!(counts(10, near, 1, 1, Property::RoomTokenSingleUse), (1, 0), "in any order");
        }
        for far in [80, 120] {
            assert_eq!(counts(10, far, 1, 1, double), (1, 0), "{far}");
        }
    }
}
