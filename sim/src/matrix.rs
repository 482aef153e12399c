//! The table of everything: by which rules, under which faults and attacks, which property holds.
//!
//! Each row is one scenario by one set of rules. A violation ends the worlds behind it, so it could hide others: a
//! row is explored again without the properties that are known to break, until nothing breaks any more.

use std::sync::Arc;

use gatepass_core::properties::Property;

use crate::{
    catalog::Shelf,
    check::{Ended, Progress, Verdict, explore},
    choice::Choice,
    explorer::Bounds,
    flaws::FLAWS,
    replay::Replay,
    report::matrix::{Cell, Matrix, Outcome, Row},
    scenario::Scenario,
    setup::Setup,
    weaknesses::WEAKNESSES,
    world::Broken,
};

/// The original systems, and whether only scenarios are played by their rules in which somebody is vouched for: the
/// others would show what `mope` shows.
const ORIGINALS: [(&str, bool); 3] = [("mope", false), ("gtarcade", true), ("gamecloud", true)];

/// States after which a row of an original system ends, at the end of a level: most of its worlds are open-ended,
/// since nothing is ever refused. Those in which somebody is vouched for end by themselves, and get ten times as many.
const STATES_MAX: u64 = 100_000;

/// One row to be.
#[derive(Debug)]
pub struct Subject {
    /// What it has in common with its neighbours.
    pub group: &'static str,
    /// Its name.
    pub name: String,
    /// How files about it are called, in front of the property.
    file: String,
    /// The scenario by its rules, ready to be explored; which properties are watched is for the row to say.
    setup: Setup,
    /// The properties that are looked at; none: all.
    watch: Vec<Property>,
}

/// A way to a violation.
#[derive(Debug)]
pub struct Trace {
    /// Its file's name, without an ending.
    pub name: String,
    /// Replays it.
    pub replay: Replay,
    /// Where it happens.
    pub setup: Arc<Setup>,
    /// The choices that lead there.
    pub choices: Vec<Choice>,
}

/// Every row of the table.
///
/// # Panics
/// If a shipped scenario cannot be played: a test plays them all.
#[must_use]
pub fn subjects() -> Vec<Subject> {
    let ready = |scenario: &Scenario| {
        let policy = scenario.policy().expect("shipped scenarios name policies");
        Setup::with_policy(scenario.clone(), policy)
    };
    let by = |policy: &str, scenario: &Scenario| format!("{policy}-{}", scenario.name);
    let mut subjects = Vec::new();
    for scenario in Scenario::shipped() {
        let (name, watch) = (scenario.name.clone(), scenario.watch.clone());
        let file = by("strict", &scenario);
        subjects.push(Subject { group: "strict", name, file, setup: ready(&scenario), watch });
    }
    for scenario in Shelf::Limits.scenarios() {
        let (name, watch) = (scenario.name.clone(), scenario.watch.clone());
        subjects.push(Subject {
            group: "strict, beyond what it promises",
            file: name.clone(),
            name,
            setup: ready(&scenario),
            watch,
        });
    }
    for flaw in FLAWS {
        let name = format!("{} ({})", flaw.name, flaw.scenario);
        let (file, watch) = (flaw.name.to_owned(), vec![flaw.breaks]);
        subjects.push(Subject { group: "strict without a rule", name, file, setup: flaw.setup(), watch });
    }
    for weakness in WEAKNESSES {
        let scenario = Scenario::named(weakness.scenario).expect("weaknesses name shipped scenarios");
        let name = format!("{} ({})", weakness.id, weakness.scenario);
        let group = match &scenario.policy[..] {
            "gtarcade" => "gtarcade, weakness by weakness",
            "gamecloud" => "gamecloud, weakness by weakness",
            _ => "mope, weakness by weakness",
        };
        let (file, watch) = (scenario.name.clone(), scenario.watch.clone());
        subjects.push(Subject { group, name, file, setup: ready(&scenario), watch });
    }
    for (original, vouched_for) in ORIGINALS {
        let played =
            |scenario: &Scenario| !vouched_for || scenario.players.iter().any(|player| player.signed);
        for mut scenario in Scenario::shipped().into_iter().filter(played) {
            scenario.policy = original.to_owned();
            let (name, watch) = (scenario.name.clone(), scenario.watch.clone());
            let file = by(original, &scenario);
            subjects.push(Subject { group: original, name, file, setup: ready(&scenario), watch });
        }
    }
    subjects
}

impl Subject {
    /// Whether it is played by all the rules of an original system.
    #[must_use]
    pub fn is_original(&self) -> bool {
        ORIGINALS.iter().any(|(original, _)| *original == self.group)
    }

    /// States after which the row ends, at the end of a level.
    #[must_use]
    pub fn states_max(&self) -> u64 {
        let ends = self.setup.scenario.players.iter().any(|player| player.signed);
        match (self.is_original(), ends) {
            (true, false) => STATES_MAX,
            (true, true) => 10 * STATES_MAX,
            (false, _) => u64::MAX,
        }
    }

    /// Explores the row: a cell for each property, and a way to each violation.
    pub fn explore(&self, bounds: Bounds, progress: &mut dyn FnMut(Progress)) -> (Vec<Cell>, Vec<Trace>) {
        let claimed = |property: &Property| self.watch.is_empty() || self.watch.contains(property);
        let mut watch: Vec<Property> = Property::ALL.into_iter().filter(claimed).collect();
        let mut cells: Vec<Cell> =
            Property::ALL.iter().map(|_| Cell { outcome: Outcome::NotClaimed, states: None }).collect();
        let mut traces = Vec::new();
        while !watch.is_empty() {
            let mut scenario = self.setup.scenario.clone();
            scenario.watch.clone_from(&watch);
            let setup = Arc::new(Setup::with_policy(scenario, self.setup.settings.policy));
            let wanted = if let [only] = watch[..] { Some(only) } else { None };
            let report = explore(&setup, wanted, bounds, progress);
            for violation in &report.violations {
                let Broken::Property(property) = violation.broken else { continue };
                let name = format!("{}-{}", self.file, property.name());
                let steps = violation.choices.len() as u64;
                let trace = Some(format!("traces/{name}.replay.toml"));
                cells[property as usize] =
                    Cell { outcome: Outcome::Violated { steps, trace }, states: Some(report.states) };
                watch.retain(|other| *other != property);
                let replay = Replay::new(&setup, &violation.choices);
                let choices = violation.choices.clone();
                traces.push(Trace { name, replay, setup: Arc::clone(&setup), choices });
            }
            let broken = |it: &&crate::check::Violation| matches!(it.broken, Broken::Property(_));
            if report.ended == Ended::Violated && report.violations.iter().any(|it| broken(&it)) {
                continue;
            }
            for (property, verdict) in report.properties {
                if !watch.contains(&property) {
                    continue;
                }
                let outcome = match verdict {
                    Verdict::Holds => Outcome::Holds,
                    Verdict::Vacuous => Outcome::NotReachable,
                    Verdict::Violated | Verdict::NotViolatedWithinBounds => Outcome::OutOfBounds,
                };
                cells[property as usize] = Cell { outcome, states: Some(report.states) };
            }
            break;
        }
        (cells, traces)
    }
}

/// The table of these rows.
#[must_use]
pub fn table(rows: Vec<(&Subject, Vec<Cell>)>) -> Matrix {
    let (subjects, cells): (Vec<&Subject>, Vec<Vec<Cell>>) = rows.into_iter().unzip();
    Matrix {
        title: "What holds, by which rules, under which faults and attacks".to_owned(),
        corner: "scenario".to_owned(),
        rows: subjects
            .iter()
            .map(|subject| Row { group: subject.group.to_owned(), name: subject.name.clone() })
            .collect(),
        columns: Property::ALL.iter().map(|property| property.name().to_owned()).collect(),
        cells,
    }
}
