//! Which scenarios are played, by which rules, with which flaw.

use std::{fs, sync::Arc};

use clap::Args;
use gatepass_core::policy::Policy;
use gatepass_sim::{
    catalog::Shelf,
    diagram::{TERMINAL_WIDTH, wrap},
    flaws::{FLAWS, Flaw},
    names::unknown,
    reductions::Reductions,
    scenario::{Scenario, ScenarioError},
    setup::Setup,
};

/// The options that choose what is played.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Pick {
    /// Scenario to play: a name, or a TOML file. May be given again; without it all shipped ones are played
    #[arg(long = "scenario", value_name = "NAME|FILE.toml")]
    scenarios: Vec<String>,
    /// Play all shipped scenarios, those that take minutes too
    #[arg(long, conflicts_with_all = ["scenarios", "flaw"])]
    all: bool,
    /// Rules to play by, instead of those that the scenario names: strict, mope, gtarcade or gamecloud
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
    /// What explorations leave out.
    #[arg(skip)]
    reductions: Reductions,
}

/// What was chosen.
pub(crate) struct Picked {
    /// The scenarios, ready to be played.
    pub(crate) setups: Vec<Arc<Setup>>,
    /// The rule that is left out.
    pub(crate) flaw: Option<&'static Flaw>,
}

impl Pick {
    /// The same, explored with these reductions.
    pub(crate) fn reduced_by(&self, reductions: Reductions) -> Self {
        Self { reductions, ..self.clone() }
    }

    /// The list that was asked for instead of playing.
    pub(crate) fn list(&self) -> Option<String> {
        if self.list_scenarios {
            let all = Shelf::ALL.into_iter().flat_map(Shelf::scenarios);
            return Some(columns(all.map(|scenario| (scenario.name, scenario.about)).collect()));
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
            ([], None) if self.all => {
                Scenario::shipped().into_iter().chain(Shelf::Large.scenarios()).collect()
            }
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
        let setups = scenarios.into_iter().map(|scenario| setup(scenario, flaw, self.reductions));
        Ok(Picked { setups: setups.collect::<Result<_, _>>()?, flaw })
    }
}

fn setup(scenario: Scenario, flaw: Option<&Flaw>, reductions: Reductions) -> Result<Arc<Setup>, String> {
    let ready = |setup: Setup| Arc::new(setup.reduced_by(reductions));
    let name = scenario.name.clone();
    let why = |error: ScenarioError| format!("scenario {name}: {error}");
    let setup = match flaw {
        Some(flaw) => flaw.setup_in(scenario),
        None => Setup::new(scenario),
    };
    setup.map(ready).map_err(why)
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
        let all: Vec<_> = Shelf::ALL.into_iter().flat_map(Shelf::scenarios).collect();
        unknown("scenario", name, all.iter().map(|scenario| &scenario.name[..]))
    })
}

fn named_flaw(name: &str) -> Result<&'static Flaw, String> {
    Flaw::named(name).ok_or_else(|| unknown("flaw", name, FLAWS.iter().map(|flaw| flaw.name)))
}

pub(crate) fn columns(rows: Vec<(String, String)>) -> String {
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
    fn every_flaw_is_ready_by_its_name_alone() {
        for flaw in FLAWS {
            let pick = Pick { flaw: Some(flaw.name.to_owned()), ..Pick::default() };
            let picked = pick.setups(None).expect("flaws name shipped scenarios");
            assert_eq!(picked.setups.len(), 1);
            assert_ne!(picked.setups[0].settings.policy, Policy::STRICT, "{}", flaw.name);
        }
    }
}
