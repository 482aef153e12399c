//! Lives of roles: two bytes are an event, and every step keeps the rules of `Role`.

use gatepass_core::{
    cache::Cache,
    ids::{Generation, ServerId},
    login::LoginServer,
    rcenter::RCenter,
    role::{Command, Event, Role},
    room::RoomServer,
};

use crate::{
    events::{Draw, Kind},
    life::{CHEATS, Life, POLICIES, player, store},
    values::{SERVER, endpoint},
};

/// Events of the longest life.
const EVENTS_MAX: usize = 400;

/// Lives a life: the first byte says by which rules and of which role, the others what happens to it.
fn live<R: Role>(kind: Kind, bytes: &[u8], first: impl FnOnce(u8) -> R) -> Option<Life<R>> {
    let (&how, events) = bytes.split_first()?;
    let mut life = Life::new(kind, first(how >> 1), POLICIES[usize::from(how & 1)]);
    life.step(Event::Command(Command::Start));
    for pair in events.chunks_exact(2).take(EVENTS_MAX) {
        // Numbers that differ in one bit stand for events that differ altogether: a mutation exchanges one.
        let draw = u64::from(u16::from_le_bytes([pair[0], pair[1]]));
        let event = life.memory.event(kind, &mut Draw(draw));
        life.step(event);
    }
    Some(life)
}

pub(super) fn accounts(bytes: &[u8]) {
    live(Kind::Accounts, bytes, |_| store());
}

pub(super) fn cache(bytes: &[u8]) {
    let life = live(Kind::Cache, bytes, |how| Cache::new(Generation(1), how & 1 == 1));
    if let Some(mut life) = life
        && life.strict()
    {
        life.fire_all();
        assert_eq!(life.role.sizes(), (0, 0, 0), "everything ends");
    }
}

pub(super) fn client(bytes: &[u8]) {
    live(Kind::Client, bytes, |how| player((how >> 2).into(), CHEATS[usize::from(how & 3)]));
}

pub(super) fn login(bytes: &[u8]) {
    if let Some(mut life) = live(Kind::Login, bytes, |_| LoginServer::new()) {
        life.lose_all();
        assert_eq!(life.role.pending(), 0);
        life.fire_all();
    }
}

pub(super) fn rcenter(bytes: &[u8]) {
    if let Some(mut life) = live(Kind::Center, bytes, |_| RCenter::new()) {
        life.lose_all();
        life.fire_all();
        assert_eq!(life.role.sizes(), (0, 0));
    }
}

pub(super) fn room(bytes: &[u8]) {
    let first = |_| RoomServer::new(ServerId(SERVER), endpoint(1));
    if let Some(mut life) = live(Kind::Room, bytes, first) {
        life.lose_all();
        assert_eq!(life.role.sizes(), (0, 0));
        assert_eq!(life.role.rooms().count(), 0);
    }
}
