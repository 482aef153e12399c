//! The login path of an online game as pure state machines.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod wire;
