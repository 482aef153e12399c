//! The request line: what a client asks of the LoginServer.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use super::sign::{check_sign, sign};
use crate::wire::WireError;
use crate::wire::proto::cmd::http as cmd;

/// The path of every request.
pub const PATH: &str = "/msg";
/// Longest request target (path and query), in bytes.
pub const TARGET_MAX: usize = 2048;
/// Longest account name, in bytes.
pub const ACCOUNT_MAX: usize = 64;
/// Longest password, in bytes.
pub const PASSWORD_MAX: usize = 128;
/// Longest device id, in bytes; the original client sends 40 hexadecimal digits or a UUID.
pub const DEVICE_MAX: usize = 64;
/// Longest client version, in bytes.
pub const VERSION_MAX: usize = 32;
/// Longest platform name, in bytes.
pub const PLATFORM_MAX: usize = 32;
/// Longest `sign` that is looked at, in bytes; a right one has 32.
pub const SIGN_MAX: usize = 64;
/// Longest number, in digits: those of `u32::MAX`.
const NUMBER_MAX: usize = 10;

// Every value may be written as three characters a byte, and still fit the target.
const _: () = assert!(
    3 * (ACCOUNT_MAX + PASSWORD_MAX + DEVICE_MAX + VERSION_MAX + PLATFORM_MAX + SIGN_MAX) + 256 < TARGET_MAX,
    "the longest login fits a request target"
);

/// A request and the signature that came with it, not yet checked.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// What is asked.
    pub request: Request,
    /// The parameter `sign`, empty if absent.
    pub sign: String,
}

impl SignedRequest {
    /// Whether the signature is that of the request's command.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        check_sign(self.request.c(), &self.sign)
    }
}

impl fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedRequest").field("request", &self.request).finish_non_exhaustive()
    }
}

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// `c=1`: log in, or register.
    Login(LoginRequest),
    /// `c=3`: a room, with the session of an earlier login.
    Room(RoomRequest),
    /// `c=2`: the gateway's address, with the session of an earlier login.
    Gateway,
}

impl Request {
    /// The parameter `c`, which is also the command of the answer.
    #[must_use]
    pub const fn c(&self) -> u32 {
        (match self {
            Self::Login(_) => cmd::LOGIN,
            Self::Room(_) => cmd::INTO_ROOM,
            Self::Gateway => cmd::GATE_ADDR,
        }) as u32
    }
}

/// A login. Hides the password and the device, which is as good as one, from `Debug`; wipes the password when
/// dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct LoginRequest {
    /// `a`: account name, at most [`ACCOUNT_MAX`] bytes; empty for a guest.
    pub account: String,
    /// `p`: password in clear, at most [`PASSWORD_MAX`] bytes; empty for a guest.
    pub password: Zeroizing<String>,
    /// `ver`: client version, at most [`VERSION_MAX`] bytes.
    pub version: String,
    /// `dev`: device id, at most [`DEVICE_MAX`] bytes; it names the guest account.
    pub device_id: String,
    /// `device`: platform, `android` or `ios`, at most [`PLATFORM_MAX`] bytes.
    pub platform: String,
    /// `r`: 1 to register or log in as a guest, else to log in to an existing account.
    pub register: bool,
    /// `m`: whether the client runs in an emulator, as the client says.
    pub emulator: u32,
}

impl fmt::Debug for LoginRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginRequest")
            .field("account", &self.account)
            .field("version", &self.version)
            .field("platform", &self.platform)
            .field("register", &self.register)
            .field("emulator", &self.emulator)
            .finish_non_exhaustive()
    }
}

/// A room request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomRequest {
    /// `ver`: client version, at most [`VERSION_MAX`] bytes.
    pub version: String,
    /// `ticketnum`: tickets to spend.
    pub tickets: u32,
    /// `scene`: map.
    pub scene: u32,
    /// `model`: 0 single, 1 join, 2 watch, 4 team, 5 quick; the original client does not send it.
    pub model: Option<u32>,
}

/// A parameter of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Param {
    /// Its name in the query.
    pub name: &'static str,
    /// Longest value, in bytes after unescaping.
    pub max: usize,
}

const C: Param = Param { name: "c", max: NUMBER_MAX };
const SIGN: Param = Param { name: "sign", max: SIGN_MAX };
const ACCOUNT: Param = Param { name: "a", max: ACCOUNT_MAX };
const PASSWORD: Param = Param { name: "p", max: PASSWORD_MAX };
const VERSION: Param = Param { name: "ver", max: VERSION_MAX };
const DEVICE: Param = Param { name: "dev", max: DEVICE_MAX };
const PLATFORM: Param = Param { name: "device", max: PLATFORM_MAX };
const REGISTER: Param = Param { name: "r", max: NUMBER_MAX };
const EMULATOR: Param = Param { name: "m", max: NUMBER_MAX };
const TICKETS: Param = Param { name: "ticketnum", max: NUMBER_MAX };
const SCENE: Param = Param { name: "scene", max: NUMBER_MAX };
const MODEL: Param = Param { name: "model", max: NUMBER_MAX };

/// Why a request line is unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestFault {
    /// The target is longer than [`TARGET_MAX`] bytes.
    TargetTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The path is not [`PATH`].
    UnknownPath,
    /// A parameter without which the request means nothing is absent.
    Missing(Param),
    /// A value is longer than its parameter allows.
    TooLong(Param),
    /// A value is no decimal number of 32 bits.
    NotANumber(Param),
    /// A value is not UTF-8 once unescaped.
    NotText(Param),
    /// `c` names no request of the login path.
    UnknownRequest(u32),
}

impl fmt::Display for RequestFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TargetTooLong { len } => write!(f, "target of {len} bytes, limit {TARGET_MAX}"),
            Self::UnknownPath => f.write_str("unknown path"),
            Self::Missing(Param { name, .. }) => write!(f, "{name} is missing"),
            Self::TooLong(Param { name, max }) => write!(f, "{name} is longer than {max} bytes"),
            Self::NotANumber(Param { name, .. }) => write!(f, "{name} is not a number"),
            Self::NotText(Param { name, .. }) => write!(f, "{name} is not text"),
            Self::UnknownRequest(c) => write!(f, "no request has c={c}"),
        }
    }
}

/// Reads the target of a request line: `/msg?` and the query.
///
/// Parameters may come in any order. Of several with one name the first counts, as in Go's `net/http`; others than
/// those of [`LoginRequest`] and [`RoomRequest`] are ignored. The original client inserts values raw, so a `%` that
/// starts no escape, and every `+`, stands for itself; proper escapes are resolved. An absent number counts as 0
/// and an absent text as empty, except `c` and `scene`, which have to be there.
///
/// # Errors
/// [`WireError::BadRequest`] with the reason.
pub fn parse_query(path_and_query: &str) -> Result<SignedRequest, WireError> {
    if path_and_query.len() > TARGET_MAX {
        return Err(RequestFault::TargetTooLong { len: path_and_query.len() }.into());
    }
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    if path != PATH {
        return Err(RequestFault::UnknownPath.into());
    }
    let query = Query::new(query);
    let c = query.number(C)?.ok_or(RequestFault::Missing(C))?;
    let request = match u16::try_from(c) {
        Ok(cmd::LOGIN) => Request::Login(LoginRequest {
            account: query.text(ACCOUNT)?,
            password: Zeroizing::new(query.text(PASSWORD)?),
            version: query.text(VERSION)?,
            device_id: query.text(DEVICE)?,
            platform: query.text(PLATFORM)?,
            register: query.number(REGISTER)? == Some(1),
            emulator: query.number(EMULATOR)?.unwrap_or(0),
        }),
        Ok(cmd::INTO_ROOM) => Request::Room(RoomRequest {
            version: query.text(VERSION)?,
            tickets: query.number(TICKETS)?.unwrap_or(0),
            scene: query.number(SCENE)?.ok_or(RequestFault::Missing(SCENE))?,
            model: query.number(MODEL)?,
        }),
        Ok(cmd::GATE_ADDR) => Request::Gateway,
        _ => return Err(RequestFault::UnknownRequest(c).into()),
    };
    Ok(SignedRequest { request, sign: query.text(SIGN)? })
}

/// The target of a login, parameters in the order of the original client.
///
/// Values go in as they are, which is what that client does, except for the bytes that would end a value or the
/// request line, or be read as an escape: those are written `%XX`.
#[must_use]
pub fn login_target(login: &LoginRequest) -> String {
    let LoginRequest { account, password, version, device_id, platform, register, emulator } = login;
    Target::new(cmd::LOGIN)
        .text(ACCOUNT, account)
        .text(PASSWORD, password)
        .text(VERSION, version)
        .text(DEVICE, device_id)
        .text(PLATFORM, platform)
        .number(REGISTER, u32::from(*register))
        .number(EMULATOR, *emulator)
        .signed()
}

/// The target of a room request, parameters in the order of the original client.
#[must_use]
pub fn room_target(room: &RoomRequest) -> String {
    let target = Target::new(cmd::INTO_ROOM)
        .text(VERSION, &room.version)
        .number(TICKETS, room.tickets)
        .number(SCENE, room.scene);
    match room.model {
        Some(model) => target.number(MODEL, model).signed(),
        None => target.signed(),
    }
}

/// The target of a gateway request.
#[must_use]
pub fn gateway_target() -> String {
    Target::new(cmd::GATE_ADDR).signed()
}

/// The request line for a target, without its line end.
#[must_use]
pub fn request_line(target: &str) -> String {
    format!("GET {target} HTTP/1.1")
}

/// The part of a target after the `?`: names and values as they were sent.
struct Query<'a>(Vec<(&'a [u8], &'a [u8])>);

/// Parameters of a request of the original client, and then some.
const PARAMS: usize = 16;

impl<'a> Query<'a> {
    fn new(text: &'a str) -> Self {
        let mut pairs = Vec::with_capacity(PARAMS);
        // Values are short: to look at each byte is quicker than to set out for a search.
        pairs.extend(text.as_bytes().split(|byte| *byte == b'&').map(|pair| {
            let end = pair.iter().position(|byte| *byte == b'=');
            end.map_or((pair, &[][..]), |end| (&pair[..end], &pair[end + 1..]))
        }));
        Self(pairs)
    }

    /// A value as it was sent; empty if there is none.
    fn raw(&self, param: Param) -> &'a [u8] {
        self.0.iter().find(|(name, _)| *name == param.name.as_bytes()).map_or(&[], |(_, value)| value)
    }

    fn text(&self, param: Param) -> Result<String, RequestFault> {
        let text = match unescape(self.raw(param)) {
            Cow::Borrowed(bytes) => core::str::from_utf8(bytes).map(String::from).ok(),
            Cow::Owned(bytes) => String::from_utf8(bytes).ok(),
        };
        let text = text.ok_or(RequestFault::NotText(param))?;
        if text.len() > param.max { Err(RequestFault::TooLong(param)) } else { Ok(text) }
    }

    /// A decimal number; `None` if the parameter is absent or empty.
    fn number(&self, param: Param) -> Result<Option<u32>, RequestFault> {
        let digits = self.raw(param);
        if digits.is_empty() {
            return Ok(None);
        }
        if digits.len() > param.max {
            return Err(RequestFault::TooLong(param));
        }
        let number = digits.iter().try_fold(0_u32, |number, digit| {
            let digit = char::from(*digit).to_digit(10)?;
            number.checked_mul(10)?.checked_add(digit)
        });
        number.map(Some).ok_or(RequestFault::NotANumber(param))
    }
}

/// Resolves `%XX`; what is no escape stays as it is.
fn unescape(bytes: &[u8]) -> Cow<'_, [u8]> {
    if !bytes.contains(&b'%') {
        return Cow::Borrowed(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        let escaped = match after {
            [high, low, tail @ ..] if first == b'%' => {
                hex_value(*high).zip(hex_value(*low)).map(|pair| (pair, tail))
            }
            _ => None,
        };
        let (byte, tail) = match escaped {
            Some(((high, low), tail)) => (high << 4 | low, tail),
            None => (first, after),
        };
        out.push(byte);
        rest = tail;
    }
    Cow::Owned(out)
}

fn hex_value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// A target being written.
struct Target {
    c: u16,
    text: String,
}

impl Target {
    fn new(c: u16) -> Self {
        Self { c, text: format!("{PATH}?{}={c}", C.name) }
    }

    fn number(self, param: Param, value: u32) -> Self {
        self.text(param, &format!("{value}"))
    }

    fn text(mut self, param: Param, value: &str) -> Self {
        self.text.push('&');
        self.text.push_str(param.name);
        self.text.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_graphic()
                && !matches!(
                    byte,
                    b'%' | b'&' | b'#' | b'+' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'
                )
            {
                self.text.push(char::from(byte));
            } else {
                self.text.push_str(&format!("%{byte:02X}"));
            }
        }
        self
    }

    fn signed(self) -> String {
        let sign = sign(u32::from(self.c)).map(char::from);
        let mut text = self.text;
        text.push('&');
        text.push_str(SIGN.name);
        text.push('=');
        text.extend(sign);
        text
    }
}
