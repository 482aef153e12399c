//! What is under way between nodes, and which connections are open.

use gatepass_core::{
    ids::{CallId, ConnId},
    message::{Answer, Message, Question},
    role::{Event, Outage},
};
use serde::{Deserialize, Serialize};

use crate::shared::Shared;

/// Messages under way and open connections to RoomServers.
///
/// Both are kept in one order, whatever order they came in: which of two messages of different lanes was sent
/// first is nothing that anybody could notice, so two networks that differ only in that are one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Net {
    /// Under way: by sender, receiver and lane, and within a lane in the order they were sent.
    pub packets: Vec<Shared<Packet>>,
    /// Open player connections by name: which RoomServer node is at the other end.
    pub conns: Vec<(ConnId, u8)>,
}

/// One message under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Packet {
    /// Sender.
    pub from: u8,
    /// Receiver.
    pub to: u8,
    /// Messages with the same sender, receiver and lane arrive in order: a lane is a connection, or the
    /// questions asked on behalf of one.
    pub lane: u32,
    /// The life of the receiver it is for, where only that life can get it.
    pub life: Option<u8>,
    /// The message.
    pub body: Body,
}

/// What a packet carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::large_enum_variant, reason = "a packet lives behind a pointer of its own")]
pub enum Body {
    /// A message on a connection.
    Message(ConnId, Message),
    /// The connection was closed by the other end.
    Closed(ConnId),
    /// A message from RCenter to a RoomServer, over this link.
    FromCenter(ConnId, Message),
    /// The link was closed by RCenter.
    LinkClosed(ConnId),
    /// A question.
    Asked(Question),
    /// An answer.
    Answered(CallId, Answer),
}

impl Packet {
    /// Whether it is a question to a service. Those go over one connection that is never resumed, so they
    /// come late or never, but not twice: whoever asks again asks a new question.
    #[must_use]
    pub const fn is_question(&self) -> bool {
        matches!(self.body, Body::Asked(_))
    }
}

impl Body {
    /// The event it is for its receiver.
    #[must_use]
    pub fn event(self) -> Event {
        match self {
            Self::Message(conn, msg) => Event::Received { conn, msg },
            Self::Closed(conn) => Event::Lost(conn),
            Self::FromCenter(_, msg) => Event::FromCenter(msg),
            Self::LinkClosed(_) => Event::Unlinked,
            Self::Asked(question) => Event::Asked(question),
            Self::Answered(call, answer) => Event::Answered { call, answer: Ok::<_, Outage>(answer) },
        }
    }
}

/// A kind of link between two roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkKind {
    /// HTTP.
    PlayerLogin,
    /// A player's connection to a room.
    PlayerRoom,
    /// LoginServer and account store.
    LoginAccounts,
    /// LoginServer and cache.
    LoginCache,
    /// LoginServer and RCenter.
    LoginCenter,
    /// RoomServer and account store.
    RoomAccounts,
    /// RoomServer and cache.
    RoomCache,
    /// RoomServer and RCenter: registration and kicks.
    RoomCenter,
    /// RoomServer to RCenter: how many players are in which room.
    RoomReports,
}

impl LinkKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::PlayerLogin,
        Self::PlayerRoom,
        Self::LoginAccounts,
        Self::LoginCache,
        Self::LoginCenter,
        Self::RoomAccounts,
        Self::RoomCache,
        Self::RoomCenter,
        Self::RoomReports,
    ];
}

/// Which packet: the `nth` (from 0) of those that share sender, receiver and lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pick {
    /// Sender.
    pub from: u8,
    /// Receiver.
    pub to: u8,
    /// Lane.
    pub lane: u32,
    /// Position.
    pub nth: u8,
}

impl Packet {
    const fn way(&self) -> (u8, u8, u32) {
        (self.from, self.to, self.lane)
    }
}

impl Net {
    /// Sends a packet behind those of its lane.
    pub fn push(&mut self, packet: Shared<Packet>) {
        let way = packet.get().way();
        let at = self.packets.partition_point(|other| other.get().way() <= way);
        self.packets.insert(at, packet);
    }

    /// Where this packet is.
    #[must_use]
    pub fn find(&self, pick: Pick) -> Option<usize> {
        let way = (pick.from, pick.to, pick.lane);
        let first = self.packets.partition_point(|other| other.get().way() < way);
        let at = first + usize::from(pick.nth);
        self.packets.get(at).is_some_and(|packet| packet.get().way() == way).then_some(at)
    }

    /// The name of the packet at this place.
    #[must_use]
    pub fn pick(&self, at: usize) -> Pick {
        let (from, to, lane) = self.packets[at].get().way();
        let before = self.packets[..at].iter().rev();
        let nth = before.take_while(|other| other.get().way() == (from, to, lane)).count();
        Pick { from, to, lane, nth: u8::try_from(nth).unwrap_or(u8::MAX) }
    }

    /// Opens a player's connection to a RoomServer node.
    pub fn open(&mut self, conn: ConnId, node: u8) {
        let at = self.conns.partition_point(|(other, _)| *other < conn);
        self.conns.insert(at, (conn, node));
    }

    /// The node at the other end of a player's connection.
    #[must_use]
    pub fn room_of(&self, conn: ConnId) -> Option<u8> {
        self.conns.iter().find(|(open, _)| *open == conn).map(|(_, node)| *node)
    }

    /// Closes a player's connection.
    pub fn close(&mut self, conn: ConnId) {
        self.conns.retain(|(open, _)| *open != conn);
    }
}
