//! A world of login roles.

pub mod diagram;
pub mod report;
pub mod trace;
