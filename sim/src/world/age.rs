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
    pub(super) payload: Payload,
    /// For whom.
    identity: Identity,
    /// How old it is on the clock of each LoginServer.
    pub(super) ages: [Age; LOGIN_SERVERS_MAX],
    /// The cache had remembered it when it lost its memory.
    pub(super) forgotten: bool,
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

    /// A request as its verifier sees it: a payload is as old as it is by now on the clock of the verifier. Where
    /// another time was read into it, that was told before.
    pub(super) fn seen_now(&self, setup: &Setup, node: usize, event: &mut Event) {
        let Event::Received { conn, msg: Message::Request(request) } = event else { return };
        let RequestBody::Login(Credentials::Signed { payload, age, .. }) = &mut request.body else { return };
        if let Some(now) = self.age(setup, node, *payload).filter(|_| !self.attacker.get().rereads(*conn)) {
            *age = now;
        }
    }

    /// What is signed in this request, in truth.
    pub(super) fn evidence(&self, setup: &Setup, node: usize, request: &Request) -> Option<Evidence> {
        let RequestBody::Login(Credentials::Signed { payload, age, .. }) = &request.body else { return None };
        let signed = self.find_signed(*payload).ok().and_then(|at| self.signed.get().get(at));
        let age = self.age(setup, node, *payload).unwrap_or(*age);
        Some(Evidence { identity: signed.map(|signed| signed.identity), age })
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
        if !self.spend(|faults| &mut faults.age) {
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
}
