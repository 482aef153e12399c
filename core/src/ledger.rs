//! Facts that roles note, and the ledger that remembers as much of them as the properties need.

use alloc::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    ids::{AccountId, ConnId, RoomId, RoomKey, Seq, ServerId, SessionKey},
    message::Place,
    refusal::Refusal,
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
    /// A RoomServer ended all its sessions because its lease ended.
    Fenced {
        /// Which.
        server: ServerId,
    },
    /// A login or room request was refused.
    RequestRefused {
        /// Why.
        why: Refusal,
    },
    /// A connection to a room was refused.
    EntryRefused {
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
    /// Sessions ever opened.
    pub sessions: BTreeMap<SessionKey, Session>,
    /// Tokens ever issued.
    pub tokens: BTreeMap<RoomKey, Token>,
    /// Live sessions by account.
    pub live: BTreeMap<ConnId, Live>,
    /// The newest login ever admitted, per account.
    pub newest: BTreeMap<AccountId, Seq>,
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
    /// Its time is over.
    pub expired: bool,
    /// Sessions it has started.
    pub admissions: u8,
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
