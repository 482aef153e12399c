//! Client and LoginServer: one HTTP request, one frame as the answer.
//!
//! The request is a `GET` whose query carries everything; the parameter `c` names the command and `sign` is an MD5
//! over a constant and `c` ([`sign`]). The answer is status 200 and a body of exactly one plain frame
//! ([`encode_login_ok`] and its like). The session travels in a cookie ([`set_cookie`]).
//!
//! The original client parses answers loosely, which makes some answers dangerous; the traps and what avoids them:
//!
//! | the client … | so an answer … |
//! |---|---|
//! | never inflates, and wants the body to be as long as the frame says | is plain and exact |
//! | ignores the command and reads `Params` of an error as the id of a login | never carries `Params` with an error |
//! | takes the cookie up to the first `;`, and loses a character without one | has a `;` after the cookie value |
//! | takes the value after the first `=` of the header | has `session` as its first pair |

mod answer;
mod cookie;
mod query;
mod sign;
#[cfg(test)]
mod tests;

pub use answer::{
    Answer, Asked, decode_answer, encode_error, encode_gateway, encode_login_ok, encode_room,
    encode_room_error,
};
pub use cookie::{SESSION_MAX, cookie_header, session_from_cookie, session_from_set_cookie, set_cookie};
pub use query::{
    ACCOUNT_MAX, DEVICE_MAX, LoginRequest, PASSWORD_MAX, PATH, PLATFORM_MAX, Param, Request, RequestFault,
    RoomRequest, SIGN_MAX, SignedRequest, TARGET_MAX, VERSION_MAX, gateway_target, login_target, parse_query,
    request_line, room_target,
};
pub use sign::{SIGN_LEN, check_sign, sign};
