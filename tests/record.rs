//! Recordings of real servers: processes under load, one of them killed, and what the check says of it.

#[path = "common/net.rs"]
mod net;
#[path = "common/process.rs"]
mod process;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use gatepass_core::properties::Property;
use net::{Player, log_in, room};
use process::{Process, gatepass};
use serde_json::Value;

/// An empty directory for a test of this name.
fn place(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("record-{name}"));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("tests may write to their directory");
    dir
}

/// The exit code and verdict of a check.
fn verify(dir: &Path) -> (Option<i32>, Value) {
    let mut check = Command::new(gatepass());
    let Output { status, stdout, stderr } =
        check.args(["verify-trace", "--json"]).arg(dir).output().expect("the command starts");
    let verdict = serde_json::from_slice(&stdout);
    let stderr = String::from_utf8_lossy(&stderr);
    (status.code(), verdict.unwrap_or_else(|error| panic!("{error}: {stderr}")))
}

fn violated(verdict: &Value) -> Vec<&str> {
    let judged = verdict["properties"].as_array().expect("one for each property");
    let unseen = verdict["unseen"].as_array().expect("a list").len();
    assert_eq!((judged.len() + unseen, unseen), (Property::ALL.len(), 2));
    let broken = judged.iter().filter(|judged| judged["violated"] != 0);
    broken.filter_map(|judged| judged["property"].as_str()).collect()
}

/// All recordings of a directory, in the order of their names.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("it is there").map(|entry| entry.expect("readable").path());
    let mut files: Vec<_> = entries.collect();
    files.sort();
    files
}

/// The bits behind a key's 32 digits.
fn bits(key: &str) -> Vec<u8> {
    let digits = key.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    digits.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}

/// Logs in and enters, and the keys of it.
async fn enter(main: &Process, name: &str, keys: &mut Vec<String>) -> Player {
    let session = log_in(main.at("login"), name).await;
    let place = room(main.at("login"), &session.cookie).await;
    let mut player = Player::enter(&place, name).await;
    player.expect_entry(session.account).await;
    keys.extend([session.cookie, place.key]);
    player
}

#[tokio::test]
async fn what_servers_did_under_load_and_kills_is_what_their_roles_do() {
    let dir = place("kills");
    let record = ["--record", dir.to_str().expect("text")];
    // Whoever is let in without a hash is heard as well.
    let mut main = Process::services(&[&record[..], &["--remember-passwords", "1m"]].concat());
    let mut doomed = Process::room(&main, &record);
    let mut other = Process::room(&main, &record);
    for process in [&main, &doomed, &other] {
        process.until_ready().await;
    }
    let mut load = Command::new(gatepass())
        .args([
            "load",
            "--players",
            "4",
            "--accounts",
            "8",
            "--seconds",
            "2",
            "--warmup",
            "0",
            "--mode",
            "new",
        ])
        .args(["--server", &main.at("login").to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command starts");
    // One account from device to device, between the servers.
    let mut keys = Vec::new();
    let mut players = Vec::new();
    for _ in 0..12 {
        players.push(enter(&main, "ann", &mut keys).await);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    doomed.signal("-KILL");
    assert_eq!(doomed.end().await.code(), None, "killed by a signal");
    let mut reborn = Process::room(&main, &record);
    reborn.until_ready().await;
    players.push(enter(&main, "bob", &mut keys).await);
    // Players of the server that was killed fail, and try again.
    load.wait().expect("it is ours");
    drop(players);
    // Rooms first: they have something to say to the others.
    for process in [&reborn, &other] {
        process.signal("-TERM");
    }
    for process in [&mut reborn, &mut other] {
        assert_eq!(process.end().await.code(), Some(0));
    }
    for process in [&mut main] {
        process.signal("-TERM");
        assert_eq!(process.end().await.code(), Some(0));
    }

    let (code, verdict) = verify(&dir);
    assert_eq!((code, &verdict["consistent"]), (Some(0), &Value::Bool(true)), "{verdict:#}");
    assert!(violated(&verdict).is_empty(), "{verdict:#}");
    let reports = verdict["files"].as_array().expect("a list");
    let orderly = reports.iter().filter(|file| file["orderly"] == true).count();
    assert_eq!((reports.len(), orderly), (4, 3), "{verdict:#}");
    assert!(reports.iter().all(|file| file["facts"].as_u64() > Some(0)), "{verdict:#}");
    assert!(verdict["facts"].as_u64() > Some(500), "{verdict:#}");
    assert_eq!(verdict["assumed"], 0, "{verdict:#}");

    let mut secrets: Vec<Vec<u8>> = keys.iter().map(|key| bits(key)).collect();
    secrets.extend(keys.into_iter().map(String::into_bytes));
    secrets.extend(["key-of-these-tests", "load-password", "secret "].map(|text| text.as_bytes().to_vec()));
    assert!(secrets.len() > 50 && secrets.iter().all(|secret| secret.len() > 6));
    for path in files(&dir) {
        let bytes = fs::read(&path).expect("readable");
        for secret in &secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret);
            assert!(!found, "{} can be read in {}", String::from_utf8_lossy(secret), path.display());
        }
    }

    // One bit in the middle of each.
    for path in files(&dir) {
        let mut bytes = fs::read(&path).expect("readable");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).expect("writable");
    }
    let (code, verdict) = verify(&dir);
    assert_eq!(code, Some(1), "{verdict:#}");
    let reports = verdict["files"].as_array().expect("a list");
    assert!(reports.iter().all(|file| file["fault"]["fault"] == "damaged"), "{verdict:#}");
}

#[tokio::test]
async fn a_session_that_was_double_between_processes_is_seen() {
    let dir = place("double");
    let unsafe_rules = ["--policy", "mope", "--allow-unsafe-policy"];
    let arguments = [&["--record", dir.to_str().expect("text")][..], &unsafe_rules].concat();
    let mut main = Process::services(&arguments);
    let mut rooms = [Process::room(&main, &arguments), Process::room(&main, &arguments)];
    for process in [&main, &rooms[0], &rooms[1]] {
        process.until_ready().await;
    }
    let mut players = Vec::new();
    for _ in 0..8 {
        players.push(enter(&main, "ann", &mut Vec::new()).await);
    }
    let [first, second] = &mut rooms;
    for process in [first, second, &mut main] {
        process.signal("-TERM");
        assert_eq!(process.end().await.code(), Some(0));
    }
    let (code, verdict) = verify(&dir);
    assert_eq!(code, Some(1), "{verdict:#}");
    assert!(violated(&verdict).contains(&"single_live_session"), "{verdict:#}");
    assert!(
        verdict["files"].as_array().expect("a list").iter().all(|file| file["fault"].is_null()),
        "{verdict:#}"
    );
}

#[test]
fn a_directory_without_recordings_is_a_mistake() {
    let dir = place("none");
    for path in [dir.join("gone"), dir] {
        let ran =
            Command::new(gatepass()).arg("verify-trace").arg(path).output().expect("the command starts");
        assert_eq!(ran.status.code(), Some(2));
        assert!(ran.stdout.is_empty() && ran.stderr.starts_with(b"error: "));
    }
}
