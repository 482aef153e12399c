//! What runs in virtual time found. They are samples as well.

use std::fmt::Write;

use serde::Serialize;

use super::{Violation, counted, duration, row};

/// What the runs of one scenario found, one run a seed. Nothing in it depends on the machine or on how many threads
/// ran: the same command gives the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TimedReport {
    /// The scenario.
    pub scenario: String,
    /// Its profile.
    pub policy: String,
    /// The defect it ran with.
    pub flaw: Option<String>,
    /// The first seed.
    pub from_seed: u64,
    /// How many seeds ran.
    pub seeds: u64,
    /// Players admitted by a login in all runs.
    pub logins: u64,
    /// Seconds after the last fault in which everything must come to rest.
    pub settles_within: f64,
    /// What must be true then.
    pub in_the_end: Vec<InTheEnd>,
    /// Runs that violate a property.
    pub failing: u64,
    /// The one of the lowest seed.
    pub failure: Option<TimedFailure>,
}

/// What became of something that must be true in the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InTheEnd {
    /// Its name.
    pub property: String,
    /// The lowest seed after which it was not.
    pub violated_by_seed: Option<u64>,
}

/// A run that violates a property.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TimedFailure {
    /// Its seed.
    pub seed: u64,
    /// How.
    pub violation: Violation,
}

impl TimedReport {
    /// Whether nothing went wrong.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.failing == 0 && self.in_the_end.iter().all(|it| it.violated_by_seed.is_none())
    }

    /// As a table for people. `seconds`: how long it took.
    #[must_use]
    pub fn table(&self, seconds: f64) -> String {
        let mut out = String::new();
        let flaw = self.flaw.as_ref().map_or(String::new(), |flaw| format!(", flaw {flaw}"));
        let _ = writeln!(out, "{} ({}{flaw})", self.scenario, self.policy);
        let (seeds, logins) = (counted(self.seeds, "seed"), counted(self.logins, "login"));
        row(&mut out, "runs", &format!("{seeds}, {logins} in {}", duration(seconds)));
        let always = match &self.failure {
            Some(TimedFailure { seed, violation }) => {
                let failing = counted(self.failing, "seed");
                format!("VIOLATED: {} with seed {seed}; {failing} in all", violation.property)
            }
            None => "not violated in these runs, which are samples".to_owned(),
        };
        row(&mut out, "always", &always);
        let within = duration(self.settles_within);
        let mut head = "in the end";
        for it in &self.in_the_end {
            let said = match it.violated_by_seed {
                Some(seed) => format!("VIOLATED {within} after faults, seed {seed}"),
                None => "not violated".to_owned(),
            };
            row(&mut out, head, &format!("{} {said}", it.property));
            head = "";
        }
        out
    }
}
