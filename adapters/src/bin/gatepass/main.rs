//! The gatepass command.

mod load;
mod login;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The login path of an online game: served, loaded and tried out.
#[derive(Parser, Debug)]
#[command(name = "gatepass", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Login(Box<login::Args>),
    Load(Box<load::Args>),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Login(args) => login::run(*args),
        Command::Load(args) => load::run(*args),
    }
}
