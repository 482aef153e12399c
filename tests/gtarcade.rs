//! GTarcade over real sockets: a launcher starts a game, the game says which it is, the platform's answer goes
//! through byte for byte, the LoginServer verifies it, a room is entered as ever, and the launcher is told.

#[path = "common/net.rs"]
mod net;
#[path = "common/process.rs"]
mod process;

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use gatepass_adapters::{
    config::Config,
    gtarcade::{GameKeys, GtarcadeConfig, TEST_GAME, TEST_SIGN_KEY, signed_response, signed_response_at},
    launcher::{GameLink, LauncherServer},
};
use gatepass_core::{
    ids::ConnId,
    launcher::{GameNotice, Launch, LauncherLink, LauncherNotice, LinkSettings, Over},
    verify::gtarcade::SignKey,
    wire::local::{
        Encoding, Framing, Handover, Key, KeyFormat, Outcome, Padding, Profile, Suite, message::GameIds,
    },
};
use net::{HOME, PATIENCE, Player, post, room, start, try_room};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

fn ids(account: &str) -> GameIds {
    let [g_id, s_id, op_id] = [TEST_GAME, "2793420001", "503"].map(String::from);
    GameIds { account: account.into(), g_id, s_id, op_id }
}

fn key(suite: Suite) -> Key {
    let text = "gatepass-test-16gatepass-test-16";
    Key::parse(&text[..suite.key_len()], KeyFormat::Utf8).expect("a text is a key")
}

fn test_key() -> SignKey {
    SignKey::new(TEST_SIGN_KEY)
}

/// Logs in, or is told why not.
async fn log_in(to: SocketAddr, body: &str) -> Result<(u64, String), String> {
    let response = post(HOME, to, "/gtarcade", body.as_bytes()).await;
    assert_eq!(response.status, 200, "{response:?}");
    let answer: Value = serde_json::from_slice(&response.body).expect("JSON");
    if answer["code"] != 0 {
        assert_eq!(response.cookies(), 0, "a refusal sets no cookie");
        assert_eq!(answer.as_object().expect("an object").len(), 2, "{answer}");
        return Err(answer["message"].as_str().expect("a reason").to_owned());
    }
    let session = answer["session"].as_str().expect("a session").to_owned();
    assert_eq!(response.cookie().as_ref(), Some(&session), "the cookie is the session");
    Ok((answer["account"].as_u64().expect("an account"), session))
}

async fn next_of_game(game: &mut GameLink) -> GameNotice {
    timeout(PATIENCE, game.next()).await.expect("in time").expect("the link is")
}

async fn next_of_launcher(launcher: &mut LauncherServer) -> (ConnId, LauncherNotice) {
    timeout(PATIENCE, launcher.next()).await.expect("in time").expect("the launcher is")
}

/// A game that is started, connected and associated: its link, its connection at the launcher.
async fn started(
    launcher: &mut LauncherServer,
    settings: &LinkSettings,
    account: &str,
    gcm: bool,
    number: u64,
) -> (GameLink, ConnId) {
    let gcm = gcm.then(|| Key::new(&[number as u8; 32]));
    assert!(launcher.expect(Launch { game: ids(account), gcm: gcm.clone() }));
    let key = key(settings.profile.suite);
    let link = LauncherLink::new(settings, ids(account), &key, gcm.as_ref()).expect("keys fit");
    let game = GameLink::connect(launcher.addr().port(), link).await.expect("the launcher listens");
    let (conn, notice) = next_of_launcher(launcher).await;
    let client_id = number.to_string();
    assert_eq!(notice, LauncherNotice::Associated { game: ids(account), client_id });
    (game, conn)
}

/// The whole way of one player.
async fn check_flow(settings: LinkSettings, gcm: bool) {
    let server = start(Config::local()).await;
    let http = server.addresses.http.expect("a LoginServer");
    let mut launcher = LauncherServer::start(settings, &key(settings.profile.suite)).await.expect("a port");
    assert!(launcher.addr().ip().is_loopback());
    let (mut game, conn) = started(&mut launcher, &settings, "ann", gcm, 1).await;

    // Blanks, escapes and the order of members are the platform's: nothing of them may change on the way.
    let response =
        signed_response("ann", TEST_GAME, &test_key()).replacen('{', "{ \"z\":\"\\u4e2d\\/\", ", 1) + "\r\n";
    assert!(launcher.hand_over(conn, Handover::new(&response)));
    assert!(
        matches!(next_of_game(&mut game).await, GameNotice::Linked { client_id, .. } if client_id == "1")
    );
    let GameNotice::Payload(payload) = next_of_game(&mut game).await else { panic!("no payload") };
    assert_eq!(payload.expose(), response);

    let (account, session) = log_in(http, payload.expose()).await.expect("logged in");
    let place = room(http, &session).await;
    let mut player = Player::enter(&place, "ann").await;
    player.expect_entry(account).await;
    player.expect_alive().await;

    let success = Outcome { errcode: 0, text: "success".into() };
    assert!(game.report(success.clone()).await);
    assert_eq!(next_of_launcher(&mut launcher).await, (conn, LauncherNotice::Result(success)));
    // The payload is used up, and the launcher hears that too.
    let refused = log_in(http, payload.expose()).await.expect_err("it was used");
    assert_eq!(refused, "signature_replayed");
    let failure = Outcome { errcode: 6, text: refused };
    game.report(failure.clone()).await;
    game.close().await;
    assert_eq!(next_of_launcher(&mut launcher).await, (conn, LauncherNotice::Result(failure)));
    assert_eq!(next_of_launcher(&mut launcher).await, (conn, LauncherNotice::Over(Over::Ended)));
    launcher.close().await;
    drop(player);
    server.shutdown().await;
}

#[tokio::test]
async fn a_player_comes_in_through_a_launcher() {
    check_flow(LinkSettings::default(), false).await;
}

#[tokio::test]
async fn a_player_comes_in_over_a_hardened_link() {
    check_flow(LinkSettings { require_gcm: true, ..LinkSettings::default() }, true).await;
}

#[tokio::test]
async fn a_player_comes_in_whatever_the_platform_means_by_aes() {
    let profile = Profile {
        suite: Suite::Aes256Ecb,
        padding: Padding::Zero,
        encoding: Encoding::Base64,
        framing: Framing::Line,
        ..Profile::default()
    };
    check_flow(LinkSettings { profile, ..LinkSettings::default() }, false).await;
    let profile = Profile { encoding: Encoding::Base64, framing: Framing::None, ..Profile::default() };
    check_flow(LinkSettings { profile, ..LinkSettings::default() }, false).await;
}

#[tokio::test]
async fn games_of_one_account_are_told_apart() {
    let settings = LinkSettings::default();
    let mut launcher = LauncherServer::start(settings, &key(Suite::Aes128Cbc)).await.expect("a port");
    let (mut first, one) = started(&mut launcher, &settings, "ann", true, 1).await;
    let (mut second, two) = started(&mut launcher, &settings, "ann", true, 2).await;
    for (conn, text) in [(two, "{\"code\":2}"), (one, "{\"code\":1}")] {
        assert!(launcher.hand_over(conn, Handover::new(text)));
    }
    for (game, text) in [(&mut first, "{\"code\":1}"), (&mut second, "{\"code\":2}")] {
        assert!(matches!(next_of_game(game).await, GameNotice::Linked { .. }));
        assert_eq!(next_of_game(game).await, GameNotice::Payload(Handover::new(text)));
    }
    let failure = Outcome { errcode: 5, text: "wrong_credentials".into() };
    second.report(failure.clone()).await;
    assert_eq!(next_of_launcher(&mut launcher).await, (two, LauncherNotice::Result(failure)));
    first.close().await;
    assert_eq!(next_of_launcher(&mut launcher).await, (one, LauncherNotice::Over(Over::Ended)));
    // The launcher ends, and its games hear of it.
    launcher.close().await;
    assert_eq!(next_of_game(&mut second).await, GameNotice::Over(Over::Ended));
}

#[tokio::test]
async fn who_cannot_be_read_hears_nothing() {
    let settings = LinkSettings::default();
    let mut launcher = LauncherServer::start(settings, &key(Suite::Aes128Cbc)).await.expect("a port");
    launcher.expect(Launch { game: ids("ann"), gcm: None });
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\0\0\0\x20aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb",
        b"\0\x10\0\x01",
        b"00\0\0\0\0",
    ] {
        let mut stranger =
            TcpStream::connect((Ipv4Addr::LOCALHOST, launcher.addr().port())).await.expect("connects");
        stranger.write_all(bytes).await.expect("it is sent");
        let mut heard = Vec::new();
        // A connection that is cut off is closed as well.
        let _ = timeout(PATIENCE, stranger.read_to_end(&mut heard)).await.expect("it is closed");
        assert_eq!(heard, [0; 0], "{bytes:?}");
        assert!(matches!(next_of_launcher(&mut launcher).await, (_, LauncherNotice::Over(Over::Unreadable))));
    }
    // A game with another key, and one that nobody has started.
    for (key, over) in [("another-key-of16", Over::Unreadable), ("gatepass-test-16", Over::Stranger)] {
        let key = Key::parse(key, KeyFormat::Utf8).expect("a text is a key");
        let link = LauncherLink::new(&settings, ids("bob"), &key, None).expect("it fits");
        let mut game = GameLink::connect(launcher.addr().port(), link).await.expect("connects");
        assert_eq!(next_of_game(&mut game).await, GameNotice::Over(Over::Ended));
        assert!(
            matches!(next_of_launcher(&mut launcher).await, (_, LauncherNotice::Over(why)) if why == over)
        );
    }
    launcher.close().await;
}

#[tokio::test]
async fn what_is_not_genuine_and_fresh_logs_nobody_in() {
    let server = start(Config::local()).await;
    let http = server.addresses.http.expect("a LoginServer");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_secs();
    let at = |time| signed_response_at("ann", TEST_GAME, &test_key(), time);
    let good = signed_response("ann", TEST_GAME, &test_key());
    for (body, reason) in [
        (good.replace("ann", "bob"), "bad_signature"),
        (signed_response("ann", TEST_GAME, &SignKey::new("other")), "bad_signature"),
        (signed_response("ann", "7", &test_key()), "bad_signature"),
        (signed_response("a&b", TEST_GAME, &test_key()), "bad_signature"),
        (good.replace("micro", "web"), "bad_signature"),
        (at(now - 330), "signature_stale"),
        (at(now + 90), "signature_stale"),
        (good.replacen("\"code\":0", "\"code\":1", 1), "wrong_credentials"),
        (good.replacen("\"code\":0", "\"code\":false", 1), "malformed"),
        ("<html>502 Bad Gateway</html>".into(), "malformed"),
        (String::new(), "malformed"),
        (" ".repeat(100_000), "malformed"),
        (signed_response(&"a".repeat(65), TEST_GAME, &test_key()), "malformed"),
    ] {
        assert_eq!(log_in(http, &body).await, Err(reason.to_owned()), "{body:.300}");
    }
    assert_eq!(try_room(HOME, http, Some("0123456789abcdef0123456789abcdef")).await.err(), Some(7));
    // game_data is nobody's word, and so may be anything.
    let (ann, _) = log_in(http, &good.replace("server_id", "other")).await.expect("logged in");
    let again = signed_response("ann", TEST_GAME, &test_key());
    assert_eq!(log_in(http, &again).await.map(|(account, _)| account), Ok(ann), "one account");
    let other = signed_response("Ann", TEST_GAME, &test_key());
    assert_ne!(log_in(http, &other).await.map(|(account, _)| account), Ok(ann), "letter case counts");
    server.shutdown().await;
}

#[tokio::test]
async fn of_two_requests_with_one_payload_one_wins() {
    let server = start(Config::local()).await;
    let http = server.addresses.http.expect("a LoginServer");
    let body = signed_response("ann", TEST_GAME, &test_key());
    let (a, b, c) = tokio::join!(log_in(http, &body), log_in(http, &body), log_in(http, &body));
    let outcomes = [a, b, c];
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    assert!(outcomes.iter().flat_map(|it| it.as_ref().err()).all(|why| why == "signature_replayed"));
    server.shutdown().await;
}

#[tokio::test]
async fn a_game_has_its_own_keys_and_two_while_they_change() {
    let game = |sign_key: &str, other: Option<&str>| GameKeys {
        sign_key: sign_key.into(),
        other_sign_key: other.map(Into::into),
    };
    let games = BTreeMap::from([("7".into(), game("new", Some("old"))), ("8".into(), game("eight", None))]);
    let config =
        Config { gtarcade: GtarcadeConfig { games, ..GtarcadeConfig::default() }, ..Config::local() };
    let server = start(config).await;
    let http = server.addresses.http.expect("a LoginServer");
    let mut accounts = BTreeMap::new();
    for (game, key, good) in [
        ("7", "new", true),
        ("7", "old", true),
        ("8", "eight", true),
        ("8", "new", false),
        (TEST_GAME, TEST_SIGN_KEY, false),
    ] {
        let outcome = log_in(http, &signed_response("ann", game, &SignKey::new(key))).await;
        assert_eq!(outcome.is_ok(), good, "{game} {key}");
        if let Ok((account, _)) = outcome {
            assert_eq!(*accounts.entry(game).or_insert(account), account);
        }
    }
    assert_ne!(accounts["7"], accounts["8"], "an account of one game is none of another");
    server.shutdown().await;
}

#[tokio::test]
async fn only_a_post_of_a_bounded_body_is_read() {
    let server = start(Config::local()).await;
    let http = server.addresses.http.expect("a LoginServer");
    let head = "GET /gtarcade HTTP/1.1";
    assert_eq!(net::http(HOME, http, head).await.status, 405);
    assert_eq!(post(HOME, http, "/gtarcade/x", b"{}").await.status, 404);
    server.shutdown().await;
}

#[tokio::test]
async fn the_command_plays_launcher_and_game() {
    let server = process::Process::all();
    server.until_ready().await;
    let to = server.at("login").to_string();
    for (account, good) in [("ann", true), ("ann", true), ("a&b", false)] {
        let output = Command::new(process::gatepass())
            .args([
                "login",
                "--system",
                "gtarcade",
                "--server",
                &to,
                "--account",
                account,
                "--every",
                "1",
                "--json",
            ])
            .env_clear()
            .output()
            .expect("the command starts");
        let lines = String::from_utf8(output.stdout).expect("text");
        let events: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
        let seen: Vec<_> = events.iter().filter_map(|event| event["event"].as_str()).collect();
        let expected: &[&str] = match good {
            true => &[
                "launcher",
                "associate",
                "payload",
                "logged_in",
                "assigned",
                "connected",
                "admitted",
                "heartbeat",
                "heartbeat",
                "heartbeat",
                "logged_out",
                "result",
                "end",
            ],
            false => &["launcher", "associate", "payload", "refused", "result", "end"],
        };
        assert_eq!((seen.as_slice(), output.status.success()), (expected, good), "{lines}");
        let errcode = if good { 0 } else { 6 };
        let told = format!("errcode {errcode}: the launcher knows");
        assert!(events.iter().any(|event| event["detail"] == told), "{lines}");
    }
}

#[tokio::test]
async fn what_was_used_is_known_after_a_restart_and_doubtful_after_a_crash() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gtarcade-restart.db");
    for end in ["", "-wal", "-shm", ".lock"] {
        let _ = fs::remove_file(format!("{}{end}", path.display()));
    }
    let database = path.to_str().expect("text").to_owned();
    let config = || Config { database: database.clone(), ..Config::local() };
    let [one, two, three] = ["ann", "ann", "bob"].map(|who| signed_response(who, TEST_GAME, &test_key()));

    let running = start(config()).await;
    let to = running.addresses.http.expect("it has a LoginServer");
    let (account, _) = log_in(to, &one).await.expect("the first process knows of nothing");
    running.shutdown().await;

    let running = start(config()).await;
    let to = running.addresses.http.expect("it has a LoginServer");
    assert_eq!(log_in(to, &one).await.unwrap_err(), "signature_replayed");
    assert_eq!(log_in(to, &two).await.expect("another one").0, account);
    // It ends without a word.
    drop(running);

    let running = start(config()).await;
    let to = running.addresses.http.expect("it has a LoginServer");
    for payload in [&one, &two, &three] {
        assert_eq!(log_in(to, payload).await.unwrap_err(), "signature_doubtful");
    }
    let admin = running.addresses.admin.expect("operators ask");
    let ready = net::http(HOME, admin, "GET /readyz HTTP/1.1").await;
    let ready: Value = serde_json::from_slice(&ready.body).expect("JSON");
    assert!(ready["limits"][0].as_str().is_some_and(|told| told.contains("signed are refused")), "{ready}");
    // Passwords are another matter, and an orderly end does not make up for the crash.
    net::log_in(to, "carl").await;
    running.shutdown().await;
    let running = start(config()).await;
    let to = running.addresses.http.expect("it has a LoginServer");
    assert_eq!(log_in(to, &three).await.unwrap_err(), "signature_doubtful");
    running.shutdown().await;
}
