//! A whole login and logout through all roles, in memory: how fast the protocol itself is. The allocations are
//! printed.

#[path = "../tests/support/mod.rs"]
mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use support::Town;

fn handshake(c: &mut Criterion) {
    for others in [0, 1_000] {
        let mut town = Town::new(others + 1);
        for n in 2..=others + 1 {
            let mut player = town.player(n);
            town.enter(&mut player);
        }
        let mut round = || {
            let mut player = town.player(1);
            town.enter(&mut player);
            town.leave(&mut player);
            town.steps
        };
        let (first, second) = (round(), round());
        let measured = allocation_counter::measure(|| {
            for _ in 0..1_000 {
                round();
            }
        });
        println!(
            "among {others} others: {} steps and {} allocations a login, the player's own name included",
            second - first,
            measured.count_total as f64 / 1_000.0
        );
        c.bench_function(&format!("login and logout among {others} others"), |b| b.iter(&mut round));
    }
}

criterion_group!(benches, handshake);
criterion_main!(benches);
