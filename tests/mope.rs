//! The original system's traps: answers that its client misreads, read by the client of this crate; and the
//! original's rules, which a server keeps only if it is told to.

#[path = "common/net.rs"]
mod net;

use std::{net::SocketAddr, time::Duration};

use gatepass_adapters::{
    client::{Options, System, What, play},
    config::{Config, PolicyName},
    server::{Server, StartError},
};
use gatepass_core::{
    client::{Outcome, Script},
    ids::Addr,
    message::Credentials,
    refusal::Refusal,
    role::Settings,
    text::{Password, bounded, nickname},
};
use net::{LOGOUT, Player, frame, log_in, room, start, try_room, whole_entry};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};

const FIRST: &str = "0123456789abcdef0123456789abcdef";
const SECOND: &str = "fedcba9876543210fedcba9876543210";

/// A LoginServer that gives these answers, one per connection, and tells what it was asked.
async fn answers(
    answers: Vec<String>,
    bodies: Vec<Vec<u8>>,
) -> (SocketAddr, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("bound");
    let asked = tokio::spawn(async move {
        let mut asked = Vec::new();
        for (headers, body) in answers.into_iter().zip(bodies) {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                assert!(stream.read_buf(&mut head).await.expect("a request") > 0, "all of it");
            }
            asked.push(String::from_utf8(head).expect("text"));
            let head = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
            stream.write_all(&[head.as_bytes(), &body].concat()).await.expect("he reads");
        }
        asked
    });
    (addr, asked)
}

fn logged_in() -> Vec<u8> {
    // Account "ann", id 7, no newbie, no password, location 0.
    frame(1, b"\x0a\x03ann\x10\x07\x18\x00\x22\x00\x30\x00")
}

fn no_room() -> Vec<u8> {
    frame(3, b"\x08\x07")
}

/// What comes of it, and whether the player believed that he had logged in.
async fn try_to_play(server: SocketAddr) -> (Outcome, bool) {
    let script = Script {
        credentials: Credentials::Password {
            name: bounded("ann").expect("short"),
            password: Password::new("secret").expect("short"),
        },
        addr: Addr::default(),
        scene: 1002,
        name: nickname("ann"),
        heartbeats: None,
        retries: 0,
        resumes: false,
        cheat: None,
    };
    let options = Options {
        server: server.to_string(),
        keep_alive: false,
        system: System::Mope,
        dial: gatepass_adapters::client::Dial::default(),
        settings: Settings::default(),
    };
    let mut believed = false;
    // The wish to leave is there from the beginning: it means something once he is in.
    let played = play(script, &options, std::future::ready(()), |moment| {
        believed |= matches!(moment.what, What::LoggedIn { .. });
    });
    (timeout(Duration::from_secs(30), played).await.expect("it ends"), believed)
}

#[tokio::test]
async fn the_first_of_two_cookies_is_the_session() {
    let two = format!("Set-Cookie: session={FIRST}; Path=/\r\nSet-Cookie: session={SECOND}; Path=/\r\n");
    let (server, asked) = answers(vec![two, String::new()], vec![logged_in(), no_room()]).await;
    assert_eq!(try_to_play(server).await, (Outcome::Refused(Refusal::NoSession), true));
    let asked = asked.await.expect("both requests came");
    assert!(asked[1].contains(&format!("session={FIRST}\r\n")), "{asked:?}");
}

#[tokio::test]
async fn a_cookie_without_a_semicolon_is_whole() {
    let bare = format!("Set-Cookie: session={FIRST}\r\n");
    let (server, asked) = answers(vec![bare, String::new()], vec![logged_in(), no_room()]).await;
    assert_eq!(try_to_play(server).await, (Outcome::Refused(Refusal::NoSession), true));
    let asked = asked.await.expect("both requests came");
    assert!(asked[1].contains(&format!("session={FIRST}\r\n")), "{asked:?}");
}

#[tokio::test]
async fn a_refusal_with_params_is_no_login() {
    // Code 5, Params 7: the original client would be player 7 now. Even a cookie does not make it one.
    let cookie = format!("Set-Cookie: session={FIRST}; Path=/\r\n");
    let (server, asked) = answers(vec![cookie], vec![frame(4, b"\x08\x05\x10\x07")]).await;
    assert_eq!(try_to_play(server).await, (Outcome::Refused(Refusal::WrongCredentials), false));
    assert_eq!(asked.await.expect("one request came").len(), 1);
}

#[tokio::test]
async fn a_player_who_wants_to_leave_at_once_does_so_once_he_is_in() {
    let running = start(Config::local()).await;
    let to = running.addresses.http.expect("it has a LoginServer");
    log_in(to, "ann").await;
    assert_eq!(try_to_play(to).await, (Outcome::LoggedOut, true));
    running.shutdown().await;
}

#[tokio::test]
async fn the_originals_rules_must_be_asked_for() {
    let config = Config { policy: PolicyName("mope".into()), ..Config::local() };
    assert!(matches!(Server::start(config.clone()).await, Err(StartError::Config(_))));
    let running = start(Config { allow_unsafe_policy: true, ..config }).await;
    let to = running.addresses.http.expect("it has a LoginServer");
    let (mut player, older, place) = whole_entry(to, "ann").await;
    // An older session outlives a newer login.
    log_in(to, "ann").await;
    assert!(try_room(net::HOME, to, Some(&older.cookie)).await.is_ok());
    // Whoever knows the token takes the session, wherever he is.
    let mut thief = Player::enter_from(net::AWAY, &place, "thief").await;
    thief.expect_entry(older.account).await;
    drop(player.next().await);
    // A refusal leaves the connection open: 12,800 guesses are possible here.
    let mut guesser = Player::connect(place.addr).await;
    for _ in 0..3 {
        guesser.send(&net::msg_login("ann", FIRST)).await;
        assert_eq!(net::number(&guesser.expect(25).await, 1), 17);
    }
    let session = log_in(to, "bob").await;
    let place = room(to, &session.cookie).await;
    guesser.send(&net::msg_login("bob", &place.key)).await;
    guesser.expect_entry(session.account).await;
    guesser.send(&LOGOUT).await;
    running.shutdown().await;
}
