//! How soon simulated runs find each rule that is left out: the measure of a simulator.

use std::fmt::Write;

use serde::Serialize;

use super::{counted, duration, grouped};
use crate::simulate::Scheduler;

/// What became of each flaw.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HuntReport {
    /// How runs drew their choices.
    pub scheduler: Scheduler,
    /// The first seed.
    pub from_seed: u64,
    /// How many seeds a flaw was given.
    pub seeds: u64,
    /// How long it took.
    pub seconds: f64,
    /// Every flaw.
    pub flaws: Vec<Hunted>,
}

/// One flaw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hunted {
    /// Its name.
    pub flaw: String,
    /// The property that it was made to break.
    pub property: String,
    /// The scenario in which it was looked for.
    pub scenario: String,
    /// Where it was found.
    pub found: Option<Found>,
}

/// Where a flaw was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The lowest seed that breaks the property.
    pub seed: u64,
    /// How many seeds were needed to find it, this one included.
    pub seeds: u64,
    /// How many choices that run made.
    pub choices: usize,
    /// How many of them are needed.
    pub needed: usize,
    /// The shortest way that is known.
    pub shortest: usize,
    /// The command that makes the same run again.
    pub reproduce: String,
}

impl HuntReport {
    /// Whether every flaw was found.
    #[must_use]
    pub fn found_all(&self) -> bool {
        self.flaws.iter().all(|flaw| flaw.found.is_some())
    }

    /// As a table for people.
    #[must_use]
    pub fn table(&self) -> String {
        let widest = |of: fn(&Hunted) -> &str| self.flaws.iter().map(|it| of(it).len()).max().unwrap_or(0);
        let (flaw, property) = (widest(|it| &it.flaw), widest(|it| &it.property));
        let mut out = String::new();
        let _ = writeln!(
            out,
            "{:flaw$}  {:property$}  {:>9}  {:>7}  {:>6}  {:>8}",
            "flaw", "property", "seeds", "choices", "needed", "shortest"
        );
        for it in &self.flaws {
            let _ = write!(out, "{:flaw$}  {:property$}  ", it.flaw, it.property);
            let _ = match &it.found {
                Some(found) => writeln!(
                    out,
                    "{:>9}  {:>7}  {:>6}  {:>8}",
                    grouped(found.seeds),
                    found.choices,
                    found.needed,
                    found.shortest
                ),
                None => writeln!(out, "NOT FOUND in {}", counted(self.seeds, "seed")),
            };
        }
        let missed = self.flaws.iter().filter(|it| it.found.is_none()).count() as u64;
        let verdict =
            if missed == 0 { "all found".to_owned() } else { format!("{} NOT FOUND", grouped(missed)) };
        let (flaws, took) = (counted(self.flaws.len() as u64, "flaw"), duration(self.seconds));
        let _ = writeln!(out, "\n{flaws}, {} scheduler, {took}: {verdict}", self.scheduler.name());
        out
    }
}
