//! The commands as a shell sees them: what they print where, what they leave behind, and their exit codes.
#![cfg(feature = "cli")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
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
    fs::write(dir.join("rule.toml"), "[rules]\none_sesion = true\n[[players]]\naccount = \"ann\"\n")
        .expect("tests may write there");
    fs::write(dir.join("times.toml"), "[times]\nlease = \"soon\"\n").expect("tests may write there");
    let cases: [(&[&str], &str); 15] = [
        (&["serve", "--config", "times.toml"], "times.toml: line 2, column 9: "),
        (&["serve", "--drain", "20"], "--drain <TIME>"),
        (
            &["check", "--scenario", "rule.toml"],
            "rule.toml: line 2, column 1: there is no rule \"one_sesion\"",
        ),
        (&["check", "--compare", "strict"], "--compare"),
        (&["check", "--compare", "strict", "mopey"], "did you mean mope?"),
        (&["check", "--compare", "strict", "odd.toml"], "odd.toml: line 1, column 1: unknown field"),
        (&["scenario", "show", "lost-kik"], "did you mean lost-kick?"),
        (&["serve", "--config", "rule.toml"], "rule.toml: line 3, column 3: unknown field"),
        (&["check", "--scenario", "lost-kik"], "did you mean lost-kick?"),
        (&["check", "--flaw", "empty-kee"], "did you mean empty-key?"),
        (&["check", "--policy", "strickt"], "strict, mope, gtarcade, gamecloud"),
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
fn a_scenario_begins_from_a_template() {
    let dir = place("template");
    let ran = gatepass(&dir, &["scenario", "new", "my idea.toml"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("gatepass check --scenario 'my idea.toml'"), "{}", ran.out);
    let ran = gatepass(&dir, &["check", "--scenario", "my idea.toml"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);

    fs::write(dir.join("my idea.toml"), "mine").expect("tests may write there");
    let ran = gatepass(&dir, &["scenario", "new", "my idea.toml"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("--force"), "{}", ran.err);
    assert_eq!(fs::read_to_string(dir.join("my idea.toml")).ok().as_deref(), Some("mine"));
    let ran = gatepass(&dir, &["scenario", "new", "my idea.toml", "--force"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let printed = gatepass(&dir, &["scenario", "new"]).out;
    let written = fs::read_to_string(dir.join("my idea.toml")).expect("it is there");
    assert_eq!(printed.replace("THIS-FILE.toml", "'my idea.toml'"), written);

    let shown = gatepass(&dir, &["scenario", "show", "tokens"]);
    fs::write(dir.join("tokens.toml"), shown.out).expect("tests may write there");
    let bounded = gatepass(&dir, &["check", "--scenario", "tokens.toml", "--max-states", "50"]);
    assert_eq!(bounded.code, Some(3), "{}{}", bounded.out, bounded.err);
}

#[test]
fn a_check_is_also_a_page_and_a_trace() {
    let dir = small("page");
    let check = ["check", "--scenario", "small.toml", "--flaw", "any-password"];
    let ran = gatepass(&dir, &[&check[..], &["--html", "all.html", "--itf", "run.itf.json"]].concat());
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    let page = fs::read_to_string(dir.join("all.html")).expect("it is there");
    assert!(
        page.starts_with("<!doctype html>") && page.contains("<svg") && page.contains("gatepass replay ")
    );
    let read = |name: &str| -> serde_json::Value {
        let text = fs::read_to_string(dir.join(name)).expect("it is there");
        serde_json::from_str(&text).expect("it is JSON")
    };
    let trace = read("run.itf.json");
    assert_eq!(trace["#meta"]["format"], "ITF");

    // The same run by its file.
    let file = "gatepass-out/small-world----authentic.replay.toml";
    let again = gatepass(&dir, &["replay", file, "--itf", "again.itf.json", "--json"]);
    assert_eq!(again.code, Some(1), "{}{}", again.out, again.err);
    assert_eq!(read("again.itf.json"), trace);
    let told: serde_json::Value = serde_json::from_str(&again.out).expect("it is JSON and nothing else");
    let steps = told["steps"].as_array().map_or(0, Vec::len);
    assert_eq!(trace["states"].as_array().map(Vec::len), Some(steps + 1));

    // Nothing is violated: nothing to write, and that is said.
    let ran = gatepass(&dir, &["check", "--scenario", "small.toml", "--itf", "none.itf.json"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("nothing is violated") && !dir.join("none.itf.json").exists(), "{}", ran.err);
    let ran = gatepass(&dir, &["check", "--scenario", "small.toml", "--html", "no/such/place.html"]);
    assert_eq!(ran.code, Some(2), "{}{}", ran.out, ran.err);
}

#[test]
fn two_sets_of_rules_are_compared() {
    let dir = small("compare");
    fs::write(dir.join("rules.toml"), "[rules]\npassword_checked = false\n").expect("tests may write there");
    let compare = |a: &str, b: &str, more: &[&str]| {
        let args = [&["check", "--scenario", "small.toml", "--compare", a, b][..], more].concat();
        gatepass(&dir, &args)
    };
    let same = compare("strict", "kick-by-account", &[]);
    assert_eq!(same.code, Some(0), "{}{}", same.out, same.err);
    assert!(same.out.contains("kick_names_login  true → false"), "{}", same.out);
    for guessed in ["any-password", "rules.toml"] {
        let ran = compare("strict", guessed, &[]);
        assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
        assert!(ran.out.contains("  authentic  holds → VIOLATED in "), "{}", ran.out);
    }
    let ran = compare("any-password", "strict", &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&ran.out).expect("it is JSON and nothing else");
    assert_eq!((ran.code, &json["changed"]), (Some(1), &true.into()));
    assert_eq!(json["rules"][0]["rule"], "password_checked");
    assert_eq!(json["scenarios"][0]["changes"][0]["b"]["verdict"], "holds");
    let ran = compare("strict", "kick-by-account", &["--max-states", "1"]);
    assert_eq!(ran.code, Some(3), "{}{}", ran.out, ran.err);
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

#[test]
fn a_reader_that_has_seen_enough_ends_nothing() {
    let dir = small("unheard");
    fs::write(dir.join("one.json"), r#"[{"name": "odd", "kind": "odd", "input": {}, "hex": ""}]"#)
        .expect("tests may write there");
    // Nobody answers at port 1.
    let cases: [(&[&str], i32); 12] = [
        (&["scenario", "list"], 0),
        (&["scenario", "show", "tokens"], 0),
        (&["scenario", "show", "nothing"], 2),
        (&["check", "--scenario", "small.toml"], 0),
        (&["check", "--scenario", "small.toml", "--flaw", "any-password"], 1),
        (&["replay", "gatepass-out/small-world----authentic.replay.toml"], 1),
        (&["simulate", "--scenario", "small.toml", "--seeds", "10"], 0),
        (&["vectors", "one.json"], 1),
        (&["verify-trace", "."], 2),
        (&["login", "--server", "127.0.0.1:1"], 1),
        (&["login", "--server", "127.0.0.1:1", "--takeover"], 1),
        (&["load", "--server", "127.0.0.1:1", "--seconds", "1"], 1),
    ];
    for (args, expected) in cases {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatepass"));
        command.args(args).current_dir(&dir).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = command.spawn().expect("the command starts");
        drop((running.stdout.take(), running.stderr.take()));
        let code = running.wait().expect("it is ours").code();
        assert_eq!(code, Some(expected), "{args:?}: the exit code is the one that it always has");
    }
}

#[test]
fn timed_runs_are_the_same_bytes_with_any_number_of_threads() {
    let dir = place("timed");
    let run = |policy: &str, threads: &str| {
        let ran = ["simulate", "--timed", "--scenario", "takeover-local", "--seeds", "60", "--json"];
        gatepass(&dir, &[&ran[..], &["--policy", policy, "--threads", threads]].concat())
    };
    for (policy, code) in [("strict", 0), ("mope", 1)] {
        let [one, three] = ["1", "3"].map(|threads| run(policy, threads));
        assert_eq!((one.code, three.code), (Some(code), Some(code)), "{}{}", one.out, one.err);
        assert_eq!(one.out, three.out);
        let json: serde_json::Value = serde_json::from_str(&one.out).expect("it is JSON and nothing else");
        assert_eq!((&json[0]["seeds"], json[0]["failing"] == 0), (&60.into(), code == 0), "{json:#}");
    }
}
