//! Facts that roles note, and the ledger that remembers as much of them as the properties need.

use alloc::collections::{BTreeMap, BTreeSet, btree_map::Range};

use serde::{Deserialize, Serialize};

use crate::{
    ids::{AccountId, ConnId, Payload, RoomId, RoomKey, Seq, ServerId, SessionKey},
    limits::LeaseTerms,
    message::{Age, Place},
    refusal::Refusal,
    text::{Identity, Name},
};

/// Something that a role did, noted when it did it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Fact {
    /// Accounts compared a credential.
    CredentialChecked {
        /// The account it was for.
        account: AccountId,
        /// Whether it was the account's own, whatever the policy made of it.
        genuine: bool,
    },
    /// A login was answered with a session on the strength of a signed payload.
    SignatureAccepted {
        /// Which.
        payload: Payload,
        /// How old it was when it came, whatever the policy made of it.
        age: Age,
    },
    /// A login by a signed payload was refused.
    SignatureRefused {
        /// Which.
        payload: Payload,
        /// Why.
        why: Refusal,
    },
    /// The cache opened a session.
    SessionOpened {
        /// Its key.
        key: SessionKey,
        /// Whose.
        account: AccountId,
    },
    /// The session is over: expired, revoked, or replaced.
    SessionEnded {
        /// Its key.
        key: SessionKey,
    },
    /// The cache issued a token.
    TokenIssued {
        /// Its key.
        key: RoomKey,
        /// On which session.
        session: SessionKey,
        /// For whom.
        account: AccountId,
        /// The login it stands for.
        seq: Seq,
        /// Where it leads.
        place: Place,
    },
    /// A newer token of its account has made it worthless.
    TokenSuperseded {
        /// Its key.
        key: RoomKey,
    },
    /// The token's time is over.
    TokenExpired {
        /// Its key.
        key: RoomKey,
        /// Nobody had redeemed it.
        unused: bool,
    },
    /// The cache took a token as good.
    TokenRedeemed {
        /// Its key.
        key: RoomKey,
        /// At which server.
        server: ServerId,
    },
    /// The cache refused a token.
    TokenRefused {
        /// Its key.
        key: RoomKey,
        /// At which server.
        server: ServerId,
        /// Why.
        why: Refusal,
    },
    /// A RoomServer admitted a player.
    Admitted {
        /// Where.
        server: ServerId,
        /// The connection.
        conn: ConnId,
        /// The player.
        account: AccountId,
        /// The login.
        seq: Seq,
        /// The token.
        key: Option<RoomKey>,
        /// The room.
        room: RoomId,
        /// The connection it takes over from, if it resumes that session.
        resumes: Option<ConnId>,
        /// It waited for another server to hand the account over.
        handed_over: bool,
    },
    /// A live session ended.
    Left {
        /// Where.
        server: ServerId,
        /// The connection.
        conn: ConnId,
        /// The player.
        account: AccountId,
        /// Why.
        why: Ended,
    },
    /// The late end of an older session has taken the place of this live one from it.
    Unseated {
        /// Where.
        server: ServerId,
        /// The live session's connection.
        conn: ConnId,
    },
    /// A RoomServer ended all its sessions because its lease ended.
    Fenced {
        /// Which.
        server: ServerId,
    },
    /// The lease of a server is not renewed, since it and the cache do not agree on how long it lasts.
    OtherTerms {
        /// The server.
        server: ServerId,
        /// What the other one of them says.
        theirs: LeaseTerms,
    },
    /// A login or room request was refused.
    RequestRefused {
        /// Why.
        why: Refusal,
    },
    /// A connection to a room was refused.
    EntryRefused {
        /// Which.
        conn: ConnId,
        /// It was waiting for another server to hand its account over.
        waited: bool,
        /// Why.
        why: Refusal,
    },
    /// A kick was asked for.
    KickAsked {
        /// The account.
        account: AccountId,
    },
    /// The owner confirmed a kick.
    KickConfirmed {
        /// The account.
        account: AccountId,
    },
    /// Something noted an old version or a superseded login and did nothing.
    Fencing,
    /// The cache lives in a new generation after a loss.
    GraceEnded,
    /// A draining server holds no player any more.
    Drained,
}

/// Why a live session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ended {
    /// The player logged out.
    LoggedOut,
    /// The connection was lost.
    Lost,
    /// The player was silent too long.
    Idle,
    /// A newer login took its place.
    Replaced {
        /// The login that replaces it.
        by: Seq,
    },
    /// The session goes on, on a new connection.
    Resumed,
    /// The cache would not let it be reasserted after a loss.
    NotReasserted,
}

/// What has happened, as far as the properties ask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ledger {
    /// What it knows of each account.
    pub accounts: BTreeMap<AccountId, Account>,
    /// Signed payloads ever accepted.
    pub accepted: BTreeSet<Payload>,
    /// The account that each identity has been logged in to.
    pub identities: BTreeMap<Identity, AccountId>,
    /// Sessions ever opened.
    pub sessions: BTreeMap<SessionKey, Session>,
    /// Tokens ever issued.
    pub tokens: BTreeMap<RoomKey, Token>,
    /// Live sessions by where they are.
    pub live: BTreeMap<(ServerId, ConnId), Live>,
    /// Requests that wait for an answer, and on whose behalf they ask.
    pub asked: BTreeMap<ConnId, Claim>,
    /// Refusals that open connections to rooms have got.
    pub refusals: BTreeMap<ConnId, u8>,
    /// Servers that are stopped and whose lease has ended meanwhile.
    pub suspended: BTreeSet<ServerId>,
}

impl Ledger {
    /// Whether the account has ever been live.
    #[must_use]
    pub fn was_live(&self, account: AccountId) -> bool {
        self.accounts.get(&account).is_some_and(|account| account.newest.is_some())
    }

    /// The live sessions alone: everything else is forgotten.
    #[must_use]
    pub fn only_live(self) -> Self {
        let mut left = Self { live: self.live, ..Self::default() };
        for live in left.live.values() {
            left.accounts.entry(live.account).or_default().live += 1;
        }
        left
    }

    /// Adds a token just issued. Whether another one of its session is good.
    pub fn issue(
        &mut self,
        key: RoomKey,
        account: AccountId,
        session: SessionKey,
        server: ServerId,
        seq: Seq,
    ) -> bool {
        let _ = self.change(key, |token| token.superseded = true);
        self.tokens.insert(key, Token::new(account, session, server, seq));
        let session = self.sessions.get_mut(&session);
        session.is_some_and(|session| {
            session.good += 1;
            session.good > 1
        })
    }

    /// Changes a token, if it was ever issued.
    pub(crate) fn change<T>(&mut self, key: RoomKey, change: impl FnOnce(&mut Token) -> T) -> Option<T> {
        let token = self.tokens.get_mut(&key)?;
        let was_good = token.is_good();
        let came_of_it = change(token);
        if was_good
            && !token.is_good()
            && let Some(session) = self.sessions.get_mut(&token.session)
        {
            // A token that was issued before its session was opened is not counted.
            session.good = session.good.saturating_sub(1);
        }
        Some(came_of_it)
    }

    pub(crate) fn account(&mut self, account: AccountId) -> &mut Account {
        self.accounts.entry(account).or_default()
    }

    /// Whether the session was opened and is not over.
    pub(crate) fn is_open(&self, key: SessionKey) -> bool {
        let account = self.sessions.get(&key).and_then(|session| self.accounts.get(&session.account));
        account.is_some_and(|account| account.open == Some(key))
    }

    /// Live sessions at a server.
    pub(crate) fn live_at(&self, server: ServerId) -> Range<'_, (ServerId, ConnId), Live> {
        self.live.range((server, ConnId(0))..=(server, ConnId(u64::MAX)))
    }

    /// The session is live no more.
    pub(crate) fn left(&mut self, server: ServerId, conn: ConnId) -> Option<Live> {
        let live = self.live.remove(&(server, conn))?;
        self.account(live.account).live -= 1;
        Some(live)
    }
}

/// An account in the ledger.
///
/// Its counts say again what stands elsewhere in the ledger: a long run must not look through all of it at every fact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Account {
    /// Genuine verifications not yet used up by a session.
    pub verified: u32,
    /// Its live sessions.
    pub live: u32,
    /// Identities that have been logged in to it.
    pub identities: u32,
    /// Its session that is not over: never more than one, since the next one ends it.
    pub open: Option<SessionKey>,
    /// The newest login ever admitted.
    pub newest: Option<Seq>,
}

/// On whose behalf a request asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Claim {
    /// With the credential of this name.
    Name(Name),
    /// As this identity, on what is signed; and what that says, where it can be seen.
    Signed(Identity, Option<Evidence>),
    /// As the guest of a device.
    Guest,
    /// On this session.
    Session(SessionKey),
}

/// What a signed payload is worth in truth, whatever whoever verifies it makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Evidence {
    /// For whom it was signed; none: nobody signed it.
    pub identity: Option<Identity>,
    /// Where the clock of the one who was asked stood in its window when it came.
    pub age: Age,
}

/// A session in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    /// Whose.
    pub account: AccountId,
    /// Whether it stands on a genuine verification of its own.
    pub genuine: bool,
    /// Tokens on it that are good.
    pub good: u32,
}

/// A token in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    /// For whom.
    pub account: AccountId,
    /// On which session.
    pub session: SessionKey,
    /// For which server.
    pub server: ServerId,
    /// Its login sequence.
    pub seq: Seq,
    /// A newer one has made it worthless.
    pub superseded: bool,
    /// Its time is over.
    pub expired: bool,
    /// Somebody has redeemed it.
    pub redeemed: bool,
    /// The life of the server that it names is over.
    pub server_gone: bool,
    /// Sessions it has started.
    pub admissions: u8,
}

impl Token {
    /// A token just issued.
    #[must_use]
    pub const fn new(account: AccountId, session: SessionKey, server: ServerId, seq: Seq) -> Self {
        Self {
            account,
            session,
            server,
            seq,
            superseded: false,
            expired: false,
            redeemed: false,
            server_gone: false,
            admissions: 0,
        }
    }

    /// Whether somebody could still enter with it.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        !self.superseded && !self.expired && !self.redeemed
    }
}

/// A live session in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Live {
    /// Whose.
    pub account: AccountId,
    /// Its login sequence.
    pub seq: Seq,
    /// Its room.
    pub room: RoomId,
}

#[cfg(test)]
mod tests;
