//! The login path of an online game as pure state machines: account check, session, room allocation,
//! single-use room token, live room session.
//!
//! A [`role::Role`] takes an [`role::Event`] and appends [`role::Effect`]s to a buffer; that is all it can do.
//! The same roles run in the checker, in the simulator and in the servers.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod accounts;
pub mod cache;
pub mod client;
pub mod ids;
pub mod launcher;
pub mod lbs;
pub mod ledger;
pub mod limits;
pub mod login;
pub mod message;
pub mod policy;
pub mod properties;
pub mod rcenter;
pub mod refusal;
pub mod role;
pub mod room;
pub mod text;
pub mod verify;
pub mod wire;
