//! The attacker: what he knows, and what he can do with it.
//!
//! He reads every message on a plain link at the moment it is sent, keeps the secrets in it, and sends what he can
//! build from them: somebody else's login, a stolen session, a stolen token. He opens connections and says nothing,
//! or the wrong thing. Where a scenario says so, he also sends datagrams, and frames to RCenter without the key that its
//! links ask for. Of what is signed for him he chooses a part, and reads into it what he likes. He guesses
//! nothing: a key that he has not seen he does not have. Delaying, dropping and repeating other people's messages are
//! faults of the network, with budgets of their own.

use std::fmt;

use gatepass_core::{
    ids::{ConnId, RoomKey, SessionKey},
    message::{Credentials, Message, Reply, RequestBody, ToRoom},
};

use crate::setup::Setup;

/// Something the attacker does. Numbers are places in what he knows, in order; rooms are nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attack {
    /// Logs in with credentials he knows.
    Login {
        /// Whose.
        who: u8,
        /// At which LoginServer.
        at: u8,
    },
    /// Logs in with something signed that he knows, and reads other members into it.
    Recast {
        /// The credentials.
        who: u8,
        /// For whom it is said to be signed.
        account: u8,
        /// It is said to have been signed at another time: whenever he likes.
        moved: bool,
    },
    /// Logs in as somebody by his name, and shows nothing for it.
    Claim(u8),
    /// Asks for a room on a session he knows.
    Ask(u8),
    /// Connects to a RoomServer and logs in with a token he knows.
    Enter {
        /// The token.
        token: u8,
        /// The RoomServer.
        room: u16,
    },
    /// Connects to a RoomServer and logs in with the empty key.
    Empty(u16),
    /// Connects to a RoomServer and logs in with a key that nobody issued.
    Forge(u16),
    /// Connects to a RoomServer and stays silent.
    Hold(u16),
    /// Connects to a RoomServer and sends frames of the game.
    Talk(u16),
    /// Logs in once more on his newest connection, with a key that nobody issued.
    Insist,
    /// Asks for the datagrams of the session that a token he knows has led to, from his own address.
    Bind {
        /// The token.
        token: u8,
        /// The RoomServer.
        room: u16,
    },
    /// Links to RCenter as a RoomServer would, and registers with a wrong key.
    Register,
    /// Links to RCenter, and has the owner kick an account without having registered.
    Kick,
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Login { who, at: 0 } => write!(f, "login {who}"),
            Self::Login { who, at } => write!(f, "login {who} +{at}"),
            Self::Recast { who, account, moved: false } => write!(f, "recast {who} {account}"),
            Self::Recast { who, account, moved: true } => write!(f, "recast {who} {account} moved"),
            Self::Claim(account) => write!(f, "claim {account}"),
            Self::Ask(session) => write!(f, "ask {session}"),
            Self::Enter { token, room } => write!(f, "enter {token} {room}"),
            Self::Empty(room) => write!(f, "empty {room}"),
            Self::Forge(room) => write!(f, "forge {room}"),
            Self::Hold(room) => write!(f, "hold {room}"),
            Self::Talk(room) => write!(f, "talk {room}"),
            Self::Insist => f.write_str("insist"),
            Self::Bind { token, room } => write!(f, "bind {token} {room}"),
            Self::Register => f.write_str("register"),
            Self::Kick => f.write_str("kick"),
        }
    }
}

impl Attack {
    /// Reads what [`fmt::Display`] writes.
    pub(crate) fn parse<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        let verb = words.next()?;
        let mut room = None;
        if let "empty" | "forge" | "hold" | "talk" = verb {
            room = Some(words.next()?.parse().ok()?);
        }
        let mut place = || words.next()?.parse().ok();
        Some(match verb {
            "login" => {
                let (who, at) = (place()?, words.next());
                Self::Login { who, at: at.map_or(Some(0), |at| at.strip_prefix('+')?.parse().ok())? }
            }
            "recast" => {
                let (who, account) = (place()?, place()?);
                let moved = match words.next() {
                    None => false,
                    Some("moved") => true,
                    Some(_) => return None,
                };
                Self::Recast { who, account, moved }
            }
            "claim" => Self::Claim(place()?),
            "ask" => Self::Ask(place()?),
            "enter" => Self::Enter { token: place()?, room: words.next()?.parse().ok()? },
            "empty" => Self::Empty(room?),
            "forge" => Self::Forge(room?),
            "hold" => Self::Hold(room?),
            "talk" => Self::Talk(room?),
            "insist" => Self::Insist,
            "bind" => Self::Bind { token: place()?, room: words.next()?.parse().ok()? },
            "register" => Self::Register,
            "kick" => Self::Kick,
            _ => return None,
        })
    }
}

/// What the attacker knows and has left to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Attacker {
    /// How many times he may still do something.
    pub(crate) moves: u8,
    /// Connections he has opened.
    pub(crate) conns: u16,
    own: Option<Credentials>,
    /// Sorted, so that it does not matter what he learned first.
    credentials: Vec<Credentials>,
    sessions: Vec<SessionKey>,
    tokens: Vec<RoomKey>,
    /// Connections on which he used somebody else's credentials.
    replays: Vec<ConnId>,
    /// Connections on which he came with something signed that he has read other members into.
    recasts: Vec<ConnId>,
}

impl Attacker {
    /// Somebody who knows only his own account.
    pub(crate) fn new(moves: u8, own: Option<Credentials>) -> Self {
        Self { moves, credentials: own.iter().cloned().collect(), own, ..Self::default() }
    }

    /// Whether hearing this message would tell him anything.
    pub(crate) fn learns(&self, msg: &Message) -> bool {
        match Secret::in_message(msg) {
            Some(Secret::Credentials(it)) => !self.credentials.contains(it),
            Some(Secret::Session(it)) => self.sessions.binary_search(&it).is_err(),
            Some(Secret::Token(it)) => self.tokens.binary_search(&it).is_err(),
            None => false,
        }
    }

    /// Takes the secrets out of a message that he heard or got.
    pub(crate) fn learn(&mut self, msg: &Message) {
        match Secret::in_message(msg) {
            Some(Secret::Credentials(it)) if !self.credentials.contains(it) => {
                self.credentials.push(it.clone());
                self.credentials.sort_by_key(crate::shared::fingerprint);
            }
            Some(Secret::Session(it)) => insert(&mut self.sessions, it),
            Some(Secret::Token(it)) => insert(&mut self.tokens, it),
            _ => {}
        }
    }

    /// Everything he can do now. `connected`: one of his connections is open.
    pub(crate) fn attacks(&self, setup: &Setup, connected: bool) -> Vec<Attack> {
        if self.moves == 0 {
            return Vec::new();
        }
        let places = |list: usize| 0..u8::try_from(list).unwrap_or(u8::MAX);
        let mut attacks = Vec::new();
        for at in 0..setup.scenario.login_servers {
            attacks.extend(places(self.credentials.len()).map(|who| Attack::Login { who, at }));
        }
        for (account, identity) in places(usize::MAX).zip(setup.vouched_for()) {
            for (who, known) in places(usize::MAX).zip(&self.credentials) {
                let Credentials::Signed { identity: own, .. } = known else { continue };
                let as_it_is = own == identity;
                let readings = [false, true].into_iter().filter(|moved| *moved || !as_it_is);
                attacks.extend(readings.map(|moved| Attack::Recast { who, account, moved }));
            }
            attacks.push(Attack::Claim(account));
        }
        attacks.extend(places(self.sessions.len()).map(Attack::Ask));
        for room in setup.rooms().map(|room| room as u16) {
            attacks.extend(places(self.tokens.len()).map(|token| Attack::Enter { token, room }));
            attacks.extend([
                Attack::Empty(room),
                Attack::Forge(room),
                Attack::Hold(room),
                Attack::Talk(room),
            ]);
        }
        if connected {
            attacks.push(Attack::Insist);
        }
        if setup.scenario.attacker.as_ref().is_some_and(|plan| plan.frames) {
            for room in setup.rooms().map(|room| room as u16) {
                attacks.extend(places(self.tokens.len()).map(|token| Attack::Bind { token, room }));
            }
            attacks.extend([Attack::Register, Attack::Kick]);
        }
        attacks
    }

    pub(crate) fn credentials(&self, at: u8) -> Option<(&Credentials, bool)> {
        let known = self.credentials.get(usize::from(at))?;
        Some((known, self.own.as_ref() == Some(known)))
    }

    pub(crate) fn session(&self, at: u8) -> Option<SessionKey> {
        self.sessions.get(usize::from(at)).copied()
    }

    pub(crate) fn token(&self, at: u8) -> Option<RoomKey> {
        self.tokens.get(usize::from(at)).copied()
    }

    /// Notes that he asks on this connection with what somebody else signed.
    pub(crate) fn replays(&mut self, conn: ConnId) {
        self.replays.push(conn);
    }

    /// Notes that what he says on this connection is not what was signed.
    pub(crate) fn recasts(&mut self, conn: ConnId) {
        self.recasts.push(conn);
    }

    /// Whether he has read other members into what he said on this connection.
    pub(crate) fn rereads(&self, conn: ConnId) -> bool {
        self.recasts.contains(&conn)
    }

    /// Notes that he has been answered on this connection: whatever he said there was looked at.
    pub(crate) fn answered(&mut self, conn: ConnId) {
        self.recasts.retain(|own| *own != conn);
    }

    /// Whether this answer says that what somebody else signed was accepted from him.
    pub(crate) fn was_accepted(&self, conn: ConnId, reply: &Reply) -> bool {
        matches!(reply, Reply::LoggedIn { .. }) && self.replays.contains(&conn)
    }
}

/// A key that nobody issued.
pub(crate) const fn forged() -> RoomKey {
    RoomKey::new([0xee; 16])
}

enum Secret<'a> {
    Credentials(&'a Credentials),
    Session(SessionKey),
    Token(RoomKey),
}

impl<'a> Secret<'a> {
    fn in_message(msg: &'a Message) -> Option<Self> {
        match msg {
            Message::Request(request) => match &request.body {
                RequestBody::Login(credentials) => Some(Self::Credentials(credentials)),
                RequestBody::Room { session, .. } | RequestBody::Session { session } => {
                    session.map(Self::Session)
                }
                RequestBody::Bad(_) => None,
            },
            Message::Reply(Reply::LoggedIn { session, .. }) => Some(Self::Session(*session)),
            Message::Reply(Reply::Room { key, .. }) => Some(Self::Token(*key)),
            Message::ToRoom(ToRoom::Login { key, .. } | ToRoom::Bind { key, .. }) => key.map(Self::Token),
            _ => None,
        }
    }
}

fn insert<T: Ord>(sorted: &mut Vec<T>, item: T) {
    if let Err(at) = sorted.binary_search(&item) {
        sorted.insert(at, item);
    }
}
