//! What is under way between nodes, and which connections are open.

use gatepass_core::{
    ids::{CallId, ConnId},
    message::{Answer, Message, Question},
    role::{Event, Outage},
};
use serde::{Deserialize, Serialize};

use crate::shared::Shared;

/// Messages under way, in the order they were sent, and open connections to RoomServers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Net {
    /// Under way.
    pub packets: Vec<Shared<Packet>>,
    /// Open player connections: which RoomServer node is at the other end.
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

impl Net {
    /// Where this packet is.
    #[must_use]
    pub fn find(&self, pick: Pick) -> Option<usize> {
        self.packets
            .iter()
            .enumerate()
            .filter(|(_, packet)| {
                let packet = packet.get();
                packet.from == pick.from && packet.to == pick.to && packet.lane == pick.lane
            })
            .nth(usize::from(pick.nth))
            .map(|(at, _)| at)
    }

    /// The name of the packet at this place.
    #[must_use]
    pub fn pick(&self, at: usize) -> Pick {
        let packet = self.packets[at].get();
        let (from, to, lane) = (packet.from, packet.to, packet.lane);
        let same = |other: &&Shared<Packet>| {
            let other = other.get();
            other.from == from && other.to == to && other.lane == lane
        };
        let nth = self.packets[..at].iter().filter(same).count();
        Pick { from, to, lane, nth: u8::try_from(nth).unwrap_or(u8::MAX) }
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
