//! The login payload of the platform GTarcade, as its launcher passes it on: `{code, message, data}`, signed in
//! `data`.
//!
//! The signature is `md5(name=value&name=value… + sign key)` over all members of `data` but `sign` and `game_data`,
//! sorted and written by PHP ([`wire::php`](crate::wire::php)). Nothing is escaped, so two sets of members can have
//! one signature, and `game_data` is signed by nobody. [`Strict`] rules refuse what could be read in two ways.
//!
//! The order of checks: JSON, an object, `sign` there, a text, 32 lower-case hex digits, right; `time` there, an
//! integer; then the window, then the strict rules.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    ids::Payload,
    message::Age,
    refusal::Refusal,
    wire::{
        json::{self, Json, JsonFault, Members},
        php::{self, Php},
    },
};

mod games;
mod response;
mod sign;
mod strict;

pub use super::Window;
pub use games::Games;
pub use response::{Response, members};
pub use sign::{SignKey, SignKeys, base, sign};
pub use strict::Rule;

/// The type of the domains of its players: behind the dot is the game's id. An account of one game is nobody in another.
pub const TYPE: &str = "gtarcade";
/// Bytes of a payload. PHP has no such bound; what the platform sends is below 1 KiB.
pub const BYTES_MAX: usize = 65_536;
/// Signed members. PHP has no such bound; the platform signs half a dozen.
pub const MEMBERS_MAX: usize = 1_000;

/// What becomes of the [`Rule`]s that the platform itself does not keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strict {
    /// Nobody asks.
    Off,
    /// A payload that breaks one is accepted, and the rule told.
    Log,
    /// It is one that could be read in two ways, which the rule
    /// [`signed_text`](crate::policy::Policy::signed_text) refuses.
    #[default]
    Enforce,
}

/// How payloads are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Which PHP signs. 8.2 unless the platform says otherwise; it matters only for names that look like numbers.
    pub php: Php,
    /// When a payload counts.
    pub window: Window,
    /// What becomes of strict rules.
    pub strict: Strict,
}

/// A payload whose signature is right.
#[derive(Clone, PartialEq, Eq)]
pub struct Genuine {
    /// Whom it names, which counts above every other mention of an account; none if there is no usable one: then
    /// nobody logs in.
    pub account: Option<String>,
    /// The game it is for, in decimal digits; none if there is no usable one.
    pub game: Option<String>,
    /// Where the clock stands in its window.
    pub age: Age,
    /// The digest of all that is signed, to be remembered against replay.
    pub payload: Payload,
    /// The first strict rule that it breaks, unless they are off.
    pub broken: Option<Rule>,
    /// Whether it is of the type of launchers, `micro`.
    pub micro: bool,
}

/// Accounts are nobody's business but the LoginServer's.
impl fmt::Debug for Genuine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { game, age, broken, micro, .. } = self;
        let mut shown = f.debug_struct("Genuine");
        shown.field("game", game).field("age", age).field("broken", broken).field("micro", micro);
        shown.finish_non_exhaustive()
    }
}

/// Why a payload is refused. No reason carries anything of the payload but the platform's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The response is no JSON object with a `code`.
    Envelope,
    /// The platform itself refuses: its code, which is not 0.
    Code(i64),
    /// The payload is no JSON.
    Json(JsonFault),
    /// It is no object.
    NotObject,
    /// It has more bytes than [`BYTES_MAX`] or more signed members than [`MEMBERS_MAX`].
    TooLong,
    /// There is no `sign`.
    SignMissing,
    /// `sign` is no text.
    SignNotText,
    /// `sign` is not 32 lower-case hex digits.
    SignMalformed,
    /// `sign` is wrong.
    SignMismatch,
    /// There is no `time`.
    TimeMissing,
    /// `time` is neither an integer nor its canonical decimal text.
    TimeNotInteger,
    /// Signed too long ago.
    Stale,
    /// Signed later than now.
    Future,
    /// It breaks a strict rule.
    Strict(Rule),
    /// It is for no game that is known here.
    UnknownGame,
    /// It is not of the type `micro`: it was not made for a launcher.
    NotMicro,
    /// It names no account that could log in.
    NoAccount,
}

impl Reason {
    /// A stable name for logs and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Envelope => "envelope",
            Self::Code(_) => "code",
            Self::Json(_) => "json_error",
            Self::NotObject => "not_object",
            Self::TooLong => "too_long",
            Self::SignMissing => "sign_missing",
            Self::SignNotText => "sign_not_string",
            Self::SignMalformed => "sign_bad_format",
            Self::SignMismatch => "sign_mismatch",
            Self::TimeMissing => "time_missing",
            Self::TimeNotInteger => "time_not_integer",
            Self::Stale => "stale",
            Self::Future => "future",
            Self::Strict(rule) => rule.name(),
            Self::UnknownGame => "unknown_game",
            Self::NotMicro => "not_micro",
            Self::NoAccount => "no_account",
        }
    }
}

impl From<Reason> for Refusal {
    /// What the client is told. Which of the things that have to do with the signature it was, it is not.
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Envelope | Reason::Json(_) | Reason::NotObject | Reason::TooLong | Reason::NoAccount => {
                Self::Malformed
            }
            Reason::Code(_) => Self::WrongCredentials,
            Reason::Stale | Reason::Future => Self::SignatureStale,
            Reason::SignMissing
            | Reason::SignNotText
            | Reason::SignMalformed
            | Reason::SignMismatch
            | Reason::TimeMissing
            | Reason::TimeNotInteger
            | Reason::Strict(_)
            | Reason::UnknownGame
            | Reason::NotMicro => Self::BadSignature,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl core::error::Error for Reason {}

/// Checks the text of a `data` object. `now` is in seconds since 1970.
///
/// # Errors
/// Why it is not genuine. Whether it is fresh and keeps the strict rules is for [`Genuine::account`] to say.
pub fn check(data: &[u8], keys: &SignKeys, settings: &Settings, now: i64) -> Result<Genuine, Reason> {
    if data.len() > BYTES_MAX {
        return Err(Reason::TooLong);
    }
    let value = json::read(data, php::DEPTH_MAX).map_err(Reason::Json)?;
    check_value(&value, keys, settings, now)
}

/// Checks a `data` object that has been read.
///
/// # Errors
/// As [`check`].
pub fn check_value(
    data: &Json<'_>,
    keys: &SignKeys,
    settings: &Settings,
    now: i64,
) -> Result<Genuine, Reason> {
    let members = data.object().ok_or(Reason::NotObject)?;
    let signed = sign::signed(members);
    if signed.len() > MEMBERS_MAX {
        return Err(Reason::TooLong);
    }
    let given = members.get("sign").ok_or(Reason::SignMissing)?.text().ok_or(Reason::SignNotText)?;
    let given = Payload::parse(given).ok_or(Reason::SignMalformed)?;
    if !keys.fit(&base(members, settings.php), &given) {
        return Err(Reason::SignMismatch);
    }
    let time = integer(members.get("time").ok_or(Reason::TimeMissing)?).ok_or(Reason::TimeNotInteger)?;
    Ok(Genuine {
        account: account(members),
        game: members.get("game_id").and_then(natural).map(|id| alloc::format!("{id}")),
        age: settings.window.age(time, now),
        payload: given,
        broken: if settings.strict == Strict::Off { None } else { strict::broken(members, &signed) },
        micro: members.get("type").and_then(Json::text) == Some("micro"),
    })
}

impl Genuine {
    /// Whom to log in now.
    ///
    /// # Errors
    /// [`Reason::Stale`], [`Reason::Future`], [`Reason::Strict`] or [`Reason::NoAccount`].
    pub fn account(&self, strict: Strict) -> Result<&str, Reason> {
        match (self.age, self.broken) {
            (Age::Stale, _) => Err(Reason::Stale),
            (Age::Future, _) => Err(Reason::Future),
            (Age::Fresh, Some(rule)) if strict == Strict::Enforce => Err(Reason::Strict(rule)),
            (Age::Fresh, _) => self.account.as_deref().ok_or(Reason::NoAccount),
        }
    }
}

/// The account as a text: the platform sends one; an integer within 64 bits has its digits, and nothing else is an
/// account.
fn account(members: &Members<'_>) -> Option<String> {
    match members.get("account")? {
        Json::Text(account) if !account.is_empty() => Some(account.clone().into_owned()),
        number @ Json::Number(spelling) if php::integer(spelling).is_some() => {
            Some(php::text(number).into_owned())
        }
        _ => None,
    }
}

/// An integer within 64 bits, or the canonical decimal text of one that is not negative.
fn integer(value: &Json<'_>) -> Option<i64> {
    match value {
        Json::Number(spelling) => php::integer(spelling),
        Json::Text(text) => decimal(text),
        _ => None,
    }
}

/// An integer that is not negative, or its canonical decimal text.
fn natural(value: &Json<'_>) -> Option<i64> {
    integer(value).filter(|number| *number >= 0)
}

/// Digits without a sign and without leading zeros.
fn decimal(text: &str) -> Option<i64> {
    let canonical = text == "0" || text.starts_with(|first: char| matches!(first, '1'..='9'));
    if canonical { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
