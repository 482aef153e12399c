//! What the attacker hears and does.

use gatepass_core::{
    ids::Addr,
    message::{Credentials, Request, RequestBody, ToRoom},
    text::nickname,
};

use super::*;
use crate::attacker::{Attack, forged};

impl World {
    /// Whoever reads a plain link learns what is said on it when it is said.
    pub(super) fn overhear(&mut self, setup: &Setup, from: usize, to: usize, body: &Body) {
        if setup.scenario.attacker.is_none() || !setup.is_plain(from, to) {
            return;
        }
        if let Body::Message(_, msg) = body
            && self.attacker.get().learns(msg)
        {
            self.attacker.edit().learn(msg);
        }
    }

    /// The newest connection of the attacker to a RoomServer.
    pub(super) fn attackers_conn(&self, setup: &Setup) -> Option<ConnId> {
        self.net.get().conns.iter().map(|(conn, _)| *conn).rfind(|conn| setup.is_attackers(*conn))
    }

    /// A server says something to the attacker. It takes no time: he can always wait himself.
    pub(super) fn told_attacker(
        &mut self,
        setup: &Setup,
        node: usize,
        conn: ConnId,
        msg: &Message,
        scratch: &mut Scratch,
    ) {
        if let Some(log) = &mut scratch.log {
            log.push(Happening::Message { from: node, to: setup.nodes(), label: words::message(msg) });
        }
        if let Message::Reply(reply) = msg
            && self.attacker.get().was_accepted(conn, reply)
        {
            self.breaks(setup, scratch, Property::SignatureOnce);
        }
        if self.attacker.get().learns(msg) {
            self.attacker.edit().learn(msg);
        }
    }

    pub(super) fn attack(&mut self, setup: &Setup, attack: Attack, scratch: &mut Scratch) -> bool {
        let known = self.attacker.get();
        if known.moves == 0 || setup.scenario.attacker.is_none() {
            return false;
        }
        let login = |key| Message::ToRoom(ToRoom::Login { name: nickname("mallory"), key });
        let (to, msg) = match attack {
            Attack::Login(at) => {
                let Some((credentials, own)) = known.credentials(at) else { return false };
                let body = RequestBody::Login(credentials.clone());
                // Of a signed payload the ledger knows itself whether it was accepted before.
                let replayed = !own && !matches!(credentials, Credentials::Signed { .. });
                return self.ask_as_attacker(setup, body, replayed, scratch);
            }
            Attack::Ask(at) => {
                let Some(session) = known.session(at) else { return false };
                let body = RequestBody::Room { session: Some(session), scene: 0 };
                return self.ask_as_attacker(setup, body, false, scratch);
            }
            Attack::Insist => {
                let Some(conn) = self.attackers_conn(setup) else { return false };
                let Some(room) = self.net.get().room_of(conn).map(usize::from) else { return false };
                self.attacker.edit().moves -= 1;
                return self.say_as_attacker(setup, room, conn, login(Some(forged())), scratch);
            }
            Attack::Enter { token, room } => {
                let Some(key) = known.token(token) else { return false };
                (room, Some(login(Some(key))))
            }
            Attack::Empty(room) => (room, Some(login(None))),
            Attack::Forge(room) => (room, Some(login(Some(forged())))),
            Attack::Hold(room) => (room, None),
            Attack::Talk(room) => (room, Some(Message::ToRoom(ToRoom::Game(1)))),
        };
        let room = usize::from(to);
        if !setup.rooms().contains(&room) || !self.hosts[room].get().up {
            return false;
        }
        let conn = self.next_attackers_conn(setup);
        self.net.edit().open(conn, to);
        if let Some(log) = &mut scratch.log {
            log.push(Happening::Message { from: setup.nodes(), to: room, label: "connects".to_owned() });
        }
        scratch.queue.push_back((room, Event::Opened { conn, addr: address(setup) }));
        match msg {
            Some(msg) => self.say_as_attacker(setup, room, conn, msg, scratch),
            None => true,
        }
    }

    fn ask_as_attacker(
        &mut self,
        setup: &Setup,
        body: RequestBody,
        replayed: bool,
        scratch: &mut Scratch,
    ) -> bool {
        if !self.hosts[setup.login()].get().up {
            return false;
        }
        let conn = self.next_attackers_conn(setup);
        if replayed {
            self.attacker.edit().replays(conn);
            setup.exercise(Properties::only(Property::SignatureOnce));
        }
        let request = Request { addr: address(setup), signed: true, body };
        self.say_as_attacker(setup, setup.login(), conn, Message::Request(request), scratch)
    }

    fn say_as_attacker(
        &mut self,
        setup: &Setup,
        to: usize,
        conn: ConnId,
        msg: Message,
        scratch: &mut Scratch,
    ) -> bool {
        if let Some(log) = &mut scratch.log {
            log.push(Happening::Message { from: setup.nodes(), to, label: words::message(&msg) });
        }
        scratch.queue.push_back((to, Event::Received { conn, msg }));
        true
    }

    fn next_attackers_conn(&mut self, setup: &Setup) -> ConnId {
        let attacker = self.attacker.edit();
        attacker.moves -= 1;
        attacker.conns += 1;
        ConnId(setup.attackers_first_conn() + u64::from(attacker.conns) - 1)
    }
}

fn address(setup: &Setup) -> Addr {
    Addr(setup.players() as u128 + 1)
}
