//! Every verifier that comes along, and the one of the example, held to the laws of `gatepass_sim::verifier`; and
//! verifiers that break them, each of which is found.

use std::time::Duration;

use gatepass_adapters::gtarcade::signed_response_at;
use gatepass_core::{
    ids::{Addr, Payload},
    message::Age,
    properties::Property,
    verify::{
        Window,
        gamecloud::{
            builtin::{Admin, TwoPhase},
            sign::{SIGN, Secret, check},
        },
        gtarcade::{Games, Settings, SignKey, SignKeys},
        verifier::{Domains, Evidence, Issue, Unproven, Verdict, Verified, Verifier},
    },
    wire::json::{self, Json, Members},
};
use gatepass_sim::{
    verifier::{Law, Trial},
    world::Broken,
};

#[allow(dead_code, reason = "an example has a main function")]
#[path = "../adapters/examples/user_define.rs"]
mod user_define;

fn secret(text: &str) -> Secret {
    Secret::new(text).expect("not empty")
}

/// What a verifier that issues by itself gives to whoever asks it.
fn issued(verifier: &dyn Verifier, request: &str, now: u64, nonce: u32) -> Option<String> {
    let value = json::read(request.as_bytes(), 4).expect("JSON");
    let parameters = value.object().expect("an object");
    let none = Members::default();
    let oem = parameters.get("oemInfo").and_then(Json::object).unwrap_or(&none);
    let set = verifier.issue(&Issue { parameters, oem, peer: Addr(1), now, nonce }).ok()?;
    Some(format!("{{\"auth\":{set}}}"))
}

/// Whoever wrote a verifier checks it in these few lines.
#[test]
fn the_verifier_of_the_example_keeps_every_law() {
    let verifier = user_define::UserDefine::new(secret("a secret"));
    let sign = |id: &str, now, nonce| {
        issued(&verifier, &format!("{{\"id\":\"{id}\"}}"), now + u64::from(nonce), nonce)
    };
    let trial = Trial { verifier: &verifier, domain: "official.IOS", sign: &sign };
    assert_eq!(trial.check().map_err(|breach| breach.to_string()), Ok(()));
    // The same players in every order of events, with an attacker who shows all that he can make of his own set.
    let report = trial.explore();
    assert!(report.holds() && report.violations.is_empty(), "{:?}", report.violations);
}

#[test]
fn the_verifiers_of_the_originals_keep_every_law() {
    for bound in [false, true] {
        let verifier = TwoPhase::new(secret("players"), Window::EVEN, bound, true);
        let oem = if bound { r#","oemInfo":{"domain":"official.IOS"}"# } else { "" };
        let sign = |id: &str, now, nonce| issued(&verifier, &format!("{{\"id\":\"{id}\"{oem}}}"), now, nonce);
        let trial = Trial { verifier: &verifier, domain: "official.IOS", sign: &sign };
        assert_eq!(trial.check().map_err(|breach| breach.to_string()), Ok(()));
    }
    let verifier = Admin::new(secret("admins"), secret("key"), Window::EVEN);
    let sign = |id: &str, now, nonce| {
        issued(&verifier, &format!(r#"{{"oemInfo":{{"openid":"{id}","openkey":"key"}}}}"#), now, nonce)
    };
    let trial = Trial { verifier: &verifier, domain: "admin", sign: &sign };
    assert_eq!(trial.check().map_err(|breach| breach.to_string()), Ok(()));

    let mut verifier = Games::new(Settings::default());
    assert!(verifier.add("7", SignKeys::one(SignKey::new("key"))));
    let sign = |id: &str, now, _| Some(signed_response_at(id, "7", &SignKey::new("key"), now));
    let trial = Trial { verifier: &verifier, domain: "gtarcade.7", sign: &sign };
    assert_eq!(trial.check().map_err(|breach| breach.to_string()), Ok(()));
}

/// What a verifier may get wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    TakesNothing,
    AnyCase,
    Nobody,
    AnyMembers,
    NoWindow,
    ShortMemory,
    ForgetsWhat,
    RemembersText,
    Trims,
}

#[derive(Debug)]
struct Careless(Mistake, Domains);

impl Verifier for Careless {
    fn name(&self) -> &'static str {
        "careless"
    }

    fn domains(&self) -> &Domains {
        &self.1
    }

    fn check(&self, evidence: &Evidence<'_>) -> Verdict {
        let Self(mistake, _) = self;
        let refused = Verdict::Refused(Unproven::NoEvidence);
        let Some(members) = evidence.auth().and_then(Json::object) else {
            return match evidence.text("openid").filter(|_| *mistake == Mistake::TakesNothing) {
                Some(id) => Verdict::Verified(Verified::new(id.into(), Age::Fresh, Payload::default())),
                None => refused,
            };
        };
        if (members.repeats() || members.0.len() != 4) && *mistake != Mistake::AnyMembers {
            return refused;
        }
        let (Some(Json::Number(t)), Some(Json::Text(id)), Some(Json::Text(given))) =
            (members.get("t"), members.get("userId"), members.get(SIGN))
        else {
            return refused;
        };
        let Some(time) = t.parse().ok().filter(|time: &i64| time.to_string() == *t) else { return refused };
        if !matches!(members.get("n"), Some(Json::Number(n)) if n.len() == 1)
            && *mistake != Mistake::AnyMembers
        {
            return refused;
        }
        let Some(signature) = check(members, &secret("s"), given) else { return refused };
        let age = match mistake {
            Mistake::NoWindow => Age::Fresh,
            _ => Window::EVEN.age(time, evidence.now.cast_signed()),
        };
        let subject = match mistake {
            Mistake::Nobody => "somebody",
            Mistake::Trims => id.trim(),
            _ => id,
        };
        let payload = match mistake {
            Mistake::ForgetsWhat => Payload::default(),
            Mistake::RemembersText => {
                let first = members.0.first().map_or(0, |(name, _)| name.len());
                Payload::new([first as u8; 16])
            }
            _ => signature.payload(),
        };
        Verdict::Verified(Verified::new(subject.into(), age, payload))
    }

    fn memory(&self) -> Duration {
        if self.0 == Mistake::ShortMemory { Duration::from_secs(300) } else { Window::EVEN.length() }
    }
}

#[test]
fn a_verifier_that_breaks_a_law_is_found() {
    for (mistake, law) in [
        (Mistake::TakesNothing, Law::Evidence),
        (Mistake::AnyCase, Law::Domain),
        (Mistake::Nobody, Law::Vouches),
        (Mistake::AnyMembers, Law::Forgery),
        (Mistake::NoWindow, Law::Window),
        (Mistake::ShortMemory, Law::Window),
        (Mistake::ForgetsWhat, Law::Once),
        (Mistake::RemembersText, Law::Once),
        (Mistake::Trims, Law::Vouches),
    ] {
        let types: &[&str] = if mistake == Mistake::AnyCase { &["own", "OWN"] } else { &["own"] };
        let verifier = Careless(mistake, Domains::of(types, &[]));
        let sign = |id: &str, now: u64, nonce: u32| {
            let set = format!(r#"{{"t":{now},"n":{nonce},"userId":"{id}"}}"#);
            let value = json::read(set.as_bytes(), 4).ok()?;
            let mut members = value.object()?.clone();
            let signature = gatepass_core::verify::gamecloud::sign::sign(&members, "s").ok()?;
            members.0.push((SIGN.into(), Json::Text(signature.text().into())));
            Some(format!("{{\"auth\":{}}}", Json::Object(members)))
        };
        let trial = Trial { verifier: &verifier, domain: "own", sign: &sign };
        assert_eq!(trial.check().map_err(|breach| breach.law), Err(law), "{mistake:?}");
        let in_a_world = match mistake {
            Mistake::AnyMembers => Broken::Property(Property::Authentic),
            Mistake::NoWindow => Broken::Property(Property::SignatureFresh),
            _ => continue,
        };
        let broken = trial.explore().violations.first().map(|found| found.broken);
        assert_eq!(broken, Some(in_a_world), "{mistake:?}");
    }
}
