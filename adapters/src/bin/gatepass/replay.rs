//! `gatepass replay`: a recorded run again, choice by choice.

use std::{fs, path::PathBuf, process::ExitCode};

use clap::ValueEnum;
use gatepass_sim::{
    diagram::{self, Form, TERMINAL_WIDTH},
    replay::Replay,
    report::counted,
    trace::Trace,
};
use serde::Serialize;

use crate::shared::{aside, counterexample::itf_of, say, say_json, usage, write};

const EXAMPLES: &str = "\
Examples:
  gatepass replay gatepass-out/takeover-remote-single_live_session.replay.toml
  gatepass replay failure.replay.toml --diagram svg --out failure.svg
  gatepass replay failure.replay.toml --diagram mermaid >> notes.md
  gatepass replay failure.replay.toml --itf failure.itf.json

Exit code: 0 if the run ends without a violation, 1 if it ends in one, 2 if the file is no replay file or a \
choice in it is not possible where it is made.";

/// Replay a recorded run and tell what happens
#[derive(clap::Args, Clone, Debug)]
#[command(
    long_about = "Replay a recorded run: the choices of a counterexample or a failing simulation, or some that \
                  somebody wrote down, are made again one by one. The same file gives the same run everywhere.",
    after_help = EXAMPLES
)]
pub(crate) struct Args {
    /// Replay file, as `check` and `simulate` write it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print only the diagram, in this form
    #[arg(long, value_enum)]
    diagram: Option<Diagram>,
    /// Write the diagram to a file instead
    #[arg(long, value_name = "FILE", requires = "diagram")]
    out: Option<PathBuf>,
    /// Write the run in the Informal Trace Format, for tools around TLA+ and Quint
    #[arg(long, value_name = "FILE")]
    itf: Option<PathBuf>,
    /// Print the result as one JSON object
    #[arg(long, conflicts_with = "diagram")]
    json: bool,
}

/// A form of diagram.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Diagram {
    /// Lanes of characters, for a terminal
    Text,
    /// For documents that render Mermaid
    Mermaid,
    /// For everything else
    Svg,
}

impl From<Diagram> for Form {
    fn from(diagram: Diagram) -> Self {
        match diagram {
            Diagram::Text => Self::Text,
            Diagram::Mermaid => Self::Mermaid,
            Diagram::Svg => Self::Svg,
        }
    }
}

/// A replayed run, for programs.
#[derive(Serialize)]
struct Replayed<'a> {
    scenario: &'a str,
    policy: &'a str,
    /// The property that the file says it violates.
    expected: Option<&'a str>,
    /// The property that it violates.
    violated: Option<&'a str>,
    /// The run in the words of the domain.
    steps: Vec<String>,
    trace: &'a Trace,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let name = args.file.display();
    let replay = match fs::read_to_string(&args.file) {
        Ok(text) => Replay::from_toml(&text),
        Err(error) => return usage(format_args!("{name}: {error}")),
    };
    let (replay, trace) = match replay.and_then(|replay| replay.run().map(|trace| (replay, trace))) {
        Ok(replayed) => replayed,
        Err(error) => return usage(format_args!("{name}: {error}")),
    };
    let itf = args.itf.as_ref().map_or(Ok(()), |path| write(path, &itf_of(&replay)?));
    if let Err(why) = itf.and_then(|()| print(args, &replay, &trace)) {
        return usage(why);
    }
    let violated = trace.violation.as_ref().map(|(property, _)| &property[..]);
    if let Some(expected) = replay.violates.as_deref()
        && violated != Some(expected)
    {
        let now = violated.map_or("it violates nothing".to_owned(), |other| format!("it violates {other}"));
        aside(format_args!("note: the file was recorded as a violation of {expected}; now {now}"));
    }
    ExitCode::from(u8::from(violated.is_some()))
}

fn print(args: &Args, replay: &Replay, trace: &Trace) -> Result<(), String> {
    if let Some(form) = args.diagram {
        let drawn = Form::from(form).draw(trace);
        return match &args.out {
            Some(path) => write(path, &drawn),
            None => {
                say(drawn.trim_end());
                Ok(())
            }
        };
    }
    let violated = trace.violation.as_ref().map(|(property, _)| &property[..]);
    if args.json {
        return say_json(&Replayed {
            scenario: &replay.scenario.name,
            policy: &replay.scenario.policy,
            expected: replay.violates.as_deref(),
            violated,
            steps: diagram::told(trace),
            trace,
        });
    }
    say(format_args!("{} ({}): {}\n", replay.scenario.name, replay.scenario.policy, replay.scenario.about));
    say(diagram::steps(trace, TERMINAL_WIDTH));
    say(diagram::text(trace, TERMINAL_WIDTH));
    if violated.is_none() {
        let steps = counted(trace.steps.len() as u64, "step");
        say(format_args!("No property is violated in {steps}."));
    }
    Ok(())
}
