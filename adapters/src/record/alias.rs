//! What stands for secrets in a recording.
//!
//! A key is replaced by its alias: the hash of it under a secret that is written nowhere. Equal keys have equal
//! aliases, in all processes that share the secret, and an alias says nothing about its key. Passwords, device ids
//! and what servers of the original kind forward to each other are left out. Roles do with aliases exactly what
//! they did with keys, since they only ask whether keys are equal.

use argon2::{Algorithm, Argon2, Params, Version};
use blake2::{
    Blake2sMac,
    digest::{KeyInit, Mac, consts::U16},
};
use gatepass_core::{
    ids::{Payload, RoomKey, SessionKey},
    ledger::Fact,
    message::{
        AccountsAsk, Answer, Ask, CacheAnswer, CacheAsk, Credentials, Message, Question, Reply, Request,
        RequestBody, ToCenter, ToRoom, ToServer,
    },
    role::{Effect, Event, Timer},
    text::{Device, Password},
};
use zeroize::Zeroize;

use super::{Entry, Stepped};
use crate::key::SharedKey;

/// Makes aliases of keys.
#[derive(Clone)]
pub struct Aliases(Blake2sMac<U16>);

impl Aliases {
    /// Aliases that nobody else makes: for a process that no other one is linked to.
    ///
    /// # Errors
    /// The operating system has no randomness.
    pub fn of_this_life() -> std::io::Result<Self> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(std::io::Error::other)?;
        Ok(Self::new(secret))
    }

    /// The aliases of all processes that share this key. Trying keys costs as much as trying passwords, so a
    /// recording is no short way to a weak key.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn of_deployment(key: &SharedKey) -> std::io::Result<Self> {
        let params = Params::new(19_456, 2, 1, None).map_err(std::io::Error::other)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut secret = [0; 32];
        argon2
            .hash_password_into(key.expose().as_bytes(), b"gatepass aliases", &mut secret)
            .map_err(std::io::Error::other)?;
        Ok(Self::new(secret))
    }

    fn new(mut secret: [u8; 32]) -> Self {
        let mac = Blake2sMac::new(&secret.into());
        secret.zeroize();
        Self(mac)
    }

    /// The same for all who make the same aliases.
    #[must_use]
    pub fn name(&self) -> [u8; 16] {
        self.of(*b"which aliases?  ")
    }

    fn of(&self, bits: [u8; 16]) -> [u8; 16] {
        // The empty key is no secret, and means something.
        if bits == [0; 16] {
            return bits;
        }
        self.0.clone().chain_update(bits).finalize().into_bytes().into()
    }

    /// Takes the secrets out of an entry.
    pub(super) fn scrub(&self, entry: &mut Entry) {
        match entry {
            Entry::Stepped(step) => {
                let Stepped { event, drawn, effects, .. } = &mut **step;
                let scrub = Scrub(Some(self));
                scrub.event(event);
                drawn.iter_mut().for_each(|bits| scrub.bits(bits));
                effects.iter_mut().for_each(|effect| scrub.effect(effect));
            }
            Entry::Verified { .. } | Entry::Alive { .. } | Entry::Ended { .. } => {}
        }
    }
}

impl std::fmt::Debug for Aliases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Aliases(..)")
    }
}

/// Takes out what a replayed role made of nothing but aliases: where keys are aliases already.
pub(super) fn scrub_replayed(effect: &mut Effect) {
    Scrub(None).effect(effect);
}

/// A walk to every secret. It names every variant, so that a new one cannot be forgotten.
struct Scrub<'a>(Option<&'a Aliases>);

impl Scrub<'_> {
    fn bits(&self, bits: &mut [u8; 16]) {
        if let Some(aliases) = self.0 {
            *bits = aliases.of(*bits);
        }
    }

    fn session(&self, key: &mut SessionKey) {
        let mut bits = key.bits();
        self.bits(&mut bits);
        *key = SessionKey::new(bits);
    }

    fn room(&self, key: &mut RoomKey) {
        let mut bits = key.bits();
        self.bits(&mut bits);
        *key = RoomKey::new(bits);
    }

    fn payload(&self, payload: &mut Payload) {
        let mut bits = payload.bits();
        self.bits(&mut bits);
        *payload = Payload::new(bits);
    }

    /// Leaves the account's name, and nothing that proves anything.
    fn credentials(&self, credentials: &mut Credentials) {
        match credentials {
            Credentials::Password { name: _, password } | Credentials::Register { name: _, password } => {
                *password = Password::empty();
            }
            Credentials::Guest { device } => *device = Device::new(),
            Credentials::Signed { identity: _, registers: _, payload, age: _, form: _ } => {
                self.payload(payload);
            }
        }
    }

    fn room_if_any(&self, key: &mut Option<RoomKey>) {
        if let Some(key) = key {
            self.room(key);
        }
    }

    fn event(&self, event: &mut Event) {
        match event {
            Event::Received { conn: _, msg } | Event::Datagram { addr: _, port: _, msg } => self.message(msg),
            Event::FromCenter(msg) => self.message(msg),
            Event::Asked(Question { from: _, call: _, ask }) => self.ask(ask),
            Event::Answered { call: _, answer: Ok(answer) } => self.answer(answer),
            Event::Fired(timer) => self.timer(timer),
            Event::Opened { .. }
            | Event::Lost(_)
            | Event::Linked
            | Event::Unlinked
            | Event::Answered { call: _, answer: Err(_) }
            | Event::Command(_) => {}
        }
    }

    fn effect(&self, effect: &mut Effect) {
        match effect {
            Effect::Send { conn: _, msg } | Effect::ToCenter(msg) => self.message(msg),
            Effect::Ask { call: _, ask } => self.ask(ask),
            Effect::Answer { to: _, call: _, answer } => self.answer(answer),
            Effect::Arm { timer, after: _ } | Effect::Disarm(timer) => self.timer(timer),
            Effect::Note(fact) => self.fact(fact),
            Effect::Connect { .. }
            | Effect::Close(_)
            | Effect::CloseAll
            | Effect::Bound { .. }
            | Effect::Play { .. } => {}
        }
    }

    fn message(&self, msg: &mut Message) {
        match msg {
            Message::Request(Request { addr: _, signed: _, body }) => match body {
                RequestBody::Login(credentials) => self.credentials(credentials),
                RequestBody::Room { session, scene: _ } | RequestBody::Session { session } => {
                    if let Some(key) = session {
                        self.session(key);
                    }
                }
                RequestBody::Bad(_) => {}
            },
            Message::Reply(reply) => match reply {
                Reply::LoggedIn { name: _, account: _, newbie: _, password, session } => {
                    if let Some(password) = password {
                        *password = Password::empty();
                    }
                    self.session(session);
                }
                Reply::Room { account: _, endpoint: _, key, room: _, scene: _ } => self.room(key),
                Reply::Session { account: _ } | Reply::Refused(_) => {}
            },
            Message::ToRoom(ToRoom::Login { name: _, key } | ToRoom::Bind { account: _, key }) => {
                self.room_if_any(key);
            }
            Message::ToRoom(ToRoom::Heartbeat | ToRoom::Logout | ToRoom::Game(_) | ToRoom::Malformed)
            | Message::ToPlayer(_) => {}
            Message::ToCenter(msg) => match msg {
                ToCenter::Forward { link: _, flag: _, data } => *data = Box::default(),
                ToCenter::Register { .. }
                | ToCenter::Load { .. }
                | ToCenter::Room { .. }
                | ToCenter::RoomGone(_)
                | ToCenter::Kick(_)
                | ToCenter::Kicked { .. }
                | ToCenter::Kept { .. }
                | ToCenter::Draining
                | ToCenter::Fenced => {}
            },
            Message::ToServer(msg) => match msg {
                ToServer::CheckRelogin { key, account: _ } => self.room_if_any(key),
                ToServer::Forwarded { flag: _, data } => *data = Box::default(),
                ToServer::Registered(_)
                | ToServer::Kick(_)
                | ToServer::Kicked(_)
                | ToServer::Kept { .. }
                | ToServer::LoadConfig => {}
            },
        }
    }

    fn ask(&self, ask: &mut Ask) {
        match ask {
            Ask::Cache(ask) => match ask {
                CacheAsk::OpenSession { account: _, key, payload } => {
                    self.session(key);
                    if let Some(payload) = payload {
                        self.payload(payload);
                    }
                }
                CacheAsk::FindSession { key } => self.session(key),
                CacheAsk::IssueToken { session, account: _, key, place: _ } => {
                    self.session(session);
                    self.room(key);
                }
                CacheAsk::Redeem { key, server: _, attempt: _, generation: _ } => self.room(key),
                CacheAsk::Recall { used, last: _ } => {
                    for payload in used {
                        self.payload(payload);
                    }
                }
                CacheAsk::RevokeSession { .. }
                | CacheAsk::Claim { .. }
                | CacheAsk::Release { .. }
                | CacheAsk::Renew { .. }
                | CacheAsk::Reassert { .. }
                | CacheAsk::Resign { .. } => {}
            },
            Ask::Accounts(ask) => match ask {
                AccountsAsk::Verify { credentials, guest_password } => {
                    self.credentials(credentials);
                    *guest_password = Password::empty();
                }
                AccountsAsk::Profile { .. } | AccountsAsk::Played { .. } => {}
            },
            Ask::Center(_) => {}
        }
    }

    fn answer(&self, answer: &mut Answer) {
        match answer {
            Answer::Cache(answer) => match answer {
                CacheAnswer::Issued { key, place: _ } => self.room(key),
                CacheAnswer::Session { account: _ }
                | CacheAnswer::Done
                | CacheAnswer::Granted(_)
                | CacheAnswer::Owned { .. }
                | CacheAnswer::NotYet
                | CacheAnswer::OtherTerms(_)
                | CacheAnswer::Renewed { .. }
                | CacheAnswer::Reasserted { .. }
                | CacheAnswer::Refused(_) => {}
            },
            Answer::Accounts(_) | Answer::Center(_) => {}
        }
    }

    fn timer(&self, timer: &mut Timer) {
        match timer {
            Timer::SessionEnd(key) => self.session(key),
            Timer::TokenEnd(key) => self.room(key),
            Timer::PayloadEnd(payload) => self.payload(payload),
            Timer::Reply
            | Timer::Heartbeat
            | Timer::Leave
            | Timer::Request(_)
            | Timer::Backoff(..)
            | Timer::ServerLease(_)
            | Timer::Grace
            | Timer::PayloadGrace
            | Timer::Seat(_)
            | Timer::LinkUnverified(_)
            | Timer::Unverified(_)
            | Timer::Retry(_)
            | Timer::Idle(_)
            | Timer::Offline(_)
            | Timer::Renew
            | Timer::LeaseEnd(_)
            | Timer::Announce
            | Timer::DrainEnd => {}
        }
    }

    fn fact(&self, fact: &mut Fact) {
        match fact {
            Fact::SignatureAccepted { payload, age: _ } | Fact::SignatureRefused { payload, why: _ } => {
                self.payload(payload);
            }
            Fact::SessionOpened { key, account: _ } | Fact::SessionEnded { key } => self.session(key),
            Fact::TokenIssued { key, session, account: _, seq: _, place: _ } => {
                self.room(key);
                self.session(session);
            }
            Fact::TokenSuperseded { key }
            | Fact::TokenExpired { key, unused: _ }
            | Fact::TokenRedeemed { key, server: _ }
            | Fact::TokenRefused { key, server: _, why: _ } => self.room(key),
            Fact::Admitted { key, .. } => self.room_if_any(key),
            Fact::CredentialChecked { .. }
            | Fact::Unseated { .. }
            | Fact::OtherTerms { .. }
            | Fact::Left { .. }
            | Fact::Fenced { .. }
            | Fact::RequestRefused { .. }
            | Fact::EntryRefused { .. }
            | Fact::KickAsked { .. }
            | Fact::KickConfirmed { .. }
            | Fact::Fencing
            | Fact::GraceEnded
            | Fact::Drained => {}
        }
    }
}
