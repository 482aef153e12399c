//! Small models with known answers.
#![allow(dead_code, reason = "each test uses those that it needs")]

pub(crate) mod graph;
pub(crate) mod lattice;
pub(crate) mod paxos;
pub(crate) mod two_phase;
