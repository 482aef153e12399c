//! Answers `{code, data}`, pushes `{type, info}`, and what the numbers mean.

use alloc::{format, string::String};
use core::fmt::Display;

use crate::{refusal::Refusal, verify::verifier::Unproven, wire::json::Quoted};

/// The code of an answer. Clients compare it with 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u16);

impl Code {
    /// It is done.
    pub const SUCCESS: Self = Self(0);
    /// There is no such user: no session, or an account that may not enter.
    pub const USER_ILLEGAL: Self = Self(1);
    /// Nobody serves this, or no server can be had.
    pub const ERROR: Self = Self(9000);
    /// The request makes no sense, or whoever had to be asked did not answer.
    pub const ILLEGAL_DATA: Self = Self(9001);
    /// The player has not shown who he is.
    pub const AUTH_FAILED: Self = Self(9006);
    /// Too much at once.
    pub const TOO_MANY: Self = Self(9008);
}

impl From<Refusal> for Code {
    fn from(why: Refusal) -> Self {
        match why {
            Refusal::BadSignature
            | Refusal::SignatureStale
            | Refusal::SignatureReplayed
            | Refusal::SignatureDoubtful => Self::AUTH_FAILED,
            Refusal::Busy | Refusal::Draining | Refusal::TooManyAttempts => Self::TOO_MANY,
            Refusal::Malformed => Self::ILLEGAL_DATA,
            Refusal::UnknownCommand | Refusal::NoRoom | Refusal::RoomFull | Refusal::Unavailable => {
                Self::ERROR
            }
            _ => Self::USER_ILLEGAL,
        }
    }
}

/// Types of pushes.
pub mod push {
    /// Strength and money: `{cur,max,refreshTime,peroid,diamond,money}`.
    pub const ACTION: u16 = 1;
    /// Friends: a list.
    pub const FRIENDS: u16 = 3005;
    /// Where in the introduction the player is: `{gid}`.
    pub const GUIDE: u16 = 5001;
}

/// An answer without data.
#[must_use]
pub fn refused(code: Code) -> String {
    format!("{{\"code\":{}}}", code.0)
}

/// An answer with data, which is JSON.
#[must_use]
pub fn answer(code: Code, data: impl Display) -> String {
    format!("{{\"code\":{},\"data\":{data}}}", code.0)
}

/// The answer to a login, or to a request to have something issued, that a verifier refuses.
#[must_use]
pub fn unproven(why: Unproven) -> String {
    match why {
        Unproven::Portal(ret) => answer(Code::AUTH_FAILED, format!("{{\"ret\":{ret}}}")),
        Unproven::NoAnswer => answer(Code::ILLEGAL_DATA, "{\"ret\":0}"),
        Unproven::IssuesNothing => refused(Code::ERROR),
        Unproven::Nameless => refused(Code::ILLEGAL_DATA),
        _ => refused(Code::AUTH_FAILED),
    }
}

/// The answer to a locate: where the player's server is, and whether he was never sent anywhere before.
#[must_use]
pub fn located(host: &str, port: u16, newbie: bool) -> String {
    answer(Code::SUCCESS, format!("{{\"newbie\":{newbie},\"ip\":{},\"port\":{port}}}", Quoted(host)))
}

/// Who has logged in.
#[derive(Clone, Copy)]
pub struct Player<'a> {
    /// His account.
    pub id: u64,
    /// His id in his domain.
    pub openid: &'a str,
    /// What his later calls show.
    pub token: &'a str,
    /// Seconds since 1970.
    pub time: u64,
    /// His name.
    pub name: &'a str,
    /// His first login ever.
    pub newbie: bool,
    /// His domain.
    pub domain: &'a str,
}

/// The answer to a login: what clients read of it, and of the original's assistants the one that says who it is.
#[must_use]
pub fn logged_in(player: &Player<'_>) -> String {
    let Player { id, openid, token, time, name, newbie, domain } = player;
    let (openid, token, name, domain) = (Quoted(openid), Quoted(token), Quoted(name), Quoted(domain));
    // Status 16 is the bit of a newcomer.
    let status = if *newbie { 16 } else { 0 };
    let info =
        format!("{{\"name\":{name},\"id\":{id},\"domain\":{domain},\"uuid\":{openid},\"status\":{status}}}");
    let data = format!(
        "{{\"id\":{id},\"openid\":{openid},\"token\":{token},\"time\":{time},\"name\":{name},\"info\":{info}}}"
    );
    answer(Code::SUCCESS, data)
}

/// A push: its argument.
#[must_use]
pub fn pushed(kind: u16, info: impl Display) -> String {
    format!("{{\"type\":{kind},\"info\":{info}}}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json;

    #[test]
    fn answers_are_json_that_clients_read() {
        let player = Player {
            id: 7,
            openid: "a\"b",
            token: "t",
            time: 9,
            name: "player#7",
            newbie: true,
            domain: "official.IOS",
        };
        for (text, expected) in [
            (refused(Code::USER_ILLEGAL), r#"{"code":1}"#),
            (unproven(Unproven::Portal(-3)), r#"{"code":9006,"data":{"ret":-3}}"#),
            (unproven(Unproven::NoAnswer), r#"{"code":9001,"data":{"ret":0}}"#),
            (unproven(Unproven::NoEvidence), r#"{"code":9006}"#),
            (located("h", 80, true), r#"{"code":0,"data":{"newbie":true,"ip":"h","port":80}}"#),
            (pushed(push::GUIDE, r#"{"gid":1}"#), r#"{"type":5001,"info":{"gid":1}}"#),
            (
                logged_in(&player),
                r#"{"code":0,"data":{"id":7,"openid":"a\"b","token":"t","time":9,"name":"player#7","info":{"name":"player#7","id":7,"domain":"official.IOS","uuid":"a\"b","status":16}}}"#,
            ),
        ] {
            assert_eq!(text, expected);
            assert!(json::read(text.as_bytes(), 4).is_ok());
        }
    }

    #[test]
    fn no_refusal_is_a_success() {
        for why in [Refusal::SignatureReplayed, Refusal::Banned, Refusal::NoSession, Refusal::Busy] {
            assert_ne!(Code::from(why), Code::SUCCESS);
        }
        assert_eq!(Code::from(Refusal::SignatureStale), Code::AUTH_FAILED);
    }
}
