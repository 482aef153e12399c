//! The signature: MD5 over the joined members and the key behind them.

use alloc::{string::String, vec::Vec};
use core::fmt;

use md5::{Digest, Md5};
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    ids::Payload,
    wire::{
        json::{Json, Members},
        php::{self, Php},
    },
};

/// The key that the platform gives out for one game. Wiped when dropped, shown by no `Debug`, compared in constant
/// time.
#[derive(Clone)]
pub struct SignKey(Zeroizing<Vec<u8>>);

impl SignKey {
    /// The key of this text; the platform's have 20 letters and digits.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Whether it is the empty key, with which everybody could sign.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for SignKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}
impl Eq for SignKey {}

impl fmt::Debug for SignKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignKey(..)")
    }
}

/// The keys that count for a game: one, or two while it is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignKeys {
    /// The key.
    pub current: SignKey,
    /// The one before or the next.
    pub other: Option<SignKey>,
}

impl SignKeys {
    /// One key.
    #[must_use]
    pub const fn one(key: SignKey) -> Self {
        Self { current: key, other: None }
    }

    /// Whether the signature was made with one of them. All are tried, whichever fits.
    pub(super) fn fit(&self, base: &str, given: &Payload) -> bool {
        let mut fits = Choice::from(0);
        for key in core::iter::once(&self.current).chain(&self.other) {
            fits |= sign(base, key).bits().ct_eq(&given.bits());
        }
        fits.into()
    }
}

/// The signature of a [`base`]; on the wire its 32 lower-case hex digits.
#[must_use]
pub fn sign(base: &str, key: &SignKey) -> Payload {
    let mut hash = Md5::new();
    hash.update(base);
    hash.update(&*key.0);
    let mut digest: [u8; 16] = hash.finalize().into();
    let sign = Payload::new(digest);
    digest.zeroize();
    sign
}

/// What takes part in the signature, in the order of the wire: each name once, with its last value, where it stood
/// first.
pub(super) fn signed<'m>(members: &'m Members<'_>) -> Vec<(&'m str, &'m Json<'m>)> {
    let mut settled = members.settled();
    settled.retain(|(name, _)| !matches!(*name, "sign" | "game_data"));
    settled
}

/// What is signed, without the key: `name=value` in the order of `ksort`, joined with `&`, nothing escaped.
#[must_use]
pub fn base(members: &Members<'_>, php: Php) -> String {
    let mut base = String::new();
    for (place, (name, value)) in php::ksort(signed(members), php).into_iter().enumerate() {
        if place > 0 {
            base.push('&');
        }
        base.push_str(name);
        base.push('=');
        base.push_str(&php::text(value));
    }
    base
}
