//! Copy-on-write parts with a remembered hash: a world that differs from another in one part costs one part.

use std::{
    fmt,
    hash::{BuildHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use foldhash::quality::FixedState;

/// A value that is shared until it is changed.
pub struct Shared<T>(Arc<Inner<T>>);

struct Inner<T> {
    value: T,
    /// 0: not computed.
    hash: AtomicU64,
}

impl<T: Clone> Clone for Inner<T> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), hash: AtomicU64::new(0) }
    }
}

impl<T: Clone + Hash> Shared<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Self(Arc::new(Inner { value, hash: AtomicU64::new(0) }))
    }

    /// The value, to look at.
    #[must_use]
    pub fn get(&self) -> &T {
        &self.0.value
    }

    /// The value, to change: copied first if somebody else looks at it too.
    pub fn edit(&mut self) -> &mut T {
        let inner = Arc::make_mut(&mut self.0);
        *inner.hash.get_mut() = 0;
        &mut inner.value
    }

    /// A hash of the content, the same in every run on every machine.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        match self.0.hash.load(Ordering::Relaxed) {
            0 => {
                let hash = fingerprint(&self.0.value).max(1);
                self.0.hash.store(hash, Ordering::Relaxed);
                hash
            }
            hash => hash,
        }
    }
}

/// A 64-bit hash that is the same in every run on every machine.
pub fn fingerprint<T: Hash + ?Sized>(value: &T) -> u64 {
    FixedState::with_seed(0x6a74_6570_6173_7331).hash_one(value)
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// Touches no counter if it is the same already.
    fn clone_from(&mut self, source: &Self) {
        if !Arc::ptr_eq(&self.0, &source.0) {
            self.0 = Arc::clone(&source.0);
        }
    }
}

impl<T: Clone + Hash> Hash for Shared<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.fingerprint());
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.value == other.0.value
    }
}
impl<T: Eq> Eq for Shared<T> {}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.value.fmt(f)
    }
}
