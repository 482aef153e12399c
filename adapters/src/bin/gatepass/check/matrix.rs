//! `gatepass check --matrix`: the table of rules, faults and properties, and a replay file for every violation in it.

use std::{fs, path::Path, process::ExitCode};

use gatepass_sim::{
    diagram,
    explorer::Bounds,
    matrix::{Subject, Trace, subjects, table},
    replay::tell,
    report::matrix::{Cell, Outcome},
};

use super::{Args, so_far};
use crate::shared::{aside, progress::Line, say, say_json, write};

/// Explores every row, prints the table and writes it with its traces.
pub(super) fn matrix(args: &Args) -> Result<ExitCode, String> {
    let subjects = subjects();
    let mut rows = Vec::new();
    let mut surprises = Vec::new();
    let traces_dir = args.out.join("traces");
    fs::create_dir_all(&traces_dir)
        .map_err(|error| format!("cannot write to {}: {error}", args.out.display()))?;
    for (at, subject) in subjects.iter().enumerate() {
        let mut line = Line::new(&format!("{} of {}, {}", at + 1, subjects.len(), subject.name));
        let bounds = Bounds { level_states: subject.states_max(), ..args.bounds() };
        let (cells, traces) = subject.explore(bounds, &mut |now| line.say(|| so_far(now)));
        drop(line);
        surprises.extend(surprise(subject, &cells));
        for trace in &traces {
            write_trace(&traces_dir, trace)?;
        }
        rows.push((subject, cells));
    }
    let matrix = table(rows);
    write(&args.out.join("matrix.md"), &matrix.markdown())?;
    let json = serde_json::to_string_pretty(&matrix).map_err(|error| error.to_string())?;
    write(&args.out.join("matrix.json"), &(json + "\n"))?;
    if args.json {
        say_json(&matrix)?;
    } else {
        say(matrix.text());
        say(format_args!("Written: {0}/matrix.md, {0}/matrix.json, {0}/traces/", args.out.display()));
    }
    for surprise in &surprises {
        aside(format_args!("error: {surprise}"));
    }
    Ok(ExitCode::from(u8::from(!surprises.is_empty())))
}

/// What is not as it must be: strict holds, and whatever leaves a rule out breaks.
fn surprise(subject: &Subject, cells: &[Cell]) -> Option<String> {
    let violated = cells.iter().any(|cell| matches!(cell.outcome, Outcome::Violated { .. }));
    let open = cells.iter().any(|cell| cell.outcome == Outcome::OutOfBounds);
    match subject.group {
        "strict" if violated => Some(format!("strict is violated in {}", subject.name)),
        "strict" if open => Some(format!("a bound ended {} before there was a verdict", subject.name)),
        "strict" => None,
        _ if violated || subject.is_original() => None,
        _ => Some(format!("nothing is violated in {}", subject.name)),
    }
}

fn write_trace(dir: &Path, trace: &Trace) -> Result<(), String> {
    let told = tell(&trace.setup, &trace.choices);
    write(&dir.join(format!("{}.replay.toml", trace.name)), &trace.replay.to_toml())?;
    write(&dir.join(format!("{}.mmd", trace.name)), &diagram::mermaid(&told))
}
