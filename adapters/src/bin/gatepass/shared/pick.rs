//! Which scenarios are played, by which rules, with which flaw.

use std::{fs, sync::Arc};

use clap::Args;
use gatepass_core::policy::Policy;
use gatepass_sim::{
    diagram::{TERMINAL_WIDTH, wrap},
    flaws::{FLAWS, Flaw},
    scenario::{Scenario, ScenarioError},
    setup::Setup,
};

/// The options that choose what is played.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Pick {
    /// Scenario to play: a name, or a TOML file. May be given again; without it all shipped ones are played
    #[arg(long = "scenario", value_name = "NAME|FILE.toml")]
    scenarios: Vec<String>,
    /// Rules to play by, instead of those that the scenario names: strict or mope
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Leave one rule out, and see what breaks. Plays the scenario that shows it, unless one is given
    #[arg(long, value_name = "NAME")]
    flaw: Option<String>,
    /// List the shipped scenarios and exit
    #[arg(long)]
    list_scenarios: bool,
    /// List the flaws and exit
    #[arg(long)]
    list_flaws: bool,
}

/// What was chosen.
pub(crate) struct Picked {
    /// The scenarios, ready to be played.
    pub(crate) setups: Vec<Arc<Setup>>,
    /// The rule that is left out.
    pub(crate) flaw: Option<&'static Flaw>,
}

impl Pick {
    /// The list that was asked for instead of playing.
    pub(crate) fn list(&self) -> Option<String> {
        if self.list_scenarios {
            let rows = Scenario::shipped().into_iter().map(|scenario| (scenario.name, scenario.about));
            return Some(columns(rows.collect()));
        }
        self.list_flaws.then(|| {
            let about = |flaw: &Flaw| format!("{} [{} in {}]", flaw.about, flaw.breaks.name(), flaw.scenario);
            columns(FLAWS.iter().map(|flaw| (flaw.name.to_owned(), about(flaw))).collect())
        })
    }

    /// Makes ready what was chosen, with so many players if a number is given.
    pub(crate) fn setups(&self, players: Option<usize>) -> Result<Picked, String> {
        let flaw = self.flaw.as_deref().map(named_flaw).transpose()?;
        let mut scenarios = match (&self.scenarios[..], flaw) {
            ([], Some(flaw)) => vec![named_scenario(flaw.scenario)?],
            ([], None) => Scenario::shipped(),
            (names, _) => names.iter().map(|name| scenario(name)).collect::<Result<_, _>>()?,
        };
        if let Some(name) = &self.policy {
            if Policy::named(name).is_none() {
                return Err(ScenarioError::UnknownPolicy(name.clone()).to_string());
            }
            for scenario in &mut scenarios {
                scenario.policy.clone_from(name);
            }
        }
        if let Some(players) = players {
            scenarios = scenarios.into_iter().map(|scenario| scenario.crowded(players)).collect();
        }
        let setups = scenarios.into_iter().map(|scenario| setup(scenario, flaw));
        Ok(Picked { setups: setups.collect::<Result<_, _>>()?, flaw })
    }
}

fn setup(scenario: Scenario, flaw: Option<&Flaw>) -> Result<Arc<Setup>, String> {
    let name = scenario.name.clone();
    let why = |error: ScenarioError| format!("scenario {name}: {error}");
    let Some(flaw) = flaw else { return Setup::new(scenario).map(Arc::new).map_err(why) };
    scenario.validate().map_err(&why)?;
    let mut policy = scenario.policy().map_err(&why)?;
    (flaw.apply)(&mut policy);
    Ok(Arc::new(Setup::with_policy(scenario, policy)))
}

/// The scenario of this name, or the one in this file.
pub(crate) fn scenario(name: &str) -> Result<Scenario, String> {
    if !name.ends_with(".toml") {
        return named_scenario(name);
    }
    let text = fs::read_to_string(name).map_err(|error| format!("{name}: {error}"))?;
    Scenario::from_toml(&text).map_err(|error| format!("{name}: {error}"))
}

fn named_scenario(name: &str) -> Result<Scenario, String> {
    Scenario::named(name).ok_or_else(|| {
        let shipped = Scenario::shipped();
        unknown("scenario", name, shipped.iter().map(|scenario| &scenario.name[..]))
    })
}

fn named_flaw(name: &str) -> Result<&'static Flaw, String> {
    Flaw::named(name).ok_or_else(|| unknown("flaw", name, FLAWS.iter().map(|flaw| flaw.name)))
}

/// That there is no such thing, what was probably meant, and what there is.
fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let nearest = known.iter().map(|other| (distance(name, other), other)).min();
    let meant = match nearest {
        Some((steps, other)) if steps <= name.len() / 3 + 1 => format!("; did you mean {other}?"),
        _ => String::new(),
    };
    let list = wrap(&known.join(", "), TERMINAL_WIDTH - 2).join("\n  ");
    format!("there is no {what} {name:?}{meant}\nThere are:\n  {list}")
}

/// Letters to put in, take out or change to get from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, b) in to.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

fn columns(rows: Vec<(String, String)>) -> String {
    let longest = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for (name, about) in rows {
        let mut name = &name[..];
        for line in wrap(&about, TERMINAL_WIDTH.saturating_sub(longest + 2).max(30)) {
            lines.push(format!("{name:longest$}  {line}"));
            name = "";
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_is_noticed() {
        let known = || ["takeover-local", "takeover-remote"].into_iter();
        assert!(unknown("scenario", "takover-remote", known()).contains("did you mean takeover-remote?"));
        let far = unknown("scenario", "x", known());
        assert!(!far.contains("did you mean") && far.contains("takeover-local, takeover-remote"), "{far}");
    }

    #[test]
    fn distances() {
        let cases = [("", "", 0), ("abc", "", 3), ("", "ab", 2), ("kick", "kicks", 1), ("lost", "list", 1)];
        for (from, to, expected) in cases {
            assert_eq!(distance(from, to), expected, "{from:?} {to:?}");
        }
    }

    #[test]
    fn every_flaw_is_ready_by_its_name_alone() {
        for flaw in FLAWS {
            let pick = Pick { flaw: Some(flaw.name.to_owned()), ..Pick::default() };
            let picked = pick.setups(None).expect("flaws name shipped scenarios");
            assert_eq!(picked.setups.len(), 1);
            assert_ne!(picked.setups[0].settings.policy, Policy::STRICT, "{}", flaw.name);
        }
    }
}
