//! The driven player against a small server that speaks the same codecs.

use std::{cell::RefCell, net::SocketAddr, time::Duration};

use gatepass_core::{
    client::{Outcome, Script},
    ids::Addr,
    limits::Times,
    message::Credentials,
    refusal::Refusal,
    text::bounded,
    wire::{
        frame,
        http::{Request, encode_error, encode_login_ok, encode_room, parse_query, set_cookie},
        proto::{
            ErrorCode, MsgLogin, MsgLoginResult, RetErrorMsgCmd, RetIntoFRoom, RetLoginMsg, WireMessage,
            cmd::room as cmd,
        },
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::*;

const SESSION: &str = "00112233445566778899aabbccddeeff";
const TOKEN: &str = "ffeeddccbbaa99887766554433221100";

/// What the small server does with a player in its room.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Room {
    /// Serves it.
    Good,
    /// Refuses its token.
    Refuses,
    /// Ends its session with code 21 after the first heartbeat.
    Replaces,
    /// Says nothing and closes.
    Closes,
}

pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Starts the small server. `refuse_login`: the code with which it refuses every login but a registration.
pub(crate) async fn serve(room: Room, refuse_login: Option<u32>) -> Server {
    let http = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let rooms = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = http.local_addr().expect("bound");
    let endpoint = rooms.local_addr().expect("bound").to_string();
    let login = tokio::spawn(async move {
        while let Ok((stream, _)) = http.accept().await {
            tokio::spawn(answer(stream, endpoint.clone(), refuse_login));
        }
    });
    let room = tokio::spawn(async move {
        while let Ok((stream, _)) = rooms.accept().await {
            tokio::spawn(host(stream, room));
        }
    });
    Server { addr, tasks: vec![login, room] }
}

async fn answer(mut stream: TcpStream, endpoint: String, refuse_login: Option<u32>) {
    let mut input = Vec::new();
    loop {
        let mut chunk = [0; 2048];
        while !input.ends_with(b"\r\n\r\n") {
            match stream.read(&mut chunk).await {
                Ok(n) if n > 0 => input.extend_from_slice(&chunk[..n]),
                _ => return,
            }
        }
        let text = String::from_utf8(std::mem::take(&mut input)).expect("text");
        let target = text.split(' ').nth(1).expect("a target");
        let request = parse_query(target).expect("parses");
        assert!(request.is_signed());
        let registers = matches!(&request.request, Request::Login(login) if login.register);
        let refuse_login = if registers { None } else { refuse_login };
        let (cookie, body) = match (request.request.c(), refuse_login) {
            (1, Some(code)) => (String::new(), encode_error(ErrorCode(code))),
            (1, None) => {
                let login = RetLoginMsg {
                    account: "ann".into(),
                    id: 7,
                    is_newbie: true,
                    password: "generated".into(),
                    ..RetLoginMsg::default()
                };
                let cookie = set_cookie(SESSION).expect("a cookie");
                (format!("Set-Cookie: {cookie}\r\n"), encode_login_ok(&login).expect("fits"))
            }
            _ => {
                assert!(text.contains(&format!("\r\nCookie: session={SESSION}\r\n")), "{text}");
                let place = RetIntoFRoom {
                    addr: endpoint.clone(),
                    key: TOKEN.into(),
                    uid: 7,
                    room_id: 3,
                    ..RetIntoFRoom::default()
                };
                (String::new(), encode_room(&place).expect("fits"))
            }
        };
        let head = format!("HTTP/1.1 200 OK\r\n{cookie}Content-Length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), &body].concat()).await.expect("writes");
        if text.contains("Connection: close") {
            return;
        }
    }
}

async fn host(stream: TcpStream, room: Room) {
    if room == Room::Closes {
        return;
    }
    let (reader, mut writer) = stream.into_split();
    let mut reader = RoomConnection::new(reader);
    let send_error = |code| {
        let mut body = Vec::new();
        RetErrorMsgCmd { ret_code: code, ..RetErrorMsgCmd::default() }.encode_body(&mut body);
        (cmd::ERROR, body)
    };
    while let Ok(frame) = reader.frame().await {
        let (command, body) = match frame.cmd {
            cmd::LOGIN if room == Room::Refuses => send_error(17),
            cmd::LOGIN => {
                let login = MsgLogin::decode_body(frame.body).expect("decodes");
                assert_eq!(login.key, TOKEN);
                let mut body = Vec::new();
                let result =
                    MsgLoginResult { ok: true, id: 7, name: login.name, ..MsgLoginResult::default() };
                result.encode_body(&mut body);
                (cmd::LOGIN, body)
            }
            cmd::HEARTBEAT if room == Room::Replaces => send_error(21),
            other => (other, Vec::new()),
        };
        let mut out = Vec::new();
        // The game talks in between, as a real room does.
        frame::encode_plain(cmd::TOP, &[1, 2, 3], &mut out).expect("fits");
        frame::encode_plain(command, &body, &mut out).expect("fits");
        if writer.write_all(&out).await.is_err() {
            return;
        }
    }
}

fn options(server: SocketAddr, keep_alive: bool) -> Options {
    let times = Times { heartbeat: Duration::from_millis(5), ..Times::default() };
    let settings = Settings { times, ..Settings::default() };
    Options { server: server.to_string(), keep_alive, dial: Dial::default(), system: System::Mope, settings }
}

fn script(heartbeats: Option<u16>) -> Script {
    let password = Password::new("secret").expect("short");
    Script {
        credentials: Credentials::Password { name: bounded("ann").expect("short"), password },
        addr: Addr::default(),
        scene: 1002,
        name: bounded("Ann").expect("short"),
        heartbeats,
        retries: 0,
        resumes: false,
        cheat: None,
    }
}

async fn run(room: Room, refuse: Option<u32>, keep_alive: bool, beats: u16) -> (Outcome, Vec<String>) {
    let server = serve(room, refuse).await;
    let seen = RefCell::new(Vec::new());
    let options = options(server.addr, keep_alive);
    let outcome = play(script(Some(beats)), &options, std::future::pending(), |moment| {
        seen.borrow_mut().push(format!("{:?}", moment.what));
    });
    let outcome = tokio::time::timeout(Duration::from_secs(10), outcome).await.expect("ends");
    (outcome, seen.into_inner())
}

#[tokio::test]
async fn a_player_goes_all_the_way() {
    for keep_alive in [false, true] {
        let (outcome, seen) = run(Room::Good, None, keep_alive, 2).await;
        assert_eq!(outcome, Outcome::LoggedOut, "{seen:#?}");
        let kinds: Vec<_> = seen.iter().map(|what| what.split([' ', '(']).next().unwrap_or("")).collect();
        let expected =
            ["LoggedIn", "Assigned", "Connected", "Admitted", "Heartbeat", "Heartbeat", "LoggedOut"];
        assert_eq!(kinds, expected);
        assert!(!seen.concat().contains("generated"), "a password is in no Debug");
        assert!(!seen.concat().contains(TOKEN) && !seen.concat().contains(SESSION));
    }
}

#[tokio::test]
async fn a_player_who_stays_leaves_when_told() {
    let server = serve(Room::Good, None).await;
    let options = options(server.addr, false);
    let (tell, told) = tokio::sync::oneshot::channel();
    let mut tell = Some(tell);
    let leave = async { drop(told.await) };
    let outcome = play(script(None), &options, leave, |moment| {
        if matches!(moment.what, What::Heartbeat)
            && let Some(tell) = tell.take()
        {
            let _ = tell.send(());
        }
    });
    let outcome = tokio::time::timeout(Duration::from_secs(10), outcome).await.expect("ends");
    assert_eq!(outcome, Outcome::LoggedOut);
}

#[tokio::test]
async fn refusals_and_their_codes_are_reported() {
    let (outcome, seen) = run(Room::Good, Some(5), false, 0).await;
    assert_eq!(outcome, Outcome::Refused(Refusal::WrongCredentials));
    assert!(seen[0].contains("code: 5"), "{seen:?}");
    let (outcome, seen) = run(Room::Refuses, None, false, 0).await;
    assert_eq!(outcome, Outcome::GaveUp);
    assert!(seen.last().is_some_and(|what| what.contains("code: 17")), "{seen:?}");
}

#[tokio::test]
async fn a_replaced_player_knows_it() {
    let (outcome, seen) = run(Room::Replaces, None, false, 9).await;
    assert_eq!(outcome, Outcome::Replaced, "{seen:?}");
    assert!(seen.last().is_some_and(|what| what.contains("code: 21")), "{seen:?}");
}

#[tokio::test]
async fn lost_connections_end_the_attempt() {
    let (outcome, seen) = run(Room::Closes, None, false, 0).await;
    assert_eq!(outcome, Outcome::GaveUp, "{seen:?}");

    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let options = options(nobody.local_addr().expect("bound"), false);
    drop(nobody);
    let mut lost = None;
    let outcome = play(script(None), &options, std::future::pending(), |moment| lost = Some(moment.what));
    assert_eq!(outcome.await, Outcome::GaveUp);
    assert!(matches!(lost, Some(What::Lost(Trouble::Unreachable { .. }))), "{lost:?}");
}
