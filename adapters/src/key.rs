//! The key that servers of one deployment share.

use std::{fmt, sync::Arc};

use subtle::ConstantTimeEq;

/// The key with which servers recognise each other. Compared in constant time, shown by no `Debug`.
#[derive(Clone)]
pub struct SharedKey(Arc<str>);

impl SharedKey {
    /// A key of this text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Whether a peer's key is this one. An empty key fits nothing, itself included.
    #[must_use]
    pub fn fits(&self, given: &str) -> bool {
        !self.0.is_empty() && bool::from(self.0.as_bytes().ct_eq(given.as_bytes()))
    }

    /// The text, for the wire.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedKey(..)")
    }
}
