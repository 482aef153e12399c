use alloc::vec;

use proptest::prelude::*;

use super::*;
use crate::wire::json;

const NOW: u64 = 1_795_165_980;

fn secret() -> Secret {
    Secret::new("secret-360-test").expect("a secret")
}

fn set(id: &str) -> Set {
    Set { t: NOW, nonce: 88, id: id.into(), domain: None, session: None }
}

fn check(text: &str, expected: Result<(), SetFault>) {
    let value = json::read(text.as_bytes(), 8).expect("JSON");
    assert_eq!(Set::check(&value, "official.IOS", false, &secret()).map(|_| ()), expected, "{text}");
}

/// A set with some of its text changed, and signed again: whoever knows the secret may sign what he likes.
fn signed_again(text: &str, from: &str, to: &str) -> String {
    let changed = text.replace(from, to);
    assert_ne!(changed, text);
    let value = json::read(changed.as_bytes(), 8).expect("JSON");
    let mut members = value.object().expect("an object").clone();
    let signature = sign::sign(&members, secret().expose()).expect("texts");
    let place = members.0.iter().position(|(name, _)| name == SIGN);
    members.0[place.expect("a signature")].1 = Json::Text(signature.text().into());
    Json::Object(members).to_string()
}

#[test]
fn what_is_issued_is_taken() {
    let text = set("u_get").issue(&secret()).expect("a good set");
    assert!(
        text.starts_with(r#"{"t":1795165980,"nonce":88,"plat_user_id":"u_get","nickname":"u_get","#),
        "{text}"
    );
    check(&text, Ok(()));
    let bound = Set { domain: Some("official.IOS".into()), ..set("u") }.issue(&secret()).expect("a good set");
    check(&bound, Ok(()));
    let other = Set { domain: Some("360.IOS".into()), ..set("u") }.issue(&secret()).expect("a good set");
    check(&other, Err(SetFault::OtherDomain));
    let admin = Set { session: Some("0".repeat(32)), ..set("u") }.issue(&secret()).expect("a good set");
    check(&admin, Err(SetFault::Members));
    let value = json::read(admin.as_bytes(), 8).expect("JSON");
    assert!(Set::check(&value, "admin", true, &secret()).is_ok());
}

#[test]
fn a_session_has_as_many_digits_as_it_has() {
    for (session, fits) in [
        ("0123456789abcdef0123456789abcdef", true),
        ("0123456789abcdef0123456789abcde", false),
        ("0123456789abcdef0123456789abcdef0", false),
        ("0123456789abcdef0123456789abcdeg", false),
        ("0123456789ABCDEF0123456789ABCDEF", false),
    ] {
        let issued = Set { session: Some(session.into()), ..set("u") }.issue(&secret());
        assert_eq!(issued.err(), (!fits).then_some(SetFault::Form { member: "session" }), "{session}");
    }
}

#[test]
fn a_signature_does_not_make_up_for_another_form() {
    let text = set("u").issue(&secret()).expect("a good set");
    let fault = |member| Err(SetFault::Form { member });
    for (from, to, expected) in [
        ("1795165980", "\"1795165980\"", fault("t")),
        ("1795165980", "[1795165980]", fault("t")),
        ("1795165980", "1795165980000", fault("t")),
        ("1795165980", "1795165980.0", fault("t")),
        ("1795165980", "17951659e2", fault("t")),
        (":88", ":\"88\"", fault("nonce")),
        (":88", ":1000000000", fault("nonce")),
        (":88", ":-8", fault("nonce")),
        (":\"u\"", ":\"\"", fault("plat_user_id")),
        (":\"u\"", ":7", fault("plat_user_id")),
        (":\"u\"", ":null", fault("plat_user_id")),
        ("nickname\":\"u", "nickname\":\"v", fault("nickname")),
        ("avatar\":\"u", "avatar\":\"v", fault("avatar")),
        (":1,", ":2,", fault("is_tourist")),
        (":1,", ":true,", fault("is_tourist")),
        (":1,", ":1,\"x\":\"\",", Err(SetFault::Members)),
        (":1,", ":1,\"domain\":\"official_IOS\",", fault("domain")),
        (":1,", ":1,\"domain\":null,", fault("domain")),
        (",\"nonce\":88", "", Err(SetFault::Members)),
        (",\"nonce\":88", ",\"nonce\":88,\"nonce\":88", Err(SetFault::Members)),
        ("nickname", "Nickname", Err(SetFault::Members)),
    ] {
        check(&signed_again(&text, from, to), expected);
    }
    check(&text.replace(r#""sign":""#, r#""sign":["x"],"Sign":""#), Err(SetFault::Members));
    check(&text.replace("\"nonce\":88", "\"nonce\":89"), Err(SetFault::Signature));
    for other in ["null", "\"x\"", "[]", "7"] {
        check(other, Err(SetFault::NotASet));
    }
    check("{}", Err(SetFault::Members));
}

#[test]
fn bytes_that_move_between_members_take_the_set_with_them() {
    let id = format!("bobt{}", NOW + 2);
    let issued = set(&id).issue(&secret()).expect("a good set");
    let sign = json::read(issued.as_bytes(), 8).expect("JSON");
    let sign = sign.object().and_then(|set| set.get(SIGN)).and_then(Json::text).expect("signed");
    let forged = format!(
        r#"{{"t":{},"t{NOW}":"","nonce":88,"plat_user_id":"bob","nickname":"{id}","avatar":"{id}","is_tourist":1,"sign":"{sign}"}}"#,
        NOW + 2
    );
    let value = json::read(forged.as_bytes(), 8).expect("JSON");
    let members = value.object().expect("an object");
    assert!(sign::check(members, &secret(), sign).is_some(), "the signature fits both");
    check(&forged, Err(SetFault::Members));
}

/// Ids, domains and nonces made of the pieces that stand between them, where a collision would have to be found.
fn pieces(max: usize) -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "domain",
        "is_tourist",
        "1",
        "nickname",
        "nonce",
        "8",
        "plat_user_id",
        "t",
        "1795165980",
        "d",
        "i",
        "u",
        "official.IOS",
    ]);
    prop::collection::vec(piece, 1..=max).prop_map(|pieces| pieces.concat())
}

fn any_set() -> impl Strategy<Value = Set> {
    let domain = prop::option::of(pieces(4).prop_filter("a domain", |text| is_domain(text)));
    (pieces(5), domain, prop::sample::select(vec![1, 8, 18, 81, 181, 88_888_888, 818_181_818]), NOW..NOW + 2)
        .prop_map(|(id, domain, nonce, t)| Set { t, nonce, id, domain, session: None })
        .prop_filter("an id", |set| set.id.len() <= ID_MAX)
}

proptest! {
    #[test]
    fn no_two_sets_have_one_text(a in any_set(), b in any_set()) {
        let base = |set: &Set| {
            let (t, nonce) = (set.t.to_string(), set.nonce.to_string());
            sign::base(&set.members(&t, &nonce)).expect("texts")
        };
        prop_assert_eq!(base(&a) == base(&b), a == b);
    }

    #[test]
    fn every_set_survives_its_journey(id in "\\PC{1,16}", nonce in 0..NONCES, t in NOW..NOW + 1000) {
        let set = Set { t, nonce, id, domain: Some("official.IOS".into()), session: None };
        let text = set.issue(&secret()).expect("a good set");
        let value = json::read(text.as_bytes(), 8).expect("JSON");
        let (read, signature) = Set::check(&value, "official.IOS", false, &secret()).expect("its own");
        prop_assert_eq!(&read, &set);
        prop_assert!(text.contains(&signature.text()));
    }

    #[test]
    fn any_bytes_are_checked_or_refused(bytes: Vec<u8>) {
        if let Ok(value) = json::read(&bytes, 8) {
            prop_assert!(Set::check(&value, "official", false, &secret()).is_err());
        }
    }
}
