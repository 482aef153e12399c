//! All roles of one deployment in memory, with links that take no time: whole logins without a network.

use std::collections::VecDeque;

use gatepass_core::{
    accounts::Accounts,
    cache::Cache,
    client::{Client, Outcome, Script},
    ids::{Addr, ConnId, Generation, ServerId},
    login::LoginServer,
    message::{Ask, Asker, Credentials, Message, Question},
    rcenter::RCenter,
    role::{Command, Cx, Effect, Effects, Entropy, Event, Role, Settings, Timer},
    room::RoomServer,
    text::{Name, Password, bounded, nickname},
};

/// Where an event goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Client,
    Login,
    Accounts,
    Cache,
    Center,
    Room,
}

pub(crate) const LINK: ConnId = ConnId(u64::MAX);

#[derive(Default)]
pub(crate) struct Numbers(u64);

impl Entropy for Numbers {
    fn bits(&mut self) -> [u8; 16] {
        // splitmix64: keys lie in the tables where random ones would.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
        (u128::from(x) << 64 | u128::from(self.0)).to_be_bytes()
    }
}

/// One deployment, and the player who is logging in.
pub(crate) struct Town {
    pub(crate) login: LoginServer,
    pub(crate) accounts: Accounts,
    pub(crate) cache: Cache,
    pub(crate) center: RCenter,
    pub(crate) room: RoomServer,
    /// Steps of all roles so far.
    pub(crate) steps: u64,
    settings: Settings,
    entropy: Numbers,
    out: Effects,
    queue: VecDeque<(Node, Event)>,
    /// Tokens that were issued: they are spent, and end later than their logins.
    tokens: VecDeque<Timer>,
    conns: u64,
}

impl Town {
    /// A town whose RoomServer has a lease and is registered, with this many accounts.
    pub(crate) fn new(accounts: u64) -> Self {
        let mut store = Accounts::new();
        for n in 1..=accounts {
            store.create(name(n), None, password()).expect("names differ");
        }
        let mut settings = Settings::default();
        settings.capacity.server = 1_000_000;
        let mut town = Self {
            login: LoginServer::new(),
            accounts: store,
            cache: Cache::new(Generation(1), false),
            center: RCenter::new(),
            room: RoomServer::new(ServerId(7), bounded("room:1").expect("short")),
            steps: 0,
            settings,
            entropy: Numbers::default(),
            out: Effects::new(),
            queue: VecDeque::with_capacity(64),
            tokens: VecDeque::with_capacity(64),
            conns: 0,
        };
        let mut nobody = town.player(1);
        town.queue.push_back((Node::Room, Event::Command(Command::Start)));
        town.queue.push_back((Node::Center, Event::Opened { conn: LINK, addr: Addr(1) }));
        town.queue.push_back((Node::Room, Event::Linked));
        town.run(&mut nobody);
        assert!(town.room.is_linked());
        town
    }

    /// A player of this account.
    pub(crate) fn player(&mut self, account: u64) -> Client {
        let script = Script {
            credentials: Credentials::Password { name: name(account), password: password() },
            addr: Addr(u128::from(account)),
            scene: 1,
            name: nickname("nick"),
            heartbeats: None,
            retries: 0,
            resumes: false,
            cheat: None,
        };
        self.conns += 10;
        Client::new(script, ConnId(self.conns))
    }

    /// Login, room request, entry.
    pub(crate) fn enter(&mut self, player: &mut Client) {
        self.queue.push_back((Node::Client, Event::Command(Command::Start)));
        self.run(player);
        assert_eq!(player.outcome(), Outcome::Live);
    }

    /// Logout; then time passes until the login's token is forgotten.
    pub(crate) fn leave(&mut self, player: &mut Client) {
        self.queue.push_back((Node::Client, Event::Command(Command::Leave)));
        self.run(player);
        assert_eq!(player.outcome(), Outcome::LoggedOut);
        while let Some(timer) = self.tokens.pop_front() {
            self.queue.push_back((Node::Cache, Event::Fired(timer)));
        }
        self.run(player);
    }

    fn run(&mut self, player: &mut Client) {
        while let Some((node, event)) = self.queue.pop_front() {
            self.steps += 1;
            let cx = &mut Cx { settings: &self.settings, entropy: &mut self.entropy };
            let out = &mut self.out;
            let _ = match node {
                Node::Client => player.step(cx, event, out),
                Node::Login => self.login.step(cx, event, out),
                Node::Accounts => self.accounts.step(cx, event, out),
                Node::Cache => self.cache.step(cx, event, out),
                Node::Center => self.center.step(cx, event, out),
                Node::Room => self.room.step(cx, event, out),
            };
            let Self { out, queue, tokens, .. } = self;
            for effect in out.drain() {
                perform(node, effect, queue, tokens);
            }
        }
    }
}

fn perform(node: Node, effect: Effect, queue: &mut VecDeque<(Node, Event)>, tokens: &mut VecDeque<Timer>) {
    match effect {
        Effect::Send { conn, msg } => queue.push_back(match &msg {
            Message::Request(_) => (Node::Login, Event::Received { conn, msg }),
            Message::ToRoom(_) => (Node::Room, Event::Received { conn, msg }),
            Message::ToServer(_) => (Node::Room, Event::FromCenter(msg)),
            _ => (Node::Client, Event::Received { conn, msg }),
        }),
        Effect::ToCenter(msg) => queue.push_back((Node::Center, Event::Received { conn: LINK, msg })),
        Effect::Ask { call, ask } => {
            let to = match &ask {
                Ask::Cache(_) => Node::Cache,
                Ask::Accounts(_) => Node::Accounts,
                Ask::Center(_) => Node::Center,
            };
            queue.push_back((to, Event::Asked(Question { from: Asker(node as u64), call, ask })));
        }
        Effect::Answer { to, call, answer } => {
            let to = if to == Asker(Node::Login as u64) { Node::Login } else { Node::Room };
            queue.push_back((to, Event::Answered { call, answer: Ok(answer) }));
        }
        Effect::Connect { conn, .. } => {
            queue.push_back((Node::Room, Event::Opened { conn, addr: Addr(1) }));
            queue.push_back((Node::Client, Event::Opened { conn, addr: Addr(1) }));
        }
        Effect::Close(conn) if node == Node::Client => queue.push_back((Node::Room, Event::Lost(conn))),
        Effect::Arm { timer: timer @ Timer::TokenEnd(_), .. } if !tokens.contains(&timer) => {
            tokens.push_back(timer);
        }
        _ => {}
    }
}

fn name(n: u64) -> Name {
    bounded(&format!("account-{n}")).expect("short")
}

fn password() -> Password {
    Password::new("a password").expect("short")
}
