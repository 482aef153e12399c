//! `gatepass simulate`: many runs of a scenario, each drawn from its seed.

mod hunt;
mod timed;

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use gatepass_sim::{
    coverage::Coverage,
    flaws::Flaw,
    report::{Failure, Reached, SeedsReport, grouped},
    scenario::PLAYERS_MAX,
    setup::Setup,
    simulate::{Plan, Scheduler, Summary, simulate},
};

use crate::{
    FAILED,
    shared::{
        all_threads, counterexample::Counterexample, pick::Pick, play_crowd, progress::Line, say, say_json,
    },
};

const EXAMPLES: &str = "\
Examples:
  gatepass simulate                                    10,000 seeds of every shipped scenario
  gatepass simulate --scenario login --seeds 1000000
  gatepass simulate --flaw no-capacity                 whether seeds find a left-out rule
  gatepass simulate --flaws                            how soon they find each of them
  gatepass simulate --scenario lost-kick --seed 4711   one run again, the same as ever
  gatepass simulate --scenario login --players 2000 --seeds 10
  gatepass simulate --coverage                         which events roles met in which phases
  gatepass simulate --timed                            with clocks, and what must come true in the end

Exit code: 0 if no run violates a property; 1 if one does, or if --flaws misses one; 2 for a mistake on the
command line.";

/// Simulate scenarios: one run a seed, every choice drawn from it
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pick: Pick,
    /// Look for every flaw in its scenario, and tell how many seeds that takes
    #[arg(long, conflicts_with_all = ["scenarios", "policy", "flaw", "seed", "players"])]
    flaws: bool,
    /// Keep the time: messages take some, timers run out when they should, faults end, and then everything must
    /// come to rest
    #[arg(long, conflicts_with_all = ["flaws", "scheduler", "steps"])]
    timed: bool,
    /// How many seeds to run [default: 10000; with --flaws at most 1000000 each, with --timed 1000]
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,
    /// The first seed
    #[arg(long, value_name = "SEED", default_value_t = Plan::default().from_seed)]
    from_seed: u64,
    /// Run this seed alone
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "from_seed"])]
    seed: Option<u64>,
    /// How seeds draw the choices of their runs
    #[arg(long, value_name = "NAME", default_value = "mix", value_parser = scheduler())]
    scheduler: Scheduler,
    /// Play with so many players, up to 10000: the scenario's own again and again, each time with accounts of
    /// their own
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=PLAYERS_MAX as i64))]
    players: Option<u16>,
    /// Tell which events roles met in which of their phases
    #[arg(long, conflicts_with_all = ["flaws", "timed"])]
    coverage: bool,
    /// Most choices in one run [default: 2000, or 100 per player if that is more]
    #[arg(long, value_name = "N")]
    steps: Option<u32>,
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

/// Schedulers by their names.
fn scheduler() -> impl TypedValueParser<Value = Scheduler> {
    PossibleValuesParser::new(Scheduler::ALL.map(Scheduler::name))
        .map(|name| Scheduler::named(&name).unwrap_or_default())
}

impl Args {
    fn usual_steps(&self) -> u32 {
        Plan::default().steps.max(100 * self.players.map_or(0, u32::from))
    }

    fn plan(&self, seeds: u64) -> Plan {
        Plan {
            from_seed: self.seed.unwrap_or(self.from_seed),
            seeds: if self.seed.is_some() { 1 } else { self.seeds.unwrap_or(seeds) },
            steps: self.steps.unwrap_or_else(|| self.usual_steps()),
            threads: self.threads.map_or_else(all_threads, usize::from),
            scheduler: self.scheduler,
            coverage: self.coverage,
            wanted: None,
        }
    }
}

pub(crate) fn run(args: &Args) -> ExitCode {
    if args.flaws {
        return hunt::run(args);
    }
    if args.timed {
        return timed::run(args);
    }
    play_crowd(&args.pick, args.players.map(usize::from), |picked| {
        let mut coverage = Coverage::default();
        let run = picked.setups.iter().map(|setup| simulated(args, setup, picked.flaw, &mut coverage));
        let reports = run.collect::<Result<Vec<_>, _>>()?;
        if args.coverage && !args.json {
            say(coverage.table());
        }
        if args.json {
            say_json(&reports)?;
        }
        let failed = reports.iter().any(|report| report.failing > 0);
        Ok(ExitCode::from(if failed { FAILED } else { 0 }))
    })
}

/// Runs the seeds of one scenario and, for people, prints what they found at once.
fn simulated(
    args: &Args,
    setup: &Arc<Setup>,
    flaw: Option<&Flaw>,
    coverage: &mut Coverage,
) -> Result<SeedsReport, String> {
    let plan = args.plan(Plan::default().seeds);
    let mut line = Line::new(&setup.scenario.name);
    let summary = simulate(setup, plan, &mut |runs, steps| {
        line.say(|| format!("{} of {} seeds, {} steps", grouped(runs), grouped(plan.seeds), grouped(steps)));
    });
    drop(line);
    coverage.join(&summary.coverage);
    let found = summary.failure.as_ref().map(|failure| Counterexample::new(setup, &failure.choices));
    let written = found
        .as_ref()
        .map(|found| found.write(&args.out))
        .transpose()
        .map_err(|error| format!("cannot write to {}: {error}", args.out.display()))?;
    let failure = summary.failure.as_ref().zip(found.as_ref()).map(|(failure, found)| Failure {
        seed: failure.seed,
        reproduce: reproduce(args, setup, flaw, failure.seed),
        choices_before: failure.found_in,
        choices_needed: failure.needed,
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
        scheduler: plan.scheduler,
        from_seed: plan.from_seed,
        seeds: summary.runs,
        steps: summary.steps,
        events: summary.events,
        logins: summary.logins,
        seconds: summary.seconds,
        steps_per_second: summary.steps_per_second(),
        goals: summary
            .goals
            .iter()
            .map(|(goal, seeds)| Reached { goal: goal.name().to_owned(), seeds: *seeds })
            .collect(),
        coverage: summary.coverage.entries(),
        failing: summary.failing,
        failure,
    }
}

/// The command that makes one run again: whatever decides about it is part of the command.
fn reproduce(args: &Args, setup: &Setup, flaw: Option<&Flaw>, seed: u64) -> String {
    let flaw = flaw.map_or(String::new(), |flaw| format!(" --flaw {}", flaw.name));
    let (scenario, policy) = (&setup.scenario.name, &setup.scenario.policy);
    let scheduler = match args.scheduler {
        Scheduler::Mix => String::new(),
        other => format!(" --scheduler {}", other.name()),
    };
    let players = args.players.map_or(String::new(), |players| format!(" --players {players}"));
    let steps = args.steps.map_or(String::new(), |steps| format!(" --steps {steps}"));
    format!(
        "gatepass simulate --scenario {scenario} --policy {policy}{flaw}{scheduler}{players}{steps} --seed {seed}"
    )
}
