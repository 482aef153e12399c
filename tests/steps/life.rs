//! One life of a role: every step is checked against the rules of `Role`.

use std::collections::BTreeSet;

use gatepass_core::{
    accounts::Accounts,
    client::{Cheat, Client, Script},
    ids::{Addr, ConnId},
    limits::{Capacity, EFFECTS_MAX},
    policy::Policy,
    role::{Cx, Effect, Effects, Entropy, Event, Role, Settings, Step, Timer},
    text::nickname,
};

use crate::{
    events::{Kind, Memory},
    values::{SECRETS, credentials, name, password, secret},
};

/// The profile that keeps every rule, and those that keep few.
pub(crate) const POLICIES: [Policy; 3] = [Policy::STRICT, Policy::MOPE, Policy::GAMECLOUD];

/// What a player may do that he should not, or nothing.
pub(crate) const CHEATS: [Option<Cheat>; 4] =
    [None, Some(Cheat::TalksFirst), Some(Cheat::EmptyKey), Some(Cheat::ReplaysToken)];

/// A player who does all that a client can.
pub(crate) fn player(draw: u64, cheat: Option<Cheat>) -> Client {
    let script = Script {
        credentials: credentials(draw),
        addr: Addr(1),
        scene: 0,
        name: nickname("ann"),
        heartbeats: Some(2),
        retries: 3,
        resumes: cheat.is_none(),
        cheat,
    };
    Client::new(script, ConnId(100))
}

/// A store that knows one account.
pub(crate) fn store() -> Accounts {
    let mut store = Accounts::new();
    store.create(name(1), None, password(1));
    store
}

/// Keys that are all different, and known when they show.
#[derive(Clone)]
struct Counter(u8);

impl Entropy for Counter {
    fn bits(&mut self) -> [u8; 16] {
        self.0 = self.0.wrapping_add(1);
        secret(self.0 | 0x80)
    }
}

/// A role, what it was told, and what it did.
pub(crate) struct Life<R> {
    pub(crate) role: R,
    pub(crate) memory: Memory,
    /// First words of facts, answers and messages it produced: how far it got.
    pub(crate) seen: BTreeSet<String>,
    kind: Kind,
    settings: Settings,
    entropy: Counter,
}

impl<R: Role> Life<R> {
    pub(crate) fn new(kind: Kind, role: R, policy: Policy) -> Self {
        let settings = Settings {
            policy,
            capacity: Capacity { room: 2, server: 5, ..Capacity::default() },
            ..Settings::default()
        };
        let (memory, seen) = (Memory::default(), BTreeSet::new());
        Self { role, memory, seen, kind, settings, entropy: Counter(0) }
    }

    pub(crate) fn strict(&self) -> bool {
        self.settings.policy == Policy::STRICT
    }

    /// Steps the role twice, from equal states, and checks what every step of every role must keep.
    pub(crate) fn step(&mut self, event: Event) -> Vec<Effect> {
        let (before, mut again) = (self.role.clone(), self.role.clone());
        let spurious = match &event {
            // A player may do what he wants when he wants.
            Event::Fired(Timer::Leave | Timer::Heartbeat) => false,
            Event::Fired(timer) => !self.memory.armed.contains(timer),
            _ => false,
        };
        let (effects, step) = act(&mut self.role, &self.settings, &mut self.entropy.clone(), event.clone());
        let (same_effects, same_step) = act(&mut again, &self.settings, &mut self.entropy, event.clone());
        let role = &self.role;
        assert!(*role == again && effects == same_effects && step == same_step, "twice the same: {event:?}");
        assert!(effects.len() <= EFFECTS_MAX);
        if matches!(step, Step::Ignored(_)) {
            assert_eq!(*role, before, "ignored, but changed: {event:?}");
            assert_eq!(effects, [], "ignored, but something follows: {event:?}");
        }
        assert!(!spurious || matches!(step, Step::Ignored(_)), "not armed, but taken: {event:?} {before:?}");
        if self.strict() {
            assert_eq!(role.check(), Ok(()), "after {event:?} in {before:?}");
        }
        let shown = format!("{event:?} {role:?} {effects:?}");
        assert!(!SECRETS.iter().any(|secret| shown.contains(secret)), "a secret shows: {shown}");
        self.memory.note(&event, &effects);
        for effect in &effects {
            self.see(effect);
            if let Effect::Close(conn) = effect {
                self.has_forgotten(*conn);
            }
        }
        effects
    }

    /// No [`Event::Lost`] follows a close, so nothing may be left that waits for one.
    fn has_forgotten(&mut self, conn: ConnId) {
        if matches!(self.kind, Kind::Room | Kind::Center) {
            let mut role = self.role.clone();
            let (_, step) = act(&mut role, &self.settings, &mut self.entropy.clone(), Event::Lost(conn));
            assert!(matches!(step, Step::Ignored(_)), "closed, but remembered: {conn}");
            let left = self.memory.armed.iter().find(|timer| ends_with(timer) == Some(conn));
            assert_eq!(left, None, "closed, but its timer is armed");
        }
    }

    fn see(&mut self, effect: &Effect) {
        let shown = format!("{effect:?}");
        let words = shown.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        self.seen.extend(words.map(String::from));
    }

    /// Every connection is lost: nothing that belongs to one may be left.
    pub(crate) fn lose_all(&mut self) {
        for conn in std::mem::take(&mut self.memory.conns) {
            self.step(Event::Lost(conn));
        }
        let left = self.memory.armed.iter().find(|timer| ends_with(timer).is_some());
        assert_eq!(left, None, "no connection, but its timer is armed");
    }

    /// Time goes on and nobody comes: every timer runs out, and at last none is armed.
    pub(crate) fn fire_all(&mut self) {
        for _ in 0..10_000 {
            let Some(timer) = self.memory.armed.pop_first() else { return };
            self.memory.armed.insert(timer);
            self.step(Event::Fired(timer));
        }
        panic!("timers without end: {:?}", self.memory.armed);
    }
}

/// The connection that a timer ends with. The late news of a session's end outlives its connection by design.
fn ends_with(timer: &Timer) -> Option<ConnId> {
    if matches!(timer, Timer::Offline(_)) { None } else { timer.conn() }
}

fn act<R: Role>(
    role: &mut R,
    settings: &Settings,
    entropy: &mut Counter,
    event: Event,
) -> (Vec<Effect>, Step) {
    let mut out = Effects::new();
    let step = role.step(&mut Cx { settings, entropy }, event, &mut out);
    (out.drain().collect(), step)
}
