//! The database against the role of the same questions, and what only a database can get wrong.

use std::{
    path::PathBuf,
    sync::{
        Barrier,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use gatepass_core::{
    accounts::Accounts,
    ids::{AccountId, CallId, Payload},
    message::{AccountsAnswer, AccountsAsk, Age, Answer, Ask, Asker, Credentials, Question},
    policy::SignedText,
    refusal::Refusal,
    role::{Cx, Effect, Effects, Entropy, Event, Role, Settings},
    text::{Identity, Password, bounded},
};
use proptest::prelude::*;

use super::*;

/// A database file that is removed with everything around it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("gatepass-store-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary directory");
        Self(path)
    }

    fn open(&self) -> SqliteAccounts {
        SqliteAccounts::open(&self.file(), HashCost::Test).expect("opens")
    }

    fn file(&self) -> String {
        self.0.join("accounts.db").to_str().expect("a plain path").to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn memory() -> SqliteAccounts {
    SqliteAccounts::open(":memory:", HashCost::Test).expect("opens")
}

/// A store that remembers passwords for longer than any test lasts.
fn remembering() -> SqliteAccounts {
    memory().remembering(Duration::from_secs(3_600)).expect("there is randomness")
}

/// Answers as a process does: from memory, if it can.
fn answer_soon(store: &SqliteAccounts, ask: AccountsAsk) -> AccountsAnswer {
    match store.recall(&ask).expect("the database works") {
        Recall::Hit(answer) => answer,
        Recall::Miss | Recall::Unasked => answer(store, ask),
    }
}

fn secret(text: &str) -> Password {
    Password::new(text).expect("short enough")
}

fn verify(credentials: Credentials) -> AccountsAsk {
    AccountsAsk::Verify { credentials, guest_password: secret("for guests") }
}

fn login(name: &str, password: &str) -> AccountsAsk {
    verify(Credentials::Password { name: bounded(name).expect("short"), password: secret(password) })
}

fn register(name: &str, password: &str) -> AccountsAsk {
    verify(Credentials::Register { name: bounded(name).expect("short"), password: secret(password) })
}

fn guest(device: &str) -> AccountsAsk {
    verify(Credentials::Guest { device: bounded(device).expect("short") })
}

fn signed(name: &str) -> AccountsAsk {
    let identity = Identity::new("portal", name).expect("short");
    vouched(identity, true)
}

fn vouched(identity: Identity, registers: bool) -> AccountsAsk {
    let (payload, age) = (Payload::new([7; 16]), Age::Fresh);
    verify(Credentials::Signed { identity, registers, payload, age, form: Some(SignedText::Unambiguous) })
}

fn answer(store: &SqliteAccounts, ask: AccountsAsk) -> AccountsAnswer {
    store.answer(ask).expect("the database works")
}

const fn refused(why: Refusal) -> AccountsAnswer {
    AccountsAnswer::Refused(why)
}

struct NoEntropy;
impl Entropy for NoEntropy {
    fn bits(&mut self) -> [u8; 16] {
        [0; 16]
    }
}

fn ask_role(role: &mut Accounts, ask: AccountsAsk) -> AccountsAnswer {
    let settings = Settings::default();
    let mut cx = Cx { settings: &settings, entropy: &mut NoEntropy };
    let mut out = Effects::new();
    let question =
        Question { from: Asker(1), call: CallId { number: 1, ..CallId::default() }, ask: Ask::Accounts(ask) };
    let _ = role.step(&mut cx, Event::Asked(question), &mut out);
    let mut answers = out.drain().filter_map(|effect| match effect {
        Effect::Answer { answer: Answer::Accounts(answer), .. } => Some(answer),
        _ => None,
    });
    answers.next().expect("every question has an answer")
}

#[derive(Clone, Debug)]
enum Operation {
    Ask(AccountsAsk),
    Ban { id: u64, banned: bool },
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    // Few names, passwords and devices, so that they meet; some are malformed, some look generated.
    let name = prop::sample::select(vec![
        "ann",
        "bob",
        "guest1",
        "guest3",
        "player#1",
        "",
        "a\u{7}b",
        "\u{e9}\u{1F600}",
    ]);
    let subject = prop::sample::select(vec!["ann", "bob", "player#1", "guest1", "\u{e9}\u{1F600}"]);
    let password = prop::sample::select(vec!["one", "two", "for guests", ""]);
    let device = prop::sample::select(vec!["d-1", "d-2", "d-3", ""]);
    let id = prop_oneof![4 => 0_u64..6, 1 => Just(u64::MAX)];
    let operation = prop_oneof![
        3 => (name.clone(), password.clone()).prop_map(|(n, p)| Operation::Ask(login(n, p))),
        3 => (name.clone(), password).prop_map(|(n, p)| Operation::Ask(register(n, p))),
        2 => subject.prop_map(|n| Operation::Ask(signed(n))),
        2 => device.prop_map(|d| Operation::Ask(guest(d))),
        2 => id.clone().prop_map(|id| Operation::Ask(AccountsAsk::Profile { account: AccountId(id) })),
        1 => id.clone().prop_map(|id| Operation::Ask(AccountsAsk::Played { account: AccountId(id) })),
        1 => (id, any::<bool>()).prop_map(|(id, banned)| Operation::Ban { id, banned }),
    ];
    prop::collection::vec(operation, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn the_database_answers_as_the_role_does(operations in operations()) {
        let stores = [memory(), remembering()];
        let mut role = Accounts::new();
        let mut names = std::collections::BTreeMap::new();
        for operation in operations {
            match operation {
                Operation::Ask(ask) => {
                    let expected = ask_role(&mut role, ask.clone());
                    if let AccountsAnswer::Verified { account, name, .. } = &expected {
                        names.insert(account.0, *name);
                    }
                    for store in &stores {
                        prop_assert_eq!(answer_soon(store, ask.clone()), expected.clone());
                    }
                }
                Operation::Ban { id, banned } => {
                    let name = names.get(&id).map_or("nobody", |name| name.as_str());
                    let known = role.set_banned(AccountId(id), banned);
                    for store in &stores {
                        prop_assert_eq!(store.set_banned(name, banned).expect("works"), known);
                    }
                }
            }
        }
    }
}

#[test]
fn accounts_survive_a_restart() {
    let scratch = Scratch::new();
    let first = answer(&scratch.open(), register("ann", "one"));
    assert!(matches!(first, AccountsAnswer::Verified { account: AccountId(1), newbie: true, .. }));
    let store = scratch.open();
    let again = answer(&store, login("ann", "one"));
    assert!(matches!(again, AccountsAnswer::Verified { account: AccountId(1), newbie: false, .. }));
    assert_eq!(answer(&store, login("ann", "two")), refused(Refusal::WrongCredentials));
    assert_eq!(store.count().expect("counts"), 1);
}

#[test]
fn a_guest_is_known_by_its_device_after_a_restart_and_by_its_password() {
    let scratch = Scratch::new();
    let first = answer(&scratch.open(), guest("device-1"));
    let AccountsAnswer::Verified { account, name, newbie: true, guest: true } = first else {
        panic!("{first:?}");
    };
    assert_eq!(name.as_str(), "guest1");
    let store = scratch.open();
    let known = AccountsAnswer::Verified { account, name, newbie: false, guest: false };
    assert_eq!(answer(&store, guest("device-1")), known);
    assert_eq!(answer(&store, login("guest1", "for guests")), known);
}

#[test]
fn an_identity_has_an_account_that_nothing_else_leads_to() {
    let scratch = Scratch::new();
    let first = answer(&scratch.open(), signed("ann"));
    let AccountsAnswer::Verified { account, name, newbie: true, guest: false } = first else {
        panic!("{first:?}");
    };
    assert_eq!(name.as_str(), "player#1");
    let store = scratch.open();
    let known = AccountsAnswer::Verified { account, name, newbie: false, guest: false };
    assert_eq!(answer(&store, signed("ann")), known);
    // Nobody is told its password, and it is not empty.
    assert_eq!(answer(&store, login("player#1", "anything")), refused(Refusal::WrongCredentials));
    assert_eq!(answer(&store, register("player#1", "anything")), refused(Refusal::NameTaken));
    assert!(store.set_banned("player#1", true).expect("bans"));
    assert_eq!(answer(&store, signed("ann")), refused(Refusal::Banned));
    // Others: of another spelling, in another realm, with a password, at a device.
    let realm = |realm, subject| {
        let identity = Identity::new(realm, subject).expect("short");
        vouched(identity, true)
    };
    let others = [
        signed("Ann"),
        signed("ann "),
        signed("a\u{301}nn"),
        signed("\u{e1}nn"),
        realm("portal ", "ann"),
        realm("portala", "nn"),
    ];
    let others = others.into_iter().chain([register("ann", "her own"), guest("ann")]);
    for (other, ask) in others.enumerate() {
        let id = AccountId(other as u64 + 2);
        let got = answer(&store, ask.clone());
        assert!(
            matches!(got, AccountsAnswer::Verified { account, newbie: true, .. } if account == id),
            "{ask:?}: {got:?}"
        );
    }
}

#[test]
fn who_does_not_register_has_to_be_known() {
    let stranger = |subject| {
        let identity = Identity::new("portal", subject).expect("short");
        vouched(identity, false)
    };
    let store = memory();
    assert_eq!(answer(&store, stranger("ann")), refused(Refusal::WrongCredentials));
    answer(&store, signed("ann"));
    assert!(matches!(answer(&store, stranger("ann")), AccountsAnswer::Verified { newbie: false, .. }));
}

#[test]
fn one_identity_is_one_account() {
    for store in [memory(), Scratch::new().open()] {
        let answers = race(&store, |_| signed("ann"));
        let newbies = answers.iter().filter(|a| matches!(a, AccountsAnswer::Verified { newbie: true, .. }));
        assert_eq!(newbies.count(), 1);
        assert!(answers.iter().all(|a| matches!(a, AccountsAnswer::Verified { account: AccountId(1), .. })));
    }
}

#[test]
fn secrets_are_not_in_the_file() {
    let scratch = Scratch::new();
    let store = scratch.open();
    answer(&store, register("visible-name", "invisible-password"));
    answer(&store, guest("invisible-device"));
    drop(store);
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(&scratch.0).expect("lists") {
        bytes.extend(std::fs::read(entry.expect("an entry").path()).expect("reads"));
    }
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("visible-name"));
    assert!(!holds("invisible-"));
}

#[cfg(unix)]
#[test]
fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let store = scratch.open();
    answer(&store, register("ann", "one"));
    for entry in std::fs::read_dir(&scratch.0).expect("lists") {
        let entry = entry.expect("an entry");
        let mode = entry.metadata().expect("is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?}", entry.file_name());
    }
}

#[test]
fn generations_only_grow_and_survive() {
    let scratch = Scratch::new();
    let store = scratch.open();
    assert!(!store.has_generations().expect("looks"));
    let first = store.next_generation().expect("draws");
    let second = store.next_generation().expect("draws");
    assert!(first < second && store.has_generations().expect("looks"));
    drop(store);
    assert!(second < scratch.open().next_generation().expect("draws"));
}

#[test]
fn a_generation_is_above_those_that_a_restored_backup_forgot() {
    let (scratch, backup) = (Scratch::new(), Scratch::new());
    drop(backup.open());
    let store = scratch.open();
    let before = store.next_generation().expect("draws");
    thread::sleep(Duration::from_millis(1_100));
    assert!(before < backup.open().next_generation().expect("draws"), "the copy has never drawn one");
}

#[test]
fn two_programs_share_a_file() {
    let scratch = Scratch::new();
    let (one, two) = (scratch.open(), scratch.open());
    answer(&one, register("ann", "one"));
    assert!(matches!(answer(&two, login("ann", "one")), AccountsAnswer::Verified { .. }));
    assert!(two.set_banned("ann", true).expect("bans"));
    assert_eq!(answer(&one, login("ann", "one")), refused(Refusal::Banned));
    assert_eq!(answer(&one, login("ann", "two")), refused(Refusal::WrongCredentials));
}

#[test]
fn one_of_many_registrations_of_a_name_wins() {
    for store in [memory(), Scratch::new().open()] {
        let answers = race(&store, |n| register("ann", &format!("password-{}", n % 4)));
        let created = answers.iter().filter(|a| matches!(a, AccountsAnswer::Verified { newbie: true, .. }));
        assert_eq!(created.count(), 1);
        let known = answers.iter().filter(|a| matches!(a, AccountsAnswer::Verified { newbie: false, .. }));
        assert_eq!(known.count(), 1, "the other thread with the winner's password");
        assert_eq!(answers.iter().filter(|a| **a == refused(Refusal::NameTaken)).count(), 6);
        assert_eq!(store.count().expect("counts"), 1);
    }
}

#[test]
fn one_device_is_one_guest() {
    for store in [memory(), Scratch::new().open()] {
        let answers = race(&store, |_| guest("device-1"));
        let newbies = answers.iter().filter(|a| matches!(a, AccountsAnswer::Verified { newbie: true, .. }));
        assert_eq!(newbies.count(), 1);
        assert!(answers.iter().all(|a| matches!(a, AccountsAnswer::Verified { account: AccountId(1), .. })));
    }
}

#[test]
fn many_threads_read_and_write_at_once() {
    for store in [memory(), Scratch::new().open()] {
        race(&store, |n| register(&format!("player{n}"), "one"));
        thread::scope(|scope| {
            for n in 0..8 {
                let store = &store;
                scope.spawn(move || {
                    for round in 0..50 {
                        let verified = answer(store, login(&format!("player{n}"), "one"));
                        let AccountsAnswer::Verified { account, .. } = verified else {
                            panic!("{verified:?}");
                        };
                        assert_eq!(answer(store, AccountsAsk::Profile { account }), AccountsAnswer::Profile);
                        assert_eq!(answer(store, AccountsAsk::Played { account }), AccountsAnswer::Done);
                        if round % 10 == 0 {
                            answer(store, register(&format!("player{n}-{round}"), "one"));
                        }
                    }
                });
            }
        });
        assert_eq!(store.count().expect("counts"), 8 + 8 * 5);
    }
}

#[test]
fn a_password_that_was_right_is_remembered_and_replaces_nothing_but_the_hash() {
    let store = remembering();
    let recall = |ask: AccountsAsk| store.recall(&ask).expect("the database works");
    answer(&store, register("ann", "one"));
    assert_eq!(recall(login("ann", "one")), Recall::Miss, "it was made, not checked");
    let right = answer(&store, login("ann", "one"));
    assert_eq!(recall(login("ann", "one")), Recall::Hit(right.clone()));
    assert_eq!(recall(register("ann", "one")), Recall::Hit(right.clone()));
    // A wrong one is hashed, and takes nothing from the right one.
    for wrong in [login("ann", "two"), login("bob", "one"), register("ann", "on"), login("ann", "")] {
        assert_eq!(recall(wrong.clone()), Recall::Miss, "{wrong:?}");
        assert!(matches!(answer(&store, wrong), AccountsAnswer::Refused(_)));
    }
    assert_eq!(recall(login("ann", "one")), Recall::Hit(right.clone()));
    // Who is banned is, at once.
    assert!(store.set_banned("ann", true).expect("works"));
    assert_eq!(recall(login("ann", "one")), Recall::Hit(refused(Refusal::Banned)));
    assert!(store.set_banned("ann", false).expect("works"));
    assert_eq!(recall(login("ann", "one")), Recall::Hit(right));
    // Others do not come with passwords.
    for other in [guest("d-1"), signed("ann"), AccountsAsk::Profile { account: AccountId(1) }] {
        answer(&store, other.clone());
        assert_eq!(recall(other), Recall::Unasked);
    }
}

#[test]
fn a_changed_password_is_not_the_remembered_one() {
    let scratch = Scratch::new();
    let store = scratch.open().remembering(Duration::from_secs(3_600)).expect("there is randomness");
    for (name, password) in [("ann", "one"), ("bob", "two")] {
        answer(&store, register(name, password));
        answer(&store, login(name, password));
    }
    let recalls = |name, password| store.recall(&login(name, password)).expect("works") != Recall::Miss;
    assert!(recalls("ann", "one") && recalls("bob", "two"));
    // Another program gives ann bob's password, hash and all.
    let file = rusqlite::Connection::open(scratch.file()).expect("opens");
    let change =
        "UPDATE accounts SET password_hash = (SELECT password_hash FROM accounts WHERE name = 'bob')";
    file.execute(change, []).expect("changes");
    assert!(!recalls("ann", "one") && !recalls("ann", "two") && recalls("bob", "two"));
    assert_eq!(answer(&store, login("ann", "one")), refused(Refusal::WrongCredentials));
    assert!(!recalls("ann", "two"));
    assert!(matches!(answer(&store, login("ann", "two")), AccountsAnswer::Verified { .. }));
    assert!(recalls("ann", "two") && !recalls("ann", "one"));
}

#[test]
fn a_password_is_remembered_for_a_time_in_one_process_and_only_if_it_shall_be() {
    let scratch = Scratch::new();
    let store = scratch.open().remembering(Duration::from_millis(1)).expect("there is randomness");
    answer(&store, register("ann", "one"));
    answer(&store, login("ann", "one"));
    thread::sleep(Duration::from_millis(2));
    assert_eq!(store.recall(&login("ann", "one")).expect("works"), Recall::Miss);
    drop(store);
    let again = scratch.open();
    answer(&again, login("ann", "one"));
    assert_eq!(again.recall(&login("ann", "one")).expect("works"), Recall::Unasked);
    let again = again.remembering(Duration::from_secs(3_600)).expect("there is randomness");
    assert_eq!(again.recall(&login("ann", "one")).expect("works"), Recall::Miss);
}

#[test]
fn play_times_are_written_at_the_end_at_the_latest() {
    let scratch = Scratch::new();
    let store = scratch.open();
    answer(&store, register("ann", "one"));
    answer(&store, AccountsAsk::Played { account: AccountId(1) });
    drop(store);
    let file = rusqlite::Connection::open(scratch.file()).expect("opens");
    let played: Option<i64> =
        file.query_row("SELECT last_played FROM accounts", [], |row| row.get(0)).expect("one row");
    assert!(played.is_some_and(|at| at > 0));
}

#[test]
fn a_file_that_is_no_database_is_an_error_not_an_empty_store() {
    let scratch = Scratch::new();
    std::fs::write(scratch.file(), b"this is no database, and long enough to be sure of it").expect("writes");
    assert!(SqliteAccounts::open(&scratch.file(), HashCost::Test).is_err());
}

/// Eight threads ask at the same moment.
fn race(store: &SqliteAccounts, ask: impl Fn(usize) -> AccountsAsk + Sync) -> Vec<AccountsAnswer> {
    let start = Barrier::new(8);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let (start, ask) = (&start, &ask);
                scope.spawn(move || {
                    let ask = ask(n);
                    start.wait();
                    answer(store, ask)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}
