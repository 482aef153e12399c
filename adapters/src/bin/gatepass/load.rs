//! `gatepass load`: how many players a server logs in per second, and how long they wait.

use std::{process::ExitCode, time::Duration};

use clap::ValueEnum;
use gatepass_adapters::load::{self, Clients, LoadError, Mode, Plan, Progress, Summary};
use gatepass_sim::report::counted;
use indicatif::{ProgressBar, ProgressStyle};

use crate::shared::{aside, say, system::SystemArg};

const EXAMPLES: &str = "\
Examples:
  gatepass load                                    64 players for 8 seconds, connections kept
  gatepass load --mode new --players 256           as the original clients connect
  gatepass load --system gamecloud                 as clients of gamecloud log in
  gatepass load --json --seconds 30 > result.json

The generator shares the machine's processors with a local server: `generator_cores` says how much it took.
Passwords are hashed at the server's cost: a server that runs with the default cost measures mostly that.
Exit code: 0 if every flow worked, 1 if one failed or the server cannot be reached, 2 for a mistake on the
command line.";

/// Make load: players who log in, ask for a room and enter it, again and again.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// LoginServer to load.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8123", env = "GATEPASS_SERVER")]
    server: String,
    /// Players at once.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=16_384))]
    players: u32,
    /// Seconds that are measured.
    #[arg(long, value_name = "SECONDS", default_value_t = 8.0, value_parser = seconds)]
    seconds: f64,
    /// Seconds before that.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = seconds)]
    warmup: f64,
    /// Which connections are kept.
    #[arg(long, value_enum, default_value_t = KeepMode::Keep)]
    mode: KeepMode,
    /// As whose clients players log in.
    #[arg(long, value_enum, default_value_t = SystemArg::Mope)]
    system: SystemArg,
    /// gamecloud's Index.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8125", env = "GATEPASS_INDEX")]
    index: String,
    /// Accounts in all; one for each player if not given.
    #[arg(long, value_name = "N")]
    accounts: Option<u32>,
    /// Map to ask for.
    #[arg(long, value_name = "NUMBER", default_value_t = 1002)]
    scene: u32,
    /// What the names of the accounts begin with.
    #[arg(long, value_name = "NAME", default_value = "load-", value_parser = prefix)]
    prefix: String,
    /// Threads of the generator.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// Print the result as one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum KeepMode {
    /// One HTTP and one room connection per player; he logs out and in again on it in one write.
    Keep,
    /// One HTTP connection per flow, and a new room connection.
    Session,
    /// A new connection for each of the three steps.
    New,
}

impl From<KeepMode> for Mode {
    fn from(mode: KeepMode) -> Self {
        match mode {
            KeepMode::Keep => Self::Keep,
            KeepMode::Session => Self::Session,
            KeepMode::New => Self::New,
        }
    }
}

/// The password of every account of a load. No secret: these accounts are for nothing else.
const PASSWORD: &str = "load-password";

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds, at most a day".to_owned()),
    }
}

fn prefix(text: &str) -> Result<String, String> {
    // The longest number of an account has ten digits, and a name at most 32 bytes.
    if text.len() <= 22 { Ok(text.to_owned()) } else { Err("at most 22 bytes".to_owned()) }
}

/// Runs the command.
pub(crate) fn run(args: Args) -> ExitCode {
    let mut builder = if args.threads == 1 {
        tokio::runtime::Builder::new_current_thread()
    } else {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(usize::from(args.threads));
        builder
    };
    // To be woken for each single answer costs as much as to read it, also the server beside it. Whoever can run
    // goes first, then several answers are there at once.
    builder.on_thread_park(std::thread::yield_now);
    let runtime = match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            aside(format_args!("error: cannot start: {error}"));
            return ExitCode::from(crate::FAILED);
        }
    };
    let players = usize::try_from(args.players).unwrap_or(usize::MAX);
    let plan = Plan {
        server: args.server.clone(),
        players,
        accounts: args.accounts.map_or(players, |n| usize::try_from(n).unwrap_or(usize::MAX)),
        measure: Duration::from_secs_f64(args.seconds),
        warm_up: Duration::from_secs_f64(args.warmup),
        mode: args.mode.into(),
        scene: args.scene,
        prefix: args.prefix.clone(),
        password: PASSWORD.to_owned(),
        clients: match args.system {
            SystemArg::Mope => Clients::Mope,
            SystemArg::Gtarcade => Clients::Gtarcade,
            SystemArg::Gamecloud => Clients::Gamecloud { index: args.index.clone() },
        },
    };
    let bar = bar();
    let result = runtime.block_on(load::run(plan, |progress| show_progress(&bar, progress, args.seconds)));
    bar.finish_and_clear();
    match result {
        Ok(summary) => report(&summary, args.json),
        Err(error) => fail(&error, &args.server),
    }
}

/// A bar on a terminal, nothing elsewhere.
fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}") {
        bar.set_style(style);
    }
    bar
}

fn show_progress(bar: &ProgressBar, progress: Progress, seconds: f64) {
    match progress {
        Progress::Registering { done, total } => {
            bar.set_message("registering accounts");
            bar.set_length(u64::try_from(total).unwrap_or(u64::MAX));
            bar.set_position(u64::try_from(done).unwrap_or(u64::MAX));
        }
        Progress::WarmingUp => bar.set_message("warming up"),
        Progress::Measuring => bar.set_message(format!("measuring for {seconds} s")),
    }
}

fn report(summary: &Summary, json: bool) -> ExitCode {
    if json {
        match serde_json::to_string(summary) {
            Ok(line) => say(line),
            Err(error) => aside(format_args!("error: {error}")),
        }
    } else {
        let millis = |micros: u64| format!("{}.{:03} ms", micros / 1000, micros % 1000);
        say(format_args!("{:.0} flows/s", summary.flows_per_second));
        say(format_args!(
            "{} in {:.2} s by {} with {}, connections: {}",
            counted(summary.flows, "flow"),
            summary.seconds,
            counted(summary.players as u64, "player"),
            counted(summary.accounts as u64, "account"),
            summary.mode
        ));
        say("latency of a flow from login to room:");
        for (name, micros) in [
            ("p50", summary.p50_us),
            ("p99", summary.p99_us),
            ("p99.9", summary.p999_us),
            ("longest", summary.max_us),
        ] {
            say(format_args!("  {name:<8}{:>14}", millis(micros)));
        }
        if let Some(cores) = summary.generator_cores {
            say(format_args!("processors used by the generator itself: {cores:.2}"));
        }
        say(format_args!("failed flows: {}", summary.errors));
        for (why, count) in &summary.errors_by_reason {
            say(format_args!("  {count:>8}  {why}"));
        }
    }
    if summary.errors == 0 && summary.flows > 0 {
        ExitCode::SUCCESS
    } else {
        if summary.flows == 0 {
            aside("error: no flow worked");
        }
        ExitCode::from(crate::FAILED)
    }
}

fn fail(error: &LoadError, server: &str) -> ExitCode {
    match error {
        LoadError::Plan(_) => {
            aside(format_args!("error: {error}"));
            return ExitCode::from(crate::USAGE);
        }
        LoadError::Unreachable(error) => {
            aside(format_args!("error: cannot connect to {server}: {error}"));
            aside("hint: is `gatepass serve` running there? --server names another one");
        }
        LoadError::Registration { .. } => {
            aside(format_args!("error: {error}"));
            aside("hint: an account of this name with another password? --prefix chooses other names");
        }
    }
    ExitCode::from(crate::FAILED)
}
