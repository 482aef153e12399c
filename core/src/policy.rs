//! Which rules are kept. A profile is data, not a second implementation.

use serde::{Deserialize, Serialize};

/// The rules of the login path, one field each. [`Policy::STRICT`] keeps them all; the checker shows what
/// breaks without any one of them. Servers refuse to run anything else unless it is asked for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What happens to the old session when a newer login enters a room.
    pub conflict: Conflict,
    /// What a newcomer does while another server owns its account.
    pub handover: Handover,
    /// Who may take over a live session with its own token.
    pub resume: Resume,
    /// Who may direct the datagrams of a live session.
    pub udp_bind: UdpBind,
    /// Passwords are compared.
    pub password_checked: bool,
    /// Who shows nothing that vouches for him is refused.
    pub evidence_required: bool,
    /// How what is signed is written before it is signed.
    pub signed_text: SignedText,
    /// What was signed too long ago is refused.
    pub signature_window_checked: bool,
    /// What says that it was signed later than now is refused.
    pub signature_future_refused: bool,
    /// What was signed is accepted once.
    pub signature_remembered: bool,
    /// What was accepted is remembered until it is too old.
    pub signature_memory_outlasts_window: bool,
    /// Too old by the clock of every LoginServer, not of one.
    pub signature_memory_counts_skew: bool,
    /// A cache that lost its memory takes nothing signed until all that it may have forgotten is too old.
    pub signature_grace_after_loss: bool,
    /// A cache that ends in order tells the next one what was accepted.
    pub signature_recalled: bool,
    /// Every login draws a session key of its own.
    pub session_keys_drawn: bool,
    /// A new login ends the account's older session.
    pub one_session: bool,
    /// A token is issued only on a session that is current at that very moment.
    pub session_checked_at_issue: bool,
    /// An unspent token of the session is given again instead of a new one.
    pub token_reissued: bool,
    /// A token is spent by its first redeem.
    pub token_single_use: bool,
    /// A token is redeemed only at the server it names.
    pub token_bound_to_server: bool,
    /// A redeem claims the account in the same step.
    pub redeem_claims: bool,
    /// A RoomServer has a new id with every start: what is meant for one life is worth nothing in the next.
    pub life_names_server: bool,
    /// A token is not redeemed after its end.
    pub token_expires: bool,
    /// An expired token stays expired, whatever its session asks for.
    pub expiry_is_final: bool,
    /// A token is not redeemed after a newer one was issued for the account.
    pub newest_login_only: bool,
    /// A server redeems only while it has a lease in the cache.
    pub lease_required: bool,
    /// The cache ends a lease only after the server has ended it itself.
    pub lease_ends_first_at_server: bool,
    /// The cache waits out a lease after it lost its memory.
    pub grace_after_loss: bool,
    /// A login sequence is raised over cache losses.
    pub generation_durable: bool,
    /// Grants count only from the cache's present generation.
    pub generation_checked: bool,
    /// A release frees only the version it names.
    pub release_compares: bool,
    /// A grant is void once its server has released a version as new, or newer.
    pub late_grant_is_void: bool,
    /// Only the owner's release frees an account; its confirmation of a kick is a hint.
    pub confirmation_is_hint: bool,
    /// Answers count only for the call they answer.
    pub calls_matched: bool,
    /// A kick closes only sessions of older logins than it names.
    pub kick_names_login: bool,
    /// Admission looks for the account's other session in the same step in which it admits.
    pub local_takeover_atomic: bool,
    /// A failed login closes its connection.
    pub refusal_closes: bool,
    /// A failed login leaves no identity on its connection.
    pub refusal_forgets: bool,
    /// The late end of a session names its connection, and touches no other.
    pub leave_names_connection: bool,
    /// The empty key is never a key.
    pub empty_key_refused: bool,
    /// An unverified connection is served nothing.
    pub unverified_is_mute: bool,
    /// Frames of the game are taken from verified connections only.
    pub game_after_login: bool,
    /// An HTTP answer goes to the connection that asked.
    pub replies_matched: bool,
    /// An unknown account and a wrong password are refused alike.
    pub refusals_alike: bool,
    /// Rooms have a capacity.
    pub capacity_enforced: bool,
    /// Reserved seats take places.
    pub seats_counted: bool,
    /// RCenter serves a link only if its peer has shown the shared key.
    pub links_verified: bool,
    /// A RoomServer takes no more connections than it was sized for.
    pub connections_bounded: bool,
    /// A LoginServer answers within a time, and a connection that is not verified within one is closed.
    pub waits_bounded: bool,
    /// A seat that nobody comes for is free again.
    pub seats_expire: bool,
    /// The lease of a server that does not renew it ends.
    pub leases_expire: bool,
    /// A process that was stopped fires the timers that ran out meanwhile before it does anything else.
    pub timers_first: bool,
}

/// Session conflict, named as RFC 6120 names its choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conflict {
    /// The newer login wins.
    KickOld,
    /// The session in the room wins.
    RejectNew,
    /// Nobody gives way: both are live.
    KeepBoth,
}

/// How ownership moves between servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handover {
    /// The newcomer is admitted only after the owner has released the account or lost its lease.
    BeforeAdmission,
    /// The newcomer is admitted at once, and the old session is kicked without waiting.
    AfterAdmission,
}

/// Who may move a live session to a new connection with the token that admitted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resume {
    /// A connection from the address that was admitted.
    SameAddress,
    /// Whoever knows the token.
    Anyone,
}

/// Who may direct the datagrams of a live session.
///
/// The original client proves nothing in its bind datagram that it has not already said in the clear, and the
/// sender's address of a datagram can be forged. So the strict choice is not to bind: scene messages then stay
/// on the TCP connection, which the original client is content with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UdpBind {
    /// Nobody.
    Off,
    /// The first sender at the session's own address; the binding never moves while the session lives.
    SameAddress,
    /// Whoever knows the token, again and again.
    Anyone,
}

/// How the members of a payload become the text that is signed. What two payloads have in common is as good as
/// signed for both.
///
/// Whoever may choose some of that text chooses where it ends, unless nothing in it can look like the end of a member
/// or the beginning of the next. The strict rule is for those who verify: they take a text only if it can be read in
/// one way. That is true if no name and no value holds a separator; or if every name is known beforehand and whatever
/// is behind the free text cannot be part of it. It assumes that no account is called by a name with a separator: where
/// a signer lets that happen, nobody who verifies could tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignedText {
    /// In a way that can be read in one way only; anything else is refused.
    Unambiguous,
    /// `name=value`, joined by `&`, whatever names and values are: GTarcade's.
    Joined,
    /// Names and values with nothing between them: gamecloud's.
    Glued,
}

impl Policy {
    /// Every rule kept.
    pub const STRICT: Self = Self {
        conflict: Conflict::KickOld,
        handover: Handover::BeforeAdmission,
        resume: Resume::SameAddress,
        udp_bind: UdpBind::Off,
        password_checked: true,
        evidence_required: true,
        signed_text: SignedText::Unambiguous,
        signature_window_checked: true,
        signature_future_refused: true,
        signature_remembered: true,
        signature_memory_outlasts_window: true,
        signature_memory_counts_skew: true,
        signature_grace_after_loss: true,
        signature_recalled: true,
        session_keys_drawn: true,
        one_session: true,
        session_checked_at_issue: true,
        token_reissued: true,
        token_single_use: true,
        token_bound_to_server: true,
        redeem_claims: true,
        life_names_server: true,
        token_expires: true,
        expiry_is_final: true,
        newest_login_only: true,
        lease_required: true,
        lease_ends_first_at_server: true,
        grace_after_loss: true,
        generation_durable: true,
        generation_checked: true,
        release_compares: true,
        late_grant_is_void: true,
        confirmation_is_hint: true,
        calls_matched: true,
        kick_names_login: true,
        local_takeover_atomic: true,
        refusal_closes: true,
        refusal_forgets: true,
        leave_names_connection: true,
        empty_key_refused: true,
        unverified_is_mute: true,
        game_after_login: true,
        replies_matched: true,
        refusals_alike: true,
        capacity_enforced: true,
        seats_counted: true,
        links_verified: true,
        connections_bounded: true,
        waits_bounded: true,
        seats_expire: true,
        leases_expire: true,
        timers_first: true,
    };

    /// The original mope servers' behaviour, weaknesses included.
    pub const MOPE: Self = Self {
        handover: Handover::AfterAdmission,
        resume: Resume::Anyone,
        udp_bind: UdpBind::Anyone,
        one_session: false,
        session_checked_at_issue: false,
        token_reissued: false,
        token_bound_to_server: false,
        redeem_claims: false,
        newest_login_only: false,
        lease_required: false,
        release_compares: false,
        late_grant_is_void: false,
        kick_names_login: false,
        local_takeover_atomic: false,
        refusal_closes: false,
        refusal_forgets: false,
        leave_names_connection: false,
        empty_key_refused: false,
        capacity_enforced: false,
        seats_counted: false,
        connections_bounded: false,
        ..Self::STRICT
    };

    /// How a game checks what GTarcade signs, as its page asks for it and no better.
    ///
    /// GTarcade has no servers of its own in this world: it vouches for players, and the session, the rooms and all
    /// that is behind them are the game's. So every rule is kept but those about what is signed: its age is compared
    /// on one side only, nobody remembers what was used, and members are joined whatever they hold.
    pub const GTARCADE: Self = Self {
        signed_text: SignedText::Joined,
        signature_future_refused: false,
        signature_remembered: false,
        ..Self::STRICT
    };

    /// The original gamecloud servers' behaviour, weaknesses included.
    ///
    /// What stands for what: a set that was issued is a signed payload. Its token, which comes with every later call,
    /// is our session key. A logic server with its sockets is a RoomServer, and a socket that has been attached to a
    /// user a live connection there. The look-up of the token when a socket is attached, and what is granted on that
    /// socket from then on, are the two steps of a room request: find the session, issue a token. The user object that
    /// a logic server holds is what a RoomServer holds of an account. Rules about what gamecloud does not have, such as
    /// room tokens and datagrams, are kept: they hide nothing.
    pub const GAMECLOUD: Self = Self {
        conflict: Conflict::KeepBoth,
        handover: Handover::AfterAdmission,
        resume: Resume::Anyone,
        evidence_required: false,
        signed_text: SignedText::Glued,
        signature_remembered: false,
        session_keys_drawn: false,
        session_checked_at_issue: false,
        redeem_claims: false,
        lease_required: false,
        release_compares: false,
        late_grant_is_void: false,
        kick_names_login: false,
        local_takeover_atomic: false,
        refusal_closes: false,
        leave_names_connection: false,
        capacity_enforced: false,
        seats_counted: false,
        connections_bounded: false,
        ..Self::STRICT
    };

    /// Every profile by its name, the strict one first.
    pub const PROFILES: [(&str, Self); 4] = [
        ("strict", Self::STRICT),
        ("mope", Self::MOPE),
        ("gtarcade", Self::GTARCADE),
        ("gamecloud", Self::GAMECLOUD),
    ];

    /// A profile by its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::PROFILES.into_iter().find(|(known, _)| *known == name).map(|(_, policy)| policy)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::STRICT
    }
}
