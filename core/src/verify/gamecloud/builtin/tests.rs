use alloc::{format, string::String};

use super::*;
use crate::{
    ids::Addr,
    verify::verifier::Verifiers,
    wire::json::{self, Members},
};

const NOW: u64 = 1_795_165_980;

fn secret(text: &str) -> Secret {
    Secret::new(text).expect("a secret")
}

fn verifiers() -> Verifiers {
    let portal = Portal {
        url: "http://127.0.0.1:1".into(),
        appid: "1".into(),
        appkey: secret("app"),
        pf: "qzone".into(),
    };
    Verifiers::new()
        .with(TwoPhase::new(secret("players"), Window::EVEN, false, true))
        .with(Admin::new(secret("admins"), secret("key"), Window::EVEN))
        .with(OnePhase::new(portal))
}

fn issue(path: &str, parameters: &str) -> Result<String, Unproven> {
    issue_at(NOW, path, parameters)
}

fn issue_at(now: u64, path: &str, parameters: &str) -> Result<String, Unproven> {
    let value = json::read(parameters.as_bytes(), 8).expect("JSON");
    let parameters = value.object().expect("an object");
    let none = Members::default();
    let oem = parameters.get("oemInfo").and_then(Json::object).unwrap_or(&none);
    let issue = Issue { parameters, oem, peer: Addr(1), now, nonce: 7 };
    verifiers().at(path).map_or(Err(Unproven::NoVerifier), |verifier| verifier.issue(&issue))
}

fn login(domain: &str, oem: &str, now: u64) -> Verdict {
    let value = json::read(oem.as_bytes(), 8).expect("JSON");
    let oem = value.object().expect("an object");
    let evidence = Evidence { domain, shown: oem, peer: Addr(1), now, nonce: 7 };
    match verifiers().find(domain, evidence.text("authControl")) {
        Some(verifier) => verifier.check(&evidence),
        None => Verdict::Refused(Unproven::NoVerifier),
    }
}

fn check(domain: &str, oem: &str, expected: Result<&str, Unproven>) {
    let verdict = match login(domain, oem, NOW) {
        Verdict::Verified(verified) => Ok(verified.subject),
        Verdict::Claimed(subject) => Ok(format!("claimed {subject}")),
        Verdict::Refused(why) => Err(why),
        Verdict::Ask(_) => Ok("asked".into()),
    };
    assert_eq!(verdict.as_deref().map_err(|why| *why), expected, "{domain} {oem}");
}

#[test]
fn two_phases_lead_in() {
    let set = issue("/auth360.html", r#"{"id":"ann"}"#).expect("issued");
    let oem = format!(r#"{{"auth":{set}}}"#);
    check("official.IOS", &oem, Ok("ann"));
    check("360", &oem, Ok("ann"));
    check("official.ios", &oem, Err(Unproven::NoVerifier));
    check("admin", &oem, Err(Unproven::Set(SetFault::Members)));
    let bound = issue("/auth360.html", r#"{"id":"ann","oemInfo":{"domain":"360.IOS"}}"#).expect("issued");
    let oem = format!(r#"{{"auth":{bound}}}"#);
    check("360.IOS", &oem, Ok("ann"));
    check("official.IOS", &oem, Err(Unproven::Set(SetFault::OtherDomain)));
    assert_eq!(issue("/auth360.html", r#"{"id":"a","oemInfo":{"domain":"tx"}}"#), Err(Unproven::NoVerifier));
    for nobody in ["{}", r#"{"id":["a"]}"#, r#"{"id":7}"#] {
        assert_eq!(issue("/auth360.html", nobody), Err(Unproven::NoEvidence), "{nobody}");
    }
    let empty = Unproven::Set(SetFault::Form { member: "plat_user_id" });
    assert_eq!(issue("/auth360.html", r#"{"id":""}"#), Err(empty));
}

#[test]
fn no_evidence_is_refused_in_every_spelling() {
    for auth in ["", r#""auth":null"#, r#""auth":"""#, r#""auth":0"#, r#""auth":-0.0"#, r#""auth":false"#] {
        for domain in ["official", "official.IOS", "360.Android", "admin"] {
            check(domain, &format!("{{{auth}}}"), Err(Unproven::NoEvidence));
        }
    }
    // Who names himself is told apart, for servers that take his word: administrators and tx never do.
    check("official", r#"{"openid":"ann","openkey":"k"}"#, Ok("claimed ann"));
    check("official", r#"{"openid":"ann","authControl":"360"}"#, Ok("claimed ann"));
    check("admin", r#"{"openid":"ann"}"#, Err(Unproven::NoEvidence));
    check("official", r#"{"openid":"ann","authControl":"Custom"}"#, Err(Unproven::NoVerifier));
    check("tx", r#"{"openid":"ann"}"#, Err(Unproven::NoEvidence));
    for domain in ["txx", "tx.Foo", "TX.IOS", "mf"] {
        check(domain, r#"{"openid":"ann","openkey":"k"}"#, Err(Unproven::NoVerifier));
    }
}

#[test]
fn a_set_that_reads_otherwise_is_told_apart() {
    let set = issue("/360", r#"{"id":"bobt1795165975"}"#).expect("issued");
    let sign = &set[set.len() - 34..set.len() - 2];
    // The signature fits: bytes have moved from the id to the time, and the time to a name.
    let forged = format!(
        r#"{{"t":1795165975,"t{NOW}":"","nonce":7,"plat_user_id":"bob","nickname":"bobt1795165975","avatar":"bobt1795165975","is_tourist":1,"sign":"{sign}"}}"#
    );
    let read = |secret: &str, bound| {
        let oem = format!(r#"{{"auth":{forged}}}"#);
        let value = json::read(oem.as_bytes(), 8).expect("JSON");
        let shown = value.object().expect("an object");
        let evidence = Evidence { domain: "official", shown, peer: Addr(1), now: NOW, nonce: 7 };
        TwoPhase::new(self::secret(secret), Window::EVEN, bound, true).check(&evidence)
    };
    let Verdict::Verified(verified) = read("players", false) else { panic!("the original takes it") };
    assert_eq!((&verified.subject[..], verified.form), ("bob", SignedText::Glued));
    assert_eq!(verified.remark, Some(Unproven::Set(SetFault::Members)));
    for (secret, bound) in [("others", false), ("players", true)] {
        assert_eq!(read(secret, bound), Verdict::Refused(Unproven::Set(SetFault::Members)));
    }
}

#[test]
fn administrators_show_their_key_or_the_session_they_got_for_it() {
    let set = issue("/authAdmin.html", r#"{"oemInfo":{"openid":"root","openkey":"key"}}"#).expect("issued");
    check("admin", &format!(r#"{{"auth":{set}}}"#), Ok("root"));
    check("official", &format!(r#"{{"auth":{set}}}"#), Err(Unproven::Set(SetFault::Members)));
    let session = json::read(set.as_bytes(), 4).expect("JSON");
    let session =
        session.object().and_then(|set| set.get("session")).and_then(Json::text).expect("a session");
    assert_eq!(ADMIN_SESSION, 43_200, "half a day");
    let again = |id: &str, later: u64| {
        let request = format!(r#"{{"oemInfo":{{"openid":"{id}","session":"{session}"}}}}"#);
        issue_at(NOW + later, "/authAdmin.html", &request)
    };
    assert!(again("root", 0).is_ok() && again("root", ADMIN_SESSION).is_ok());
    assert_eq!(again("root", 2 * ADMIN_SESSION), Err(Unproven::WrongKey), "it ends");
    // What is got for a session is that session: only the key begins a new one.
    let renewed = again("root", ADMIN_SESSION).expect("it is shown in time");
    assert!(renewed.contains(session), "{renewed}");
    assert_eq!(again("other", 0), Err(Unproven::WrongKey));
    assert!(issue("/authAdmin.html", r#"{"openid":"root","openkey":"key"}"#).is_ok());
    for (wrong, why) in [
        (r#"{"openid":"root","openkey":"KEY"}"#, Unproven::WrongKey),
        (r#"{"openid":"root"}"#, Unproven::NoEvidence),
        (r#"{"openkey":"key"}"#, Unproven::NoEvidence),
    ] {
        assert_eq!(issue("/authAdmin.html", wrong), Err(why), "{wrong}");
    }
}

#[test]
fn age_is_told_and_not_judged() {
    let set = issue("/360", r#"{"id":"ann"}"#).expect("issued");
    let age = |now| match login("official", &format!(r#"{{"auth":{set}}}"#), now) {
        Verdict::Verified(verified) => verified.age,
        other => panic!("{other:?}"),
    };
    assert_eq!(age(NOW + 300), Age::Fresh);
    assert_eq!(age(NOW + 301), Age::Stale);
    assert_eq!(age(NOW - 300), Age::Fresh);
    assert_eq!(age(NOW - 301), Age::Future);
}

#[test]
fn one_phase_asks_and_the_answer_decides() {
    let oem = r#"{"openid":"ann","openkey":"k"}"#;
    check("tx.IOS", oem, Ok("asked"));
    let value = json::read(oem.as_bytes(), 4).expect("JSON");
    let oem = value.object().expect("an object");
    let evidence = Evidence { domain: "tx.IOS", shown: oem, peer: Addr(1), now: NOW, nonce: 7 };
    let verifiers = verifiers();
    let tx = verifiers.find("tx.IOS", None).expect("tx");
    let verdict = tx.answered(&evidence, Some(br#"{"ret":0,"nickname":"Ann"}"#));
    let Verdict::Verified(verified) = verdict else { panic!("{verdict:?}") };
    assert_eq!((&verified.subject[..], verified.nickname.as_deref()), ("ann", Some("Ann")));
    assert_eq!(tx.answered(&evidence, Some(br#"{"ret":5}"#)), Verdict::Refused(Unproven::Portal(5)));
    assert_eq!(tx.answered(&evidence, None), Verdict::Refused(Unproven::NoAnswer));
}

#[test]
fn where_nobody_is_believed_nothing_is_issued_and_sets_of_a_portal_count() {
    let closed = TwoPhase::new(secret("players"), Window::EVEN, false, false);
    let open = TwoPhase::new(secret("players"), Window::EVEN, false, true);
    let none = Members::default();
    let json = json::read(br#"{"id":"ann"}"#, 2).expect("it is JSON");
    let parameters = json.object().expect("an object");
    let issue = Issue { parameters, oem: &none, peer: Addr::default(), now: NOW, nonce: 1 };
    assert_eq!(closed.issue(&issue), Err(Unproven::IssuesNothing));
    let set = open.issue(&issue).expect("anybody is believed");
    let oem = format!("{{\"auth\":{set}}}");
    let oem = json::read(oem.as_bytes(), 4).expect("it is JSON");
    let oem = oem.object().expect("an object");
    let evidence = Evidence { domain: "official.IOS", shown: oem, peer: Addr::default(), now: NOW, nonce: 1 };
    assert!(matches!(closed.check(&evidence), Verdict::Verified(verified) if verified.subject == "ann"));
}

#[test]
fn domains_follow_the_kinds_that_are_served() {
    let own = TwoPhase::new(secret("players"), Window::EVEN, false, true).serving(&["WP", "IOS"]);
    for (domain, owned) in
        [("official.WP", true), ("360.IOS", true), ("official", true), ("official.Android", false)]
    {
        assert_eq!(own.domains().has(domain), owned, "{domain}");
    }
}

#[test]
fn where_sets_are_bound_one_that_names_no_domain_is_refused() {
    for (bound, fits) in [(false, true), (true, false)] {
        let verifier = TwoPhase::new(secret("players"), Window::EVEN, bound, true);
        let set = Set { t: NOW, nonce: 7, id: "ann".into(), domain: None, session: None };
        let oem = format!("{{\"auth\":{}}}", set.issue(&secret("players")).expect("a good set"));
        let value = json::read(oem.as_bytes(), 8).expect("JSON");
        let shown = value.object().expect("an object");
        let evidence = Evidence { domain: "official", shown, peer: Addr(1), now: NOW, nonce: 7 };
        match verifier.check(&evidence) {
            Verdict::Verified(verified) => assert!(fits && verified.subject == "ann"),
            verdict => {
                assert!(!fits && verdict == Verdict::Refused(SetFault::NoDomain.into()), "{verdict:?}");
            }
        }
    }
}

#[test]
fn what_is_taken_is_remembered_for_its_whole_window() {
    let window = Window { back: 300, ahead: 60 };
    let portal = Portal { url: String::new(), appid: "1".into(), appkey: secret("a"), pf: "p".into() };
    let two = TwoPhase::new(secret("players"), window, false, true);
    let admin = Admin::new(secret("admins"), secret("key"), window);
    let tx = OnePhase::new(portal);
    for (verifier, name, seconds) in
        [(&two as &dyn Verifier, "360", 360), (&admin, "admin", 360), (&tx, "tx", 0)]
    {
        assert_eq!((verifier.name(), verifier.memory()), (name, Duration::from_secs(seconds)));
        assert!(verifier.is_default());
    }
}
