//! What the fuzzer found, on stable: every input of the committed corpus through the body of its target.
//!
//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz <target>` looks for more; see `tests/fuzz`.

mod common;
#[allow(dead_code, reason = "what the tests of roles share has more users than this")]
#[path = "steps/events.rs"]
mod events;
#[path = "fuzz/bodies/mod.rs"]
mod fuzz_bodies;
#[allow(dead_code, reason = "what the tests of roles share has more users than this")]
#[path = "steps/life.rs"]
mod life;
#[path = "steps/values.rs"]
mod values;

use std::{collections::BTreeSet, fs, panic::catch_unwind, path::PathBuf};

use common::{read, root};
use fuzz_bodies::{TARGETS, named};

/// A target's inputs, in a fixed order.
fn inputs(target: &str) -> Vec<PathBuf> {
    let dir = root().join("tests/fuzz/corpus").join(target);
    let entries = fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut inputs: Vec<_> = entries.map(|entry| entry.expect("a directory can be read").path()).collect();
    inputs.sort();
    inputs
}

#[test]
fn the_corpus_breaks_nothing() {
    let mut broke = Vec::new();
    for (target, body) in TARGETS {
        let inputs = inputs(target);
        assert!(inputs.len() >= 5, "{target}: a corpus of {} inputs tries nothing", inputs.len());
        for path in inputs {
            let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            if catch_unwind(|| body(&bytes)).is_err() {
                broke.push(path);
            }
        }
    }
    assert!(broke.is_empty(), "what each broke stands above: {broke:?}");
}

#[test]
fn every_target_has_a_program_and_a_corpus() {
    let manifest = read("tests/fuzz/Cargo.toml");
    let programs: BTreeSet<_> =
        manifest.split("[[bin]]\nname = \"").skip(1).filter_map(|bin| bin.split('"').next()).collect();
    assert_eq!(programs, TARGETS.iter().map(|(target, _)| *target).collect());
    let corpora = fs::read_dir(root().join("tests/fuzz/corpus")).expect("there is a corpus");
    for entry in corpora {
        let name = entry.expect("a directory can be read").file_name();
        assert!(named(&name.to_string_lossy()).is_some(), "{} is no target", name.display());
    }
}

#[test]
fn a_corpus_is_small() {
    let sizes = TARGETS
        .iter()
        .flat_map(|(target, _)| inputs(target))
        .map(|path| fs::metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).len());
    assert!(sizes.sum::<u64>() < 300_000, "a repository is no place for all that a fuzzer finds");
}
