//! Flaws: strict with one rule left out. Each was made for one property, and the checker must find it.

use gatepass_core::{
    policy::{Conflict, Handover, Policy, SignedText, UdpBind},
    properties::Property,
};

use crate::{
    eventually::Eventually,
    scenario::{Scenario, ScenarioError},
    setup::Setup,
};

/// A small deliberate defect, selectable only in a world.
#[derive(Clone, Copy, Debug)]
pub struct Flaw {
    /// Its name: what it does.
    pub name: &'static str,
    /// What it leaves out.
    pub about: &'static str,
    /// The property it was made for.
    pub breaks: Property,
    /// The shipped scenario in which it shows.
    pub scenario: &'static str,
    /// Where products had this very defect, as project and number of the public report.
    pub seen_in: &'static [&'static str],
    /// The rule it leaves out.
    pub apply: fn(&mut Policy),
}

impl Flaw {
    /// The flaw of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        FLAWS.iter().find(|flaw| flaw.name == name)
    }

    /// The scenario in which it shows, by strict without its rule, and with an eye on the property it breaks and no
    /// other.
    ///
    /// # Panics
    /// If it names a scenario that is not shipped: a test tries all of them.
    #[must_use]
    pub fn setup(&self) -> Setup {
        let scenario = Scenario::named(self.scenario).expect("flaws name shipped scenarios");
        self.setup_in(scenario).expect("shipped scenarios can be played")
    }

    /// Any scenario by its own rules without this one. Only the property that the flaw breaks is judged: it may break
    /// more, and sooner.
    ///
    /// # Errors
    /// If the scenario cannot be played.
    pub fn setup_in(&self, mut scenario: Scenario) -> Result<Setup, ScenarioError> {
        scenario.validate()?;
        let mut policy = scenario.policy()?;
        (self.apply)(&mut policy);
        scenario.watch = vec![self.breaks];
        Ok(Setup::with_policy(scenario, policy))
    }

    /// Strict without its rule.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let mut policy = Policy::STRICT;
        (self.apply)(&mut policy);
        policy
    }
}

/// All flaws.
pub const FLAWS: &[Flaw] = &[
    Flaw {
        name: "admit-before-handover",
        about: "the newcomer is admitted while another server still holds the account",
        breaks: Property::SingleLiveSession,
        scenario: "takeover-remote",
        seen_in: &["topfreegames/pitaya#251", "processone/ejabberd#2712"],
        apply: |policy| policy.handover = Handover::AfterAdmission,
    },
    Flaw {
        name: "check-then-insert",
        about: "admission looks for the old session in an earlier step than it admits in",
        breaks: Property::SingleLiveSession,
        scenario: "takeover-local",
        seen_in: &["spring-projects/spring-security#3121"],
        apply: |policy| policy.local_takeover_atomic = false,
    },
    Flaw {
        name: "trusted-confirmation",
        about: "a confirmed kick is taken as permission, without asking the cache",
        breaks: Property::SingleLiveSession,
        scenario: "takeover-remote",
        seen_in: &[],
        apply: |policy| policy.confirmation_is_hint = false,
    },
    Flaw {
        name: "release-without-compare",
        about: "a release frees the account, whatever version it names",
        breaks: Property::SingleLiveSession,
        scenario: "takeover-remote",
        seen_in: &[],
        apply: |policy| policy.release_compares = false,
    },
    Flaw {
        name: "late-grant-counts",
        about: "a grant admits although its server has released the account since",
        breaks: Property::NewestLoginWins,
        scenario: "takeover-remote",
        seen_in: &["colyseus/colyseus#978"],
        apply: |policy| policy.late_grant_is_void = false,
    },
    Flaw {
        name: "cache-ends-lease-first",
        about: "the cache gives accounts away while their server still believes in its lease",
        breaks: Property::SingleLiveSession,
        scenario: "lease-end",
        seen_in: &[],
        apply: |policy| policy.lease_ends_first_at_server = false,
    },
    Flaw {
        name: "no-grace",
        about: "a cache that lost its memory grants at once",
        breaks: Property::SingleLiveSession,
        scenario: "cache-loss",
        seen_in: &[],
        apply: |policy| policy.grace_after_loss = false,
    },
    Flaw {
        name: "no-generation",
        about: "grants of a generation that is lost still count",
        breaks: Property::SingleLiveSession,
        scenario: "cache-loss",
        seen_in: &[],
        apply: |policy| policy.generation_checked = false,
    },
    Flaw {
        name: "reusable-token",
        about: "a spent token can be redeemed again",
        breaks: Property::RoomTokenSingleUse,
        scenario: "tokens",
        seen_in: &["redis/redis#6460", "pinterest/snappass#456"],
        apply: |policy| policy.token_single_use = false,
    },
    Flaw {
        name: "token-for-any-server",
        about: "a token is good at every server",
        breaks: Property::RoomTokenBound,
        scenario: "tokens",
        seen_in: &[],
        apply: |policy| policy.token_bound_to_server = false,
    },
    Flaw {
        name: "token-outlives-expiry",
        about: "an expired token can be redeemed",
        breaks: Property::RoomTokenExpires,
        scenario: "expiry",
        seen_in: &[],
        apply: |policy| policy.token_expires = false,
    },
    Flaw {
        name: "session-checked-early",
        about: "a token is issued on a session that was good when the request came",
        breaks: Property::SessionExpires,
        scenario: "expiry",
        seen_in: &[],
        apply: |policy| policy.session_checked_at_issue = false,
    },
    Flaw {
        name: "stale-signature",
        about: "a payload is accepted however long ago it was signed",
        breaks: Property::SignatureFresh,
        scenario: "signatures",
        seen_in: &[],
        apply: |policy| policy.signature_window_checked = false,
    },
    Flaw {
        name: "future-signature",
        about: "a payload is accepted that says it was signed later than now",
        breaks: Property::SignatureFresh,
        scenario: "signatures",
        seen_in: &[],
        apply: |policy| policy.signature_future_refused = false,
    },
    Flaw {
        name: "replayed-signature",
        about: "nobody remembers which payloads have been used",
        breaks: Property::SignatureOnce,
        scenario: "signatures",
        seen_in: &[],
        apply: |policy| policy.signature_remembered = false,
    },
    Flaw {
        name: "forgotten-signature",
        about: "a used payload is forgotten while its window lasts",
        breaks: Property::SignatureOnce,
        scenario: "signatures",
        seen_in: &[],
        apply: |policy| policy.signature_memory_outlasts_window = false,
    },
    Flaw {
        name: "forgotten-on-one-clock",
        about: "a used payload is forgotten once it is too old on one LoginServer's clock",
        breaks: Property::SignatureOnce,
        scenario: "two-clocks",
        seen_in: &[],
        apply: |policy| policy.signature_memory_counts_skew = false,
    },
    Flaw {
        name: "forgotten-with-the-cache",
        about: "a cache that lost its memory of used payloads takes them again",
        breaks: Property::SignatureOnce,
        scenario: "forgotten",
        seen_in: &[],
        apply: |policy| policy.signature_grace_after_loss = false,
    },
    Flaw {
        name: "restarted-without-memory",
        about: "a cache that starts again in order takes again what was used before",
        breaks: Property::SignatureOnce,
        scenario: "handed-over",
        seen_in: &[],
        apply: |policy| policy.signature_recalled = false,
    },
    Flaw {
        name: "glued-members",
        about: "names and values are signed with nothing between them",
        breaks: Property::Authentic,
        scenario: "recombined",
        seen_in: &[],
        apply: |policy| policy.signed_text = SignedText::Glued,
    },
    Flaw {
        name: "joined-members",
        about: "members are joined for signing, whatever separators are in them",
        breaks: Property::SignatureFresh,
        scenario: "recombined",
        seen_in: &[],
        apply: |policy| policy.signed_text = SignedText::Joined,
    },
    Flaw {
        name: "no-evidence",
        about: "whoever shows nothing is logged in as the one he names",
        breaks: Property::Authentic,
        scenario: "recombined",
        seen_in: &[],
        apply: |policy| policy.evidence_required = false,
    },
    Flaw {
        name: "session-key-revived",
        about: "a session's key is made of its account, and good again with the next login",
        breaks: Property::SessionExpires,
        scenario: "expiry",
        seen_in: &[],
        apply: |policy| policy.session_keys_drawn = false,
    },
    Flaw {
        name: "relogin-kicks-nobody",
        about: "the old session stays live beside the new one",
        breaks: Property::SingleLiveSession,
        scenario: "takeover-local",
        seen_in: &[],
        apply: |policy| policy.conflict = Conflict::KeepBoth,
    },
    Flaw {
        name: "any-password",
        about: "passwords are not compared",
        breaks: Property::Authentic,
        scenario: "strangers",
        seen_in: &[],
        apply: |policy| policy.password_checked = false,
    },
    Flaw {
        name: "empty-key",
        about: "the empty key logs in as somebody who is in a room",
        breaks: Property::Authentic,
        scenario: "strangers",
        seen_in: &[],
        apply: |policy| {
            policy.empty_key_refused = false;
            policy.resume = gatepass_core::policy::Resume::Anyone;
        },
    },
    Flaw {
        name: "oldest-login-wins-too",
        about: "a token is redeemed although a newer one was issued",
        breaks: Property::NewestLoginWins,
        scenario: "takeover-local",
        seen_in: &[],
        apply: |policy| policy.newest_login_only = false,
    },
    Flaw {
        name: "kick-by-account",
        about: "a kick closes whatever session the account has",
        breaks: Property::NewestLoginWins,
        scenario: "takeover-remote",
        seen_in: &["topfreegames/pitaya#313"],
        apply: |policy| policy.kick_names_login = false,
    },
    Flaw {
        name: "login-sequence-restarts",
        about: "login sequences start again after a cache loss",
        breaks: Property::NewestLoginWins,
        scenario: "cache-loss",
        seen_in: &[],
        apply: |policy| policy.generation_durable = false,
    },
    Flaw {
        name: "serve-unverified",
        about: "heartbeats are echoed before verification",
        breaks: Property::UnverifiedIsMute,
        scenario: "strangers",
        seen_in: &[],
        apply: |policy| policy.unverified_is_mute = false,
    },
    Flaw {
        name: "no-capacity",
        about: "rooms take whoever comes",
        breaks: Property::Capacity,
        scenario: "full-room",
        seen_in: &["colyseus/colyseus#678"],
        apply: |policy| policy.capacity_enforced = false,
    },
    Flaw {
        name: "check-then-claim",
        about: "a redeem looks for the owner of the account in an earlier step than it claims in",
        breaks: Property::SingleLiveSession,
        scenario: "takeover-remote",
        seen_in: &["spring-projects/spring-security#12867", "esl/MongooseIM#849"],
        apply: |policy| policy.redeem_claims = false,
    },
    Flaw {
        name: "wakes-into-old-lease",
        about: "a process that was stopped goes on before it notices that its lease has ended",
        breaks: Property::SingleLiveSession,
        scenario: "stopped-owner",
        seen_in: &["colyseus/colyseus#978"],
        apply: |policy| policy.timers_first = false,
    },
    Flaw {
        name: "no-call-ids",
        about: "any answer counts for the question that is open, and a late grant is not void",
        breaks: Property::RoomTokenSingleUse,
        scenario: "repeated-answers",
        seen_in: &["foxglove/foxglove-sdk#1194"],
        apply: |policy| {
            policy.calls_matched = false;
            policy.late_grant_is_void = false;
        },
    },
    Flaw {
        name: "restart-keeps-id",
        about: "a RoomServer that starts again has the id of its former life",
        breaks: Property::RoomTokenBound,
        scenario: "restart-room",
        seen_in: &["ValveSoftware/Source-1-Games#7758"],
        apply: |policy| policy.life_names_server = false,
    },
    Flaw {
        name: "expired-token-revived",
        about: "an expired token is good again once its session asks for a room",
        breaks: Property::RoomTokenExpires,
        scenario: "attacker",
        seen_in: &[],
        apply: |policy| policy.expiry_is_final = false,
    },
    Flaw {
        name: "old-cookie-survives",
        about: "a newer login leaves the older session as good as before",
        breaks: Property::SessionExpires,
        scenario: "attacker",
        seen_in: &["heroiclabs/nakama#1014"],
        apply: |policy| policy.one_session = false,
    },
    Flaw {
        name: "lookup-failure-authenticates",
        about: "a login whose lookup failed leaves its identity on the connection, for any key",
        breaks: Property::Authentic,
        scenario: "database",
        seen_in: &["socketio/socket.io#5491"],
        apply: |policy| {
            policy.refusal_closes = false;
            policy.refusal_forgets = false;
        },
    },
    Flaw {
        name: "stale-leave",
        about: "the late end of an old session takes the new one out of its room",
        breaks: Property::NewestLoginWins,
        scenario: "takeover-local",
        seen_in: &["topfreegames/pitaya#251", "foxglove/foxglove-sdk#1196"],
        apply: |policy| policy.leave_names_connection = false,
    },
    Flaw {
        name: "game-before-login",
        about: "frames of unverified connections reach the game",
        breaks: Property::UnverifiedIsMute,
        scenario: "attacker",
        seen_in: &[],
        apply: |policy| policy.game_after_login = false,
    },
    Flaw {
        name: "seats-not-counted",
        about: "places that are reserved are promised again",
        breaks: Property::Capacity,
        scenario: "full-room",
        seen_in: &["colyseus/colyseus#726", "agones-dev/agones#1239"],
        apply: |policy| policy.seats_counted = false,
    },
    Flaw {
        name: "reply-to-newest",
        about: "an answer goes to whoever asked last",
        breaks: Property::NoSecretLeaks,
        scenario: "login",
        seen_in: &[],
        apply: |policy| policy.replies_matched = false,
    },
    Flaw {
        name: "unknown-account-told",
        about: "a refusal says that there is no such account",
        breaks: Property::NoSecretLeaks,
        scenario: "strangers",
        seen_in: &[],
        apply: |policy| policy.refusals_alike = false,
    },
    Flaw {
        name: "links-without-key",
        about: "RCenter registers whoever asks, whatever key was shown",
        breaks: Property::UnverifiedIsMute,
        scenario: "forged-frames",
        seen_in: &[],
        apply: |policy| policy.links_verified = false,
    },
    Flaw {
        name: "datagrams-for-anyone",
        about: "whoever knows the token of a session directs its datagrams",
        breaks: Property::Authentic,
        scenario: "forged-frames",
        seen_in: &[],
        apply: |policy| policy.udp_bind = UdpBind::Anyone,
    },
    Flaw {
        name: "endless-attempts",
        about: "a refused login leaves the connection open for the next try",
        breaks: Property::Bounded,
        scenario: "attacker",
        seen_in: &[],
        apply: |policy| policy.refusal_closes = false,
    },
    Flaw {
        name: "token-pile",
        about: "every request of a session brings another good token",
        breaks: Property::Bounded,
        scenario: "attacker",
        seen_in: &["supabase/auth#466"],
        apply: |policy| {
            policy.token_reissued = false;
            policy.newest_login_only = false;
        },
    },
    Flaw {
        name: "endless-connections",
        about: "a RoomServer takes more connections than it was sized for",
        breaks: Property::Bounded,
        scenario: "attacker",
        seen_in: &[],
        apply: |policy| policy.connections_bounded = false,
    },
];

/// A defect that leaves everything that must always be true as it is, and something undone in the end.
#[derive(Clone, Copy, Debug)]
pub struct EndFlaw {
    /// Its name: what it does.
    pub name: &'static str,
    /// What it leaves out.
    pub about: &'static str,
    /// What it was made to leave undone.
    pub breaks: Eventually,
    /// Where products had this very defect, as project and number of the public report.
    pub seen_in: &'static [&'static str],
    /// The rule it leaves out.
    pub apply: fn(&mut Policy),
}

impl EndFlaw {
    /// The shipped scenario that asks how everything ends, by strict without its rule.
    ///
    /// # Panics
    /// If that scenario is not shipped: a test tries all flaws.
    #[must_use]
    pub fn setup(&self) -> Setup {
        let scenario = Scenario::named("in-the-end").expect("it is shipped");
        let mut policy = Policy::STRICT;
        (self.apply)(&mut policy);
        Setup::with_policy(scenario, policy)
    }
}

/// All of them.
pub const END_FLAWS: &[EndFlaw] = &[
    EndFlaw {
        name: "endless-waits",
        about: "a connection may wait for its verification for ever",
        breaks: Eventually::NoHandoverWaits,
        seen_in: &["cloudwu/skynet#259"],
        apply: |policy| policy.waits_bounded = false,
    },
    EndFlaw {
        name: "endless-seats",
        about: "a seat is kept for whoever never comes",
        breaks: Eventually::NoSeatLeaks,
        seen_in: &["agones-dev/agones#607"],
        apply: |policy| policy.seats_expire = false,
    },
    EndFlaw {
        name: "endless-leases",
        about: "the lease of a server that has crashed never ends",
        breaks: Eventually::LeasesSettle,
        seen_in: &["colyseus/colyseus#799"],
        apply: |policy| policy.leases_expire = false,
    },
];
