//! Facts that roles note, and the ledger that remembers as much of them as the properties need.

use alloc::collections::{BTreeMap, BTreeSet};

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
    /// Genuine verifications not yet used up by a session, per account.
    pub verified: BTreeMap<AccountId, u32>,
    /// Signed payloads ever accepted.
    pub accepted: BTreeSet<Payload>,
    /// The account that each identity has been logged in to.
    pub identities: BTreeMap<Identity, AccountId>,
    /// Sessions ever opened.
    pub sessions: BTreeMap<SessionKey, Session>,
    /// Tokens ever issued.
    pub tokens: BTreeMap<RoomKey, Token>,
    /// Live sessions by connection.
    pub live: BTreeMap<ConnId, Live>,
    /// The newest login ever admitted, per account.
    pub newest: BTreeMap<AccountId, Seq>,
    /// Requests that wait for an answer, and on whose behalf they ask.
    pub asked: BTreeMap<ConnId, Claim>,
    /// Refusals that open connections to rooms have got.
    pub refusals: BTreeMap<ConnId, u8>,
    /// Servers that are stopped and whose lease has ended meanwhile.
    pub suspended: BTreeSet<ServerId>,
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
    /// It is over.
    pub ended: bool,
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
    /// Where.
    pub server: ServerId,
    /// Whose.
    pub account: AccountId,
    /// Its login sequence.
    pub seq: Seq,
    /// Its room.
    pub room: RoomId,
}
