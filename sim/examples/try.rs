use gatepass_sim::{check::*, flaws::*, scenario::*, setup::*};
use std::sync::Arc;
use std::time::Duration;
fn main() {
    let what = std::env::args().nth(1);
    let secs: u64 = std::env::args().nth(2).and_then(|s| s.parse().ok()).unwrap_or(60);
    let bounds = Bounds { time: Duration::from_secs(secs), ..Bounds::default() };
    let mut total = 0;
    if what.as_deref() == Some("sim") {
        let setup = Arc::new(Setup::new(Scenario::named("login").unwrap()).unwrap());
        let s = gatepass_sim::simulate::simulate(
            &setup,
            gatepass_sim::simulate::Plan { seeds: 100_000, threads: 1, ..Default::default() },
            &mut |_, _| {},
        );
        println!("{:.0} steps/s {} runs {} steps {} events", s.steps_per_second(), s.runs, s.steps, s.events);
        return;
    }
    if what.as_deref() == Some("flaws") {
        for flaw in FLAWS {
            if std::env::args().nth(3).is_some_and(|n| n != flaw.name) {
                continue;
            }
            let setup = Arc::new(Setup::with_policy(Scenario::named(flaw.scenario).unwrap(), flaw.policy()));
            let t = std::time::Instant::now();
            let v = shortest(&setup, Some(flaw.breaks), bounds, &mut |_| {});
            println!(
                "{:25} {:20} {:22} -> {:?} {:.2}s",
                flaw.name,
                flaw.scenario,
                flaw.breaks.name(),
                v.map(|v| (v.broken.name(), v.choices.len())),
                t.elapsed().as_secs_f64()
            );
        }
        return;
    }
    for s in Scenario::shipped() {
        if what.as_ref().is_some_and(|w| *w != s.name && w != "all") {
            continue;
        }
        let r = check(s, bounds, &mut |_| {}).unwrap();
        total += r.states;
        println!(
            "{:16} {:>10} states {:>11} generated depth {:>3} {:6.2}s {:>8.0}/s {:>6} MB {:?} {:?}",
            r.scenario,
            r.states,
            r.generated,
            r.depth,
            r.seconds,
            r.states_per_second(),
            r.peak_memory >> 20,
            r.ended,
            r.goals.iter().filter(|g| !g.1).collect::<Vec<_>>()
        );
        if let Some(v) = r.violation {
            println!("  VIOLATION {:?} in {} {}", v.broken, v.choices.len(), v.shortest);
            let setup = Setup::new(Scenario::named(&r.scenario).unwrap()).unwrap();
            let t = gatepass_sim::replay::tell(&setup, &v.choices);
            for (i, st) in t.steps.iter().enumerate() {
                println!("  {:2} {}", i + 1, st.choice);
                for h in &st.happenings {
                    match h {
                        gatepass_sim::trace::Happening::Message { from, to, label } => {
                            println!("       {} -> {}: {}", t.nodes[*from], t.nodes[*to], label)
                        }
                        gatepass_sim::trace::Happening::Lost { from, to, label } => {
                            println!("       {} -x {}: {}", t.nodes[*from], t.nodes[*to], label)
                        }
                        gatepass_sim::trace::Happening::At { node, label } => {
                            println!("       {}: {}", t.nodes[*node], label)
                        }
                    }
                }
            }
        }
    }
    println!("total {total}");
}
