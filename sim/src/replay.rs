//! Replays: a scenario and the choices that were made in it, in a file that anybody can run again.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    choice::{Choice, NotAChoice},
    eventually::unkept_at_end,
    misread::Misread,
    names::unknown,
    reductions::{Reduction, Reductions},
    scenario::{Scenario, ScenarioError, rules_of},
    setup::Setup,
    trace::{Happening, Trace, TraceStep},
    world::{Broken, Scratch, World},
};

/// A replay file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// What it leads to: a property's name, or nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub violates: Option<String>,
    /// The reductions that were off, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
    /// One choice a line, as [`Choice`] writes it.
    pub choices: Vec<String>,
    /// Where they are made.
    pub scenario: Scenario,
}

/// Why a replay file does not fit.
#[derive(Clone, Debug, PartialEq)]
pub enum ReplayError {
    /// It is not a replay file.
    Toml(Misread),
    /// Its scenario cannot be played.
    Scenario(ScenarioError),
    /// No reduction has this name.
    NoReduction(String),
    /// A line is no choice.
    Choice(NotAChoice),
    /// This choice (counted from 1) is not possible where it is made.
    Impossible(usize, Choice),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Toml(why) => write!(f, "not a replay file: {why}"),
            Self::Scenario(why) => why.fmt(f),
            Self::NoReduction(name) => {
                let names = Reduction::ALL.into_iter().map(Reduction::name);
                f.write_str(&unknown("reduction", name, names))
            }
            Self::Choice(why) => why.fmt(f),
            Self::Impossible(at, choice) => {
                write!(f, "choice {at} ({choice}) is not possible there: was it recorded with other rules?")
            }
        }
    }
}

impl std::error::Error for ReplayError {}

impl Replay {
    /// A replay of these choices.
    #[must_use]
    pub fn new(setup: &Setup, choices: &[Choice]) -> Self {
        let violates = outcome(setup, choices).map(|broken| broken.name().to_owned());
        let choices = choices.iter().map(ToString::to_string).collect();
        let mut scenario = setup.scenario.clone();
        // The policy that ran, whatever it was made from: a flaw must replay without its name.
        if let Ok(profile) = scenario.policy()
            && profile != setup.settings.policy
        {
            let (base, ran) = (rules_of(&profile), rules_of(&setup.settings.policy));
            scenario.rules.extend(ran.into_iter().filter(|(rule, value)| base.get(rule) != Some(value)));
        }
        let without = setup.reductions.missing().map(|it| it.name().to_owned()).collect();
        Self { violates, without, choices, scenario }
    }

    /// Writes it as TOML.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }

    /// Reads it from TOML.
    ///
    /// # Errors
    /// If it is not a replay file.
    pub fn from_toml(text: &str) -> Result<Self, ReplayError> {
        toml::from_str(text).map_err(|error| ReplayError::Toml(Misread::new(text, &error)))
    }

    /// Its scenario made ready, and its choices.
    ///
    /// # Errors
    /// If the scenario cannot be played or a line is no choice.
    pub fn prepare(&self) -> Result<(Arc<Setup>, Vec<Choice>), ReplayError> {
        let setup = Setup::new(self.scenario.clone()).map_err(ReplayError::Scenario)?;
        let reductions = self.without.iter().try_fold(Reductions::ALL, |all, name| {
            let one = Reduction::named(name).ok_or_else(|| ReplayError::NoReduction(name.clone()))?;
            Ok(all.without(one))
        })?;
        let choices: Result<Vec<Choice>, NotAChoice> =
            self.choices.iter().map(|line| Choice::from_str(line)).collect();
        Ok((Arc::new(setup.reduced_by(reductions)), choices.map_err(ReplayError::Choice)?))
    }

    /// Runs it and tells what happened.
    ///
    /// # Errors
    /// If it does not fit.
    pub fn run(&self) -> Result<Trace, ReplayError> {
        let (setup, choices) = self.prepare()?;
        let (trace, done) = follow(&setup, &choices);
        match choices.get(done) {
            Some(choice) => Err(ReplayError::Impossible(done + 1, *choice)),
            None => Ok(trace),
        }
    }
}

/// Tells what these choices come to. Choices that are not possible end the telling.
#[must_use]
pub fn tell(setup: &Setup, choices: &[Choice]) -> Trace {
    follow(setup, choices).0
}

fn follow(setup: &Setup, choices: &[Choice]) -> (Trace, usize) {
    let mut world = World::new(setup);
    let mut trace = Trace { nodes: setup.names.clone(), ..Trace::default() };
    let mut scratch = Scratch::default();
    let mut done = 0;
    for &choice in choices {
        scratch.log = Some(Vec::new());
        if !world.apply(setup, choice, &mut scratch) {
            break;
        }
        done += 1;
        let mut happenings = scratch.log.take().unwrap_or_default();
        if let Choice::Begin(node) = choice
            && happenings.is_empty()
        {
            happenings.push(Happening::At { node: usize::from(node), label: "begins".to_owned() });
        }
        trace.steps.push(TraceStep { choice: choice.to_string(), happenings });
    }
    let broken = broken_or_unkept(&world, setup);
    trace.violation = broken.map(|broken| (broken.name().to_owned(), broken.says().to_owned()));
    if trace.violation.is_some() {
        // What no fact broke, the last step did as a whole.
        let last = trace.steps.last().map(|step| step.happenings.len().saturating_sub(1));
        trace.broke_at = scratch.broke_at.or(last);
    }
    (trace, done)
}

/// What these choices break. Choices that are not possible are left out.
#[must_use]
pub fn outcome(setup: &Setup, choices: &[Choice]) -> Option<Broken> {
    let mut world = World::new(setup);
    let mut scratch = Scratch::default();
    for &choice in choices {
        world.apply(setup, choice, &mut scratch);
    }
    broken_or_unkept(&world, setup)
}

fn broken_or_unkept(world: &World, setup: &Setup) -> Option<Broken> {
    world.broken().or_else(|| unkept_at_end(world, setup).map(Broken::Eventually))
}
