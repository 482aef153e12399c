//! RCenter: which RoomServers there are, how full they are, which seats are reserved; and the way from one
//! RoomServer to another.
//!
//! Everything here is soft: it may all be forgotten at any time without two sessions of one account ever
//! being live. RoomServers announce themselves again over a new link.

use alloc::collections::BTreeMap;

use crate::{
    ids::{AccountId, ConnId, LinkId, RoomId, ServerId},
    ledger::Fact,
    limits::{ROOMS_MAX, SEATS_MAX, SERVERS_MAX},
    message::{Answer, Ask, CenterAnswer, CenterAsk, Message, Place, Question, ToCenter, ToServer},
    policy::Policy,
    role::{Cx, Effect, Effects, Event, Role, Step, Timer, Why},
    text::Endpoint,
};

/// Registered RoomServers and reserved seats.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RCenter {
    /// Links that are open; a server stands behind those that have registered.
    links: BTreeMap<ConnId, Option<Server>>,
    seats: BTreeMap<AccountId, Seat>,
    last_room: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Server {
    link: LinkId,
    /// None for a server of the original kind: it gets no players here, since it holds no lease.
    id: Option<ServerId>,
    endpoint: Endpoint,
    room_capacity: u16,
    capacity: u32,
    players: u32,
    seats: u32,
    draining: bool,
    /// It has announced all its rooms.
    ready: bool,
    rooms: BTreeMap<RoomId, Room>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Room {
    players: u16,
    seats: u16,
}

impl Room {
    const fn taken(self) -> u32 {
        self.players as u32 + self.seats as u32
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Seat {
    link: ConnId,
    place: Place,
}

impl Server {
    const fn taken(&self) -> u32 {
        self.players + self.seats
    }

    fn has_room(&self, policy: &Policy) -> bool {
        let taken = if policy.seats_counted { self.taken() } else { self.players };
        let free = !policy.capacity_enforced || taken < self.capacity;
        self.ready && !self.draining && self.id.is_some() && free
    }
}

impl RCenter {
    /// An RCenter that knows nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many servers are registered and seats reserved.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize) {
        (self.servers().count(), self.seats.len())
    }

    /// Per room of each server: its capacity, and how many places players and seats take.
    pub fn rooms(&self) -> impl Iterator<Item = (RoomId, u16, u32)> + '_ {
        self.servers().flat_map(|(_, server)| {
            server.rooms.iter().map(|(id, room)| (*id, server.room_capacity, room.taken()))
        })
    }

    /// Whether nobody has registered yet on this link, which is open.
    #[must_use]
    pub fn is_unregistered(&self, link: ConnId) -> bool {
        self.links.get(&link) == Some(&None)
    }

    fn servers(&self) -> impl Iterator<Item = (ConnId, &Server)> {
        self.links.iter().filter_map(|(conn, server)| Some((*conn, server.as_ref()?)))
    }

    fn server(&mut self, conn: ConnId) -> Option<&mut Server> {
        self.links.get_mut(&conn)?.as_mut()
    }

    fn link_of(&self, id: ServerId) -> Option<ConnId> {
        self.servers().find(|(_, server)| server.id == Some(id)).map(|(conn, _)| conn)
    }

    fn register(
        &mut self,
        conn: ConnId,
        server: Option<ServerId>,
        endpoint: Endpoint,
        (room_capacity, capacity): (u16, u32),
        out: &mut Effects,
    ) {
        // The same server over a new link: the old link is dead, its peer just does not know it yet.
        let old = self
            .servers()
            .find(|(other, known)| {
                *other != conn && (known.endpoint == endpoint || server.is_some() && known.id == server)
            })
            .map(|(other, _)| other);
        if let Some(old) = old {
            self.drop_link(old);
            out.push(Effect::Close(old));
        }
        let link = self.name(endpoint.as_str());
        let entry = Server {
            link,
            id: server,
            endpoint,
            room_capacity,
            capacity,
            players: 0,
            seats: 0,
            draining: false,
            ready: false,
            rooms: BTreeMap::new(),
        };
        self.links.insert(conn, Some(entry));
        out.disarm(Timer::LinkUnverified(conn));
        out.send(conn, Message::ToServer(ToServer::Registered(link)));
    }

    /// Whether anything here speaks of this link, open or not.
    #[must_use]
    pub fn knows(&self, link: ConnId) -> bool {
        self.links.contains_key(&link) || self.seats.values().any(|seat| seat.link == link)
    }

    /// The id of a server follows from where it is, so that RoomServers that address each other by it go on doing so
    /// after RCenter has started again. The next one if that is zero or in use, as it is for a few of many servers: then
    /// who came first counts. There are fewer links than ids.
    fn name(&self, endpoint: &str) -> LinkId {
        let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        let hash = endpoint.bytes().fold(0x811c_9dc5, mix);
        let mut id = (hash ^ hash >> 16) as u16;
        while id == 0 || self.servers().any(|(_, server)| server.link == LinkId(id)) {
            id = id.wrapping_add(1);
        }
        LinkId(id)
    }

    fn drop_link(&mut self, conn: ConnId) -> bool {
        // Seats there expire by their own timers; a place asked for before that is a new one.
        self.links.remove(&conn).is_some()
    }

    fn place(&mut self, cx: &Cx<'_>, account: AccountId, scene: u32, out: &mut Effects) -> CenterAnswer {
        let policy = cx.settings.policy;
        if let Some(seat) = self.seats.get(&account).copied() {
            let usable = self.server(seat.link).is_some_and(|server| {
                // Players whom a former life of RCenter sent may have filled the room meanwhile.
                let fits = server.rooms.get(&seat.place.room).is_some_and(|room| {
                    !policy.capacity_enforced
                        || !policy.seats_counted
                        || room.taken() <= u32::from(server.room_capacity)
                });
                server.id == Some(seat.place.server) && server.ready && !server.draining && fits
            });
            if usable {
                if policy.seats_expire {
                    out.arm(Timer::Seat(account), cx.settings.times.seat);
                }
                return CenterAnswer::Placed(Place { scene, ..seat.place });
            }
            self.free_seat(account);
        }
        if self.seats.len() >= SEATS_MAX {
            return CenterAnswer::Full;
        }
        let Some((conn, room)) = self.choose(&cx.settings.policy) else {
            return CenterAnswer::Full;
        };
        let room = room.unwrap_or_else(|| self.next_room());
        let Some(server) = self.server(conn) else { return CenterAnswer::Full };
        let Some(id) = server.id else { return CenterAnswer::Full };
        server.seats += 1;
        server.rooms.entry(room).or_default().seats += 1;
        let place = Place { server: id, endpoint: server.endpoint, room, scene };
        self.seats.insert(account, Seat { link: conn, place });
        if policy.seats_expire {
            out.arm(Timer::Seat(account), cx.settings.times.seat);
        }
        CenterAnswer::Placed(place)
    }

    /// The least loaded server with a free place, and in it the fullest room with one: players should meet.
    /// No room means a new one.
    fn choose(&self, policy: &Policy) -> Option<(ConnId, Option<RoomId>)> {
        let (conn, server) = self
            .servers()
            .filter(|(_, server)| server.has_room(policy))
            .min_by_key(|(_, server)| (server.taken(), server.endpoint))?;
        let free = |room: &Room| {
            let taken = if policy.seats_counted { room.taken() } else { u32::from(room.players) };
            !policy.capacity_enforced || taken < u32::from(server.room_capacity)
        };
        let room = server
            .rooms
            .iter()
            .filter(|(_, room)| free(room))
            .max_by_key(|(id, room)| (room.taken(), core::cmp::Reverse(**id)))
            .map(|(id, _)| *id);
        if room.is_none() && server.rooms.len() >= ROOMS_MAX {
            return None;
        }
        Some((conn, room))
    }

    fn next_room(&mut self) -> RoomId {
        loop {
            self.last_room = self.last_room.wrapping_add(1);
            let room = RoomId(self.last_room);
            if room.0 != 0 && !self.servers().any(|(_, server)| server.rooms.contains_key(&room)) {
                return room;
            }
        }
    }

    fn free_seat(&mut self, account: AccountId) -> bool {
        let Some(seat) = self.seats.remove(&account) else { return false };
        let Some(server) = self.server(seat.link) else { return true };
        server.seats = server.seats.saturating_sub(1);
        if let Some(room) = server.rooms.get_mut(&seat.place.room) {
            room.seats = room.seats.saturating_sub(1);
            if room.taken() == 0 {
                server.rooms.remove(&seat.place.room);
            }
        }
        true
    }

    fn report(
        &mut self,
        conn: ConnId,
        room: RoomId,
        players: u16,
        joined: Option<AccountId>,
        out: &mut Effects,
    ) {
        if let Some(account) = joined
            && self.seats.get(&account).is_some_and(|seat| seat.link == conn && seat.place.room == room)
        {
            self.free_seat(account);
            out.disarm(Timer::Seat(account));
        }
        let Some(server) = self.server(conn) else { return };
        if server.rooms.len() >= ROOMS_MAX && !server.rooms.contains_key(&room) {
            return;
        }
        let entry = server.rooms.entry(room).or_default();
        server.players = server.players.saturating_sub(u32::from(entry.players)) + u32::from(players);
        entry.players = players;
        if entry.taken() == 0 {
            server.rooms.remove(&room);
        }
    }

    fn forward(&self, to: ServerId, msg: ToServer, out: &mut Effects) {
        if let Some(conn) = self.link_of(to) {
            out.send(conn, Message::ToServer(msg));
        }
    }

    fn received(&mut self, policy: &Policy, conn: ConnId, msg: ToCenter, out: &mut Effects) -> Step {
        let Some(registered) = self.links.get(&conn).map(Option::is_some) else {
            return Step::Ignored(Why::Stale);
        };
        if let ToCenter::Register { trusted, server, endpoint, room_capacity, capacity } = msg {
            if !trusted && policy.links_verified || registered {
                // A wrong key, or a peer that registers twice on one link: neither is served.
                self.drop_link(conn);
                out.disarm(Timer::LinkUnverified(conn));
                out.push(Effect::Close(conn));
            } else {
                self.register(conn, server, endpoint, (room_capacity, capacity), out);
            }
            return Step::Advanced;
        }
        if !registered {
            return Step::Ignored(Why::Unexpected);
        }
        match msg {
            ToCenter::Register { .. } => {}
            ToCenter::Load { players, .. } => {
                if let Some(server) = self.server(conn) {
                    server.ready = true;
                    // Counted room by room; a server of the original kind reports only this total.
                    if server.id.is_none() {
                        server.players = players;
                    }
                }
            }
            ToCenter::Room { room, players, joined } => self.report(conn, room, players, joined, out),
            ToCenter::RoomGone(room) => self.report(conn, room, 0, None, out),
            ToCenter::Kick(kick) if self.server(conn).is_none_or(|server| server.id != Some(kick.from)) => {
                return Step::Ignored(Why::Unexpected);
            }
            ToCenter::Kick(kick) => {
                out.note(Fact::KickAsked { account: kick.account });
                self.forward(kick.owner, ToServer::Kick(kick), out);
            }
            ToCenter::Kicked { to, account } => {
                out.note(Fact::KickConfirmed { account });
                self.forward(to, ToServer::Kicked(account), out);
            }
            ToCenter::Kept { to, account, below } => self.forward(to, ToServer::Kept { account, below }, out),
            ToCenter::Draining => {
                if let Some(server) = self.server(conn) {
                    server.draining = true;
                }
            }
            ToCenter::Fenced => {
                if let Some(server) = self.server(conn) {
                    server.ready = false;
                    server.players = 0;
                    for room in server.rooms.values_mut() {
                        room.players = 0;
                    }
                    server.rooms.retain(|_, room| room.seats > 0);
                }
            }
            ToCenter::Forward { link, flag, data } => {
                let target = self.servers().find(|(_, server)| server.link == link).map(|(conn, _)| conn);
                if let Some(conn) = target {
                    out.send(conn, Message::ToServer(ToServer::Forwarded { flag, data }));
                }
            }
        }
        Step::Advanced
    }
}

impl Role for RCenter {
    fn phase(&self, event: &Event) -> &'static str {
        match event.conn().map(|conn| self.links.get(&conn)) {
            None if self.servers().any(|(_, server)| server.ready) => "has servers",
            None => "has no server",
            Some(None) => "no link",
            Some(Some(None)) => "unregistered",
            Some(Some(Some(server))) if server.draining => "draining",
            Some(Some(Some(server))) if server.ready => "ready",
            Some(Some(Some(_))) => "announcing",
        }
    }

    fn step(&mut self, cx: &mut Cx<'_>, event: Event, out: &mut Effects) -> Step {
        match event {
            // A connection opens once: a second time would forget the server behind it, but not its seats.
            Event::Opened { conn, .. } if !self.links.contains_key(&conn) => {
                if self.links.len() >= SERVERS_MAX {
                    out.push(Effect::Close(conn));
                } else {
                    self.links.insert(conn, None);
                    out.arm(Timer::LinkUnverified(conn), cx.settings.times.unverified);
                }
                Step::Advanced
            }
            Event::Received { conn, msg: Message::ToCenter(msg) } => {
                self.received(&cx.settings.policy, conn, msg, out)
            }
            Event::Lost(conn) if self.drop_link(conn) => {
                out.disarm(Timer::LinkUnverified(conn));
                Step::Advanced
            }
            Event::Fired(Timer::LinkUnverified(conn)) if self.links.get(&conn) == Some(&None) => {
                self.drop_link(conn);
                out.push(Effect::Close(conn));
                Step::Advanced
            }
            Event::Fired(Timer::Seat(account)) if self.free_seat(account) => Step::Advanced,
            Event::Asked(Question { from, call, ask: Ask::Center(CenterAsk::Place { account, scene }) }) => {
                let answer = Answer::Center(self.place(cx, account, scene, out));
                out.answer(from, call, answer);
                Step::Advanced
            }
            Event::Lost(_) | Event::Fired(Timer::LinkUnverified(_) | Timer::Seat(_)) => {
                Step::Ignored(Why::Stale)
            }
            _ => Step::Ignored(Why::Unexpected),
        }
    }

    fn check(&self) -> Result<(), &'static str> {
        for (conn, server) in self.servers() {
            let seats: u32 = server.rooms.values().map(|room| u32::from(room.seats)).sum();
            let held = self.seats.values().filter(|seat| seat.link == conn).count();
            if seats != server.seats || held != seats as usize {
                return Err("every reserved seat is counted once, in its room and its server");
            }
        }
        Ok(())
    }
}
