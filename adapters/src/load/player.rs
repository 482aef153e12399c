//! One player of the load: the three steps of a flow, on reused buffers.

use std::{
    fmt,
    future::ready,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use gatepass_core::{
    message::Reply,
    refusal::Refusal,
    text::{Endpoint, Identity},
    verify::gtarcade::SignKey,
    wire::{
        frame::{self, INFLATE_MAX},
        http::{
            Answer, Asked, LoginRequest, RoomRequest, cookie_header, decode_answer, login_target,
            room_target, session_from_set_cookie,
        },
        local::Handover,
        proto::{ErrorCode, MsgLogin, RetErrorMsgCmd, RetIntoFRoom, WireMessage, cmd::room as cmd},
    },
};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use zeroize::Zeroizing;

use super::{Clients, Mode, Plan};
use crate::{
    client::{
        Dial, HttpConnection, RoomConnection, Trouble, Unclear, cookie, gamecloud, gtarcade, resolve,
        write_request,
    },
    gtarcade::{TEST_GAME, TEST_SIGN_KEY, signed_response},
};

/// Players that share one loopback address.
const PLAYERS_PER_ADDRESS: usize = 200;

/// Why a flow failed.
#[derive(Debug)]
pub(super) struct Failure {
    step: Step,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Refused(ErrorCode),
    Trouble(Trouble),
    TimedOut,
}

/// Where in a flow a player is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Login,
    Room,
    Connect,
    Entry,
}

impl Failure {
    /// Whether the server only had too much to do.
    pub(super) const fn is_busy(&self) -> bool {
        let Why::Refused(ErrorCode(code)) = self.why else { return false };
        code == Refusal::Busy.code() || code == Refusal::Unavailable.code()
    }
}

impl Step {
    /// Says where it failed, if it did.
    fn of<T>(self, result: Result<T, impl Into<Trouble>>) -> Result<T, Failure> {
        result.map_err(|error| Failure { step: self, why: Why::Trouble(error.into()) })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = match self.step {
            Step::Login => "login",
            Step::Room => "room request",
            Step::Connect => "connecting to the room",
            Step::Entry => "entry",
        };
        match &self.why {
            Why::Refused(code) => write!(f, "{step}: refused with {code}"),
            Why::Trouble(trouble) => write!(f, "{step}: {trouble}"),
            Why::TimedOut => write!(f, "{step}: timed out"),
        }
    }
}

pub(super) struct Player {
    mode: Mode,
    host: String,
    clients: Clients,
    to: SocketAddr,
    dial: Dial,
    /// One ready login request for each of his accounts.
    logins: Vec<Arc<Zeroizing<Vec<u8>>>>,
    registrations: Vec<LoginRequest>,
    room_target: String,
    step: Step,
    http: Option<HttpConnection>,
    room: Option<RoomConnection<TcpStream>>,
    /// Where the last room was, so that its name is resolved once.
    seen: Option<(Endpoint, SocketAddr)>,
    request: Vec<u8>,
    output: Vec<u8>,
}

impl Player {
    pub(super) fn new(plan: &Plan, to: SocketAddr, id: usize) -> Self {
        let own = (id..plan.accounts).step_by(plan.players);
        let registrations: Vec<_> = own
            .map(|number| LoginRequest {
                account: format!("{}{number}", plan.prefix),
                password: Zeroizing::new(plan.password.clone()),
                version: "1.2.0".to_owned(),
                device_id: format!("{number:040x}"),
                platform: "android".to_owned(),
                register: true,
                emulator: 0,
            })
            .collect();
        let keep = plan.mode != Mode::New;
        let ready = |login: &LoginRequest| {
            let mut bytes = Zeroizing::new(Vec::new());
            let target = login_target(&LoginRequest { register: false, ..login.clone() });
            write_request(&target, &plan.server, None, keep, &mut bytes);
            Arc::new(bytes)
        };
        let room = RoomRequest { version: "1.2.0".to_owned(), scene: plan.scene, ..RoomRequest::default() };
        Self {
            mode: plan.mode,
            host: plan.server.clone(),
            clients: plan.clients.clone(),
            to,
            dial: Dial { source: source(to, id), reset: true },
            logins: registrations.iter().map(ready).collect(),
            registrations,
            room_target: room_target(&room),
            step: Step::Login,
            http: None,
            room: None,
            seen: None,
            request: Vec::new(),
            output: Vec::new(),
        }
    }

    pub(super) fn accounts(&self) -> usize {
        self.logins.len()
    }

    pub(super) fn account(&self, index: usize) -> String {
        self.registrations.get(index).map(|login| login.account.clone()).unwrap_or_default()
    }

    /// Registers one of his accounts, or finds it registered with the same password.
    pub(super) async fn register(&mut self, index: usize) -> Result<(), Failure> {
        self.step = Step::Login;
        if self.clients != Clients::Mope {
            return self.vouched_for(index).await;
        }
        let Some(login) = self.registrations.get(index) else { return Ok(()) };
        let mut request = Zeroizing::new(Vec::new());
        write_request(&login_target(login), &self.host, None, false, &mut request);
        let mut http = self.connect_http().await?;
        self.cookie(&mut http, &request).await
    }

    /// One flow, up to the answer of the room.
    pub(super) async fn enter(&mut self, number: usize) -> Result<(), Failure> {
        self.step = Step::Login;
        let account = number % self.logins.len();
        let mut http = if self.clients == Clients::Mope {
            let mut http = self.http().await?;
            let login = Arc::clone(&self.logins[account]);
            self.cookie(&mut http, &login).await?;
            http
        } else {
            self.vouched_for(account).await?;
            self.http().await?
        };

        self.step = Step::Room;
        if self.mode == Mode::New && self.clients == Clients::Mope {
            http = self.connect_http().await?;
        }
        let place = self.place(&mut http).await?;
        if self.mode == Mode::Keep && http.is_reusable() {
            self.http = Some(http);
        } else {
            drop(http);
        }

        self.step = Step::Connect;
        self.output.clear();
        let mut room = match self.room.take() {
            Some(room) => {
                // He leaves his old place and asks for the new one in one breath.
                self.step.of(frame::encode_plain(cmd::CLOSE, &[], &mut self.output))?;
                room
            }
            None => self.connect_room(&place.addr).await?,
        };
        self.step = Step::Entry;
        self.knock(&mut room, place.key).await?;
        self.room = Some(room);
        Ok(())
    }

    /// What comes after a flow and is not measured: unless everything is kept he hangs up.
    pub(super) fn finish(&mut self) {
        if self.mode != Mode::Keep {
            self.room = None;
        }
    }

    /// Closes everything.
    pub(super) fn hang_up(&mut self) {
        self.http = None;
        self.room = None;
    }

    pub(super) const fn timed_out(&self) -> Failure {
        Failure { step: self.step, why: Why::TimedOut }
    }

    async fn http(&mut self) -> Result<HttpConnection, Failure> {
        match self.http.take() {
            Some(http) => Ok(http),
            None => self.connect_http().await,
        }
    }

    async fn connect_http(&self) -> Result<HttpConnection, Failure> {
        self.step.of(self.dial.connect(self.to).await).map(HttpConnection::new)
    }

    async fn connect_room(&mut self, addr: &str) -> Result<RoomConnection<TcpStream>, Failure> {
        let to = match &self.seen {
            Some((endpoint, to)) if endpoint.as_str() == addr => *to,
            _ => {
                let to = self.step.of(resolve(addr).await)?;
                self.seen = Endpoint::from(addr).ok().map(|endpoint| (endpoint, to));
                to
            }
        };
        // An address of this machine's own reaches no other machine.
        let source = self.dial.source.filter(|_| to.ip().is_loopback());
        self.step.of(Dial { source, ..self.dial }.connect(to).await).map(RoomConnection::new)
    }

    /// Logs in and prepares the room request with the session's cookie.
    async fn cookie(&mut self, http: &mut HttpConnection, login: &[u8]) -> Result<(), Failure> {
        let response = self.step.of(http.exchange(login).await)?;
        if let Answer::Refused(code) = self.step.of(decode_answer(Asked::Login, response.body))? {
            return Err(self.refused(code));
        }
        let session = response.set_cookie.and_then(session_from_set_cookie).ok_or(Unclear::NoCookie);
        let cookie = self.step.of(cookie_header(self.step.of(session)?))?;
        self.prepare(&cookie);
        Ok(())
    }

    /// Prepares the room request of a session.
    fn prepare(&mut self, cookie: &str) {
        self.request.clear();
        let keep = self.mode == Mode::Keep;
        write_request(&self.room_target, &self.host, Some(cookie), keep, &mut self.request);
    }

    /// Logs in as somebody others vouch for, which registers as well.
    async fn vouched_for(&mut self, account: usize) -> Result<(), Failure> {
        let account = self.account(account);
        let answer = match &self.clients {
            Clients::Gamecloud { index } => {
                let identity = Identity::new("official.IOS", &account).ok_or(Unclear::TooLong);
                gamecloud::log_in(index, &self.step.of(identity)?, self.dial, |_| ready(())).await
            }
            // Each login with a payload of its own.
            Clients::Gtarcade | Clients::Mope => {
                let payload = signed_response(&account, TEST_GAME, &SignKey::new(TEST_SIGN_KEY));
                gtarcade::log_in(&self.host, &Handover::new(&payload), self.dial).await
            }
        };
        match self.step.of(answer)? {
            (Reply::LoggedIn { session, .. }, _) => {
                let cookie = self.step.of(cookie(&session))?;
                self.prepare(&cookie);
                Ok(())
            }
            (_, Some(refused)) => Err(self.refused(ErrorCode(refused.code))),
            (_, None) => self.step.of(Err(Unclear::NotAsked)),
        }
    }

    async fn place(&self, http: &mut HttpConnection) -> Result<RetIntoFRoom, Failure> {
        let response = self.step.of(http.exchange(&self.request).await)?;
        match self.step.of(decode_answer(Asked::Room, response.body))? {
            Answer::Room(place) => Ok(place),
            Answer::Refused(code) => Err(self.refused(code)),
            _ => self.step.of(Err(Unclear::NotAsked)),
        }
    }

    /// Sends what is ready and the login behind it, and reads up to the answer to that.
    async fn knock(&mut self, room: &mut RoomConnection<TcpStream>, key: String) -> Result<(), Failure> {
        // The body is written behind its own frame's place; a login is far below any limit.
        let mut body = Vec::with_capacity(64);
        MsgLogin { name: "load".to_owned(), key }.encode_body(&mut body);
        self.step.of(frame::encode_plain(cmd::LOGIN, &body, &mut self.output))?;
        self.step.of(room.stream().write_all(&self.output).await)?;
        while !self.admitted(room).await? {}
        Ok(())
    }

    /// Reads a frame: whether it admits him. Else it is the answer to the logout before, or one of the game's.
    async fn admitted(&self, room: &mut RoomConnection<TcpStream>) -> Result<bool, Failure> {
        let frame = self.step.of(room.frame().await)?;
        if frame.cmd == cmd::ERROR {
            let payload = self.step.of(frame.payload(INFLATE_MAX))?;
            let error = self.step.of(RetErrorMsgCmd::decode_body(&payload))?;
            return Err(self.refused(ErrorCode(error.ret_code)));
        }
        Ok(frame.cmd == cmd::LOGIN)
    }

    const fn refused(&self, code: ErrorCode) -> Failure {
        Failure { step: self.step, why: Why::Refused(code) }
    }
}

/// Where a player's connections come from. Towards this very machine the ports of one address would run out, so
/// players are spread over the addresses of the loopback network, all of which Linux has.
fn source(to: SocketAddr, id: usize) -> Option<IpAddr> {
    let to_self = matches!(to.ip(), IpAddr::V4(v4) if v4.is_loopback());
    if !to_self || !cfg!(target_os = "linux") {
        return None;
    }
    let net = u8::try_from(1 + id / PLAYERS_PER_ADDRESS % 250).unwrap_or(1);
    let host = u8::try_from(1 + id % PLAYERS_PER_ADDRESS).unwrap_or(1);
    Some(IpAddr::V4(Ipv4Addr::new(127, 0, net, host)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn players_towards_this_machine_have_addresses_of_their_own() {
        let here: SocketAddr = "127.0.0.1:8123".parse().expect("an address");
        if cfg!(target_os = "linux") {
            assert_eq!(source(here, 0), Some(Ipv4Addr::new(127, 0, 1, 1).into()));
            assert_eq!(source(here, 201), Some(Ipv4Addr::new(127, 0, 2, 2).into()));
        }
        for elsewhere in ["192.0.2.1:8123", "[::1]:8123"] {
            assert_eq!(source(elsewhere.parse().expect("an address"), 3), None);
        }
    }
}
