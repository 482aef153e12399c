//! The client's end of the wire: its messages to bytes, the servers' bytes to messages.

use std::fmt;

use gatepass_core::{
    ids::{AccountId, RoomId, RoomKey, SessionKey},
    message::{Credentials, Reply, RequestBody, ToPlayer, ToRoom},
    refusal::Refusal,
    text::{Password, bounded, nickname},
    wire::{
        WireError,
        frame::{self, Frame, INFLATE_MAX},
        http::{
            Answer, Asked, LoginRequest, RoomRequest, cookie_header, decode_answer, login_target,
            room_target, session_from_set_cookie,
        },
        proto::{MsgLogin, MsgLoginResult, RetErrorMsgCmd, WireMessage, cmd::room as cmd},
    },
};
use zeroize::Zeroizing;

use super::http::Response;

/// The version that the original client says it is.
const VERSION: &str = "1.2.0";
/// The platform that the original client says it runs on.
const PLATFORM: &str = "android";
/// The device of a player who logs in with a password, and so needs none.
const NO_DEVICE: &str = "0000000000000000000000000000000000000000";
/// One refusal for each code: the one that is understood where several share it.
const REFUSALS: [Refusal; 14] = [
    Refusal::NoRoom,
    Refusal::Unavailable,
    Refusal::WrongCredentials,
    Refusal::BadSignature,
    Refusal::NoSession,
    Refusal::Malformed,
    Refusal::UnknownCommand,
    Refusal::NameTaken,
    Refusal::RoomFull,
    Refusal::TokenUnknown,
    Refusal::Busy,
    Refusal::Replaced,
    Refusal::TooManyAttempts,
    Refusal::Banned,
];

/// Why an answer means nothing to this client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unclear {
    /// It does not have the form of an answer.
    Wire(WireError),
    /// A login without a session cookie.
    NoCookie,
    /// A key that no server of this kind issues.
    ForeignKey,
    /// A name or an address longer than any may be.
    TooLong,
    /// This client does not ask that.
    NotAsked,
}

impl fmt::Display for Unclear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wire(error) => error.fmt(f),
            Self::NoCookie => f.write_str("logged in, but without a session cookie"),
            Self::ForeignKey => f.write_str("a session or room token that is not 32 hexadecimal digits"),
            Self::TooLong => f.write_str("a name or an address that is too long"),
            Self::NotAsked => f.write_str("an answer to something else"),
        }
    }
}

impl std::error::Error for Unclear {}

impl From<WireError> for Unclear {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

/// A refusal as it came: its number on the wire and what it means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The code.
    pub code: u32,
    /// The reason, as far as the code tells.
    pub why: Refusal,
}

impl Refused {
    /// Reads a code. One that the login path does not know counts as malformed: trying again is no use.
    #[must_use]
    pub fn from_code(code: u32) -> Self {
        let known = REFUSALS.into_iter().find(|refusal| refusal.code() == code);
        Self { code, why: known.unwrap_or(Refusal::Malformed) }
    }
}

/// The target of a request; the value of its `Cookie` header, if it has one; and what it asks.
///
/// # Errors
/// [`Unclear::NotAsked`] for a request that no client sends.
pub fn request(body: &RequestBody) -> Result<(Zeroizing<String>, Option<String>, Asked), Unclear> {
    match body {
        RequestBody::Login(credentials) => {
            Ok((Zeroizing::new(login_target(&login(credentials)?)), None, Asked::Login))
        }
        RequestBody::Room { session, scene } => {
            let room = RoomRequest { version: VERSION.to_owned(), scene: *scene, ..RoomRequest::default() };
            let cookie = session.map(|key| cookie(&key)).transpose()?;
            Ok((Zeroizing::new(room_target(&room)), cookie, Asked::Room))
        }
        RequestBody::Session { .. } | RequestBody::Bad(_) => Err(Unclear::NotAsked),
    }
}

fn login(credentials: &Credentials) -> Result<LoginRequest, Unclear> {
    let clear = |password: &Password| {
        let text = std::str::from_utf8(password.expose()).map_err(|_| Unclear::TooLong)?;
        Ok::<_, Unclear>(Zeroizing::new(text.to_owned()))
    };
    let base = LoginRequest {
        version: VERSION.to_owned(),
        platform: PLATFORM.to_owned(),
        device_id: NO_DEVICE.to_owned(),
        ..LoginRequest::default()
    };
    Ok(match credentials {
        Credentials::Password { name, password } => {
            LoginRequest { account: name.to_string(), password: clear(password)?, ..base }
        }
        Credentials::Register { name, password } => {
            LoginRequest { account: name.to_string(), password: clear(password)?, register: true, ..base }
        }
        Credentials::Guest { device } => {
            LoginRequest { device_id: device.to_string(), register: true, ..base }
        }
        // The original's form of a login has no place for it.
        Credentials::Signed { .. } => return Err(Unclear::NotAsked),
    })
}

/// The value of the `Cookie` header for a session.
///
/// # Errors
/// None in fact: 32 hexadecimal digits are always a cookie.
pub fn cookie(session: &SessionKey) -> Result<String, WireError> {
    cookie_header(&String::from_utf8_lossy(&session.expose()))
}

/// Reads the answer to a request. A refusal's code comes with it.
///
/// # Errors
/// See [`Unclear`].
pub fn reply(asked: Asked, response: &Response<'_>) -> Result<(Reply, Option<Refused>), Unclear> {
    Ok(match decode_answer(asked, response.body)? {
        Answer::Refused(code) => {
            let refused = Refused::from_code(code.0);
            (Reply::Refused(refused.why), Some(refused))
        }
        Answer::LoggedIn(login) => {
            let cookie = response.set_cookie.and_then(session_from_set_cookie).ok_or(Unclear::NoCookie)?;
            let session = SessionKey::parse(cookie).ok_or(Unclear::ForeignKey)?;
            let password = Zeroizing::new(login.password);
            let reply = Reply::LoggedIn {
                name: bounded(&login.account).ok_or(Unclear::TooLong)?,
                account: AccountId(login.id),
                newbie: login.is_newbie,
                password: if password.is_empty() { None } else { Password::new(&password) },
                session,
            };
            (reply, None)
        }
        Answer::Room(room) => {
            let reply = Reply::Room {
                account: AccountId(room.uid),
                endpoint: bounded(&room.addr).ok_or(Unclear::TooLong)?,
                key: RoomKey::parse(&room.key).ok_or(Unclear::ForeignKey)?,
                room: RoomId(room.room_id),
                scene: room.scene_id,
            };
            (reply, None)
        }
        Answer::Gateway(_) => return Err(Unclear::NotAsked),
    })
}

/// Appends what the client says to a RoomServer.
///
/// # Errors
/// [`WireError::FrameTooLong`], which nothing that a client says is.
pub fn to_room(msg: &ToRoom, out: &mut Vec<u8>) -> Result<(), WireError> {
    match msg {
        ToRoom::Login { name, key } => {
            let key = key.map(|key| key.text()).unwrap_or_default();
            let mut body = Vec::new();
            MsgLogin { name: name.to_string(), key }.encode_body(&mut body);
            frame::encode_plain(cmd::LOGIN, &body, out)
        }
        ToRoom::Heartbeat => frame::encode_plain(cmd::HEARTBEAT, &[], out),
        ToRoom::Logout => frame::encode_plain(cmd::CLOSE, &[], out),
        ToRoom::Game(command) => frame::encode_plain(*command, &[], out),
        // A datagram's business, and nothing that this client means to send.
        ToRoom::Bind { .. } | ToRoom::Malformed => Ok(()),
    }
}

/// Reads a RoomServer's frame: a message of the login path, or nothing if it belongs to the game.
///
/// `room` is the room the player was sent to: the greeting does not repeat it.
///
/// # Errors
/// If a message of the login path does not decode.
pub fn to_player(frame: &Frame<'_>, room: RoomId) -> Result<Option<(ToPlayer, Option<Refused>)>, WireError> {
    Ok(match frame.cmd {
        cmd::LOGIN => {
            let result = MsgLoginResult::decode_body(&frame.payload(INFLATE_MAX)?)?;
            let name = nickname(&result.name);
            Some((ToPlayer::Admitted { account: AccountId(result.id), room, name }, None))
        }
        cmd::HEARTBEAT => Some((ToPlayer::Echo, None)),
        cmd::CLOSE => Some((ToPlayer::LoggedOut, None)),
        cmd::ERROR => {
            let error = RetErrorMsgCmd::decode_body(&frame.payload(INFLATE_MAX)?)?;
            let refused = Refused::from_code(error.ret_code);
            Some((ToPlayer::Refused(refused.why), Some(refused)))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use gatepass_core::wire::{
        http::{encode_login_ok, encode_room, parse_query, set_cookie},
        proto::{RetIntoFRoom, RetLoginMsg},
    };

    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_guest_asks_as_the_original_client_does() {
        let device = bounded("4730d114e32c13359a112ce6cc17eebbd2073944").expect("short");
        let (target, cookie, _) = request(&RequestBody::Login(Credentials::Guest { device })).expect("asks");
        assert_eq!(
            target.as_str(),
            "/msg?c=1&a=&p=&ver=1.2.0&dev=4730d114e32c13359a112ce6cc17eebbd2073944&device=android&r=1&m=0\
             &sign=7e343d61e73ecd3c600521ae9588c460"
        );
        assert_eq!(cookie, None);
    }

    #[test]
    fn a_room_request_carries_the_cookie() {
        let session = SessionKey::parse(KEY);
        let (target, cookie, asked) = request(&RequestBody::Room { session, scene: 1002 }).expect("asks");
        assert_eq!(
            target.as_str(),
            "/msg?c=3&ver=1.2.0&ticketnum=0&scene=1002&sign=26696f326e09d96ffe04e60b3c104157"
        );
        assert_eq!(cookie, Some(format!("session={KEY}")));
        assert_eq!(asked, Asked::Room);
        assert!(parse_query(&target).expect("parses").is_signed());
    }

    #[test]
    fn answers_are_read_with_their_keys() {
        let body = encode_login_ok(&RetLoginMsg { account: "ann".into(), id: 7, ..RetLoginMsg::default() });
        let (body, cookie) = (body.expect("fits"), set_cookie(KEY).expect("a cookie"));
        let read = |set_cookie| reply(Asked::Login, &Response { set_cookie, body: &body });
        let (answer, _) = read(Some(&cookie)).expect("reads");
        assert!(matches!(answer, Reply::LoggedIn { account: AccountId(7), password: None, .. }));
        assert_eq!(read(None).expect_err("no cookie"), Unclear::NoCookie);
        assert_eq!(read(Some("session=other;")).expect_err("not a key"), Unclear::ForeignKey);

        let room = RetIntoFRoom { addr: "127.0.0.1:9001".into(), key: KEY.into(), ..RetIntoFRoom::default() };
        let body = encode_room(&room).expect("fits");
        let (answer, _) = reply(Asked::Room, &Response { set_cookie: None, body: &body }).expect("reads");
        assert!(matches!(answer, Reply::Room { endpoint, .. } if endpoint.as_str() == "127.0.0.1:9001"));
    }

    #[test]
    fn every_code_of_ours_is_understood() {
        for refusal in REFUSALS {
            assert_eq!(Refused::from_code(refusal.code()).why.code(), refusal.code());
        }
        assert_eq!(Refused::from_code(4711), Refused { code: 4711, why: Refusal::Malformed });
    }
}
