//! `gatepass check`: every interleaving and every fault of a scenario, with a verdict for every property.

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use gatepass_sim::{
    check::{Bounds, Progress, Report},
    flaws::Flaw,
    names::unknown,
    reductions::{Reduction, Reductions},
    report::{RunReport, ScenarioReport, Verdict, duration, grouped, memory},
    setup::Setup,
};

use crate::shared::{
    all_threads, aside, command_line, counterexample::Counterexample, pick::Pick, play, progress::Line, say,
    say_json, usage, write,
};

mod compare;
mod matrix;
mod pause;

const EXAMPLES: &str = "\
Examples:
  gatepass check                                            all shipped scenarios
  gatepass check --scenario takeover-remote --policy mope   what the original servers do
  gatepass check --scenario my-idea.toml --max-seconds 60   a scenario of your own
  gatepass check --flaw kick-by-account                     that a left-out rule is missed
  gatepass check --scenario strangers --full                with no interleaving left out
  gatepass check --json > verdicts.json
  gatepass check --html report.html                         the same as a page
  gatepass check --policy mope --scenario tokens --itf run.itf.json
  gatepass check --compare strict mope                      which verdicts the rules change
  gatepass check --compare strict my-rules.toml             the same for rules of your own
  gatepass check --matrix --out table                       everything, as a table with traces
  gatepass check --scenario storm --checkpoint storm.check  a long one, kept when a bound or Ctrl-C ends it
  gatepass check --scenario storm --resume storm.check --checkpoint storm.check

A file of rules has the keys `policy` (strict, if it is missing) and `[rules]`, as scenarios have them.

A violation comes with the shortest way to it: as numbered steps, as a diagram, and as files that replay it and \
show it in a document.

Exit code: 0 if all holds in every state and every goal was met; 1 if a property is violated or a goal is never \
met; 2 for a mistake on the command line; 3 if a bound ended the check before there was a verdict. With --compare: \
0 if no verdict changes; 1 if some do; 3 if a bound ended a check and no change was seen.";

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
    /// Explore every interleaving as one of its own, without any of the reductions that ARCHITECTURE.md names
    #[arg(long, conflicts_with_all = ["matrix", "compare"])]
    full: bool,
    /// Leave one reduction out. May be given again
    #[arg(long, value_name = "REDUCTION", value_parser = reduction, conflicts_with_all = ["full", "matrix", "compare"])]
    without: Vec<Reduction>,
    /// Threads [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Directory for what is written about a violation
    #[arg(long, value_name = "DIR", default_value = "gatepass-out")]
    out: PathBuf,
    /// Write a report as one HTML page that needs nothing else: verdicts, goals, sizes, diagrams of violations
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the first violation in the Informal Trace Format, for tools around TLA+ and Quint
    #[arg(long, value_name = "FILE")]
    itf: Option<PathBuf>,
    /// Check by two sets of rules and tell which verdicts differ: a policy, a flaw, or a TOML file with rules
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = ["policy", "flaw", "html", "itf"])]
    compare: Option<Vec<String>>,
    /// Check everything: strict, strict without each of its rules, every weakness of the original systems, and mope,
    /// under all faults and attacks; print the table, and write it and a replay file for each violation to the directory of --out
    #[arg(long, conflicts_with_all = ["policy", "flaw", "html", "itf", "compare", "scenarios"])]
    matrix: bool,
    #[command(flatten)]
    pausing: pause::Pausing,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

impl Args {
    fn bounds(&self) -> Bounds {
        Bounds {
            states: self.max_states,
            level_states: u64::MAX,
            memory: self.max_memory.saturating_mul(1 << 20),
            time: Duration::from_secs(self.max_seconds),
            threads: self.threads.map_or_else(all_threads, usize::from),
        }
    }

    fn reductions(&self) -> Reductions {
        let all = if self.full { Reductions::NONE } else { Reductions::ALL };
        self.without.iter().fold(all, |all, one| all.without(*one))
    }
}

pub(crate) fn run(args: &Args) -> ExitCode {
    if args.matrix {
        return matrix::matrix(args).unwrap_or_else(usage);
    }
    play(&args.pick.reduced_by(args.reductions()), |picked| {
        if let Some([a, b]) = args.compare.as_deref() {
            return compare::compare(args, &picked, a, b);
        }
        if args.pausing.is_asked_for() && picked.setups.len() != 1 {
            return Err("a check is kept or taken up of one scenario: name it with --scenario".to_owned());
        }
        let checked = picked.setups.iter().map(|setup| check(args, setup, picked.flaw));
        let (reports, found): (Vec<_>, Vec<_>) = checked.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        let run = RunReport::of(reports);
        write_files(args, &run, &found)?;
        if args.json {
            say_json(&run)?;
        } else {
            say(run.summary().trim_end());
        }
        if let Some(flaw) = picked.flaw {
            judge_flaw(flaw, &run, args.json);
        }
        Ok(ExitCode::from(run.verdict.exit_code()))
    })
}

/// Writes what was asked for besides.
fn write_files(args: &Args, run: &RunReport, found: &[Option<Counterexample>]) -> Result<(), String> {
    if let Some(path) = &args.html {
        let drawings: Vec<_> =
            found.iter().map(|found| found.as_ref().map(Counterexample::drawing)).collect();
        write(path, &run.html(&command_line(), &drawings))?;
    }
    if let Some(path) = &args.itf {
        let mut found = found.iter().flatten();
        match found.next() {
            Some(first) => write(path, &first.itf()?)?,
            None => aside(format_args!("note: nothing is violated, so {} is not written", path.display())),
        }
        if found.next().is_some() {
            aside(format_args!(
                "note: {} has the first violation only; `replay --itf` writes any",
                path.display()
            ));
        }
    }
    Ok(())
}

/// Explores a scenario, with a line about how far it is.
fn explored(args: &Args, setup: &Arc<Setup>, flaw: Option<&Flaw>) -> Result<Report, String> {
    let mut line = Line::new(&setup.scenario.name);
    let wanted = flaw.map(|flaw| flaw.breaks);
    args.pausing.explore(setup, wanted, args.bounds(), &mut |now| line.say(|| so_far(now)))
}

/// What one scenario came to, and how it is violated.
type Checked = (ScenarioReport, Option<Counterexample>);

/// Checks one scenario and, for people, prints what it found at once.
fn check(args: &Args, setup: &Arc<Setup>, flaw: Option<&Flaw>) -> Result<Checked, String> {
    let report = explored(args, setup, flaw)?;

    let Some(violation) = report.violations.first() else {
        let report = ScenarioReport::new(&report, flaw, None);
        if !args.json {
            say(report.table());
        }
        return Ok((report, None));
    };
    let found = Counterexample::new(setup, &violation.choices);
    let written =
        found.write(&args.out).map_err(|error| format!("cannot write to {}: {error}", args.out.display()))?;
    let told = ScenarioReport::new(&report, flaw, Some(found.violation(Some(&written))));
    if !args.json {
        say(told.table());
        if !violation.shortest {
            say(format_args!(
                "There may be a way of fewer choices: the search does not count arrivals that matter to nobody else.\n"
            ));
        }
        say(found.text());
        say(written.text());
    }
    Ok((told, Some(found)))
}

fn reduction(name: &str) -> Result<Reduction, String> {
    let names = Reduction::ALL.into_iter().map(Reduction::name);
    Reduction::named(name).ok_or_else(|| unknown("reduction", name, names))
}

fn so_far(now: Progress) -> String {
    let speed = now.states as f64 / now.elapsed.as_secs_f64().max(1e-3);
    format!(
        "{} states, {} states/s, depth {}, {}, {}",
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
        aside(said);
    } else {
        say(format_args!("\n{said}"));
    }
}
