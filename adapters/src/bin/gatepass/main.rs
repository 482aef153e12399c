//! The `gatepass` command: one file per subcommand.
//!
//! Exit codes: 0 it holds or it ended well, 1 it failed or was violated, 2 wrong usage, 3 out of bounds before a
//! verdict.

// These macros panic when nobody reads any more; `shared::say` and `shared::aside` do not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod check;
mod explore;
mod load;
mod logging;
mod login;
mod replay;
mod scenario;
mod serve;
mod shared;
mod simulate;
mod vectors;
mod verify_trace;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The login path of an online game: checked, simulated and served by the same state machines.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(Box<check::Args>),
    Simulate(Box<simulate::Args>),
    Replay(Box<replay::Args>),
    Scenario(Box<scenario::Args>),
    Explore(Box<explore::Args>),
    Serve(Box<serve::Args>),
    Login(Box<login::Args>),
    Load(Box<load::Args>),
    Vectors(Box<vectors::Args>),
    VerifyTrace(Box<verify_trace::Args>),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Check(args) => check::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Scenario(args) => scenario::run(&args),
        Command::Explore(args) => explore::run(&args),
        Command::Serve(args) => serve::run(*args),
        Command::Login(args) => login::run(*args),
        Command::Load(args) => load::run(*args),
        Command::Vectors(args) => vectors::run(&args),
        Command::VerifyTrace(args) => verify_trace::run(&args),
    }
}

/// It failed, or a property is violated.
pub(crate) const FAILED: u8 = 1;
/// It was called wrongly.
pub(crate) const USAGE: u8 = 2;
/// Ctrl-C ended it at once, as shells expect it to be told.
pub(crate) const INTERRUPTED: i32 = 130;
