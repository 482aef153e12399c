//! gamecloud's servers over real sockets, and whoever does not play by the rules. What a client that does can do is in
//! `gamecloud_client.rs`.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::{SinkExt, StreamExt};
use gatepass_adapters::{
    config::{Config, Part},
    game::Lounge,
    gamecloud::{GamecloudConfig, NodeConfig, TxConfig},
    server::{Running, Server},
};
use gatepass_core::{
    lbs::choice,
    verify::{
        gamecloud::{set::Set, sign::Secret},
        verifier::Verifiers,
    },
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

#[allow(dead_code, reason = "an example has a main function")]
#[path = "../adapters/examples/user_define.rs"]
mod user_define;

const SECRET: &str = "what the portal signs with";
const PATIENCE: Duration = Duration::from_secs(5);

struct Town {
    server: Running,
    logic: SocketAddr,
    index: SocketAddr,
}

async fn town(change: impl FnOnce(&mut Config)) -> Town {
    let mut config = Config::local();
    config.gamecloud.secret = Some(SECRET.into());
    change(&mut config);
    let lounge = Box::new(Lounge::new(config.voice_address.clone()));
    let secret = Secret::new("a secret of its own").expect("not empty");
    let verifiers = Verifiers::new().with(user_define::UserDefine::new(secret));
    let server = Server::start_verifying(config, lounge, verifiers).await.expect("starts");
    let (Some(logic), Some(index)) = (server.addresses.gamecloud, server.addresses.index) else {
        panic!("gamecloud is served");
    };
    Town { server, logic, index }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs()
}

/// A set as the portal issues it, `ago` seconds ago.
fn set(id: &str, nonce: u32, ago: i64) -> String {
    let t = now().checked_add_signed(-ago).expect("a time");
    let set = Set { t, nonce, id: id.into(), domain: None, session: None };
    set.issue(&Secret::new(SECRET).expect("not empty")).expect("a good set")
}

/// A request, as bytes, and its answer: the status, the head and the body.
async fn raw(to: SocketAddr, request: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(to).await.expect("connects");
    stream.write_all(request.as_bytes()).await.expect("writes");
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("in time").expect("reads");
    let answer = String::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    (status, head.to_owned(), body.to_owned())
}

async fn get(to: SocketAddr, target: &str) -> (u16, String, String) {
    raw(to, &format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await
}

async fn post(to: SocketAddr, target: &str, kind: &str, body: &str) -> (u16, String, String) {
    let len = body.len();
    let head = format!("Host: x\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {len}");
    raw(to, &format!("POST {target} HTTP/1.1\r\n{head}\r\n\r\n{body}")).await
}

/// A call by POST.
async fn call(to: SocketAddr, body: &str) -> Value {
    let (status, _, body) = post(to, "/index.html", "application/json; charset=utf-8", body).await;
    assert_eq!(status, 200);
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body:?}"))
}

async fn log_in(town: &Town, domain: &str, auth: &str) -> Value {
    let body = format!(r#"{{"func":"1000","oemInfo":{{"domain":"{domain}","auth":{auth}}}}}"#);
    call(town.logic, &body).await
}

async fn is_current(town: &Town, token: &str) -> bool {
    let body = format!(r#"{{"func":"info","oemInfo":{{"token":"{token}"}}}}"#);
    let told = call(town.logic, &body).await["code"].clone();
    assert!(told == 0 || told == 1, "{told}");
    told == 0
}

fn token(answer: &Value) -> String {
    answer["data"]["token"].as_str().unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
}

#[tokio::test]
async fn requests_are_taken_as_clients_write_them_and_all_answers_are_json() {
    let town = town(|_| {}).await;
    let place = json!({"code": 0, "data": {"newbie": false, "ip": "127.0.0.1", "port": town.logic.port()}});
    call(town.index, r#"{"control":"config","func":"getServerInfo","oemInfo":{"openid":"ann"}}"#).await;
    let query = "control=config&func=getServerInfo&oemInfo=";
    for target in [
        format!("/index.html?{query}{{%22openid%22:%22ann%22}}"),
        format!("/index.html?{query}%7B%22openid%22%3A%22ann%22%7D"),
        "/index.html?control=lb&func=getServerInfo&oemInfo[openid]=ann".to_owned(),
    ] {
        let (status, head, body) = get(town.index, &target).await;
        assert_eq!(
            (status, serde_json::from_str::<Value>(&body).ok()),
            (200, Some(place.clone())),
            "{target}"
        );
        let head = head.to_lowercase();
        assert!(head.contains("access-control-allow-origin: *") && head.contains("vary: origin"), "{head}");
    }
    let form = "control=config&func=getServerInfo&oemInfo%5Bopenid%5D=ann&oemInfo[domain]=official";
    let (_, _, body) = post(town.index, "/index.html", "application/x-www-form-urlencoded", form).await;
    assert_eq!(serde_json::from_str::<Value>(&body).ok(), Some(place));
    // The server does not split a name; what it cannot read it says so, in JSON.
    assert_eq!(call(town.index, r#"{"func":"config.getServerInfo"}"#).await, json!({"code": 9000}));
    for bad in ["", "[]", "{", r#"{"oemInfo":7}"#, r#"{"func":{}}"#, &"[".repeat(5_000)] {
        assert_eq!(call(town.index, bad).await, json!({"code": 9001}), "{bad}");
    }
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(20_000));
    assert_eq!(call(town.logic, &long).await, json!({"code": 9001}));
    assert_eq!(get(town.logic, "/nothing").await.0, 404);
    assert_eq!(get(town.logic, "/userdefine?id=a").await.0, 404);
    let (status, _, body) =
        raw(town.logic, "OPTIONS /index.html HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert_eq!((status, &body[..]), (200, "OK"));
    town.server.shutdown().await;
}

#[tokio::test]
async fn without_good_evidence_nobody_comes_in() {
    let town = town(|_| {}).await;
    let refused = json!({"code": 9006});
    let good = log_in(&town, "official.IOS", &set("ann", 1, 0)).await;
    assert_eq!(good["code"], 0, "{good}");
    assert!(is_current(&town, &token(&good)).await);
    // No evidence, in whatever spelling and under whatever name.
    for oem in [
        r#"{"domain":"official.IOS","openid":"ann"}"#,
        r#"{"domain":"official.IOS","openid":"ann","openkey":"k","auth":null}"#,
        r#"{"domain":"official.IOS","openid":"ann","auth":""}"#,
        r#"{"domain":"official.IOS","openid":"ann","auth":{}}"#,
        r#"{"domain":"official.IOS","openid":"ann","auth":7}"#,
        r#"{"domain":"official.IOS","openid":"ann","authControl":"360"}"#,
        r#"{"domain":"official.IOS","openid":"ann","authControl":7}"#,
        r#"{"domain":"txx","openid":"ann","openkey":"k"}"#,
        r#"{"domain":"TX.IOS","openid":"ann","openkey":"k"}"#,
        r#"{"domain":["official"],"openid":"ann"}"#,
    ] {
        for func in [r#""func":"1000""#, r#""func":"login""#, r#""control":"login","func":"UserLogin""#] {
            assert_eq!(
                call(town.logic, &format!("{{{func},\"oemInfo\":{oem}}}")).await,
                refused,
                "{func} {oem}"
            );
        }
    }
    // A domain is exact, and administrators log in elsewhere.
    for domain in
        ["Official.IOS", "official.ios", "official.", "official.IOS.", "foo.IOS", "admin", "off icial"]
    {
        assert_eq!(log_in(&town, domain, &set("ann", 2, 0)).await, refused, "{domain}");
    }
    // The window has two sides, and what was used is used up: here, in another domain, and after the refusal.
    for (ago, code) in [(298, 0), (302, 9006), (-298, 0), (-302, 9006)] {
        assert_eq!(log_in(&town, "official.IOS", &set("ann", 3, ago)).await["code"], code, "{ago}");
    }
    let once = set("ann", 4, 0);
    assert_eq!(log_in(&town, "official", &once).await["code"], 0);
    for domain in ["official", "official.IOS", "360.IOS"] {
        assert_eq!(log_in(&town, domain, &once).await, refused, "{domain}");
    }
    // Bytes that move from one member to another: the signature fits, the set does not.
    let t = now();
    let issued: Value = serde_json::from_str(&set(&format!("bobt{t}"), 5, 2)).expect("JSON");
    let (old, sign) = (issued["t"].as_u64().expect("a time"), &issued["sign"]);
    let forged = format!(
        r#"{{"t":{t},"t{old}":"","nonce":5,"plat_user_id":"bob","nickname":"bobt{t}","avatar":"bobt{t}","is_tourist":1,"sign":{sign}}}"#
    );
    assert_eq!(log_in(&town, "official.IOS", &forged).await, refused);
    // No token leads anywhere but the one that was given.
    for token in ["1", "", "undefined", "55c25388ef67e3a5f123a82ee5dd6ffd"] {
        assert!(!is_current(&town, token).await, "{token}");
    }
    assert_eq!(
        call(town.logic, r#"{"func":"info","oemInfo":{"domain":"official.IOS","openid":"ann"}}"#).await,
        json!({"code": 1})
    );
    town.server.shutdown().await;
}

#[tokio::test]
async fn names_lead_to_one_account_each_and_first_logins_at_once_make_one() {
    let town = town(|_| {}).await;
    let mut accounts = BTreeSet::new();
    let people = [
        ("official", "IOS.bob"),
        ("official.IOS", "bob"),
        ("360.IOS", "bob"),
        ("official.IOS", "Bob"),
        ("official.IOS", "bob "),
    ];
    for (domain, id) in people {
        let answer = log_in(&town, domain, &set(id, 1, 0)).await;
        assert!(accounts.insert(answer["data"]["id"].as_u64()), "{domain} {id}: {answer}");
    }
    let sets = [1, 2, 3, 4].map(|nonce| set("new", nonce, 0));
    let answers = futures_util::future::join_all(sets.iter().map(|set| log_in(&town, "official", set))).await;
    let made: BTreeSet<_> =
        answers.iter().map(|answer| answer["data"]["id"].as_u64().expect("an id")).collect();
    assert_eq!(made.len(), 1, "{answers:?}");
    let newbies = answers.iter().filter(|answer| answer["data"]["info"]["status"] == 16).count();
    assert_eq!(newbies, 1);
    let mut current = 0;
    for answer in &answers {
        current += u32::from(is_current(&town, &token(answer)).await);
    }
    assert_eq!(current, 1, "one session for each account");
    town.server.shutdown().await;
}

/// A WebSocket without polls before it.
async fn websocket(to: SocketAddr) -> WebSocketStream<TcpStream> {
    let mut stream = TcpStream::connect(to).await.expect("connects");
    let head = "Host: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let request = format!("GET /socket.io/?EIO=3&transport=websocket HTTP/1.1\r\n{head}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("writes");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.expect("an answer"));
    }
    let answer = String::from_utf8(answer).expect("text");
    // The example of RFC 6455.
    assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
    WebSocketStream::from_raw_socket(stream, Role::Client, None).await
}

/// What comes next; nothing if it is the end.
async fn next(socket: &mut WebSocketStream<TcpStream>) -> Option<String> {
    match timeout(PATIENCE, socket.next()).await.expect("in time") {
        Some(Ok(Message::Text(text))) => Some(text.to_string()),
        _ => None,
    }
}

async fn say(socket: &mut WebSocketStream<TcpStream>, text: String) {
    // A server that has closed is told nothing.
    let _ = socket.send(Message::text(text)).await;
}

async fn enter(town: &Town, id: &str, nonce: u32) -> (WebSocketStream<TcpStream>, String) {
    let mut socket = websocket(town.logic).await;
    assert!(next(&mut socket).await.is_some_and(|open| open.starts_with("0{\"sid\":\"")));
    assert_eq!(next(&mut socket).await.as_deref(), Some("40"));
    let auth = set(id, nonce, 0);
    let request = format!(r#"{{"func":"1000","oemInfo":{{"domain":"official","auth":{auth}}}}}"#);
    say(&mut socket, format!("420[\"req\",{request}]")).await;
    let pushed = |kind: u16| format!("42[\"notify\",{{\"type\":{kind},");
    assert!(next(&mut socket).await.is_some_and(|push| push.starts_with(&pushed(5001))));
    assert!(next(&mut socket).await.is_some_and(|push| push.starts_with(&pushed(1))));
    let answer = next(&mut socket).await.expect("an answer");
    let answer = answer.strip_prefix("430").unwrap_or_else(|| panic!("{answer}"));
    assert!(next(&mut socket).await.is_some_and(|push| push.starts_with(&pushed(3005))));
    let answer: Value = serde_json::from_str(answer).expect("JSON");
    (socket, token(&answer[0]))
}

#[tokio::test]
async fn a_newer_login_over_any_link_ends_the_socket_and_its_token() {
    let town = town(|_| {}).await;
    let (mut first, old) = enter(&town, "ann", 1).await;
    say(&mut first, "2".into()).await;
    assert_eq!(next(&mut first).await.as_deref(), Some("3"));
    say(&mut first, r#"421["req",{"func":"info","oemInfo":{}}]"#.into()).await;
    assert!(next(&mut first).await.is_some_and(|answer| answer.starts_with(r#"431[{"code":0,"#)));
    // Logging in again on the same socket is no reason to go.
    let again = format!(r#"{{"func":"1000","oemInfo":{{"domain":"official","auth":{}}}}}"#, set("ann", 2, 0));
    say(&mut first, format!("422[\"req\",{again}]")).await;
    for _ in 0..4 {
        assert!(
            next(&mut first)
                .await
                .is_some_and(|packet| packet.starts_with("42") || packet.starts_with("432[{\"code\":0"))
        );
    }
    assert!(!is_current(&town, &old).await);
    // A refused login leaves it as it was.
    say(&mut first, r#"423["req",{"func":"1000","oemInfo":{"domain":"official","openid":"ann"}}]"#.into())
        .await;
    assert_eq!(next(&mut first).await.as_deref(), Some(r#"433[{"code":9006}]"#));
    say(&mut first, r#"424["req",{"func":"info"}]"#.into()).await;
    assert!(next(&mut first).await.is_some_and(|answer| answer.starts_with(r#"434[{"code":0,"#)));

    let second = token(&log_in(&town, "official", &set("ann", 3, 0)).await);
    assert_eq!(next(&mut first).await.as_deref(), Some("41"));
    assert_eq!(next(&mut first).await, None);
    let (mut third, _) = enter(&town, "ann", 4).await;
    assert!(!is_current(&town, &second).await && !is_current(&town, &old).await);
    // A token of another session is no reason to lose one's own.
    say(&mut third, format!(r#"421["req",{{"func":"info","oemInfo":{{"token":"{second}"}}}}]"#)).await;
    assert_eq!(next(&mut third).await.as_deref(), Some(r#"431[{"code":1}]"#));
    say(&mut third, "422[\"req\",{\"func\":\"info\"}]".into()).await;
    assert!(next(&mut third).await.is_some_and(|answer| answer.starts_with(r#"432[{"code":0,"#)));
    town.server.shutdown().await;
}

#[tokio::test]
async fn where_the_cache_is_elsewhere_a_socket_hears_of_its_end_at_its_next_word() {
    let links = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let services = Server::start(Config {
        roles: vec![Part::Accounts, Part::Cache, Part::Center],
        center_listen: links,
        service_listen: links,
        ..Config::local()
    });
    let services = services.await.expect("starts");
    let place = services.addresses.service.expect("services").to_string();
    let login = |config: &mut Config| {
        config.roles = vec![Part::Login];
        config.services = Some(place.clone());
    };
    let (one, two) = (town(login).await, town(login).await);
    for town in [&one, &two] {
        // The link to the services is made when somebody needs it, or a little later.
        for nonce in 900..1_000 {
            if log_in(town, "official", &set("somebody", nonce, 0)).await["code"] != 9_000 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    for (nonce, word) in [(1, "2"), (3, r#"421["req",{"func":"info"}]"#)] {
        let (mut socket, old) = enter(&one, "ann", nonce).await;
        let new = token(&log_in(&two, "official", &set("ann", nonce + 1, 0)).await);
        assert!(!is_current(&one, &old).await && is_current(&one, &new).await);
        say(&mut socket, word.into()).await;
        let told = if word == "2" { "3" } else { r#"431[{"code":1}]"# };
        assert_eq!(next(&mut socket).await.as_deref(), Some(told));
        assert_eq!(next(&mut socket).await.as_deref(), Some("41"), "{word}");
    }
    one.server.shutdown().await;
    two.server.shutdown().await;
    services.shutdown().await;
}

#[tokio::test]
async fn many_logins_at_once_leave_one_socket() {
    let town = town(|_| {}).await;
    let sockets = tokio::join!(
        enter(&town, "ann", 1),
        enter(&town, "ann", 2),
        enter(&town, "ann", 3),
        enter(&town, "ann", 4),
    );
    let mut left = 0;
    for (mut socket, token) in [sockets.0, sockets.1, sockets.2, sockets.3] {
        let current = is_current(&town, &token).await;
        say(&mut socket, "429[\"req\",{\"func\":\"info\"}]".into()).await;
        match next(&mut socket).await.as_deref() {
            Some("41") => assert!(!current),
            Some(answer) => {
                assert!(answer.starts_with(r#"439[{"code":0,"#) && current, "{answer}");
                left += 1;
            }
            None => panic!("told nothing"),
        }
    }
    assert_eq!(left, 1);
    town.server.shutdown().await;
}

#[tokio::test]
async fn polls_carry_all_of_it() {
    let town = town(|_| {}).await;
    let polling = "/socket.io/?EIO=3&transport=polling&b64=1";
    let (status, _, body) = get(town.logic, polling).await;
    assert_eq!(status, 200);
    let (len, rest) = body.split_once(':').expect("a length");
    let (open, rest) = rest.split_at(len.parse().expect("a number"));
    assert_eq!(rest, "2:40");
    let open: Value = serde_json::from_str(&open[1..]).expect("JSON");
    let at = format!("{polling}&sid={}", open["sid"].as_str().expect("an id"));
    let auth = set("\u{1F600}", 1, 0);
    let packet = format!(r#"420["req",{{"func":"1000","oemInfo":{{"domain":"official","auth":{auth}}}}}]"#);
    let body = format!("{}:{packet}", packet.encode_utf16().count());
    let (status, _, said) = post(town.logic, &at, "text/plain", &body).await;
    assert_eq!((status, &said[..]), (200, "ok"));
    let (_, _, body) = get(town.logic, &at).await;
    assert!(body.contains("430[{\"code\":0") && body.contains("\u{1F600}"), "{body}");
    // A poll waits, and only one: then the socket is told of its end and is gone.
    let waiting = async {
        let (_, _, body) = get(town.logic, &at).await;
        body
    };
    let others = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(get(town.logic, &at).await.0, 400);
        log_in(&town, "official", &set("\u{1F600}", 2, 0)).await;
    };
    assert_eq!(tokio::join!(waiting, others).0, "2:41");
    assert_eq!(get(town.logic, &at).await.0, 400);
    town.server.shutdown().await;
}

#[tokio::test]
async fn whoever_breaks_the_rules_of_the_link_is_off_it() {
    let town = town(|config| config.max_connections = 8).await;
    for bad in ["", "7", "0", "1", "4", "43[]", "42/admin,[]", "42[]", "42[\"other\",{}]", "451-[\"req\",{}]"]
    {
        let mut socket = websocket(town.logic).await;
        next(&mut socket).await;
        next(&mut socket).await;
        say(&mut socket, bad.into()).await;
        assert_eq!(next(&mut socket).await, None, "{bad:?}");
    }
    for message in [Message::binary(vec![4, 2]), Message::text("x".repeat(40_000))] {
        let mut socket = websocket(town.logic).await;
        next(&mut socket).await;
        next(&mut socket).await;
        let _ = socket.send(message).await;
        assert_eq!(next(&mut socket).await, None);
    }
    for target in [
        "/socket.io/",
        "/socket.io/?EIO=4&transport=polling",
        "/socket.io/?EIO=3&transport=jsonp",
        "/socket.io/?EIO=3&transport=polling&j=0",
        "/socket.io/?EIO=3&transport=polling&sid=00000000000000000000000000000000",
        "/socket.io/?EIO=3&transport=websocket",
    ] {
        assert_eq!(get(town.logic, target).await.0, 400, "{target}");
    }
    // Sessions are counted, and there is an end to them.
    let mut last = 200;
    for _ in 0..9 {
        last = get(town.logic, "/socket.io/?EIO=3&transport=polling").await.0;
    }
    assert_eq!(last, 429);
    town.server.shutdown().await;
}

/// Asks where to go until one of these is sent there: the Index looks for other servers every second.
async fn sent_to(town: &Town, ids: &mut dyn Iterator<Item = String>, port: u16) -> String {
    for id in ids.take(200) {
        let oem = format!(r#"{{"domain":"official.IOS","openid":"{id}"}}"#);
        let body = format!(r#"{{"control":"config","func":"getServerInfo","oemInfo":{oem}}}"#);
        if call(town.index, &body).await["data"]["port"] == port {
            return id;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nobody was sent to {port}");
}

#[tokio::test]
async fn the_index_sends_nobody_to_a_dead_server_and_testers_to_theirs() {
    let node = |kind: &str, number, address: Option<&str>| NodeConfig {
        kind: kind.into(),
        number,
        address: address.map(str::to_owned),
        capacity: 1_000,
    };
    let other = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let second = other.local_addr().expect("an address");
    let told = second.to_string();
    let town = town(|config| {
        config.gamecloud = GamecloudConfig {
            nodes: vec![node("IOS", 1, None), node("IOS", 2, Some(&told)), node("Test", 1, None)],
            admin_key: Some("let me in".into()),
            ..config.gamecloud.clone()
        };
    })
    .await;
    // Those belong to the second; whoever asks before it is found stays where he was sent. When it is gone, the
    // original would send them there for ever.
    let of_the_second = |id: &String| choice::first(&format!("official.IOS.{id}"), 2) == Some(2);
    let mut ids = (0..10_000).map(|n| n.to_string()).filter(of_the_second);
    let id = sent_to(&town, &mut ids, second.port()).await;
    drop(other);
    sent_to(&town, &mut std::iter::repeat(id), town.logic.port()).await;

    let oem = |key: &str| format!(r#""oemInfo":{{"openid":"root","openkey":"{key}"}}"#);
    let admin =
        |func: &str, key: &str| format!(r#"{{"control":"admin","func":"{func}","id":"ann",{}}}"#, oem(key));
    for func in ["addRoute", "delRoute", "getRouteList"] {
        assert_eq!(call(town.index, &admin(func, "Let me in")).await, json!({"code": 9006}), "{func}");
    }
    assert_eq!(call(town.index, &admin("addRoute", "let me in")).await, json!({"code": 0}));
    assert_eq!(
        call(town.index, &admin("getRouteList", "let me in")).await,
        json!({"code": 0, "data": ["ann"]})
    );
    assert_eq!(get(town.logic, "/authAdmin.html").await.0, 404, "not here");
    // An administrator's way: key, set, login.
    let (_, _, issued) =
        post(town.index, "/authAdmin.html", "application/json", &format!("{{{}}}", oem("let me in"))).await;
    let login =
        format!(r#"{{"control":"admin","func":"login","oemInfo":{{"domain":"admin","auth":{issued}}}}}"#);
    let answer = call(town.index, &login).await;
    assert!(is_current(&town, &token(&answer)).await);
    assert_eq!(call(town.index, &login).await, json!({"code": 9006}), "once");
    assert_eq!(log_in(&town, "official.IOS", &set("ann", 1, 0)).await["code"], 0, "a tester is at home here");
    town.server.shutdown().await;
}

#[tokio::test]
async fn a_verifier_of_one_s_own_vouches_for_its_own_players_only() {
    let town = town(|_| {}).await;
    let log_in_by = async |control: &str, domain: &str, auth: &str| {
        let oem = format!(r#"{{"domain":"{domain}","authControl":"{control}","auth":{auth}}}"#);
        call(town.logic, &format!(r#"{{"func":"1000","oemInfo":{oem}}}"#)).await
    };
    let (_, _, issued) = get(town.logic, "/auth/new.html?id=ann").await;
    assert!(issued.contains(r#","userId":"ann","sign":""#), "{issued}");
    let refused = json!({"code": 9006});
    for (control, domain) in [
        ("360", "official"),
        ("Userdefine", "official"),
        ("UserDefine", "360.IOS"),
        ("UserDefine", "userdefine"),
    ] {
        assert_eq!(log_in_by(control, domain, &issued).await, refused, "{control} {domain}");
    }
    for wrong in
        [issued.replace("ann", "bob"), issued.replace("\"userId\"", "\"x\":1,\"userId\""), "null".into()]
    {
        assert_eq!(log_in_by("UserDefine", "official", &wrong).await, refused, "{wrong}");
    }
    let good = log_in_by("UserDefine", "official", &issued).await;
    assert_eq!(log_in_by("UserDefine", "official", &issued).await, refused, "once");
    // Whoever is called ann elsewhere is somebody else.
    let other = log_in(&town, "official", &set("ann", 1, 0)).await;
    assert_ne!(good["data"]["id"], other["data"]["id"]);
    assert!(is_current(&town, &token(&good)).await && is_current(&town, &token(&other)).await);
    town.server.shutdown().await;
}

#[tokio::test]
async fn a_portal_that_does_not_answer_lets_nobody_in() {
    let tx = TxConfig {
        // Nobody listens there.
        url: "http://127.0.0.1:1".into(),
        appid: "1".into(),
        appkey: "appkey".into(),
        pf: "qzone".into(),
    };
    let town = town(|config| config.gamecloud.tx = Some(tx)).await;
    let tx = |domain: &str| {
        format!(r#"{{"func":"1000","oemInfo":{{"domain":"{domain}","openid":"ann","openkey":"key"}}}}"#)
    };
    assert_eq!(call(town.logic, &tx("tx.IOS")).await, json!({"code": 9001, "data": {"ret": 0}}));
    assert_eq!(call(town.logic, &tx("tx.Foo")).await, json!({"code": 9006}));
    town.server.shutdown().await;
}
