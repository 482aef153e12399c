//! Steps that were taken before. A node in a given state makes the same step of the same event every time:
//! that is what a role promises. So a checker, which meets few local states in many worlds, need not take it
//! again.

use std::collections::HashMap;

use gatepass_core::role::{Effect, Event};

use crate::{
    host::Host,
    shared::{Shared, fingerprint},
};

/// Steps kept at most; then all are forgotten.
const STEPS_MAX: usize = 1 << 16;

/// A step, as it was taken.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    /// The node after it, its timers armed and disarmed.
    pub(crate) host: Shared<Host>,
    /// What follows besides timers.
    pub(crate) effects: Box<[Effect]>,
    /// It meant nothing.
    pub(crate) ignored: bool,
}

/// Remembered steps. States and events are told apart by 64-bit fingerprints, as the checker tells worlds apart.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    steps: HashMap<(usize, u64, u64), Taken, foldhash::fast::FixedState>,
}

impl Memo {
    /// Names a step.
    pub(crate) fn key(node: usize, host: &Shared<Host>, event: &Event) -> (usize, u64, u64) {
        (node, host.fingerprint(), fingerprint(event))
    }

    /// The step, if it was taken.
    pub(crate) fn get(&self, key: &(usize, u64, u64)) -> Option<&Taken> {
        self.steps.get(key)
    }

    /// Remembers a step.
    pub(crate) fn insert(&mut self, key: (usize, u64, u64), taken: Taken) {
        if self.steps.len() >= STEPS_MAX {
            self.steps.clear();
        }
        self.steps.insert(key, taken);
    }
}
