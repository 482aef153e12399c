//! What must always be true, and what must sometimes happen. One definition each, read by the checker, the
//! simulator, the tests and the replayer.
//!
//! A property speaks about facts in the order in which they happen, and about the
//! [`Ledger`](crate::ledger::Ledger) that remembers them. It holds of a world if no step breaks it. It is
//! *exercised* there if its premise was met: somebody tried what it forbids, or came where it matters. A property
//! that holds and was never exercised says nothing.

mod judge;

use serde::{Deserialize, Serialize};

pub use self::judge::{Judgement, LinkStep, Step, View, promises_too_much};

/// Something that must always be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Property {
    /// At most one live connection per account, over all servers that are up and hold their lease. A server that
    /// is stopped while its lease ends holds it no more, whether it has noticed or not.
    ///
    /// Assumes that clocks drift less than the lease's margin over one lease. Exercised when an account that has
    /// been live comes again.
    SingleLiveSession,
    /// A room token starts at most one session, ever. A resume moves that session to a new connection from
    /// the same address while it is live, and ends the old connection in the same step. Exercised when a spent
    /// token is presented.
    RoomTokenSingleUse,
    /// Admission only at the server, in the very life of it, and for the account that the token names. Exercised
    /// when a token is presented elsewhere.
    RoomTokenBound,
    /// No token is redeemed at or after its expiry. Admission follows its redeem within the time for
    /// unverified connections. Expiry is the cache's alone, so no drift of clocks matters. Exercised when an
    /// expired token is presented.
    RoomTokenExpires,
    /// No token is issued on a session after its expiry, revocation or replacement by the account's next login, and
    /// no later session has its key.
    /// Exercised when a room is asked for on such a session.
    SessionExpires,
    /// No signed payload is accepted as evidence of an identity outside of its window on the verifier's clock, on
    /// either side, whatever time somebody has read into it. Exercised when a payload is presented outside of it.
    SignatureFresh,
    /// No signed payload is accepted twice as evidence of an identity, by any LoginServer, whether the cache keeps its
    /// memory or loses it. Assumes that their clocks differ by no more than
    /// [`Times::clock_skew`](crate::limits::Times). Exercised when one is presented again.
    SignatureOnce,
    /// Every live session goes back to exactly one successful verification of that account's own credential,
    /// and the connection is that of a player who knows it. Nobody is logged in on what was signed for somebody else,
    /// or on nothing. Nobody else directs its datagrams. Claimed where nobody else reads the links of players:
    /// on a plain link a session key or a room token is good in any hand. Exercised when a wrong credential or an
    /// unknown token is presented, or somebody else's datagrams are to be bound.
    Authentic,
    /// No session ends in favour of an older login, and no login is admitted after a newer one was. There are
    /// no ties. Nothing that ends an old session touches a newer one. Exercised when an older login is presented
    /// after a newer one, or a session is replaced.
    NewestLoginWins,
    /// Before verification a connection causes nothing but the check of its token, its own refusal and close; and a
    /// link between servers nothing but its own close before its peer has shown the shared key.
    /// Exercised when an unverified connection says anything but a login, or a link anything without the key.
    UnverifiedIsMute,
    /// No room holds more players than its capacity, and RCenter promises no place in a room that it knows to
    /// be full, seats counted. (After a restart it does not know the seats of its former life: then the
    /// RoomServer refuses who does not fit.) Exercised when somebody finds no place.
    Capacity,
    /// A session key or token is told only to the connection that asked with that account's own credential or
    /// session; and no refusal tells a stranger whether an account exists. Exercised when two requests of
    /// different people are worked on at once, or credentials are refused.
    NoSecretLeaks,
    /// What a stranger can make grow has a bound: a session has one token that is good, a connection gets one
    /// refusal and is closed, a RoomServer takes the connections it was sized for. Exercised when a bound is
    /// reached.
    Bounded,
}

impl Property {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 13] = [
        Self::SingleLiveSession,
        Self::RoomTokenSingleUse,
        Self::RoomTokenBound,
        Self::RoomTokenExpires,
        Self::SessionExpires,
        Self::SignatureFresh,
        Self::SignatureOnce,
        Self::Authentic,
        Self::NewestLoginWins,
        Self::UnverifiedIsMute,
        Self::Capacity,
        Self::NoSecretLeaks,
        Self::Bounded,
    ];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SingleLiveSession => "single_live_session",
            Self::RoomTokenSingleUse => "room_token_single_use",
            Self::RoomTokenBound => "room_token_bound",
            Self::RoomTokenExpires => "room_token_expires",
            Self::SessionExpires => "session_expires",
            Self::SignatureFresh => "signature_fresh",
            Self::SignatureOnce => "signature_once",
            Self::Authentic => "authentic",
            Self::NewestLoginWins => "newest_login_wins",
            Self::UnverifiedIsMute => "unverified_is_mute",
            Self::Capacity => "capacity",
            Self::NoSecretLeaks => "no_secret_leaks",
            Self::Bounded => "bounded",
        }
    }

    /// What it says, in a sentence.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::SingleLiveSession => "at most one live session per account",
            Self::RoomTokenSingleUse => "a room token starts at most one session",
            Self::RoomTokenBound => "admission only at the server and for the account the token names",
            Self::RoomTokenExpires => "no token is redeemed at or after its expiry",
            Self::SessionExpires => "no token is issued on a session that is over",
            Self::SignatureFresh => "no signed payload is accepted outside of its window",
            Self::SignatureOnce => "no signed payload is accepted twice",
            Self::Authentic => "every live session stands on its account's own credential",
            Self::NewestLoginWins => "no session ends in favour of an older login",
            Self::UnverifiedIsMute => "an unverified connection causes nothing but its own refusal",
            Self::Capacity => "no room holds or promises more places than it has",
            Self::NoSecretLeaks => "secrets are told only to whom they belong",
            Self::Bounded => "whatever a stranger can make grow has a bound",
        }
    }

    /// The property of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|property| property.name() == name)
    }
}

/// A set of properties: those whose premise something met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Properties(u32);

impl Properties {
    /// None.
    pub const NONE: Self = Self(0);
    /// All.
    pub const ALL: Self = Self((1 << Property::ALL.len()) - 1);

    /// Only this one.
    #[must_use]
    pub const fn only(property: Property) -> Self {
        Self(1 << property as u32)
    }

    /// Whether it is in the set.
    #[must_use]
    pub const fn has(self, property: Property) -> bool {
        self.0 & 1 << property as u32 != 0
    }

    /// Adds another set.
    pub const fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Adds one, if a condition holds.
    pub const fn add_if(&mut self, holds: bool, property: Property) {
        if holds {
            self.0 |= 1 << property as u32;
        }
    }

    /// All of them but one.
    #[must_use]
    pub const fn without(self, property: Property) -> Self {
        Self(self.0 & !(1 << property as u32))
    }

    /// The first of them in the order of the documentation, of those that are also in `watched`.
    #[must_use]
    pub fn first_of(self, watched: Self) -> Option<Property> {
        Property::ALL.into_iter().find(|property| self.has(*property) && watched.has(*property))
    }

    /// As bits, in the order of [`Property::ALL`].
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }
}

/// Something that must happen in some run, so that the properties do not hold because nothing does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// A login ends in a room.
    LoginSucceeds,
    /// A newer login takes over within one server.
    LocalTakeover,
    /// A newer login takes over from another server that is up.
    RemoteTakeover,
    /// The same, although a kick was lost.
    TakeoverAfterLostKick,
    /// A newer login is admitted although the owner crashed.
    TakeoverAfterCrash,
    /// A token expires unused.
    TokenExpiresUnused,
    /// A spent token is refused.
    ReplayRefused,
    /// A session that was live before a cache loss is live after the grace.
    CacheLossSurvived,
    /// A full room refuses a player.
    FullRoomRefuses,
    /// A live session moves to a new connection.
    SessionResumed,
    /// A RoomServer that was stopped wakes up after its lease has ended, and closes everything.
    WokenServerFenced,
    /// A third login comes while a handover is pending.
    ThirdLoginWaits,
    /// An attacker is refused by a RoomServer.
    AttackerRefused,
}

impl Goal {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::LoginSucceeds,
        Self::LocalTakeover,
        Self::RemoteTakeover,
        Self::TakeoverAfterLostKick,
        Self::TakeoverAfterCrash,
        Self::TokenExpiresUnused,
        Self::ReplayRefused,
        Self::CacheLossSurvived,
        Self::FullRoomRefuses,
        Self::SessionResumed,
        Self::WokenServerFenced,
        Self::ThirdLoginWaits,
        Self::AttackerRefused,
    ];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LoginSucceeds => "login_succeeds",
            Self::LocalTakeover => "local_takeover",
            Self::RemoteTakeover => "remote_takeover",
            Self::TakeoverAfterLostKick => "takeover_after_lost_kick",
            Self::TakeoverAfterCrash => "takeover_after_crash",
            Self::TokenExpiresUnused => "token_expires_unused",
            Self::ReplayRefused => "replay_refused",
            Self::CacheLossSurvived => "cache_loss_survived",
            Self::FullRoomRefuses => "full_room_refuses",
            Self::SessionResumed => "session_resumed",
            Self::WokenServerFenced => "woken_server_fenced",
            Self::ThirdLoginWaits => "third_login_waits",
            Self::AttackerRefused => "attacker_refused",
        }
    }
}
