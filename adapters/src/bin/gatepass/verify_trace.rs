//! `gatepass verify-trace`: whether what was recorded is what the roles do, and whether the properties held.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use gatepass_adapters::record::{self, FileReport, Report};
use gatepass_sim::report::counted;

use crate::shared::{say, say_json, usage};

const EXAMPLES: &str = "\
Examples:
  gatepass serve --record traces &                 record
  gatepass verify-trace traces                     check, while it runs or later
  gatepass verify-trace traces --skew 0.05         processes of several machines, clocks 50 ms apart at most
  gatepass verify-trace traces --json > verdict.json

A recording may end with its process: killed is not tampered with. What is live there counts as gone then.
Exit code: 0 if everything is consistent, 1 if a role does something else than was recorded, a property is
violated or a file is not as it was written, 2 if there is no recording.";

/// Check recordings of servers: the same roles, the same effects
#[derive(clap::Args, Clone, Debug)]
#[command(
    long_about = "Check what `serve --record` has recorded. Every event goes through the very same roles again, and \
                  the effects must be the recorded ones. Then the facts of all processes, in the order in which they \
                  happened, are held against the properties that `check` proves of small worlds.",
    after_help = EXAMPLES
)]
pub(crate) struct Args {
    /// Directory of recordings, of all processes of one deployment
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// How far the clocks of different machines may be apart
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, value_parser = seconds)]
    skew: f64,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=3_600.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds, at most an hour".to_owned()),
    }
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let report = match record::verify(&args.dir, Duration::from_secs_f64(args.skew)) {
        Ok(report) => report,
        Err(error) => return usage(format_args!("{}: {error}", args.dir.display())),
    };
    if args.json {
        if let Err(error) = say_json(&report) {
            return usage(error);
        }
    } else {
        print(&report, args.skew);
    }
    ExitCode::from(u8::from(!report.consistent))
}

fn print(report: &Report, skew: f64) {
    for file in &report.files {
        print_file(file);
    }
    let names = |violated: bool| {
        let judged = report.properties.iter().filter(|judged| (judged.violated > 0) == violated);
        judged.map(|judged| judged.property.name()).collect::<Vec<_>>().join(", ")
    };
    let broken = report.properties.iter().filter(|judged| judged.violated > 0).count();
    let recordings = counted(report.files.len() as u64, "recording");
    say(format_args!("{} of {recordings} in the order of time", counted(report.facts, "fact")));
    if broken < report.properties.len() {
        say(format_args!("  always     {} held: {}", report.properties.len() - broken, names(false)));
    }
    if broken > 0 {
        say(format_args!("  always     {broken} VIOLATED: {}", names(true)));
    }
    let unseen: Vec<&str> = report.unseen.iter().map(|property| property.name()).collect();
    say(format_args!("  unseen     {}: recordings do not show them", unseen.join(", ")));
    for judged in &report.properties {
        for violation in &judged.violations {
            say(format_args!(
                "  {}: {} after {:.6} s, {} entry {}\n    {}",
                judged.property.name(),
                judged.property.says(),
                violation.seconds,
                violation.file.display(),
                violation.index,
                violation.fact
            ));
        }
        let more = judged.violated - judged.violations.len() as u64;
        if more > 0 {
            say(format_args!("  {}: {more} more", judged.property.name()));
        }
    }
    if report.assumed > 0 {
        say(format_args!(
            "  assumed    on tokens whose issue is not recorded, taken as good: {}",
            counted(report.assumed, "admission")
        ));
    }
    if report.clocks > 1 {
        say(format_args!(
            "  clocks     {}, taken as at most {skew} s apart: {} could not be ordered",
            report.clocks,
            counted(report.unordered, "fact")
        ));
    }
    if report.strangers > 0 {
        say(format_args!(
            "  keys       {} cannot be compared with the first: made with another shared key, or by a process \
             without links",
            counted(report.strangers as u64, "recording")
        ));
    }
    let verdict = if report.consistent { "consistent" } else { "NOT CONSISTENT" };
    say(format_args!(
        "{verdict}: {}, {}, {}, {}",
        counted(report.events, "event"),
        counted(report.effects, "effect"),
        counted(report.facts, "fact"),
        counted(report.files.len() as u64, "file")
    ));
}

fn print_file(file: &FileReport) {
    say(file.file.display());
    say(format_args!(
        "  roles      {}",
        if file.roles.is_empty() { "unknown".into() } else { file.roles.join(", ") }
    ));
    let same = if file.fault.is_none() { "all of it the same again" } else { "up to the fault" };
    say(format_args!(
        "  replayed   {}, {}, {} in {:.3} s: {same}",
        counted(file.events, "event"),
        counted(file.effects, "effect"),
        counted(file.facts, "fact"),
        file.seconds
    ));
    say(format_args!("  ended      {}", file.ended));
    if let Some(fault) = &file.fault {
        say(format_args!("  FAULT      {fault}"));
    }
    say("");
}
