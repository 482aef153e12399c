//! What comes to a node, and what it sends: events and packets, as they are or by reference to what is remembered.

use super::*;
use crate::shared::fingerprint;

/// What comes to a node.
#[derive(Clone, Debug)]
pub(super) enum Coming {
    /// An event.
    Event(Event),
    /// A packet arrives.
    Packet(Shared<Packet>),
    /// A timer that is still armed runs out.
    RanOut(Timer),
}

impl From<Event> for Coming {
    fn from(event: Event) -> Self {
        Self::Event(event)
    }
}

impl From<Shared<Packet>> for Coming {
    fn from(packet: Shared<Packet>) -> Self {
        Self::Packet(packet)
    }
}

impl Coming {
    /// The event that it is for its receiver.
    pub(super) fn event(self) -> Event {
        match self {
            Self::Event(event) => event,
            Self::Packet(packet) => packet.get().body.clone().event(),
            Self::RanOut(timer) => Event::Fired(timer),
        }
    }

    /// The message in it and the connection it came on, if it is one of a client.
    pub(super) fn received(&self) -> Option<(ConnId, &Message)> {
        match self {
            Self::Event(Event::Received { conn, msg }) => Some((*conn, msg)),
            Self::Event(_) | Self::RanOut(_) => None,
            Self::Packet(packet) => match &packet.get().body {
                Body::Message(conn, msg) => Some((*conn, msg)),
                _ => None,
            },
        }
    }

    /// Names it for whoever remembers what came of it.
    pub(super) fn print(&self) -> u64 {
        match self {
            Self::Event(event) => fingerprint(event),
            Self::Packet(packet) => packet.fingerprint(),
            Self::RanOut(timer) => fingerprint(&("ran out", timer)),
        }
    }
}

/// A packet that is sent.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "it is on its way into a pointer of its own")]
pub(super) enum Parcel {
    /// For the first time.
    New(Packet),
    /// As it was sent before.
    Known(Shared<Packet>),
}

impl Parcel {
    /// A packet from, to, on a lane, for a life. An effect that is `known` has sent the same one before.
    pub(super) fn of(
        known: Option<&Known>,
        (from, to, lane, life): (usize, usize, u32, Option<u8>),
        body: impl FnOnce() -> Body,
    ) -> Self {
        let (from, to) = (from as u16, to as u16);
        let packet = || Packet { from, to, lane, life, body: body() };
        let Some(known) = known else { return Self::New(packet()) };
        let Some(sent) = known.packet.get() else {
            let sent = Shared::new(packet());
            let _ = known.packet.set(sent.clone());
            return Self::Known(sent);
        };
        let it = sent.get();
        let same = (it.from, it.to, it.lane, it.life) == (from, to, lane, life);
        if same { Self::Known(sent.clone()) } else { Self::New(packet()) }
    }

    /// The end of a connection.
    pub(super) fn closing(from: usize, to: usize, conn: ConnId, body: Body) -> Self {
        Self::of(None, (from, to, lane(conn), None), || body)
    }

    pub(super) fn get(&self) -> &Packet {
        match self {
            Self::New(packet) => packet,
            Self::Known(packet) => packet.get(),
        }
    }

    pub(super) fn shared(self) -> Shared<Packet> {
        match self {
            Self::New(packet) => Shared::new(packet),
            Self::Known(packet) => packet,
        }
    }

    /// It has arrived.
    pub(super) fn coming(self) -> Coming {
        match self {
            Self::New(packet) => packet.body.event().into(),
            Self::Known(packet) => packet.into(),
        }
    }
}
