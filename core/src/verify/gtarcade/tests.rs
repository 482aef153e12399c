use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use proptest::prelude::*;

use super::*;
use crate::{
    ids::Addr,
    message::Credentials,
    policy::SignedText,
    text::{Identity, SUBJECT_MAX},
    verify::verifier::{Evidence, Unproven, Verdict, Verifier, credentials},
};

const NOW: i64 = 1_608_621_455;

fn keys() -> SignKeys {
    SignKeys::one(SignKey::new("TEST-ONLY-signKey-0001"))
}

/// A `data` object of these members, signed with this key.
fn signed_with(key: &SignKey, members: &str) -> String {
    let text = format!("{{{members}}}");
    let read = json::read(text.as_bytes(), php::DEPTH_MAX).unwrap();
    let sign = sign(&base(read.object().unwrap(), Php::V82), key).expose();
    format!("{{{members},\"sign\":\"{}\"}}", str::from_utf8(&sign).unwrap())
}

fn signed(members: &str) -> String {
    signed_with(&keys().current, members)
}

fn check_at(data: &str, settings: &Settings, now: i64) -> Result<String, Reason> {
    let genuine = check(data.as_bytes(), &keys(), settings, now)?;
    genuine.account(settings.strict).map(ToString::to_string)
}

#[test]
fn a_window_has_two_sides_and_no_overflow() {
    let window = Window::default();
    for (time, age) in [
        (NOW - 301, Age::Stale),
        (NOW - 300, Age::Fresh),
        (NOW + 60, Age::Fresh),
        (NOW + 61, Age::Future),
        (i64::MIN, Age::Stale),
        (i64::MAX, Age::Future),
    ] {
        assert_eq!(window.age(time, NOW), age, "{time}");
    }
    for edge in [i64::MIN, i64::MAX] {
        assert_eq!(window.age(edge, edge), Age::Fresh);
    }
}

#[test]
fn either_of_two_keys_counts_during_a_change() {
    let (old, new) = (SignKey::new("old"), SignKey::new("new"));
    let changing = SignKeys { current: new.clone(), other: Some(old.clone()) };
    let members = format!("\"account\":\"ann\",\"game_id\":1,\"time\":{NOW}");
    for (key, keys, fits) in [
        (&old, &changing, true),
        (&new, &changing, true),
        (&SignKey::new("other"), &changing, false),
        (&old, &SignKeys::one(new.clone()), false),
    ] {
        let checked = check(signed_with(key, &members).as_bytes(), keys, &Settings::default(), NOW);
        assert_eq!(checked.map(|_| ()), if fits { Ok(()) } else { Err(Reason::SignMismatch) });
    }
}

#[test]
fn strict_rules_can_be_off_told_or_kept() {
    let data = signed(&format!("\"account\":\"ann\",\"game_id\":1,\"nick\":\"n&time=0\",\"time\":{NOW}"));
    for (strict, broken, account) in [
        (Strict::Off, None, Ok("ann")),
        (Strict::Log, Some(Rule::AmbiguousValue), Ok("ann")),
        (Strict::Enforce, Some(Rule::AmbiguousValue), Err(Reason::Strict(Rule::AmbiguousValue))),
    ] {
        let genuine =
            check(data.as_bytes(), &keys(), &Settings { strict, ..Settings::default() }, NOW).unwrap();
        assert_eq!(genuine.broken, broken);
        assert_eq!(genuine.account(strict), account);
    }
}

#[test]
fn neither_bytes_nor_members_are_without_bound() {
    let settings = Settings::default();
    let long = " ".repeat(BYTES_MAX + 1);
    assert_eq!(check(long.as_bytes(), &keys(), &settings, NOW).map(|_| ()), Err(Reason::TooLong));
    assert_eq!(Response::read(long.as_bytes()).map(|_| ()).unwrap_err(), Reason::TooLong);
    let filled = |len: usize| format!("{{}}{}", " ".repeat(len - 2));
    assert_ne!(check_at(&filled(BYTES_MAX), &settings, NOW), Err(Reason::TooLong));
    assert_eq!(Response::read(filled(BYTES_MAX).as_bytes()).map(|_| ()).unwrap_err(), Reason::Envelope);
    let members = |count: usize| (0..count).map(|n| format!("\"1e{n}\":1,")).collect::<String>();
    for (count, expected) in [(MEMBERS_MAX - 1, Reason::SignMismatch), (MEMBERS_MAX, Reason::TooLong)] {
        let data = format!("{{{}\"time\":{NOW},\"sign\":\"{}\"}}", members(count), "0".repeat(32));
        assert_eq!(check_at(&data, &settings, NOW), Err(expected));
    }
}

#[test]
fn a_payload_counts_for_its_game_and_its_type_only() {
    let mut games = Games::new(Settings::default());
    assert!(games.add("7", keys()) && games.add("8", SignKeys::one(SignKey::new("other"))));
    assert!(!games.add("07", keys()) && !games.add("", keys()) && !games.add("-1", keys()));
    let verify = |members: &str, code: i32, domain: &str| {
        let data = signed(&format!("{members},\"time\":{NOW}"));
        let answer = format!("{{\"code\":{code},\"message\":\"\",\"data\":{data}}}");
        let shown = super::members(answer.as_bytes()).expect("an answer");
        let evidence = Evidence { domain, shown: &shown, peer: Addr(1), now: NOW as u64, nonce: 0 };
        match credentials(&games, &evidence, &games.check(&evidence)) {
            Ok(Credentials::Signed { identity, form, .. }) => Ok((identity, form)),
            Ok(other) => panic!("{other:?}"),
            Err(why) => Err(why),
        }
    };
    let ann = |form| Ok((Identity::new("gtarcade.7", "ann").unwrap(), Some(form)));
    let no = |reason| Err(Unproven::Payload(reason));
    for (members, expected) in [
        ("\"account\":\"ann\",\"game_id\":7,\"type\":\"micro\"", ann(SignedText::Unambiguous)),
        ("\"account\":\"ann\",\"game_id\":\"7\",\"type\":\"micro\"", ann(SignedText::Unambiguous)),
        ("\"account\":\"ann\",\"game_id\":7,\"nick\":\"&time=\",\"type\":\"micro\"", ann(SignedText::Joined)),
        ("\"account\":\"ann\",\"game_id\":8,\"type\":\"micro\"", no(Reason::SignMismatch)),
        ("\"account\":\"ann\",\"game_id\":9,\"type\":\"micro\"", no(Reason::UnknownGame)),
        ("\"account\":\"ann\",\"type\":\"micro\"", no(Reason::UnknownGame)),
        ("\"account\":\"ann\",\"game_id\":7,\"type\":\"web\"", no(Reason::NotMicro)),
    ] {
        let game = if members.contains(":8") { "gtarcade.8" } else { "gtarcade.7" };
        assert_eq!(verify(members, 0, game), expected, "{members}");
    }
    let good = "\"account\":\"ann\",\"game_id\":7,\"type\":\"micro\"";
    for domain in ["gtarcade.8", "gtarcade", "Gtarcade.7", "gtarcade.07", "official"] {
        assert_eq!(verify(good, 0, domain), no(Reason::UnknownGame), "{domain}");
    }
    let named = |account: &str| format!("\"account\":\"{account}\",\"game_id\":7,\"type\":\"micro\"");
    assert_eq!(verify(&named(&"a".repeat(SUBJECT_MAX)), 0, "gtarcade.7").map(|_| ()), Ok(()));
    assert_eq!(verify(&named(&"a".repeat(SUBJECT_MAX + 1)), 0, "gtarcade.7"), Err(Unproven::Nameless));
    assert_eq!(verify(good, 3, "gtarcade.7"), no(Reason::Code(3)));
}

#[test]
fn a_broken_rule_counts_where_rules_are_kept() {
    let data = signed(&format!(
        "\"account\":\"ann\",\"game_id\":7,\"nick\":\"&time=\",\"type\":\"micro\",\"time\":{NOW}"
    ));
    let answer = format!("{{\"code\":0,\"data\":{data}}}");
    let shown = members(answer.as_bytes()).expect("an answer");
    let remark = Some(Unproven::Payload(Reason::Strict(Rule::AmbiguousValue)));
    for (strict, form, remark) in [
        (Strict::Off, SignedText::Unambiguous, None),
        (Strict::Log, SignedText::Unambiguous, remark),
        (Strict::Enforce, SignedText::Joined, remark),
    ] {
        let mut games = Games::new(Settings { strict, ..Settings::default() });
        assert!(!games.domains().has("gtarcade.7") && games.add("7", keys()));
        assert!(games.domains().has("gtarcade.7") && !games.domains().has("gtarcade.8"));
        let evidence =
            Evidence { domain: "gtarcade.7", shown: &shown, peer: Addr(1), now: NOW as u64, nonce: 0 };
        let Verdict::Verified(verified) = games.check(&evidence) else { panic!("it is genuine") };
        assert_eq!((verified.form, verified.remark), (form, remark));
        assert_eq!((games.name(), games.memory()), ("gtarcade", Settings::default().window.length()));
    }
}

#[test]
fn the_code_of_an_answer_is_an_integer_in_its_one_form() {
    for (written, code) in [
        ("0", Some(0)),
        ("\"0\"", Some(0)),
        ("7", Some(7)),
        ("\"7\"", Some(7)),
        ("-3", Some(-3)),
        ("\"-3\"", Some(-3)),
        ("\"-0\"", None),
        ("\"07\"", None),
        ("\"\"", None),
        ("1.5", None),
        ("null", None),
    ] {
        let answer = format!("{{\"code\":{written}}}");
        let read = Response::read(answer.as_bytes()).map(|response| response.code());
        assert_eq!(read.ok(), code, "{written}");
    }
}

/// The first strict rule that a payload breaks, and whose it would be.
fn strictly(members: &str) -> (Option<Rule>, Option<String>) {
    let settings = Settings { strict: Strict::Log, ..Settings::default() };
    let genuine = check(signed(members).as_bytes(), &keys(), &settings, NOW).expect("it is signed");
    (genuine.broken, genuine.account)
}

#[test]
fn each_strict_rule_has_its_bounds() {
    let with = |more: &str| strictly(&format!("{more}\"account\":\"ann\",\"game_id\":1,\"time\":{NOW}")).0;
    let named = |name: &str| with(&format!("\"{name}\":1,"));
    for (name, fits) in [
        ("a", true),
        ("_", true),
        ("A1_z", true),
        ("", false),
        ("1a", false),
        ("a-b", false),
        ("a=", false),
        ("\u{e4}", false),
        (&"a".repeat(64), true),
        (&"a".repeat(65), false),
    ] {
        assert_eq!(named(name), (!fits).then_some(Rule::NameShape), "{name}");
    }
    assert_eq!(with("\"a\":1,\"a\":1,"), Some(Rule::DuplicateMember));
    assert_eq!(with("\"a\":[],"), Some(Rule::ArrayValue));
    assert_eq!(with("\"a\":\"b&c\",\"d\":\"e=f&g\","), None, "no member could begin there");
    assert_eq!(with("\"a\":\"b&c=d\","), Some(Rule::AmbiguousValue));
}

#[test]
fn an_account_is_a_text_and_a_number_in_the_eyes_of_the_original() {
    let (long, longer) = ("a".repeat(128), "a".repeat(129));
    let text = |text: &str| format!("\"{text}\"");
    for (written, fits, account) in [
        (text("ann"), true, Some("ann")),
        (text(&long), true, Some(&long[..])),
        (text(&longer), false, Some(&longer)),
        (text("a&b"), false, Some("a&b")),
        (text("a=b"), false, Some("a=b")),
        (text("a\\nb"), false, Some("a\nb")),
        (text(""), false, None),
        ("7".into(), false, Some("7")),
        ("-7".into(), false, Some("-7")),
        ("7.5".into(), false, None),
        ("9223372036854775808".into(), false, None),
        ("true".into(), false, None),
    ] {
        let (broken, whose) = strictly(&format!("\"account\":{written},\"game_id\":1,\"time\":{NOW}"));
        assert_eq!(broken, (!fits).then_some(Rule::Account), "{written}");
        assert_eq!(whose.as_deref(), account, "{written}");
    }
}

#[test]
fn reasons_have_names_of_their_own_and_answers_say_why() {
    let rules = [
        Rule::DuplicateMember,
        Rule::NameShape,
        Rule::Account,
        Rule::GameId,
        Rule::ArrayValue,
        Rule::AmbiguousValue,
    ];
    let reasons = [Reason::Envelope, Reason::TooLong, Reason::SignMismatch, Reason::Stale, Reason::Future];
    let names = rules.map(Reason::Strict).into_iter().chain(reasons).map(Reason::name);
    let names: alloc::collections::BTreeSet<_> = names.collect();
    assert_eq!(names.len(), rules.len() + reasons.len());
    for (members, message) in [
        ("\"message\":\"no\"", "no"),
        ("\"msg\":\"no\"", "no"),
        ("\"msg\":\"yes\",\"message\":\"no\"", "no"),
        ("\"message\":7", ""),
        ("\"x\":\"no\"", ""),
    ] {
        let answer = format!("{{\"code\":3,{members}}}");
        assert_eq!(Response::read(answer.as_bytes()).expect("an answer").message(), message, "{members}");
    }
}

#[test]
fn keys_are_the_same_if_all_of_them_is() {
    let key = SignKey::new;
    assert!(key("").is_empty() && !key("a").is_empty());
    assert!(key("ab") == key("ab") && key("ab") != key("aB") && key("ab") != key("a"));
}

#[test]
fn nothing_secret_is_shown() {
    let data = signed(&format!("\"account\":\"ann\",\"game_id\":1,\"time\":{NOW}"));
    let genuine = check(data.as_bytes(), &keys(), &Settings::default(), NOW).unwrap();
    let answer = format!("{{\"code\":0,\"data\":{data}}}");
    let response = Response::read(answer.as_bytes()).unwrap();
    let shown = format!("{genuine:?} {:?} {response:?}", keys());
    for secret in ["ann", "TEST-ONLY", &format!("{:02x?}", genuine.payload.bits())] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

proptest! {
    #[test]
    fn any_bytes_give_a_verdict(bytes: Vec<u8>, now: i64) {
        prop_assert!(check(&bytes, &keys(), &Settings::default(), now).is_err());
        if let Ok(response) = Response::read(&bytes) {
            let _ = response.check(&keys(), &Settings::default(), now);
        }
    }

    /// Whoever changes one byte of a text that is signed has no signature.
    #[test]
    fn a_changed_account_is_not_genuine(account in "[a-z]{1,20}", other in "[a-z]{1,20}") {
        prop_assume!(account != other);
        let data = signed(&format!("\"account\":\"{account}\",\"game_id\":1,\"time\":{NOW}"));
        prop_assert_eq!(check_at(&data, &Settings::default(), NOW), Ok(account.clone()));
        let forged = data.replacen(&format!(":\"{account}\""), &format!(":\"{other}\""), 1);
        prop_assert_eq!(check_at(&forged, &Settings::default(), NOW), Err(Reason::SignMismatch));
    }

    /// Under the strict rules what is signed can be split in one way only.
    #[test]
    fn strict_payloads_read_in_one_way(values in proptest::collection::vec("[a-c&= ]{0,6}", 1..5)) {
        let members: String =
            values.iter().enumerate().map(|(n, value)| format!("\"m{n}\":\"{value}\",")).collect();
        let data = signed(&format!("{members}\"account\":\"ann\",\"game_id\":1,\"time\":{NOW}"));
        if check_at(&data, &Settings::default(), NOW).is_ok() {
            let read = json::read(data.as_bytes(), php::DEPTH_MAX).unwrap();
            let base = base(read.object().unwrap(), Php::V82);
            let mut split: Vec<String> = Vec::new();
            for part in base.split('&') {
                match split.last_mut() {
                    Some(last) if !part.contains('=') => *last = format!("{last}&{part}"),
                    _ => split.push(part.into()),
                }
            }
            let told: Vec<String> = php::ksort(sign::signed(read.object().unwrap()), Php::V82)
                .into_iter()
                .map(|(name, value)| format!("{name}={}", php::text(value)))
                .collect();
            prop_assert_eq!(split, told);
        }
    }
}
