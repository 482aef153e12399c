//! The client as a role: one player's way through login, room request, entry, play and logout.
//!
//! It is what drives the scripted player of the command line, and what the players of a simulated world are.

use crate::{
    ids::{AccountId, Addr, ConnId, Payload, RoomId, RoomKey, SessionKey},
    message::{Credentials, Message, Reply, Request, RequestBody, ToPlayer, ToRoom},
    refusal::Refusal,
    role::{Command, Cx, Effect, Effects, Event, Role, Step, Timer, Why},
    text::{Endpoint, Nickname},
};

/// What a player wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Script {
    /// Who he says he is.
    pub credentials: Credentials,
    /// His network address.
    pub addr: Addr,
    /// The map he wants.
    pub scene: u32,
    /// Nickname in the room.
    pub name: Nickname,
    /// Heartbeats he sends before he leaves the room by himself; none: he stays.
    pub heartbeats: Option<u16>,
    /// How often he tries again after a lost answer or a refusal that may pass.
    pub retries: u8,
    /// When he loses his connection to a room he first comes back with the same token.
    pub resumes: bool,
    /// What he does that an honest player does not.
    pub cheat: Option<Cheat>,
}

/// A misbehaviour, so that a server's checks are tested with the real client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cheat {
    /// Sends frames before it has logged in.
    TalksFirst,
    /// Enters with the empty key.
    EmptyKey,
    /// Connects again, after it logged out, with the token it has spent.
    ReplaysToken,
    /// Logs in again, after it logged out, with the token it has spent and on the same connection.
    LogsInAgain,
    /// After a refusal, says on the same connection that it logs in with a key it has made up.
    AnyKeyAgain,
    /// Takes its token to this server instead of the one it leads to.
    GoesTo(Endpoint),
}

/// One player.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    script: Script,
    /// First name for his connections; he counts on from it.
    first_conn: u64,
    conns: u64,
    retries: u8,
    beats: u16,
    account: Option<AccountId>,
    session: Option<SessionKey>,
    place: Option<(Endpoint, RoomKey, RoomId)>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Idle,
    LoggingIn(ConnId),
    AskingRoom(ConnId),
    Connecting(ConnId),
    Entering(ConnId),
    Live(ConnId),
    Leaving(ConnId),
    Done(Outcome),
}

/// Where a player's attempt ended, or stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// On his way.
    Underway,
    /// In the room.
    Live,
    /// Left the room by himself.
    LoggedOut,
    /// A newer login took his place, and he was told.
    Replaced,
    /// Refused for good.
    Refused(Refusal),
    /// Gave up: too many answers were lost.
    GaveUp,
}

impl Client {
    /// A player who has not begun. His connections are named from `first_conn` on.
    #[must_use]
    pub const fn new(script: Script, first_conn: ConnId) -> Self {
        Self {
            script,
            first_conn: first_conn.0,
            conns: 0,
            retries: 0,
            beats: 0,
            account: None,
            session: None,
            place: None,
            phase: Phase::Idle,
        }
    }

    /// Where he stands.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match self.phase {
            Phase::Done(outcome) => outcome,
            Phase::Live(_) | Phase::Leaving(_) => Outcome::Live,
            _ => Outcome::Underway,
        }
    }

    /// The account he was told is his.
    #[must_use]
    pub const fn account(&self) -> Option<AccountId> {
        self.account
    }

    /// The room he was sent to.
    #[must_use]
    pub const fn place(&self) -> Option<(Endpoint, RoomId)> {
        match self.place {
            Some((endpoint, _, room)) => Some((endpoint, room)),
            None => None,
        }
    }

    /// The connection he is at.
    #[must_use]
    pub const fn conn(&self) -> Option<ConnId> {
        match self.phase {
            Phase::Idle | Phase::Done(_) => None,
            Phase::LoggingIn(own)
            | Phase::AskingRoom(own)
            | Phase::Connecting(own)
            | Phase::Entering(own)
            | Phase::Live(own)
            | Phase::Leaving(own) => Some(own),
        }
    }

    /// Whether anything that comes on this connection can still matter to him.
    #[must_use]
    pub fn listens(&self, conn: ConnId) -> bool {
        self.conn() == Some(conn)
    }

    /// All timers that he ever arms.
    pub const TIMERS: [Timer; 3] = [Timer::Reply, Timer::Heartbeat, Timer::Leave];

    /// Whether he is at a RoomServer, or done, and neither leaves by himself nor tries again. While none of his timers
    /// runs out, nothing brings him to anything but to close his connection: a refusal does, whether he was admitted or
    /// not. (To be told that he has left does only where he was admitted; but he never asks to leave.)
    #[must_use]
    pub const fn has_said_all(&self) -> bool {
        let Script { heartbeats, retries, cheat, .. } = &self.script;
        matches!(self.phase, Phase::Entering(_) | Phase::Live(_) | Phase::Done(_))
            && heartbeats.is_none()
            && self.retries >= *retries
            && cheat.is_none()
    }

    fn next_conn(&mut self) -> ConnId {
        self.conns += 1;
        ConnId(self.first_conn + self.conns - 1)
    }

    fn log_in(&mut self, cx: &Cx<'_>, out: &mut Effects) {
        let conn = self.next_conn();
        self.phase = Phase::LoggingIn(conn);
        self.request(cx, conn, RequestBody::Login(self.credentials(conn)), out);
    }

    /// What he says of himself on this connection. A payload is accepted once, so every login needs a new one.
    fn credentials(&self, conn: ConnId) -> Credentials {
        match self.script.credentials {
            Credentials::Signed { identity, registers, age, form, .. } => {
                let payload = Payload::new(u128::from(conn.0).to_be_bytes());
                Credentials::Signed { identity, registers, payload, age, form }
            }
            ref given => given.clone(),
        }
    }

    fn ask_room(&mut self, cx: &Cx<'_>, out: &mut Effects) {
        let conn = self.next_conn();
        self.phase = Phase::AskingRoom(conn);
        let body = RequestBody::Room { session: self.session, scene: self.script.scene };
        self.request(cx, conn, body, out);
    }

    fn request(&self, cx: &Cx<'_>, conn: ConnId, body: RequestBody, out: &mut Effects) {
        let request = Request { addr: self.script.addr, signed: true, body };
        out.send(conn, Message::Request(request));
        out.arm(Timer::Reply, cx.settings.times.reply);
    }

    fn connect(&mut self, cx: &Cx<'_>, out: &mut Effects) {
        let Some((mut endpoint, _, _)) = self.place else { return };
        if let Some(Cheat::GoesTo(elsewhere)) = self.script.cheat {
            endpoint = elsewhere;
        }
        let conn = self.next_conn();
        self.phase = Phase::Connecting(conn);
        out.push(Effect::Connect { conn, endpoint });
        out.arm(Timer::Reply, cx.settings.times.reply);
    }

    fn enter(&mut self, cx: &Cx<'_>, conn: ConnId, out: &mut Effects) {
        let Some((_, key, _)) = self.place else { return };
        if self.script.cheat == Some(Cheat::TalksFirst) {
            out.send(conn, Message::ToRoom(ToRoom::Heartbeat));
        }
        let key = if self.script.cheat == Some(Cheat::EmptyKey) { None } else { Some(key) };
        out.send(conn, Message::ToRoom(ToRoom::Login { name: self.script.name, key }));
        self.phase = Phase::Entering(conn);
        // Entry may have to wait for another server to hand the account over.
        out.arm(Timer::Reply, cx.settings.times.unverified + cx.settings.times.reply);
    }

    /// Something was lost or refused for now: try again, from where it makes sense.
    fn try_again(&mut self, cx: &Cx<'_>, from_login: bool, out: &mut Effects) {
        out.disarm(Timer::Reply);
        if self.retries >= self.script.retries {
            return self.end(Outcome::GaveUp, out);
        }
        self.retries += 1;
        if from_login || self.session.is_none() {
            self.log_in(cx, out);
        } else {
            self.ask_room(cx, out);
        }
    }

    fn end(&mut self, outcome: Outcome, out: &mut Effects) {
        self.phase = Phase::Done(outcome);
        out.disarm(Timer::Reply);
        out.disarm(Timer::Heartbeat);
        out.disarm(Timer::Leave);
    }

    fn replied(&mut self, cx: &Cx<'_>, conn: ConnId, reply: Reply, out: &mut Effects) -> Step {
        match (self.phase, reply) {
            (Phase::LoggingIn(own), Reply::LoggedIn { account, session, .. }) if own == conn => {
                self.account = Some(account);
                self.session = Some(session);
                self.ask_room(cx, out);
            }
            (Phase::AskingRoom(own), Reply::Room { endpoint, key, room, .. }) if own == conn => {
                self.place = Some((endpoint, key, room));
                self.connect(cx, out);
            }
            (Phase::LoggingIn(own) | Phase::AskingRoom(own), Reply::Refused(why)) if own == conn => match why
            {
                Refusal::Busy | Refusal::Unavailable | Refusal::NoRoom => self.try_again(cx, false, out),
                _ => self.end(Outcome::Refused(why), out),
            },
            _ => return Step::Ignored(Why::Stale),
        }
        Step::Advanced
    }

    fn told(&mut self, cx: &Cx<'_>, conn: ConnId, msg: &ToPlayer, out: &mut Effects) -> Step {
        match (self.phase, msg) {
            (Phase::Entering(own), ToPlayer::Admitted { .. }) if own == conn => {
                self.phase = Phase::Live(conn);
                out.disarm(Timer::Reply);
                self.beat_or_leave(cx, out);
            }
            (Phase::Live(own), ToPlayer::Echo) if own == conn => {}
            (Phase::Live(own) | Phase::Leaving(own), ToPlayer::LoggedOut) if own == conn => {
                match self.script.cheat {
                    Some(Cheat::LogsInAgain) => {
                        self.script.cheat = None;
                        self.enter(cx, conn, out);
                    }
                    Some(Cheat::ReplaysToken) => {
                        self.script.cheat = None;
                        out.push(Effect::Close(conn));
                        self.connect(cx, out);
                    }
                    _ => {
                        out.push(Effect::Close(conn));
                        self.end(Outcome::LoggedOut, out);
                    }
                }
            }
            (Phase::Entering(own), ToPlayer::Refused(_))
                if own == conn && self.script.cheat == Some(Cheat::AnyKeyAgain) =>
            {
                self.script.cheat = None;
                let key = Some(RoomKey::new([0xff; 16]));
                out.send(conn, Message::ToRoom(ToRoom::Login { name: self.script.name, key }));
            }
            (Phase::Live(own) | Phase::Entering(own) | Phase::Leaving(own), ToPlayer::Refused(why))
                if own == conn =>
            {
                match why {
                    Refusal::Replaced | Refusal::Conflict => self.end(Outcome::Replaced, out),
                    _ => self.try_again(cx, false, out),
                }
                out.push(Effect::Close(conn));
            }
            _ => return Step::Ignored(Why::Stale),
        }
        Step::Advanced
    }

    fn beat_or_leave(&self, cx: &Cx<'_>, out: &mut Effects) {
        match self.script.heartbeats {
            Some(limit) if self.beats >= limit => out.arm(Timer::Leave, cx.settings.times.heartbeat),
            Some(_) | None => out.arm(Timer::Heartbeat, cx.settings.times.heartbeat),
        }
    }

    fn leave(&mut self, cx: &Cx<'_>, out: &mut Effects) -> Step {
        let Phase::Live(conn) = self.phase else { return Step::Ignored(Why::Stale) };
        out.disarm(Timer::Heartbeat);
        out.disarm(Timer::Leave);
        out.send(conn, Message::ToRoom(ToRoom::Logout));
        out.arm(Timer::Reply, cx.settings.times.reply);
        self.phase = Phase::Leaving(conn);
        Step::Advanced
    }
}

impl Role for Client {
    fn phase(&self, _: &Event) -> &'static str {
        match self.phase {
            Phase::Idle => "idle",
            Phase::LoggingIn(_) => "logging in",
            Phase::AskingRoom(_) => "asking room",
            Phase::Connecting(_) => "connecting",
            Phase::Entering(_) => "entering",
            Phase::Live(_) => "live",
            Phase::Leaving(_) => "leaving",
            Phase::Done(_) => "done",
        }
    }

    fn step(&mut self, cx: &mut Cx<'_>, event: Event, out: &mut Effects) -> Step {
        match (event, self.phase) {
            (Event::Command(Command::Start), Phase::Idle) => {
                self.log_in(cx, out);
                Step::Advanced
            }
            (Event::Command(Command::Leave) | Event::Fired(Timer::Leave), _) => self.leave(cx, out),
            (Event::Received { conn, msg: Message::Reply(reply) }, _) => self.replied(cx, conn, reply, out),
            (Event::Received { conn, msg: Message::ToPlayer(msg) }, _) => self.told(cx, conn, &msg, out),
            (Event::Opened { conn, .. }, Phase::Connecting(own)) if conn == own => {
                self.enter(cx, conn, out);
                Step::Advanced
            }
            (Event::Lost(conn), Phase::LoggingIn(own)) if conn == own => {
                self.try_again(cx, true, out);
                Step::Advanced
            }
            (
                Event::Lost(conn),
                Phase::AskingRoom(own) | Phase::Connecting(own) | Phase::Entering(own) | Phase::Live(own),
            ) if conn == own => {
                out.disarm(Timer::Heartbeat);
                out.disarm(Timer::Leave);
                let in_room = matches!(self.phase, Phase::Entering(_) | Phase::Live(_));
                if in_room && self.script.resumes && self.retries < self.script.retries {
                    self.retries += 1;
                    self.connect(cx, out);
                } else {
                    self.try_again(cx, false, out);
                }
                Step::Advanced
            }
            (Event::Lost(conn), Phase::Leaving(own)) if conn == own => {
                self.end(Outcome::GaveUp, out);
                Step::Advanced
            }
            (Event::Fired(Timer::Heartbeat), Phase::Live(conn)) => {
                out.send(conn, Message::ToRoom(ToRoom::Heartbeat));
                self.beats = self.beats.saturating_add(1);
                self.beat_or_leave(cx, out);
                Step::Advanced
            }
            (Event::Fired(Timer::Reply), phase) => match phase {
                Phase::Idle | Phase::Live(_) | Phase::Done(_) => Step::Ignored(Why::Stale),
                Phase::LoggingIn(_) => {
                    self.try_again(cx, true, out);
                    Step::Advanced
                }
                Phase::AskingRoom(_) => {
                    self.try_again(cx, false, out);
                    Step::Advanced
                }
                Phase::Connecting(conn) | Phase::Entering(conn) => {
                    out.push(Effect::Close(conn));
                    self.try_again(cx, false, out);
                    Step::Advanced
                }
                Phase::Leaving(conn) => {
                    out.push(Effect::Close(conn));
                    self.end(Outcome::GaveUp, out);
                    Step::Advanced
                }
            },
            _ => Step::Ignored(Why::Stale),
        }
    }
}
