//! One step of each role, in the middle of a server's life: 1000 players are in their rooms.

#[path = "../tests/support/mod.rs"]
mod support;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use gatepass_core::{
    ids::{AccountId, Addr, CallId, ConnId, Generation, Ordinal, RoomId, SessionKey},
    message::{
        AccountsAsk, Ask, Asker, CacheAsk, CenterAsk, Message, Question, Request, RequestBody, ToCenter,
        ToPlayer, ToRoom,
    },
    role::{Cx, Effects, Event, Role, Settings},
    text::nickname,
};
use support::{LINK, Numbers, Town};

fn step<R: Role>(c: &mut Criterion, name: &str, role: &R, events: &[Event]) {
    let settings = Settings::default();
    let mut entropy = Numbers::default();
    let mut out = Effects::new();
    c.bench_function(name, |b| {
        // The role is put back after each batch, so that it does not grow.
        b.iter_batched_ref(
            || (role.clone(), events.to_vec()),
            |(role, events)| {
                for event in events.drain(..) {
                    let mut cx = Cx { settings: &settings, entropy: &mut entropy };
                    let _ = std::hint::black_box(role.step(&mut cx, event, &mut out));
                    out.drain();
                }
            },
            BatchSize::LargeInput,
        );
    });
}

fn asked(ask: Ask) -> Event {
    Event::Asked(Question { from: Asker(1), call: CallId { conn: ConnId(1), number: 1 }, ask })
}

fn steps(c: &mut Criterion) {
    let mut town = Town::new(1_002);
    for n in 1..=1_000 {
        let mut player = town.player(n);
        town.enter(&mut player);
    }
    let mut gone = town.player(1_002);
    town.enter(&mut gone);
    town.leave(&mut gone);
    let conn = town.room.live().next().expect("players are live").0;
    let mut newcomer = town.player(1_001);
    town.enter(&mut newcomer);

    let account = AccountId(1_001);
    let session = SessionKey::new([9; 16]);
    let request =
        Request { addr: Addr(9), signed: true, body: RequestBody::Room { session: Some(session), scene: 1 } };
    let msg = Message::Request(request);
    step(c, "login: a room request", &town.login, &[Event::Received { conn: ConnId(1), msg }]);
    step(c, "accounts: a profile", &town.accounts, &[asked(Ask::Accounts(AccountsAsk::Profile { account }))]);
    let open = asked(Ask::Cache(CacheAsk::OpenSession { account, key: session, payload: None }));
    step(c, "cache: a session opens", &town.cache, &[open]);
    let (server, version) = town.cache.owner(account).expect("it is in a room");
    let release = asked(Ask::Cache(CacheAsk::Release { account, server, version }));
    let seq = Ordinal { generation: Generation(1), count: 1 };
    let held = Box::from([(account, seq)]);
    let back = CacheAsk::Reassert { server, generation: Generation(1), held };
    step(c, "cache: an account is released and claimed", &town.cache, &[release, asked(Ask::Cache(back))]);
    let place = asked(Ask::Center(CenterAsk::Place { account: AccountId(5_000), scene: 1 }));
    let msg = Message::ToCenter(ToCenter::Room { room: RoomId(1), players: 49, joined: None });
    step(c, "rcenter: a room reports", &town.center, &[Event::Received { conn: LINK, msg }]);
    step(c, "rcenter: a place", &town.center, &[place]);
    let msg = Message::ToRoom(ToRoom::Heartbeat);
    step(c, "room: a heartbeat", &town.room, &[Event::Received { conn, msg }]);
    let msg = Message::ToRoom(ToRoom::Logout);
    step(c, "room: a logout", &town.room, &[Event::Received { conn, msg }]);
    let conn = ConnId(10);
    let admitted = ToPlayer::Admitted { account, room: RoomId(1), name: nickname("nick") };
    let msg = Message::ToPlayer(admitted);
    step(c, "client: a message too late", &newcomer, &[Event::Received { conn, msg }]);
}

criterion_group!(benches, steps);
criterion_main!(benches);
