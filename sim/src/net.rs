//! What is under way between nodes, and which connections are open.

use gatepass_core::{
    ids::{CallId, ConnId},
    message::{Answer, Message, Question},
    role::{Event, Outage},
};
use serde::{Deserialize, Serialize};

use crate::shared::Shared;

/// Messages under way.
///
/// They are kept in one order, whatever order they came in: which of two messages of different lanes was sent
/// first is nothing that anybody could notice, so two networks that differ only in that are one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Net {
    /// Under way: by sender, receiver and lane, and within a lane in the order they were sent. Without
    /// [`Reduction::OneOrder`](crate::reductions::Reduction) all in the order they were sent.
    pub packets: Vec<Shared<Packet>>,
    one_order: bool,
}

/// One message under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Packet {
    /// Sender.
    pub from: u16,
    /// Receiver.
    pub to: u16,
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
    const fn place(&self) -> (u16, u16, u32) {
        (self.from, self.to, self.lane)
    }

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
    pub from: u16,
    /// Receiver.
    pub to: u16,
    /// Lane.
    pub lane: u32,
    /// Position.
    pub nth: u16,
}

impl Net {
    /// Nothing under way.
    #[must_use]
    pub const fn new(one_order: bool) -> Self {
        Self { packets: Vec::new(), one_order }
    }

    /// Puts a packet on its way, behind all others of its lane.
    pub fn post(&mut self, packet: Shared<Packet>) {
        if !self.one_order {
            return self.packets.push(packet);
        }
        let lane = packet.get().place();
        let at = self.packets.partition_point(|other| other.get().place() <= lane);
        self.packets.insert(at, packet);
    }

    /// Takes a packet off its way.
    pub fn take(&mut self, pick: Pick) {
        if let Some(at) = self.find(pick) {
            self.packets.remove(at);
        }
    }

    /// Such packets are lost.
    pub fn lose(&mut self, such: impl Fn(&Packet) -> bool) {
        self.packets.retain(|packet| !such(packet.get()));
    }

    /// Where this packet is.
    #[must_use]
    pub fn find(&self, pick: Pick) -> Option<usize> {
        let lane = (pick.from, pick.to, pick.lane);
        if !self.one_order {
            let on_lane = |(_, packet): &(usize, &Shared<Packet>)| packet.get().place() == lane;
            return self
                .packets
                .iter()
                .enumerate()
                .filter(on_lane)
                .nth(usize::from(pick.nth))
                .map(|(at, _)| at);
        }
        let first = self.packets.partition_point(|other| other.get().place() < lane);
        let at = first + usize::from(pick.nth);
        self.packets.get(at).filter(|packet| packet.get().place() == lane).map(|_| at)
    }

    /// The name of the packet at this place, if `before` names the one before it.
    #[must_use]
    pub fn pick(&self, at: usize, before: Option<Pick>) -> Pick {
        let lane = self.packets[at].get().place();
        let (from, to, number) = lane;
        let nth = match before {
            _ if !self.one_order => {
                let earlier = self.packets[..at].iter().filter(|packet| packet.get().place() == lane);
                u16::try_from(earlier.count()).unwrap_or(u16::MAX)
            }
            Some(before) if (before.from, before.to, before.lane) == lane => before.nth.saturating_add(1),
            _ => 0,
        };
        Pick { from, to, lane: number, nth }
    }

    /// Whether a packet waits behind the one at this place, on its lane.
    #[must_use]
    pub fn has_next(&self, at: usize) -> bool {
        let Some((packet, behind)) = self.packets.get(at..).and_then(|rest| rest.split_first()) else {
            return false;
        };
        let lane = packet.get().place();
        let mut behind = behind.iter().take(if self.one_order { 1 } else { behind.len() });
        behind.any(|other| other.get().place() == lane)
    }
}

/// Open player connections by name: which RoomServer node is at the other end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Conns(Vec<(ConnId, u16)>);

impl Conns {
    /// Opens a player's connection to a node.
    pub fn open(&mut self, conn: ConnId, room: u16) {
        let at = self.0.partition_point(|(other, _)| *other < conn);
        self.0.insert(at, (conn, room));
    }

    /// The node at the other end of a player's connection.
    #[must_use]
    pub fn room_of(&self, conn: ConnId) -> Option<u16> {
        let at = self.0.binary_search_by_key(&conn, |(open, _)| *open).ok()?;
        self.0.get(at).map(|(_, node)| *node)
    }

    /// Closes a player's connection.
    pub fn close(&mut self, conn: ConnId) {
        self.0.retain(|(open, _)| *open != conn);
    }

    /// All that are open, by name, with the node at the other end.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (ConnId, u16)> {
        self.0.iter().copied()
    }
}

/// The links of RoomServers to RCenter that are up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Links {
    first_room: usize,
    links: Vec<Option<ConnId>>,
}

impl Links {
    /// None is up yet.
    #[must_use]
    pub fn of(rooms: std::ops::Range<usize>) -> Self {
        Self { first_room: rooms.start, links: vec![None; rooms.len()] }
    }

    /// The link of this node, if it is a RoomServer and has one.
    #[must_use]
    pub fn of_node(&self, node: usize) -> Option<ConnId> {
        self.links.get(node.checked_sub(self.first_room)?).copied().flatten()
    }

    /// The node that this is the link of.
    #[must_use]
    pub fn node_of(&self, link: ConnId) -> Option<usize> {
        let at = self.links.iter().position(|other| *other == Some(link))?;
        Some(self.first_room + at)
    }

    /// The link of a RoomServer comes up, or goes down.
    pub fn set(&mut self, node: usize, link: Option<ConnId>) {
        if let Some(place) = node.checked_sub(self.first_room).and_then(|at| self.links.get_mut(at)) {
            *place = link;
        }
    }
}

/// A set of nodes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Nodes(Vec<u64>);

impl Nodes {
    /// The first so many.
    #[must_use]
    pub fn first(count: usize) -> Self {
        let word = |at: usize| match count.saturating_sub(at * 64) {
            left @ 0..64 => (1 << left) - 1,
            _ => u64::MAX,
        };
        Self((0..count.div_ceil(64)).map(word).collect())
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn has(&self, node: usize) -> bool {
        self.0.get(node / 64).is_some_and(|word| word >> (node % 64) & 1 == 1)
    }

    /// Leaves one out.
    pub fn remove(&mut self, node: usize) {
        if let Some(word) = self.0.get_mut(node / 64) {
            *word &= !(1 << (node % 64));
        }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(at, word)| {
            let after = |word: &u64| Some(word & word.wrapping_sub(1));
            std::iter::successors(Some(*word), after)
                .take_while(|word| *word != 0)
                .map(move |word| at * 64 + word.trailing_zeros() as usize)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_a_set() {
        for count in [0, 1, 2, 63, 64, 65, 128, 200] {
            let mut nodes = Nodes::first(count);
            assert!(nodes.iter().eq(0..count), "{count}");
            nodes.remove(count / 2);
            assert!(nodes.iter().eq((0..count).filter(|node| *node != count / 2)), "{count}");
            assert!((0..300).all(|node| nodes.has(node) == nodes.iter().any(|other| other == node)));
        }
    }
}
