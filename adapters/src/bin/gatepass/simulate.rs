//! `gatepass simulate`: many runs of a scenario, each drawn from its seed.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use gatepass_sim::{
    flaws::Flaw,
    report::{Failure, Reached, SeedsReport, grouped},
    setup::Setup,
    simulate::{Plan, Summary, simulate},
};

use crate::{
    FAILED,
    shared::{all_threads, counterexample::Counterexample, pick::Pick, play, progress::Line, say, say_json},
};

const EXAMPLES: &str = "\
Examples:
  gatepass simulate                                    10,000 seeds of every shipped scenario
  gatepass simulate --scenario login --seeds 1000000
  gatepass simulate --flaw no-capacity                 how soon seeds find a left-out rule
  gatepass simulate --scenario lost-kick --seed 4711   one run again, the same as ever

Exit code: 0 if no run violates a property; 1 if one does; 2 for a mistake on the command line.";

/// Simulate scenarios: one run a seed, every choice drawn from it
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pick: Pick,
    /// How many seeds to run
    #[arg(long, value_name = "N", default_value_t = Plan::default().seeds)]
    seeds: u64,
    /// The first seed
    #[arg(long, value_name = "SEED", default_value_t = Plan::default().from_seed)]
    from_seed: u64,
    /// Run this seed alone
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "from_seed"])]
    seed: Option<u64>,
    /// Most choices in one run
    #[arg(long, value_name = "N", default_value_t = Plan::default().steps)]
    steps: u32,
    /// Threads [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Directory for what is written about a violation
    #[arg(long, value_name = "DIR", default_value = "gatepass-out")]
    out: PathBuf,
    /// Print the result as one JSON array
    #[arg(long)]
    json: bool,
}

impl Args {
    fn plan(&self) -> Plan {
        Plan {
            from_seed: self.seed.unwrap_or(self.from_seed),
            seeds: if self.seed.is_some() { 1 } else { self.seeds },
            steps: self.steps,
            threads: self.threads.map_or_else(all_threads, usize::from),
        }
    }
}

pub(crate) fn run(args: &Args) -> ExitCode {
    play(&args.pick, |picked| {
        let run = picked.setups.iter().map(|setup| simulated(args, setup, picked.flaw));
        let reports = run.collect::<Result<Vec<_>, _>>()?;
        if args.json {
            say_json(&reports)?;
        }
        let failed = reports.iter().any(|report| report.failing > 0);
        Ok(ExitCode::from(if failed { FAILED } else { 0 }))
    })
}

/// Runs the seeds of one scenario and, for people, prints what they found at once.
fn simulated(args: &Args, setup: &Arc<Setup>, flaw: Option<&Flaw>) -> Result<SeedsReport, String> {
    let plan = args.plan();
    let mut line = Line::new(&setup.scenario.name);
    let summary = simulate(setup, plan, &mut |runs, steps| {
        line.say(|| format!("{} of {} seeds, {} steps", grouped(runs), grouped(plan.seeds), grouped(steps)));
    });
    drop(line);
    let found = summary.failure.as_ref().map(|failure| Counterexample::new(setup, &failure.choices));
    let written = found
        .as_ref()
        .map(|found| found.write(&args.out))
        .transpose()
        .map_err(|error| format!("cannot write to {}: {error}", args.out.display()))?;
    let failure = summary.failure.as_ref().zip(found.as_ref()).map(|(failure, found)| Failure {
        seed: failure.seed,
        reproduce: reproduce(setup, flaw, failure.seed),
        choices_before: failure.found_in,
        violation: found.violation(written.as_ref()),
    });
    let report = report(setup, flaw, plan, &summary, failure);
    if !args.json {
        say(report.table());
        if let (Some(found), Some(written)) = (found, written) {
            say(found.text());
            say(written.text());
        }
    }
    Ok(report)
}

fn report(
    setup: &Setup,
    flaw: Option<&Flaw>,
    plan: Plan,
    summary: &Summary,
    failure: Option<Failure>,
) -> SeedsReport {
    SeedsReport {
        scenario: setup.scenario.name.clone(),
        policy: setup.scenario.policy.clone(),
        flaw: flaw.map(|flaw| flaw.name.to_owned()),
        from_seed: plan.from_seed,
        seeds: summary.runs,
        steps: summary.steps,
        seconds: summary.seconds,
        steps_per_second: summary.steps_per_second(),
        goals: summary
            .goals
            .iter()
            .map(|(goal, seeds)| Reached { goal: goal.name().to_owned(), seeds: *seeds })
            .collect(),
        failing: summary.failing,
        failure,
    }
}

fn reproduce(setup: &Setup, flaw: Option<&Flaw>, seed: u64) -> String {
    let flaw = flaw.map_or(String::new(), |flaw| format!(" --flaw {}", flaw.name));
    let (scenario, policy) = (&setup.scenario.name, &setup.scenario.policy);
    format!("gatepass simulate --scenario {scenario} --policy {policy}{flaw} --seed {seed}")
}
