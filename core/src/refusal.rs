//! Why a request is refused, and the one place where reasons become the original system's codes.

use serde::{Deserialize, Serialize};

/// A refusal's reason. Inside they are all different; on the wire several share a code, so that a stranger
/// learns nothing about accounts or tokens that are not his.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Refusal {
    /// The request does not parse or breaks a bound.
    Malformed,
    /// The request's signature is wrong.
    BadSignature,
    /// The request was signed too long ago, or later than now.
    SignatureStale,
    /// What was signed has been used.
    SignatureReplayed,
    /// What was signed may have been used: the cache has lost its memory of that, and what was used is not too old yet.
    SignatureDoubtful,
    /// The command is not served here.
    UnknownCommand,
    /// Unknown account or wrong password: never told apart.
    WrongCredentials,
    /// There is no such account: said only under a policy that tells strangers.
    UnknownAccount,
    /// Registration under a name that somebody else has.
    NameTaken,
    /// The account is banned.
    Banned,
    /// Too many failed logins from this address.
    TooManyAttempts,
    /// The session cookie is missing, unknown, expired, revoked or replaced by a newer login.
    NoSession,
    /// No RoomServer has a free place.
    NoRoom,
    /// The token was never issued, or so long ago that nobody remembers.
    TokenUnknown,
    /// The token has been spent.
    TokenUsed,
    /// The token was not redeemed in time.
    TokenExpired,
    /// The token names another RoomServer, or a former life of this one.
    TokenWrongServer,
    /// A newer login of the same account has taken or will take this place.
    Replaced,
    /// The account is in a room, and the policy is to keep the old session.
    Conflict,
    /// The room has no free place.
    RoomFull,
    /// The first message was not a login.
    NotALogin,
    /// Not verified in time.
    TooSlow,
    /// A bound of this server is reached, or it waits for its lease: try again.
    Busy,
    /// The server is being drained.
    Draining,
    /// Something behind the server did not answer.
    Unavailable,
}

impl Refusal {
    /// The original's error code for this reason, on HTTP (`RetErrorMsg`, `RetIntoFRoom`) and in a room
    /// (`RetErrorMsgCmd`).
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Malformed => 8,
            Self::BadSignature | Self::SignatureStale | Self::SignatureReplayed | Self::SignatureDoubtful => {
                6
            }
            Self::UnknownCommand => 9,
            Self::WrongCredentials => 5,
            Self::UnknownAccount => 11,
            Self::NameTaken => 10,
            Self::Banned => 53,
            Self::TooManyAttempts => 44,
            Self::NoSession => 7,
            Self::NoRoom => 3,
            Self::TokenUnknown
            | Self::TokenUsed
            | Self::TokenExpired
            | Self::TokenWrongServer
            | Self::NotALogin
            | Self::TooSlow => 17,
            Self::Replaced | Self::Conflict => 21,
            Self::RoomFull => 13,
            Self::Busy | Self::Draining => 18,
            Self::Unavailable => 4,
        }
    }

    /// A stable name for logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::BadSignature => "bad_signature",
            Self::SignatureStale => "signature_stale",
            Self::SignatureReplayed => "signature_replayed",
            Self::SignatureDoubtful => "signature_doubtful",
            Self::UnknownCommand => "unknown_command",
            Self::WrongCredentials => "wrong_credentials",
            Self::UnknownAccount => "unknown_account",
            Self::NameTaken => "name_taken",
            Self::Banned => "banned",
            Self::TooManyAttempts => "too_many_attempts",
            Self::NoSession => "no_session",
            Self::NoRoom => "no_room",
            Self::TokenUnknown => "token_unknown",
            Self::TokenUsed => "token_used",
            Self::TokenExpired => "token_expired",
            Self::TokenWrongServer => "token_wrong_server",
            Self::Replaced => "replaced",
            Self::Conflict => "conflict",
            Self::RoomFull => "room_full",
            Self::NotALogin => "not_a_login",
            Self::TooSlow => "too_slow",
            Self::Busy => "busy",
            Self::Draining => "draining",
            Self::Unavailable => "unavailable",
        }
    }
}
