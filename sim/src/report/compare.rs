//! Two sets of rules side by side: which rules differ, and which verdicts because of them.

use std::fmt::Write;

use gatepass_core::policy::Policy;
use serde::Serialize;

use super::{AlwaysVerdict, Ended, ScenarioReport, Verdict, counted};
use crate::{
    diagram::{TERMINAL_WIDTH, wrap},
    scenario::rules_of,
};

/// What differs between two sets of rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The one set of rules.
    pub a: String,
    /// The other.
    pub b: String,
    /// Rules that differ.
    pub rules: Vec<RuleChange>,
    /// The scenarios, in the order in which they were checked.
    pub scenarios: Vec<ScenarioChange>,
    /// Some verdict changes.
    pub changed: bool,
    /// A bound ended a check, so that there may be more changes.
    pub undecided: bool,
}

/// A rule that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleChange {
    /// The rule.
    pub rule: String,
    /// Its value in the one set.
    pub a: String,
    /// Its value in the other.
    pub b: String,
}

/// What differs in one scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScenarioChange {
    /// The scenario.
    pub scenario: String,
    /// By the one set of rules.
    pub a: Side,
    /// By the other.
    pub b: Side,
    /// Properties and goals about which something differs.
    pub changes: Vec<Change>,
    /// The verdict of the scenario, or of one of its properties and goals, changes.
    pub changed: bool,
}

/// The check of a scenario by one set of rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Side {
    /// The result in a word.
    pub verdict: Verdict,
    /// Why it ended.
    pub ended: Ended,
    /// Different states visited.
    pub states: u64,
}

/// A property or a goal about which something differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// By the one set of rules.
    pub a: Told,
    /// By the other.
    pub b: Told,
}

/// What became of a property or a goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Told {
    /// True in every state.
    Holds,
    /// Not true in some state.
    Violated {
        /// Steps of the shortest run to it that was found.
        steps: Option<u64>,
    },
    /// The check ended before there was a verdict.
    Open,
    /// It happened in some run.
    Met,
    /// It happens in no run.
    NeverMet,
}

impl Told {
    fn words(self) -> String {
        match self {
            Self::Holds => "holds".to_owned(),
            Self::Violated { steps: Some(steps) } => format!("VIOLATED in {}", counted(steps, "step")),
            Self::Violated { steps: None } => "VIOLATED".to_owned(),
            Self::Open => "no verdict".to_owned(),
            Self::Met => "met".to_owned(),
            Self::NeverMet => "NEVER MET".to_owned(),
        }
    }

    /// Whether these are two different verdicts: no verdict differs from none, and a longer way to the same
    /// violation is none either.
    fn contradicts(self, other: Self) -> bool {
        let kind = |told| match told {
            Self::Holds | Self::Met => Some(true),
            Self::Violated { .. } | Self::NeverMet => Some(false),
            Self::Open => None,
        };
        matches!((kind(self), kind(other)), (Some(one), Some(two)) if one != two)
    }
}

impl Comparison {
    /// Compares the reports of the same scenarios, checked by two sets of rules.
    #[must_use]
    pub fn of(a: (&str, &Policy), b: (&str, &Policy), reports: &[(ScenarioReport, ScenarioReport)]) -> Self {
        let scenarios: Vec<ScenarioChange> = reports.iter().map(|(a, b)| ScenarioChange::of(a, b)).collect();
        Self {
            a: a.0.to_owned(),
            b: b.0.to_owned(),
            rules: rule_changes(a.1, b.1),
            changed: scenarios.iter().any(|scenario| scenario.changed),
            undecided: scenarios.iter().any(ScenarioChange::is_undecided),
            scenarios,
        }
    }

    /// The exit code of a command with this result: 0 if no verdict changes, 1 if one does, 3 if none was seen
    /// to, but a bound ended a check.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match (self.changed, self.undecided) {
            (true, _) => 1,
            (false, true) => 3,
            (false, false) => 0,
        }
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        let rules = counted(self.rules.len() as u64, "rule");
        let verb = if self.rules.len() == 1 { "differs" } else { "differ" };
        let _ = writeln!(out, "A {}\nB {}\n\n{rules} {verb}", self.a, self.b);
        let longest = self.rules.iter().map(|change| change.rule.len()).max().unwrap_or(0);
        for RuleChange { rule, a, b } in &self.rules {
            let _ = writeln!(out, "  {rule:longest$}  {a} → {b}");
        }
        for scenario in self.scenarios.iter().filter(|scenario| !scenario.changes.is_empty()) {
            scenario.tell(&mut out);
        }
        let same: Vec<&str> = (self.scenarios.iter())
            .filter(|scenario| scenario.changes.is_empty())
            .map(|scenario| &scenario.scenario[..])
            .collect();
        if !same.is_empty() {
            let lines = wrap(&format!("nothing differs in {}", same.join(", ")), TERMINAL_WIDTH);
            let _ = writeln!(out, "\n{}", lines.join("\n"));
        }
        let changed = self.scenarios.iter().filter(|scenario| scenario.changed).count();
        let of = counted(self.scenarios.len() as u64, "scenario");
        let _ = match changed {
            0 => writeln!(out, "\nNo verdict changes in {of}"),
            _ => writeln!(out, "\nVERDICTS CHANGE in {changed} of {of}"),
        };
        for scenario in self.scenarios.iter().filter(|scenario| scenario.is_undecided()) {
            let _ = writeln!(out, "A bound ended a check of {}: there may be more", scenario.scenario);
        }
        out
    }
}

/// Rules that differ, by name.
fn rule_changes(a: &Policy, b: &Policy) -> Vec<RuleChange> {
    let (a, b) = (rules_of(a), rules_of(b));
    let plain = |value: &toml::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let differ = a.iter().filter_map(|(rule, a)| Some((rule, a, b.get(rule).filter(|b| *b != a)?)));
    differ.map(|(rule, a, b)| RuleChange { rule: rule.clone(), a: plain(a), b: plain(b) }).collect()
}

impl ScenarioChange {
    fn of(a: &ScenarioReport, b: &ScenarioReport) -> Self {
        let always = |report: &ScenarioReport, name: &str| {
            let found = report.always.iter().find(|always| always.property == name);
            found.map_or(Told::Open, |always| match always.verdict {
                AlwaysVerdict::Holds | AlwaysVerdict::Vacuous => Told::Holds,
                AlwaysVerdict::Violated => Told::Violated { steps: always.steps },
                AlwaysVerdict::NotViolatedWithinBounds => Told::Open,
            })
        };
        let sometimes = |report: &ScenarioReport, name: &str| match report
            .sometimes
            .iter()
            .find(|goal| goal.goal == name)
        {
            Some(goal) if goal.met => Told::Met,
            Some(_) if report.ended == Ended::Exhausted => Told::NeverMet,
            _ => Told::Open,
        };
        let properties = a.always.iter().map(|always| &always.property[..]);
        let goals = a.sometimes.iter().map(|goal| &goal.goal[..]);
        let told = properties
            .map(|name| (name, always(a, name), always(b, name)))
            .chain(goals.map(|name| (name, sometimes(a, name), sometimes(b, name))));
        let changes: Vec<Change> = told
            .filter(|(_, a, b)| a != b)
            .map(|(name, a, b)| Change { name: name.to_owned(), a, b })
            .collect();
        // A role's own invariant is no property, but it decides about the scenario too.
        let broken = |report: &ScenarioReport| report.verdict == Verdict::Violated;
        let changed = changes.iter().any(|change| change.a.contradicts(change.b)) || broken(a) != broken(b);
        let side = |report: &ScenarioReport| Side {
            verdict: report.verdict,
            ended: report.ended,
            states: report.states,
        };
        Self { scenario: a.scenario.clone(), a: side(a), b: side(b), changes, changed }
    }

    fn is_undecided(&self) -> bool {
        [&self.a, &self.b].iter().any(|side| side.verdict == Verdict::Undecided)
    }

    fn tell(&self, out: &mut String) {
        let side = |side: &Side| counted(side.states, "state");
        let _ = writeln!(out, "\n{}  (A {}, B {})", self.scenario, side(&self.a), side(&self.b));
        let violated = |told| matches!(told, Told::Violated { .. } | Told::NeverMet);
        let is_told = |change: &&Change| match (change.a, change.b) {
            (Told::Open, other) | (other, Told::Open) => violated(other),
            _ => true,
        };
        let longest = self.changes.iter().filter(is_told).map(|change| change.name.len()).max().unwrap_or(0);
        for Change { name, a, b } in self.changes.iter().filter(is_told) {
            let _ = writeln!(out, "  {name:longest$}  {} → {}", a.words(), b.words());
        }
        for which in ["A", "B"] {
            let is_open = |change: &&Change| {
                let told = if which == "A" { change.a } else { change.b };
                told == Told::Open && !is_told(change)
            };
            let names: Vec<&str> =
                self.changes.iter().filter(is_open).map(|change| &change.name[..]).collect();
            if !names.is_empty() {
                let text = format!("{which} ended without a verdict on {}", names.join(", "));
                for line in wrap(&text, TERMINAL_WIDTH - 2) {
                    let _ = writeln!(out, "  {line}");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use gatepass_core::policy::Conflict;

    use super::*;
    use crate::report::tests::run;

    #[test]
    fn what_differs_is_told() {
        let [login, expiry, crash, lost] = <[ScenarioReport; 4]>::try_from(run()).expect("there are four");
        let violated = ScenarioReport { scenario: "login".to_owned(), ..lost.clone() };
        let pairs = [
            (login.clone(), violated),
            (lost.clone(), lost),
            (expiry.clone(), expiry),
            (crash.clone(), crash),
        ];
        let loose = Policy { conflict: Conflict::RejectNew, one_session: false, ..Policy::STRICT };
        let compared = Comparison::of(("strict", &Policy::STRICT), ("loose", &loose), &pairs);
        assert_eq!(compared.exit_code(), 1);
        assert_eq!(
            compared.scenarios.iter().map(|it| it.changed).collect::<Vec<_>>(),
            [true, false, false, false]
        );
        insta::assert_snapshot!(compared.text());
    }

    #[test]
    fn the_same_is_the_same() {
        let all = run();
        let compare = |reports: &[ScenarioReport]| {
            let pairs: Vec<_> = reports.iter().map(|report| (report.clone(), report.clone())).collect();
            Comparison::of(("a", &Policy::STRICT), ("b", &Policy::STRICT), &pairs)
        };
        let one = compare(&all[..1]);
        assert!(one.rules.is_empty() && !one.changed);
        assert_eq!(one.exit_code(), 0);
        assert_eq!(compare(&all).exit_code(), 3, "a bound ended one of them");
    }

    #[test]
    fn another_way_to_the_same_violation_is_no_change() {
        let lost = run().pop().expect("the last one is violated");
        let mut longer = lost.clone();
        for always in &mut longer.always {
            always.steps = always.steps.map(|steps| steps + 5);
        }
        let compared = Comparison::of(("a", &Policy::STRICT), ("b", &Policy::STRICT), &[(lost, longer)]);
        assert!(!compared.changed && compared.text().contains("VIOLATED in 2 steps → VIOLATED in 7 steps"));
    }
}
