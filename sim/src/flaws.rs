//! Flaws: strict with one rule left out. Each was made for one property, and the checker must find it.

use gatepass_core::{
    policy::{Handover, Policy},
    properties::Property,
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
    /// The rule it leaves out.
    pub apply: fn(&mut Policy),
}

impl Flaw {
    /// The flaw of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        FLAWS.iter().find(|flaw| flaw.name == name)
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
        apply: |policy| policy.handover = Handover::AfterAdmission,
    },
    Flaw {
        name: "check-then-insert",
        about: "admission looks for the old session in an earlier step than it admits in",
        breaks: Property::SingleLiveSession,
        scenario: "takeover-local",
        apply: |policy| policy.local_takeover_atomic = false,
    },
    Flaw {
        name: "trusted-confirmation",
        about: "a confirmed kick is taken as permission, without asking the cache",
        breaks: Property::SingleLiveSession,
        scenario: "takeover-remote",
        apply: |policy| policy.confirmation_is_hint = false,
    },
    Flaw {
        name: "release-without-compare",
        about: "a release frees the account, whatever version it names",
        breaks: Property::SingleLiveSession,
        scenario: "takeover-remote",
        apply: |policy| policy.release_compares = false,
    },
    Flaw {
        name: "late-grant-counts",
        about: "a grant admits although its server has released the account since",
        breaks: Property::NewestLoginWins,
        scenario: "takeover-remote",
        apply: |policy| policy.late_grant_is_void = false,
    },
    Flaw {
        name: "cache-ends-lease-first",
        about: "the cache gives accounts away while their server still believes in its lease",
        breaks: Property::SingleLiveSession,
        scenario: "lease-end",
        apply: |policy| policy.lease_ends_first_at_server = false,
    },
    Flaw {
        name: "no-grace",
        about: "a cache that lost its memory grants at once",
        breaks: Property::SingleLiveSession,
        scenario: "cache-loss",
        apply: |policy| policy.grace_after_loss = false,
    },
    Flaw {
        name: "no-generation",
        about: "grants of a generation that is lost still count",
        breaks: Property::SingleLiveSession,
        scenario: "cache-loss",
        apply: |policy| policy.generation_checked = false,
    },
    Flaw {
        name: "reusable-token",
        about: "a spent token can be redeemed again",
        breaks: Property::RoomTokenSingleUse,
        scenario: "tokens",
        apply: |policy| policy.token_single_use = false,
    },
    Flaw {
        name: "token-for-any-server",
        about: "a token is good at every server",
        breaks: Property::RoomTokenBound,
        scenario: "tokens",
        apply: |policy| policy.token_bound_to_server = false,
    },
    Flaw {
        name: "token-outlives-expiry",
        about: "an expired token can be redeemed",
        breaks: Property::RoomTokenExpires,
        scenario: "expiry",
        apply: |policy| policy.token_expires = false,
    },
    Flaw {
        name: "session-checked-early",
        about: "a token is issued on a session that was good when the request came",
        breaks: Property::SessionExpires,
        scenario: "expiry",
        apply: |policy| policy.session_checked_at_issue = false,
    },
    Flaw {
        name: "any-password",
        about: "passwords are not compared",
        breaks: Property::Authentic,
        scenario: "strangers",
        apply: |policy| policy.password_checked = false,
    },
    Flaw {
        name: "empty-key",
        about: "the empty key logs in as somebody who is in a room",
        breaks: Property::Authentic,
        scenario: "strangers",
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
        apply: |policy| policy.newest_login_only = false,
    },
    Flaw {
        name: "kick-by-account",
        about: "a kick closes whatever session the account has",
        breaks: Property::NewestLoginWins,
        scenario: "takeover-remote",
        apply: |policy| policy.kick_names_login = false,
    },
    Flaw {
        name: "login-sequence-restarts",
        about: "login sequences start again after a cache loss",
        breaks: Property::NewestLoginWins,
        scenario: "cache-loss",
        apply: |policy| policy.generation_durable = false,
    },
    Flaw {
        name: "serve-unverified",
        about: "heartbeats are echoed before verification",
        breaks: Property::UnverifiedIsMute,
        scenario: "strangers",
        apply: |policy| policy.unverified_is_mute = false,
    },
    Flaw {
        name: "no-capacity",
        about: "rooms take whoever comes",
        breaks: Property::Capacity,
        scenario: "full-room",
        apply: |policy| policy.capacity_enforced = false,
    },
];
