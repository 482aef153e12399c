//! A world of login roles: nodes, network, clocks and faults, with what may happen next.
//!
//! The checker enumerates the choices of a [`world::World`], the simulator draws them from a seed, a replay
//! reads them from a file. Effects of roles get their meaning in one place, [`world`].
#![forbid(unsafe_code)]

pub mod attacker;
pub mod catalog;
pub mod check;
pub mod checkpoint;
pub mod choice;
pub mod coverage;
pub mod diagram;
pub mod eventually;
pub mod explore;
pub mod explorer;
pub mod flaws;
pub mod host;
pub mod itf;
pub mod matrix;
pub mod memory;
pub mod misread;
pub mod names;
pub mod net;
pub mod prng;
pub mod reductions;
pub mod replay;
pub mod report;
pub mod scenario;
pub mod setup;
pub mod shared;
pub mod shrink;
mod signed_text;
pub mod simulate;
pub mod trace;
pub mod verifier;
pub mod weaknesses;
pub mod words;
pub mod world;
