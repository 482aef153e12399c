//! The simulated world and the production driver are the same servers: what happens in a [`World`], choice by
//! choice, happens again in a [`Node`], with the same keys, and after every choice the same messages are on
//! their way, the same facts were noted and the roles are in the same states.

use std::{collections::VecDeque, time::Duration};

use gatepass_adapters::drive::{Node, Out, RoleId, Roles};
use gatepass_core::{
    accounts::Accounts,
    cache::Cache,
    client::Client,
    ids::{Addr, CallId, ConnId, Generation, ServerId},
    login::LoginServer,
    message::{AccountsAsk, Answer, Ask, Asker, Message, Question},
    properties::Goal,
    rcenter::RCenter,
    role::{Command, Cx, Effect, Effects, Entropy, Event, Role, Settings, Timer},
    room::RoomServer,
    text::bounded,
};
use gatepass_sim::{
    choice::Choice,
    host::{HostRole, TimerKind},
    net::{Body, LinkKind, Pick},
    scenario::{CheatName, Player, Scenario},
    setup::Setup,
    trace::Happening,
    words,
    world::{Scratch, World},
};

/// Connections of the `n`th player are named from here on, as in a world.
const CONNS_PER_PLAYER: u64 = 1_000;
/// The clock of the node stands: in this scenario only timers of players run out.
const NOW: Duration = Duration::ZERO;

/// Keys as a world's LoginServer draws them: it is the only role that draws any.
#[derive(Debug)]
struct Counter {
    node: u8,
    drawn: u32,
}

impl Entropy for Counter {
    fn bits(&mut self) -> [u8; 16] {
        self.drawn += 1;
        let mut bits = [0; 16];
        bits[0] = self.node;
        bits[12..].copy_from_slice(&self.drawn.to_be_bytes());
        bits
    }
}

/// A message on its way to or from a player: from whom, to whom, on which connection, what.
type Packet = (usize, usize, u64, Body);

/// One player's client and the timers it has armed.
struct Device {
    client: Client,
    timers: Vec<Timer>,
}

/// A node with all roles and the players around it.
struct Served {
    settings: Settings,
    node: Node<Counter>,
    accounts: Accounts,
    devices: Vec<Device>,
    packets: Vec<Packet>,
    open: Vec<ConnId>,
    facts: Vec<String>,
}

impl Served {
    /// The servers that `world` begins with, and its players and accounts as they are before anything happened.
    fn new(world: &World, settings: Settings) -> Self {
        let (mut devices, mut accounts) = (Vec::new(), Accounts::new());
        for host in world.hosts() {
            match &host.role {
                HostRole::Player(client) => {
                    devices.push(Device { client: client.clone(), timers: Vec::new() });
                }
                HostRole::Accounts(store) => accounts = store.clone(),
                _ => {}
            }
        }
        let roles = Roles {
            cache: Some(Cache::new(Generation(1), false)),
            center: Some(RCenter::new()),
            login: Some(LoginServer::new()),
            room: Some(RoomServer::new(ServerId(100), bounded("room-1").expect("short"))),
        };
        let entropy = Counter { node: u8::try_from(devices.len()).expect("few"), drawn: 0 };
        let node = Node::new(settings.clone(), roles, entropy);
        let (packets, open, facts) = (Vec::new(), Vec::new(), Vec::new());
        let mut served = Self { settings, node, accounts, devices, packets, open, facts };
        served.node.start(NOW);
        served.settle();
        served.facts.clear();
        served
    }

    const fn login(&self) -> usize {
        self.devices.len()
    }

    const fn room(&self) -> usize {
        self.devices.len() + 4
    }

    /// Lets the same thing happen as in the world.
    fn apply(&mut self, choice: Choice) {
        match choice {
            Choice::Begin(player) => self.play(player.into(), Event::Command(Command::Start)),
            Choice::Deliver(pick) => {
                self.deliver(pick);
                // The end of a connection comes to a player with what was last said on it.
                let closing = |(from, to, lane, body): &Packet| {
                    (*from, *to, *lane) == place(pick) && matches!(body, Body::Closed(_))
                };
                let next = self.packets.iter().find(|(from, to, lane, _)| (*from, *to, *lane) == place(pick));
                if usize::from(pick.to) < self.login() && next.is_some_and(closing) {
                    self.deliver(pick);
                }
            }
            Choice::Fire { node, kind, nth: 0 } => {
                let player = usize::from(node);
                let timers = &mut self.devices[player].timers;
                let at = timers.iter().position(|timer| TimerKind::of(timer) == kind).expect("it is armed");
                let timer = timers.remove(at);
                self.play(player, Event::Fired(timer));
            }
            other => panic!("{other} is not in this scenario"),
        }
    }

    fn deliver(&mut self, pick: Pick) {
        let at = self.packets.iter().position(|(from, to, lane, _)| (*from, *to, *lane) == place(pick));
        let (_, to, _, body) = self.packets.remove(at.expect("the same packets are on their way"));
        let event = body.event();
        if to < self.login() {
            self.play(to, event);
        } else {
            self.feed(if to == self.login() { RoleId::Login } else { RoleId::Room }, event);
        }
    }

    fn feed(&mut self, role: RoleId, event: Event) {
        self.node.feed(role, event, NOW);
        self.settle();
    }

    /// Steps a player's client and carries out its effects, as `client::play` does.
    fn play(&mut self, player: usize, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let mut effects = Effects::new();
            let cx = &mut Cx { settings: &self.settings, entropy: &mut Counter { node: 0, drawn: 0 } };
            let _ = self.devices[player].client.step(cx, event, &mut effects);
            for effect in effects.drain() {
                match effect {
                    Effect::Send { conn, msg } => {
                        let request = matches!(msg, Message::Request(_));
                        let to = if request { self.login() } else { self.room() };
                        // What is said to a server that has closed is not heard.
                        if request || self.open.contains(&conn) {
                            self.packets.push((player, to, conn.0, Body::Message(conn, msg)));
                        }
                    }
                    Effect::Connect { conn, .. } => {
                        self.open.push(conn);
                        let addr = Addr(player as u128 + 1);
                        self.feed(RoleId::Room, Event::Opened { conn, addr });
                        events.push_back(Event::Opened { conn, addr });
                    }
                    Effect::Arm { timer, .. } => {
                        let timers = &mut self.devices[player].timers;
                        timers.retain(|armed| *armed != timer);
                        timers.push(timer);
                    }
                    Effect::Disarm(timer) => self.devices[player].timers.retain(|armed| *armed != timer),
                    Effect::Close(conn) if self.closes(conn) => {
                        self.packets.push((player, self.room(), conn.0, Body::Closed(conn)));
                    }
                    Effect::Close(_) => {}
                    other => panic!("no client does this: {other:?}"),
                }
            }
        }
    }

    /// Closes a connection, if it is still open.
    fn closes(&mut self, conn: ConnId) -> bool {
        let was = self.open.len();
        self.open.retain(|open| *open != conn);
        self.open.len() < was
    }

    /// Carries out what leaves the node.
    fn settle(&mut self) {
        loop {
            let outs: Vec<_> = self.node.outbox().collect();
            if outs.is_empty() {
                return;
            }
            assert_eq!(self.node.check(), Ok(()));
            for out in outs {
                match out {
                    Out::Reply { conn, reply } => {
                        self.send(self.login(), conn, Body::Message(conn, Message::Reply(reply)));
                    }
                    Out::ToPlayer { conn, msg } => {
                        self.send(self.room(), conn, Body::Message(conn, Message::ToPlayer(msg)));
                    }
                    Out::Close { role: RoleId::Room, conn } => {
                        if self.closes(conn) {
                            self.send(self.room(), conn, Body::Closed(conn));
                        }
                    }
                    Out::Accounts { role, call, ask } => {
                        let answer = self.ask_accounts(role, call, ask);
                        if let Some(answer) = answer {
                            self.node.feed(role, Event::Answered { call, answer: Ok(answer) }, NOW);
                        }
                    }
                    Out::Note(fact) => self.facts.extend(words::fact(&fact)),
                    other => panic!("this node is whole: {other:?}"),
                }
            }
        }
    }

    fn ask_accounts(&mut self, role: RoleId, call: CallId, ask: AccountsAsk) -> Option<Answer> {
        let mut effects = Effects::new();
        let cx = &mut Cx { settings: &self.settings, entropy: &mut Counter { node: 0, drawn: 0 } };
        let question = Question { from: Asker(role as u64), call, ask: Ask::Accounts(ask) };
        let _ = self.accounts.step(cx, Event::Asked(question), &mut effects);
        let mut answered = None;
        for effect in effects.drain() {
            match effect {
                Effect::Answer { answer, .. } => answered = Some(answer),
                Effect::Note(fact) => self.facts.extend(words::fact(&fact)),
                other => panic!("no store does this: {other:?}"),
            }
        }
        answered
    }

    /// Puts a message to a player on its way, unless he has given the connection up.
    fn send(&mut self, from: usize, conn: ConnId, body: Body) {
        let player = usize::try_from(conn.0 / CONNS_PER_PLAYER).expect("small") - 1;
        if self.devices[player].client.listens(conn) {
            self.packets.push((from, player, conn.0, body));
        }
    }
}

fn place(pick: Pick) -> (usize, usize, u64) {
    (pick.from.into(), pick.to.into(), pick.lane.into())
}

/// Messages to and from players take time, everything else is at once, as in a process with all roles.
fn scenario(players: Vec<Player>, room_capacity: u16) -> Setup {
    let timers = [(TimerKind::Heartbeat, 3), (TimerKind::Leave, 5)].into_iter().collect();
    let slow = vec![LinkKind::PlayerLogin, LinkKind::PlayerRoom];
    let scenario =
        Scenario { name: "parity".into(), room_capacity, slow, timers, players, ..Scenario::default() };
    Setup::new(scenario).expect("it can be played")
}

fn player(account: &str) -> Player {
    Player { account: account.into(), ..Player::default() }
}

/// Plays one run in both, its choices drawn from a seed, and compares after each. What was visible, in words.
fn compare(setup: &Setup, seed: u64) -> Vec<String> {
    let mut world = World::new(setup);
    let mut served = Served::new(&world, setup.settings.clone());
    let mut scratch = Scratch::default();
    scratch.log = Some(Vec::new());
    let mut choices = Vec::new();
    let mut random = seed;
    let mut seen = Vec::new();
    loop {
        compare_states(&world, &served, &seen);
        choices.clear();
        world.choices(setup, &mut choices);
        if choices.is_empty() {
            assert_eq!(world.broken(), None);
            return seen;
        }
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let choice = choices[(random >> 33) as usize % choices.len()];
        assert!(world.apply(setup, choice, &mut scratch), "{choice} was offered");
        served.apply(choice);
        let log = scratch.log.as_mut().map(std::mem::take).unwrap_or_default();
        let told: Vec<_> = log.into_iter().filter_map(fact).collect();
        let noted = std::mem::take(&mut served.facts);
        seen.push(format!("{choice}: {told:?}"));
        assert_eq!(told, noted, "facts, after {seen:#?}");
    }
}

fn fact(happening: Happening) -> Option<String> {
    match happening {
        // That a timer ran out is in the world's log only.
        Happening::At { label, .. } if !is_timer(&label) => Some(label),
        _ => None,
    }
}

fn is_timer(label: &str) -> bool {
    [Timer::Heartbeat, Timer::Leave].iter().any(|timer| words::timer(timer) == label)
}

fn compare_states(world: &World, served: &Served, seen: &[String]) {
    // Packets of different lanes have no order.
    let by_lane = |mut packets: Vec<Packet>| {
        packets.sort_by_key(|(from, to, lane, _)| (*from, *to, *lane));
        packets
    };
    let packets: Vec<Packet> = world
        .net()
        .packets
        .iter()
        .map(|packet| {
            let packet = packet.get();
            (packet.from.into(), packet.to.into(), packet.lane.into(), packet.body.clone())
        })
        .collect();
    assert_eq!(packets, by_lane(served.packets.clone()), "messages, after {seen:#?}");
    let mut devices = served.devices.iter();
    for host in world.hosts() {
        match &host.role {
            HostRole::Player(client) => {
                assert_eq!(Some(client), devices.next().map(|device| &device.client), "after {seen:#?}");
            }
            HostRole::Cache(cache) => assert_eq!(Some(cache), served.node.cache(), "after {seen:#?}"),
            HostRole::Room(room) => assert_eq!(Some(room), served.node.room(), "after {seen:#?}"),
            HostRole::Accounts(accounts) => assert_eq!(accounts, &served.accounts, "after {seen:#?}"),
            // A node shows neither; what they do is in the messages and in the others' states.
            HostRole::Login(_) | HostRole::Center(_) => {}
        }
    }
}

fn heard(runs: &[Vec<String>], words: &str) -> bool {
    runs.iter().flatten().any(|step| step.contains(words))
}

#[test]
fn a_login_is_the_same_in_both() {
    let setup = scenario(vec![Player { heartbeats: Some(2), ..player("ann") }], 50);
    let runs: Vec<_> = (0..20).map(|seed| compare(&setup, seed)).collect();
    assert!(runs.iter().all(|run| run.len() >= 8), "{runs:#?}");
}

#[test]
fn a_takeover_is_the_same_in_both() {
    let setup = scenario(vec![player("ann"), player("ann"), player("ann")], 50);
    let runs: Vec<_> = (0..300).map(|seed| compare(&setup, seed)).collect();
    assert!(setup.is_met(Goal::LocalTakeover), "{:#?}", runs[0]);
}

#[test]
fn refusals_are_the_same_in_both() {
    let players = vec![
        Player { heartbeats: Some(0), cheat: Some(CheatName::ReplaysToken), ..player("ann") },
        Player { cheat: Some(CheatName::EmptyKey), ..player("bob") },
        Player { cheat: Some(CheatName::TalksFirst), retries: 1, ..player("cem") },
        Player { wrong_password: true, ..player("ann") },
        Player { register: true, heartbeats: Some(1), ..player("dan") },
    ];
    let setup = scenario(players, 2);
    let runs: Vec<_> = (0..200).map(|seed| compare(&setup, seed)).collect();
    assert!(setup.is_met(Goal::ReplayRefused), "{:#?}", runs[0]);
    assert!(heard(&runs, "begin 4"), "{:#?}", runs[0]);
}
