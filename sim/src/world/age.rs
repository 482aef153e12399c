//! Signed payloads grow old: the one thing in a world that time does without a timer.
//!
//! Whoever verifies a payload compares its time with a clock. Here a payload has an age, which is looked at when a
//! request arrives, and a choice lets it grow: from before its window to inside, from inside to behind it.

use gatepass_core::{
    ids::Payload,
    message::{Age, Credentials, RequestBody},
};

use super::*;

impl World {
    /// Somebody says that he has signed this.
    pub(super) fn signed(&mut self, msg: &Message) {
        let Some((payload, age)) = signature(msg) else { return };
        if let Err(at) = self.windows.get().binary_search_by_key(&payload, |(known, _)| *known) {
            self.windows.edit().insert(at, (payload, age));
        }
    }

    /// A request as its verifier sees it: a payload is as old as it is by now.
    pub(super) fn seen_now(&self, event: &mut Event) {
        if let Event::Received { msg: Message::Request(request), .. } = event
            && let RequestBody::Login(Credentials::Signed { payload, age, .. }) = &mut request.body
        {
            *age = self.age(*payload).unwrap_or(*age);
        }
    }

    fn age(&self, payload: Payload) -> Option<Age> {
        let windows = self.windows.get();
        windows.binary_search_by_key(&payload, |(known, _)| *known).ok().map(|at| windows[at].1)
    }

    /// The payloads that can still grow older.
    pub(super) fn age_choices(&self, choices: &mut Vec<Choice>) {
        if self.faults.age == 0 {
            return;
        }
        for (nth, (_, age)) in self.windows.get().iter().enumerate() {
            if *age != Age::Stale {
                choices.push(Choice::Age(u8::try_from(nth).unwrap_or(u8::MAX)));
            }
        }
    }

    /// The window of a payload begins or ends.
    pub(super) fn grow_older(&mut self, setup: &Setup, nth: u8, scratch: &mut Scratch) -> bool {
        let Some((payload, age)) = self.windows.get().get(usize::from(nth)).copied() else { return false };
        let (older, what) = match age {
            Age::Future => (Age::Fresh, "begins"),
            Age::Fresh => (Age::Stale, "ends"),
            Age::Stale => return false,
        };
        if !spend(&mut self.faults.age) {
            return false;
        }
        self.windows.edit()[usize::from(nth)].1 = older;
        note(scratch, setup.login(), &format!("the window of {} {what}", words::payload(payload)));
        true
    }

    /// Whether nobody could use the payload any more: its window is over, and no request that came before is
    /// still worked on.
    pub(super) fn is_over(&self, setup: &Setup, payload: Payload) -> bool {
        let working = match &self.hosts[setup.login()].get().role {
            HostRole::Login(login) => login.works_on(payload),
            _ => false,
        };
        self.age(payload) == Some(Age::Stale) && !working
    }
}

const fn signature(msg: &Message) -> Option<(Payload, Age)> {
    match msg {
        Message::Request(request) => match &request.body {
            RequestBody::Login(Credentials::Signed { payload, age, .. }) => Some((*payload, *age)),
            _ => None,
        },
        _ => None,
    }
}
