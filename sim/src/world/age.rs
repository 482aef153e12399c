//! Signed payloads grow old: the one thing in a world that time does without a timer.
//!
//! Whoever verifies a payload compares its time with a clock. Here a payload has an age on the clock of each
//! LoginServer, which is looked at when a request arrives, and a choice lets it grow on one of them: from before its
//! window to inside, from inside to behind it. So clocks differ by as much as anybody may like.

use gatepass_core::{
    cache::Cache,
    ids::Payload,
    ledger::Evidence,
    message::{Age, Credentials, Request, RequestBody},
    text::Identity,
};

use super::*;
use crate::scenario::LOGIN_SERVERS_MAX;

/// Something that was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Signed {
    payload: Payload,
    /// For whom.
    identity: Identity,
    /// How old it is on the clock of each LoginServer.
    ages: [Age; LOGIN_SERVERS_MAX],
    /// The cache had remembered it when it lost its memory.
    forgotten: bool,
}

impl World {
    /// Somebody has signed this for somebody.
    pub(super) fn sign(&mut self, credentials: &Credentials) {
        if let Credentials::Signed { payload, identity, age, .. } = *credentials
            && let Err(at) = self.find_signed(payload)
        {
            let ages = [age; LOGIN_SERVERS_MAX];
            self.signed.edit().insert(at, Signed { payload, identity, ages, forgotten: false });
        }
    }

    fn find_signed(&self, payload: Payload) -> Result<usize, usize> {
        self.signed.get().binary_search_by_key(&payload, |signed| signed.payload)
    }

    /// A request as its verifier sees it: a payload is as old as it is by now on the clock of the verifier. Where
    /// another time was read into it, that was told before.
    pub(super) fn seen_now(&self, setup: &Setup, node: usize, event: &mut Event) {
        let Event::Received { conn, msg: Message::Request(request) } = event else { return };
        let RequestBody::Login(Credentials::Signed { payload, age, .. }) = &mut request.body else { return };
        if let Some(now) = self.age(setup, node, *payload).filter(|_| !self.attacker.get().rereads(*conn)) {
            *age = now;
        }
    }

    /// How old a payload is on the clock of this LoginServer.
    pub(super) fn age(&self, setup: &Setup, node: usize, payload: Payload) -> Option<Age> {
        let signed = self.signed.get().get(self.find_signed(payload).ok()?)?;
        signed.ages.get(setup.login_number(node)?).copied()
    }

    /// What is signed in this request, in truth.
    pub(super) fn evidence(&self, setup: &Setup, node: usize, request: &Request) -> Option<Evidence> {
        let RequestBody::Login(Credentials::Signed { payload, age, .. }) = &request.body else { return None };
        let signed = self.find_signed(*payload).ok().and_then(|at| self.signed.get().get(at));
        let age = self.age(setup, node, *payload).unwrap_or(*age);
        Some(Evidence { identity: signed.map(|signed| signed.identity), age })
    }

    /// The payloads that can still grow older.
    pub(super) fn age_choices(&self, setup: &Setup, choices: &mut Vec<Choice>) {
        if self.faults.age == 0 {
            return;
        }
        for (nth, signed) in self.signed.get().iter().enumerate() {
            for clock in 0..setup.logins().count() {
                if signed.ages[clock] != Age::Stale {
                    let nth = u8::try_from(nth).unwrap_or(u8::MAX);
                    choices.push(Choice::Age { nth, clock: clock as u16 });
                }
            }
        }
    }

    /// The window of a payload begins or ends on one clock.
    pub(super) fn grow_older(&mut self, setup: &Setup, nth: u8, clock: u16, scratch: &mut Scratch) -> bool {
        let (nth, clock) = (usize::from(nth), usize::from(clock));
        let Some(node) = setup.logins().nth(clock) else { return false };
        let Some(Signed { payload, ages, .. }) = self.signed.get().get(nth).copied() else { return false };
        let (older, what) = match ages[clock] {
            Age::Future => (Age::Fresh, "begins"),
            Age::Fresh => (Age::Stale, "ends"),
            Age::Stale => return false,
        };
        if !spend(&mut self.faults.age) {
            return false;
        }
        self.signed.edit()[nth].ages[clock] = older;
        note(scratch, node, &format!("the window of {} {what}", words::payload(payload)));
        true
    }

    /// The cache loses its memory.
    pub(super) fn forget_payloads(&mut self, cache: &Cache) {
        if self.signed.get().iter().any(|signed| cache.remembers(signed.payload)) {
            for signed in self.signed.edit() {
                signed.forgotten |= cache.remembers(signed.payload);
            }
        }
    }

    /// Whether nobody could use again what a cache had remembered when it lost its memory.
    pub(super) fn lost_payloads_are_over(&self, setup: &Setup) -> bool {
        self.signed.get().iter().all(|signed| !signed.forgotten || self.is_over(setup, signed.payload))
    }

    /// Whether nobody could use the payload any more: its window is over on every clock, and no request that came
    /// before is still worked on. Where skew is not counted, one clock is as good as all.
    pub(super) fn is_over(&self, setup: &Setup, payload: Payload) -> bool {
        let is_over = |node: usize| {
            let working = match &self.hosts[node].get().role {
                HostRole::Login(login) => login.works_on(payload),
                _ => false,
            };
            self.age(setup, node, payload) == Some(Age::Stale) && !working
        };
        if setup.settings.policy.signature_memory_counts_skew {
            setup.logins().all(is_over)
        } else {
            setup.logins().any(is_over)
        }
    }
}
