//! What simulated runs of a scenario found. Runs are samples: nothing is said to hold because of them.

use std::fmt::Write;

use serde::Serialize;

use super::{Violation, counted, duration, grouped, row};
use crate::{coverage::Entry, simulate::Scheduler};

/// What the runs of one scenario found, one run a seed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeedsReport {
    /// The scenario.
    pub scenario: String,
    /// Its profile.
    pub policy: String,
    /// The defect it ran with.
    pub flaw: Option<String>,
    /// How runs drew their choices.
    pub scheduler: Scheduler,
    /// The first seed.
    pub from_seed: u64,
    /// How many seeds ran.
    pub seeds: u64,
    /// Steps of all runs.
    pub steps: u64,
    /// Events that roles took in all runs.
    pub events: u64,
    /// Players admitted by a login in all runs.
    pub logins: u64,
    /// How long it took.
    pub seconds: f64,
    /// Steps per second.
    pub steps_per_second: f64,
    /// What should happen in some run.
    pub goals: Vec<Reached>,
    /// Which events roles met in which phases, if that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub coverage: Vec<Entry>,
    /// Runs that violate a property.
    pub failing: u64,
    /// One of them.
    pub failure: Option<Failure>,
}

/// In how many runs something happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reached {
    /// What.
    pub goal: String,
    /// In as many runs.
    pub seeds: u64,
}

/// A run that violates a property.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// The command that makes the same run again.
    pub reproduce: String,
    /// How many choices it took before it was shortened.
    pub choices_before: usize,
    /// How many of them are needed. The shortened run has fewer if there is a shorter way with the same nodes
    /// and kinds of choices.
    pub choices_needed: usize,
    /// The shortened run.
    pub violation: Violation,
}

impl SeedsReport {
    /// As a table for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut out = String::new();
        let flaw = self.flaw.as_ref().map_or(String::new(), |flaw| format!(", flaw {flaw}"));
        let _ = writeln!(out, "{} ({}{flaw})", self.scenario, self.policy);
        row(&mut out, "verdict", &self.conclusion());
        let speed = grouped(self.steps_per_second as u64);
        let (steps, time) = (grouped(self.steps), duration(self.seconds));
        row(&mut out, "steps", &format!("{steps} in {time}, {speed} steps/s"));
        row(&mut out, "logins", &grouped(self.logins));
        let mut head = "sometimes";
        let longest = self.goals.iter().map(|goal| goal.goal.len()).max().unwrap_or(0);
        for goal in &self.goals {
            let share = format!("{} of {}", grouped(goal.seeds), counted(self.seeds, "seed"));
            let never = if goal.seeds == 0 { ": not reached in these runs" } else { "" };
            row(&mut out, head, &format!("{:longest$}  {share}{never}", goal.goal));
            head = "";
        }
        if let Some(failure) = &self.failure {
            let after = failure.violation.choices.len();
            let (before, needed) = (failure.choices_before, failure.choices_needed);
            let searched =
                if after < needed { format!(", by another way to {after}") } else { String::new() };
            let before = counted(before as u64, "choice");
            row(&mut out, "shortened", &format!("from {before} to {needed}{searched}"));
            row(&mut out, "reproduce", &failure.reproduce);
        }
        out
    }

    fn conclusion(&self) -> String {
        match &self.failure {
            Some(failure) => {
                let property = &failure.violation.property;
                let (failing, seeds) = (grouped(self.failing), counted(self.seeds, "seed"));
                format!("VIOLATED: {property} with seed {}; {failing} of {seeds} fail", failure.seed)
            }
            None => format!("not violated in {}, which are samples", counted(self.seeds, "seed")),
        }
    }
}
