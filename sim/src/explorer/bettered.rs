//! States of a level whose link was made less after they were added, as far as can be told in little memory.
//!
//! Whoever makes a link less notes the state, but for the thread that added it. So a state that is not noted has the link
//! that its thread saw, and need not be looked up when the level is put in order.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bits for each state of a level.
const BITS_EACH: usize = 8;

/// A set of fingerprints that may claim to hold others too.
#[derive(Debug)]
pub(super) struct Bettered(Vec<AtomicU64>);

impl Bettered {
    /// An empty one.
    pub(super) fn new() -> Self {
        let mut bettered = Self(Vec::new());
        bettered.clear(1);
        bettered
    }

    /// Holds nothing any more, and has room for so many.
    pub(super) fn clear(&mut self, states: usize) {
        let words = (states * BITS_EACH).div_ceil(u64::BITS as usize).next_power_of_two();
        self.0.clear();
        self.0.resize_with(words, AtomicU64::default);
    }

    pub(super) fn add(&self, print: u64) {
        let (word, bit) = self.place(print);
        self.0[word].fetch_or(bit, Ordering::Relaxed);
    }

    /// `false`: it was surely not added.
    pub(super) fn may_hold(&self, print: u64) -> bool {
        let (word, bit) = self.place(print);
        self.0[word].load(Ordering::Relaxed) & bit != 0
    }

    fn place(&self, print: u64) -> (usize, u64) {
        // There is a power of two of them.
        let word = (print >> u64::BITS.ilog2()) as usize & (self.0.len() - 1);
        (word, 1 << (print % u64::from(u64::BITS)))
    }
}
