//! What must always be true, and what must sometimes happen. One definition each, read by the checker, the
//! simulator, the tests and the replayer.
//!
//! A property speaks about facts in the order in which they happen, and about the [`Ledger`] that remembers
//! them. It holds of a world if no step breaks it.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{AccountId, ConnId, RoomKey, Seq, ServerId},
    ledger::{Ended, Fact, Ledger, Live, Session, Token},
    message::{Answer, CenterAnswer, Message, ToPlayer},
    rcenter::RCenter,
    role::Effect,
};

/// Something that must always be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Property {
    /// At most one live connection per account, over all servers that are up and hold their lease.
    SingleLiveSession,
    /// A room token starts at most one session, ever. A resume moves that session to a new connection from
    /// the same address while it is live, and ends the old connection in the same step.
    RoomTokenSingleUse,
    /// Admission only at the server and for the account that the token names.
    RoomTokenBound,
    /// No token is redeemed at or after its expiry. Admission follows its redeem within the time for
    /// unverified connections.
    RoomTokenExpires,
    /// No token is issued on a session after its expiry, revocation or replacement.
    SessionExpires,
    /// Every live session goes back to exactly one successful verification of that account's own credential,
    /// and the connection is that of a player who knows it.
    Authentic,
    /// No session ends in favour of an older login, and no login is admitted after a newer one was. There are
    /// no ties.
    NewestLoginWins,
    /// Before verification a connection causes nothing but the check of its token, its own refusal and close.
    UnverifiedIsMute,
    /// No room holds more players than its capacity, and RCenter promises no place in a room that it knows to
    /// be full, seats counted. (After a restart it does not know the seats of its former life: then the
    /// RoomServer refuses who does not fit.)
    Capacity,
}

impl Property {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::SingleLiveSession,
        Self::RoomTokenSingleUse,
        Self::RoomTokenBound,
        Self::RoomTokenExpires,
        Self::SessionExpires,
        Self::Authentic,
        Self::NewestLoginWins,
        Self::UnverifiedIsMute,
        Self::Capacity,
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
            Self::Authentic => "authentic",
            Self::NewestLoginWins => "newest_login_wins",
            Self::UnverifiedIsMute => "unverified_is_mute",
            Self::Capacity => "capacity",
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
            Self::Authentic => "every live session stands on its account's own credential",
            Self::NewestLoginWins => "no session ends in favour of an older login",
            Self::UnverifiedIsMute => "an unverified connection causes nothing but its own refusal",
            Self::Capacity => "no room holds or promises more places than it has",
        }
    }

    /// The property of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|property| property.name() == name)
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
}

impl Goal {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::LoginSucceeds,
        Self::LocalTakeover,
        Self::RemoteTakeover,
        Self::TakeoverAfterLostKick,
        Self::TakeoverAfterCrash,
        Self::TokenExpiresUnused,
        Self::ReplayRefused,
        Self::CacheLossSurvived,
        Self::FullRoomRefuses,
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
        }
    }
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
    /// Enters a fact. `player` is the account whose credential the player behind an admitted connection
    /// knows, where the observer can see it; `room_capacity` is the players a room may hold.
    ///
    /// # Errors
    /// The property that this fact breaks.
    pub fn record(
        &mut self,
        fact: &Fact,
        player: Option<Option<AccountId>>,
        room_capacity: u16,
    ) -> Result<(), Property> {
        match *fact {
            Fact::CredentialChecked { account, genuine: true } => {
                *self.verified.entry(account).or_insert(0) += 1;
            }
            Fact::SessionOpened { key, account } => {
                let unused = self.verified.get_mut(&account).filter(|unused| **unused > 0);
                let genuine = unused.map(|unused| *unused -= 1).is_some();
                self.sessions.insert(key, Session { account, genuine, ended: false });
            }
            Fact::SessionEnded { key } => self.session_ended(key),
            Fact::TokenIssued { key, session, account, seq, place } => {
                let server = place.server;
                let token = Token { account, session, server, seq, expired: false, admissions: 0 };
                self.tokens.insert(key, token);
                if self.sessions.get(&session).is_none_or(|session| session.ended) {
                    return Err(Property::SessionExpires);
                }
            }
            Fact::TokenExpired { key, .. } => self.token_expired(key),
            Fact::TokenRedeemed { key, .. } if self.tokens.get(&key).is_some_and(|token| token.expired) => {
                return Err(Property::RoomTokenExpires);
            }
            Fact::Admitted { server, conn, account, seq, key, room, resumes, .. } => {
                let admission = Admission { server, conn, account, seq, key, resumes };
                self.live.insert(conn, Live { server, account, seq, room });
                self.admitted(&admission, player)?;
                let players = self.live.values().filter(|live| live.server == server && live.room == room);
                if players.count() > usize::from(room_capacity) {
                    return Err(Property::Capacity);
                }
            }
            Fact::Left { conn, why, .. } => {
                if let Some(live) = self.live.remove(&conn)
                    && let Ended::Replaced { by } = why
                    && by <= live.seq
                {
                    return Err(Property::NewestLoginWins);
                }
            }
            Fact::Fenced { server } => self.server_gone(server),
            _ => {}
        }
        Ok(())
    }

    fn admitted(&mut self, admission: &Admission, player: Option<Option<AccountId>>) -> Result<(), Property> {
        let Admission { server, conn, account, seq, key, resumes } = *admission;
        let others = self.live.iter().filter(|(other, live)| **other != conn && live.account == account);
        if others.count() > 0 {
            return Err(Property::SingleLiveSession);
        }
        if player.is_some_and(|player| player != Some(account)) {
            return Err(Property::Authentic);
        }
        let Some(token) = key.and_then(|key| self.tokens.get_mut(&key)) else {
            return Err(Property::Authentic);
        };
        if resumes.is_none() {
            token.admissions = token.admissions.saturating_add(1);
            if token.admissions > 1 {
                return Err(Property::RoomTokenSingleUse);
            }
        }
        if token.server != server || token.account != account {
            return Err(Property::RoomTokenBound);
        }
        let session = self.sessions.get(&token.session);
        if session.is_none_or(|session| !session.genuine || session.account != account) {
            return Err(Property::Authentic);
        }
        let newest = self.newest.insert(account, seq);
        // There are no ties: only a session that moves to a new connection keeps its login.
        if newest.is_some_and(|newest| newest > seq || newest == seq && resumes.is_none()) {
            return Err(Property::NewestLoginWins);
        }
        Ok(())
    }

    /// The session is over from now on.
    pub fn session_ended(&mut self, key: crate::ids::SessionKey) {
        if let Some(session) = self.sessions.get_mut(&key) {
            session.ended = true;
        }
    }

    /// The token's time is over from now on.
    pub fn token_expired(&mut self, key: RoomKey) {
        if let Some(token) = self.tokens.get_mut(&key) {
            token.expired = true;
        }
    }

    /// The server crashed, or closed everything: nothing is live there.
    pub fn server_gone(&mut self, server: ServerId) {
        self.live.retain(|_, live| live.server != server);
    }
}

/// Whether what an unverified connection said had effects beyond the check of its token, its own refusal and
/// close: that breaks [`Property::UnverifiedIsMute`]. If it made the connection live, it was not unverified in
/// the end.
#[must_use]
pub fn speaks_out_of_turn(conn: ConnId, effects: &[Effect]) -> bool {
    let admitted =
        |effect: &Effect| matches!(effect, Effect::Note(Fact::Admitted { conn: own, .. }) if *own == conn);
    if effects.iter().any(admitted) {
        return false;
    }
    effects.iter().any(|effect| match effect {
        Effect::Send { conn: to, msg } => {
            *to != conn || !matches!(msg, Message::ToPlayer(ToPlayer::Refused(_)))
        }
        Effect::Close(other) => *other != conn,
        Effect::ToCenter(_) | Effect::Play { .. } | Effect::Bound { .. } | Effect::CloseAll => true,
        _ => false,
    })
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
