//! What a run looks like to a person: who sent what to whom, step by step.

use serde::{Deserialize, Serialize};

/// A run, told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// The lanes of its diagram: node names, in the order of the world.
    pub nodes: Vec<String>,
    /// What was chosen, and what came of it.
    pub steps: Vec<TraceStep>,
    /// The property that the last step broke, and what it says.
    pub violation: Option<(String, String)>,
    /// Which happening of the last step broke it, counted from 0.
    #[serde(default)]
    pub broke_at: Option<usize>,
}

/// One choice and its consequences.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceStep {
    /// The choice, as a replay file writes it.
    pub choice: String,
    /// What happened, in order.
    pub happenings: Vec<Happening>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// A message was delivered.
    Message {
        /// Index of the sender in [`Trace::nodes`].
        from: usize,
        /// Index of the receiver.
        to: usize,
        /// What it says.
        label: String,
    },
    /// A message was lost.
    Lost {
        /// Index of the sender.
        from: usize,
        /// Index of the receiver it did not reach.
        to: usize,
        /// What it said.
        label: String,
    },
    /// Something happened at a node: a timer fired, it crashed, it noted a fact.
    At {
        /// Index of the node.
        node: usize,
        /// What.
        label: String,
    },
}
