//! Slow, silent, oversized and random clients: none of them costs anybody else anything.

#[path = "common/net.rs"]
mod net;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use gatepass_adapters::{config::Config, server::Running};
use gatepass_core::limits::Times;
use net::{HOME, Player, connect, frame, frame_with, http, login_head, msg_login, start, whole_entry};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    sync::Mutex,
    time::timeout,
};

/// What a closed connection has to say.
const NOTHING: [u8; 0] = [];
/// The largest `N` of a frame.
const FRAME_MAX: usize = 131_072;
/// What memory may move by while nothing is kept, in KiB: the allocator's and the test's own noise.
const NOISE_KIB: u64 = 24 * 1024;

fn login_addr(running: &Running) -> SocketAddr {
    running.addresses.http.expect("it has a LoginServer")
}

fn room_addr(running: &Running) -> SocketAddr {
    running.addresses.room.expect("it has a RoomServer")
}

/// Some of these measure the memory of this process: they run one after the other.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Forgets what memory was used before; [`peak_kib`] counts from now.
fn reset_peak() {
    std::fs::write("/proc/self/clear_refs", "5").expect("one's own peak can be forgotten");
}

/// The most memory that was resident at once, in KiB.
fn peak_kib() -> u64 {
    net::memory_kib(std::process::id(), "VmHWM:")
}

/// After whatever was done to it, the server serves.
async fn expect_service(running: &Running) {
    let admin = running.addresses.admin.expect("operators are always served");
    assert_eq!(http(HOME, admin, "GET /livez HTTP/1.1").await.status, 200);
    let (mut player, ..) = whole_entry(login_addr(running), "witness").await;
    player.expect_alive().await;
}

/// Waits for the end of a stream, and says what came before it.
async fn end_of(stream: &mut TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    let read = timeout(net::PATIENCE, stream.read_to_end(&mut heard)).await.expect("the server ends it");
    // A reset is an end, too.
    let _ = read;
    heard
}

/// A zlib stream of `size` zeros.
fn bomb(size: usize) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec_zlib(&vec![0; size], 9)
}

/// A fixed generator: the same bytes in every run.
struct Noise(u64);

impl Noise {
    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len)
            .map(|_| {
                self.0 ^= self.0 << 13;
                self.0 ^= self.0 >> 7;
                self.0 ^= self.0 << 17;
                (self.0 >> 32) as u8
            })
            .collect()
    }
}

#[tokio::test]
async fn slow_headers_are_cut_off() {
    let _alone = ALONE.lock().await;
    let running = start(Config { http_idle: Duration::from_secs(1), ..Config::local() }).await;
    let to = login_addr(&running);
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut stream = connect(HOME, to).await;
        stream.write_all(b"GET /msg?c=1 HTTP/1.1\r\nHost: x\r\n").await.expect("the server reads");
        slow.push(stream);
    }
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(connect(HOME, to).await);
    }
    expect_service(&running).await;
    let begin = Instant::now();
    // A byte of another header now and then does not buy time.
    for _ in 0..8 {
        for stream in &mut slow {
            let _ = stream.write_all(b"a: b\r\n").await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for mut stream in slow.into_iter().chain(silent) {
        let heard = end_of(&mut stream).await;
        assert!(!heard.starts_with(b"HTTP/1.1 200"), "{heard:?}");
    }
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    expect_service(&running).await;
    running.shutdown().await;
}

#[tokio::test]
async fn oversized_requests_are_refused() {
    let _alone = ALONE.lock().await;
    let running = start(Config::local()).await;
    let to = login_addr(&running);
    let target = |len: usize| format!("GET /msg?{} HTTP/1.1", "x".repeat(len - "/msg?".len()));
    assert_eq!(http(HOME, to, &target(2_049)).await.status, 414);
    assert_eq!(http(HOME, to, &target(2_048)).await.status, 200, "the longest that is looked at");
    let many: String = (0..40).map(|n| format!("\r\nX-{n}: y")).collect();
    assert_eq!(http(HOME, to, &format!("{}{many}", login_head("ann", "secret", "", true))).await.status, 431);
    // A head that never ends is ended, without being kept in memory.
    for part in [&b"GET /msg?"[..], b"GET /msg HTTP/1.1\r\nX: "] {
        let mut stream = connect(HOME, to).await;
        stream.write_all(part).await.expect("the server reads");
        let mut sent = 0;
        while sent < 8 << 20 && stream.write_all(&[b'x'; 65_536]).await.is_ok() {
            sent += 65_536;
        }
        assert!(sent < 8 << 20, "{sent} bytes were taken");
    }
    // No body is waited for.
    let body = format!("{}\r\nContent-Length: 1000000000", login_head("ann", "secret", "", true));
    assert_eq!(http(HOME, to, &body).await.status, 200);
    expect_service(&running).await;
    running.shutdown().await;
}

#[tokio::test]
async fn silent_connections_cost_little_and_end() {
    let _alone = ALONE.lock().await;
    // In the order that `Times::check` demands.
    let times = Times {
        lease: Duration::from_millis(2_900),
        lease_margin: Duration::from_millis(100),
        renew: Duration::from_millis(500),
        unverified: Duration::from_secs(3),
        ..Config::local().times
    };
    let running = start(Config { times, ..Config::local() }).await;
    let to = room_addr(&running);
    expect_service(&running).await;
    reset_peak();
    let before = peak_kib();
    let mut silent = Vec::new();
    for n in 0..400_u16 {
        let mut stream = connect(HOME, to).await;
        // Some of them say half a frame.
        let part = msg_login("ann", "00112233445566778899aabbccddeeff");
        let half = &part[..usize::from(n) % part.len()];
        stream.write_all(half).await.expect("the server reads");
        silent.push(stream);
    }
    expect_service(&running).await;
    let grown = peak_kib() - before;
    assert!(grown < NOISE_KIB, "{grown} KiB for 400 silent connections");
    for mut stream in silent {
        let heard = end_of(&mut stream).await;
        // `TooSlow` as code 17.
        assert_eq!(heard.get(4..8), Some(&[25, 0, 8, 17][..]), "{heard:?}");
    }
    expect_service(&running).await;
    running.shutdown().await;
}

#[tokio::test]
async fn frames_that_come_byte_by_byte_are_whole_in_the_end() {
    let _alone = ALONE.lock().await;
    let running = start(Config::local()).await;
    let to = login_addr(&running);
    let session = net::log_in(to, "ann").await;
    let place = net::room(to, &session.cookie).await;
    let mut player = Player::connect(place.addr).await;
    for byte in msg_login("ann", &place.key) {
        player.send(&[byte]).await;
        tokio::task::yield_now().await;
    }
    player.expect_entry(session.account).await;
    // And many at once come one after the other.
    player.send(&net::HEARTBEAT.repeat(1_000)).await;
    for _ in 0..1_000 {
        assert_eq!(player.next().await.as_deref(), Some(&net::HEARTBEAT[..]));
    }
    // Half a frame and then nothing: the session ends with the connection, and the account is free.
    player.send(&[200, 0, 0, 0, 16]).await;
    drop(player);
    expect_service(&running).await;
    running.shutdown().await;
}

#[tokio::test]
async fn frames_too_long_end_the_connection_by_their_header() {
    let _alone = ALONE.lock().await;
    let running = start(Config::local()).await;
    let to = room_addr(&running);
    let (mut player, ..) = whole_entry(login_addr(&running), "ann").await;
    // The largest frame of somebody who is in is taken.
    let heartbeat = frame(16, &vec![7; FRAME_MAX - 2]);
    player.send(&heartbeat).await;
    assert_eq!(player.next().await, Some(heartbeat));
    // One byte more is not, however little of it comes.
    player.send(&[1, 0, 2, 0]).await;
    assert_eq!(player.next().await, None);
    // Strangers are not trusted with so much.
    for header in [[1, 0, 2, 0], [255, 255, 255, 0], [255, 255, 255, 1], [0, 255, 0, 0]] {
        let mut stream = connect(HOME, to).await;
        stream.write_all(&header).await.expect("the server reads");
        assert_eq!(end_of(&mut stream).await, NOTHING, "{header:?}");
    }
    expect_service(&running).await;
    running.shutdown().await;
}

#[tokio::test]
async fn zlib_bombs_do_not_go_off() {
    let _alone = ALONE.lock().await;
    let running = start(Config::local()).await;
    let to = room_addr(&running);
    let large = bomb(127 << 20);
    assert!(large.len() > 120 << 10 && large.len() <= FRAME_MAX - 2, "{} bytes, one frame", large.len());
    let small = bomb(3 << 20);
    assert!(small.len() <= 4_000, "{} bytes, what a stranger may send", small.len());
    let (mut player, ..) = whole_entry(login_addr(&running), "ann").await;
    expect_service(&running).await;
    reset_peak();
    let before = peak_kib();
    for _ in 0..20 {
        // From a stranger: too long to be read at all.
        let mut stream = connect(HOME, to).await;
        let _ = stream.write_all(&frame_with(1, 1, &large)).await;
        assert_eq!(end_of(&mut stream).await, NOTHING);
        // As large as a stranger may send: refused as malformed.
        let mut stranger = Player::connect(to).await;
        stranger.send(&frame_with(1, 1, &small)).await;
        stranger.expect_refusal(8).await;
        // From a player: a second login means nothing, whatever is in it.
        player.send(&frame_with(1, 1, &large)).await;
        player.send(&frame_with(1, 6, &large)).await;
        player.expect_alive().await;
    }
    let grown = peak_kib() - before;
    assert!(grown < NOISE_KIB, "memory grew by {grown} KiB");
    // If one had gone off, this would have shown it.
    let inflated = miniz_oxide::inflate::decompress_to_vec_zlib(&large).expect("a right stream");
    assert!(inflated.len() == 127 << 20 && peak_kib() - before > 100 << 10);
    drop(inflated);
    expect_service(&running).await;
    running.shutdown().await;
}

#[tokio::test]
async fn one_connection_has_one_guess() {
    let _alone = ALONE.lock().await;
    let running = start(Config::local()).await;
    let to = room_addr(&running);
    let guesses: Vec<u8> = (0..12_800_u32).flat_map(|n| msg_login("ann", &format!("{n:032x}"))).collect();
    let mut player = Player::connect(to).await;
    let _ = timeout(net::PATIENCE, player.stream.write_all(&guesses)).await.expect("not for ever");
    player.expect_refusal(17).await;
    let admin = running.addresses.admin.expect("operators are always served");
    let metrics = String::from_utf8(http(HOME, admin, "GET /metrics HTTP/1.1").await.body).expect("text");
    let counted = "gatepass_room_tokens_total{event=\"unknown\"} 1\n";
    assert!(metrics.contains(counted), "one guess is one: {metrics}");
    // Neither does a session that is over give a second one.
    let (mut player, ..) = whole_entry(login_addr(&running), "ann").await;
    player.send(&net::LOGOUT).await;
    player.expect(21).await;
    player.send(&msg_login("ann", "00112233445566778899aabbccddeeff").repeat(3)).await;
    player.expect_refusal(17).await;
    expect_service(&running).await;
    running.shutdown().await;
}

#[tokio::test]
async fn noise_at_every_port_means_nothing() {
    let _alone = ALONE.lock().await;
    let any = SocketAddr::new(HOME, 0);
    let running =
        start(Config { center_listen: Some(any), service_listen: Some(any), ..Config::local() }).await;
    let (mut player, session, place) = whole_entry(login_addr(&running), "ann").await;
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let ports: Vec<_> = running.addresses.iter().collect();
    assert_eq!(ports.len(), 7, "{ports:?}");
    for (_, addr) in &ports {
        for round in 0..60 {
            let mut stream = connect(HOME, *addr).await;
            let len = usize::from(noise.bytes(1)[0]) * 8 + 1;
            let bytes = noise.bytes(len);
            let bytes = match round % 3 {
                0 => bytes,
                // Behind a right header.
                1 => frame_with(bytes[0] & 1, u16::from(bytes[0]) % 40, &bytes),
                // As one of gatepass' own messages between servers.
                _ => frame(60_000 + u16::from(bytes[0]) % 110, &[&[1], &bytes[..]].concat()),
            };
            let _ = stream.write_all(&bytes).await;
        }
    }
    let datagrams = UdpSocket::bind(any).await.expect("a socket");
    for _ in 0..500 {
        let len = usize::from(noise.bytes(1)[0]) * 3;
        let _ = datagrams.send_to(&noise.bytes(len), place.addr).await;
    }
    // A right wish to bind from a stranger's port: the strict policy sends no datagram to anybody.
    let bind = [&[8, session.account as u8, 0x12, 32], place.key.as_bytes()].concat();
    let _ = datagrams.send_to(&frame(33, &bind), place.addr).await;
    player.expect_alive().await;
    let mut answer = [0; 64];
    let heard = timeout(Duration::from_millis(100), datagrams.recv_from(&mut answer)).await;
    assert!(heard.is_err(), "{heard:?}");
    expect_service(&running).await;
    running.shutdown().await;
}

#[tokio::test]
async fn a_player_who_does_not_read_is_cut_off_and_others_are_not() {
    let _alone = ALONE.lock().await;
    let running = start(Config::local()).await;
    let (mut deaf, ..) = whole_entry(login_addr(&running), "deaf").await;
    reset_peak();
    let before = peak_kib();
    let echo = frame(16, &vec![7; 100_000]);
    let begin = Instant::now();
    let mut sent = 0_usize;
    // He asks for echoes and reads none of them.
    while begin.elapsed() < Duration::from_secs(20) {
        match timeout(Duration::from_secs(2), deaf.stream.write_all(&echo)).await {
            Ok(Ok(())) => sent += echo.len(),
            Ok(Err(_)) | Err(_) => break,
        }
    }
    let grown = peak_kib() - before;
    assert!(sent < 64 << 20, "{sent} bytes were taken from somebody who reads nothing");
    assert!(grown < NOISE_KIB, "memory grew by {grown} KiB");
    expect_service(&running).await;
    running.shutdown().await;
}

#[tokio::test]
async fn a_client_who_does_not_read_his_answers_is_cut_off() {
    let _alone = ALONE.lock().await;
    let times = Times { request: Duration::from_millis(500), ..Times::default() };
    let running = start(Config { times, ..Config::local() }).await;
    let admin = running.addresses.admin.expect("operators are always served");
    let requests = "GET /msg?c=9 HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
    for to in [login_addr(&running), admin] {
        let mut deaf = connect(HOME, to).await;
        let begin = Instant::now();
        // Soon the server takes no more of them, since nobody takes its answers.
        let ended = timeout(Duration::from_secs(30), async {
            while deaf.write_all(requests.as_bytes()).await.is_ok() {}
        });
        ended.await.unwrap_or_else(|_| panic!("{to} waits for ever, {:?} so far", begin.elapsed()));
        expect_service(&running).await;
    }
    running.shutdown().await;
}

#[tokio::test]
async fn limits_of_a_listener_hold() {
    let _alone = ALONE.lock().await;
    let running = start(Config {
        max_connections_per_address: Some(8),
        rate_per_address: Some(1_000),
        ..Config::local()
    })
    .await;
    let to = room_addr(&running);
    let mut inside = Vec::new();
    for _ in 0..8 {
        inside.push(connect(HOME, to).await);
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut ninth = connect(HOME, to).await;
    assert_eq!(end_of(&mut ninth).await, NOTHING);
    // Somebody else is not kept out.
    let mut elsewhere = Player::connect_from(net::AWAY, to).await;
    elsewhere.send(&net::HEARTBEAT).await;
    elsewhere.expect_refusal(17).await;
    drop(inside);
    // Their places are free again as soon as the server has noticed.
    let begin = Instant::now();
    loop {
        let mut player = Player::connect(to).await;
        let _ = player.stream.write_all(&net::HEARTBEAT).await;
        if player.next().await.is_some() {
            break;
        }
        assert!(begin.elapsed() < net::PATIENCE, "the places are never given back");
    }
    expect_service(&running).await;
    running.shutdown().await;
}
