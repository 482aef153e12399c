//! `gatepass simulate --timed`: runs in virtual time, and what must have come to rest at their end.

use std::{process::ExitCode, time::Instant};

use gatepass_sim::{
    eventually::Eventually,
    report::{duration, grouped},
    setup::Setup,
    simulate::timed::{run_timed, settles_within},
};

use super::Args;
use crate::{
    FAILED,
    shared::{counterexample::Counterexample, progress::Line, say, usage},
};

/// Seeds per scenario, unless others are asked for.
const SEEDS: u64 = 1_000;

pub(super) fn run(args: &Args) -> ExitCode {
    let picked = match args.pick.setups(args.players.map(usize::from)) {
        Ok(picked) => picked,
        Err(why) => return usage(why),
    };
    let mut failed = false;
    for setup in &picked.setups {
        let timed = Setup::with_policy(setup.scenario.clone().timed(), setup.settings.policy);
        match simulated(args, &timed) {
            Ok(holds) => failed |= !holds,
            Err(why) => return usage(why),
        }
    }
    ExitCode::from(if failed { FAILED } else { 0 })
}

/// Runs the seeds of one scenario and tells what they came to; whether nothing went wrong.
fn simulated(args: &Args, setup: &Setup) -> Result<bool, String> {
    let plan = args.plan(SEEDS);
    let name = &setup.scenario.name;
    let started = Instant::now();
    let (mut logins, mut broken, mut unsettled) = (0, None, [None; Eventually::ALL.len()]);
    let mut line = Line::new(name);
    for index in 0..plan.seeds {
        let run = run_timed(setup, plan.from_seed.wrapping_add(index));
        logins += run.logins;
        for late in &run.unsettled {
            unsettled[*late as usize].get_or_insert(run.seed);
        }
        if run.broken.is_some() {
            broken.get_or_insert(run);
        }
        line.say(|| format!("{} of {} seeds", grouped(index), grouped(plan.seeds)));
    }
    drop(line);
    let took = duration(started.elapsed().as_secs_f64());
    let (seeds, logins) = (grouped(plan.seeds), grouped(logins));
    say(format_args!("{name}: {seeds} seeds, {logins} logins in {took}"));
    let within = duration(settles_within(&setup.settings.times).as_secs_f64());
    for (late, seed) in Eventually::ALL.into_iter().zip(unsettled) {
        match seed {
            Some(seed) => say(format_args!("  {} VIOLATED {within} after faults, seed {seed}", late.name())),
            None => say(format_args!("  {} not violated", late.name())),
        }
    }
    if let Some(run) = &broken {
        let found = Counterexample::new(setup, &run.choices);
        let written = found.write(&args.out);
        let written = written.map_err(|why| format!("cannot write to {}: {why}", args.out.display()))?;
        let property = run.broken.map_or("", gatepass_sim::world::Broken::name);
        say(format_args!("  {property} VIOLATED, seed {}\n{}", run.seed, written.text()));
    }
    Ok(broken.is_none() && unsettled.iter().all(Option::is_none))
}
