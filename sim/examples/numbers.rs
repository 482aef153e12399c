//! What the checker and the simulator can do on this machine, as a Markdown table:
//!
//! ```text
//! cargo run --release -p gatepass-sim --example numbers -- login retry 2pc-8 > sim/NUMBERS.md
//! ```
//!
//! Each run is a process of its own, so that one does not keep the memory of another, and each row the one of three whose
//! time is between the others. Without names it measures
//! `login`, `takeover-remote`, `retry` and two-phase commit with 8 managers.

use std::{
    error::Error, fmt::Debug, fs, hash::Hash, ops::ControlFlow, process::Command, sync::Arc, time::Instant,
};

use gatepass_sim::{
    check::Worlds,
    explorer::{Bounds, Ended, OfModel, Options, Space, search},
    scenario::Scenario,
    setup::Setup,
    simulate::{Plan, simulate},
};
use stateright::{Checker, Model};

#[allow(dead_code, reason = "tests use more of it")]
#[path = "../tests/models/two_phase.rs"]
mod two_phase;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Unless others are named.
const DEFAULT: [&str; 4] = ["login", "takeover-remote", "retry", "2pc-8"];
/// Who explores: name, argument, threads.
const ENGINES: [(&str, &str, usize); 5] = [
    ("gatepass, 1 thread", "ours", 1),
    ("gatepass, 2 threads", "ours", 2),
    ("stateright BFS, 1 thread", "bfs", 1),
    ("stateright BFS, 2 threads", "bfs", 2),
    ("stateright DFS, 1 thread", "dfs", 1),
];
/// Runs of each row.
const RUNS: usize = 3;
/// Runs of the simulated scenario.
const SEEDS: u64 = 100_000;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["explore", space, engine, threads] => {
            let (states, kept) = explore(space, engine, threads.parse()?)?;
            let (cpu, peak) = usage()?;
            println!("{states} {} {cpu} {peak}", kept.map_or_else(|| "-".to_owned(), |it| it.to_string()));
        }
        ["simulate", threads] => {
            let setup = Arc::new(Setup::new(Scenario::named("login").ok_or("not shipped")?)?);
            let plan = Plan { seeds: SEEDS, threads: threads.parse()?, ..Plan::default() };
            let summary = simulate(&setup, plan, &mut |_, _| {});
            println!("{} {} {}", summary.events, summary.logins, usage()?.0);
        }
        [] => print(&DEFAULT)?,
        ref spaces => print(spaces)?,
    }
    Ok(())
}

/// Prints the tables.
fn print(spaces: &[&str]) -> Result<(), Box<dyn Error>> {
    println!("# Numbers\n\nMeasured on {}.\n", machine());
    println!(
        "| states of | by | unique states | s | states per s | of stateright BFS on as many threads | CPU s | kept B per state | peak MiB |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|--:|--:|");
    for space in spaces {
        let rows: Result<Vec<_>, _> = ENGINES
            .iter()
            .map(|(_, engine, threads)| measure(&["explore", space, engine, &threads.to_string()]))
            .collect();
        let rows = rows?;
        for ((name, _, threads), row) in ENGINES.iter().zip(&rows) {
            let (states, cpu, peak, wall) = (row.number(0)?, row.number(2)?, row.number(3)?, row.wall);
            let kept = row.number(1).map_or_else(|_| "–".to_owned(), |kept| format!("{:.0}", kept / states));
            let is_bfs = |engine: &(&str, &str, usize)| engine.1 == "bfs" && engine.2 == *threads;
            let bfs = ENGINES.iter().position(is_bfs).map_or(wall, |at| rows[at].wall);
            println!(
                "| {space} | {name} | {states} | {wall:.2} | {:.0} | {:.1}x | {cpu:.2} | {kept} | {peak} |",
                states / wall,
                bfs / wall
            );
        }
    }
    println!(
        "\n| simulated | events | logins | s | CPU s | events per CPU s | logins per CPU s | logins/s |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    for threads in ["1", "2"] {
        let row = measure(&["simulate", threads])?;
        let (events, logins, cpu, wall) = (row.number(0)?, row.number(1)?, row.number(2)?, row.wall);
        println!(
            "| login, threads: {threads} | {events} | {logins} | {wall:.1} | {cpu:.2} | {:.0} | {:.0} | {:.0} |",
            events / cpu,
            logins / cpu,
            logins / wall
        );
    }
    Ok(())
}

/// What a row said, and how long it took.
struct Measured {
    said: Vec<String>,
    wall: f64,
}

impl Measured {
    fn number(&self, at: usize) -> Result<f64, Box<dyn Error>> {
        Ok(self.said.get(at).ok_or("a row says too little")?.parse()?)
    }
}

/// Runs this program for one row some times: the run whose time is between those of the others.
fn measure(args: &[&str]) -> Result<Measured, Box<dyn Error>> {
    let mut runs = (0..RUNS).map(|_| run(args)).collect::<Result<Vec<_>, _>>()?;
    runs.sort_by(|one, other| one.wall.total_cmp(&other.wall));
    Ok(runs.swap_remove(RUNS / 2))
}

fn run(args: &[&str]) -> Result<Measured, Box<dyn Error>> {
    let started = Instant::now();
    let output = Command::new(std::env::current_exe()?).args(args).output()?;
    if !output.status.success() {
        return Err(format!("{args:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let said = String::from_utf8(output.stdout)?.split_whitespace().map(str::to_owned).collect();
    Ok(Measured { said, wall: started.elapsed().as_secs_f64() })
}

/// Explores a space: unique states, and bytes kept of them where that is known.
fn explore(space: &str, engine: &str, threads: usize) -> Result<(u64, Option<u64>), Box<dyn Error>> {
    if space == "2pc-8" {
        let model = two_phase::TwoPhase { managers: 8 };
        return match engine {
            "bfs" | "dfs" => Ok(theirs(model, engine, threads)),
            _ => ours(&OfModel::new(model), threads),
        };
    }
    let scenario = Scenario::named(space).ok_or_else(|| format!("{space:?} is no shipped scenario"))?;
    let worlds = Worlds::new(Arc::new(Setup::new(scenario)?));
    match engine {
        "bfs" | "dfs" => Ok(theirs(worlds, engine, threads)),
        _ => ours(&worlds, threads),
    }
}

fn ours<S: Space>(space: &S, threads: usize) -> Result<(u64, Option<u64>), Box<dyn Error>> {
    let options = Options { bounds: Bounds { threads, ..Bounds::default() }, exact: false };
    let outcome = search(space, options, &mut |_, _| ControlFlow::Continue(()), &mut |_| {});
    if outcome.ended != Ended::Exhausted {
        return Err(format!("ended by {:?}", outcome.ended).into());
    }
    Ok((outcome.states, Some(outcome.kept_bytes)))
}

fn theirs<M>(model: M, engine: &str, threads: usize) -> (u64, Option<u64>)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Hash + PartialEq + Debug + Send + Sync + 'static,
    M::Action: Clone + PartialEq + Debug + Send + Sync + 'static,
{
    let checker = model.checker().threads(threads);
    let states = match engine {
        "dfs" => checker.spawn_dfs().join().unique_state_count(),
        _ => checker.spawn_bfs().join().unique_state_count(),
    };
    (states as u64, None)
}

/// CPU seconds and peak memory in MiB of this process.
fn usage() -> Result<(f64, u64), Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(')').ok_or("no name")?.1;
    let ticks: Result<Vec<f64>, _> = after_name.split_whitespace().skip(11).take(2).map(str::parse).collect();
    // Linux counts 100 a second here, whatever its own clock does.
    let cpu = ticks?.iter().sum::<f64>() / 100.0;
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no peak")?;
    let kib: u64 = peak.split_whitespace().next().ok_or("no peak")?.parse()?;
    Ok((cpu, kib / 1024))
}

/// What it is measured on, and what else the machine was doing.
fn machine() -> String {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or("unknown").to_owned();
    format!("{cpus} processors, load average {load} before the first row")
}
