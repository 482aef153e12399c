//! What a check or a simulation found, for people and, under stable names, for programs.
//!
//! Only what was seen is claimed: a property *holds* if every state of the scenario was visited; if a bound or a
//! violation ended the check before that, it was *not violated* so far, and the report says which bound it was.

use std::{fmt::Write, time::Duration};

use gatepass_core::properties::{Goal, Property};
use serde::Serialize;

use crate::{check, eventually::Eventually, flaws::Flaw, world::Broken};

pub mod compare;
pub mod html;
mod hunt;
pub mod matrix;
mod run;
mod seeds;
mod timed;

pub use crate::check::Ended;
pub use hunt::{Found, HuntReport, Hunted};
pub use run::RunReport;
pub use seeds::{Failure, Reached, SeedsReport};
pub use timed::{InTheEnd, TimedFailure, TimedReport};

/// What the check of one scenario found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScenarioReport {
    /// The scenario.
    pub scenario: String,
    /// Its profile.
    pub policy: String,
    /// The defect it was checked with.
    pub flaw: Option<String>,
    /// The result in a word.
    pub verdict: Verdict,
    /// Why the check ended.
    pub ended: Ended,
    /// Different states visited.
    pub states: u64,
    /// Steps taken, those to states already visited included.
    pub generated: u64,
    /// Choices on the longest way to a state.
    pub depth: u64,
    /// How long it took.
    pub seconds: f64,
    /// States visited per second.
    pub states_per_second: f64,
    /// Most memory that the process held meanwhile.
    pub peak_memory_bytes: u64,
    /// What must always be true.
    pub always: Vec<Always>,
    /// What must happen in some run.
    pub sometimes: Vec<Sometimes>,
    /// Whether every run ends as it must, if that was looked at.
    pub in_the_end: Option<bool>,
    /// How something that must always be true is not.
    pub violation: Option<Violation>,
}

/// A result in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every state was visited; all properties hold in them, and all goals were met.
    Holds,
    /// A bound was reached before there was a verdict.
    Undecided,
    /// Every state was visited, and a goal is met in none.
    GoalNotMet,
    /// A property is violated.
    Violated,
}

impl Verdict {
    /// The exit code of a command with this result.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Holds => 0,
            Self::GoalNotMet | Self::Violated => 1,
            Self::Undecided => 3,
        }
    }
}

/// What became of something that must always be true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Always {
    /// Its name.
    pub property: String,
    /// What became of it.
    pub verdict: AlwaysVerdict,
    /// If it is violated: choices on the shortest way there that was found.
    pub steps: Option<u64>,
}

/// What can become of something that must always be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlwaysVerdict {
    /// True in every state.
    Holds,
    /// True in every state, because nothing came of what it speaks of.
    Vacuous,
    /// Not true in some state.
    Violated,
    /// True in the states visited; there are more.
    NotViolatedWithinBounds,
}

impl From<check::Verdict> for AlwaysVerdict {
    fn from(verdict: check::Verdict) -> Self {
        match verdict {
            check::Verdict::Holds => Self::Holds,
            check::Verdict::Vacuous => Self::Vacuous,
            check::Verdict::Violated => Self::Violated,
            check::Verdict::NotViolatedWithinBounds => Self::NotViolatedWithinBounds,
        }
    }
}

/// What became of something that must happen in some run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sometimes {
    /// Its name.
    pub goal: String,
    /// It happened.
    pub met: bool,
}

/// A violation, and where to look at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The property.
    pub property: String,
    /// What it says.
    pub says: String,
    /// The choices that lead to it, as a replay file writes them.
    pub choices: Vec<String>,
    /// The same in the words of the domain.
    pub steps: Vec<String>,
    /// Files that were written about it.
    pub files: Vec<String>,
    /// The command that replays it.
    pub replay: Option<String>,
}

impl ScenarioReport {
    /// What a check found; where to look at a violation is for the caller to add.
    #[must_use]
    pub fn new(report: &check::Report, flaw: Option<&Flaw>, violation: Option<Violation>) -> Self {
        let always = |(property, verdict): &(Property, check::Verdict)| Always {
            property: property.name().to_owned(),
            verdict: (*verdict).into(),
            steps: (report.violations.iter())
                .find(|violation| violation.broken == Broken::Property(*property))
                .map(|violation| violation.choices.len() as u64),
        };
        let sometimes = |(goal, met): &(Goal, bool)| Sometimes { goal: goal.name().to_owned(), met: *met };
        let always: Vec<Always> = report.properties.iter().map(always).collect();
        let sometimes: Vec<Sometimes> = report.goals.iter().map(sometimes).collect();
        let ended = report.ended;
        Self {
            scenario: report.scenario.clone(),
            policy: report.policy.clone(),
            flaw: flaw.map(|flaw| flaw.name.to_owned()),
            verdict: Self::judge(ended, &always, &sometimes),
            ended,
            states: report.states,
            generated: report.generated,
            depth: report.depth,
            seconds: report.seconds,
            states_per_second: report.states_per_second(),
            peak_memory_bytes: report.peak_memory,
            always,
            sometimes,
            in_the_end: report.in_the_end,
            violation,
        }
    }

    /// The verdict that follows from the rest.
    #[must_use]
    pub fn judge(ended: Ended, always: &[Always], sometimes: &[Sometimes]) -> Verdict {
        let violated = always.iter().any(|always| always.verdict == AlwaysVerdict::Violated);
        match ended {
            _ if violated => Verdict::Violated,
            Ended::Violated => Verdict::Violated,
            Ended::Exhausted if sometimes.iter().all(|goal| goal.met) => Verdict::Holds,
            Ended::Exhausted => Verdict::GoalNotMet,
            Ended::StateBound | Ended::MemoryBound | Ended::TimeBound | Ended::Interrupted => {
                Verdict::Undecided
            }
        }
    }

    /// As a table for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut out = String::new();
        let flaw = self.flaw.as_ref().map_or(String::new(), |flaw| format!(", flaw {flaw}"));
        let _ = writeln!(out, "{} ({}{flaw})", self.scenario, self.policy);
        row(&mut out, "verdict", &self.conclusion());
        let (states, generated) = (grouped(self.states), counted(self.generated, "step"));
        row(&mut out, "states", &format!("{states} ({generated}), depth {}", self.depth));
        let speed = format!("{} states/s", grouped(self.states_per_second as u64));
        let (time, memory) = (duration(self.seconds), memory(self.peak_memory_bytes));
        row(&mut out, "time", &format!("{time}, {speed}, {memory}"));
        for (verdict, one, many) in [
            (AlwaysVerdict::Violated, "violated", "violated"),
            (AlwaysVerdict::Holds, "holds", "hold"),
            (AlwaysVerdict::Vacuous, "holds, but nothing exercised it", "hold, but nothing exercised them"),
            (AlwaysVerdict::NotViolatedWithinBounds, "not violated so far", "not violated so far"),
        ] {
            let named = self.always.iter().filter(|always| always.verdict == verdict);
            list(&mut out, "always", [one, many], named.map(|always| &always.property[..]));
        }
        if self.in_the_end == Some(true) {
            let names = Eventually::ALL.map(Eventually::name);
            list(&mut out, "in the end", ["are true of every run"; 2], names.into_iter());
        }
        let unmet = if self.ended == Ended::Exhausted { "never met" } else { "not met so far" };
        for (met, what) in [(true, "met"), (false, unmet)] {
            let named = self.sometimes.iter().filter(|goal| goal.met == met);
            list(&mut out, "sometimes", [what; 2], named.map(|goal| &goal.goal[..]));
        }
        out
    }

    fn conclusion(&self) -> String {
        let bound = |what| format!("UNDECIDED: ended by the bound on {what}; there are more states");
        match (self.verdict, self.ended) {
            (Verdict::Violated, _) => match &self.violation {
                Some(violation) => {
                    let steps = counted(violation.choices.len() as u64, "step");
                    format!("VIOLATED: {} in {steps}", violation.property)
                }
                None => "VIOLATED".to_owned(),
            },
            (Verdict::GoalNotMet, _) => "GOAL NEVER MET, although every state was visited".to_owned(),
            (_, Ended::StateBound) => bound("states"),
            (_, Ended::MemoryBound) => bound("memory"),
            (_, Ended::TimeBound) => bound("time"),
            (_, Ended::Interrupted) => "UNDECIDED: interrupted; there are more states".to_owned(),
            (Verdict::Holds | Verdict::Undecided, _) => "holds: every state was visited".to_owned(),
        }
    }
}

/// Columns of a table's names.
const NAMES: usize = 11;

fn row(out: &mut String, name: &str, value: &str) {
    let _ = writeln!(out, "  {name:NAMES$}{value}");
}

/// A row for what the names have in common, said of one or of many, as many lines long as they need.
fn list<'a>(out: &mut String, head: &str, [one, many]: [&str; 2], names: impl Iterator<Item = &'a str>) {
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        return;
    }
    let what = if names.len() == 1 { one } else { many };
    let text = format!("{} {what}: {}", names.len(), names.join(", "));
    let mut head = head;
    for line in crate::diagram::wrap(&text, crate::diagram::TERMINAL_WIDTH - NAMES - 2) {
        row(out, head, &line);
        head = "";
    }
}

/// A number with commas between its thousands.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of things.
#[must_use]
pub fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// Seconds as people say them.
#[must_use]
pub fn duration(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    match whole {
        0 => format!("{:.0} ms", seconds * 1e3),
        1..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Bytes in mebibytes.
#[must_use]
pub fn memory(bytes: u64) -> String {
    format!("{} MiB", grouped(bytes.div_ceil(1 << 20)))
}

#[cfg(test)]
mod tests;
