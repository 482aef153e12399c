//! Checks of what somebody else has signed: who may log in on whose word.
//!
//! Everything here is a pure function of evidence, keys and the time, and knows no role. What it finds genuine
//! enters the LoginServer as [`Credentials::Signed`](crate::message::Credentials::Signed).

pub mod gtarcade;
