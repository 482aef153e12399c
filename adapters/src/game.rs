//! What happens inside a room is a game's business: its interface, and a lounge where players only meet.

use std::{collections::BTreeMap, fmt, ops::Range, time::Duration};

use gatepass_core::{
    ids::{AccountId, ConnId, RoomId},
    text::Nickname,
    wire::{
        frame,
        proto::{
            MsgAddPlayer, MsgLoginResult, MsgPlayer, MsgPlayerBall, MsgRemovePlayer, MsgTop, RetVoiceInfo,
            WireMessage, cmd::room as cmd,
        },
    },
};

use crate::ports::Table;

/// A player who has just been admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Player {
    /// The connection; names the player until it leaves.
    pub conn: ConnId,
    /// The account.
    pub account: AccountId,
    /// The room.
    pub room: RoomId,
    /// The nickname, already cut.
    pub name: Nickname,
}

/// A game: what players see of each other once they are in.
///
/// It is called under the server's lock, so it must not block; it says who it wants to write to in [`Frames`].
/// Login, logout, heartbeats and refusals never reach it.
pub trait Game: Send {
    /// A player is in. The first frames it gets are those the game writes here.
    fn joined(&mut self, player: &Player, now: Duration, to: &mut Frames);

    /// A frame of a player: its command, and its body as it stands on the wire, compressed if `flag` is 1.
    fn frame(&mut self, conn: ConnId, flag: u8, command: u16, body: &[u8], to: &mut Frames);

    /// A player is gone: nothing written to it arrives.
    fn left(&mut self, conn: ConnId, now: Duration);

    /// Everybody is gone.
    fn emptied(&mut self);

    /// When [`Game::tick`] is wanted; none while nothing is to be done.
    fn next_tick(&self) -> Option<Duration>;

    /// The time of [`Game::next_tick`] has come.
    fn tick(&mut self, now: Duration, to: &mut Frames);
}

/// Frames on their way to players. One text may go to many.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    to: Vec<(ConnId, Range<usize>)>,
    body: Vec<u8>,
}

impl Frames {
    /// Writes a message, compressed where the original would. It goes to those it is [sent](Self::send) to;
    /// empty if it is too long for a frame.
    pub fn write<M: WireMessage>(&mut self, command: u16, message: &M) -> Range<usize> {
        self.write_body(command, |body| message.encode_body(body))
    }

    /// Writes a message whose body `encode` appends, as [`Frames::write`].
    pub fn write_body(&mut self, command: u16, encode: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
        let start = self.bytes.len();
        self.body.clear();
        encode(&mut self.body);
        // A message too long for a frame is a defect of the game: it sends nothing then.
        let written = frame::encode_client(command, &self.body, &mut self.bytes);
        debug_assert!(written.is_ok(), "a game's message fits a frame");
        start..self.bytes.len()
    }

    /// Sends what was written to a player.
    pub fn send(&mut self, conn: ConnId, written: Range<usize>) {
        if !written.is_empty() {
            self.to.push((conn, written));
        }
    }

    /// Gives every player his bytes, in order, and forgets them.
    pub(crate) fn deliver(&mut self, mut to: impl FnMut(ConnId, &[u8])) {
        for (conn, range) in self.to.drain(..) {
            to(conn, &self.bytes[range]);
        }
        self.bytes.clear();
    }

    /// Whether there is nothing to deliver.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.to.is_empty()
    }
}

/// A room where players only meet: a newcomer gets everything the original client needs to start, in the
/// original's order, and the others hear of it at the next tick. Frames of players are ignored.
pub struct Lounge {
    voice: String,
    rooms: BTreeMap<RoomId, Room>,
    players: Table<ConnId, RoomId>,
    due: Option<Duration>,
    balls: u32,
}

/// Comings and goings are announced together, this long after the first of them: a burst of `n` logins into one
/// room costs `n` writes, not `n` squared.
pub const TICK: Duration = Duration::from_millis(100);
/// Changes of one room that may wait for its tick. One more brings the tick forward.
const CHANGES_MAX: usize = 4_096;
/// Length of a frame of the original's game clock.
const FRAME_MILLIS: u128 = 25;

#[derive(Default)]
struct Room {
    began: Duration,
    /// In the order of their coming, as are their parts of `others` and `balls`.
    members: Vec<Member>,
    /// Everybody, encoded once for all newcomers who are told of them.
    others: Vec<u8>,
    /// Everybody's balls, likewise.
    balls: Vec<u8>,
    /// In the order of their numbers.
    changes: Vec<Change>,
    /// Changes ever.
    count: u64,
}

struct Member {
    conn: ConnId,
    /// What the others are told of it.
    added: MsgAddPlayer,
    /// Its bytes of the room's `others`.
    other: usize,
    /// Its bytes of the room's `balls`.
    ball: usize,
    /// The number of the change that brought it.
    since: u64,
    announced: bool,
}

#[derive(Clone, Copy)]
struct Change {
    number: u64,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    Came(ConnId),
    /// Somebody went who came with change `since`; zero if everybody knew.
    Went {
        account: AccountId,
        since: u64,
    },
}

impl Lounge {
    /// A lounge without rooms. `voice`: the address of the voice server that clients are told.
    #[must_use]
    pub fn new(voice: String) -> Self {
        Self { voice, rooms: BTreeMap::new(), players: Table::default(), due: None, balls: 0 }
    }

    fn schedule(&mut self, at: Duration) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }
}

impl fmt::Debug for Lounge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lounge")
            .field("rooms", &self.rooms.len())
            .field("players", &self.players.len())
            .finish_non_exhaustive()
    }
}

impl Game for Lounge {
    fn joined(&mut self, player: &Player, now: Duration, to: &mut Frames) {
        let Player { conn, account, room: id, name } = *player;
        self.left(conn, now);
        // Zero is no ball.
        self.balls = self.balls.checked_add(1).unwrap_or(1);
        let room = self.rooms.entry(id).or_insert_with(|| Room { began: now, ..Room::default() });
        let member = room.enter(conn, account, &name, self.balls);
        let welcome = MsgLoginResult {
            ok: true,
            id: account.0,
            name: name.as_str().into(),
            frame: u32::try_from((now - room.began).as_millis() / FRAME_MILLIS).unwrap_or(u32::MAX),
            ball_id: self.balls,
            ..MsgLoginResult::default()
        };
        // The original names the player's own ball first; the order of the others means nothing.
        let (balls, own) = room.balls.split_at(room.balls.len() - member.ball);
        let voice = RetVoiceInfo { address: self.voice.clone(), room_id: id.0 };
        for (command, written) in [
            (cmd::TOP, to.write(cmd::TOP, &MsgTop::default())),
            (
                cmd::LOGIN,
                to.write_body(cmd::LOGIN, |out| welcome.encode_around(&room.others, [own, balls], out)),
            ),
            (cmd::ADD_PLAYER, to.write(cmd::ADD_PLAYER, &member.added)),
            (cmd::VOICE_INFO, to.write(cmd::VOICE_INFO, &voice)),
        ] {
            debug_assert!(!written.is_empty(), "command {command} was written");
            to.send(conn, written);
        }
        room.members.push(member);
        let full = room.changes.len() > CHANGES_MAX;
        let alone = room.members.len() == 1;
        self.players.insert(conn, id);
        if full {
            self.schedule(now);
        } else if !alone || self.rooms.get(&id).is_some_and(|room| !room.changes.is_empty()) {
            self.schedule(now + TICK);
        }
    }

    fn frame(&mut self, _conn: ConnId, _flag: u8, _command: u16, _body: &[u8], _to: &mut Frames) {}

    fn left(&mut self, conn: ConnId, now: Duration) {
        let Some(id) = self.players.remove(&conn) else { return };
        let Some(room) = self.rooms.get_mut(&id) else { return };
        room.leave(conn);
        if room.members.is_empty() {
            self.rooms.remove(&id);
        } else if !room.changes.is_empty() {
            self.schedule(now + TICK);
        }
    }

    fn emptied(&mut self) {
        self.rooms.clear();
        self.players.clear();
        self.due = None;
    }

    fn next_tick(&self) -> Option<Duration> {
        self.due
    }

    fn tick(&mut self, now: Duration, to: &mut Frames) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        self.due = None;
        for room in self.rooms.values_mut() {
            room.announce(to);
        }
    }
}

impl Room {
    /// Takes note of a newcomer, who is still to be put behind the other members.
    fn enter(&mut self, conn: ConnId, account: AccountId, name: &str, ball: u32) -> Member {
        self.count += 1;
        self.changes.push(Change { number: self.count, what: What::Came(conn) });
        let player = MsgPlayer {
            id: account.0,
            name: name.into(),
            is_live: true,
            ball_id: ball,
            ..MsgPlayer::default()
        };
        let (others, balls) = (self.others.len(), self.balls.len());
        MsgLoginResult::encode_other(&player, &mut self.others);
        let own = MsgPlayerBall { id: ball, level: 1, ..MsgPlayerBall::default() };
        MsgLoginResult::encode_playerball(&own, &mut self.balls);
        Member {
            conn,
            added: MsgAddPlayer { player },
            other: self.others.len() - others,
            ball: self.balls.len() - balls,
            since: self.count,
            announced: false,
        }
    }

    fn leave(&mut self, conn: ConnId) {
        let Some(index) = self.members.iter().position(|member| member.conn == conn) else { return };
        let (other, ball) = self.members[..index]
            .iter()
            .fold((0, 0), |(other, ball), before| (other + before.other, ball + before.ball));
        let member = self.members.remove(index);
        self.others.drain(other..other + member.other);
        self.balls.drain(ball..ball + member.ball);
        self.count += 1;
        let since = if member.announced { 0 } else { member.since };
        if !member.announced {
            if let Ok(came) = self.changes.binary_search_by_key(&member.since, |change| change.number) {
                self.changes.remove(came);
            }
            // Who came after him has him on the list; if nobody did, nobody ever hears of him.
            if self.members.last().is_none_or(|last| last.since < member.since) {
                return;
            }
        }
        let what = What::Went { account: AccountId(member.added.player.id), since };
        self.changes.push(Change { number: self.count, what });
    }

    /// Tells everybody what changed since he last heard: newcomers, what changed since they came.
    fn announce(&mut self, to: &mut Frames) {
        let mut written = Vec::with_capacity(self.changes.len());
        for change in self.changes.drain(..) {
            let (since, range) = match change.what {
                What::Went { since, .. }
                    if !self.members.iter().any(|member| hears(member, change.number, since)) =>
                {
                    continue;
                }
                What::Came(conn) => {
                    let Some(member) = self.members.iter().find(|member| member.conn == conn) else {
                        continue;
                    };
                    (0, to.write(cmd::ADD_PLAYER, &member.added))
                }
                What::Went { account, since } => {
                    (since, to.write(cmd::REMOVE_PLAYER, &MsgRemovePlayer { id: account.0 }))
                }
            };
            written.push((change.number, since, range));
        }
        for member in &mut self.members {
            for (number, since, range) in &written {
                if hears(member, *number, *since) {
                    to.send(member.conn, range.clone());
                }
            }
            member.announced = true;
        }
    }
}

/// Whether a member came before change `number` happened, but not before the one it is about, if that matters.
const fn hears(member: &Member, number: u64, since: u64) -> bool {
    member.since < number && member.since > since
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a newcomer is told of: the frames for it, by command.
    fn told(frames: &mut Frames, conn: ConnId) -> Vec<(u16, Vec<u8>)> {
        let mut told = Vec::new();
        frames.deliver(|to, bytes| {
            let frame = frame::decode_exact(bytes, frame::FRAME_MAX).expect("a frame");
            if to == conn {
                told.push((frame.cmd, frame.payload(frame::INFLATE_MAX).expect("inflates").into_owned()));
            }
        });
        told
    }

    proptest! {
        #[test]
        fn a_newcomer_is_told_of_everybody_who_is_there(
            moves in proptest::collection::vec((0u64..8, any::<bool>(), any::<bool>()), 1..40),
        ) {
            let (mut lounge, mut frames) = (Lounge::new(String::new()), Frames::default());
            let mut there: Vec<u64> = Vec::new();
            for (who, comes, ticks) in moves {
                there.retain(|other| *other != who);
                if !comes {
                    lounge.left(ConnId(who), Duration::ZERO);
                    continue;
                }
                there.push(who);
                let name = gatepass_core::text::nickname(&format!("player {who}"));
                let player = Player { conn: ConnId(who), account: AccountId(100 + who), room: RoomId(1), name };
                lounge.joined(&player, Duration::ZERO, &mut frames);
                let told = told(&mut frames, ConnId(who));
                let commands: Vec<u16> = told.iter().map(|(command, _)| *command).collect();
                prop_assert_eq!(commands, [cmd::TOP, cmd::LOGIN, cmd::ADD_PLAYER, cmd::VOICE_INFO]);
                let greeting = MsgLoginResult::decode_body(&told[1].1).expect("complete");
                let others: Vec<u64> = greeting.others.iter().map(|other| other.id - 100).collect();
                prop_assert_eq!(&others, &there, "in the order of their coming");
                let mut balls: Vec<u32> = greeting.playerballs.iter().map(|ball| ball.id).collect();
                prop_assert_eq!(balls[0], greeting.ball_id, "its own ball first");
                balls.sort_unstable();
                let mut all: Vec<u32> = greeting.others.iter().map(|other| other.ball_id).collect();
                all.sort_unstable();
                prop_assert_eq!(balls, all);
                if ticks {
                    lounge.tick(TICK, &mut frames);
                    frames.deliver(|_, _| {});
                }
            }
        }

        #[test]
        fn whoever_stays_knows_in_the_end_who_is_there(
            moves in proptest::collection::vec((1u64..6, any::<bool>(), any::<bool>()), 1..40),
        ) {
            let (mut lounge, mut frames) = (Lounge::new(String::new()), Frames::default());
            let mut there = std::collections::BTreeSet::new();
            let mut known = std::collections::BTreeSet::new();
            let stays = (0, true, false);
            for (who, comes, ticks) in [stays].into_iter().chain(moves).chain([(6, true, true)]) {
                if comes {
                    let name = gatepass_core::text::nickname("n");
                    let player = Player { conn: ConnId(who), account: AccountId(who), room: RoomId(1), name };
                    lounge.joined(&player, Duration::ZERO, &mut frames);
                    there.insert(who);
                } else {
                    lounge.left(ConnId(who), Duration::ZERO);
                    there.remove(&who);
                }
                if ticks {
                    lounge.tick(TICK, &mut frames);
                }
                for (command, body) in told(&mut frames, ConnId(0)) {
                    match command {
                        cmd::ADD_PLAYER => {
                            known.insert(MsgAddPlayer::decode_body(&body).expect("complete").player.id);
                        }
                        cmd::REMOVE_PLAYER => {
                            known.remove(&MsgRemovePlayer::decode_body(&body).expect("complete").id);
                        }
                        _ => {}
                    }
                }
            }
            prop_assert_eq!(known, there);
        }
    }
}
