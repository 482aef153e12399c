//! The original Python client, byte by byte: what it sends, and what it makes of the answers. It shares no code
//! with the servers.
#![allow(dead_code, reason = "each test uses its part")]

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use gatepass_adapters::{
    config::Config,
    server::{Running, Server},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};

/// The signature of every login.
pub(crate) const LOGIN_SIGN: &str = "7e343d61e73ecd3c600521ae9588c460";
/// The signature of every room request.
pub(crate) const ROOM_SIGN: &str = "26696f326e09d96ffe04e60b3c104157";
/// Nothing on loopback takes longer, not even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
/// Where most clients are.
pub(crate) const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Where a stranger is.
pub(crate) const AWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// A heartbeat.
pub(crate) const HEARTBEAT: [u8; 6] = [2, 0, 0, 0, 16, 0];
/// A logout, and its answer.
pub(crate) const LOGOUT: [u8; 6] = [2, 0, 0, 0, 21, 0];

/// Starts a server.
pub(crate) async fn start(config: Config) -> Running {
    Server::start(config).await.expect("the server starts")
}

/// Connects from an address.
pub(crate) async fn connect(from: IpAddr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::new(from, 0)).expect("an address of this machine");
    let stream = timeout(PATIENCE, socket.connect(to)).await.expect("in time").expect("somebody listens");
    stream.set_nodelay(true).expect("a TCP socket");
    stream
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// What the original client takes for its session: everything between the first `=` and the first `;` of
    /// the header, and without a `;` everything but the last character.
    pub(crate) fn cookie(&self) -> Option<String> {
        let header = self.head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("set-cookie").then_some(value)
        })?;
        let start = header.find('=')? + 1;
        let end = header.find(';').unwrap_or(header.len() - 1);
        Some(header[start..end].to_owned())
    }

    /// How many cookies are set.
    pub(crate) fn cookies(&self) -> usize {
        self.head.lines().filter(|line| line.to_ascii_lowercase().starts_with("set-cookie:")).count()
    }

    /// The command and the message in the body, which has to be one plain frame and nothing else.
    pub(crate) fn message(&self) -> (u16, Vec<u8>) {
        let [n0, n1, n2, flag, c0, c1, body @ ..] = &self.body[..] else { panic!("no frame: {self:?}") };
        assert_eq!(*flag, 0, "the original client never inflates");
        assert_eq!(u32::from_le_bytes([*n0, *n1, *n2, 0]) as usize, body.len() + 2, "exactly one frame");
        (u16::from_le_bytes([*c0, *c1]), body.to_vec())
    }
}

/// Sends the head of a request and reads the answer to the end.
pub(crate) async fn http(from: IpAddr, to: SocketAddr, head: &str) -> Response {
    let request = format!("{head}\r\nHost: gatepass\r\nConnection: close\r\n\r\n");
    answered(from, to, request.as_bytes()).await
}

/// Sends a body and reads the answer to the end.
pub(crate) async fn post(from: IpAddr, to: SocketAddr, path: &str, body: &[u8]) -> Response {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: gatepass\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    answered(from, to, &[head.as_bytes(), body].concat()).await
}

async fn answered(from: IpAddr, to: SocketAddr, request: &[u8]) -> Response {
    let mut stream = connect(from, to).await;
    stream.write_all(request).await.expect("the request is sent");
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an answer").expect("a whole one");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8(answer[..end].to_vec()).expect("text");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    Response { status, head, body: answer[end..].to_vec() }
}

/// A number or bytes of a protobuf message, by its field.
pub(crate) fn field(message: &[u8], wanted: u64) -> Option<Field> {
    let mut rest = message;
    while !rest.is_empty() {
        let tag = varint(&mut rest);
        let found = match tag & 7 {
            0 => Field::Number(varint(&mut rest)),
            1 => Field::Bytes(take(&mut rest, 8)),
            2 => {
                let len = varint(&mut rest) as usize;
                Field::Bytes(take(&mut rest, len))
            }
            5 => Field::Bytes(take(&mut rest, 4)),
            other => panic!("wire type {other}"),
        };
        if tag >> 3 == wanted {
            return Some(found);
        }
    }
    None
}

/// A field's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Number(u64),
    Bytes(Vec<u8>),
}

/// A number of a message; 0 if it is not there.
pub(crate) fn number(message: &[u8], wanted: u64) -> u64 {
    match field(message, wanted) {
        Some(Field::Number(number)) => number,
        None => 0,
        other => panic!("field {wanted} is {other:?}"),
    }
}

/// A text of a message; empty if it is not there.
pub(crate) fn text(message: &[u8], wanted: u64) -> String {
    match field(message, wanted) {
        Some(Field::Bytes(bytes)) => String::from_utf8(bytes).expect("text"),
        None => String::new(),
        other => panic!("field {wanted} is {other:?}"),
    }
}

fn varint(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn take(rest: &mut &[u8], len: usize) -> Vec<u8> {
    let (taken, left) = rest.split_at(len);
    *rest = left;
    taken.to_vec()
}

/// A frame that carries `body` as it is.
pub(crate) fn frame(command: u16, body: &[u8]) -> Vec<u8> {
    frame_with(0, command, body)
}

/// The same with a flag.
pub(crate) fn frame_with(flag: u8, command: u16, body: &[u8]) -> Vec<u8> {
    let [n0, n1, n2, ..] = (body.len() as u32 + 2).to_le_bytes();
    let [c0, c1] = command.to_le_bytes();
    [&[n0, n1, n2, flag, c0, c1], body].concat()
}

/// `MsgLogin`: name and key.
pub(crate) fn msg_login(name: &str, key: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (tag, text) in [(0x0a, name), (0x12, key)] {
        body.push(tag);
        let mut len = text.len();
        while len >= 0x80 {
            body.push(len as u8 | 0x80);
            len >>= 7;
        }
        body.push(len as u8);
        body.extend_from_slice(text.as_bytes());
    }
    frame(1, &body)
}

/// Who has logged in.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) cookie: String,
    pub(crate) account: u64,
    pub(crate) newbie: bool,
    /// The password of a new guest.
    pub(crate) password: String,
}

/// The head of a login, as the original client writes it.
pub(crate) fn login_head(name: &str, password: &str, device: &str, register: bool) -> String {
    format!(
        "GET /msg?c=1&a={name}&p={password}&ver=1.2.0&dev={device}&device=android&r={}&m=0&sign={LOGIN_SIGN} HTTP/1.1",
        u8::from(register)
    )
}

/// The head of a room request.
pub(crate) fn room_head(cookie: Option<&str>) -> String {
    let line = format!("GET /msg?c=3&ver=1.2.0&ticketnum=0&scene=1002&sign={ROOM_SIGN} HTTP/1.1");
    match cookie {
        Some(cookie) => format!("{line}\r\nCookie: session={cookie}"),
        None => line,
    }
}

/// Logs in.
///
/// # Errors
/// The code of the refusal, which has neither a cookie nor `Params`.
pub(crate) async fn try_login(from: IpAddr, to: SocketAddr, head: &str) -> Result<Session, u64> {
    let response = http(from, to, head).await;
    assert_eq!(response.status, 200, "{response:?}");
    let (command, body) = response.message();
    if command == 4 {
        assert_eq!(response.cookies(), 0, "a refusal sets no cookie");
        assert_eq!(number(&body, 2), 0, "a refusal has no Params");
        return Err(number(&body, 1));
    }
    assert_eq!((command, response.cookies()), (1, 1));
    Ok(Session {
        cookie: response.cookie().expect("a cookie"),
        account: number(&body, 2),
        newbie: number(&body, 3) == 1,
        password: text(&body, 4),
    })
}

/// Registers, or logs in if the name is taken by this password.
pub(crate) async fn log_in(to: SocketAddr, name: &str) -> Session {
    try_login(HOME, to, &login_head(name, "secret", "", true)).await.expect("logged in")
}

/// A place in a room.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) addr: SocketAddr,
    pub(crate) key: String,
}

/// Asks for a room.
///
/// # Errors
/// The code of the refusal.
pub(crate) async fn try_room(from: IpAddr, to: SocketAddr, cookie: Option<&str>) -> Result<Place, u64> {
    let response = http(from, to, &room_head(cookie)).await;
    assert_eq!(response.status, 200, "{response:?}");
    let (command, body) = response.message();
    assert_eq!(command, 3);
    match number(&body, 1) {
        0 => Ok(Place { addr: text(&body, 2).parse().expect("an address"), key: text(&body, 3) }),
        code => Err(code),
    }
}

/// Asks for a room until a RoomServer takes players.
pub(crate) async fn room(to: SocketAddr, cookie: &str) -> Place {
    for _ in 0..400 {
        match try_room(HOME, to, Some(cookie)).await {
            Ok(place) => return place,
            // No RoomServer, or it has no lease yet.
            Err(3 | 4 | 18) => sleep(Duration::from_millis(25)).await,
            Err(code) => panic!("refused with {code}"),
        }
    }
    panic!("no RoomServer takes players");
}

/// A connection to a RoomServer.
#[derive(Debug)]
pub(crate) struct Player {
    pub(crate) stream: TcpStream,
    input: Vec<u8>,
}

impl Player {
    pub(crate) async fn connect(to: SocketAddr) -> Self {
        Self::connect_from(HOME, to).await
    }

    pub(crate) async fn connect_from(from: IpAddr, to: SocketAddr) -> Self {
        Self { stream: connect(from, to).await, input: Vec::new() }
    }

    /// Connects and says who it is.
    pub(crate) async fn enter(place: &Place, name: &str) -> Self {
        Self::enter_from(HOME, place, name).await
    }

    pub(crate) async fn enter_from(from: IpAddr, place: &Place, name: &str) -> Self {
        let mut player = Self::connect_from(from, place.addr).await;
        player.send(&msg_login(name, &place.key)).await;
        player
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the server reads");
    }

    /// The next frame, header included; none at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Vec<u8>> {
        timeout(PATIENCE, async {
            loop {
                if let [n0, n1, n2, ..] = self.input[..] {
                    let whole = 4 + u32::from_le_bytes([n0, n1, n2, 0]) as usize;
                    if self.input.len() >= whole {
                        return Some(self.input.drain(..whole).collect());
                    }
                }
                if self.stream.read_buf(&mut self.input).await.unwrap_or(0) == 0 {
                    return None;
                }
            }
        })
        .await
        .expect("the server says something in time")
    }

    /// The body of the next frame, which has to be of this command.
    pub(crate) async fn expect(&mut self, command: u16) -> Vec<u8> {
        let bytes = self.next().await.expect("a frame, not the end");
        assert_eq!(u16::from_le_bytes([bytes[4], bytes[5]]), command, "{bytes:?}");
        match bytes[3] {
            1 => miniz_oxide::inflate::decompress_to_vec_zlib(&bytes[6..]).expect("a zlib stream"),
            _ => bytes[6..].to_vec(),
        }
    }

    /// The greeting of somebody who is in, in the original's order: `MsgLoginResult` comes back.
    pub(crate) async fn expect_entry(&mut self, account: u64) -> Vec<u8> {
        self.expect(2).await;
        let result = self.expect(1).await;
        assert_eq!((number(&result, 1), number(&result, 2)), (1, account), "ok, and who he is");
        self.expect(3).await;
        self.expect(36).await;
        result
    }

    /// The code, and then the end.
    pub(crate) async fn expect_refusal(&mut self, code: u64) {
        let refused = self.next_of_login_path().await.expect("he is told before the end");
        assert_eq!(u16::from_le_bytes([refused[4], refused[5]]), 25, "{refused:?}");
        assert_eq!(number(&refused[6..], 1), code);
        assert_eq!(self.next().await, None, "then the connection ends");
    }

    /// A heartbeat comes back: he is in the room.
    pub(crate) async fn expect_alive(&mut self) {
        self.send(&HEARTBEAT).await;
        assert_eq!(self.next_of_login_path().await.as_deref(), Some(&HEARTBEAT[..]));
    }

    /// The next frame that is not about somebody else's coming or going.
    async fn next_of_login_path(&mut self) -> Option<Vec<u8>> {
        loop {
            match self.next().await {
                Some(frame) if matches!(frame[4], 3 | 4) => {}
                other => return other,
            }
        }
    }
}

/// Logs in and enters: everything that the original client does.
pub(crate) async fn whole_entry(to: SocketAddr, name: &str) -> (Player, Session, Place) {
    let session = log_in(to, name).await;
    let place = room(to, &session.cookie).await;
    let mut player = Player::enter(&place, name).await;
    player.expect_entry(session.account).await;
    (player, session, place)
}

/// A line of a process' memory, `VmRSS:` or `VmHWM:`, in KiB.
pub(crate) fn memory_kib(process: u32, line: &str) -> u64 {
    let status =
        std::fs::read_to_string(format!("/proc/{process}/status")).expect("a process of this machine");
    let found = status.lines().find_map(|text| text.strip_prefix(line)).expect("such a line");
    found.split_whitespace().next().and_then(|kib| kib.parse().ok()).expect("a number")
}
