//! A server on loopback, spoken to in the original client's bytes.

#[path = "common/net.rs"]
mod net;

use std::time::{Duration, Instant};

use gatepass_adapters::{
    config::{Config, Cost, Part},
    server::Running,
    store::{HashCost, SqliteAccounts},
};
use gatepass_core::limits::{Capacity, Times};
use net::{
    AWAY, HEARTBEAT, HOME, LOGOUT, Player, field, frame, http, log_in, login_head, msg_login, room,
    room_head, start, text, try_login, try_room, whole_entry,
};

/// A key that was never issued.
const UNKNOWN: &str = "00112233445566778899aabbccddeeff";

fn login_addr(running: &Running) -> std::net::SocketAddr {
    running.addresses.http.expect("it has a LoginServer")
}

/// Everything short, but in the order that [`Times::check`] demands.
fn hurried() -> Times {
    const fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }
    Times {
        // A busy machine must not make a server miss its renewals.
        lease: millis(1_900),
        lease_margin: millis(100),
        renew: millis(300),
        unverified: millis(2_000),
        idle: millis(500),
        retry: millis(100),
        token: millis(700),
        token_memory: millis(5_000),
        backoff: millis(600),
        drain: millis(500),
        ..Times::default()
    }
}

#[tokio::test]
async fn the_original_clients_whole_evening() {
    let running = start(Config::local()).await;
    let to = login_addr(&running);

    let head = "GET /msg?c=1&a=ann&p=secret&ver=1.2.0&dev=4730d114e32c13359a112ce6cc17eebbd2073944\
                &device=android&r=1&m=0&sign=7e343d61e73ecd3c600521ae9588c460 HTTP/1.1";
    let answer = http(HOME, to, head).await;
    let (command, login) = answer.message();
    assert_eq!((answer.status, command, answer.cookies()), (200, 1, 1));
    assert_eq!((text(&login, 1), net::number(&login, 3)), ("ann".to_owned(), 1));
    let account = net::number(&login, 2);
    assert_ne!(account, 0, "the original takes 0 for a failure");
    let cookie = answer.cookie().expect("a cookie");
    assert_eq!((cookie.len(), cookie.contains(['=', ';', ' '])), (32, false), "{cookie}");

    let head = format!(
        "GET /msg?c=3&ver=1.2.0&ticketnum=0&scene=1002&sign=26696f326e09d96ffe04e60b3c104157 HTTP/1.1\r\n\
         Cookie: session={cookie}"
    );
    let (command, assigned) = http(HOME, to, &head).await.message();
    assert_eq!((command, net::number(&assigned, 1), net::number(&assigned, 4)), (3, 0, account));
    assert_eq!(text(&assigned, 2), running.addresses.room.expect("it has a RoomServer").to_string());
    let key = text(&assigned, 3);
    assert_eq!(key.len(), 32);

    let mut player = Player::connect(text(&assigned, 2).parse().expect("an address")).await;
    player
        .send(&[&[2 + 5 + 34, 0, 0, 0, 1, 0, 0x0a, 3, b'a', b'n', b'n', 0x12, 32], key.as_bytes()].concat())
        .await;
    let mut greeting = Vec::new();
    for _ in 0..4 {
        let frame = player.next().await.expect("a greeting");
        greeting.push(u16::from_le_bytes([frame[4], frame[5]]));
        if frame[4] == 1 {
            assert_eq!((net::number(&frame[6..], 1), net::number(&frame[6..], 2)), (1, account));
            assert_eq!(text(&frame[6..], 3), "ann");
            assert!(field(&frame[6..], 4).is_some(), "he sees himself");
        }
    }
    assert_eq!(greeting, [2, 1, 3, 36], "the order of the original");

    player.send(&[2, 0, 0, 0, 16, 0]).await;
    assert_eq!(player.next().await.expect("an echo"), [2, 0, 0, 0, 16, 0]);
    // Flag, padding and all.
    let heartbeat = [7, 0, 0, 9, 16, 0, 1, 2, 3, 4, 5];
    player.send(&heartbeat).await;
    assert_eq!(player.next().await.expect("an echo"), heartbeat);
    player.send(&[2, 0, 0, 0, 0x15, 0]).await;
    assert_eq!(player.next().await.expect("the end of the session"), [2, 0, 0, 0, 0x15, 0]);
    running.shutdown().await;
}

#[tokio::test]
async fn players_register_log_in_and_come_as_guests() {
    let running = start(Config::local()).await;
    let to = login_addr(&running);
    let first = try_login(HOME, to, &login_head("ann", "secret", "", true)).await.expect("registers");
    assert!(first.newbie && first.password.is_empty());
    let again = try_login(HOME, to, &login_head("ann", "secret", "", false)).await.expect("logs in");
    assert_eq!((again.account, again.newbie, again.password.as_str()), (first.account, false, ""));
    assert_ne!(again.cookie, first.cookie);
    let taken = try_login(HOME, to, &login_head("ann", "another", "", true)).await;
    assert_eq!(taken.map(|session| session.account), Err(10), "the name is taken");

    let guest = try_login(HOME, to, &login_head("", "", "device-1", true)).await.expect("a guest");
    assert!(guest.newbie && guest.account != first.account);
    assert_eq!(guest.password.len(), 32, "told once");
    let back = try_login(HOME, to, &login_head("", "", "device-1", true)).await.expect("the guest again");
    assert_eq!((back.account, back.newbie, back.password.as_str()), (guest.account, false, ""));
    let place = room(to, &back.cookie).await;
    Player::enter(&place, "guest").await.expect_entry(guest.account).await;
    running.shutdown().await;
}

#[tokio::test]
async fn wrong_requests_are_refused_by_their_codes() {
    let running = start(Config::local()).await;
    let to = login_addr(&running);
    log_in(to, "ann").await;
    // Neither a cookie nor Params: `try_login` looks.
    for (head, code) in [
        (login_head("ann", "guess", "", false), 5),
        (login_head("nobody", "guess", "", false), 5),
        (login_head("ann", "secret", "", false).replace("7e34", "7e35"), 6),
        (login_head("ann", "secret", "", false).replace(net::LOGIN_SIGN, net::ROOM_SIGN), 6),
        (login_head("ann", "secret", "", false).replace("&sign=", "&sig="), 6),
        (login_head("ann", "secret", "", false).replace("c=1&", "c=9&"), 9),
        (login_head("ann", "secret", "", false).replace("c=1&", "c=one&"), 8),
        (login_head("ann", &"x".repeat(200), "", false), 8),
        (login_head("", "", "", true), 8),
    ] {
        let refused = try_login(HOME, to, &head).await.map(|session| session.account);
        assert_eq!(refused, Err(code), "{head}");
    }
    for cookie in [None, Some(""), Some("zz"), Some(UNKNOWN)] {
        assert_eq!(try_room(HOME, to, cookie).await.map(|place| place.key), Err(7), "{cookie:?}");
    }
    let session = log_in(to, "ann").await;
    let unsigned = room_head(Some(&session.cookie)).replace("2669", "2668");
    assert_eq!(net::number(&http(HOME, to, &unsigned).await.message().1, 1), 6);
    running.shutdown().await;
}

#[tokio::test]
async fn banned_accounts_are_turned_away() {
    let file =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("banned-{}.db", std::process::id()));
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{ending}", file.display()));
    }
    let database = file.display().to_string();
    let running = start(Config { database: database.clone(), ..Config::local() }).await;
    let to = login_addr(&running);
    let session = log_in(to, "ann").await;
    let place = room(to, &session.cookie).await;
    let operator = SqliteAccounts::open(&database, HashCost::Test).expect("opens");
    assert!(operator.set_banned("ann", true).expect("bans"));
    // Banned between the token and the entry.
    Player::enter(&place, "ann").await.expect_refusal(53).await;
    let known = try_login(HOME, to, &login_head("ann", "secret", "", false)).await;
    assert_eq!(known.map(|session| session.account), Err(53));
    let guess = try_login(HOME, to, &login_head("ann", "guess", "", false)).await;
    assert_eq!(guess.map(|session| session.account), Err(5), "only who knows the password hears of the ban");
    assert!(operator.set_banned("ann", false).expect("lifts"));
    whole_entry(to, "ann").await;
    running.shutdown().await;
}

#[tokio::test]
async fn who_comes_back_soon_is_not_hashed_for_and_judged_as_ever() {
    let remember = Some(Duration::from_secs(600));
    let running =
        start(Config { hash_cost: Cost::Default, remember_passwords: remember, ..Config::local() }).await;
    let (to, admin) = (login_addr(&running), running.addresses.admin.expect("listens"));
    let account = log_in(to, "ann").await.account;
    let code = async |password| {
        let login = try_login(HOME, to, &login_head("ann", password, "", false)).await;
        login.map(|session| session.account)
    };
    // Who registers is a stranger, and so is who comes for the first time.
    for known in [false, true, true] {
        let begin = Instant::now();
        assert_eq!(code("secret").await, Ok(account));
        // Thousands of times quicker; a busy machine leaves less of it.
        assert!(!known || begin.elapsed() < Duration::from_secs(1));
        assert_eq!(code("guess").await, Err(5), "known: {known}");
        assert_eq!(code("secret").await, Ok(account), "one guess does not make the owner wait");
    }
    let page = http(HOME, admin, "GET /metrics HTTP/1.1").await;
    let page = String::from_utf8(page.body).expect("text");
    for line in [
        "gatepass_remembered_passwords_total{result=\"hit\"} 5",
        "gatepass_remembered_passwords_total{result=\"miss\"} 5",
        "gatepass_store_op_duration_seconds_count{store=\"accounts\",op=\"verify\"} 5",
    ] {
        assert!(page.contains(line), "{line} is missing from {page}");
    }
    running.shutdown().await;
}

#[tokio::test]
async fn guessing_makes_the_guesser_wait_and_not_the_owner() {
    let running = start(Config { times: hurried(), ..Config::local() }).await;
    let to = login_addr(&running);
    log_in(to, "ann").await;
    let guess = login_head("ann", "guess", "", false);
    let right = login_head("ann", "secret", "", false);
    let mut codes = Vec::new();
    for _ in 0..5 {
        codes.push(try_login(HOME, to, &guess).await.map(|session| session.account));
    }
    assert_eq!(codes, [Err(5), Err(5), Err(5), Err(44), Err(44)]);
    assert_eq!(try_login(HOME, to, &right).await.map(|session| session.account), Err(44), "not heard at all");
    assert!(try_login(AWAY, to, &right).await.is_ok(), "the owner is elsewhere, and not locked out");
    let other = log_in(to, "bob").await;
    assert_ne!(other.account, 0, "another account at the guesser's address is not locked either");
    // The pause ends.
    let begin = Instant::now();
    while try_login(HOME, to, &right).await.is_err() {
        assert!(begin.elapsed() < Duration::from_secs(10), "the pause never ends");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    running.shutdown().await;
}

#[tokio::test]
async fn keys_that_are_no_good_end_the_connection() {
    let running = start(Config::local()).await;
    let to = login_addr(&running);
    let (mut live, session, place) = whole_entry(to, "ann").await;
    for key in
        [UNKNOWN, "", "not a key", &place.key.to_uppercase(), &place.key[..31], &format!("{}0", place.key)]
    {
        let mut stranger = Player::connect(place.addr).await;
        stranger.send(&msg_login("ann", key)).await;
        stranger.expect_refusal(17).await;
    }
    // Used, once its session is over.
    live.send(&LOGOUT).await;
    live.expect(21).await;
    Player::enter(&place, "ann").await.expect_refusal(17).await;
    // The session itself is still good for a new token.
    let place = room(to, &session.cookie).await;
    Player::enter(&place, "ann").await.expect_entry(session.account).await;
    running.shutdown().await;
}

#[tokio::test]
async fn a_token_is_spent_for_its_own_connection_too() {
    let running = start(Config::local()).await;
    let (mut player, _, place) = whole_entry(login_addr(&running), "ann").await;
    player.send(&LOGOUT).await;
    player.expect(21).await;
    player.send(&msg_login("ann", &place.key)).await;
    player.expect_refusal(17).await;
    running.shutdown().await;
}

#[tokio::test]
async fn whoever_does_not_begin_with_a_login_is_closed() {
    let running = start(Config::local()).await;
    let addr = running.addresses.room.expect("it has a RoomServer");
    for (bytes, code) in [
        (HEARTBEAT.to_vec(), 17),
        (LOGOUT.to_vec(), 17),
        (frame(6, &[8, 1]), 17),
        (frame(33, b""), 17),
        (frame(0, b""), 17),
        (frame(1, &[0xff]), 8),
        (frame(1, &[0x0a, 200, b'x']), 8),
        // A name without a key: a required field is missing.
        (frame(1, b"\x0a\x03ann"), 8),
    ] {
        let mut stranger = Player::connect(addr).await;
        stranger.send(&bytes).await;
        stranger.expect_refusal(code).await;
    }
    running.shutdown().await;
}

#[tokio::test]
async fn a_full_room_refuses_and_takes_again_when_somebody_left() {
    let capacity = Capacity { room: 1, server: 10, ..Capacity::default() };
    let running = start(Config { capacity, ..Config::local() }).await;
    let to = login_addr(&running);
    let ann = log_in(to, "ann").await;
    let bob = log_in(to, "bob").await;
    // Each of them gets a room of his own: nobody is sent to a full one.
    let (ann_place, bob_place) = (room(to, &ann.cookie).await, room(to, &bob.cookie).await);
    let mut ann_in = Player::enter(&ann_place, "ann").await;
    ann_in.expect_entry(ann.account).await;
    let mut bob_in = Player::enter(&bob_place, "bob").await;
    bob_in.expect_entry(bob.account).await;
    ann_in.expect_alive().await;
    // A newer login of somebody who is in takes his own place, although the room is full.
    let again = log_in(to, "ann").await;
    let place = room(to, &again.cookie).await;
    Player::enter(&place, "ann").await.expect_entry(ann.account).await;
    ann_in.expect_refusal(21).await;
    running.shutdown().await;
}

/// Behind the front door nobody meets a full room: RCenter counts the seats. But it may forget them.
#[tokio::test]
async fn a_room_whose_seats_were_forgotten_refuses_whom_it_cannot_hold() {
    let any = std::net::SocketAddr::new(HOME, 0);
    let times = Times { retry: Duration::from_millis(100), ..Config::local().times };
    let base = Config {
        capacity: Capacity { room: 1, server: 10, ..Capacity::default() },
        times: times.clone(),
        ..Config::local()
    };
    let center_config = Config {
        roles: vec![Part::Center],
        center_listen: Some(any),
        service_listen: Some(any),
        ..base.clone()
    };
    let center = start(center_config.clone()).await;
    let (links, asked) = (center.addresses.center, center.addresses.service);
    let services = start(Config {
        roles: vec![Part::Login, Part::Accounts, Part::Cache],
        service_listen: Some(any),
        center_service: asked.map(|addr| addr.to_string()),
        ..base.clone()
    })
    .await;
    let rooms = start(Config {
        roles: vec![Part::Room],
        services: services.addresses.service.map(|addr| addr.to_string()),
        center: links.map(|addr| addr.to_string()),
        ..base
    })
    .await;
    let to = login_addr(&services);
    let (ann, bob) = (log_in(to, "ann").await, log_in(to, "bob").await);
    let ann_place = room(to, &ann.cookie).await;
    center.shutdown().await;
    let center = start(Config { center_listen: links, service_listen: asked, ..center_config }).await;
    let bob_place = room(to, &bob.cookie).await;
    let mut bob_in = Player::enter(&bob_place, "bob").await;
    bob_in.expect_entry(bob.account).await;
    Player::enter(&ann_place, "ann").await.expect_refusal(13).await;
    bob_in.expect_alive().await;
    for running in [rooms, services, center] {
        running.shutdown().await;
    }
}

#[tokio::test]
async fn nicknames_are_cut_to_fourteen_code_points() {
    let running = start(Config::local()).await;
    let to = login_addr(&running);
    for (given, kept) in [
        ("fourteen chars", "fourteen chars"),
        ("fifteen chars!!", "fifteen chars!"),
        ("żółćęśąźńŻÓŁĆĘŚ", "żółćęśąźńŻÓŁĆĘ"),
        ("🎮🎮🎮🎮🎮🎮🎮🎮🎮🎮🎮🎮🎮🎮🎮🎮", "🎮🎮🎮🎮🎮🎮🎮🎮🎮🎮🎮🎮🎮🎮"),
        ("", ""),
    ] {
        let session = log_in(to, "ann").await;
        let place = room(to, &session.cookie).await;
        let mut player = Player::enter(&place, given).await;
        let result = player.expect_entry(session.account).await;
        assert_eq!(text(&result, 3), kept);
        player.send(&LOGOUT).await;
        player.expect(21).await;
    }
    running.shutdown().await;
}

#[tokio::test]
async fn the_silent_are_closed_when_their_time_is_over() {
    let times = hurried();
    let (unverified, idle) = (times.unverified, times.idle);
    let running = start(Config { times, ..Config::local() }).await;
    let to = login_addr(&running);
    let addr = running.addresses.room.expect("it has a RoomServer");
    let begin = Instant::now();
    let mut mute = Player::connect(addr).await;
    mute.expect_refusal(17).await;
    assert!(begin.elapsed() >= unverified, "not before its time: {:?}", begin.elapsed());

    let (mut player, ..) = whole_entry(to, "ann").await;
    // Whoever says something stays longer than he may be silent.
    let begin = Instant::now();
    while begin.elapsed() < idle * 2 {
        player.expect_alive().await;
        tokio::time::sleep(idle / 5).await;
    }
    let begin = Instant::now();
    assert_eq!(player.next().await, None, "the idle are closed");
    assert!(begin.elapsed() >= idle / 2 && begin.elapsed() < idle * 20, "{:?}", begin.elapsed());

    // A token that is not used in time.
    let session = log_in(to, "ann").await;
    let place = room(to, &session.cookie).await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    Player::enter(&place, "ann").await.expect_refusal(17).await;
    running.shutdown().await;
}

#[tokio::test]
async fn the_older_session_is_told_before_the_end_a_hundred_times_of_a_hundred() {
    let running = start(Config::local()).await;
    let to = login_addr(&running);
    let (mut current, first, _) = whole_entry(to, "ann").await;
    for _ in 0..100 {
        let (newer, session, _) = whole_entry(to, "ann").await;
        assert_eq!(session.account, first.account);
        // The code, and only then the end.
        current.expect_refusal(21).await;
        current = newer;
    }
    current.expect_alive().await;
    running.shutdown().await;
}

#[tokio::test]
async fn many_devices_at_once_leave_one_session() {
    let running = start(Config::local()).await;
    let to = login_addr(&running);
    let account = log_in(to, "ann").await.account;
    let mut devices = tokio::task::JoinSet::new();
    for _ in 0..20 {
        devices.spawn(async move {
            let session = log_in(to, "ann").await;
            // Another device may have logged in since: then this session is over.
            let place = try_room(HOME, to, Some(&session.cookie)).await.ok()?;
            let mut player = Player::enter(&place, "ann").await;
            let first = player.next().await?;
            (first[4] == 2).then_some(player)
        });
    }
    let mut entered = Vec::new();
    while let Some(device) = devices.join_next().await {
        entered.extend(device.expect("no panic"));
    }
    let mut alive = 0;
    for player in &mut entered {
        for _ in 0..3 {
            player.next().await.expect("the rest of the greeting");
        }
        // Whoever was replaced may be gone already; his code still waits for him.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut player.stream, &HEARTBEAT).await;
        let heard = loop {
            let frame = player.next().await.expect("an echo, or a code");
            if !matches!(frame[4], 3 | 4) {
                break frame;
            }
        };
        match heard[4] {
            16 => alive += 1,
            25 => assert_eq!(net::number(&heard[6..], 1), 21),
            other => panic!("command {other}"),
        }
    }
    assert!(alive <= 1, "{alive} sessions of one account are live");
    let (mut last, session, _) = whole_entry(to, "ann").await;
    assert_eq!(session.account, account);
    last.expect_alive().await;
    running.shutdown().await;
}

#[tokio::test]
async fn a_live_session_moves_to_a_new_connection_from_its_own_address_only() {
    let running = start(Config::local()).await;
    let to = login_addr(&running);
    let (mut first, session, place) = whole_entry(to, "ann").await;
    Player::enter_from(AWAY, &place, "thief").await.expect_refusal(17).await;
    first.expect_alive().await;
    let mut second = Player::enter(&place, "ann").await;
    second.expect_entry(session.account).await;
    first.expect_refusal(21).await;
    second.expect_alive().await;
    running.shutdown().await;
}

#[tokio::test]
async fn a_newer_login_ends_the_older_cookie_and_its_token() {
    let running = start(Config::local()).await;
    let to = login_addr(&running);
    let older = log_in(to, "ann").await;
    let place = room(to, &older.cookie).await;
    assert_eq!(room(to, &older.cookie).await.key, place.key, "asked again, the same token is given");
    let newer = log_in(to, "ann").await;
    assert_eq!(try_room(HOME, to, Some(&older.cookie)).await.map(|place| place.key), Err(7));
    let newer_place = room(to, &newer.cookie).await;
    assert_ne!(newer_place.key, place.key);
    // Fresh, but overtaken.
    Player::enter(&place, "ann").await.expect_refusal(21).await;
    Player::enter(&newer_place, "ann").await.expect_entry(newer.account).await;
    running.shutdown().await;
}
