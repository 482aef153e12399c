//! Whole logins through a node: no socket, no clock, no thread.

use gatepass_core::{
    accounts::Accounts,
    ids::{Generation, RoomKey, ServerId, SessionKey},
    message::{CacheAnswer, Credentials, Request, RequestBody, ToRoom},
    refusal::Refusal,
    role::Timer,
    text::{Endpoint, Password, bounded, nickname},
};

use super::*;

/// A counter: every key is a new one.
#[derive(Debug, Default)]
struct Counter(u128);

impl Entropy for Counter {
    fn bits(&mut self) -> [u8; 16] {
        self.0 += 1;
        self.0.to_be_bytes()
    }
}

/// A node with all roles, and the accounts outside.
struct World {
    node: Node<Counter>,
    accounts: Accounts,
    settings: Settings,
    entropy: Counter,
    now: Duration,
    conns: u64,
}

impl World {
    fn new() -> Self {
        let settings = Settings::default();
        let roles = Roles {
            cache: Some(Cache::new(Generation(1), false)),
            center: Some(RCenter::new()),
            login: Some(LoginServer::new()),
            room: Some(RoomServer::new(ServerId(7), Endpoint::from("127.0.0.1:9001").expect("short"))),
        };
        let node = Node::new(settings.clone(), roles, Counter::default());
        let (accounts, entropy) = (Accounts::new(), Counter(1 << 100));
        let mut world = Self { node, accounts, settings, entropy, now: Duration::ZERO, conns: 0 };
        world.node.start(world.now);
        world.settle();
        world
    }

    fn conn(&mut self) -> ConnId {
        self.conns += 1;
        ConnId(self.conns)
    }

    fn feed(&mut self, role: RoleId, event: Event) -> Vec<Out> {
        self.node.feed(role, event, self.now);
        self.settle()
    }

    /// Answers the node's questions to the accounts until it has none.
    fn settle(&mut self) -> Vec<Out> {
        let mut seen = Vec::new();
        loop {
            let out: Vec<_> = self.node.outbox().collect();
            if out.is_empty() {
                assert_eq!(self.node.check(), Ok(()));
                return seen;
            }
            for out in out {
                if let Out::Accounts { role, call, ask } = out {
                    if let Some(answer) = self.ask_accounts(call, Ask::Accounts(ask)) {
                        self.node.feed(role, Event::Answered { call, answer: Ok(answer) }, self.now);
                    }
                } else {
                    seen.push(out);
                }
            }
        }
    }

    fn ask_accounts(&mut self, call: CallId, ask: Ask) -> Option<Answer> {
        let mut effects = Effects::new();
        let cx = &mut Cx { settings: &self.settings, entropy: &mut self.entropy };
        let question = Question { from: Asker(0), call, ask };
        let _ = self.accounts.step(cx, Event::Asked(question), &mut effects);
        effects.drain().find_map(|effect| match effect {
            Effect::Answer { answer, .. } => Some(answer),
            _ => None,
        })
    }

    fn request(&mut self, body: RequestBody) -> Reply {
        let conn = self.conn();
        let msg = Message::Request(Request { addr: LOOPBACK, signed: true, body });
        let out = self.feed(RoleId::Login, Event::Received { conn, msg });
        let reply = out.into_iter().find_map(|out| match out {
            Out::Reply { conn: to, reply } if to == conn => Some(reply),
            _ => None,
        });
        reply.expect("everything that is asked is here, so the reply is too")
    }

    fn log_in(&mut self, name: &str) -> SessionKey {
        let name = bounded(name).expect("short");
        let password = Password::new("secret").expect("short");
        match self.request(RequestBody::Login(Credentials::Register { name, password })) {
            Reply::LoggedIn { session, .. } => session,
            other => panic!("not logged in: {other:?}"),
        }
    }

    fn token(&mut self, session: SessionKey) -> RoomKey {
        match self.request(RequestBody::Room { session: Some(session), scene: 1002 }) {
            Reply::Room { key, .. } => key,
            other => panic!("no room: {other:?}"),
        }
    }

    fn enter(&mut self, key: RoomKey) -> (ConnId, Vec<Out>) {
        let conn = self.conn();
        let mut out = self.feed(RoleId::Room, Event::Opened { conn, addr: LOOPBACK });
        let msg = Message::ToRoom(ToRoom::Login { name: nickname("ann"), key: Some(key) });
        out.extend(self.feed(RoleId::Room, Event::Received { conn, msg }));
        (conn, out)
    }

    fn is_linked(&self) -> bool {
        self.node.room().expect("it is here").is_linked()
    }

    /// Lets the time pass and fires what is due.
    fn pass(&mut self, time: Duration) -> Vec<Out> {
        self.now += time;
        self.node.fire(self.now, usize::MAX);
        self.settle()
    }
}

fn to_player(out: &[Out], conn: ConnId) -> Vec<&ToPlayer> {
    let to = |out| match out {
        &Out::ToPlayer { conn: to, ref msg } if to == conn => Some(msg),
        _ => None,
    };
    out.iter().filter_map(to).collect()
}

#[test]
fn a_login_goes_through_in_three_calls() {
    let mut world = World::new();
    let session = world.log_in("ann");
    let key = world.token(session);
    let (conn, out) = world.enter(key);
    assert!(matches!(to_player(&out, conn)[..], [ToPlayer::Admitted { .. }]), "{out:?}");
    assert!(world.is_linked() && world.node.room().is_some_and(|room| room.is_live(conn)));
}

#[test]
fn a_newer_login_replaces_the_older_session() {
    let mut world = World::new();
    let session = world.log_in("ann");
    let key = world.token(session);
    let (first, _) = world.enter(key);
    let session = world.log_in("ann");
    let key = world.token(session);
    let (second, out) = world.enter(key);
    assert_eq!(to_player(&out, first), [&ToPlayer::Refused(Refusal::Replaced)]);
    assert!(out.contains(&Out::Close { role: RoleId::Room, conn: first }));
    assert!(matches!(to_player(&out, second)[..], [ToPlayer::Admitted { .. }]));
}

#[test]
fn nothing_is_accepted_after_its_end_even_if_the_clock_was_late() {
    let mut world = World::new();
    let session = world.log_in("ann");
    let key = world.token(session);
    // The process was asleep: no timer has fired when the token arrives, the moment it ends.
    world.now += world.settings.times.token;
    let (conn, out) = world.enter(key);
    assert!(matches!(to_player(&out, conn)[..], [ToPlayer::Refused(_)]), "{out:?}");
    // Its lease ended in its sleep as well; with a new one, it says what is wrong with the token.
    world.pass(world.settings.times.retry);
    let (conn, out) = world.enter(key);
    assert_eq!(to_player(&out, conn), [&ToPlayer::Refused(Refusal::TokenExpired)]);
}

#[test]
fn timers_fire_in_batches_and_the_rest_waits() {
    let mut world = World::new();
    for _ in 0..10 {
        let conn = world.conn();
        world.feed(RoleId::Room, Event::Opened { conn, addr: LOOPBACK });
    }
    world.now += world.settings.times.unverified;
    assert!(world.node.fire(world.now, 1), "more are due");
    assert!(!world.node.fire(world.now, usize::MAX));
}

#[test]
fn an_rcenter_that_cuts_the_local_link_is_linked_again() {
    let mut world = World::new();
    assert!(world.is_linked());
    // A second registration on one link is never served: RCenter closes it.
    world.feed(RoleId::Room, Event::Linked);
    assert!(!world.is_linked());
    world.pass(RELINK);
    assert!(world.is_linked());
}

#[test]
fn a_service_of_another_process_is_asked_there() {
    let settings = Settings::default();
    let room = Some(RoomServer::new(ServerId(7), Endpoint::new()));
    let mut node = Node::new(settings, Roles { room, ..Roles::default() }, Counter::default());
    node.start(Duration::ZERO);
    let out: Vec<_> = node.outbox().collect();
    let [Out::Ask { role: RoleId::Room, call, ask: Ask::Cache(_) }] = out[..] else { panic!("{out:?}") };
    // Without a lease it has nothing to offer: it registers once it has one.
    node.feed(RoleId::Room, Event::Linked, Duration::ZERO);
    assert_eq!(node.outbox().count(), 0);
    let answer = Ok(Answer::Cache(CacheAnswer::Renewed { generation: Generation(1) }));
    node.feed(RoleId::Room, Event::Answered { call, answer }, Duration::ZERO);
    let out: Vec<_> = node.outbox().collect();
    assert!(matches!(out[..], [Out::ToCenter(ToCenter::Register { .. })]), "{out:?}");
}

#[test]
fn spurious_timers_mean_nothing_and_an_empty_server_is_drained_at_once() {
    let mut world = World::new();
    assert_eq!(world.feed(RoleId::Room, Event::Fired(Timer::Idle(ConnId(99)))), []);
    let out = world.feed(RoleId::Room, Event::Command(Command::Drain));
    assert!(out.contains(&Out::Note(Fact::Drained)), "{out:?}");
}
