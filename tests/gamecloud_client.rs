//! The unmodified client of gamecloud against our servers: the npm package, installed for the test.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
};

use gatepass_adapters::{
    config::Config,
    game::Lounge,
    gamecloud::{GamecloudConfig, TxConfig},
    server::Server,
};
use gatepass_core::verify::{gamecloud::sign::Secret, verifier::Verifiers};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

mod common;
#[allow(dead_code, reason = "an example has a main function")]
#[path = "../adapters/examples/user_define.rs"]
mod user_define;

use user_define::UserDefine;

/// Where the client is installed, or nothing where its programs are missing.
fn installed() -> Option<PathBuf> {
    for program in ["node", "npm"] {
        if Command::new(program).arg("--version").output().is_err() {
            // Not by a macro: what those print, a test that passes keeps to itself.
            let said =
                format!("SKIPPED: there is no `{program}` here, so gamecloud's own client was NOT tried\n");
            std::io::stderr().write_all(said.as_bytes()).expect("somebody may read it");
            return None;
        }
    }
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gamecloud_client");
    fs::create_dir_all(&dir).expect("a directory for the client");
    let mut known = dir.join("node_modules/gamegoldtoolkit/package.json").exists();
    for name in ["package.json", "package-lock.json"] {
        let ours = common::root().join("tests/gamecloud_client").join(name);
        known &= fs::read(&ours).ok() == fs::read(dir.join(name)).ok();
        fs::copy(&ours, dir.join(name)).expect("a copy of the manifest");
    }
    if !known {
        let args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
        let npm = Command::new("npm").args(args).current_dir(&dir).output().expect("npm starts");
        assert!(npm.status.success(), "npm ci: {}", String::from_utf8_lossy(&npm.stderr));
    }
    Some(dir)
}

/// A stand-in for Tencent's service: it knows the key `key`. What it was asked.
async fn portal() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.is_ok_and(|n| n > 0) {}
            let head = String::from_utf8_lossy(&head).into_owned();
            let ret = if head.contains("&openkey=key&") { 0 } else { 1002 };
            let body = format!("{{\"ret\":{ret},\"nickname\":\"Ann\"}}");
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
            notes.lock().expect("no panic").push(head);
        }
    });
    (url, asked)
}

/// What each step came to.
struct Steps(BTreeMap<String, Value>);

impl Steps {
    fn of(&self, step: &str) -> &Value {
        self.0.get(step).unwrap_or_else(|| panic!("no step {step}"))
    }

    fn check(&self, step: &str, expected: Value) {
        assert_eq!(*self.of(step), expected, "{step}");
    }

    /// The account that a login came to.
    fn account(&self, step: &str) -> u64 {
        let data = &self.of(step)["data"];
        assert_eq!(self.of(step)["code"], 0, "{step}");
        assert_eq!(data["token"].as_str().map(str::len), Some(32), "{step}");
        data["id"].as_u64().unwrap_or_else(|| panic!("{step}: no id"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_unmodified_client_logs_in_plays_and_is_replaced() {
    let Some(dir) = installed() else { return };
    let (url, asked) = portal().await;
    let tx = TxConfig { url, appid: "1".into(), appkey: "appkey".into(), pf: "qzone".into() };
    let gamecloud = GamecloudConfig { tx: Some(tx), ..GamecloudConfig::default() };
    let config = Config { gamecloud, ..Config::local() };
    let lounge = Box::new(Lounge::new(config.voice_address.clone()));
    let verifiers =
        Verifiers::new().with(UserDefine::new(Secret::new("a secret of its own").expect("not empty")));
    let server = Server::start_verifying(config, lounge, verifiers).await.expect("starts");
    let index = server.addresses.index.expect("an Index");
    let logic = server.addresses.gamecloud.expect("a logic server");

    let script = common::root().join("tests/gamecloud_client/client.js");
    let ran = tokio::process::Command::new("node")
        .arg(script)
        .args([index.ip().to_string(), index.port().to_string()])
        .current_dir(dir)
        .output()
        .await
        .expect("node starts");
    let output = String::from_utf8(ran.stdout).expect("text");
    assert!(ran.status.success(), "{output}\n{}", String::from_utf8_lossy(&ran.stderr));
    let steps = output.lines().map(|line| {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        (line["step"].as_str().expect("a name").to_owned(), line["value"].clone())
    });
    let steps = Steps(steps.collect());

    for mode in ["get", "post", "webSocket"] {
        let step = |name: &str| format!("{mode} {name}");
        let place = json!({"newbie": true, "ip": logic.ip().to_string(), "port": logic.port()});
        steps.check(&step("located"), json!({"code": 0, "data": place}));
        assert_eq!(steps.of(&step("issued"))["sign"].as_str().map(str::len), Some(32));
        let id = steps.account(&step("entered"));
        let known = json!({"code": 0, "data": {"id": id}});
        steps.check(&step("called"), known.clone());
        let room = steps.of(&step("room"));
        assert_eq!((&room["code"], &room["data"]["uid"]), (&json!(0), &json!(id)), "{room}");
        // A set counts once, and without one nobody is let in.
        steps.check(&step("used again"), json!({"code": 9006}));
        steps.check(&step("no evidence"), json!({"code": 9006}));
        steps.check(&step("called still"), known.clone());
        assert_eq!(steps.account(&step("login()")), id);
        steps.check(&step("called after login()"), known.clone());
        assert_eq!(steps.account(&step("second")), id);
        let refused = json!({"code": 1});
        if mode == "webSocket" {
            let action = json!({"cur": 0, "max": 0, "refreshTime": 0, "peroid": 0, "diamond": 0, "money": 0});
            steps.check(&step("pushes"), json!([{"gid": 1}, action, []]));
            steps.check(&step("told"), json!("io server disconnect"));
        } else {
            steps.check(&step("pushes"), json!([]));
            steps.check(&step("first"), refused.clone());
            steps.check(&step("first again"), refused.clone());
        }
        steps.check(&step("old token"), refused);
        steps.check(&step("second called"), known.clone());
        // Every client has a socket, and each of them came from polls to a WebSocket.
        steps.check(&step("transport"), json!("websocket"));
        // Another verifier vouches for somebody else, whatever his id and his domain are called.
        let other = steps.account(&step("UserDefine"));
        assert_ne!(other, id);
        steps.check(&step("UserDefine called"), json!({"code": 0, "data": {"id": other}}));
        steps.check(&step("second called after UserDefine"), known);
    }

    assert!(steps.account("tx") > 0);
    assert_eq!(steps.of("tx")["data"]["name"], "Ann");
    steps.check("tx wrong key", json!({"code": 9006, "data": {"ret": 1002}}));
    let asked = asked.lock().expect("no panic").clone();
    assert_eq!(asked.len(), 2);
    assert!(asked[0].starts_with("GET /v3/user/get_info?appid=1&format=json&openid=player&"), "{}", asked[0]);
    server.shutdown().await;
}
