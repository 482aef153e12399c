//! What the effects of a role mean in a world.

use gatepass_core::{
    ids::Addr,
    message::{Request, RequestBody},
};

use super::*;

impl World {
    /// Lets an effect of a node have its effect.
    pub(super) fn perform(&mut self, setup: &Setup, node: usize, effect: &Effect, scratch: &mut Scratch) {
        let packet = |to: usize, lane: u32, life: Option<u8>, body: Body| Packet {
            from: node as u16,
            to: to as u16,
            lane,
            life,
            body,
        };
        match effect {
            Effect::Send { conn, msg } => self.send(setup, node, *conn, msg, scratch),
            Effect::ToCenter(msg) => {
                if let Some(link) = self.links.of_node(node) {
                    let body = Body::Message(link, msg.clone());
                    self.post(setup, packet(setup.center(), lane(link), None, body), scratch);
                } else if matches!(msg, Message::ToCenter(ToCenter::Kick(_))) {
                    self.past.kick_lost = true;
                    if let Some(log) = &mut scratch.log {
                        let label = words::message(msg);
                        log.push(Happening::Lost { from: node, to: setup.center(), label });
                    }
                }
            }
            Effect::Ask { call, ask } => {
                let from = asker(node, self.hosts[node].get().life);
                let body = Body::Asked(Question { from, call: *call, ask: ask.clone() });
                self.post(setup, packet(setup.service(ask), lane(call.conn), None, body), scratch);
            }
            Effect::Answer { to, call, answer } => {
                let (to, life) = who_asked(*to);
                let body = Body::Answered(*call, answer.clone());
                self.post(setup, packet(to, lane(call.conn), Some(life), body), scratch);
            }
            // The node's timers are set where its step is taken.
            Effect::Arm { .. } | Effect::Disarm(_) => {}
            Effect::Connect { conn, endpoint } => self.connect(setup, node, *conn, endpoint, scratch),
            Effect::Close(conn) => self.close(setup, node, *conn, scratch),
            Effect::CloseAll => {
                self.reset_players(setup, node, scratch);
                self.hosts[node].disarm_conns();
                note(scratch, node, "closes every connection");
            }
            Effect::Note(fact) => self.note(setup, node, fact, scratch),
            Effect::Bound { conn, addr, .. } => {
                if setup.player_of(*conn).is_some_and(|player| *addr != address_of(player)) {
                    self.breaks(setup, scratch, Property::Authentic);
                }
            }
            Effect::Play { .. } => {}
        }
    }

    pub(super) fn send(
        &mut self,
        setup: &Setup,
        node: usize,
        conn: ConnId,
        msg: &Message,
        scratch: &mut Scratch,
    ) {
        if let Message::Request(Request { body: RequestBody::Login(credentials), .. }) = msg {
            self.sign(credentials);
        }
        if let Message::Reply(reply) = msg {
            self.tell_ledger(setup, Told::Replied(conn, reply.clone()), scratch);
        }
        if setup.is_attackers(conn) && !matches!(msg, Message::Request(_) | Message::ToRoom(_)) {
            return self.told_attacker(setup, node, conn, msg, scratch);
        }
        let to = match msg {
            Message::Request(_) => Some(setup.login_of(conn)),
            Message::Reply(_) | Message::ToPlayer(_) => setup.player_of(conn),
            Message::ToRoom(_) => self.conns.room_of(conn).map(usize::from),
            Message::ToServer(_) => self.links.node_of(conn),
            Message::ToCenter(_) => None,
        };
        let Some(to) = to else { return };
        let body = match msg {
            Message::ToServer(_) => Body::FromCenter(conn, msg.clone()),
            _ => Body::Message(conn, msg.clone()),
        };
        let (from, to) = (node as u16, to as u16);
        self.post(setup, Packet { from, to, lane: lane(conn), life: None, body }, scratch);
    }

    /// Sends a packet; on a link that takes no time it has already arrived.
    pub(super) fn post(&mut self, setup: &Setup, packet: Packet, scratch: &mut Scratch) {
        let Packet { from, to, life, ref body, .. } = packet;
        let (from, to) = (usize::from(from), usize::from(to));
        self.overhear(setup, from, to, body);
        // What comes on a connection that a player has given up can never matter again.
        if to < setup.players()
            && let HostRole::Player(player) = &self.hosts[to].get().role
            && let Body::Message(conn, _) | Body::Closed(conn) = body
            && !player.listens(*conn)
            && setup.reductions.has(Reduction::GivenUpIsMute)
        {
            return;
        }
        if setup.is_slow(from, to, body) {
            self.put(Shared::new(packet), scratch);
            return;
        }
        let host = self.hosts[to].get();
        let reaches = host.up && life.is_none_or(|life| life == host.life);
        if let Some(log) = &mut scratch.log {
            let label = words::body(body);
            log.push(if reaches {
                Happening::Message { from, to, label }
            } else {
                Happening::Lost { from, to, label }
            });
        }
        if reaches {
            if matches!(body, Body::LinkClosed(_)) {
                self.links.set(to, None);
            }
            scratch.tell(to, packet.body.event());
        }
    }

    pub(super) fn connect(
        &mut self,
        setup: &Setup,
        node: usize,
        conn: ConnId,
        endpoint: &gatepass_core::text::Endpoint,
        scratch: &mut Scratch,
    ) {
        let room = setup.room_at(endpoint).filter(|room| self.hosts[*room].get().up);
        let Some(room) = room else {
            scratch.tell(node, Event::Lost(conn));
            return;
        };
        self.conns.open(conn, room as u16);
        if let Some(log) = &mut scratch.log {
            log.push(Happening::Message { from: node, to: room, label: "connects".to_owned() });
        }
        let addr = address_of(node);
        scratch.tell(room, Event::Opened { conn, addr });
        scratch.tell(node, Event::Opened { conn, addr });
    }

    pub(super) fn close(&mut self, setup: &Setup, node: usize, conn: ConnId, scratch: &mut Scratch) {
        if node == setup.center() {
            if let Some(room) = self.links.node_of(conn) {
                self.post(setup, closing(node, room, conn, Body::LinkClosed(conn)), scratch);
            }
            return;
        }
        let Some(room) = self.conns.room_of(conn).map(usize::from) else { return };
        let to = if node == room { setup.player_of(conn) } else { Some(room) };
        self.conns.close(conn);
        self.tell_ledger(setup, Told::Closed(conn), scratch);
        if let Some(to) = to {
            self.post(setup, closing(node, to, conn, Body::Closed(conn)), scratch);
        }
    }

    pub(super) fn note(&mut self, setup: &Setup, node: usize, fact: &Fact, scratch: &mut Scratch) {
        if let Some(log) = &mut scratch.log
            && let Some(label) = words::fact(fact)
        {
            log.push(Happening::At { node, label });
        }
        let player = match fact {
            Fact::Admitted { conn, .. } => self.knows_at(setup, *conn),
            _ => None,
        };
        self.goals(setup, fact, scratch);
        self.tell_ledger(setup, Told::Fact(fact.clone(), player), scratch);
    }

    /// The account whose credential the owner of a connection knows; none: nobody's connection.
    fn knows_at(&self, setup: &Setup, conn: ConnId) -> Option<Option<AccountId>> {
        if !setup.is_attackers(conn) {
            return setup.player_of(conn).map(|player| self.account_of(setup, player));
        }
        let HostRole::Accounts(store) = &self.hosts[setup.accounts()].get().role else { return None };
        Some(setup.attackers_account(store))
    }

    fn account_of(&self, setup: &Setup, player: usize) -> Option<AccountId> {
        let HostRole::Accounts(store) = &self.hosts[setup.accounts()].get().role else { return None };
        setup.account_of(player, store)
    }

    pub(super) fn goals(&self, setup: &Setup, fact: &Fact, scratch: &mut Scratch) {
        let mut meet = |goal: Goal| {
            scratch.goals |= 1 << goal as u32;
            setup.meet(goal);
        };
        match fact {
            Fact::Admitted { resumes: Some(_), .. } => meet(Goal::SessionResumed),
            Fact::Admitted { account, handed_over, resumes: None, .. } => {
                meet(Goal::LoginSucceeds);
                scratch.logins += 1;
                if *handed_over && !self.past.room_crashed {
                    meet(Goal::RemoteTakeover);
                }
                if *handed_over && self.past.kick_lost {
                    meet(Goal::TakeoverAfterLostKick);
                }
                if *handed_over && self.past.room_crashed && self.ledger.get().was_live(*account) {
                    meet(Goal::TakeoverAfterCrash);
                }
            }
            Fact::Left { why: Ended::Replaced { .. }, .. } if *self.past == Past::default() => {
                meet(Goal::LocalTakeover);
            }
            Fact::TokenExpired { unused: true, .. } => meet(Goal::TokenExpiresUnused),
            Fact::TokenRefused { why: Refusal::TokenUsed, .. } => meet(Goal::ReplayRefused),
            Fact::GraceEnded if self.past.cache_lost && !self.ledger.get().live.is_empty() => {
                meet(Goal::CacheLossSurvived);
            }
            Fact::EntryRefused { why: Refusal::RoomFull, .. } => meet(Goal::FullRoomRefuses),
            Fact::EntryRefused { why: Refusal::Replaced, waited: true, .. } => meet(Goal::ThirdLoginWaits),
            Fact::EntryRefused { conn, .. } if setup.is_attackers(*conn) => meet(Goal::AttackerRefused),
            _ => {}
        }
    }
}

/// The end of a connection.
pub(super) fn closing(from: usize, to: usize, conn: ConnId, body: Body) -> Packet {
    Packet { from: from as u16, to: to as u16, lane: lane(conn), life: None, body }
}

/// The address of a player's node.
const fn address_of(player: usize) -> Addr {
    Addr(player as u128 + 1)
}
