//! tokio servers around the login roles.
//!
//! An adapter owns sockets, clocks, randomness and storage; it turns bytes into events and carries out effects.
//! It decides nothing about who may log in: that is [`gatepass_core`]'s.

pub mod client;
pub mod drive;
pub mod game;
pub mod gate;
#[cfg(feature = "cli")]
pub mod load;
pub mod metrics;
pub mod peer;
pub mod store;
pub mod timers;
