//! The gatepass command.

mod check;
mod explore;
mod replay;
mod shared;
mod vectors;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

// Exploring a scenario is mostly making and dropping small things.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The login path of an online game: checked, simulated and served by the same state machines.
#[derive(Parser, Debug)]
#[command(name = "gatepass", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Check(check::CheckArgs),
    Replay(replay::ReplayArgs),
    Explore(explore::ExploreArgs),
    Vectors(vectors::VectorsArgs),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Check(args) => check::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Explore(args) => explore::run(&args),
        Command::Vectors(args) => vectors::run(&args),
    }
}
