//! The LBS: which logic server a player is sent to.

pub mod choice;
