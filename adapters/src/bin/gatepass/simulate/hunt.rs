//! `gatepass simulate --flaws`: how soon runs find each rule that is left out.

use std::{process::ExitCode, sync::Arc, time::Instant};

use gatepass_sim::{
    flaws::{FLAWS, Flaw},
    report::{Found, HuntReport, Hunted, grouped},
    simulate::{Plan, simulate},
};

use super::{Args, reproduce};
use crate::{
    FAILED,
    shared::{progress::Line, say, say_json, usage},
};

/// Seeds that a flaw is given at most: many times what the rarest needs.
const SEEDS: u64 = 1_000_000;

pub(super) fn run(args: &Args) -> ExitCode {
    let plan = args.plan(SEEDS);
    let started = Instant::now();
    let flaws = FLAWS.iter().map(|flaw| hunted(args, flaw, plan)).collect::<Result<_, _>>();
    let flaws = match flaws {
        Ok(flaws) => flaws,
        Err(why) => return usage(why),
    };
    let (scheduler, from_seed, seeds) = (plan.scheduler, plan.from_seed, plan.seeds);
    let seconds = started.elapsed().as_secs_f64();
    let report = HuntReport { scheduler, from_seed, seeds, seconds, flaws };
    if args.json {
        if let Err(why) = say_json(&report) {
            return usage(why);
        }
    } else {
        say(report.table().trim_end());
    }
    ExitCode::from(if report.found_all() { 0 } else { FAILED })
}

fn hunted(args: &Args, flaw: &Flaw, plan: Plan) -> Result<Hunted, String> {
    let setup = Arc::new(flaw.setup());
    let plan = Plan { wanted: Some(flaw.breaks), ..plan };
    let mut line = Line::new(flaw.name);
    let summary = simulate(&setup, plan, &mut |runs, _| {
        line.say(|| format!("{} of {} seeds", grouped(runs), grouped(plan.seeds)));
    });
    let found = summary.failure.map(|failure| Found {
        seed: failure.seed,
        seeds: failure.seed.wrapping_sub(plan.from_seed).wrapping_add(1),
        choices: failure.found_in,
        needed: failure.needed,
        shortest: failure.choices.len(),
        reproduce: reproduce(args, &setup, Some(flaw), failure.seed),
    });
    Ok(Hunted {
        flaw: flaw.name.to_owned(),
        property: flaw.breaks.name().to_owned(),
        scenario: flaw.scenario.to_owned(),
        found,
    })
}
