//! Servers on loopback, spoken to in bytes.

use gatepass_core::{
    limits::Times,
    wire::{
        frame::{FRAME_MAX, decode, decode_exact, encode_plain},
        proto::{
            MsgLogin, MsgLoginResult, RetErrorMsg, RetErrorMsgCmd, RetIntoFRoom, RetLoginMsg, WireMessage,
        },
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;

const LOGIN_SIGN: &str = "7e343d61e73ecd3c600521ae9588c460";
const ROOM_SIGN: &str = "26696f326e09d96ffe04e60b3c104157";
const PATIENCE: Duration = Duration::from_secs(15);

async fn start(config: Config) -> Running {
    Server::start(config).await.expect("starts")
}

/// Status, headers, body.
async fn http(addr: SocketAddr, head: &str) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(addr).await.expect("listens");
    let request = format!("{head}\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("writes");
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("answers").expect("reads");
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("has a head") + 4;
    let head = String::from_utf8(answer[..end].to_vec()).expect("is text");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("has a status");
    (status, head, answer[end..].to_vec())
}

/// The cookie, and the answer.
async fn log_in(addr: SocketAddr, name: &str) -> (String, RetLoginMsg) {
    let head = format!("GET /msg?c=1&a={name}&p=secret&r=1&sign={LOGIN_SIGN} HTTP/1.1");
    let (status, head, body) = http(addr, &head).await;
    assert_eq!(status, 200);
    let frame = decode_exact(&body, FRAME_MAX).expect("one frame");
    let login = RetLoginMsg::decode_body(frame.body).expect("a login");
    let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: session="));
    let cookie = cookie.and_then(|rest| rest.split_once(';')).expect("a cookie with a `;`").0;
    (cookie.to_owned(), login)
}

async fn room(addr: SocketAddr, cookie: &str) -> RetIntoFRoom {
    let line = format!("GET /msg?c=3&scene=1002&sign={ROOM_SIGN} HTTP/1.1\r\nCookie: session={cookie}");
    let (status, _, body) = http(addr, &line).await;
    assert_eq!(status, 200);
    let frame = decode_exact(&body, FRAME_MAX).expect("one frame");
    RetIntoFRoom::decode_body(frame.body).expect("a room answer")
}

struct Player {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Player {
    async fn connect(addr: &str) -> Self {
        Self { stream: TcpStream::connect(addr).await.expect("listens"), input: Vec::new() }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("writes");
    }

    async fn log_in(&mut self, key: &str) {
        let (mut body, mut out) = (Vec::new(), Vec::new());
        MsgLogin { name: "ann".into(), key: key.into() }.encode_body(&mut body);
        encode_plain(1, &body, &mut out).expect("short");
        self.send(&out).await;
    }

    /// The next frame, header included; none at the end of the stream.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some((_, used)) = decode(&self.input, FRAME_MAX).expect("short") {
                return Some(self.input.drain(..used).collect());
            }
            let read = self.stream.read_buf(&mut self.input);
            if timeout(PATIENCE, read).await.expect("in time").unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    async fn expect(&mut self, command: u16) -> Vec<u8> {
        let bytes = self.next().await.expect("a frame");
        let frame = decode_exact(&bytes, FRAME_MAX).expect("whole");
        assert_eq!(frame.cmd, command);
        frame.body.to_vec()
    }

    async fn expect_entry(&mut self, account: u64) -> MsgLoginResult {
        self.expect(2).await;
        let result = MsgLoginResult::decode_body(&self.expect(1).await).expect("complete");
        assert!(result.ok && result.id == account);
        self.expect(3).await;
        self.expect(36).await;
        result
    }

    async fn expect_refusal(&mut self, code: u32) {
        let refused = RetErrorMsgCmd::decode_body(&self.expect(25).await).expect("a refusal");
        assert_eq!(refused.ret_code, code);
        assert_eq!(self.next().await, None, "the connection ends after it is told");
    }
}

/// Logs in over HTTP until a RoomServer takes players, and enters.
async fn enter(addr: SocketAddr, name: &str) -> (Player, u64, String) {
    let (cookie, login) = log_in(addr, name).await;
    for _ in 0..100 {
        let place = room(addr, &cookie).await;
        if place.err == 0 {
            let mut player = Player::connect(&place.addr).await;
            player.log_in(&place.key).await;
            return (player, login.id, place.addr);
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("no RoomServer takes players");
}

async fn ready(running: &Running) -> u16 {
    http(running.addresses.admin.expect("listens"), "GET /readyz HTTP/1.1").await.0
}

#[tokio::test]
async fn a_player_logs_in_enters_leaves_and_enters_again_on_the_same_connection() {
    let running = start(Config::local()).await;
    let addr = running.addresses.http.expect("listens");
    assert_eq!(ready(&running).await, 200);
    let (mut player, id, _) = enter(addr, "ann").await;
    let result = player.expect_entry(id).await;
    assert_eq!((result.others.len(), result.playerballs[0].id), (1, result.ball_id));
    // A heartbeat comes back byte for byte, flag and all.
    let heartbeat = [5, 0, 0, 2, 16, 0, b'a', b'b', b'c'];
    player.send(&heartbeat).await;
    assert_eq!(player.next().await.as_deref(), Some(&heartbeat[..]));
    player.send(&[2, 0, 0, 0, 21, 0]).await;
    assert_eq!(player.next().await.as_deref(), Some(&[2, 0, 0, 0, 21, 0][..]));
    let (cookie, _) = log_in(addr, "ann").await;
    player.log_in(&room(addr, &cookie).await.key).await;
    player.expect_entry(id).await;
    let (_, _, metrics) = http(running.addresses.admin.expect("listens"), "GET /metrics HTTP/1.1").await;
    let metrics = String::from_utf8(metrics).expect("text");
    for line in [
        "gatepass_logins_total{result=\"ok\",provider=\"password\"} 2",
        "gatepass_room_tokens_total{event=\"consumed\"} 2",
        "gatepass_sessions{state=\"live\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is missing");
    }
    running.shutdown().await;
}

#[tokio::test]
async fn the_older_session_is_told_and_closed_and_its_token_is_spent() {
    let running = start(Config::local()).await;
    let addr = running.addresses.http.expect("listens");
    let (mut first, id, _) = enter(addr, "ann").await;
    first.expect_entry(id).await;
    let (cookie, _) = log_in(addr, "ann").await;
    let place = room(addr, &cookie).await;
    let mut second = Player::connect(&place.addr).await;
    second.log_in(&place.key).await;
    second.expect_entry(id).await;
    first.expect_refusal(21).await;
    second.send(&[2, 0, 0, 0, 21, 0]).await;
    second.expect(21).await;
    let mut replay = Player::connect(&place.addr).await;
    replay.log_in(&place.key).await;
    replay.expect_refusal(17).await;
    running.shutdown().await;
}

#[tokio::test]
async fn comings_and_goings_are_announced_to_the_others() {
    let running = start(Config::local()).await;
    let addr = running.addresses.http.expect("listens");
    let (mut ann, id, _) = enter(addr, "ann").await;
    ann.expect_entry(id).await;
    let (mut bob, id, _) = enter(addr, "bob").await;
    assert_eq!(bob.expect_entry(id).await.others.len(), 2);
    ann.expect(3).await;
    drop(bob);
    ann.expect(4).await;
    running.shutdown().await;
}

#[tokio::test]
async fn wrong_requests_get_neither_a_cookie_nor_an_id() {
    let running = start(Config::local()).await;
    let addr = running.addresses.http.expect("listens");
    log_in(addr, "ann").await;
    let line = format!("GET /msg?c=1&a=ann&p=guess&r=0&sign={LOGIN_SIGN} HTTP/1.1");
    let (status, head, body) = http(addr, &line).await;
    assert_eq!((status, head.contains("set-cookie")), (200, false));
    let refused = RetErrorMsg::decode_body(decode_exact(&body, FRAME_MAX).expect("one frame").body);
    let refused = refused.expect("a refusal");
    assert_eq!((refused.ret_code, refused.params), (5, 0));
    assert_eq!(room(addr, "0123456789abcdef0123456789abcdef").await.err, 7);
    assert_eq!(http(addr, "GET /other HTTP/1.1").await.0, 404);
    assert_eq!(http(addr, "POST /msg?c=1 HTTP/1.1").await.0, 405);
    assert_eq!(http(addr, &format!("GET /msg?{} HTTP/1.1", "x".repeat(3000))).await.0, 414);
    assert_eq!(http(addr, &format!("GET /msg HTTP/1.1\r\nX: {}", "x".repeat(20_000))).await.0, 431);
    running.shutdown().await;
}

#[tokio::test]
async fn strangers_send_no_large_frames_and_nothing_but_a_login() {
    let running = start(Config::local()).await;
    let addr = running.addresses.room.expect("listens").to_string();
    let mut large = Player::connect(&addr).await;
    large.send(&[1, 16, 0, 0]).await;
    assert_eq!(large.next().await, None);
    let mut mute = Player::connect(&addr).await;
    mute.send(&[2, 0, 0, 0, 16, 0]).await;
    mute.expect_refusal(17).await;
    let mut garbage = Player::connect(&addr).await;
    garbage.send(&[3, 0, 0, 0, 1, 0, 0xff]).await;
    garbage.expect_refusal(8).await;
    running.shutdown().await;
}

/// Everything but rooms in one process, and the configuration of a process with a room.
async fn split() -> (Running, Config) {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let services = start(Config {
        roles: vec![Part::Login, Part::Accounts, Part::Cache, Part::Center],
        center_listen: Some(any),
        service_listen: Some(any),
        ..Config::local()
    })
    .await;
    let room = Config {
        roles: vec![Part::Room],
        services: services.addresses.service.map(|addr| addr.to_string()),
        center: services.addresses.center.map(|addr| addr.to_string()),
        ..Config::local()
    };
    (services, room)
}

#[tokio::test]
async fn a_session_moves_between_room_servers_of_other_processes() {
    let (services, room) = split().await;
    let rooms = [start(room.clone()).await, start(room).await];
    for running in &rooms {
        for _ in 0..50 {
            if ready(running).await == 200 {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(ready(running).await, 200);
    }
    let addr = services.addresses.http.expect("listens");
    let (mut first, id, one) = enter(addr, "ann").await;
    first.expect_entry(id).await;
    let (mut second, _, other) = enter(addr, "ann").await;
    second.expect_entry(id).await;
    assert_ne!(one, other, "the less loaded server is chosen");
    first.expect_refusal(21).await;
    for running in rooms {
        running.shutdown().await;
    }
    services.shutdown().await;
}

#[tokio::test]
async fn who_does_not_know_the_key_is_not_served() {
    let (services, config) = split().await;
    let stranger = start(Config { shared_key: "guess".into(), ..config }).await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(ready(&stranger).await, 503);
    let addr = services.addresses.http.expect("listens");
    let (cookie, _) = log_in(addr, "ann").await;
    assert_eq!(room(addr, &cookie).await.err, 3);
    stranger.shutdown().await;
    services.shutdown().await;
}

#[tokio::test]
async fn a_room_server_with_another_lease_gets_none() {
    let (services, config) = split().await;
    let times = Times { lease_margin: config.times.lease_margin * 2, ..config.times.clone() };
    let other = start(Config { times, ..config }).await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(ready(&other).await, 503);
    other.shutdown().await;
    services.shutdown().await;
}

#[tokio::test]
async fn a_database_has_one_cache_at_a_time() {
    let file = std::env::temp_dir().join(format!("gatepass-one-cache-{}.db", std::process::id()));
    let database = file.display().to_string();
    let config = Config { database: database.clone(), ..Config::local() };
    let first = start(config.clone()).await;
    let second = Server::start(config.clone()).await;
    assert!(matches!(&second, Err(StartError::Store(why)) if why.contains("end it first")), "{second:?}");
    first.shutdown().await;
    start(config).await.shutdown().await;
    for end in ["", "-wal", "-shm", ".lock"] {
        // The database removes some of them itself.
        let _ = std::fs::remove_file(format!("{database}{end}"));
    }
}

#[tokio::test]
async fn a_server_that_ends_says_so_first() {
    let running = start(Config::local()).await;
    let addr = running.addresses.http.expect("listens");
    let admin = running.addresses.admin.expect("listens");
    let (mut player, id, _) = enter(addr, "ann").await;
    player.expect_entry(id).await;
    let (cookie, _) = log_in(addr, "bob").await;
    let ending = tokio::spawn(running.shutdown());
    sleep(Duration::from_millis(200)).await;
    let (status, _, body) = http(admin, "GET /readyz HTTP/1.1").await;
    assert_eq!(
        (status, &body[..]),
        (503, &br#"{"ready":false,"reasons":["draining","the room server holds no lease"]}"#[..])
    );
    assert_eq!(room(addr, &cookie).await.err, 18);
    assert_eq!(player.next().await, None, "who is still there when the time is over is closed");
    ending.await.expect("ends");
}
