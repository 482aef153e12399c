//! A part of a world that notes whether anybody looked at it. What comes of a choice depends on nothing but the parts
//! that were looked at, so whoever remembers what came of it need not compare the others.

use std::{
    fmt,
    hash::{Hash, Hasher},
    ops::{Deref, DerefMut},
    sync::atomic::{AtomicBool, Ordering},
};

use crate::shared::Shared;

/// A shared value that notes who looked.
pub(super) struct Part<T> {
    value: Shared<T>,
    looked_at: AtomicBool,
    changed: bool,
}

impl<T: Clone + Hash> Part<T> {
    pub(super) fn new(value: T) -> Self {
        Self::of(Shared::new(value))
    }

    pub(super) const fn of(value: Shared<T>) -> Self {
        Self { value, looked_at: AtomicBool::new(false), changed: false }
    }

    /// The value, to look at.
    pub(super) fn get(&self) -> &T {
        // No other thread sees this world while it changes.
        self.looked_at.store(true, Ordering::Relaxed);
        self.value.get()
    }

    /// The value, to look at and to change.
    pub(super) fn edit(&mut self) -> &mut T {
        *self.looked_at.get_mut() = true;
        self.edit_unseen()
    }

    /// The value, to change in a way that is named elsewhere, and that nothing else depends on.
    pub(super) fn edit_unseen(&mut self) -> &mut T {
        self.changed = true;
        self.value.edit()
    }

    /// The value as others share it, for somebody on whom nothing depends.
    pub(super) const fn shared(&self) -> &Shared<T> {
        &self.value
    }

    /// The same, to put another one in its place.
    pub(super) const fn shared_unseen(&mut self) -> &mut Shared<T> {
        self.changed = true;
        &mut self.value
    }

    pub(super) fn was_looked_at(&self) -> bool {
        self.looked_at.load(Ordering::Relaxed)
    }

    pub(super) const fn has_changed(&self) -> bool {
        self.changed
    }

    /// Nobody has looked at it since.
    pub(super) fn begin(&mut self) {
        *self.looked_at.get_mut() = false;
        self.changed = false;
    }
}

impl<T: Clone + Hash> Deref for Part<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.get()
    }
}

impl<T: Clone + Hash> DerefMut for Part<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.edit()
    }
}

impl<T> Clone for Part<T> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), looked_at: AtomicBool::new(false), changed: false }
    }
}

impl<T: Clone + Hash> Hash for Part<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}

impl<T: PartialEq> PartialEq for Part<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}
impl<T: Eq> Eq for Part<T> {}

impl<T: fmt::Debug> fmt::Debug for Part<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}
