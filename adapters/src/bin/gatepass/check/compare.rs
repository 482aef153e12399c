//! `gatepass check --compare`: the same scenarios by two sets of rules.

use std::{process::ExitCode, sync::Arc};

use gatepass_sim::{
    report::{ScenarioReport, compare::Comparison},
    scenario::Scenario,
    setup::Setup,
};

use super::{Args, explored};
use crate::shared::{pick::Picked, rules::Rules, say, say_json};

/// Checks every scenario twice and tells what differs.
pub(super) fn compare(args: &Args, picked: &Picked, a: &str, b: &str) -> Result<ExitCode, String> {
    let (a, b) = (Rules::named(a)?, Rules::named(b)?);
    let by = |rules: &Rules, scenario: &Scenario| {
        let setup = Setup::new(rules.applied_to(scenario))
            .map_err(|error| format!("scenario {} by {}: {error}", scenario.name, rules.name))?;
        Ok::<_, String>(ScenarioReport::new(&explored(args, &Arc::new(setup), None)?, None, None))
    };
    let both = |setup: &Arc<Setup>| Ok((by(&a, &setup.scenario)?, by(&b, &setup.scenario)?));
    let reports = picked.setups.iter().map(both).collect::<Result<Vec<_>, String>>()?;
    let compared = Comparison::of((&a.name, &a.policy()?), (&b.name, &b.policy()?), &reports);
    if args.json {
        say_json(&compared)?;
    } else {
        say(compared.text().trim_end());
    }
    Ok(ExitCode::from(compared.exit_code()))
}
