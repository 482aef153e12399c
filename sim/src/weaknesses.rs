//! What the original servers get wrong, each weakness by itself, and the rule of strict that removes it.
//!
//! They break in so many ways that one hides the other: the shortest run of `mope` shows always the same. So each
//! weakness has a scenario of its own, in which the rules that would show another one first are kept.

use gatepass_core::properties::Property;

/// A weakness of the original servers, known from running them.
#[derive(Clone, Copy, Debug)]
pub struct Weakness {
    /// Its number among the known ones.
    pub id: &'static str,
    /// The scenario that shows it: `check --scenario` takes the name.
    pub scenario: &'static str,
    /// The property that it breaks.
    pub breaks: Property,
    /// The rules of strict without which it is there, as fields of [`gatepass_core::policy::Policy`].
    pub removed_by: &'static [&'static str],
    /// The flaw that brings it back to strict.
    pub flaw: &'static str,
}

/// All that the checker finds by itself.
pub const WEAKNESSES: &[Weakness] = &[
    Weakness {
        id: "W1",
        scenario: "mope-w1",
        breaks: Property::Authentic,
        removed_by: &["empty_key_refused"],
        flaw: "empty-key",
    },
    Weakness {
        id: "W3",
        scenario: "mope-w3",
        breaks: Property::Authentic,
        removed_by: &["refusal_forgets", "refusal_closes"],
        flaw: "lookup-failure-authenticates",
    },
    Weakness {
        id: "W4",
        scenario: "mope-w4",
        breaks: Property::SingleLiveSession,
        removed_by: &["local_takeover_atomic"],
        flaw: "check-then-insert",
    },
    Weakness {
        id: "W7",
        scenario: "mope-w7",
        breaks: Property::NewestLoginWins,
        removed_by: &["leave_names_connection"],
        flaw: "stale-leave",
    },
    Weakness {
        id: "W9",
        scenario: "mope-w9",
        breaks: Property::SingleLiveSession,
        removed_by: &["release_compares"],
        flaw: "release-without-compare",
    },
    Weakness {
        id: "W10a",
        scenario: "mope-w10a",
        breaks: Property::SingleLiveSession,
        removed_by: &["redeem_claims"],
        flaw: "check-then-claim",
    },
    Weakness {
        id: "W10b",
        scenario: "mope-w10b",
        breaks: Property::SingleLiveSession,
        removed_by: &["handover"],
        flaw: "admit-before-handover",
    },
    Weakness {
        id: "W10d",
        scenario: "mope-w10d",
        breaks: Property::SingleLiveSession,
        removed_by: &["handover"],
        flaw: "admit-before-handover",
    },
    Weakness {
        id: "W11",
        scenario: "mope-w11",
        breaks: Property::SignatureOnce,
        removed_by: &[],
        flaw: "replayed-signature",
    },
    Weakness {
        id: "W12",
        scenario: "mope-w12",
        breaks: Property::Bounded,
        removed_by: &["token_reissued"],
        flaw: "token-pile",
    },
    Weakness {
        id: "W15",
        scenario: "mope-w15",
        breaks: Property::Bounded,
        removed_by: &["refusal_closes"],
        flaw: "endless-attempts",
    },
    Weakness {
        id: "W22",
        scenario: "mope-w22",
        breaks: Property::Capacity,
        removed_by: &["capacity_enforced"],
        flaw: "no-capacity",
    },
];
