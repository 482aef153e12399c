//! Steps that were taken before. A node in a given state makes the same step of the same event every time:
//! that is what a role promises. So a checker, which meets few local states in many worlds, need not take it
//! again.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, OnceLock},
};

use gatepass_core::{ledger::Ledger, properties::Judgement, role::Effect};

use crate::{
    host::Host,
    net::{Net, Packet},
    shared::{Shared, fingerprint},
};

/// Steps kept at most; then all are forgotten.
const STEPS_MAX: usize = 1 << 18;

/// A step, as it was taken.
#[derive(Debug)]
pub(crate) struct Taken {
    /// The node after it, its timers armed and disarmed.
    pub(crate) host: Shared<Host>,
    /// What follows besides timers.
    pub(crate) effects: Box<[Effect]>,
    /// What is known of each of these.
    pub(crate) known: Box<[Known]>,
    /// It meant nothing.
    pub(crate) ignored: bool,
}

/// What is known of an effect that was performed before.
#[derive(Debug)]
pub(crate) struct Known {
    /// Names the effect.
    pub(crate) print: u64,
    /// What it sent when it was performed first, if it sends anything.
    pub(crate) packet: OnceLock<Shared<Packet>>,
}

/// Remembered steps. States and events are told apart by 64-bit fingerprints, as the checker tells worlds apart.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    steps: HashMap<(usize, u64, u64), Arc<Taken>, foldhash::fast::FixedState>,
    /// What became of nodes, besides by steps.
    pub(crate) hosts: Edits<Host, ()>,
    /// What became of networks.
    pub(crate) nets: Edits<Net, ()>,
    /// What became of ledgers, and what they said to it.
    pub(crate) ledgers: Edits<Ledger, Judgement>,
}

impl Memo {
    /// The step of a node, by a name of what comes to it, if it was taken.
    pub(crate) fn get(&self, key: &(usize, u64, u64)) -> Option<Arc<Taken>> {
        self.steps.get(key).cloned()
    }

    /// Remembers a step.
    pub(crate) fn insert(
        &mut self,
        key: (usize, u64, u64),
        host: &Shared<Host>,
        effects: &[Effect],
        ignored: bool,
    ) {
        if self.steps.len() >= STEPS_MAX {
            self.steps.clear();
        }
        let follows = |it: &&Effect| !matches!(it, Effect::Arm { .. } | Effect::Disarm(_));
        let effects: Box<[Effect]> = effects.iter().filter(follows).cloned().collect();
        let known = |effect| Known { print: fingerprint(effect), packet: OnceLock::new() };
        let known = effects.iter().map(known).collect();
        let _ = host.fingerprint();
        let taken = Taken { host: host.clone(), effects, known, ignored };
        self.steps.insert(key, Arc::new(taken));
    }
}

/// Changes that were made before to a shared part: the same change of the same part makes the same part, so it
/// is neither copied nor hashed again. What came of it is remembered with it.
#[derive(Debug)]
pub(crate) struct Edits<T, R> {
    made: HashMap<(u64, u64), (Shared<T>, R), foldhash::fast::FixedState>,
}

impl<T, R> Default for Edits<T, R> {
    fn default() -> Self {
        Self { made: HashMap::default() }
    }
}

impl<T: Clone + Hash, R: Copy> Edits<T, R> {
    /// Changes a part by `edit`, which `change` names completely.
    pub(crate) fn edit(
        &mut self,
        part: &mut Shared<T>,
        change: &impl Hash,
        edit: impl FnOnce(&mut T) -> R,
    ) -> R {
        let key = (part.fingerprint(), fingerprint(change));
        if let Some((after, came_of_it)) = self.made.get(&key) {
            part.clone_from(after);
            return *came_of_it;
        }
        let came_of_it = edit(part.edit());
        let _ = part.fingerprint();
        if self.made.len() >= STEPS_MAX {
            self.made.clear();
        }
        self.made.insert(key, (part.clone(), came_of_it));
        came_of_it
    }
}
