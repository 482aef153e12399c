//! The answer: one plain frame, on both sides.

use alloc::vec::Vec;

use crate::wire::WireError;
use crate::wire::frame::{self, FRAME_MAX, INFLATE_MAX};
use crate::wire::proto::cmd::http as cmd;
use crate::wire::proto::{ErrorCode, RetErrorMsg, RetGateAddr, RetIntoFRoom, RetLoginMsg, WireMessage};

/// The body of a successful login; the `Set-Cookie` header goes with this answer only.
///
/// # Errors
/// [`WireError::BadField`] if the id is 0, which the original client takes as a failed login;
/// [`WireError::FrameTooLong`].
pub fn encode_login_ok(login: &RetLoginMsg) -> Result<Vec<u8>, WireError> {
    if login.id == 0 {
        return Err(ZERO_ID);
    }
    one_frame(cmd::LOGIN, login)
}

/// The body of the answer to a room request.
///
/// # Errors
/// [`WireError::FrameTooLong`].
pub fn encode_room(room: &RetIntoFRoom) -> Result<Vec<u8>, WireError> {
    one_frame(cmd::INTO_ROOM, room)
}

/// The body of a refused room request: `Err` and nothing else.
#[must_use]
pub fn encode_room_error(code: ErrorCode) -> Vec<u8> {
    short_frame(cmd::INTO_ROOM, &RetIntoFRoom { err: code.0, ..RetIntoFRoom::default() })
}

/// The body of the answer to a gateway request.
///
/// # Errors
/// [`WireError::FrameTooLong`].
pub fn encode_gateway(gateway: &RetGateAddr) -> Result<Vec<u8>, WireError> {
    one_frame(cmd::GATE_ADDR, gateway)
}

/// The body of a refusal of any request.
///
/// `Params` is always 0: the original client would take another value as the id of a successful login.
#[must_use]
pub fn encode_error(code: ErrorCode) -> Vec<u8> {
    short_frame(cmd::ERROR, &RetErrorMsg { ret_code: code.0, ..RetErrorMsg::default() })
}

/// What a client asked, which decides what it understands as the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    /// A login, `c=1`.
    Login,
    /// The gateway, `c=2`.
    Gateway,
    /// A room, `c=3`.
    Room,
}

/// What a LoginServer answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Logged in; the id is not 0.
    LoggedIn(RetLoginMsg),
    /// The gateway's address.
    Gateway(RetGateAddr),
    /// A room; `err` is 0.
    Room(RetIntoFRoom),
    /// Refused, in either of the two forms a refusal may have.
    Refused(ErrorCode),
}

/// Reads the body of an answer.
///
/// Stricter than the original client, which ignores the command and so can be fooled by a refusal: the command has
/// to be that of the request or that of an error.
///
/// # Errors
/// [`WireError::Truncated`] or [`WireError::TrailingBytes`] unless the body is exactly one frame,
/// [`WireError::UnknownCommand`] for a command that answers something else, [`WireError::BadField`] for a login
/// with id 0, else what the body's form deserves.
pub fn decode_answer(asked: Asked, body: &[u8]) -> Result<Answer, WireError> {
    let frame = frame::decode_exact(body, FRAME_MAX)?;
    let payload = frame.payload(INFLATE_MAX)?;
    match (frame.cmd, asked) {
        (cmd::ERROR, _) => {
            RetErrorMsg::decode_body(&payload).map(|refused| Answer::Refused(ErrorCode(refused.ret_code)))
        }
        (cmd::LOGIN, Asked::Login) => match RetLoginMsg::decode_body(&payload)? {
            login if login.id == 0 => Err(ZERO_ID),
            login => Ok(Answer::LoggedIn(login)),
        },
        (cmd::GATE_ADDR, Asked::Gateway) => RetGateAddr::decode_body(&payload).map(Answer::Gateway),
        (cmd::INTO_ROOM, Asked::Room) => RetIntoFRoom::decode_body(&payload).map(|room| match room.err {
            0 => Answer::Room(room),
            err => Answer::Refused(ErrorCode(err)),
        }),
        (other, _) => Err(WireError::UnknownCommand(other)),
    }
}

const ZERO_ID: WireError = WireError::BadField { message: RetLoginMsg::SHAPE.name, field: 2 };

fn one_frame<M: WireMessage>(cmd: u16, message: &M) -> Result<Vec<u8>, WireError> {
    let body = message.to_body();
    let mut out = Vec::new();
    frame::encode_plain(cmd, &body, &mut out)?;
    Ok(out)
}

/// A frame of numbers only, which is far too short not to fit.
fn short_frame<M: WireMessage>(cmd: u16, message: &M) -> Vec<u8> {
    one_frame(cmd, message).unwrap_or_default()
}
