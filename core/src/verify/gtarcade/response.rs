//! The platform's whole answer, which the launcher passes on as it is.
//!
//! The documentation calls the text `message` in its example and `msg` in its table, and `data` a list in its table
//! and an object in its example; this reader takes what can only have been meant.

use alloc::{
    borrow::Cow,
    format,
    string::{String, ToString},
};

use super::{BYTES_MAX, Genuine, Reason, Settings, SignKeys, TYPE, check_value};
use crate::wire::{
    json::{self, Json, Members},
    php,
};

/// The answer, read.
pub struct Response<'a> {
    members: Cow<'a, Members<'a>>,
    code: i64,
}

/// It holds a payload.
impl core::fmt::Debug for Response<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Response").field("code", &self.code).finish_non_exhaustive()
    }
}

impl<'a> Response<'a> {
    /// Reads an answer.
    ///
    /// # Errors
    /// [`Reason::Envelope`] if it is no JSON object whose `code` is an integer or the canonical decimal text of one,
    /// [`Reason::TooLong`] if it has more than [`BYTES_MAX`] bytes.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Reason> {
        Self::among(Cow::Owned(members(bytes)?))
    }

    /// An answer whose members have been read, as [`members`] does.
    ///
    /// # Errors
    /// [`Reason::Envelope`], as [`Response::read`].
    pub fn of(members: &'a Members<'a>) -> Result<Self, Reason> {
        Self::among(Cow::Borrowed(members))
    }

    fn among(members: Cow<'a, Members<'a>>) -> Result<Self, Reason> {
        let code = members.get("code").and_then(code).ok_or(Reason::Envelope)?;
        Ok(Self { members, code })
    }

    /// 0 is success; only this decides, never the text.
    #[must_use]
    pub const fn code(&self) -> i64 {
        self.code
    }

    /// What the platform says to people: `message`, else `msg`; empty if it is no text.
    #[must_use]
    pub fn message(&self) -> &str {
        let said = self.members.get("message").or_else(|| self.members.get("msg"));
        said.and_then(Json::text).unwrap_or_default()
    }

    /// Checks the payload in it.
    ///
    /// # Errors
    /// [`Reason::Code`] if the platform refuses, else as [`check`](super::check).
    pub fn check(&self, keys: &SignKeys, settings: &Settings, now: i64) -> Result<Genuine, Reason> {
        check_value(self.data()?, keys, settings, now)
    }

    /// The game that the payload says it is for, in decimal digits: which keys to check it with. Nothing of it is
    /// checked yet.
    ///
    /// # Errors
    /// [`Reason::Code`] or [`Reason::NotObject`].
    pub fn claimed_game(&self) -> Result<Option<String>, Reason> {
        let members = self.data()?.object().ok_or(Reason::NotObject)?;
        Ok(members.get("game_id").and_then(super::natural).map(|id| id.to_string()))
    }

    /// The domain of that game.
    ///
    /// # Errors
    /// As [`Response::claimed_game`], and [`Reason::UnknownGame`] if it names none.
    pub fn claimed_domain(&self) -> Result<String, Reason> {
        let game = self.claimed_game()?.ok_or(Reason::UnknownGame)?;
        Ok(format!("{TYPE}.{game}"))
    }

    /// The account that the payload names, whoever wrote it: nothing of it is checked. None if there is none.
    #[must_use]
    pub fn claimed_account(&self) -> Option<String> {
        super::account(self.data().ok()?.object()?)
    }

    fn data(&self) -> Result<&Json<'a>, Reason> {
        if self.code != 0 {
            return Err(Reason::Code(self.code));
        }
        self.members.get("data").ok_or(Reason::NotObject)
    }
}

/// The members of an answer.
///
/// # Errors
/// [`Reason::Envelope`] if it is no JSON object, [`Reason::TooLong`] if it has more than [`BYTES_MAX`] bytes.
pub fn members(bytes: &[u8]) -> Result<Members<'_>, Reason> {
    if bytes.len() > BYTES_MAX {
        return Err(Reason::TooLong);
    }
    match json::read(bytes, php::DEPTH_MAX) {
        Ok(Json::Object(members)) => Ok(members),
        _ => Err(Reason::Envelope),
    }
}

/// An integer, or its canonical decimal text.
fn code(value: &Json<'_>) -> Option<i64> {
    match value {
        Json::Text(text) => match text.strip_prefix('-') {
            Some(digits) if digits != "0" => super::decimal(digits).and_then(i64::checked_neg),
            _ => super::decimal(text),
        },
        other => super::integer(other),
    }
}
