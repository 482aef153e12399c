//! What the two ends say to each other: JSON objects, told apart by `msg_id`.
//!
//! The documentation contradicts itself in nearly every member, so the reader takes what can only have been meant
//! and the writer writes what its examples show:
//!
//! - 1 is both the launcher's status and the game's result: a result has `errcode`.
//! - A result names itself inside its `data`, which is a list of one; it may as well be an object, and the name may
//!   stand outside, but both must agree. Only `errcode` says whether it is a success, never the text.
//! - Ids are texts in the tables and integers in the examples: both are read, and a result writes `g_id` and
//!   `op_id` as integers where these are small.
//! - The signed payload has no place in any table: it is the member `payload` of a status, a text, byte for byte.
//! - Members that are unknown are ignored; messages that are unknown are none of ours, and no error.

use alloc::{
    format,
    string::{String, ToString},
};
use core::fmt::{self, Write as _};

use zeroize::Zeroizing;

use super::TEXT_MAX;
use crate::wire::{
    json::{self, Json, Members, Quoted},
    php,
};

/// Containers inside each other.
const DEPTH_MAX: usize = 16;
/// Bytes of an id, of an account and of a code.
const ID_MAX: usize = 256;
/// The largest integer that every reader of JSON keeps.
const SAFE_MAX: i64 = (1 << 53) - 1;

/// A message.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// 9, game to launcher: which game this connection is.
    Associate {
        /// The game.
        game: GameIds,
        /// The version of the link that the game would switch to.
        proto: Option<String>,
    },
    /// 1, launcher to game: whether it is logged in with the platform.
    Status {
        /// The run of the launcher, and what it calls this game in it.
        link: LinkIds,
        /// The state, in the launcher's own words.
        code: String,
        /// What the game hands to its server.
        payload: Option<Handover>,
        /// The version of the link that both switch to after this message.
        proto: Option<String>,
    },
    /// 1, game to launcher: what came of the login.
    Result {
        /// What came of it.
        outcome: Outcome,
        /// The run of the launcher, and what it calls this game in it.
        link: LinkIds,
        /// The game.
        game: GameIds,
    },
    /// Another, which means nothing here.
    Unknown {
        /// Its `msg_id`.
        id: String,
    },
}

/// What a game is started with.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GameIds {
    /// The account as the launcher knows it. The one in the signed payload counts above it.
    pub account: String,
    /// The game.
    pub g_id: String,
    /// The server.
    pub s_id: String,
    /// The channel.
    pub op_id: String,
}

/// What a launcher calls a game.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkIds {
    /// This run of the launcher.
    pub gta_id: String,
    /// This game in it.
    pub client_id: String,
}

/// What came of a login.
#[derive(Clone, PartialEq, Eq)]
pub struct Outcome {
    /// 0 is success, anything else is not.
    pub errcode: i64,
    /// Why, for people; never a secret.
    pub text: String,
}

impl Outcome {
    /// Whether the player is in.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.errcode == 0
    }
}

/// The platform's answer on its way through the launcher: as good as a password while it is fresh. Wiped when
/// dropped, shown by no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Handover(Zeroizing<String>);

impl Handover {
    /// This text, which is passed on byte for byte.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, for the game's server.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handover(..)")
    }
}

/// The player's account is not shown.
impl fmt::Debug for GameIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { g_id, s_id, op_id, .. } = self;
        write!(f, "GameIds({g_id:?}, {s_id:?}, {op_id:?}, ..)")
    }
}

/// Texts of a peer are not shown.
impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outcome({}, ..)", self.errcode)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Associate { game, .. } => write!(f, "Associate({game:?})"),
            Self::Status { link, payload, .. } => write!(f, "Status({link:?}, {})", payload.is_some()),
            Self::Result { outcome, link, .. } => write!(f, "Result({outcome:?}, {link:?})"),
            Self::Unknown { .. } => f.write_str("Unknown(..)"),
        }
    }
}

/// Why a text is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageFault {
    /// No JSON, or longer than [`TEXT_MAX`].
    Json,
    /// JSON, but no object.
    NotObject,
    /// A member is absent, null or empty.
    Missing(&'static str),
    /// A member has another type than it may, or is longer than any.
    Type(&'static str),
    /// A member is there twice with two values.
    Conflict(&'static str),
    /// `data` of a result is neither an object nor a list of one.
    Data,
}

impl fmt::Display for MessageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json => f.write_str("json"),
            Self::NotObject => f.write_str("not_object"),
            Self::Missing(name) => write!(f, "missing:{name}"),
            Self::Type(name) => write!(f, "type:{name}"),
            Self::Conflict(name) => write!(f, "conflict:{name}"),
            Self::Data => f.write_str("data"),
        }
    }
}

impl core::error::Error for MessageFault {}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// [`MessageFault`], which carries nothing that was read.
    pub fn read(text: &[u8]) -> Result<Self, MessageFault> {
        if text.len() > TEXT_MAX {
            return Err(MessageFault::Json);
        }
        let value = json::read(text, DEPTH_MAX).map_err(|_| MessageFault::Json)?;
        let members = value.object().ok_or(MessageFault::NotObject)?;
        let outer = optional(members, "msg_id")?;
        let is_result = members.get("errcode").is_some();
        let data = if is_result { data(members) } else { None };
        let inner = data.map(|data| optional(data, "msg_id")).transpose()?.flatten();
        if outer.is_some() && inner.is_some() && outer != inner {
            return Err(MessageFault::Conflict("msg_id"));
        }
        if is_result && data.is_none() && outer.is_none() {
            return Err(MessageFault::Data);
        }
        let id = outer.or(inner).ok_or(MessageFault::Missing("msg_id"))?;
        match &id[..] {
            "9" => Ok(Self::Associate { game: game(members)?, proto: optional(members, "proto")? }),
            "1" if is_result => {
                let data = data.ok_or(MessageFault::Data)?;
                let outcome = Outcome { errcode: errcode(members)?, text: said(members) };
                Ok(Self::Result { outcome, link: link(data)?, game: game(data)? })
            }
            "1" => Ok(Self::Status {
                link: link(members)?,
                code: required(members, "code")?,
                payload: payload(members)?,
                proto: optional(members, "proto")?,
            }),
            _ => Ok(Self::Unknown { id }),
        }
    }

    /// Writes a message; of one that is unknown only the id. The text may hold a [`Handover`].
    #[must_use]
    pub fn write(&self) -> Zeroizing<String> {
        // Long enough, so that the text is not moved and left behind in memory.
        let payload = if let Self::Status { payload: Some(payload), .. } = self {
            6 * payload.expose().len()
        } else {
            0
        };
        let mut out = Zeroizing::new(String::with_capacity(4_096 + payload));
        // Writing to a String cannot fail.
        let _ = self.write_to(&mut out);
        out
    }

    fn write_to(&self, out: &mut String) -> fmt::Result {
        match self {
            Self::Associate { game: GameIds { account, g_id, s_id, op_id }, proto } => {
                write!(out, "{{\"account\":{},\"g_id\":{},", Quoted(account), Quoted(g_id))?;
                write!(out, "\"s_id\":{},\"op_id\":{},\"msg_id\":\"9\"", Quoted(s_id), Quoted(op_id))?;
                member(out, "proto", proto.as_deref())?;
            }
            Self::Status { link: LinkIds { gta_id, client_id }, code, payload, proto } => {
                write!(out, "{{\"gta_id\":{},\"client_id\":{},", Quoted(gta_id), Quoted(client_id))?;
                write!(out, "\"msg_id\":\"1\",\"code\":{}", Quoted(code))?;
                member(out, "payload", payload.as_ref().map(Handover::expose))?;
                member(out, "proto", proto.as_deref())?;
            }
            Self::Result { outcome: Outcome { errcode, text }, link, game } => {
                write!(out, "{{\"errcode\":{errcode},\"msg\":{},\"data\":[{{", Quoted(text))?;
                write!(out, "\"account\":{},\"g_id\":{},", Quoted(&game.account), id(&game.g_id))?;
                write!(out, "\"s_id\":{},\"op_id\":{},", Quoted(&game.s_id), id(&game.op_id))?;
                write!(out, "\"gta_id\":{},\"client_id\":", Quoted(&link.gta_id))?;
                write!(out, "{},\"msg_id\":\"1\"}}]", Quoted(&link.client_id))?;
            }
            Self::Unknown { id } => write!(out, "{{\"msg_id\":{}", Quoted(id))?,
        }
        out.write_char('}')
    }
}

fn member(out: &mut String, name: &str, value: Option<&str>) -> fmt::Result {
    match value {
        Some(value) => write!(out, ",\"{name}\":{}", Quoted(value)),
        None => Ok(()),
    }
}

/// An id as a result writes it: an integer if it is the canonical form of a small one.
fn id(text: &str) -> String {
    let canonical = text
        .parse::<i64>()
        .is_ok_and(|number| (0..=SAFE_MAX).contains(&number) && number.to_string() == text);
    if canonical { text.into() } else { format!("{}", Quoted(text)) }
}

/// A text that is not empty, or an integer as its decimal digits; none if it is absent, null or empty.
fn optional(members: &Members<'_>, name: &'static str) -> Result<Option<String>, MessageFault> {
    let text = match members.get(name) {
        None | Some(Json::Null) => return Ok(None),
        Some(Json::Text(text)) => text.clone().into_owned(),
        Some(Json::Number(spelling)) => php::integer(spelling).ok_or(MessageFault::Type(name))?.to_string(),
        Some(_) => return Err(MessageFault::Type(name)),
    };
    if text.len() > ID_MAX {
        return Err(MessageFault::Type(name));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn required(members: &Members<'_>, name: &'static str) -> Result<String, MessageFault> {
    optional(members, name)?.ok_or(MessageFault::Missing(name))
}

fn game(members: &Members<'_>) -> Result<GameIds, MessageFault> {
    Ok(GameIds {
        account: required(members, "account")?,
        g_id: required(members, "g_id")?,
        s_id: required(members, "s_id")?,
        op_id: required(members, "op_id")?,
    })
}

fn link(members: &Members<'_>) -> Result<LinkIds, MessageFault> {
    Ok(LinkIds { gta_id: required(members, "gta_id")?, client_id: required(members, "client_id")? })
}

fn payload(members: &Members<'_>) -> Result<Option<Handover>, MessageFault> {
    match members.get("payload") {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Text(text)) => Ok(Some(Handover::new(text))),
        Some(_) => Err(MessageFault::Type("payload")),
    }
}

fn data<'m, 'a>(members: &'m Members<'a>) -> Option<&'m Members<'a>> {
    match members.get("data")? {
        Json::Object(data) => Some(data),
        Json::List(items) => match &items[..] {
            [item] => item.object(),
            _ => None,
        },
        _ => None,
    }
}

/// An integer, or its canonical decimal text.
fn errcode(members: &Members<'_>) -> Result<i64, MessageFault> {
    let fault = MessageFault::Type("errcode");
    match members.get("errcode") {
        None | Some(Json::Null) => Err(MessageFault::Missing("errcode")),
        Some(Json::Number(spelling)) => php::integer(spelling).ok_or(fault),
        Some(Json::Text(text)) => {
            let number: i64 = text.parse().map_err(|_| fault)?;
            if number.to_string() == **text { Ok(number) } else { Err(fault) }
        }
        Some(_) => Err(fault),
    }
}

/// What a result says to people: `msg`, else `message`; empty if it is no text.
fn said(members: &Members<'_>) -> String {
    let said = members.get("msg").or_else(|| members.get("message"));
    said.and_then(Json::text).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_payload_comes_through_byte_for_byte() {
        let text = "{ \"code\":0,\t\"data\":{\"a\":\"\\u4e2d\\/\u{4e2d}\u{0}\"}}\r\n";
        let status = Message::Status {
            link: LinkIds { gta_id: "1212".into(), client_id: "1".into() },
            code: "0".into(),
            payload: Some(Handover::new(text)),
            proto: Some("2".into()),
        };
        assert_eq!(Message::read(status.write().as_bytes()), Ok(status.clone()));
        assert!(!format!("{status:?}").contains("code"));
        for (member, fault) in
            [("\"payload\":1", MessageFault::Type("payload")), ("\"proto\":1.5", MessageFault::Type("proto"))]
        {
            let text = format!("{{\"msg_id\":1,\"gta_id\":1,\"client_id\":1,\"code\":0,{member}}}");
            assert_eq!(Message::read(text.as_bytes()), Err(fault));
        }
    }

    #[test]
    fn texts_are_bounded() {
        let long = "x".repeat(TEXT_MAX + 1);
        assert_eq!(Message::read(long.as_bytes()), Err(MessageFault::Json));
        let id = "9".repeat(ID_MAX + 1);
        let text = format!("{{\"msg_id\":\"{id}\"}}");
        assert_eq!(Message::read(text.as_bytes()), Err(MessageFault::Type("msg_id")));
    }

    fn ids() -> impl Strategy<Value = GameIds> {
        ["\\PC{1,9}", "[0-9]{1,18}|[a-z]{1,3}", "\\PC{1,9}", "0|-?[0-9]{1,4}"]
            .prop_map(|[account, g_id, s_id, op_id]| GameIds { account, g_id, s_id, op_id })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            game in ids(),
            gta_id in "\\PC{1,9}",
            client_id in "[0-9]{1,9}",
            errcode: i64,
            text: String,
            payload: Option<String>,
            proto in proptest::option::of("[0-9]"),
        ) {
            let link = LinkIds { gta_id, client_id };
            let outcome = Outcome { errcode, text };
            let payload = payload.as_deref().map(Handover::new);
            for message in [
                Message::Associate { game: game.clone(), proto: proto.clone() },
                Message::Status { link: link.clone(), code: "0".into(), payload, proto },
                Message::Result { outcome, link, game },
            ] {
                prop_assert_eq!(Message::read(message.write().as_bytes()), Ok(message));
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, text in r#"[\[\]{}",:0-19a-z_\\ ]{0,40}"#) {
            let _ = Message::read(&bytes);
            let _ = Message::read(text.as_bytes());
        }
    }
}
