//! Small models with known answers.

pub(crate) mod graph;
pub(crate) mod lattice;
pub(crate) mod two_phase;
