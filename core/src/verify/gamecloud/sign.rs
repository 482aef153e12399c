//! The signature: MD5 over the members of an object in the order of their names, and a secret.
//!
//! Names and values stand side by side without anything between them, so two objects may well have one signature.
//! [`set`](super::set) says which objects are taken, such that no two of those do.

use core::fmt;

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use alloc::{string::String, vec::Vec};

use super::text::{self, NoText};
use crate::{
    ids::Payload,
    wire::json::{Json, Members},
};

/// The one member that is not signed.
pub const SIGN: &str = "sign";

/// What signatures are made with. Shown by no `Debug`, wiped when dropped, never empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A secret, or nothing if the text is empty: the original then signs without one, and anybody can do that.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(Zeroizing::new(text.into())))
    }

    /// The text, to sign with.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The text that is signed, without the secret.
///
/// # Errors
/// [`NoText`] if a member has none.
pub fn base(members: &Members<'_>) -> Result<String, NoText> {
    let mut out = String::new();
    write_base(members, &mut out)?;
    Ok(out)
}

/// The signature of an object: of all its members but [`SIGN`], and then of the secret, which may be empty.
///
/// # Errors
/// [`NoText`] if a member has none.
pub fn sign(members: &Members<'_>, secret: &str) -> Result<Signature, NoText> {
    let mut hash = Hash(Md5::new());
    write_base(members, &mut hash)?;
    Ok(hash.signed(secret))
}

/// Whether `given` is the signature: its 32 lower-case digits and nothing else. (The original also takes a list that
/// holds them.) The comparison takes the same time wherever the two differ.
#[must_use]
pub fn check(members: &Members<'_>, secret: &Secret, given: &str) -> Option<Signature> {
    let ours = sign(members, secret.expose()).ok()?;
    bool::from(ours.digits().ct_eq(given.as_bytes())).then_some(ours)
}

/// The token of the original: the same at each login, and on all servers that share the secret. Nobody is admitted
/// by it here; it is made for the comparison with the original.
#[must_use]
pub fn original_token(domain: &str, openid: &str, secret: &str) -> Signature {
    pairs(&[("did", &[domain, ".", openid])], secret)
}

/// The session of an administrator of the original: the signature of who he is and of the key he showed, each the
/// word `undefined` if it is absent. Here it only says that its bearer has shown the key.
#[must_use]
pub fn admin_session(id: Option<&str>, key: Option<&str>, secret: &str) -> Signature {
    const ABSENT: &str = "undefined";
    pairs(&[("id", &[id.unwrap_or(ABSENT)]), ("key", &[key.unwrap_or(ABSENT)])], secret)
}

/// The session that an administrator gets here in a period of time: like the original's, with the period beside it, so
/// that it ends.
#[must_use]
pub fn admin_session_in(period: u64, id: &str, key: &Secret, secret: &Secret) -> Signature {
    let period = alloc::format!("{period}");
    pairs(&[("id", &[id]), ("key", &[key.expose()]), ("period", &[&period])], secret.expose())
}

/// A signature: an MD5 digest, which is also what is remembered of what it signs.
#[derive(Clone, Copy, Eq)]
pub struct Signature([u8; 16]);

impl Signature {
    /// Its 32 lower-case hexadecimal digits, as on the wire.
    #[must_use]
    pub fn digits(&self) -> [u8; 32] {
        Payload::new(self.0).expose()
    }

    /// Its digits as text.
    #[must_use]
    pub fn text(&self) -> String {
        self.payload().text()
    }

    /// What is to be remembered, so that what it signs counts once.
    #[must_use]
    pub const fn payload(&self) -> Payload {
        Payload::new(self.0)
    }
}

impl PartialEq for Signature {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// Whoever has it can use what it signs.
impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(..)")
    }
}

fn write_base(members: &Members<'_>, out: &mut impl fmt::Write) -> Result<(), NoText> {
    let mut settled: Vec<(&str, &Json<'_>)> = members.settled();
    settled.retain(|(name, _)| *name != SIGN);
    settled.sort_by(|(a, _), (b, _)| text::order(a, b));
    for (name, value) in settled {
        out.write_str(name).map_err(|_| NoText)?;
        text::write(value, out)?;
    }
    Ok(())
}

/// The signature of texts, given in the order of their names.
fn pairs(pairs: &[(&str, &[&str])], secret: &str) -> Signature {
    let mut hash = Hash(Md5::new());
    for (name, parts) in pairs {
        hash.0.update(name);
        for part in *parts {
            hash.0.update(part);
        }
    }
    hash.signed(secret)
}

/// A digest that texts are written to.
struct Hash(Md5);

impl Hash {
    fn signed(mut self, secret: &str) -> Signature {
        self.0.update(secret);
        Signature(self.0.finalize().into())
    }
}

impl fmt::Write for Hash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json;

    #[test]
    fn only_the_exact_digits_pass() {
        let value = json::read(br#"{"t":1560000000,"plat_user_id":"u"}"#, 4).expect("JSON");
        let members = value.object().expect("an object");
        let secret = Secret::new("secret-360-test").expect("a secret");
        let digits = "182a87285918e286f314fb316073afdc";
        assert!(check(members, &secret, digits).is_some());
        for wrong in ["", "182A87285918E286F314FB316073AFDC", "182a87285918e286f314fb316073afd"] {
            assert!(check(members, &secret, wrong).is_none(), "{wrong}");
        }
        assert!(check(members, &Secret::new("x").expect("a secret"), digits).is_none());
    }

    #[test]
    fn signatures_are_the_same_if_all_of_them_is() {
        let of = |text| original_token(text, "b", "c");
        assert!(of("a") == of("a") && of("a") != of("b"));
    }

    #[test]
    fn nothing_is_shown_and_nothing_is_no_secret() {
        assert!(Secret::new("").is_none());
        assert_eq!(alloc::format!("{:?}", Secret::new("hunter2")), "Some(Secret(..))");
        assert_eq!(alloc::format!("{:?}", original_token("a", "b", "c")), "Signature(..)");
    }
}
