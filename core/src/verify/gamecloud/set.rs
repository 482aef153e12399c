//! The signed set: made by the issuer, carried by the client as it is, checked at the login.
//!
//! The original takes any object that its signature fits. Names and values run into each other there, so bytes can be
//! moved between them: the set issued for the id `bobt1795165982` is also one of `bob`, of another time. Here a set has
//! the members that an issued set has, each in the one form in which it is issued. Then no two sets have one text:
//!
//! - The time has ten digits and stands last. The id stands in three places: `avatar`, `nickname`, `plat_user_id`. If
//!   two sets had one text, one id would be the other with some *s* behind it, and three times the length of *s* would
//!   be missing elsewhere: in the domain, or in the nonce, which has one to nine digits.
//! - Look at the first `_` behind the shorter id. A domain holds none, so it is that of `is_tourist`. If it is in *s*,
//!   then *s* holds `is_` and all that stands before it, and three times that is more than can be missing.
//! - So it stands in the same place in both, and with it `is_tourist1nickname` and the shorter id. What follows is
//!   `nonce` in one text; in the other it is *s*, which begins like `domain` or `is_tourist`. So there is no *s*.

use alloc::{
    borrow::{Cow, ToOwned},
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use super::sign::{self, SIGN, Secret, Signature};
use crate::wire::json::{Json, Members};

/// Longest id of a player, in bytes of UTF-8: as long as the subject of an identity.
pub const ID_MAX: usize = 64;
/// Longest domain, in bytes.
pub const DOMAIN_MAX: usize = 32;
/// Nonces are below this. The original has a thousand of them; then two sets of one second and player could be one.
pub const NONCES: u32 = 1_000_000_000;

/// What an issued set says, besides its signature.
#[derive(Clone, PartialEq, Eq)]
pub struct Set {
    /// When it was issued: seconds since 1970, ten digits.
    pub t: u64,
    /// Tells sets of one second apart; below [`NONCES`].
    pub nonce: u32,
    /// Who it is for: 1 to [`ID_MAX`] bytes.
    pub id: String,
    /// The domain it is for, if it was asked for with one: then it is good for no other.
    pub domain: Option<String>,
    /// The session of an administrator, 32 lower-case hexadecimal digits.
    pub session: Option<String>,
}

/// The session of an administrator is as good as his key.
impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { t, nonce, id, domain, session: _ } = self;
        f.debug_struct("Set")
            .field("t", t)
            .field("nonce", nonce)
            .field("id", id)
            .field("domain", domain)
            .finish_non_exhaustive()
    }
}

/// Why a set is not taken, or not issued. It carries nothing of the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SetFault {
    /// It is not an object.
    NotASet,
    /// A member is missing, is there twice, or is none that is issued.
    Members,
    /// A member has another form than it is issued in.
    Form {
        /// Its name.
        member: &'static str,
    },
    /// It was issued for another domain.
    OtherDomain,
    /// It names no domain, where it has to.
    NoDomain,
    /// Its signature is another one.
    Signature,
}

impl fmt::Display for SetFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotASet => f.write_str("not an object"),
            Self::Members => f.write_str("not the members of an issued set"),
            Self::Form { member } => write!(f, "{member} has not the form in which it is issued"),
            Self::OtherDomain => f.write_str("issued for another domain"),
            Self::NoDomain => f.write_str("issued for no domain"),
            Self::Signature => f.write_str("the signature is another one"),
        }
    }
}

impl core::error::Error for SetFault {}

/// Whether a text can be a domain: 1 to [`DOMAIN_MAX`] letters, digits, `.` and `-`.
#[must_use]
pub fn is_domain(text: &str) -> bool {
    let fits = (1..=DOMAIN_MAX).contains(&text.len());
    fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

/// Ten digits: until the year 2286.
#[must_use]
pub const fn is_time(t: u64) -> bool {
    1_000_000_000 <= t && t <= 9_999_999_999
}

impl Set {
    /// The set with its signature, as the client is to carry it: JSON, members in the order of the original.
    ///
    /// # Errors
    /// [`SetFault::Form`] if it could not be checked later.
    pub fn issue(&self, secret: &Secret) -> Result<String, SetFault> {
        self.check_form()?;
        let (t, nonce) = (self.t.to_string(), self.nonce.to_string());
        let mut members = self.members(&t, &nonce);
        let signature = sign::sign(&members, secret.expose()).map_err(|_| SetFault::Form { member: ID })?;
        members.0.push((SIGN.into(), Json::Text(signature.text().into())));
        Ok(Json::Object(members).to_string())
    }

    /// Reads a set and checks its signature, for a login into `domain`; `admin` sets have a session and no others do.
    ///
    /// The time is not compared with a clock: see [`Window::age`](crate::verify::Window::age).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(
        value: &Json<'_>,
        domain: &str,
        admin: bool,
        secret: &Secret,
    ) -> Result<(Self, Signature), SetFault> {
        let members = value.object().ok_or(SetFault::NotASet)?;
        let set = Self::read(members)?;
        if set.session.is_some() != admin {
            return Err(SetFault::Members);
        }
        let given = members.get(SIGN).and_then(Json::text).ok_or(SetFault::Form { member: SIGN })?;
        let signature = sign::check(members, secret, given).ok_or(SetFault::Signature)?;
        match &set.domain {
            Some(own) if own != domain => Err(SetFault::OtherDomain),
            _ => Ok((set, signature)),
        }
    }

    /// What the original reads in a set: a time and an id, if the signature fits, whatever else stands there. Names and
    /// values run into each other, so both may be the choice of whoever had it signed: this is worth no more than a
    /// policy says.
    #[must_use]
    pub fn read_as_original(value: &Json<'_>, secret: &Secret) -> Option<(i64, String, Signature)> {
        let members = value.object()?;
        let signature = sign::check(members, secret, members.get(SIGN)?.text()?)?;
        let time = match members.get(T)? {
            Json::Number(spelling) => spelling.parse().ok()?,
            other => other.text()?.parse().ok()?,
        };
        Some((time, members.get(ID)?.text()?.to_owned(), signature))
    }

    fn read(members: &Members<'_>) -> Result<Self, SetFault> {
        let named = |name: &str| members.0.iter().any(|(own, _)| own == name);
        let optional = [DOMAIN, SESSION].into_iter().filter(|name| named(name));
        let expected = [T, NONCE, ID, NICKNAME, AVATAR, TOURIST, SIGN].into_iter().chain(optional);
        // As many as there should be, and all of them there: then none is there twice, and none too many.
        if members.0.len() != expected.clone().count() || !expected.clone().all(named) {
            return Err(SetFault::Members);
        }
        let text = |member| members.get(member).and_then(Json::text).ok_or(SetFault::Form { member });
        let id = text(ID)?;
        for member in [NICKNAME, AVATAR] {
            if text(member)? != id {
                return Err(SetFault::Form { member });
            }
        }
        if members.get(TOURIST) != Some(&Json::Number("1")) {
            return Err(SetFault::Form { member: TOURIST });
        }
        let optional = |member| match members.get(member) {
            None => Ok(None),
            Some(value) => value.text().map(|text| Some(text.to_owned())).ok_or(SetFault::Form { member }),
        };
        let set = Self {
            t: number(members, T)?,
            nonce: u32::try_from(number(members, NONCE)?).map_err(|_| SetFault::Form { member: NONCE })?,
            id: id.to_owned(),
            domain: optional(DOMAIN)?,
            session: optional(SESSION)?,
        };
        set.check_form()?;
        Ok(set)
    }

    fn check_form(&self) -> Result<(), SetFault> {
        let hex = |text: &String| {
            text.len() == 32 && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
        };
        let forms = [
            (T, is_time(self.t)),
            (NONCE, self.nonce < NONCES),
            (ID, (1..=ID_MAX).contains(&self.id.len())),
            (DOMAIN, self.domain.as_deref().is_none_or(is_domain)),
            (SESSION, self.session.as_ref().is_none_or(hex)),
        ];
        match forms.into_iter().find(|(_, fits)| !fits) {
            Some((member, _)) => Err(SetFault::Form { member }),
            None => Ok(()),
        }
    }

    fn members<'a>(&'a self, t: &'a str, nonce: &'a str) -> Members<'a> {
        let text = |text: &'a str| Json::Text(Cow::Borrowed(text));
        let mut members: Vec<(Cow<'a, str>, Json<'a>)> = [
            (T, Json::Number(t)),
            (NONCE, Json::Number(nonce)),
            (ID, text(&self.id)),
            (NICKNAME, text(&self.id)),
            (AVATAR, text(&self.id)),
            (TOURIST, Json::Number("1")),
        ]
        .into_iter()
        .map(|(name, value)| (name.into(), value))
        .collect();
        for (name, value) in [(DOMAIN, &self.domain), (SESSION, &self.session)] {
            members.extend(value.as_deref().map(|value| (name.into(), text(value))));
        }
        Members(members)
    }
}

const T: &str = "t";
const NONCE: &str = "nonce";
const ID: &str = "plat_user_id";
const NICKNAME: &str = "nickname";
const AVATAR: &str = "avatar";
const TOURIST: &str = "is_tourist";
const DOMAIN: &str = "domain";
const SESSION: &str = "session";

/// A whole number as it is issued: decimal digits, none in front that could be left out.
pub(super) fn number(members: &Members<'_>, member: &'static str) -> Result<u64, SetFault> {
    let fault = SetFault::Form { member };
    let Some(Json::Number(spelling)) = members.get(member) else { return Err(fault) };
    let value: u64 = spelling.parse().map_err(|_| fault)?;
    if format!("{value}") == *spelling { Ok(value) } else { Err(fault) }
}

#[cfg(test)]
mod tests;
