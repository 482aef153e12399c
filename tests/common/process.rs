//! Servers in processes of their own.
#![allow(dead_code, reason = "each test uses its part")]

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

use super::net::{HOME, http};

/// The command, built from this source.
pub(crate) fn gatepass() -> &'static Path {
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
pub(crate) struct Process {
    child: Child,
    listens: BTreeMap<String, SocketAddr>,
    /// Reads what it logs, so that it never waits for a reader.
    log: Option<JoinHandle<String>>,
}

impl Process {
    /// Starts `gatepass serve` on free ports and reads where it listens, up to the operators' port.
    pub(crate) fn serve(args: &[&str]) -> Self {
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
    pub(crate) fn all() -> Self {
        Self::serve(&["--center-listen", "127.0.0.1:0", "--service-listen", "127.0.0.1:0"])
    }

    /// All roles but rooms, with more arguments.
    pub(crate) fn services(more: &[&str]) -> Self {
        let any = "127.0.0.1:0";
        let own = ["--role", "login,accounts,cache,center", "--center-listen", any, "--service-listen", any];
        Self::serve(&[&own, more].concat())
    }

    /// A RoomServer for these services, with more arguments.
    pub(crate) fn room(services: &Self, more: &[&str]) -> Self {
        let (center, service) = (services.at("center").to_string(), services.at("service").to_string());
        let own = ["--role", "room", "--center", &center, "--services", &service];
        Self::serve(&[&own, more].concat())
    }

    pub(crate) fn at(&self, role: &str) -> SocketAddr {
        *self.listens.get(role).unwrap_or_else(|| panic!("no {role} in {:?}", self.listens))
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits for its end.
    pub(crate) async fn end(&mut self) -> ExitStatus {
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
    pub(crate) fn log(&mut self) -> String {
        let _ = self.child.kill();
        self.log.take().map(|log| log.join().expect("it only reads")).unwrap_or_default()
    }

    /// Status and body of an operator's question.
    pub(crate) async fn ask(&self, path: &str) -> (u16, String) {
        let answer = http(HOME, self.at("admin"), &format!("GET {path} HTTP/1.1")).await;
        (answer.status, String::from_utf8(answer.body).expect("text"))
    }

    pub(crate) async fn until_ready(&self) {
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
