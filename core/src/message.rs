//! What roles say to each other, already decoded. One enum per link; bytes live in [`crate::wire`].

use alloc::boxed::Box;

use serde::{Deserialize, Serialize};

use crate::{
    ids::{
        AccountId, Addr, CallId, Generation, LinkId, Payload, RoomId, RoomKey, Seq, ServerId, SessionKey,
        Version,
    },
    limits::LeaseTerms,
    refusal::Refusal,
    text::{Endpoint, Name, Nickname, Password},
};

mod credentials;

pub use credentials::{Age, Credentials};

/// A message on a link. Its variant names the link.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Message {
    /// Client to LoginServer.
    Request(Request),
    /// LoginServer to client.
    Reply(Reply),
    /// Client to RoomServer.
    ToRoom(ToRoom),
    /// RoomServer to client.
    ToPlayer(ToPlayer),
    /// RoomServer to RCenter.
    ToCenter(ToCenter),
    /// RCenter to RoomServer.
    ToServer(ToServer),
}

/// An HTTP request, parsed. The signature is a pure function of the request, so it is checked where the
/// bytes are; what follows from a wrong one is decided by the LoginServer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Request {
    /// Where it came from.
    pub addr: Addr,
    /// Whether the `sign` parameter was right.
    pub signed: bool,
    /// What is asked.
    pub body: RequestBody,
}

/// What an HTTP request asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RequestBody {
    /// `c=1`: log in, register, or enter as a guest.
    Login(Credentials),
    /// `c=3`: a room, on the strength of the session cookie.
    Room {
        /// The cookie; none if it is missing or was never issued in this form.
        session: Option<SessionKey>,
        /// The map the client wants.
        scene: u32,
    },
    /// Any other or malformed request, with the reason it is refused for.
    Bad(Refusal),
    /// Whose a session is, if it is current: what a call on the strength of a session begins with.
    Session {
        /// Its key; none if it is missing or was never issued in this form.
        session: Option<SessionKey>,
    },
}

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reply {
    /// The answer to a login.
    LoggedIn {
        /// Account name; for a guest the generated one.
        name: Name,
        /// Account id.
        account: AccountId,
        /// First login ever.
        newbie: bool,
        /// The generated password of a new guest, told once.
        password: Option<Password>,
        /// The cookie.
        session: SessionKey,
    },
    /// The answer to a room request.
    Room {
        /// Account id.
        account: AccountId,
        /// The RoomServer's address.
        endpoint: Endpoint,
        /// The room token.
        key: RoomKey,
        /// The room.
        room: RoomId,
        /// The map.
        scene: u32,
    },
    /// A refusal of any.
    Refused(Refusal),
    /// The session is current.
    Session {
        /// Whose.
        account: AccountId,
    },
}

/// Client to RoomServer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ToRoom {
    /// `MsgLogin`.
    Login {
        /// Nickname, already cut.
        name: Nickname,
        /// Room token; none if it is empty or was never issued in this form.
        key: Option<RoomKey>,
    },
    /// Heartbeat (16).
    Heartbeat,
    /// Logout (21).
    Logout,
    /// UDP bind (33): the datagram's claim to be the player of a live session.
    Bind {
        /// Player id.
        account: AccountId,
        /// Room token of the live session.
        key: Option<RoomKey>,
    },
    /// A frame of the game: its command. The payload stays with the driver.
    Game(u16),
    /// A frame that does not decode.
    Malformed,
}

/// RoomServer to client.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ToPlayer {
    /// The player is in the room: the game greets it with a complete `MsgLoginResult`.
    Admitted {
        /// Player id.
        account: AccountId,
        /// The room.
        room: RoomId,
        /// Nickname after the cut.
        name: Nickname,
    },
    /// The frame just received, echoed byte for byte.
    Echo,
    /// Logout is done (21, empty body).
    LoggedOut,
    /// An error code (25): a refusal, or code 21 to a session that a newer login replaces.
    Refused(Refusal),
}

/// RoomServer to RCenter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ToCenter {
    /// First message on a link.
    Register {
        /// Whether the shared key was right: compared in constant time where the bytes are.
        trusted: bool,
        /// This life of the server; none from an original RoomServer.
        server: Option<ServerId>,
        /// Address for clients.
        endpoint: Endpoint,
        /// Players per room.
        room_capacity: u16,
        /// Players in all.
        capacity: u32,
    },
    /// Players and rooms on the server.
    Load {
        /// Rooms.
        rooms: u32,
        /// Players.
        players: u32,
    },
    /// A room and how many players it has: after a join, a leave, or a new link.
    Room {
        /// The room.
        room: RoomId,
        /// Players in it.
        players: u16,
        /// The account that just came, whose seat is thereby used.
        joined: Option<AccountId>,
    },
    /// The room is gone.
    RoomGone(RoomId),
    /// Have the owner close an account's older sessions and release it.
    Kick(Kick),
    /// The owner holds nothing of this account any more: a hint to try again, never a permission.
    Kicked {
        /// The server that asked.
        to: ServerId,
        /// The account.
        account: AccountId,
    },
    /// The owner keeps its session, as the policy `reject_new` wants.
    Kept {
        /// The server that asked.
        to: ServerId,
        /// The account.
        account: AccountId,
        /// The login that is refused by it.
        below: Seq,
    },
    /// No new players, please.
    Draining,
    /// The server has lost its lease and closed everything: no players until it announces itself again.
    Fenced,
    /// A frame for another server, forwarded unread (S2S of the original).
    Forward {
        /// Target link.
        link: LinkId,
        /// Flag byte of the inner frame.
        flag: u8,
        /// Inner command and body.
        data: Box<[u8]>,
    },
}

/// An order to close sessions, named exactly: by account and by the login that replaces them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Kick {
    /// The server that asks.
    pub from: ServerId,
    /// The server that owns the account.
    pub owner: ServerId,
    /// The account.
    pub account: AccountId,
    /// Only sessions of older logins than this one may be closed.
    pub below: Seq,
    /// The ownership that stands in the way: an owner that holds nothing releases this version.
    pub version: Version,
}

/// RCenter to RoomServer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ToServer {
    /// Registration is done.
    Registered(LinkId),
    /// Close sessions: see [`Kick`].
    Kick(Kick),
    /// See [`ToCenter::Kicked`].
    Kicked(AccountId),
    /// See [`ToCenter::Kept`].
    Kept {
        /// The account.
        account: AccountId,
        /// The login that is refused.
        below: Seq,
    },
    /// The original's kick: close the session of this account if it was admitted by this token.
    CheckRelogin {
        /// Token of the session.
        key: Option<RoomKey>,
        /// The account.
        account: AccountId,
    },
    /// Reload the configuration (nothing to do here; it must not be an error).
    LoadConfig,
    /// A frame forwarded from another server, for a server of the original kind.
    Forwarded {
        /// Flag byte.
        flag: u8,
        /// Inner command and body.
        data: Box<[u8]>,
    },
}

/// A question to a service. Its variant names the service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Ask {
    /// To the cache.
    Cache(CacheAsk),
    /// To the account store.
    Accounts(AccountsAsk),
    /// To RCenter.
    Center(CenterAsk),
}

/// A service's answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Answer {
    /// From the cache.
    Cache(CacheAnswer),
    /// From the account store.
    Accounts(AccountsAnswer),
    /// From RCenter.
    Center(CenterAnswer),
}

/// One atomic operation on the cache.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CacheAsk {
    /// Open a session; it replaces the account's older one. Repeated with the same key it has the same outcome.
    OpenSession {
        /// Whose.
        account: AccountId,
        /// Its new key.
        key: SessionKey,
        /// The signed payload that is used up by it, if it stands on one.
        payload: Option<Payload>,
    },
    /// Who is behind this cookie, and does he have an unspent token already?
    FindSession {
        /// The cookie.
        key: SessionKey,
    },
    /// Issue a room token on a session that is still current.
    IssueToken {
        /// The session.
        session: SessionKey,
        /// Its account, as [`CacheAsk::FindSession`] named it.
        account: AccountId,
        /// The token's key.
        key: RoomKey,
        /// Where it leads.
        place: Place,
    },
    /// End an account's session: revocation.
    RevokeSession {
        /// Whose.
        account: AccountId,
    },
    /// Spend a token and claim its account, in one step. Repeated for the same attempt of the same server it has
    /// the same outcome: that is how a lost answer is asked for again, and how a waiting login tries again.
    Redeem {
        /// The token.
        key: RoomKey,
        /// Who redeems.
        server: ServerId,
        /// For which of its attempts: the connection, and the first call of this login on it. A later login on
        /// the same connection is another attempt.
        attempt: CallId,
        /// The generation that server lives in.
        generation: Generation,
    },
    /// Become the owner of an account: only where a redeem does not do it in the same step.
    Claim {
        /// The account.
        account: AccountId,
        /// Its new owner.
        server: ServerId,
        /// The login it is owned for.
        seq: Seq,
    },
    /// Give an account free, if this very version of ownership still stands.
    Release {
        /// The account.
        account: AccountId,
        /// Its owner.
        server: ServerId,
        /// The highest version it was granted.
        version: Version,
    },
    /// Renew a server's lease.
    Renew {
        /// The server.
        server: ServerId,
        /// Counts its renewals.
        number: u32,
        /// How long it takes the lease to last: it must be what the cache takes it for.
        terms: LeaseTerms,
    },
    /// Claim again, after a cache loss, what the server holds.
    Reassert {
        /// The server.
        server: ServerId,
        /// The generation it reasserts into.
        generation: Generation,
        /// Accounts it holds, each with the login it holds it for; at most [`REASSERT_MAX`](crate::limits::REASSERT_MAX).
        held: Box<[(AccountId, Seq)]>,
    },
    /// Remember signed payloads that were used in an earlier life of the cache, which ended in an orderly way.
    Recall {
        /// Some of them; at most [`RECALL_MAX`](crate::limits::RECALL_MAX).
        used: Box<[Payload]>,
        /// With these it is all of them: nothing has been forgotten.
        last: bool,
    },
    /// End a server's lease and all it owns: an orderly shutdown.
    Resign {
        /// The server.
        server: ServerId,
    },
}

/// Where a token leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The RoomServer.
    pub server: ServerId,
    /// Its address.
    pub endpoint: Endpoint,
    /// The room.
    pub room: RoomId,
    /// The map.
    pub scene: u32,
}

/// What a cache operation came to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CacheAnswer {
    /// Done, nothing to tell.
    Done,
    /// The session is current.
    Session {
        /// Whose.
        account: AccountId,
    },
    /// The token is issued (or was, for the same session, and is still unspent).
    Issued {
        /// Its key.
        key: RoomKey,
        /// Where it leads.
        place: Place,
    },
    /// The token is spent and the account is this server's.
    Granted(Grant),
    /// The token is spent, and the account belongs to another server: have it kicked, then redeem again.
    Owned {
        /// The account.
        account: AccountId,
        /// The login of the token.
        seq: Seq,
        /// The room.
        room: RoomId,
        /// Its owner.
        owner: ServerId,
        /// The owner's version.
        version: Version,
    },
    /// Not yet: the cache waits out a grace after a loss, or the server has no lease here or lives in an
    /// older generation.
    NotYet,
    /// The lease is renewed.
    Renewed {
        /// The cache's generation.
        generation: Generation,
    },
    /// The lease is not renewed: the server's times are not those of the cache, which are these.
    OtherTerms(LeaseTerms),
    /// What became of each account: its new version if it is still this server's.
    Reasserted(Box<[(AccountId, Option<Version>)]>),
    /// Refused.
    Refused(Refusal),
}

/// Ownership of an account, granted on a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Grant {
    /// The account.
    pub account: AccountId,
    /// The login of the token.
    pub seq: Seq,
    /// The room.
    pub room: RoomId,
    /// Names this grant.
    pub version: Version,
    /// Who owned the account until now: only a policy that does not wait for the handover is told.
    pub previous: Option<(ServerId, Version)>,
}

/// One atomic operation on the account store.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AccountsAsk {
    /// Verify credentials; register where they ask for it.
    Verify {
        /// Who the client says it is.
        credentials: Credentials,
        /// The password a new guest will get.
        guest_password: Password,
    },
    /// What a RoomServer must know of an account that enters.
    Profile {
        /// The account.
        account: AccountId,
    },
    /// The account has just played.
    Played {
        /// The account.
        account: AccountId,
    },
}

/// What an account operation came to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AccountsAnswer {
    /// The credentials are the account's own.
    Verified {
        /// The account.
        account: AccountId,
        /// Its name.
        name: Name,
        /// Just registered.
        newbie: bool,
        /// Whether the player must be told `guest_password`: it is the only key to the account that was made.
        guest: bool,
    },
    /// The account may enter.
    Profile,
    /// Done.
    Done,
    /// Refused.
    Refused(Refusal),
}

/// A question to RCenter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CenterAsk {
    /// A place for this account. Asked again before its seat is used or expires, it is the same place.
    Place {
        /// The account.
        account: AccountId,
        /// The map.
        scene: u32,
    },
}

/// RCenter's answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CenterAnswer {
    /// The seat is reserved.
    Placed(Place),
    /// No server has a free place.
    Full,
}

/// A question with who asks: how a service hears it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Question {
    /// Which link the answer goes to.
    pub from: Asker,
    /// The asker's name for it.
    pub call: CallId,
    /// The question.
    pub ask: Ask,
}

/// Who asked a service: the driver's name for the node or link it answers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Asker(pub u64);
