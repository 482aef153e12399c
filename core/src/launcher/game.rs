//! The game's end of the link.

use alloc::{string::String, vec::Vec};
use core::fmt;

use super::{
    DEAD, FIRST, LinkEffect, LinkSettings, LinkTimer, Over, PROTO, PayloadBy, SILENCE,
    channel::{Arrived, Channel, hardened, is_offered},
};
use crate::{
    verify::gtarcade::Response,
    wire::local::{
        Cipher, Handover, Key, KeyFault, Message, Outcome, Side,
        message::{GameIds, LinkIds},
    },
};

/// What happens to a [`LauncherLink`].
#[derive(Clone, PartialEq, Eq)]
pub enum GameEvent<'a> {
    /// It is connected.
    Opened,
    /// Bytes came.
    Received(&'a [u8]),
    /// A timer ran out.
    Fired(LinkTimer),
    /// The launcher closed the connection.
    Ended,
    /// The game's server has decided.
    Report(Outcome),
    /// The game ends.
    Quit,
}

impl fmt::Debug for GameEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened => f.write_str("Opened"),
            Self::Received(bytes) => write!(f, "Received({})", bytes.len()),
            Self::Fired(timer) => write!(f, "Fired({timer:?})"),
            Self::Ended => f.write_str("Ended"),
            Self::Report(outcome) => write!(f, "Report({outcome:?})"),
            Self::Quit => f.write_str("Quit"),
        }
    }
}

/// What a game is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GameNotice {
    /// The launcher knows this game.
    Linked {
        /// What it calls it.
        client_id: String,
        /// The state of its login, in the launcher's own words.
        code: String,
    },
    /// The payload: take it to the game's server as it is.
    Payload(Handover),
    /// A payload for another account than the game was started for was dropped: it belongs to another window.
    WrongAccount,
    /// A message of another run of the launcher, or for another game, was dropped.
    Foreign,
    /// The connection is over.
    Over(Over),
}

#[derive(Debug)]
enum State {
    /// Not connected yet.
    New,
    /// The association is sent.
    Associating,
    /// The launcher has answered.
    Linked(LinkIds),
    Over,
}

/// The game's end.
#[derive(Debug)]
pub struct LauncherLink {
    channel: Channel,
    game: GameIds,
    /// What the link may switch to.
    gcm: Option<Cipher>,
    require_gcm: bool,
    payload_by: PayloadBy,
    state: State,
}

type Effects = Vec<LinkEffect<GameNotice>>;

impl LauncherLink {
    /// A link for a game that was started with these ids. `key` is the platform's, `gcm` that of this one start.
    ///
    /// # Errors
    /// [`KeyFault`] if a key does not fit its cipher.
    pub fn new(
        settings: &LinkSettings,
        game: GameIds,
        key: &Key,
        gcm: Option<&Key>,
    ) -> Result<Self, KeyFault> {
        let cipher = Cipher::new(&settings.profile, key)?;
        Ok(Self {
            channel: Channel::new(Side::Game, &settings.profile, cipher),
            game,
            gcm: gcm.map(|key| hardened(settings, key)).transpose()?,
            require_gcm: settings.require_gcm,
            payload_by: settings.payload_by,
            state: State::New,
        })
    }

    /// Takes an event. `random` is new with each; at most one message leaves with each.
    pub fn step(&mut self, event: GameEvent<'_>, random: [u8; 16], out: &mut Effects) {
        match (&self.state, event) {
            (State::Over, _) => {}
            (State::New, GameEvent::Opened) => self.associate(random, out),
            (State::New, GameEvent::Quit | GameEvent::Ended) => self.state = State::Over,
            (State::New, _) | (_, GameEvent::Opened) => {}
            (_, GameEvent::Received(bytes)) => self.received(bytes, out),
            (_, GameEvent::Fired(LinkTimer::First)) => self.close(Over::TooSlow, out),
            (_, GameEvent::Fired(LinkTimer::Dead)) => self.close(Over::Dead, out),
            (_, GameEvent::Fired(LinkTimer::Beat)) => {}
            (_, GameEvent::Fired(LinkTimer::Silence)) => self.silence(out),
            (_, GameEvent::Ended) => self.close(Over::Ended, out),
            (_, GameEvent::Quit) => self.close(Over::Quit, out),
            (State::Linked(link), GameEvent::Report(outcome)) => {
                let result = Message::Result { outcome, link: link.clone(), game: self.game.clone() };
                self.send(&result, random, out);
            }
            (State::Associating, GameEvent::Report(_)) => {}
        }
    }

    fn associate(&mut self, random: [u8; 16], out: &mut Effects) {
        self.state = State::Associating;
        let proto = self.gcm.is_some().then(|| PROTO.into());
        out.push(LinkEffect::Arm(LinkTimer::First, FIRST));
        out.push(LinkEffect::Arm(LinkTimer::Dead, DEAD));
        self.send(&Message::Associate { game: self.game.clone(), proto }, random, out);
    }

    fn received(&mut self, bytes: &[u8], out: &mut Effects) {
        self.channel.push(bytes);
        let mut alive = false;
        loop {
            match self.channel.next() {
                Ok(None) => break,
                Ok(Some(Arrived::Heartbeat)) => alive = true,
                Ok(Some(Arrived::Message(message))) => self.message(message, out),
                Err(_) => return self.close(Over::Unreadable, out),
            }
            if matches!(self.state, State::Over) {
                return;
            }
        }
        if alive {
            // One answer for all that came at once.
            out.push(LinkEffect::Send(self.channel.heartbeat()));
            out.push(LinkEffect::Arm(LinkTimer::Dead, DEAD));
        }
        if self.channel.waits_for_silence() {
            out.push(LinkEffect::Arm(LinkTimer::Silence, SILENCE));
        }
    }

    fn silence(&mut self, out: &mut Effects) {
        match self.channel.silence() {
            Ok(Some(Arrived::Message(message))) => self.message(message, out),
            Ok(_) => {}
            Err(_) => self.close(Over::Unreadable, out),
        }
    }

    fn message(&mut self, message: Message, out: &mut Effects) {
        // Whatever else a launcher says is not for this end.
        let Message::Status { link, code, payload, proto } = message else { return };
        match &self.state {
            State::Associating => {
                if let Some(cipher) = self.gcm.take().filter(|_| is_offered(proto.as_ref())) {
                    self.channel.harden(cipher);
                }
                if self.require_gcm && !self.channel.is_hardened() {
                    return self.close(Over::NotHardened, out);
                }
                let client_id = link.client_id.clone();
                self.state = State::Linked(link);
                if self.payload_by == PayloadBy::LaunchParameter {
                    out.push(LinkEffect::Disarm(LinkTimer::First));
                }
                out.push(LinkEffect::Tell(GameNotice::Linked { client_id, code }));
            }
            State::Linked(own) if *own == link => {}
            _ => return out.push(LinkEffect::Tell(GameNotice::Foreign)),
        }
        if let Some(payload) = payload {
            out.push(LinkEffect::Disarm(LinkTimer::First));
            let notice = match self.is_for_another(&payload) {
                true => GameNotice::WrongAccount,
                false => GameNotice::Payload(payload),
            };
            out.push(LinkEffect::Tell(notice));
        }
    }

    /// Whether a payload names another account than the game was started for. Nothing of it is checked here: that
    /// is for the game's server, which alone has the sign key.
    fn is_for_another(&self, payload: &Handover) -> bool {
        let response = Response::read(payload.expose().as_bytes());
        let claimed = response.ok().and_then(|response| response.claimed_account());
        claimed.is_some_and(|account| account != self.game.account)
    }

    fn send(&mut self, message: &Message, random: [u8; 16], out: &mut Effects) {
        match self.channel.seal(message, random) {
            Ok(bytes) => out.push(LinkEffect::Send(bytes)),
            // Only a text of more than 64 KiB cannot be sent.
            Err(_) => self.close(Over::Unreadable, out),
        }
    }

    fn close(&mut self, why: Over, out: &mut Effects) {
        self.state = State::Over;
        out.push(LinkEffect::Tell(GameNotice::Over(why)));
        out.push(LinkEffect::Close);
    }
}
