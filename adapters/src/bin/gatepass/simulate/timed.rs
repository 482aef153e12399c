//! `gatepass simulate --timed`: runs in virtual time, and what must have come to rest at their end.

use std::{process::ExitCode, time::Instant};

use gatepass_sim::{
    eventually::Eventually,
    flaws::Flaw,
    report::{InTheEnd, TimedFailure, TimedReport, grouped},
    setup::Setup,
    simulate::timed::{settles_within, simulate_timed},
};

use super::Args;
use crate::{
    FAILED,
    shared::{counterexample::Counterexample, play_crowd, progress::Line, say, say_json},
};

/// Seeds per scenario, unless others are asked for.
const SEEDS: u64 = 1_000;

pub(super) fn run(args: &Args) -> ExitCode {
    play_crowd(&args.pick, args.players.map(usize::from), |picked| {
        let timed = picked.setups.iter().map(|setup| {
            let timed = Setup::with_policy(setup.scenario.clone().timed(), setup.settings.policy);
            simulated(args, &timed, picked.flaw)
        });
        let reports = timed.collect::<Result<Vec<_>, _>>()?;
        if args.json {
            say_json(&reports)?;
        }
        Ok(ExitCode::from(if reports.iter().all(TimedReport::holds) { 0 } else { FAILED }))
    })
}

/// Runs the seeds of one scenario and, for people, prints what they came to at once.
fn simulated(args: &Args, setup: &Setup, flaw: Option<&Flaw>) -> Result<TimedReport, String> {
    let plan = args.plan(SEEDS);
    let started = Instant::now();
    let mut line = Line::new(&setup.scenario.name);
    let summary = simulate_timed(setup, plan.from_seed, plan.seeds, plan.threads, &mut |runs| {
        line.say(|| format!("{} of {} seeds", grouped(runs), grouped(plan.seeds)));
    });
    drop(line);
    let seconds = started.elapsed().as_secs_f64();
    let found = summary.broken.as_ref().map(|run| Counterexample::new(setup, &run.choices));
    let written = (found.as_ref().map(|found| found.write(&args.out)).transpose())
        .map_err(|why| format!("cannot write to {}: {why}", args.out.display()))?;
    let in_the_end = Eventually::ALL.into_iter().zip(summary.unsettled);
    let report = TimedReport {
        scenario: setup.scenario.name.clone(),
        policy: setup.scenario.policy.clone(),
        flaw: flaw.map(|flaw| flaw.name.to_owned()),
        from_seed: plan.from_seed,
        seeds: plan.seeds,
        logins: summary.logins,
        settles_within: settles_within(&setup.settings.times).as_secs_f64(),
        in_the_end: in_the_end
            .map(|(it, seed)| InTheEnd { property: it.name().to_owned(), violated_by_seed: seed })
            .collect(),
        failing: summary.failing,
        failure: (summary.broken.as_ref().zip(found.as_ref())).map(|(run, found)| TimedFailure {
            seed: run.seed,
            violation: found.violation(written.as_ref()),
        }),
    };
    if !args.json {
        say(report.table(seconds));
        if let Some(written) = written {
            say(written.text());
        }
    }
    Ok(report)
}
