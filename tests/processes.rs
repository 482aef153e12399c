//! Servers as processes of their own: takeover between them, sudden death, an orderly end.

#[path = "common/net.rs"]
mod net;
#[path = "common/process.rs"]
mod process;

use std::{
    net::SocketAddr,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use net::{HOME, Player, log_in, room, try_room};
use process::{Process, gatepass};

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
    let mut other = Process::room(&main, &[]);
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
        "gatepass_remembered_passwords_total",
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
    let main = Process::services(&[]);
    let mut rooms = [Process::room(&main, &[]), Process::room(&main, &[])];
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

#[tokio::test]
async fn a_login_whose_reader_has_gone_is_a_login() {
    let main = Process::all();
    main.until_ready().await;
    let to = main.at("login").to_string();
    let cases: [&[&str]; 5] = [
        &["login"],
        &["login", "--json"],
        &["login", "--takeover"],
        &["login", "--system", "gtarcade"],
        &["load", "--players", "2", "--seconds", "1", "--warmup", "0"],
    ];
    for args in cases {
        let mut command = Command::new(gatepass());
        command.args(args).args(["--server", &to]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut running = command.spawn().expect("the command starts");
        drop(running.stdout.take());
        let ended = tokio::task::spawn_blocking(move || running.wait()).await.expect("nobody panics");
        assert_eq!(ended.expect("it is ours").code(), Some(0), "{args:?}");
    }
}
