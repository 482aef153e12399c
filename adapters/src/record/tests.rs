//! Recordings of a node with all roles, and what becomes of them in wrong hands.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use gatepass_core::{
    accounts::Accounts,
    cache::Cache,
    ids::{Addr, CallId, ConnId, Generation, RoomKey, ServerId, SessionKey},
    ledger::Fact,
    message::{
        AccountsAnswer, AccountsAsk, Answer, Ask, Asker, Credentials, Message, Question, Reply, Request,
        RequestBody, ToCenter, ToRoom,
    },
    policy::Policy,
    properties::Property,
    role::{Cx, Effect, Effects, Event, Outage, Role, Settings},
    text::{Device, Endpoint, Password, bounded, nickname},
};

use super::{
    Aliases, Ending, Entry, Header, Recorder, Recording, Report, StoreKind, Tape, Witnessed,
    chain::{ChainReader, ChainWriter, Next},
    put,
    replay::{Life, What},
    verify,
};
use crate::{
    accounts::AccountsPort,
    drive::{Node, Origin, OsEntropy, Out, RoleId},
    key::SharedKey,
};

const LOOPBACK: Addr = Addr((0xffff << 32) | 0x7f00_0001);

/// An empty directory for a test of this name.
fn place(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("gatepass-record-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("tests may write to the temporary directory");
    dir
}

/// The accounts as a role, behind the port that the store has.
struct Store(Mutex<(Accounts, OsEntropy)>);

impl AccountsPort for Store {
    fn answer(&self, ask: AccountsAsk) -> Result<AccountsAnswer, Outage> {
        let (accounts, entropy) = &mut *self.0.lock().expect("nobody panics with it");
        let mut effects = Effects::new();
        let call = CallId { conn: ConnId(1), number: 1 };
        let question = Question { from: Asker(0), call, ask: Ask::Accounts(ask) };
        let cx = &mut Cx { settings: &Settings::default(), entropy };
        let _ = accounts.step(cx, Event::Asked(question), &mut effects);
        let answer = effects.drain().find_map(|effect| match effect {
            Effect::Answer { answer: Answer::Accounts(answer), .. } => Some(answer),
            _ => None,
        });
        answer.ok_or(Outage::Down)
    }
}

/// A recorded node with all roles, and its accounts.
struct World {
    node: Node<OsEntropy>,
    store: Witnessed,
    recording: Recording,
    conns: u64,
    /// Whatever must not be in a file.
    secrets: Vec<Vec<u8>>,
}

impl World {
    fn new(dir: &Path, policy: Policy, max_bytes: u64) -> Self {
        let settings = Settings { policy, ..Settings::default() };
        let endpoint = Endpoint::from("127.0.0.1:9001").expect("short");
        let origin = Origin {
            cache: Some((Generation(1), false)),
            center: true,
            login: true,
            room: Some((ServerId(7), endpoint)),
        };
        let aliases = Aliases::of_this_life().expect("there is randomness");
        let store = Some(StoreKind::InMemory);
        let recording =
            Recording::start(dir, max_bytes, aliases, &settings, &origin, store).expect("it can be written");
        let mut node = Node::new(settings, origin.roles(), OsEntropy::new());
        node.record(recording.tape());
        let store = Arc::new(Store(Mutex::new((Accounts::new(), OsEntropy::new()))));
        let store = Witnessed::new(store, recording.recorder());
        let mut world = Self { node, store, recording, conns: 0, secrets: Vec::new() };
        world.node.start(Duration::ZERO);
        world.settle();
        world
    }

    fn settle(&mut self) -> Vec<Out> {
        let mut seen = Vec::new();
        loop {
            let out: Vec<_> = self.node.outbox().collect();
            if out.is_empty() {
                return seen;
            }
            for out in out {
                if let Out::Accounts { role, call, ask } = out {
                    let answer = self.store.answer(ask).map(Answer::Accounts);
                    if call.wants_answer() {
                        self.node.feed(role, Event::Answered { call, answer }, Duration::ZERO);
                    }
                } else {
                    seen.push(out);
                }
            }
        }
    }

    fn feed(&mut self, role: RoleId, event: Event) -> Vec<Out> {
        self.node.feed(role, event, Duration::ZERO);
        self.settle()
    }

    fn conn(&mut self) -> ConnId {
        self.conns += 1;
        ConnId(self.conns)
    }

    fn request(&mut self, body: RequestBody) -> Reply {
        let conn = self.conn();
        let msg = Message::Request(Request { addr: LOOPBACK, signed: true, body });
        let out = self.feed(RoleId::Login, Event::Received { conn, msg });
        let reply = out.into_iter().find_map(|out| match out {
            Out::Reply { conn: to, reply } if to == conn => Some(reply),
            _ => None,
        });
        reply.expect("everything that is asked is here, so the reply is too")
    }

    fn secret(&mut self, secret: &[u8]) {
        self.secrets.push(secret.to_vec());
    }

    fn log_in(&mut self, credentials: Credentials) -> Option<SessionKey> {
        match self.request(RequestBody::Login(credentials)) {
            Reply::LoggedIn { session, password, .. } => {
                self.secret(&session.bits());
                self.secret(&session.expose());
                if let Some(password) = password {
                    self.secret(password.expose());
                }
                Some(session)
            }
            _ => None,
        }
    }

    fn by_password(&mut self, name: &str, password: &str) -> Option<SessionKey> {
        self.secret(password.as_bytes());
        let name = bounded(name).expect("short");
        let password = Password::new(password).expect("short");
        self.log_in(Credentials::Register { name, password })
    }

    fn token(&mut self, session: SessionKey) -> RoomKey {
        match self.request(RequestBody::Room { session: Some(session), scene: 1002 }) {
            Reply::Room { key, .. } => {
                self.secret(&key.bits());
                self.secret(&key.expose());
                key
            }
            other => panic!("no room: {other:?}"),
        }
    }

    fn enter(&mut self, key: RoomKey) -> ConnId {
        let conn = self.conn();
        self.feed(RoleId::Room, Event::Opened { conn, addr: LOOPBACK });
        let msg = Message::ToRoom(ToRoom::Login { name: nickname("ann"), key: Some(key) });
        self.feed(RoleId::Room, Event::Received { conn, msg });
        conn
    }

    /// Two logins of one account, a guest, a wrong password, and a token that comes twice.
    fn evening(&mut self) {
        let session = self.by_password("ann", "correct horse").expect("registered");
        let first = self.token(session);
        self.enter(first);
        let session = self.by_password("ann", "correct horse").expect("she is known");
        let second = self.token(session);
        let conn = self.enter(second);
        self.enter(first);
        self.feed(RoleId::Room, Event::Received { conn, msg: Message::ToRoom(ToRoom::Heartbeat) });
        assert_eq!(self.by_password("ann", "battery staple"), None);
        let device = Device::from("0123456789abcdef0123456789abcdef01234567").expect("short");
        self.secret(device.as_bytes());
        let guest = self.log_in(Credentials::Guest { device }).expect("guests are welcome");
        let third = self.token(guest);
        let conn = self.enter(third);
        self.feed(RoleId::Room, Event::Received { conn, msg: Message::ToRoom(ToRoom::Logout) });
        self.feed(RoleId::Room, Event::Lost(conn));
    }

    fn end(self) -> Vec<Vec<u8>> {
        self.recording.close();
        self.secrets
    }
}

/// The only recording of a directory.
fn file(dir: &Path) -> PathBuf {
    let mut paths = fs::read_dir(dir).expect("it is there").map(|entry| entry.expect("readable").path());
    let path = paths.next().expect("a recording");
    assert_eq!(paths.next(), None);
    path
}

fn recorded(name: &str) -> (PathBuf, PathBuf) {
    let dir = place(name);
    let mut world = World::new(&dir, Policy::STRICT, 1 << 20);
    world.evening();
    world.end();
    let path = file(&dir);
    (dir, path)
}

fn judge(dir: &Path) -> Report {
    verify(dir, Duration::ZERO).expect("there is a recording")
}

fn violated(report: &Report) -> Vec<Property> {
    let broken = report.properties.iter().filter(|judged| judged.violated > 0);
    broken.map(|judged| judged.property).collect()
}

/// The head and all entries of a file.
fn read(path: &Path) -> (Header, Vec<Entry>) {
    let mut chain = ChainReader::open(path).expect("a recording");
    let Next::Block(head) = chain.next().expect("whole") else { panic!("no head") };
    let mut entries = Vec::new();
    while let Next::Block(block) = chain.next().expect("whole") {
        let mut rest = &block[..];
        while !rest.is_empty() {
            let (entry, after) = postcard::take_from_bytes(rest).expect("an entry");
            entries.push(entry);
            rest = after;
        }
    }
    (postcard::from_bytes(&head).expect("a head"), entries)
}

/// Writes a file anew, with sums that fit: what somebody does who knows the format.
fn forge(path: &Path, header: &Header, entries: &[Entry]) {
    let mut chain = ChainWriter::new(File::create(path).expect("writable")).expect("writable");
    let mut block = Vec::new();
    put(header, &mut block);
    chain.write(&block).expect("writable");
    for some in entries.chunks(10) {
        block.clear();
        some.iter().for_each(|entry| put(entry, &mut block));
        chain.write(&block).expect("writable");
    }
}

#[test]
fn what_was_recorded_happens_again() {
    let (dir, _) = recorded("again");
    let report = judge(&dir);
    assert!(report.consistent && report.files[0].orderly, "{report:?}");
    assert_eq!((report.files.len(), report.assumed, report.strangers), (1, 0, 0));
    assert!(report.events > 40 && report.facts > 10, "{report:?}");
    fs::remove_dir_all(dir).expect("it is ours");
}

#[test]
fn no_secret_is_in_the_file() {
    let dir = place("secrets");
    let mut world = World::new(&dir, Policy::STRICT, 1 << 20);
    world.evening();
    // Servers of the original kind forward to each other what we do not read.
    let register = ToCenter::Register {
        trusted: true,
        server: None,
        endpoint: Endpoint::new(),
        room_capacity: 1,
        capacity: 1,
    };
    let conn = ConnId(1000);
    world.feed(RoleId::Center, Event::Opened { conn, addr: LOOPBACK });
    world.feed(RoleId::Center, Event::Received { conn, msg: Message::ToCenter(register) });
    world.secret(b"a frame with a key");
    for link in 1..4 {
        let link = gatepass_core::ids::LinkId(link);
        let msg = ToCenter::Forward { link, flag: 0, data: b"a frame with a key".as_slice().into() };
        world.feed(RoleId::Center, Event::Received { conn, msg: Message::ToCenter(msg) });
    }
    let secrets = world.end();
    assert!(secrets.len() > 12, "keys, passwords, a device");
    let bytes = fs::read(file(&dir)).expect("readable");
    for secret in secrets {
        let found = bytes.windows(secret.len()).any(|window| window == secret);
        assert!(!found, "{:?} can be read", String::from_utf8_lossy(&secret));
    }
    assert!(judge(&dir).consistent);
    fs::remove_dir_all(dir).expect("it is ours");
}

#[test]
fn aliases_are_the_same_for_those_who_share_the_key() {
    let make = |key| Aliases::of_deployment(&SharedKey::new(key)).expect("there is memory");
    assert_eq!(make("one").name(), make("one").name());
    assert_ne!(make("one").name(), make("two").name());
    let own = || Aliases::of_this_life().expect("there is randomness").name();
    assert_ne!(own(), own());
}

#[test]
fn every_changed_byte_is_noticed() {
    let (dir, path) = recorded("changed");
    let whole = fs::read(&path).expect("readable");
    for at in (0..whole.len()).step_by(37) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&path, bytes).expect("writable");
        let report = judge(&dir);
        assert!(!report.consistent && report.files[0].fault.is_some(), "byte {at}: {report:?}");
    }
    fs::remove_dir_all(dir).expect("it is ours");
}

#[test]
fn a_file_that_is_cut_off_is_that_of_a_process_that_was_killed() {
    let (dir, path) = recorded("cut");
    let whole = fs::read(&path).expect("readable");
    let mut events = 0;
    for length in (0..whole.len()).step_by(41) {
        fs::write(&path, &whole[..length]).expect("writable");
        let report = judge(&dir);
        assert!(report.consistent && !report.files[0].orderly, "{length} bytes: {report:?}");
        assert!(report.events >= events, "a longer file tells no less");
        events = report.events;
    }
    fs::remove_dir_all(dir).expect("it is ours");
}

#[test]
fn blocks_cannot_be_left_out_moved_or_repeated() {
    let (dir, path) = recorded("blocks");
    let (header, entries) = read(&path);
    forge(&path, &header, &entries);
    assert!(judge(&dir).consistent, "the same in other blocks is the same");
    let whole = fs::read(&path).expect("readable");
    let (magic, mut rest) = whole.split_at(super::chain::MAGIC.len());
    let mut blocks = Vec::new();
    while let Some(length) = rest.first_chunk::<4>() {
        let (block, after) = rest.split_at(u32::from_le_bytes(*length) as usize + super::chain::BLOCK_COST);
        blocks.push(block);
        rest = after;
    }
    let last = blocks.len() - 1;
    assert!(last > 3);
    for at in 1..last {
        let mut changed = [blocks.clone(), blocks.clone(), blocks.clone()];
        changed[0].remove(at);
        changed[1].swap(at, at + 1);
        changed[2].insert(at, blocks[at]);
        for blocks in changed {
            fs::write(&path, [magic, &blocks.concat()].concat()).expect("writable");
            let report = judge(&dir);
            assert!(!report.consistent, "block {at}: {report:?}");
        }
    }
    fs::remove_dir_all(dir).expect("it is ours");
}

#[test]
fn a_forger_is_found_by_the_roles() {
    let (dir, path) = recorded("forged");
    let (header, entries) = read(&path);
    let step = |entry: &Entry| match entry {
        Entry::Stepped(step) => Some(step.clone()),
        _ => None,
    };
    let mut forged = 0;
    for (at, original) in entries.iter().enumerate() {
        let Some(original) = step(original).filter(|step| !step.effects.is_empty()) else { continue };
        let mut steps = vec![original.clone(); 3];
        // A fact of somebody else, an effect less, randomness that was not drawn.
        for effect in &mut steps[0].effects {
            if let Effect::Note(Fact::Admitted { account, .. } | Fact::SessionOpened { account, .. }) = effect
            {
                account.0 += 1;
            }
        }
        steps[1].effects.pop();
        steps[2].drawn.push([1; 16]);
        for step in steps.into_iter().filter(|step| *step != original) {
            let mut entries = entries.clone();
            entries[at] = Entry::Stepped(step);
            forge(&path, &header, &entries);
            let fault = judge(&dir).files[0].fault.clone();
            let found = matches!(fault, Some(super::Fault::Parted { index, .. }) if index == at as u64);
            assert!(found, "entry {at}: {fault:?}");
            forged += 1;
        }
    }
    assert!(forged > 60, "{forged}");
    // A step that is left out is missed by those that follow from it.
    let opened = |entry: &Entry| matches!(step(entry), Some(step) if matches!(step.event, Event::Opened { conn, .. } if conn != ConnId(0)));
    let at = entries.iter().position(opened).expect("players connect");
    let mut left_out = entries;
    left_out.remove(at);
    forge(&path, &header, &left_out);
    let fault = judge(&dir).files[0].fault.clone();
    assert!(matches!(fault, Some(super::Fault::Parted { role: "room", .. })), "{fault:?}");
    fs::remove_dir_all(dir).expect("it is ours");
}

#[test]
fn a_session_that_no_credential_stands_behind_is_a_violation() {
    let (dir, path) = recorded("nobody");
    let (header, mut entries) = read(&path);
    let before = entries.len();
    entries.retain(|entry| !matches!(entry, Entry::Verified { .. }));
    assert_eq!(before - entries.len(), 3, "two logins of ann, and a guest");
    forge(&path, &header, &entries);
    let report = judge(&dir);
    assert_eq!(violated(&report), [Property::Authentic]);
    assert!(!report.consistent && report.files[0].fault.is_none(), "{report:?}");
    fs::remove_dir_all(dir).expect("it is ours");
}

#[test]
fn what_happens_without_a_rule_is_seen() {
    let dir = place("rules");
    let policy =
        Policy { token_single_use: false, newest_login_only: false, links_verified: false, ..Policy::STRICT };
    let mut world = World::new(&dir, policy, 1 << 20);
    world.evening();
    let conn = world.conn();
    world.feed(RoleId::Center, Event::Opened { conn, addr: LOOPBACK });
    let register = ToCenter::Register {
        trusted: false,
        server: Some(ServerId(8)),
        endpoint: Endpoint::from("127.0.0.1:9002").expect("short"),
        room_capacity: 1,
        capacity: 1,
    };
    world.feed(RoleId::Center, Event::Received { conn, msg: Message::ToCenter(register) });
    world.end();
    let report = judge(&dir);
    assert!(report.files[0].fault.is_none(), "{report:?}");
    let broken = [Property::RoomTokenSingleUse, Property::NewestLoginWins, Property::UnverifiedIsMute];
    assert_eq!(violated(&report), broken, "{report:?}");
    fs::remove_dir_all(dir).expect("it is ours");
}

#[test]
fn a_lease_is_over_when_its_time_is_whoever_sleeps() {
    let (dir, path) = recorded("asleep");
    let (header, mut entries) = read(&path);
    let times = &header.settings.times;
    let length = super::nanos(times.lease - times.lease_margin);
    let end = entries.len() - 1;
    *entries[end].at() += 10 * length;
    forge(&path, &header, &entries);
    let mut life = Life::open(&path).expect("sound").expect("begun");
    let gone: Vec<u64> = std::iter::from_fn(|| life.next())
        .filter(|noted| noted.what == What::Gone(ServerId(7)))
        .map(|noted| noted.at)
        .collect();
    assert_eq!(gone.len(), 2, "at the end of the lease, and at the end of the recording");
    assert!(gone[0] >= length && gone[0] < 2 * length && gone[1] >= 10 * length, "{gone:?}");
    fs::remove_dir_all(dir).expect("it is ours");
}

#[test]
fn tokens_whose_issue_was_lost_with_its_cache_are_taken_as_good() {
    let (dir, path) = recorded("lost");
    let (header, entries) = read(&path);
    // As if the room had been a process of its own, and the other one had left nothing.
    let of_room = |entry: &&Entry| matches!(entry, Entry::Stepped(step) if step.role == RoleId::Room);
    let origin = Origin { room: header.origin.room, ..Origin::default() };
    let header = Header { origin, store: None, ..header };
    forge(&path, &header, &entries.iter().filter(of_room).cloned().collect::<Vec<_>>());
    let report = judge(&dir);
    assert!(report.consistent, "{report:?}");
    assert_eq!(report.assumed, 3);
    fs::remove_dir_all(dir).expect("it is ours");
}

#[test]
fn a_full_directory_ends_the_recording_and_not_the_server() {
    let dir = place("full");
    let max = 12_000;
    let mut world = World::new(&dir, Policy::STRICT, max);
    for name in 0..40 {
        let session = world.by_password(&format!("ann-{name}"), "correct horse").expect("registered");
        let key = world.token(session);
        world.enter(key);
        std::thread::sleep(Duration::from_millis(5));
    }
    world.end();
    assert!(fs::metadata(file(&dir)).expect("it is there").len() <= max);
    let report = judge(&dir);
    assert!(report.consistent && report.events > 20, "{report:?}");
    assert_eq!(report.files[0].ended, Ending::Full.says());
    fs::remove_dir_all(dir).expect("it is ours");
}

#[test]
fn a_disk_that_does_not_follow_ends_the_recording_and_costs_no_more_memory() {
    let recorder = Arc::new(Recorder::new(std::time::Instant::now()));
    let mut tape = Tape::new(Arc::clone(&recorder));
    let msg =
        ToCenter::Forward { link: gatepass_core::ids::LinkId(1), flag: 0, data: vec![7; 65_000].into() };
    let event = Event::Received { conn: ConnId(1), msg: Message::ToCenter(msg) };
    for _ in 0..1_000 {
        tape.hears(RoleId::Center, &event);
        tape.does(Some(gatepass_core::role::Step::Advanced), &[]);
    }
    let mut batch = Vec::new();
    assert_eq!(recorder.take(&mut batch), Some(Ending::Overrun));
    assert!(batch.len() > 16 << 20 && batch.len() < 17 << 20, "{}", batch.len());
    // What came before is whole.
    let mut rest = &batch[..];
    while !rest.is_empty() {
        rest = postcard::take_from_bytes::<Entry>(rest).expect("an entry").1;
    }
}

#[test]
fn an_origin_makes_the_same_roles() {
    let origin = Origin { cache: Some((Generation(3), true)), ..Origin::default() };
    assert_eq!(origin.roles().cache, Some(Cache::new(Generation(3), true)));
}
