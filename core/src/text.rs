//! Bounded text without allocation, and the password that nobody may see.

use core::fmt;

use arrayvec::ArrayString;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::limits::{NICKNAME_CHARS_MAX, PASSWORD_BYTES_MAX};

/// An account's name, at most 32 bytes of UTF-8.
pub type Name = ArrayString<32>;
/// A device id: 40 hex digits or a UUID from the original clients, at most 64 bytes.
pub type Device = ArrayString<64>;
/// Where clients reach a server, `host:port`, at most 64 bytes.
pub type Endpoint = ArrayString<64>;
/// A nickname in a room: at most 14 code points, so at most 56 bytes.
pub type Nickname = ArrayString<{ NICKNAME_CHARS_MAX * 4 }>;

/// Who somebody is in the eyes of those who vouch for him. Two identities are the same if both parts are, byte for
/// byte: letter case, blanks and Unicode forms count, and nothing is ever cut or joined, so no two people share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Whose word it is, at most 32 bytes: a verifier and what it tells apart, such as `official.IOS`.
    pub realm: ArrayString<32>,
    /// Whom it is about, at most [`SUBJECT_MAX`] bytes.
    pub subject: ArrayString<SUBJECT_MAX>,
}

/// Longest name of somebody in the eyes of those who vouch for him, in bytes.
pub const SUBJECT_MAX: usize = 64;

impl Identity {
    /// An identity, or nothing if a part is empty, too long or has control characters.
    #[must_use]
    pub fn new(realm: &str, subject: &str) -> Option<Self> {
        let unfit = |part: &str| part.is_empty() || part.chars().any(char::is_control);
        if unfit(realm) || unfit(subject) {
            return None;
        }
        Some(Self { realm: bounded(realm)?, subject: bounded(subject)? })
    }
}

/// Text of at most `N` bytes, or nothing if it is longer.
#[must_use]
pub fn bounded<const N: usize>(text: &str) -> Option<ArrayString<N>> {
    ArrayString::from(text).ok()
}

/// Cuts a nickname silently to its first 14 code points, as the original RoomServer does.
#[must_use]
pub fn nickname(text: &str) -> Nickname {
    let mut name = Nickname::new();
    for c in text.chars().take(NICKNAME_CHARS_MAX) {
        name.push(c);
    }
    name
}

/// A clear-text password on its way to the check: compared in constant time, wiped when dropped, shown by no
/// `Debug`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Password {
    len: u8,
    #[serde(with = "bytes")]
    bytes: [u8; PASSWORD_BYTES_MAX],
}

const _: () = assert!(PASSWORD_BYTES_MAX <= u8::MAX as usize, "a password's length fits its field");

impl Password {
    /// A password of at most [`PASSWORD_BYTES_MAX`] bytes, or nothing if it is longer.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; PASSWORD_BYTES_MAX];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self { len: u8::try_from(text.len()).ok()?, bytes })
    }

    /// The empty password, which is never an account's.
    #[must_use]
    pub const fn empty() -> Self {
        Self { len: 0, bytes: [0; PASSWORD_BYTES_MAX] }
    }

    /// The bytes, for hashing and for the answer that tells a guest its password.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len).min(PASSWORD_BYTES_MAX)]
    }

    /// Whether it is the empty password.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        (self.len.ct_eq(&other.len) & self.bytes.ct_eq(&other.bytes)).into()
    }
}
impl Eq for Password {}

impl core::hash::Hash for Password {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.expose().hash(state);
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

impl Drop for Password {
    fn drop(&mut self) {
        // What lies behind the password was never written.
        let len = usize::from(self.len).min(PASSWORD_BYTES_MAX);
        self.bytes[..len].zeroize();
    }
}

mod bytes {
    use serde::{Deserializer, Serializer, de::Error};

    use super::PASSWORD_BYTES_MAX;

    pub(super) fn serialize<S: Serializer>(
        bytes: &[u8; PASSWORD_BYTES_MAX],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<[u8; PASSWORD_BYTES_MAX], D::Error> {
        let bytes: &[u8] = serde::Deserialize::deserialize(from)?;
        bytes.try_into().map_err(|_| D::Error::custom("a password field has a fixed length"))
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String};

    use super::*;

    #[test]
    fn a_nickname_is_cut_at_fourteen_code_points() {
        assert_eq!(nickname("aaaaaaaaaaaaaaa").as_str(), "aaaaaaaaaaaaaa");
        let emoji: String = core::iter::repeat_n('\u{1F600}', 20).collect();
        assert_eq!(nickname(&emoji).chars().count(), 14);
        assert_eq!(nickname("").as_str(), "");
    }

    #[test]
    fn a_password_hides_and_is_bounded() {
        let password = Password::new("secret").expect("short enough");
        assert_eq!(format!("{password:?}"), "Password(..)");
        assert_eq!(password.expose(), b"secret");
        assert!(Password::new(&"x".repeat(PASSWORD_BYTES_MAX + 1)).is_none());
        assert_ne!(password, Password::new("secreT").expect("short enough"));
    }

    #[test]
    fn a_password_comes_back_as_it_was_written() {
        for text in ["", "secret", "\u{1F600}"] {
            let password = Password::new(text).expect("short enough");
            let mut written = [0; 2 * PASSWORD_BYTES_MAX];
            let written = postcard::to_slice(&password, &mut written).expect("it fits");
            assert_eq!(postcard::from_bytes::<Password>(written).ok(), Some(password), "{text}");
        }
    }
}
