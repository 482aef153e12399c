//! What the originals leave out, field by field: a profile that kept a rule would find a weakness gone that is there.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;

fn fields(policy: &Policy) -> BTreeMap<String, Value> {
    serde_json::from_value(serde_json::to_value(policy).unwrap()).unwrap()
}

/// The fields in which a profile is not strict; what is no yes or no, with its value.
fn left_out(policy: &Policy) -> Vec<String> {
    let strict = fields(&Policy::STRICT);
    let other = fields(policy).into_iter().filter(|(name, value)| strict[name] != *value);
    other
        .map(|(name, value)| match value {
            Value::Bool(_) => name,
            value => format!("{name}={}", value.as_str().unwrap()),
        })
        .collect()
}

#[test]
fn profiles_leave_out_what_their_originals_leave_out() {
    let expected: [(&str, &[&str]); 4] = [
        ("strict", &[]),
        (
            "mope",
            &[
                "capacity_enforced",
                "connections_bounded",
                "empty_key_refused",
                "handover=after_admission",
                "kick_names_login",
                "late_grant_is_void",
                "lease_required",
                "leave_names_connection",
                "local_takeover_atomic",
                "newest_login_only",
                "one_session",
                "redeem_claims",
                "refusal_closes",
                "refusal_forgets",
                "release_compares",
                "resume=anyone",
                "seats_counted",
                "session_checked_at_issue",
                "token_bound_to_server",
                "token_reissued",
                "udp_bind=anyone",
            ],
        ),
        ("gtarcade", &["signature_future_refused", "signature_remembered", "signed_text=joined"]),
        (
            "gamecloud",
            &[
                "capacity_enforced",
                "conflict=keep_both",
                "connections_bounded",
                "evidence_required",
                "handover=after_admission",
                "kick_names_login",
                "late_grant_is_void",
                "lease_required",
                "leave_names_connection",
                "local_takeover_atomic",
                "redeem_claims",
                "refusal_closes",
                "release_compares",
                "resume=anyone",
                "seats_counted",
                "session_checked_at_issue",
                "session_keys_drawn",
                "signature_remembered",
                "signed_text=glued",
            ],
        ),
    ];
    for (name, rules) in expected {
        let policy = Policy::named(name).expect("a profile");
        assert_eq!(left_out(&policy), rules, "{name}");
    }
    assert!(Policy::named("nothing").is_none() && Policy::default() == Policy::STRICT);
}
