//! tokio servers around the login roles.

pub mod vectors;
