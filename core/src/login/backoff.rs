//! Pauses after failed logins, such that guessing is slow and the owner is never locked out.
//!
//! Failures are counted per (address, account) and per address, never per account alone: whoever guesses at an
//! account from elsewhere cannot make its owner wait. An address's first attempt on an account is always
//! heard, unless that address guesses at many accounts.

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::{
    ids::Addr,
    limits::BACKOFFS_MAX,
    refusal::Refusal,
    role::{Cx, Effects, Step, Timer, Why},
    text::Name,
};

/// Failures on one account before its address must pause.
const FREE_PER_ACCOUNT: u8 = 3;
/// Failures of one address, over all accounts, before it must pause: many players share an address.
const FREE_PER_ADDRESS: u8 = 32;
/// The pause stops doubling here: 2^10 times the first one.
const DOUBLINGS_MAX: u8 = 10;

/// Who failed lately.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Backoff {
    failures: BTreeMap<(Addr, Option<Name>), Failures>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Failures {
    count: u8,
    /// No attempt is heard until the timer of this entry fires.
    paused: bool,
}

impl Backoff {
    /// Whether an attempt must be refused unheard.
    pub(super) fn refuses(&self, addr: Addr, name: Option<Name>) -> Option<Refusal> {
        let addr = addr.network();
        let paused = |key| self.failures.get(&key).is_some_and(|failures: &Failures| failures.paused);
        (name.is_some() && (paused((addr, name)) || paused((addr, None)))).then_some(Refusal::TooManyAttempts)
    }

    /// Counts a failure against the address and, apart, against its attempts on this account.
    pub(super) fn failed(&mut self, cx: &Cx<'_>, addr: Addr, name: Option<Name>, out: &mut Effects) {
        let addr = addr.network();
        self.count(cx, (addr, name), FREE_PER_ACCOUNT, out);
        if name.is_some() {
            self.count(cx, (addr, None), FREE_PER_ADDRESS, out);
        }
    }

    fn count(&mut self, cx: &Cx<'_>, key: (Addr, Option<Name>), free: u8, out: &mut Effects) {
        if self.failures.len() >= BACKOFFS_MAX
            && !self.failures.contains_key(&key)
            && let Some(((addr, name), _)) = self.failures.pop_first()
        {
            out.disarm(Timer::Backoff(addr, name));
        }
        let failures = self.failures.entry(key).or_default();
        failures.count = failures.count.saturating_add(1);
        failures.paused = failures.count >= free;
        let doublings =
            if failures.paused { (failures.count - free).min(DOUBLINGS_MAX) } else { DOUBLINGS_MAX };
        out.arm(Timer::Backoff(key.0, key.1), pause(cx, doublings));
    }

    /// The account's own password was given from here: its failures from here are forgiven.
    pub(super) fn succeeded(&mut self, addr: Addr, name: Option<Name>, out: &mut Effects) {
        let key = (addr.network(), name);
        if name.is_some() && self.failures.remove(&key).is_some() {
            out.disarm(Timer::Backoff(key.0, key.1));
        }
    }

    /// The pause is over, or the failures are forgotten after a long quiet time.
    pub(super) fn fired(&mut self, cx: &Cx<'_>, addr: Addr, name: Option<Name>, out: &mut Effects) -> Step {
        let Some(failures) = self.failures.get_mut(&(addr, name)) else { return Step::Ignored(Why::Stale) };
        if failures.paused {
            failures.paused = false;
            out.arm(Timer::Backoff(addr, name), pause(cx, DOUBLINGS_MAX));
        } else {
            self.failures.remove(&(addr, name));
        }
        Step::Advanced
    }
}

fn pause(cx: &Cx<'_>, doublings: u8) -> Duration {
    cx.settings.times.backoff * (1 << doublings)
}
