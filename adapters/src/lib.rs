//! tokio servers around the login roles.
//!
//! An adapter owns sockets, clocks, randomness and storage; it turns bytes into events and carries out effects.
//! It decides nothing about who may log in: that is [`gatepass_core`]'s.
//!
//! | module | what it is |
//! |---|---|
//! | [`server`], [`config`] | a whole server, started and ended |
//! | [`http`] | the LoginServer's front |
//! | [`gtarcade`] | payloads of GTarcade at the LoginServer |
//! | [`launcher`] | the local link of GTarcade's launcher, both ends |
//! | [`gamecloud`] | gamecloud's Index and logic server |
//! | [`drive`], [`timers`] | the roles of one process with their timers, without sockets |
//! | [`shell`] | the same behind a lock, with tables of connections |
//! | [`gate`], [`peer`] | limits before parsing; reading, queueing and closing |
//! | [`accounts`], [`store`] | the account store and its threads |
//! | [`service`] | questions to services of other processes |
//! | [`client`] | a player over real sockets |
//! | [`game`] | what happens inside a room |
//! | [`record`] | what happened, written down and checked later |
//! | [`metrics`] | what an operator sees |
//! | [`vectors`] | checks of recorded bytes |

pub mod accounts;
mod admin;
mod center;
pub mod client;
mod clock;
mod codec;
pub mod config;
pub mod drive;
pub mod game;
pub mod gamecloud;
pub mod gate;
pub mod gtarcade;
pub mod http;
pub mod key;
pub mod launcher;
#[cfg(feature = "cli")]
pub mod load;
pub mod metrics;
pub mod peer;
mod ports;
#[doc(hidden)]
pub mod readers;
pub mod record;
pub mod server;
pub mod service;
pub mod shell;
pub mod store;
mod tcp;
pub mod timers;
mod udp;
mod used;
pub mod vectors;
mod write_timeout;
