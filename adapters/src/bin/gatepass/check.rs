//! `gatepass check`: every interleaving and every fault of a scenario, with a verdict for every property.

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use gatepass_sim::{
    check::{Bounds, Progress, explore},
    flaws::Flaw,
    report::{RunReport, ScenarioReport, Verdict, duration, grouped, memory},
    setup::Setup,
};

use crate::shared::{
    all_threads, counterexample::Counterexample, pick::Pick, progress::Line, say, say_json, usage,
};

const EXAMPLES: &str = "\
Examples:
  gatepass check                                            all shipped scenarios
  gatepass check --scenario takeover-remote --policy mope   what the original servers do
  gatepass check --scenario my-idea.toml --max-seconds 60   a scenario of your own
  gatepass check --flaw kick-by-account                     that a left-out rule is missed
  gatepass check --json > verdicts.json

A violation comes with the shortest way to it: as numbered steps, as a diagram, and as files that replay it and
show it in a document.
Exit code: 0 if all holds in every state and every goal was met; 1 if a property is violated or a goal is never
met; 2 for a mistake on the command line; 3 if a bound ended the check before there was a verdict.";

/// Check scenarios exhaustively: every interleaving, every fault, every property
#[derive(clap::Args, Clone, Debug)]
#[command(
    long_about = "Check scenarios exhaustively: the roles that `serve` runs are taken through every \
                  interleaving of their messages, timers and faults, and every property is checked at every \
                  step. Where it ends without a violation, there is none in that scenario.",
    after_help = EXAMPLES
)]
pub(crate) struct Args {
    #[command(flatten)]
    pick: Pick,
    /// End a scenario after this many different states
    #[arg(long, value_name = "N", default_value_t = Bounds::default().states)]
    max_states: u64,
    /// End a scenario when the process holds this much memory
    #[arg(long, value_name = "MIB", default_value_t = Bounds::default().memory >> 20)]
    max_memory: u64,
    /// End a scenario after this time
    #[arg(long, value_name = "SECONDS", default_value_t = Bounds::default().time.as_secs())]
    max_seconds: u64,
    /// Threads [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Directory for what is written about a violation
    #[arg(long, value_name = "DIR", default_value = "gatepass-out")]
    out: PathBuf,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

impl Args {
    fn bounds(&self) -> Bounds {
        Bounds {
            states: self.max_states,
            memory: self.max_memory.saturating_mul(1 << 20),
            time: Duration::from_secs(self.max_seconds),
            threads: self.threads.map_or_else(all_threads, usize::from),
        }
    }
}

pub(crate) fn run(args: &Args) -> ExitCode {
    if let Some(list) = args.pick.list() {
        say(list);
        return ExitCode::SUCCESS;
    }
    let picked = match args.pick.setups(None) {
        Ok(picked) => picked,
        Err(why) => return usage(why),
    };
    for setup in &picked.setups {
        if let Err(why) = setup.scenario.explorable() {
            return usage(format_args!("scenario {}: {why}", setup.scenario.name));
        }
    }
    let mut reports = Vec::new();
    for setup in &picked.setups {
        let report = match check(args, setup, picked.flaw) {
            Ok(report) => report,
            Err(why) => return usage(why),
        };
        reports.push(report);
    }
    let run = RunReport::of(reports);
    if args.json {
        if let Err(why) = say_json(&run) {
            return usage(why);
        }
    } else {
        say(run.summary().trim_end());
    }
    if let Some(flaw) = picked.flaw {
        judge_flaw(flaw, &run, args.json);
    }
    ExitCode::from(run.verdict.exit_code())
}

/// Checks one scenario and, for people, prints what it found at once.
fn check(args: &Args, setup: &Arc<Setup>, flaw: Option<&Flaw>) -> Result<ScenarioReport, String> {
    let mut report = {
        let mut line = Line::new(&setup.scenario.name);
        let mut last = Duration::ZERO;
        let mut shortening = false;
        explore(setup, flaw.map(|flaw| flaw.breaks), args.bounds(), &mut |now| {
            // The clock starts again when the search for the shortest way begins.
            shortening |= now.elapsed < last;
            last = now.elapsed;
            line.say(|| so_far(now, shortening));
        })
    };
    report.flaw = flaw.map(|flaw| flaw.name.to_owned());

    let Some(violation) = report.violations.first() else {
        let report = ScenarioReport::new(&report, None);
        if !args.json {
            say(report.table());
        }
        return Ok(report);
    };
    let found = Counterexample::new(setup, &violation.choices);
    let written =
        found.write(&args.out).map_err(|error| format!("cannot write to {}: {error}", args.out.display()))?;
    let told = ScenarioReport::new(&report, Some(found.violation(Some(&written))));
    if !args.json {
        say(told.table());
        if !violation.shortest {
            say(format_args!("There may be a shorter way; a bound ended the search for it.\n"));
        }
        say(found.text());
        say(written.text());
    }
    Ok(told)
}

fn so_far(now: Progress, shortening: bool) -> String {
    let doing = if shortening { "violated, looking for the shortest way: " } else { "" };
    let speed = now.states as f64 / now.elapsed.as_secs_f64().max(1e-3);
    format!(
        "{doing}{} states, {} states/s, depth {}, {}, {}",
        grouped(now.states),
        grouped(speed as u64),
        now.depth,
        memory(now.memory),
        duration(now.elapsed.as_secs_f64())
    )
}

/// Says whether the check found the flaw for what it is. The exit code stays that of the verdict.
fn judge_flaw(flaw: &Flaw, run: &RunReport, json: bool) {
    let made_for = flaw.breaks.name();
    let broken: Vec<&str> = run
        .scenarios
        .iter()
        .filter_map(|report| report.violation.as_ref())
        .map(|it| &it.property[..])
        .collect();
    let name = flaw.name;
    let said = if broken.contains(&made_for) {
        format!("Flaw {name} was found: it breaks {made_for}, as it was made to.")
    } else if let Some(other) = broken.first() {
        format!("FLAW {name} BREAKS {other}, but it was made to break {made_for}.")
    } else if run.verdict == Verdict::Undecided {
        format!("FLAW {name} WAS NOT FOUND before a bound ended the check.")
    } else {
        format!("FLAW {name} WAS NOT FOUND: {made_for} holds although {}.", flaw.about)
    };
    // Not on standard output, if that is for a program.
    if json {
        eprintln!("{said}");
    } else {
        say(format_args!("\n{said}"));
    }
}
