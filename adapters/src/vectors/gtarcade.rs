//! Files of the platform GTarcade: an object with lists of vectors, each with an `id`.
//!
//! `gtarcade_sign.json` and `gtarcade_envelope.json` say what PHP made of a payload, and what a careful receiver
//! makes of it.

use gatepass_core::{
    message::Age,
    verify::gtarcade::{
        self, Genuine, Reason, Response, Settings, SignKey, SignKeys, Strict, Window, base, sign,
    },
    wire::{
        json,
        php::{self, Php},
    },
};
use serde::Deserialize;
use serde_json::Value;

use super::{Check, Report, gtarcade_local as local, holds, same, unhex};

/// A list of a file, and the check of each of its entries beside the whole file.
type List = (&'static str, fn(&Value, &Value) -> Check);

/// Checks every vector of a file; none if it is no file of GTarcade.
pub(super) fn run(file: &Value) -> Option<Report> {
    let mut report = Report::default();
    let lists: &[List] = if file.get("bad_utf8").is_some() {
        &[("vectors", response), ("bad_utf8", not_utf8)]
    } else if file.get("streams").is_some() {
        &[("vectors", local::known), ("negative", local::broken), ("streams", local::stream)]
    } else if file.get("writer").is_some() {
        &[("vectors", local::message), ("writer", local::written)]
    } else if file.pointer("/vectors/0/expected_sign").is_some() {
        &[("vectors", payload)]
    } else {
        return None;
    };
    for (list, check) in lists {
        let Some(entries) = file.get(list).and_then(Value::as_array) else {
            report.add((*list).to_owned(), list, Err("there is no such list".to_owned()));
            continue;
        };
        for (place, entry) in entries.iter().enumerate() {
            let name = entry["id"].as_str().map_or_else(|| format!("{list} {place}"), ToOwned::to_owned);
            let kind = entry["group"].as_str().or(entry["profile"].as_str()).unwrap_or(list);
            report.add(name, kind, check(file, entry));
        }
    }
    Some(report)
}

pub(super) fn read<'de, T: Deserialize<'de>>(entry: &'de Value) -> Result<T, String> {
    T::deserialize(entry).map_err(|error| error.to_string())
}

pub(super) fn agree(what: &str, ours: &str, theirs: &str) -> Check {
    if ours == theirs { Ok(()) } else { Err(format!("{what} is {ours} here, {theirs} in the vector")) }
}

const fn settings(window: Window) -> Settings {
    Settings { php: Php::V82, window, strict: Strict::Log }
}

/// The words of the vectors for an outcome: what it is, and why.
fn verdict(outcome: &Result<Genuine, Reason>) -> (&'static str, &'static str) {
    let reason = match outcome {
        Ok(genuine) => match genuine.age {
            Age::Fresh => return ("accept", "ok"),
            Age::Stale => Reason::Stale,
            Age::Future => Reason::Future,
        },
        Err(reason) => *reason,
    };
    let verdict = match reason {
        Reason::Envelope | Reason::TooLong => "reject_envelope",
        Reason::Code(_) => "reject_code",
        Reason::Json(_) | Reason::NotObject => "reject_decode",
        Reason::SignMissing | Reason::SignNotText | Reason::SignMalformed | Reason::SignMismatch => {
            "reject_sign"
        }
        Reason::TimeMissing | Reason::TimeNotInteger | Reason::Stale | Reason::Future => "reject_time",
        Reason::Strict(_) | Reason::UnknownGame | Reason::NotMicro | Reason::NoAccount => "reject",
    };
    (verdict, reason.name())
}

#[derive(Deserialize)]
struct Payload<'a> {
    wire: &'a str,
    sign_key: &'a str,
    now: i64,
    expected_sign: Option<&'a str>,
    expected: Expected<'a>,
    php: Made,
    older_php: Option<Older>,
}

#[derive(Deserialize)]
struct Expected<'a> {
    verdict: &'a str,
    reason: &'a str,
    verdict_pm300: &'a str,
    strict: &'a str,
    account: Option<&'a str>,
}

/// What PHP made.
#[derive(Deserialize)]
struct Made {
    /// What it signed, without the key; none if it read no object.
    base: Option<String>,
    sign: Option<String>,
    items: Option<Vec<(String, String, String, String)>>,
}

#[derive(Deserialize)]
struct Older {
    php80_81: Made,
    php7: Made,
}

fn payload(_: &Value, entry: &Value) -> Check {
    let vector: Payload<'_> = read(entry)?;
    let key = SignKey::new(vector.sign_key);
    let keys = SignKeys::one(key.clone());

    let decoded = json::read(vector.wire.as_bytes(), php::DEPTH_MAX);
    let members = decoded.as_ref().ok().and_then(json::Json::object);
    holds("it is an object exactly if there is a sign", members.is_some() == vector.expected_sign.is_some())?;
    if let (Some(members), Some(expected)) = (members, vector.expected_sign) {
        let made = |php| {
            let base = base(members, php);
            let sign = hex(&sign(&base, &key).expose());
            (base, sign)
        };
        let (base, sign) = made(Php::V82);
        same("base", base.as_bytes(), vector.php.base.as_deref().unwrap_or_default().as_bytes())?;
        agree("sign", &sign, expected)?;
        let texts = vector.php.items.as_deref().unwrap_or_default();
        let joined: Vec<_> = texts.iter().map(|(name, _, _, text)| format!("{name}={text}")).collect();
        same("base", base.as_bytes(), joined.join("&").as_bytes())?;
        let older = vector.older_php.as_ref();
        for (php, older) in [(Php::V80, older.map(|it| &it.php80_81)), (Php::V7, older.map(|it| &it.php7))] {
            let (old_base, old_sign) = made(php);
            let theirs = older.and_then(|made| made.base.clone().zip(made.sign.clone()));
            let (their_base, their_sign) = theirs.unwrap_or((base.clone(), sign.clone()));
            same("older base", old_base.as_bytes(), their_base.as_bytes())?;
            agree("older sign", &old_sign, &their_sign)?;
        }
    }

    let Expected { verdict: expected, reason, verdict_pm300, strict, account } = vector.expected;
    let check = |window| gtarcade::check(vector.wire.as_bytes(), &keys, &settings(window), vector.now);
    let outcome = check(Window::default());
    let (ours, why) = verdict(&outcome);
    agree("verdict", ours, expected)?;
    agree("reason", why, reason)?;
    agree("verdict of even sides", verdict(&check(Window { back: 300, ahead: 300 })).0, verdict_pm300)?;
    let accepted = outcome.as_ref().ok().filter(|_| ours == "accept");
    let strictly = match accepted.map(|genuine| genuine.broken) {
        Some(None) => "accept".to_owned(),
        Some(Some(rule)) => format!("reject:{}", rule.name()),
        None => format!("reject:{why}"),
    };
    agree("strict verdict", &strictly, strict)?;
    let named = accepted.and_then(|genuine| genuine.account.as_deref());
    agree("account", &format!("{named:?}"), &format!("{account:?}"))?;
    match accepted {
        Some(genuine) => agree(
            "what is remembered",
            &hex(&genuine.payload.expose()),
            vector.expected_sign.unwrap_or_default(),
        ),
        None => Ok(()),
    }
}

fn hex(digits: &[u8; 32]) -> String {
    String::from_utf8_lossy(digits).into_owned()
}

#[derive(Deserialize)]
struct Whole<'a> {
    wire: &'a str,
    sign_key: &'a str,
    now: i64,
    expected: Said<'a>,
}

#[derive(Deserialize)]
struct Said<'a> {
    verdict: &'a str,
    text: &'a str,
}

fn response(_: &Value, entry: &Value) -> Check {
    let vector: Whole<'_> = read(entry)?;
    let keys = SignKeys::one(SignKey::new(vector.sign_key));
    let read = Response::read(vector.wire.as_bytes());
    let text = read.as_ref().map_or("", |response| response.message()).to_owned();
    let outcome = read.and_then(|response| response.check(&keys, &settings(Window::default()), vector.now));
    agree("verdict", verdict(&outcome).0, vector.expected.verdict)?;
    agree("text", &text, vector.expected.text)
}

#[derive(Deserialize)]
struct NotUtf8<'a> {
    data_wire_hex: &'a str,
    expected: Verdict<'a>,
}

#[derive(Deserialize)]
struct Verdict<'a> {
    verdict: &'a str,
}

fn not_utf8(_: &Value, entry: &Value) -> Check {
    let vector: NotUtf8<'_> = read(entry)?;
    let data = unhex(vector.data_wire_hex)?;
    let keys = SignKeys::one(SignKey::new("any"));
    let outcome = gtarcade::check(&data, &keys, &settings(Window::default()), 0);
    agree("verdict", verdict(&outcome).0, vector.expected.verdict)
}
