//! Steps per second of the simulator on the shipped scenario `login`, one thread.

use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gatepass_sim::{
    scenario::Scenario,
    setup::Setup,
    simulate::{Plan, simulate},
};

fn run(c: &mut Criterion) {
    let scenario = Scenario::named("login").expect("it is shipped");
    let setup = Arc::new(Setup::new(scenario).expect("it can be played"));
    let plan = Plan { seeds: 200, threads: 1, ..Plan::default() };
    let first = simulate(&setup, plan, &mut |_, _| {});
    assert!(first.failure.is_none(), "{:?}", first.failure);
    println!("{} steps in {} runs, {:.0} steps a second", first.steps, first.runs, first.steps_per_second());
    let mut group = c.benchmark_group("simulate");
    group.sample_size(20);
    group.throughput(Throughput::Elements(first.steps));
    group.bench_function("login", |b| b.iter(|| simulate(&setup, plan, &mut |_, _| {}).steps));
    group.finish();
}

criterion_group!(benches, run);
criterion_main!(benches);
