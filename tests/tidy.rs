//! The rules of ARCHITECTURE.md that a program can hold.

mod common;

use std::path::Path;

use common::{files, read, root, short};
use gatepass_core::policy::Policy;
use gatepass_sim::{catalog::Shelf, flaws::FLAWS, scenario::Scenario};

/// The files of core's roles. None of them may know another.
const ROLES: [&str; 7] = ["accounts", "cache", "client", "login", "rcenter", "room", "lbs"];

/// Lines that are too many for one file, except these, with the reason.
const LINES_MAX: usize = 600;
const LONG_FILES: [(&str, &str); 0] = [];

/// A line of code: without comments, and without what follows `//` in it.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter_map(|(at, line)| {
        let line = line.split("//").next().unwrap_or("").trim();
        (!line.is_empty()).then_some((at + 1, line))
    })
}

/// Whether `word` stands in the line on its own, not as part of a longer name.
fn says(line: &str, word: &str) -> bool {
    let name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(name);
        let after = line[at + word.len()..].chars().next().is_some_and(name);
        let (first, last) = (word.starts_with(name), word.ends_with(name));
        !(before && first || after && last)
    })
}

/// Every place below `dir` where one of these words is said in code.
fn said(dir: &str, words: &[&str], except: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for path in files(dir, "rs") {
        let (text, name) = (read(&path), short(&path));
        for (at, line) in code(&text) {
            for word in words {
                if says(line, word) && !except(&name, word) {
                    found.push(format!("{name}:{at}: {word}"));
                }
            }
        }
    }
    found
}

#[test]
fn imports_go_one_way() {
    let none = |_: &str, _: &str| false;
    let others = ["gatepass_sim", "gatepass_adapters", "tokio", "stateright"];
    assert_eq!(said("core", &others, none), [""; 0], "core knows neither worlds nor servers");
    assert_eq!(said("sim", &["gatepass_adapters", "tokio"], none), [""; 0], "sim knows core only");
    let command = |name: &str, _: &str| name.starts_with("adapters/src/bin/");
    assert_eq!(said("adapters", &["gatepass_sim"], command), [""; 0], "only the command knows both");

    let manifest = toml_lines::read("core/Cargo.toml");
    assert!(
        manifest.dependencies.iter().all(|name| !name.starts_with("gatepass")),
        "core depends on no member"
    );
    let manifest = toml_lines::read("sim/Cargo.toml");
    assert!(manifest.dependencies.iter().all(|name| name != "gatepass-adapters"));
}

#[test]
fn roles_do_not_know_each_other() {
    for role in ROLES {
        let own = |path: &Path| {
            let name = short(path);
            name == format!("core/src/{role}.rs") || name.starts_with(&format!("core/src/{role}/"))
        };
        let paths: Vec<_> = files("core/src", "rs").into_iter().filter(|path| own(path)).collect();
        assert!(!paths.is_empty(), "{role} has a file");
        for path in paths {
            let text = read(&path);
            // One import names one module, in its own line or at the head of a line of `use crate::{…}`.
            for (at, line) in code(&text) {
                for other in ROLES.into_iter().filter(|other| *other != role) {
                    let imports = says(line, &format!("crate::{other}::"))
                        || line.starts_with(&format!("{other}::"))
                        || says(line, &format!("use crate::{other}"))
                        || says(line, &format!("super::{other}::")) && !path.ends_with("mod.rs");
                    assert!(!imports, "{}:{at}: {role} knows {other}", short(&path));
                }
            }
        }
    }
}

#[test]
fn core_can_name_no_clock_and_no_order_of_hashes() {
    let words =
        ["std::", "extern crate std", "HashMap", "HashSet", "Instant", "SystemTime", "thread", "println"];
    assert_eq!(said("core/src", &words, |_, _| false), [""; 0]);
    let wire =
        |name: &str, _: &str| name.starts_with("core/src/wire/") || name.starts_with("core/src/verify/");
    assert_eq!(
        said("core/src", &["f32", "f64"], wire),
        [""; 0],
        "floats are for fields of the original only"
    );
    assert!(read("core/src/lib.rs").contains("#![no_std]"));
}

#[test]
fn nothing_is_left_for_later() {
    // Written in two parts, or this file would be found.
    let later =
        [concat!("todo", "!"), concat!("unimplemented", "!"), concat!("dbg", "!"), concat!("#[", "ignore")];
    for dir in ["core", "sim", "adapters", "tests"] {
        assert_eq!(said(dir, &later, |_, _| false), [""; 0]);
        for path in files(dir, "rs") {
            for (at, line) in read(&path).lines().enumerate() {
                let noted = [concat!("FIX", "ME"), concat!("TO", "DO"), concat!("XX", "X")];
                let found = noted.into_iter().find(|word| says(line, word));
                assert_eq!(found, None, "{}:{}", short(&path), at + 1);
            }
        }
    }
}

#[test]
fn nothing_is_unsafe() {
    // Written in two parts, or this file would be found.
    let words = [concat!("un", "safe {"), concat!("un", "safe fn"), concat!("un", "safe impl")];
    for dir in ["core", "sim", "adapters", "tests"] {
        assert_eq!(said(dir, &words, |_, _| false), [""; 0]);
    }
    assert!(read("Cargo.toml").contains("unsafe_code = \"deny\""));
}

#[test]
fn files_are_short_enough_to_read() {
    for dir in ["core", "sim", "adapters", "tests"] {
        for path in files(dir, "rs") {
            let (lines, name) = (read(&path).lines().count(), short(&path));
            let why = LONG_FILES.iter().find(|(long, _)| *long == name);
            assert!(lines <= LINES_MAX || why.is_some(), "{name} has {lines} lines, {LINES_MAX} are enough");
            assert!(lines > LINES_MAX || why.is_none(), "{name} is short now: it needs no exception");
        }
    }
    for (name, _) in LONG_FILES {
        assert!(root().join(name).exists(), "{name} is gone: it needs no exception");
    }
}

#[test]
fn versions_stand_in_one_place() {
    for member in ["Cargo.toml", "core/Cargo.toml", "sim/Cargo.toml", "adapters/Cargo.toml"] {
        let manifest = toml_lines::read(member);
        assert_eq!(
            manifest.without_workspace, [""; 0],
            "{member}: versions stand in [workspace.dependencies]"
        );
        assert!(manifest.workspace_lints, "{member}: [lints] workspace = true");
    }
}

#[test]
fn dependencies_come_from_one_place_in_one_generation() {
    let lock = read("Cargo.lock");
    let mut name = "";
    for line in lock.lines() {
        if let Some(value) = line.strip_prefix("name = ") {
            name = value.trim_matches('"');
        } else if let Some(source) = line.strip_prefix("source = ") {
            let crates_io = "\"registry+https://github.com/rust-lang/crates.io-index\"";
            assert_eq!(source, crates_io, "{name} comes from elsewhere");
        }
    }
    // Hashes of two generations of RustCrypto do not fit together.
    for single in
        ["digest", "crypto-common", "block-buffer", "cipher", "aead", "subtle", "zeroize", "gatepass-core"]
    {
        let generations = lock.lines().filter(|line| *line == format!("name = \"{single}\"")).count();
        assert_eq!(generations, 1, "{single}");
    }
}

#[test]
fn no_path_of_a_machine() {
    let homes = [concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/ro", "ot/"), concat!("/wo", "rk/")];
    for extension in ["rs", "toml", "md", "json", "snap"] {
        for path in files(".", extension) {
            let text = read(&path);
            for home in homes {
                assert!(!text.contains(home), "{} names {home}", short(&path));
            }
        }
    }
}

#[test]
fn every_rule_is_explained() {
    let page = read("ARCHITECTURE.md");
    let rules = serde_json::to_value(Policy::STRICT).expect("a policy is data");
    for rule in rules.as_object().expect("a policy has fields").keys() {
        assert!(page.contains(&format!("| `{rule}` |")), "ARCHITECTURE.md does not explain {rule}");
    }
}

#[test]
fn every_scenario_is_shipped() {
    let shipped: Vec<_> = Shelf::ALL.into_iter().flat_map(Shelf::scenarios).collect();
    let files = files("sim/src/scenarios", "toml");
    assert_eq!(shipped.len(), files.len());
    for path in files {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let read = Scenario::from_toml(&read(&path)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read.name, name, "a scenario is called like its file");
        assert!(shipped.contains(&read), "{name} is on no shelf");
        assert!(!read.about.is_empty(), "{name} says what it shows");
        let daily = Scenario::shipped().contains(&read);
        assert!(!daily || !read.goals.is_empty(), "{name} says what must happen");
    }
}

#[test]
fn every_flaw_is_a_shipped_scenario_with_one_rule_less() {
    for flaw in FLAWS {
        let Some(scenario) = Scenario::named(flaw.scenario) else {
            panic!("{}: no such scenario", flaw.name)
        };
        assert_eq!(scenario.policy, "strict", "{}: a flaw is strict without a rule", flaw.name);
        assert_ne!(flaw.policy(), Policy::STRICT, "{} leaves nothing out", flaw.name);
    }
}

/// As much of a manifest as the rules ask about.
mod toml_lines {
    #[derive(Default)]
    pub(crate) struct Manifest {
        /// Names of what the package depends on.
        pub(crate) dependencies: Vec<String>,
        /// Those that bring a version of their own.
        pub(crate) without_workspace: Vec<String>,
        pub(crate) workspace_lints: bool,
    }

    pub(crate) fn read(path: &str) -> Manifest {
        let mut manifest = Manifest::default();
        let mut section = String::new();
        for line in super::read(path).lines() {
            let line = line.trim();
            if let Some(head) = line.strip_prefix('[') {
                section = head.trim_end_matches(']').to_owned();
            } else if section == "lints" {
                manifest.workspace_lints |= line == "workspace = true";
            } else if section.ends_with("dependencies") && !section.starts_with("workspace") {
                let Some((name, value)) = line.split_once('=') else { continue };
                let (name, inherits) = match name.trim().split_once('.') {
                    Some((name, "workspace")) => (name, value.trim() == "true"),
                    _ => (name.trim(), value.contains("workspace = true")),
                };
                manifest.dependencies.push(name.to_owned());
                if !inherits {
                    manifest.without_workspace.push(name.to_owned());
                }
            }
        }
        manifest
    }
}
