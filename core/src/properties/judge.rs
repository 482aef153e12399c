//! What breaks a property: facts, requests and single steps, judged against the ledger.

use super::{Properties, Property};
use crate::{
    accounts::is_guest_name,
    ids::{AccountId, ConnId, RoomKey, Seq, ServerId, SessionKey},
    ledger::{Claim, Ended, Evidence, Fact, Ledger, Live, Session},
    message::{
        Age, Answer, CenterAnswer, Credentials, Message, Reply, Request, RequestBody, ToCenter, ToPlayer,
        ToRoom,
    },
    rcenter::RCenter,
    refusal::Refusal,
    role::Effect,
    text::Identity,
};

/// What the observer of a fact can see besides it.
#[derive(Clone, Copy, Debug, Default)]
pub struct View {
    /// The account whose credential the player behind an admitted connection knows, where that can be seen.
    pub player: Option<Option<AccountId>>,
    /// Players a room may hold.
    pub room_capacity: u16,
}

/// What something that happened says about properties.
#[must_use]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// It exercised these.
    pub met: Properties,
    /// It broke these.
    pub broken: Properties,
}

/// An admission, as the properties see it.
struct Admission {
    server: ServerId,
    conn: ConnId,
    account: AccountId,
    seq: Seq,
    key: Option<RoomKey>,
    resumes: Option<ConnId>,
}

impl Ledger {
    /// Enters a fact.
    pub fn record(&mut self, fact: &Fact, view: View) -> Judgement {
        let Judgement { mut met, mut broken } = Judgement::default();
        match *fact {
            Fact::CredentialChecked { account, genuine: true } => {
                self.account(account).verified += 1;
            }
            Fact::SignatureAccepted { payload, age } => {
                met.add_if(age != Age::Fresh, Property::SignatureFresh);
                met.add_if(!self.accepted.insert(payload), Property::SignatureOnce);
                broken = met;
            }
            Fact::SessionOpened { key, account } => {
                // Whoever got hold of it while it was good has it still.
                let before = self.sessions.get(&key).copied();
                broken.add_if(before.is_some() && !self.is_open(key), Property::SessionExpires);
                let whose = self.account(account);
                let genuine = whose.verified > 0;
                whose.verified -= u32::from(genuine);
                whose.open = Some(key);
                let good = before.map_or(0, |before| before.good);
                self.sessions.insert(key, Session { account, genuine, good });
            }
            Fact::SessionEnded { key } => self.session_ended(key),
            Fact::TokenIssued { key, session, account, seq, place } => {
                broken.add_if(!self.is_open(session), Property::SessionExpires);
                broken.add_if(self.issue(key, account, session, place.server, seq), Property::Bounded);
            }
            Fact::TokenSuperseded { key } => {
                let _ = self.change(key, |token| token.superseded = true);
            }
            Fact::TokenExpired { key, .. } => self.token_expired(key),
            Fact::TokenRedeemed { key, server } => {
                met = self.presented(key, server);
                let expired = self.change(key, |token| {
                    token.redeemed = true;
                    token.expired
                });
                broken.add_if(expired == Some(true), Property::RoomTokenExpires);
            }
            Fact::EntryRefused { conn, why, .. } => {
                met.add_if(why == Refusal::RoomFull, Property::Capacity);
                met.add_if(true, Property::Bounded);
                let refusals = self.refusals.entry(conn).or_insert(0);
                *refusals = refusals.saturating_add(1);
                broken.add_if(*refusals > 1, Property::Bounded);
            }
            Fact::Admitted { server, conn, account, seq, key, room, resumes, .. } => {
                met.add_if(self.was_live(account), Property::SingleLiveSession);
                let admission = Admission { server, conn, account, seq, key, resumes };
                let _ = self.left(server, conn);
                self.live.insert((server, conn), Live { account, seq, room });
                self.account(account).live += 1;
                broken = self.admitted(&admission, view);
                let players = self.live_at(server).filter(|(_, live)| live.room == room);
                broken.add_if(players.count() > usize::from(view.room_capacity), Property::Capacity);
            }
            Fact::Left { server, conn, why, .. } => {
                if let Some(live) = self.left(server, conn)
                    && let Ended::Replaced { by } = why
                {
                    met.add_if(true, Property::NewestLoginWins);
                    broken.add_if(by <= live.seq, Property::NewestLoginWins);
                }
            }
            Fact::Unseated { .. } => broken.add_if(true, Property::NewestLoginWins),
            Fact::Fenced { server } => self.server_gone(server),
            _ => return self.exercised(fact),
        }
        Judgement { met, broken }
    }

    /// What a fact exercises that the ledger need not remember.
    pub fn exercised(&self, fact: &Fact) -> Judgement {
        let mut met = Properties::NONE;
        match *fact {
            Fact::CredentialChecked { genuine: false, .. } => met.add_if(true, Property::Authentic),
            Fact::SignatureRefused { payload, why } => {
                met.add_if(why == Refusal::SignatureStale, Property::SignatureFresh);
                met.add_if(self.accepted.contains(&payload), Property::SignatureOnce);
            }
            Fact::TokenRefused { key, server, .. } => met = self.presented(key, server),
            Fact::RequestRefused { why } => {
                met.add_if(why == Refusal::NoSession, Property::SessionExpires);
                met.add_if(why == Refusal::NoRoom, Property::Capacity);
                met.add_if(why == Refusal::WrongCredentials, Property::NoSecretLeaks);
            }
            _ => {}
        }
        Judgement { met, broken: Properties::NONE }
    }

    /// What it exercises to come with this token to this server.
    fn presented(&self, key: RoomKey, server: ServerId) -> Properties {
        let mut met = Properties::NONE;
        let Some(token) = self.tokens.get(&key) else { return Properties::only(Property::Authentic) };
        met.add_if(token.admissions > 0, Property::RoomTokenSingleUse);
        met.add_if(token.server != server, Property::RoomTokenBound);
        met.add_if(token.expired, Property::RoomTokenExpires);
        met.add_if(token.superseded, Property::NewestLoginWins);
        met
    }

    fn admitted(&mut self, admission: &Admission, view: View) -> Properties {
        let Admission { server, conn, account, seq, key, resumes } = *admission;
        let mut broken = Properties::NONE;
        let doubled = |((at, other), live): (&(ServerId, ConnId), &Live)| {
            (*at, *other) != (server, conn) && live.account == account && !self.suspended.contains(at)
        };
        let others = self.accounts.get(&account).is_some_and(|account| account.live > 1);
        broken.add_if(others && self.live.iter().any(doubled), Property::SingleLiveSession);
        broken.add_if(view.player.is_some_and(|player| player != Some(account)), Property::Authentic);
        let newest = self.account(account).newest;
        // There are no ties: only a session that moves to a new connection keeps its login.
        let older = newest.is_some_and(|newest| newest > seq || newest == seq && resumes.is_none());
        broken.add_if(older, Property::NewestLoginWins);
        self.account(account).newest = newest.max(Some(seq));
        let Some(token) = key.and_then(|key| self.tokens.get_mut(&key)) else {
            broken.add_if(true, Property::Authentic);
            return broken;
        };
        if resumes.is_none() {
            token.admissions = token.admissions.saturating_add(1);
            broken.add_if(token.admissions > 1, Property::RoomTokenSingleUse);
        }
        let elsewhere = token.server != server || token.server_gone || token.account != account;
        broken.add_if(elsewhere, Property::RoomTokenBound);
        let session = self.sessions.get(&token.session);
        let stands = session.is_some_and(|session| session.genuine && session.account == account);
        broken.add_if(!stands, Property::Authentic);
        broken
    }

    /// Judges live sessions while nothing is under way: what breaks if an account has two.
    #[must_use]
    pub fn at_rest(&self) -> Properties {
        let mut broken = Properties::NONE;
        broken.add_if(self.accounts.values().any(|account| account.live > 1), Property::SingleLiveSession);
        broken
    }

    /// A request came to a LoginServer. `evidence`: what the signed payload in it is worth, where that can be seen.
    pub fn requested(&mut self, conn: ConnId, request: &Request, evidence: Option<Evidence>) {
        let claim = match &request.body {
            RequestBody::Login(Credentials::Password { name, .. } | Credentials::Register { name, .. }) => {
                Claim::Name(*name)
            }
            RequestBody::Login(Credentials::Signed { identity, .. }) => Claim::Signed(*identity, evidence),
            RequestBody::Login(Credentials::Guest { .. }) => Claim::Guest,
            RequestBody::Room { session: Some(session), .. }
            | RequestBody::Session { session: Some(session) } => Claim::Session(*session),
            RequestBody::Room { session: None, .. }
            | RequestBody::Session { session: None }
            | RequestBody::Bad(_) => return,
        };
        self.asked.insert(conn, claim);
    }

    /// A request was answered.
    pub fn replied(&mut self, conn: ConnId, reply: &Reply) -> Judgement {
        let claim = self.asked.remove(&conn);
        let Judgement { mut met, mut broken } = Judgement::default();
        let own = match reply {
            Reply::LoggedIn { name, account, .. } => match claim {
                Some(Claim::Name(claimed)) => claimed == *name,
                Some(Claim::Signed(identity, evidence)) => {
                    if let Some(Evidence { identity: signed, age }) = evidence {
                        broken.add_if(signed != Some(identity), Property::Authentic);
                        broken.add_if(age != Age::Fresh, Property::SignatureFresh);
                    }
                    self.is_of(*account, identity)
                }
                Some(Claim::Guest) => is_guest_name(name),
                Some(Claim::Session(_)) | None => false,
            },
            Reply::Room { account, key, .. } => match claim {
                Some(Claim::Session(session)) => {
                    let is_own = |own: &AccountId| own == account;
                    self.sessions.get(&session).is_some_and(|session| is_own(&session.account))
                        && self.tokens.get(key).is_none_or(|token| is_own(&token.account))
                }
                _ => false,
            },
            Reply::Session { account } => match claim {
                Some(Claim::Session(session)) => {
                    self.sessions.get(&session).is_some_and(|session| session.account == *account)
                }
                _ => false,
            },
            Reply::Refused(Refusal::UnknownAccount) => false,
            Reply::Refused(_) => return Judgement::default(),
        };
        broken.add_if(!own, Property::NoSecretLeaks);
        met.add_if(!self.asked.is_empty(), Property::NoSecretLeaks);
        Judgement { met, broken }
    }

    /// Whether this account is this identity's, and nobody else's, by all that was answered until now.
    fn is_of(&mut self, account: AccountId, identity: Identity) -> bool {
        let own = *self.identities.entry(identity).or_insert_with(|| {
            self.accounts.entry(account).or_default().identities += 1;
            account
        });
        own == account && self.account(account).identities == 1
    }

    /// A connection is gone.
    pub fn closed(&mut self, conn: ConnId) {
        self.asked.remove(&conn);
        self.refusals.remove(&conn);
    }

    /// The session is over from now on.
    pub fn session_ended(&mut self, key: SessionKey) {
        if let Some(Session { account, .. }) = self.sessions.get(&key).copied() {
            let whose = self.account(account);
            whose.open = whose.open.filter(|open| *open != key);
        }
    }

    /// The token's time is over from now on.
    pub fn token_expired(&mut self, key: RoomKey) {
        let _ = self.change(key, |token| token.expired = true);
    }

    /// The server ended all its sessions.
    pub fn server_gone(&mut self, server: ServerId) {
        while let Some(conn) = self.live_at(server).next().map(|((_, conn), _)| *conn) {
            let _ = self.left(server, conn);
        }
        self.suspended.remove(&server);
    }

    /// The server's process is gone, and with it this life of it.
    pub fn server_died(&mut self, server: ServerId) {
        self.server_gone(server);
        for token in self.tokens.values_mut().filter(|token| token.server == server) {
            token.server_gone = true;
        }
    }

    /// The lease of a server that is stopped has ended: its sessions are nobody's until it wakes up.
    pub fn suspend(&mut self, server: ServerId) {
        self.suspended.insert(server);
    }

    /// A server that was stopped goes on: what breaks if it does so with a session that is live elsewhere by now.
    #[must_use]
    pub fn wake(&mut self, server: ServerId) -> Properties {
        if self.suspended.remove(&server) { self.at_rest() } else { Properties::NONE }
    }
}

/// One step of a RoomServer, as far as a property looks at single steps.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// The connection a message came on, and was not live before.
    pub unverified: ConnId,
    /// The message.
    pub msg: &'a ToRoom,
    /// What followed from it.
    pub effects: &'a [Effect],
}

impl Step<'_> {
    /// Judges it: nothing may follow beyond the check of a token, the connection's own refusal and close. If it
    /// made the connection live, it was not unverified in the end.
    pub fn judge(self) -> Judgement {
        let conn = self.unverified;
        let admitted = |effect: &Effect| matches!(effect, Effect::Note(Fact::Admitted { conn: own, .. }) if *own == conn);
        let out_of_turn = |effect: &Effect| match effect {
            Effect::Send { conn: to, msg } => {
                *to != conn || !matches!(msg, Message::ToPlayer(ToPlayer::Refused(_)))
            }
            Effect::Close(other) => *other != conn,
            Effect::ToCenter(_) | Effect::Play { .. } | Effect::Bound { .. } | Effect::CloseAll => true,
            _ => false,
        };
        let Judgement { mut met, mut broken } = Judgement::default();
        let speaks = !self.effects.iter().any(admitted) && self.effects.iter().any(out_of_turn);
        broken.add_if(speaks, Property::UnverifiedIsMute);
        met.add_if(!matches!(self.msg, ToRoom::Login { .. }), Property::UnverifiedIsMute);
        Judgement { met, broken }
    }
}

/// One step of RCenter, as far as a property looks at single steps.
#[derive(Clone, Copy, Debug)]
pub struct LinkStep<'a> {
    /// The link a message came on. Nobody had registered on it, and the message did not show the shared key.
    pub unverified: ConnId,
    /// What followed from it.
    pub effects: &'a [Effect],
}

impl LinkStep<'_> {
    /// The step that RCenter is about to make, if it is on a message of somebody who has not shown the key; the
    /// link.
    #[must_use]
    pub fn stranger(center: &RCenter, conn: ConnId, msg: &Message) -> Option<ConnId> {
        let Message::ToCenter(msg) = msg else { return None };
        let shows_key = matches!(msg, ToCenter::Register { trusted: true, .. });
        (center.is_unregistered(conn) && !shows_key).then_some(conn)
    }

    /// Judges it: nothing may follow but the end of that link.
    pub fn judge(self) -> Judgement {
        let more = |effect: &Effect| match effect {
            Effect::Close(link) => *link != self.unverified,
            effect => !matches!(effect, Effect::Disarm(_)),
        };
        let mut broken = Properties::NONE;
        broken.add_if(self.effects.iter().any(more), Property::UnverifiedIsMute);
        Judgement { met: Properties::only(Property::UnverifiedIsMute), broken }
    }
}

/// Whether RCenter, in the step that just had these effects, promised a place in a room that it knows to have
/// none: that breaks [`Property::Capacity`].
#[must_use]
pub fn promises_too_much(center: &RCenter, effects: &[Effect]) -> bool {
    let promised = effects.iter().find_map(|effect| match effect {
        Effect::Answer { answer: Answer::Center(CenterAnswer::Placed(place)), .. } => Some(place.room),
        _ => None,
    });
    promised.is_some_and(|promised| {
        center.rooms().any(|(room, capacity, taken)| room == promised && taken > u32::from(capacity))
    })
}
