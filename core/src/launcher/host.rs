//! The launcher's end of the link: for tests, and for people who write launchers.

use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use super::{
    BEAT, CODE_READY, CODE_WAITING, DEAD, FIRST, LINKS_MAX, LinkEffect, LinkSettings, LinkTimer, Over, PROTO,
    SILENCE,
    channel::{Arrived, Channel, hardened, is_offered},
};
use crate::{
    ids::ConnId,
    wire::local::{
        Cipher, Handover, Key, KeyFault, Message, Outcome, Side,
        message::{GameIds, LinkIds},
    },
};

/// A game that was started and has not connected yet.
#[derive(Clone, Debug)]
pub struct Launch {
    /// What it was started with.
    pub game: GameIds,
    /// The key of this one start, if the game was given one.
    pub gcm: Option<Key>,
}

/// What happens to a connection of a [`Launcher`].
#[derive(Clone, PartialEq, Eq)]
pub enum LauncherEvent<'a> {
    /// A program on this machine has connected.
    Opened,
    /// Bytes came.
    Received(&'a [u8]),
    /// A timer ran out.
    Fired(LinkTimer),
    /// The game closed the connection.
    Ended,
    /// The platform has answered: this goes to the game as it is.
    Payload(Handover),
    /// The launcher ends the connection.
    Quit,
}

impl fmt::Debug for LauncherEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened => f.write_str("Opened"),
            Self::Received(bytes) => write!(f, "Received({})", bytes.len()),
            Self::Fired(timer) => write!(f, "Fired({timer:?})"),
            Self::Ended => f.write_str("Ended"),
            Self::Payload(_) => f.write_str("Payload(..)"),
            Self::Quit => f.write_str("Quit"),
        }
    }
}

/// What a launcher is told about a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LauncherNotice {
    /// It is this game: ask the platform for its payload.
    Associated {
        /// The game.
        game: GameIds,
        /// What it is called from now on.
        client_id: String,
    },
    /// What came of its login: the launcher's record of the game.
    Result(Outcome),
    /// The platform's answer is too long for the link, and was not sent.
    TooLong,
    /// The connection is over.
    Over(Over),
}

#[derive(Debug)]
struct Link {
    channel: Channel,
    seat: Option<Seat>,
}

/// A connection that has said which game it is.
#[derive(Debug)]
struct Seat {
    ids: LinkIds,
    game: GameIds,
    outcome: Option<Outcome>,
}

/// The launcher's end: all connections of one run.
#[derive(Debug)]
pub struct Launcher {
    settings: LinkSettings,
    cipher: Cipher,
    gta_id: String,
    /// Started and not connected, the oldest first. Two windows may be alike in all.
    started: Vec<Launch>,
    links: BTreeMap<ConnId, Link>,
    /// The last `client_id`: none is used twice in a run.
    last: u64,
}

type Effects = Vec<LinkEffect<LauncherNotice>>;

impl Launcher {
    /// A launcher whose run has this id, which no other run may have. `key` is the platform's.
    ///
    /// # Errors
    /// [`KeyFault`] if the key does not fit the cipher.
    pub fn new(settings: LinkSettings, gta_id: &str, key: &Key) -> Result<Self, KeyFault> {
        let cipher = Cipher::new(&settings.profile, key)?;
        Ok(Self {
            settings,
            cipher,
            gta_id: gta_id.into(),
            started: Vec::new(),
            links: BTreeMap::new(),
            last: 0,
        })
    }

    /// Waits for a game. Each that was started may connect once. Whether there was a place for it: of two that say the
    /// same of themselves nobody could tell which has which key.
    pub fn expect(&mut self, launch: Launch) -> bool {
        let alike =
            |other: &Launch| other.game == launch.game && (other.gcm.is_some() || launch.gcm.is_some());
        let fits = self.started.len() < LINKS_MAX && !self.started.iter().any(alike);
        if fits {
            self.started.push(launch);
        }
        fits
    }

    /// A game has ended before it connected. Whether it was waited for.
    pub fn forget(&mut self, game: &GameIds) -> bool {
        let place = self.started.iter().position(|launch| launch.game == *game);
        place.map(|place| self.started.remove(place)).is_some()
    }

    /// What came of the login of each game that is connected; none if it has not reported yet.
    pub fn games(&self) -> impl Iterator<Item = (ConnId, &GameIds, Option<&Outcome>)> {
        self.links.iter().filter_map(|(conn, link)| {
            let seat = link.seat.as_ref()?;
            Some((*conn, &seat.game, seat.outcome.as_ref()))
        })
    }

    /// Takes an event of a connection. `random` is new with each; at most one message leaves with each. All effects
    /// are for this connection.
    pub fn step(&mut self, conn: ConnId, event: LauncherEvent<'_>, random: [u8; 16], out: &mut Effects) {
        if event == LauncherEvent::Opened {
            return self.opened(conn, out);
        }
        let Some(mut link) = self.links.remove(&conn) else { return };
        let kept = match event {
            LauncherEvent::Opened => Ok(()),
            LauncherEvent::Received(bytes) => self.received(&mut link, bytes, random, out),
            LauncherEvent::Fired(LinkTimer::First) => Err(Over::TooSlow),
            LauncherEvent::Fired(LinkTimer::Dead) => Err(Over::Dead),
            LauncherEvent::Fired(LinkTimer::Beat) => {
                out.push(LinkEffect::Send(link.channel.heartbeat()));
                out.push(LinkEffect::Arm(LinkTimer::Beat, BEAT));
                Ok(())
            }
            LauncherEvent::Fired(LinkTimer::Silence) => match link.channel.silence() {
                Ok(Some(Arrived::Message(message))) => self.message(&mut link, message, random, out),
                Ok(_) => Ok(()),
                Err(_) => Err(Over::Unreadable),
            },
            LauncherEvent::Ended => Err(Over::Ended),
            LauncherEvent::Payload(payload) => {
                hand_over(&mut link, payload, random, out);
                Ok(())
            }
            LauncherEvent::Quit => Err(Over::Quit),
        };
        match kept {
            Ok(()) => {
                self.links.insert(conn, link);
            }
            Err(why) => close(why, out),
        }
    }

    fn opened(&mut self, conn: ConnId, out: &mut Effects) {
        if self.links.contains_key(&conn) {
            return;
        }
        if self.links.len() >= LINKS_MAX {
            return close(Over::Full, out);
        }
        let channel = Channel::new(Side::Launcher, &self.settings.profile, self.cipher.clone());
        self.links.insert(conn, Link { channel, seat: None });
        for (timer, after) in [(LinkTimer::First, FIRST), (LinkTimer::Beat, BEAT), (LinkTimer::Dead, DEAD)] {
            out.push(LinkEffect::Arm(timer, after));
        }
    }

    fn received(
        &mut self,
        link: &mut Link,
        bytes: &[u8],
        random: [u8; 16],
        out: &mut Effects,
    ) -> Result<(), Over> {
        link.channel.push(bytes);
        let mut alive = false;
        loop {
            match link.channel.next().map_err(|_| Over::Unreadable)? {
                None => break,
                Some(Arrived::Heartbeat) => alive = true,
                Some(Arrived::Message(message)) => self.message(link, message, random, out)?,
            }
        }
        if alive {
            out.push(LinkEffect::Arm(LinkTimer::Dead, DEAD));
        }
        if link.channel.waits_for_silence() {
            out.push(LinkEffect::Arm(LinkTimer::Silence, SILENCE));
        }
        Ok(())
    }

    fn message(
        &mut self,
        link: &mut Link,
        message: Message,
        random: [u8; 16],
        out: &mut Effects,
    ) -> Result<(), Over> {
        match (message, &mut link.seat) {
            (Message::Associate { game, proto }, None) => {
                self.associate(link, game, is_offered(proto.as_ref()), random, out)
            }
            // One connection is one game.
            (Message::Associate { .. }, Some(_)) => Err(Over::Foreign),
            (_, None) => Err(Over::Stranger),
            (Message::Result { outcome, link: ids, game }, Some(seat)) => {
                if ids != seat.ids || game.account != seat.game.account {
                    return Err(Over::Foreign);
                }
                seat.outcome = Some(outcome.clone());
                out.push(LinkEffect::Tell(LauncherNotice::Result(outcome)));
                Ok(())
            }
            // Whatever else a game says means nothing here.
            (Message::Status { .. } | Message::Unknown { .. }, Some(_)) => Ok(()),
        }
    }

    fn associate(
        &mut self,
        link: &mut Link,
        game: GameIds,
        offered: bool,
        random: [u8; 16],
        out: &mut Effects,
    ) -> Result<(), Over> {
        let place = self.started.iter().position(|launch| launch.game == game).ok_or(Over::Stranger)?;
        let gcm = self.started.get(place).and_then(|launch| launch.gcm.as_ref()).filter(|_| offered);
        let gcm = gcm.and_then(|key| hardened(&self.settings, key).ok());
        if self.settings.require_gcm && gcm.is_none() && !link.channel.is_hardened() {
            return Err(Over::NotHardened);
        }
        self.started.remove(place);
        self.last += 1;
        let client_id = self.last.to_string();
        let ids = LinkIds { gta_id: self.gta_id.clone(), client_id: client_id.clone() };
        let status = Message::Status {
            link: ids.clone(),
            code: CODE_WAITING.into(),
            payload: None,
            proto: gcm.is_some().then(|| PROTO.into()),
        };
        let bytes = link.channel.seal(&status, random).map_err(|_| Over::Unreadable)?;
        if let Some(cipher) = gcm {
            link.channel.harden(cipher);
        }
        out.push(LinkEffect::Disarm(LinkTimer::First));
        out.push(LinkEffect::Send(bytes));
        out.push(LinkEffect::Tell(LauncherNotice::Associated { game: game.clone(), client_id }));
        link.seat = Some(Seat { ids, game, outcome: None });
        Ok(())
    }
}

fn hand_over(link: &mut Link, payload: Handover, random: [u8; 16], out: &mut Effects) {
    let Some(seat) = &link.seat else { return };
    let status = Message::Status {
        link: seat.ids.clone(),
        code: CODE_READY.into(),
        payload: Some(payload),
        proto: None,
    };
    out.push(match link.channel.seal(&status, random) {
        Ok(bytes) => LinkEffect::Send(bytes),
        Err(_) => LinkEffect::Tell(LauncherNotice::TooLong),
    });
}

fn close(why: Over, out: &mut Effects) {
    out.push(LinkEffect::Tell(LauncherNotice::Over(why)));
    out.push(LinkEffect::Close);
}
