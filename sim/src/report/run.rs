//! What the checks of all scenarios of a run found together.

use std::{collections::BTreeMap, fmt::Write};

use serde::Serialize;

use super::{AlwaysVerdict, Ended, ScenarioReport, Verdict, counted, duration};
use crate::diagram::{TERMINAL_WIDTH, wrap};

/// What a run over several scenarios found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunReport {
    /// The result in a word: the worst of the scenarios.
    pub verdict: Verdict,
    /// States of all scenarios.
    pub states: u64,
    /// How long it took.
    pub seconds: f64,
    /// The scenarios, in the order in which they were checked.
    pub scenarios: Vec<ScenarioReport>,
}

impl RunReport {
    /// Sums up.
    #[must_use]
    pub fn of(scenarios: Vec<ScenarioReport>) -> Self {
        let worst = scenarios.iter().map(|report| report.verdict).max().unwrap_or(Verdict::Undecided);
        let unexercised = !never_exercised(&scenarios).is_empty();
        let verdict = if worst == Verdict::Holds && unexercised { Verdict::GoalNotMet } else { worst };
        let states = scenarios.iter().map(|report| report.states).sum();
        let seconds = scenarios.iter().map(|report| report.seconds).sum();
        Self { verdict, states, seconds, scenarios }
    }

    /// As a summary for people: the whole, then every property and every goal with where it was seen. The table
    /// of a single scenario says all of the latter.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut out = String::new();
        let states = counted(self.states, "state");
        let scenarios = counted(self.scenarios.len() as u64, "scenario");
        let _ = writeln!(out, "{scenarios}, {states}, {}: {}", duration(self.seconds), self.conclusion());
        if self.scenarios.len() > 1 {
            self.table(&mut out, "always", self.properties());
            self.table(&mut out, "sometimes", self.goals());
        }
        out
    }

    fn conclusion(&self) -> String {
        let count = |verdict| self.scenarios.iter().filter(|report| report.verdict == verdict).count() as u64;
        match self.verdict {
            Verdict::Holds => "everything holds, every state was visited".to_owned(),
            Verdict::Violated => format!("VIOLATED in {}", counted(count(Verdict::Violated), "scenario")),
            Verdict::GoalNotMet if count(Verdict::GoalNotMet) == 0 => {
                format!("NEVER EXERCISED: {}", never_exercised(&self.scenarios).join(", "))
            }
            Verdict::GoalNotMet => {
                format!("A GOAL WAS NEVER MET in {}", counted(count(Verdict::GoalNotMet), "scenario"))
            }
            Verdict::Undecided => {
                let undecided = counted(count(Verdict::Undecided), "scenario");
                format!("UNDECIDED, a bound ended {undecided}")
            }
        }
    }

    /// For each property, in which scenarios it was seen to hold and not to.
    fn properties(&self) -> Vec<(&str, String)> {
        self.by_name(
            |report| report.always.iter().map(|always| (&always.property[..], always.verdict)),
            |seen| {
                let of = |verdict| named(seen, |other| *other == verdict);
                let violated = of(AlwaysVerdict::Violated);
                let holds = of(AlwaysVerdict::Holds).len() as u64;
                let vacuous = of(AlwaysVerdict::Vacuous).len() as u64;
                let open = of(AlwaysVerdict::NotViolatedWithinBounds).len() as u64;
                let mut parts = Vec::new();
                if !violated.is_empty() {
                    parts.push(format!("VIOLATED in {}", violated.join(", ")));
                }
                if holds > 0 {
                    parts.push(format!("holds in {}", counted(holds, "scenario")));
                }
                if vacuous > 0 {
                    parts.push(format!("not exercised in {}", counted(vacuous, "scenario")));
                }
                if open > 0 {
                    parts
                        .push(format!("not violated in the states visited of {}", counted(open, "scenario")));
                }
                parts.join("; ")
            },
        )
    }

    /// For each goal, in which scenarios it was met and not.
    pub(super) fn goals(&self) -> Vec<(&str, String)> {
        self.by_name(
            |report| {
                let exhausted = report.ended == Ended::Exhausted;
                report.sometimes.iter().map(move |goal| (&goal.goal[..], (goal.met, exhausted)))
            },
            |seen| {
                let met = named(seen, |(met, _)| *met);
                let never = named(seen, |(met, exhausted)| !met && *exhausted);
                let open = named(seen, |(met, exhausted)| !met && !exhausted);
                let mut parts = Vec::new();
                for (what, scenarios) in
                    [("met in", met), ("NEVER MET in", never), ("not met so far in", open)]
                {
                    if !scenarios.is_empty() {
                        parts.push(format!("{what} {}", scenarios.join(", ")));
                    }
                }
                parts.join("; ")
            },
        )
    }

    /// Gathers what scenarios say under a name, in the order in which the names come up.
    fn by_name<'a, T, I: Iterator<Item = (&'a str, T)>>(
        &'a self,
        entries: impl Fn(&'a ScenarioReport) -> I,
        tell: impl Fn(&[(&'a str, T)]) -> String,
    ) -> Vec<(&'a str, String)> {
        let mut order = Vec::new();
        let mut gathered: BTreeMap<&str, Vec<(&str, T)>> = BTreeMap::new();
        for report in &self.scenarios {
            for (name, entry) in entries(report) {
                let seen = gathered.entry(name).or_default();
                if seen.is_empty() {
                    order.push(name);
                }
                seen.push((&report.scenario, entry));
            }
        }
        order.into_iter().map(|name| (name, tell(&gathered[name]))).collect()
    }

    fn table(&self, out: &mut String, head: &str, rows: Vec<(&str, String)>) {
        let Some(longest) = rows.iter().map(|(name, _)| name.len()).max() else { return };
        let _ = writeln!(out, "\n{head}");
        for (name, value) in rows {
            let mut name = name;
            for line in wrap(&value, TERMINAL_WIDTH.saturating_sub(longest + 4).max(30)) {
                let _ = writeln!(out, "  {name:longest$}  {line}");
                name = "";
            }
        }
    }
}

/// Properties that none of several scenarios exercised. A single scenario is not made to exercise them all.
fn never_exercised(scenarios: &[ScenarioReport]) -> Vec<&str> {
    let Some((first, _)) = scenarios.split_first().filter(|(_, others)| !others.is_empty()) else {
        return Vec::new();
    };
    let vacuous = |report: &ScenarioReport, property: &str| {
        let verdict = report.always.iter().find(|always| always.property == property).map(|it| it.verdict);
        verdict == Some(AlwaysVerdict::Vacuous)
    };
    let names = first.always.iter().map(|always| &always.property[..]);
    names.filter(|property| scenarios.iter().all(|report| vacuous(report, property))).collect()
}

fn named<'a, T>(seen: &[(&'a str, T)], which: impl Fn(&T) -> bool) -> Vec<&'a str> {
    seen.iter().filter(|(_, entry)| which(entry)).map(|(scenario, _)| *scenario).collect()
}
