//! Servers as processes of their own: takeover between them, sudden death, an orderly end.

#[path = "common/net.rs"]
mod net;

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::OnceLock,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use net::{HOME, Player, http, log_in, room, try_room};

/// The command, built from this source.
fn gatepass() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // Cargo builds binaries of this package only; this one is another's. It is up to date at once, mostly.
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let test = std::env::current_exe().expect("a test is a program");
        let profile = test.parent().and_then(Path::parent).expect("in target/PROFILE/deps");
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", "gatepass-adapters", "--bin", "gatepass"]);
        build.arg("--target-dir").arg(profile.parent().expect("target"));
        if profile.ends_with("release") {
            build.arg("--release");
        }
        let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo runs");
        let binary = profile.join("gatepass");
        assert!(built.success() && binary.exists(), "{} is not built", binary.display());
        binary
    })
}

/// A server process. Killed when dropped.
struct Process {
    child: Child,
    listens: BTreeMap<String, SocketAddr>,
    /// Reads what it logs, so that it never waits for a reader.
    log: Option<JoinHandle<String>>,
}

impl Process {
    /// Starts `gatepass serve` on free ports and reads where it listens, up to the operators' port.
    fn serve(args: &[&str]) -> Self {
        let any = "127.0.0.1:0";
        let mut child = Command::new(gatepass())
            .args(["serve", "--http-listen", any, "--room-listen", any, "--admin-listen", any])
            .args(["--database", ":memory:", "--forgetful-links", "--hash-cost", "test", "--drain", "5s"])
            .args(["--shared-key", "key-of-these-tests", "--threads", "2"])
            .args(args)
            .env_clear()
            .env("GATEPASS_LOG", "trace")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let (stdout, mut stderr) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        let log = thread::spawn(move || {
            let mut log = String::new();
            stderr.read_to_string(&mut log).expect("text");
            log
        });
        let mut process = Self { child, listens: BTreeMap::new(), log: Some(log) };
        for line in BufReader::new(stdout).lines() {
            let line = line.expect("text");
            let mut words = line.split_whitespace();
            assert_eq!(words.next(), Some("listening"), "{line}");
            let role = words.next().and_then(|word| word.strip_prefix("role=")).expect("a role");
            let addr = words.next().and_then(|word| word.strip_prefix("addr=")).expect("an address");
            process.listens.insert(role.to_owned(), addr.parse().expect("an address"));
            if role == "admin" {
                return process;
            }
        }
        panic!("the server ended: {}", process.log());
    }

    /// All roles, and links for others.
    fn all() -> Self {
        Self::serve(&["--center-listen", "127.0.0.1:0", "--service-listen", "127.0.0.1:0"])
    }

    /// All roles but rooms.
    fn services() -> Self {
        Self::serve(&[
            "--role",
            "login,accounts,cache,center",
            "--center-listen",
            "127.0.0.1:0",
            "--service-listen",
            "127.0.0.1:0",
        ])
    }

    /// A RoomServer for these services.
    fn room(services: &Self) -> Self {
        let (center, service) = (services.at("center").to_string(), services.at("service").to_string());
        Self::serve(&["--role", "room", "--center", &center, "--services", &service])
    }

    fn at(&self, role: &str) -> SocketAddr {
        *self.listens.get(role).unwrap_or_else(|| panic!("no {role} in {:?}", self.listens))
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits for its end.
    async fn end(&mut self) -> ExitStatus {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it is ours") {
                return status;
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "it does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it has logged, once it has ended.
    fn log(&mut self) -> String {
        let _ = self.child.kill();
        self.log.take().map(|log| log.join().expect("it only reads")).unwrap_or_default()
    }

    /// Status and body of an operator's question.
    async fn ask(&self, path: &str) -> (u16, String) {
        let answer = http(HOME, self.at("admin"), &format!("GET {path} HTTP/1.1")).await;
        (answer.status, String::from_utf8(answer.body).expect("text"))
    }

    async fn until_ready(&self) {
        let begin = Instant::now();
        loop {
            let (status, body) = self.ask("/readyz").await;
            if status == 200 {
                return;
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "never ready: {body}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Logs in and enters; on which RoomServer, is RCenter's choice.
async fn enter(to: SocketAddr, name: &str) -> (Player, u64, SocketAddr, Vec<String>) {
    let session = log_in(to, name).await;
    let place = room(to, &session.cookie).await;
    let mut player = Player::enter(&place, name).await;
    player.expect_entry(session.account).await;
    (player, session.account, place.addr, vec![session.cookie, place.key])
}

#[tokio::test]
async fn a_session_moves_between_processes_and_the_old_one_is_told() {
    let mut main = Process::all();
    let mut other = Process::room(&main);
    main.until_ready().await;
    other.until_ready().await;
    let to = main.at("login");
    let (mut current, account, mut at, mut secrets) = enter(to, "ann").await;
    let mut crossed = 0;
    for _ in 0..6 {
        let (newer, same, there, keys) = enter(to, "ann").await;
        assert_eq!(same, account);
        current.expect_refusal(21).await;
        crossed += usize::from(there != at);
        (current, at) = (newer, there);
        secrets.extend(keys);
    }
    assert!(crossed > 0, "both servers were used");
    current.expect_alive().await;
    drop(current);

    let (_, services) = main.ask("/metrics").await;
    let (_, rooms) = other.ask("/metrics").await;
    for name in [
        "gatepass_logins_total",
        "gatepass_login_duration_seconds",
        "gatepass_alloc_total",
        "gatepass_alloc_duration_seconds",
        "gatepass_entries_refused_total",
        "gatepass_entry_duration_seconds",
        "gatepass_sessions",
        "gatepass_sessions_ended_total",
        "gatepass_kicks_total",
        "gatepass_kick_confirm_seconds",
        "gatepass_room_tokens_total",
        "gatepass_fenced_total",
        "gatepass_store_op_duration_seconds",
        "gatepass_rate_limited_total",
        "gatepass_password_hash_queue",
        "gatepass_connections",
        "gatepass_timers",
        "gatepass_build_info",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_cpu_seconds_total",
        "process_start_time_seconds",
    ] {
        assert!(services.contains(&format!("# TYPE {name} ")), "{name} is missing from {services}");
    }
    assert!(services.contains("gatepass_logins_total{result=\"ok\",provider=\"password\"} 7"), "{services}");
    main.signal("-TERM");
    other.signal("-TERM");
    assert_eq!((main.end().await.code(), other.end().await.code()), (Some(0), Some(0)));
    let logs = [main.log(), other.log()];
    assert!(logs.iter().all(|log| log.contains("drained")), "{logs:?}");
    secrets.extend(["key-of-these-tests".to_owned(), "secret ".to_owned()]);
    for secret in &secrets {
        for (what, text) in
            [("metrics", &services), ("metrics", &rooms), ("log", &logs[0]), ("log", &logs[1])]
        {
            assert!(!text.contains(secret.as_str()), "{secret} stands in the {what}: {text}");
        }
    }
}

#[tokio::test]
async fn an_account_outlives_the_server_that_died_with_it() {
    let main = Process::services();
    let mut rooms = [Process::room(&main), Process::room(&main)];
    for process in &rooms {
        process.until_ready().await;
    }
    let to = main.at("login");
    let (mut player, account, at, _) = enter(to, "ann").await;
    let owner = rooms.iter().position(|process| process.at("room") == at).expect("one of the two");
    let begin = Instant::now();
    rooms[owner].signal("-KILL");
    assert_eq!(rooms[owner].end().await.code(), None, "killed by a signal");
    assert_eq!(player.next().await, None, "nothing comes from the dead");

    // The survivor takes the account as soon as the dead one's lease (10 s) is over, not before.
    let session = log_in(to, "ann").await;
    let place = loop {
        let place = room(to, &session.cookie).await;
        if place.addr != at {
            break place;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "players are sent to a dead server");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let mut player = Player::enter(&place, "ann").await;
    player.expect_entry(account).await;
    let waited = begin.elapsed();
    assert!(waited > Duration::from_secs(5) && waited < Duration::from_secs(20), "{waited:?}");
    player.expect_alive().await;
}

#[tokio::test]
async fn a_server_that_is_told_to_end_drains() {
    let mut main = Process::serve(&["--no-links"]);
    main.until_ready().await;
    assert_eq!(main.ask("/livez").await, (200, "ok\n".into()));
    let to = main.at("login");
    let (mut player, ..) = enter(to, "ann").await;
    let session = log_in(to, "bob").await;
    main.signal("-TERM");
    let begin = Instant::now();
    while main.ask("/readyz").await.0 == 200 {
        assert!(begin.elapsed() < Duration::from_secs(5), "still ready");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (status, body) = main.ask("/readyz").await;
    assert!(status == 503 && body.contains("\"draining\""), "{body}");
    // Nobody new, but whoever plays goes on until he leaves.
    assert_eq!(try_room(HOME, to, Some(&session.cookie)).await.map(|place| place.key), Err(18));
    player.expect_alive().await;
    player.send(&net::LOGOUT).await;
    player.expect(21).await;
    drop(player);
    assert_eq!(main.end().await.code(), Some(0));
    assert!(begin.elapsed() < Duration::from_secs(5), "it need not wait for the end of its time");
    assert!(main.log().contains("drained"));
}
