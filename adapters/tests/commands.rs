//! The commands as a shell sees them: what they print where, what they leave behind, and their exit codes.
#![cfg(feature = "cli")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A command that has ended.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

fn gatepass(dir: &Path, args: &[&str]) -> Ran {
    let ran = Command::new(env!("CARGO_BIN_EXE_gatepass")).args(args).current_dir(dir).output();
    let Output { status, stdout, stderr } = ran.expect("the command starts");
    let text = |bytes| String::from_utf8(bytes).expect("output is text");
    Ran { code: status.code(), out: text(stdout), err: text(stderr) }
}

/// An empty directory for a test of this name.
fn place(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("tests may write to their directory");
    dir
}

/// Two players who take turns: few states, and with `any-password` a violation.
const SMALL: &str = r#"
name = "small world/.."
about = "A player who guesses."
slow = ["player-room"]
goals = []

[[players]]
account = "ann"
wrong_password = true
"#;

fn small(name: &str) -> PathBuf {
    let dir = place(name);
    fs::write(dir.join("small.toml"), SMALL).expect("tests may write to their directory");
    dir
}

#[test]
fn what_holds_is_0() {
    let dir = small("holds");
    let ran = gatepass(&dir, &["check", "--scenario", "small.toml"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("holds: every state was visited"), "{}", ran.out);
    assert!(!dir.join("gatepass-out").exists());
}

#[test]
fn a_violation_is_1_and_replays() {
    let dir = small("violated");
    let ran =
        gatepass(&dir, &["check", "--scenario", "small.toml", "--flaw", "any-password", "--out", "here"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("it breaks authentic, as it was made to"), "{}", ran.out);
    let stem = "here/small-world----authentic";
    assert!(ran.out.contains(&format!("gatepass replay {stem}.replay.toml\n")), "{}", ran.out);
    assert!(fs::read_to_string(dir.join(format!("{stem}.svg"))).is_ok_and(|svg| svg.starts_with("<svg")));
    assert!(dir.join(format!("{stem}.mmd")).exists());

    let file = format!("{stem}.replay.toml");
    let again = gatepass(&dir, &["replay", &file]);
    assert_eq!(again.code, Some(1), "{}{}", again.out, again.err);
    assert!(again.out.contains("authentic is violated"), "{}", again.out);

    let drawn = gatepass(&dir, &["replay", &file, "--diagram", "mermaid", "--out", "drawn.mmd"]);
    assert_eq!((drawn.code, &drawn.out[..]), (Some(1), ""));
    let written = fs::read_to_string(dir.join(format!("{stem}.mmd"))).ok();
    assert_eq!(fs::read_to_string(dir.join("drawn.mmd")).ok(), written);

    // Without its last choice it breaks nothing; with another one it does not fit.
    let text = fs::read_to_string(dir.join(&file)).expect("it is there");
    let end = text.find("\"]").expect("choices are a list");
    let start = text[..end].rfind('"').expect("choices are quoted");
    fs::write(
        dir.join("short.toml"),
        format!("{}]{}", text[..start].trim_end_matches(", "), &text[end + 2..]),
    )
    .expect("tests may write to their directory");
    let short = gatepass(&dir, &["replay", "short.toml"]);
    assert_eq!(short.code, Some(0), "{}{}", short.out, short.err);
    assert!(short.err.contains("now it violates nothing"), "{}", short.err);
    fs::write(dir.join("odd.toml"), format!("{}\"crash 200{}", &text[..start], &text[end..]))
        .expect("tests may write to their directory");
    let odd = gatepass(&dir, &["replay", "odd.toml"]);
    assert_eq!(odd.code, Some(2), "{}{}", odd.out, odd.err);
    assert!(odd.err.contains("not possible"), "{}", odd.err);
}

#[test]
fn a_bound_is_3() {
    let dir = place("bound");
    let ran = gatepass(&dir, &["check", "--scenario", "lost-kick", "--max-states", "100", "--json"]);
    assert_eq!(ran.code, Some(3), "{}{}", ran.out, ran.err);
    let json: serde_json::Value = serde_json::from_str(&ran.out).expect("it is JSON and nothing else");
    assert_eq!(json["verdict"], "undecided");
    assert_eq!(json["scenarios"][0]["ended"], "state_bound");
    assert_eq!(json["scenarios"][0]["always"][0]["verdict"], "not_violated_within_bounds");
}

#[test]
fn a_mistake_is_2_and_explained() {
    let dir = place("mistakes");
    fs::write(dir.join("odd.toml"), "name = \"odd\"\nplayers = 3\n").expect("tests may write there");
    let cases: [(&[&str], &str); 7] = [
        (&["check", "--scenario", "lost-kik"], "did you mean lost-kick?"),
        (&["check", "--flaw", "empty-kee"], "did you mean empty-key?"),
        (&["check", "--policy", "strickt"], "strict and mope"),
        (&["check", "--scenario", "odd.toml"], "odd.toml: "),
        (&["check", "--scenario", "gone.toml"], "gone.toml: "),
        (&["replay", "odd.toml"], "not a replay file"),
        (&["vectors", "odd.toml"], "not a JSON list"),
    ];
    for (args, expected) in cases {
        let ran = gatepass(&dir, args);
        assert_eq!(ran.code, Some(2), "{args:?} {}{}", ran.out, ran.err);
        assert!(ran.err.contains(expected) && ran.out.is_empty(), "{args:?} {}{}", ran.out, ran.err);
    }
}

#[test]
fn vectors_are_counted() {
    let dir = place("vectors");
    let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/mope.json");
    let ran = gatepass(&dir, &["vectors", vectors]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(ran.out.ends_with(" passed, 0 failed\n"), "{}", ran.out);

    fs::write(dir.join("one.json"), r#"[{"name": "odd", "kind": "odd", "input": {}, "hex": ""}]"#)
        .expect("tests may write there");
    let ran = gatepass(&dir, &["vectors", "one.json", vectors]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    assert!(
        ran.out.starts_with("one.json: odd: ") && ran.out.ends_with(" passed, 1 failed\n"),
        "{}",
        ran.out
    );
}
