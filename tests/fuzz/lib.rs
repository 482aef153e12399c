//! The bodies of the fuzz targets, for the targets.
#![allow(dead_code, reason = "what the tests of roles share has more users than these")]

mod bodies;
#[path = "../steps/events.rs"]
mod events;
#[path = "../steps/values.rs"]
mod values;
#[path = "../steps/life.rs"]
mod life;

/// The body of the target of this name.
#[must_use]
pub fn body(target: &str) -> Option<fn(&[u8])> {
    bodies::named(target)
}
