//! What the attacker hears and does.

use gatepass_core::{
    ids::{AccountId, Addr, Ordinal, Payload, ServerId},
    message::{Age, Credentials, Kick, Request, RequestBody, ToCenter, ToRoom},
    text::{bounded, nickname},
};

use super::*;
use crate::attacker::{Attack, forged};

/// A server that there is not.
const FALSE_SERVER: ServerId = ServerId(999);

/// What a request with a signature is that fits in no form.
const WRONG: RequestBody = RequestBody::Bad(Refusal::BadSignature);

/// What is not honest about a request of the attacker.
#[derive(Clone, Copy, Debug)]
enum Trick {
    None,
    /// Somebody else's request, once more.
    Replay,
    /// Other members read into what was signed.
    Recast,
}

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
        if self.attacker.get().rereads(conn) {
            self.attacker.edit().answered(conn);
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
            Attack::Login { who, at } => {
                let Some((credentials, own)) = known.credentials(who) else { return false };
                if let Credentials::Signed { form, .. } = credentials {
                    let body = if form.is_some() { RequestBody::Login(credentials.clone()) } else { WRONG };
                    // The ledger knows itself whether it was accepted before.
                    return self.ask_as_attacker(setup, at, body, Trick::None, scratch);
                }
                let body = RequestBody::Login(credentials.clone());
                let trick = if own { Trick::None } else { Trick::Replay };
                return self.ask_as_attacker(setup, at, body, trick, scratch);
            }
            Attack::Recast { who, account, moved } => {
                return self.recast(setup, who, account, moved, scratch);
            }
            Attack::Claim(account) => return self.claim(setup, account, scratch),
            Attack::Ask(at) => {
                let Some(session) = known.session(at) else { return false };
                let body = RequestBody::Room { session: Some(session), scene: 0 };
                return self.ask_as_attacker(setup, 0, body, Trick::None, scratch);
            }
            Attack::Insist => {
                let Some(conn) = self.attackers_conn(setup) else { return false };
                let Some(room) = self.conns.room_of(conn).map(usize::from) else { return false };
                self.attacker.edit().moves -= 1;
                return self.say_as_attacker(setup, room, conn, login(Some(forged())), scratch);
            }
            Attack::Bind { token, room } => return self.bind(setup, token, room.into(), scratch),
            Attack::Register => return self.link_as_attacker(setup, wrong_key(), scratch),
            Attack::Kick => {
                let kick = self.order(setup);
                return self.link_as_attacker(setup, kick, scratch);
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
        let conn = self.next_attackers_conn(setup, 0);
        self.conns.open(conn, to);
        if let Some(log) = &mut scratch.log {
            log.push(Happening::Message { from: setup.nodes(), to: room, label: "connects".to_owned() });
        }
        scratch.tell(room, Event::Opened { conn, addr: address(setup) });
        match msg {
            Some(msg) => self.say_as_attacker(setup, room, conn, msg, scratch),
            None => true,
        }
    }

    /// Comes with something signed, and says that it was signed for somebody, perhaps at another time. Whoever
    /// verifies it writes down what he is told, and sees whether the signature is for that.
    fn recast(&mut self, setup: &Setup, who: u8, account: u8, moved: bool, scratch: &mut Scratch) -> bool {
        let Some((Credentials::Signed { identity: own, payload, age, .. }, _)) =
            self.attacker.get().credentials(who)
        else {
            return false;
        };
        let (own, payload, age) = (*own, *payload, *age);
        let Some(&identity) = setup.vouched_for().get(usize::from(account)) else { return false };
        if own == identity && !moved {
            return false;
        }
        let Some(login) = setup.logins().next() else { return false };
        // He chose the other time so that it is good whenever he wants it to be.
        let age = if moved { Age::Fresh } else { self.age(setup, login, payload).unwrap_or(age) };
        setup.exercise(Properties::only(Property::Authentic));
        let form = setup.reading(&own, &identity, moved);
        let (body, trick) = if form.is_some() {
            let credentials = Credentials::Signed { identity, registers: false, payload, age, form };
            (RequestBody::Login(credentials), Trick::Recast)
        } else {
            (WRONG, Trick::None)
        };
        let asked = self.ask_as_attacker(setup, 0, body, trick, scratch);
        if asked {
            let when = if moved { ", signed at another time" } else { "" };
            let outcome = match form {
                None => "does not read the same",
                Some(form) if form == setup.settings.policy.signed_text => "reads the same",
                Some(_) => "reads the same to who is careless",
            };
            let what = format!("{} for {}{when} {outcome}", words::payload(payload), identity.subject);
            note(scratch, login, &what);
        }
        asked
    }

    /// Says who he is and shows nothing. Whether that is enough is for the LoginServer to say.
    fn claim(&mut self, setup: &Setup, account: u8, scratch: &mut Scratch) -> bool {
        let Some(&identity) = setup.vouched_for().get(usize::from(account)) else { return false };
        setup.exercise(Properties::only(Property::Authentic));
        let nothing = u128::MAX - u128::from(self.attacker.get().conns);
        let payload = Payload::new(nothing.to_be_bytes());
        let age = Age::Fresh;
        let credentials = Credentials::Signed { identity, registers: false, payload, age, form: None };
        self.ask_as_attacker(setup, 0, RequestBody::Login(credentials), Trick::None, scratch)
    }

    /// Asks for the datagrams of whoever came in by this token. Its account stands beside it wherever he read it.
    fn bind(&mut self, setup: &Setup, token: u8, room: usize, scratch: &mut Scratch) -> bool {
        let Some(key) = self.attacker.get().token(token) else { return false };
        let Some(account) = self.ledger.get().tokens.get(&key).map(|token| token.account) else {
            return false;
        };
        if !setup.rooms().contains(&room) || !self.hosts[room].get().up {
            return false;
        }
        self.attacker.edit().moves -= 1;
        setup.exercise(Properties::only(Property::Authentic));
        let msg = Message::ToRoom(ToRoom::Bind { account, key: Some(key) });
        if let Some(log) = &mut scratch.log {
            log.push(Happening::Message { from: setup.nodes(), to: room, label: words::message(&msg) });
        }
        scratch.tell(room, Event::Datagram { addr: address(setup), port: 1, msg });
        true
    }

    /// A kick of whoever plays by the first account, whatever his login.
    fn order(&self, setup: &Setup) -> ToCenter {
        let owner = setup.rooms().find_map(|room| match &self.hosts[room].get().role {
            HostRole::Room(room) => Some(room.id()),
            _ => None,
        });
        let (from, below) = (FALSE_SERVER, Ordinal::MAX);
        let owner = owner.unwrap_or(from);
        ToCenter::Kick(Kick { from, owner, account: AccountId(1), below, version: below })
    }

    /// Links to RCenter as a RoomServer would, and says this first.
    fn link_as_attacker(&mut self, setup: &Setup, says: ToCenter, scratch: &mut Scratch) -> bool {
        let center = setup.center();
        if !self.hosts[center].get().up {
            return false;
        }
        let conn = self.next_attackers_conn(setup, 0);
        scratch.tell(center, Event::Opened { conn, addr: address(setup) });
        self.say_as_attacker(setup, center, conn, Message::ToCenter(says), scratch)
    }

    fn ask_as_attacker(
        &mut self,
        setup: &Setup,
        at: u8,
        body: RequestBody,
        trick: Trick,
        scratch: &mut Scratch,
    ) -> bool {
        let Some(login) = setup.logins().nth(usize::from(at)) else { return false };
        if !self.hosts[login].get().up {
            return false;
        }
        let conn = self.next_attackers_conn(setup, at);
        match trick {
            Trick::None => {}
            Trick::Replay => {
                self.attacker.edit().replays(conn);
                setup.exercise(Properties::only(Property::SignatureOnce));
            }
            Trick::Recast => self.attacker.edit().recasts(conn),
        }
        let request = Request { addr: address(setup), signed: true, body };
        self.say_as_attacker(setup, login, conn, Message::Request(request), scratch)
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
        scratch.tell(to, Event::Received { conn, msg });
        true
    }

    fn next_attackers_conn(&mut self, setup: &Setup, login: u8) -> ConnId {
        let attacker = self.attacker.edit();
        attacker.moves -= 1;
        attacker.conns += 1;
        ConnId(setup.attackers_first_conn_to(login) + u64::from(attacker.conns) - 1)
    }
}

/// The first frame of a RoomServer that does not have the shared key.
fn wrong_key() -> ToCenter {
    ToCenter::Register {
        trusted: false,
        server: Some(FALSE_SERVER),
        endpoint: bounded("mallory:1").unwrap_or_default(),
        room_capacity: u16::MAX,
        capacity: u16::MAX.into(),
    }
}

fn address(setup: &Setup) -> Addr {
    Addr(setup.players() as u128 + 1)
}
