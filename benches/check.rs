//! States per second of the exhaustive check, on one scenario of its own that nothing else changes.

use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gatepass_sim::{
    check::{Bounds, Ended, explore},
    scenario::Scenario,
    setup::Setup,
};

const STATES: u64 = 50_000;

fn check(c: &mut Criterion) {
    let scenario = Scenario::from_toml(include_str!("scenario.toml")).expect("it reads");
    let setup = Arc::new(Setup::new(scenario).expect("it can be played"));
    let mut group = c.benchmark_group("check");
    group.sample_size(10);
    for threads in [1, 2] {
        let bounds = Bounds { threads, states: STATES, ..Bounds::default() };
        let first = explore(&setup, None, bounds, &mut |_| {});
        assert!(matches!(first.ended, Ended::Exhausted | Ended::StateBound), "{:?}", first.violations);
        println!("{threads} threads: {} states, {:.0} a second", first.states, first.states_per_second());
        group.throughput(Throughput::Elements(first.states));
        group.bench_function(format!("{threads} threads"), |b| {
            b.iter(|| explore(&setup, None, bounds, &mut |_| {}).states);
        });
    }
    group.finish();
}

criterion_group!(benches, check);
criterion_main!(benches);
