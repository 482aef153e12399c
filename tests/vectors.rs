//! The vectors made by the original system: all of them hold, and none of them would hold if a byte were wrong.

use gatepass_adapters::vectors::{Report, VectorsError, run};
use serde_json::{Value, json};

const MOPE: &str = include_str!("vectors/mope.json");

fn entries() -> Vec<Value> {
    serde_json::from_str(MOPE).unwrap()
}

fn run_one(entry: &Value) -> Report {
    run(&Value::from(vec![entry.clone()]).to_string()).unwrap()
}

#[test]
fn every_vector_of_the_original_holds() {
    let report = run(MOPE).unwrap();
    assert_eq!(report.failed, []);
    assert_eq!(report.passed, 86);
    assert!(report.is_clean());
    let counted: usize = report.kinds.values().map(|tally| tally.passed).sum();
    assert_eq!(counted, 86);
    assert_eq!(report.kinds.len(), 15);
}

/// Byte by byte, because a check that reads only part of a vector would let the rest rot.
#[test]
fn a_wrong_byte_makes_its_vector_fail() {
    let mut unnoticed = Vec::new();
    for entry in entries() {
        let hex = entry["hex"].as_str().unwrap();
        // A captured frame holds values no scenario fixes, positions above all: there, a wrong number is a number.
        // Its header and what identifies the player are fixed, and so is the form of all of it.
        let captured = entry["kind"] == "captured_room_frame";
        // Single low bits too; a high bit of the last byte of a compressed stream may be padding.
        let (flips, fixed) = if captured { (&[0xff][..], 24) } else { (&[0xff, 0x01][..], hex.len()) };
        for at in 0..fixed.min(hex.len() / 2) {
            // A long run of one letter need not be tried at each letter.
            if at > 64 && at % 97 != 0 {
                continue;
            }
            let byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
            for flip in flips {
                let mut wrong = entry.clone();
                wrong["hex"] = format!("{}{:02x}{}", &hex[..2 * at], byte ^ flip, &hex[2 * at + 2..]).into();
                if run_one(&wrong).failed.len() != 1 {
                    unnoticed.push((entry["name"].as_str().unwrap().to_owned(), at, *flip));
                }
            }
        }
    }
    assert_eq!(unnoticed, []);
}

#[test]
fn a_cut_vector_fails() {
    for entry in entries() {
        let mut wrong = entry.clone();
        let hex = entry["hex"].as_str().unwrap();
        wrong["hex"] = hex[..hex.len() - 2].into();
        assert_eq!(run_one(&wrong).failed.len(), 1, "{}", entry["name"]);
    }
}

#[test]
fn a_wrong_input_makes_its_vector_fail() {
    for entry in entries() {
        let Some(fields) = entry["input"]["fields"].as_object() else { continue };
        for (name, value) in fields {
            let mut wrong = entry.clone();
            wrong["input"]["fields"][name] = match value {
                Value::String(text) => format!("{text}x").into(),
                Value::Bool(flag) => (!flag).into(),
                Value::Number(number) if number.is_u64() => (number.as_u64().unwrap() ^ 1).into(),
                _ => json!({}),
            };
            assert_eq!(run_one(&wrong).failed.len(), 1, "{} {name}", entry["name"]);
        }
    }
}

/// Files of GTarcade, and how many vectors each has.
const GTARCADE: [(&str, usize); 4] = [
    (include_str!("vectors/gtarcade_sign.json"), 244),
    (include_str!("vectors/gtarcade_envelope.json"), 35),
    (include_str!("vectors/gtarcade_aes.json"), 60),
    (include_str!("vectors/gtarcade_local.json"), 34),
];

#[test]
fn every_vector_of_gtarcade_holds() {
    for (file, count) in GTARCADE {
        let report = run(file).unwrap();
        assert_eq!((report.failed, report.passed), (Vec::new(), count));
    }
}

/// Whatever a vector expects, another expectation is noticed.
#[test]
fn a_wrong_expectation_of_gtarcade_makes_its_vector_fail() {
    let wrong = |value: &Value| match value {
        Value::String(text) => format!("{text}0").into(),
        Value::Number(number) => (number.as_i64().unwrap() ^ 1).into(),
        Value::Bool(flag) => (!flag).into(),
        Value::Array(items) => items.iter().skip(1).cloned().collect(),
        _ => "0".into(),
    };
    for (text, _) in GTARCADE {
        let file: Value = serde_json::from_str(text).unwrap();
        for (list, entries) in file.as_object().unwrap() {
            for (at, entry) in entries.as_array().into_iter().flatten().enumerate() {
                let base = format!("/{list}/{at}");
                let expected = entry["expected"].as_object().into_iter().flatten();
                let mut places: Vec<_> =
                    expected.map(|(name, _)| format!("{base}/expected/{name}")).collect();
                let others =
                    ["expected_sign", "payload_hex", "frame_hex", "payload_base64", "events", "plaintext"];
                places.extend(
                    others.iter().filter(|it| entry.get(**it).is_some()).map(|it| format!("{base}/{it}")),
                );
                for place in places {
                    // What must not open is broken already, and so is a text that must not be read.
                    if list == "negative"
                        || place.ends_with("plaintext") && entry["expected"]["kind"] == "error"
                    {
                        continue;
                    }
                    let mut changed = file.clone();
                    let value = changed.pointer_mut(&place).unwrap();
                    *value = wrong(value);
                    let entry = changed.pointer(&base).unwrap().clone();
                    for (other, entries) in changed.as_object_mut().unwrap() {
                        // Frames of streams are named after known answers.
                        if other == list {
                            *entries = vec![entry.clone()].into();
                        } else if entries.is_array() && list != "streams" {
                            *entries = Value::Array(Vec::new());
                        }
                    }
                    assert_eq!(run(&changed.to_string()).unwrap().failed.len(), 1, "{place}");
                }
            }
        }
    }
}

#[test]
fn nothing_is_skipped() {
    let unknown = json!({"name": "n", "kind": "new_kind", "input": {}, "hex": ""});
    let report = run_one(&unknown);
    assert_eq!((report.passed, &report.failed[0].name[..]), (0, "n"));
    assert_eq!(report.failed[0].reason, "unknown kind new_kind");
    let nameless = run_one(&json!({"kind": "sign"}));
    assert_eq!((nameless.passed, &nameless.failed[0].name[..]), (0, "entry 0"));
    let odd = json!({"kind": "server_frame", "name": "n", "hex": "020000000600",
        "input": {"cmd": 6, "message": "S2SCmd", "fields": 1, "inner": {"cmd": 3, "type": "ReqLoadConfig", "fields": {}}}});
    assert_eq!(run_one(&odd).failed[0].reason, "no fields around inner");
    let empty = run("[]").unwrap();
    assert!(!empty.is_clean(), "an empty file shows nothing");
    assert!(matches!(run("{}"), Err(VectorsError::NotAList(_))));
    assert!(matches!(run("no json"), Err(VectorsError::NotAList(_))));
}

#[test]
fn gamecloud_s_vectors_hold_and_would_not_if_a_letter_were_wrong() {
    const GAMECLOUD: &str = include_str!("vectors/gamecloud.json");
    let report = run(GAMECLOUD).unwrap();
    assert_eq!(report.failed, []);
    let counted: Vec<_> = report.kinds.iter().map(|(kind, tally)| (&kind[..], tally.passed)).collect();
    let expected =
        [("gamecloud_lbs", 17), ("gamecloud_session", 4), ("gamecloud_token", 12), ("gamecloud_vectors", 79)];
    assert_eq!(counted, expected);

    let file: Value = serde_json::from_str(GAMECLOUD).unwrap();
    for (kind, told) in [
        ("vectors", &["base", "sign"][..]),
        ("token", &["openid", "domainId", "token"]),
        ("session", &["session"]),
        ("lbs", &["crc32_signed", "hash", "serverId"]),
    ] {
        for (place, entry) in file[kind].as_array().unwrap().iter().enumerate() {
            for name in told {
                let mut wrong = file.clone();
                wrong[kind][place][name] = match &entry[name] {
                    Value::String(text) => format!("{text}x").into(),
                    number => (number.as_i64().unwrap() ^ 1).into(),
                };
                assert_eq!(run(&wrong.to_string()).unwrap().failed.len(), 1, "{kind} {place} {name}");
            }
        }
    }
    let mut odd = file;
    odd["other"] = json!([1]);
    odd["token"] = json!(7);
    assert_eq!(run(&odd.to_string()).unwrap().failed.len(), 2);
}
