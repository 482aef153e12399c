//! What the original systems get wrong, each weakness by itself, and the rule of strict that removes it.
//!
//! They break in so many ways that one hides the other: the shortest run of `mope` shows always the same. So each
//! weakness has a scenario of its own, in which the rules that would show another one first are kept. Its policy says
//! which system it is one of.

use gatepass_core::properties::Property;

/// A weakness of an original system, known from running it.
#[derive(Clone, Copy, Debug)]
pub struct Weakness {
    /// Its name among the known ones of its system: a number, where those are numbered.
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
    Weakness {
        id: "replay",
        scenario: "gtarcade-replay",
        breaks: Property::SignatureOnce,
        removed_by: &["signature_remembered"],
        flaw: "replayed-signature",
    },
    Weakness {
        id: "future",
        scenario: "gtarcade-future",
        breaks: Property::SignatureFresh,
        removed_by: &["signature_future_refused"],
        flaw: "future-signature",
    },
    Weakness {
        id: "moved time",
        scenario: "gtarcade-moved-time",
        breaks: Property::SignatureFresh,
        removed_by: &["signed_text"],
        flaw: "joined-members",
    },
    Weakness {
        id: "moved account",
        scenario: "gtarcade-moved-account",
        breaks: Property::Authentic,
        removed_by: &["signed_text"],
        flaw: "glued-members",
    },
    Weakness {
        id: "W1",
        scenario: "gamecloud-w1",
        breaks: Property::SingleLiveSession,
        removed_by: &["conflict"],
        flaw: "relogin-kicks-nobody",
    },
    Weakness {
        id: "W2",
        scenario: "gamecloud-w2",
        breaks: Property::SingleLiveSession,
        removed_by: &["local_takeover_atomic"],
        flaw: "check-then-insert",
    },
    Weakness {
        id: "W6",
        scenario: "gamecloud-w6",
        breaks: Property::Authentic,
        removed_by: &["evidence_required"],
        flaw: "no-evidence",
    },
    Weakness {
        id: "W8",
        scenario: "gamecloud-w8",
        breaks: Property::SessionExpires,
        removed_by: &["session_checked_at_issue"],
        flaw: "session-checked-early",
    },
    Weakness {
        id: "W9",
        scenario: "gamecloud-w9",
        breaks: Property::SessionExpires,
        removed_by: &["session_keys_drawn"],
        flaw: "session-key-revived",
    },
    Weakness {
        id: "W11",
        scenario: "gamecloud-w11",
        breaks: Property::SignatureOnce,
        removed_by: &["signature_remembered"],
        flaw: "replayed-signature",
    },
    Weakness {
        id: "W12",
        scenario: "gamecloud-w12",
        breaks: Property::Authentic,
        removed_by: &["signed_text"],
        flaw: "glued-members",
    },
];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gatepass_core::policy::Policy;

    use super::*;
    use crate::{
        check::explore,
        explorer::Bounds,
        flaws::Flaw,
        replay::Replay,
        scenario::{Scenario, rules_of},
        setup::Setup,
        world::Broken,
    };

    /// Many worlds of the originals have no end: what is found is found before this.
    const STATES: u64 = 20_000;

    #[test]
    fn each_is_found_replays_and_is_gone_with_its_rules() {
        let bounds = Bounds { states: STATES, ..Bounds::default() };
        for weakness in WEAKNESSES {
            let name = weakness.scenario;
            let scenario = Scenario::named(name).expect("it is shipped");
            assert!(name.starts_with(&format!("{}-", scenario.policy)), "{name} is one of its system");
            let setup = Arc::new(Setup::new(scenario.clone()).expect("it can be played"));
            let found = explore(&setup, Some(weakness.breaks), bounds, &mut |_| {}).violations;
            let first = found.first().unwrap_or_else(|| panic!("{name} is not found"));
            assert_eq!(first.broken, Broken::Property(weakness.breaks), "{name}");
            let trace = Replay::new(&setup, &first.choices).run().expect("it replays");
            let broken = trace.violation.map(|(broken, _)| broken);
            assert_eq!(broken.as_deref(), Some(weakness.breaks.name()), "{name}");

            if scenario.policy == "mope" {
                // It leaves so much out that behind one weakness is another of the same property.
                continue;
            }
            let kept = rules_of(&Policy::STRICT);
            let mut better = scenario;
            better.rules.extend(weakness.removed_by.iter().map(|rule| {
                let value = kept.get(*rule).unwrap_or_else(|| panic!("{name}: no rule {rule}"));
                ((*rule).to_owned(), value.clone())
            }));
            let setup = Arc::new(Setup::new(better).expect("it can be played"));
            let report = explore(&setup, Some(weakness.breaks), bounds, &mut |_| {});
            let broken = report.violations.first().map(|it| it.broken.name());
            assert_eq!(broken, None, "{name} is still there");
        }
    }

    #[test]
    fn each_has_the_flaw_that_brings_it_back() {
        for weakness in WEAKNESSES {
            let flaw = Flaw::named(weakness.flaw).unwrap_or_else(|| panic!("no flaw {}", weakness.flaw));
            let (strict, flawed) = (rules_of(&Policy::STRICT), rules_of(&flaw.policy()));
            let left_out = |rule: &&str| strict.get(*rule) != flawed.get(*rule);
            let names = weakness.removed_by;
            assert!(names.is_empty() || names.iter().any(left_out), "{}", weakness.scenario);
        }
    }
}
