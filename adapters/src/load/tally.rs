//! What came of the load: latencies of the flows that worked, reasons of those that did not.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hdrhistogram::Histogram;
use serde::Serialize;

use super::Plan;

/// Significant digits of a latency.
const DIGITS: u8 = 3;
/// The longest latency that is told apart, in microseconds: no flow takes longer.
const LONGEST_US: u64 = 60_000_000;

/// Counts flows. Shared by all players; a flow takes its lock once.
#[derive(Debug, Default)]
pub(super) struct Tally {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Microseconds.
    took: Histogram<u64>,
    failures: BTreeMap<String, u64>,
}

impl Default for Inner {
    fn default() -> Self {
        let took = Histogram::new_with_bounds(1, LONGEST_US, DIGITS).expect("these bounds are in order");
        Self { took, failures: BTreeMap::new() }
    }
}

/// The result of a load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Which connections were kept.
    pub mode: &'static str,
    /// Players at once.
    pub players: usize,
    /// Accounts in all.
    pub accounts: usize,
    /// How long was measured.
    pub seconds: f64,
    /// Flows that worked.
    pub flows: u64,
    /// Flows that worked, per second.
    pub flows_per_second: f64,
    /// Latency of a flow that worked, from the login request to the answer of the room, in microseconds:
    /// half of them took no longer.
    pub p50_us: u64,
    /// 99 of 100 took no longer.
    pub p99_us: u64,
    /// 999 of 1000 took no longer.
    pub p999_us: u64,
    /// The longest.
    pub max_us: u64,
    /// Flows that failed.
    pub errors: u64,
    /// Why, and how many of each.
    pub errors_by_reason: BTreeMap<String, u64>,
    /// Processors that the generator itself kept busy; unknown where the system does not tell.
    pub generator_cores: Option<f64>,
}

impl Tally {
    pub(super) fn flow(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.lock().took.saturating_record(micros);
    }

    pub(super) fn failure(&self, why: String) {
        *self.lock().failures.entry(why).or_default() += 1;
    }

    pub(super) fn summary(&self, plan: &Plan, measured: Duration, cpu: Option<Duration>) -> Summary {
        let inner = self.lock();
        let seconds = measured.as_secs_f64().max(f64::MIN_POSITIVE);
        let took = &inner.took;
        Summary {
            mode: plan.mode.name(),
            players: plan.players,
            accounts: plan.accounts,
            seconds,
            flows: took.len(),
            flows_per_second: took.len() as f64 / seconds,
            p50_us: took.value_at_quantile(0.5),
            p99_us: took.value_at_quantile(0.99),
            p999_us: took.value_at_quantile(0.999),
            max_us: took.max(),
            errors: inner.failures.values().sum(),
            errors_by_reason: inner.failures.clone(),
            generator_cores: cpu.map(|cpu| cpu.as_secs_f64() / seconds),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Processor time of this process so far, where the system tells it in `/proc`.
pub(super) fn cpu_time() -> Option<Duration> {
    /// Linux counts it in hundredths of a second towards programs, whatever it does inside.
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The command's name stands in parentheses and may contain anything; fields are counted after it.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<u32>);
    let (user, system) = (times.next()?.ok()?, times.next()?.ok()?);
    Some(TICK * user.saturating_add(system))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Mode;

    #[test]
    fn failures_are_counted_by_reason_and_beside_the_flows() {
        let tally = Tally::default();
        for millis in 1..=100 {
            tally.flow(Duration::from_millis(millis));
        }
        tally.failure("login: refused with 5".to_owned());
        tally.failure("login: refused with 5".to_owned());
        tally.failure("entry: timed out".to_owned());
        let plan = Plan {
            server: String::new(),
            players: 2,
            accounts: 3,
            measure: Duration::from_secs(2),
            warm_up: Duration::ZERO,
            mode: Mode::New,
            scene: 0,
            prefix: String::new(),
            password: String::new(),
            clients: crate::load::Clients::Mope,
        };
        let summary = tally.summary(&plan, Duration::from_secs(2), Some(Duration::from_secs(1)));
        assert_eq!((summary.flows, summary.errors), (100, 3));
        assert_eq!(summary.errors_by_reason["login: refused with 5"], 2);
        assert!((summary.flows_per_second - 50.0).abs() < 1e-9);
        assert!((summary.generator_cores.unwrap_or(0.0) - 0.5).abs() < 1e-9);
        assert!((49_000..=51_000).contains(&summary.p50_us), "{}", summary.p50_us);
        assert!((99_000..=101_000).contains(&summary.max_us), "{}", summary.max_us);
    }

    #[test]
    fn processor_time_grows() {
        let Some(before) = cpu_time() else { return };
        let mut n = 1_u64;
        while cpu_time().is_some_and(|now| now <= before) {
            n = std::hint::black_box(n.wrapping_mul(3));
        }
    }
}
