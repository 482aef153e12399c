//! A check in a file, to go on with it another day.
//!
//! The file is a line that says what it is, a line of JSON about the check, and 16 bytes for each state of the
//! levels that are complete: how it was first reached and its fingerprint, as two little-endian numbers of 64
//! bits. It is of use to the same version only, with the same scenario and rules.

use std::{
    fmt,
    fs::{self, File},
    hash::{BuildHasher, Hasher},
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use gatepass_core::properties::Property;
use serde::{Deserialize, Serialize};

use crate::{
    explorer::{Found, Saved},
    setup::Setup,
    shared::fingerprint,
    world::Broken,
};

const TITLE: &str = "gatepass checkpoint";
/// The line of JSON is shorter.
const HEADER_MAX: u64 = 1 << 20;
/// Bytes for a state.
const PAIR: u64 = 16;

/// What the file says before the states.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: String,
    scenario: String,
    policy: String,
    /// Of scenario and settings.
    setup: u64,
    states: u64,
    generated: u64,
    /// Goals met and properties exercised, a bit each.
    met: (u32, u32),
    found: Vec<Finding>,
    /// Of the states.
    sum: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Finding {
    broken: String,
    state: u64,
    depth: u64,
}

/// Why a check does not go on from a file.
#[derive(Debug)]
pub enum CheckpointError {
    /// The file cannot be read or written.
    Io(io::Error),
    /// It is something else.
    NotOne,
    /// It is cut short or altered.
    Damaged,
    /// Another version of gatepass wrote it: this one.
    OtherVersion(String),
    /// It is of another check: this scenario, by these rules, or an earlier text of it.
    OtherCheck {
        /// Name of the scenario.
        scenario: String,
        /// Name of its policy.
        policy: String,
    },
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::NotOne => f.write_str("this is no checkpoint of gatepass"),
            Self::Damaged => f.write_str("this checkpoint is cut short or altered"),
            Self::OtherVersion(theirs) => {
                write!(
                    f,
                    "version {theirs} wrote this checkpoint, and only the same version can go on with it"
                )
            }
            Self::OtherCheck { scenario, policy } => write!(
                f,
                "this checkpoint is of another check: scenario {scenario:?} under policy {policy:?}, or an earlier \
                 text of it"
            ),
        }
    }
}

impl std::error::Error for CheckpointError {}

impl From<io::Error> for CheckpointError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Writes what is kept of a check of this setup. The file is replaced at once or not at all.
///
/// # Errors
/// If it cannot be written.
pub fn write(path: &Path, setup: &Setup, saved: &Saved<Broken>) -> io::Result<()> {
    let finding = |it: &Found<Broken>| Finding {
        broken: it.finding.name().to_owned(),
        state: it.state,
        depth: it.depth,
    };
    let header = Header {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: setup.scenario.name.clone(),
        policy: setup.scenario.policy.clone(),
        setup: print_of(setup),
        states: saved.seen.len() as u64,
        generated: saved.generated,
        met: setup.met(),
        found: saved.found.iter().map(finding).collect(),
        sum: sum(&saved.seen),
    };
    let mut draft = path.as_os_str().to_owned();
    draft.push(".draft");
    let draft = PathBuf::from(draft);
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&draft)?);
    writeln!(out, "{TITLE}")?;
    writeln!(out, "{}", serde_json::to_string(&header)?)?;
    for (link, print) in &saved.seen {
        out.write_all(&link.to_le_bytes())?;
        out.write_all(&print.to_le_bytes())?;
    }
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(draft, path)
}

/// Reads what was kept of a check of this setup, and lets the setup know which goals were met.
///
/// # Errors
/// If the file is not one of this check, or not as it was written.
pub fn read(path: &Path, setup: &Setup) -> Result<Saved<Broken>, CheckpointError> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut file = BufReader::with_capacity(1 << 20, file);
    let mut title = Vec::new();
    Read::take(&mut file, TITLE.len() as u64 + 1).read_until(b'\n', &mut title)?;
    if title.strip_suffix(b"\n") != Some(TITLE.as_bytes()) {
        return Err(CheckpointError::NotOne);
    }
    let mut line = Vec::new();
    Read::take(&mut file, HEADER_MAX).read_until(b'\n', &mut line)?;
    let version = |value: serde_json::Value| value.get("version")?.as_str().map(str::to_owned);
    let version = serde_json::from_slice(&line).ok().and_then(version).ok_or(CheckpointError::Damaged)?;
    if version != env!("CARGO_PKG_VERSION") {
        return Err(CheckpointError::OtherVersion(version));
    }
    let header: Header = serde_json::from_slice(&line).map_err(|_| CheckpointError::Damaged)?;
    if header.setup != print_of(setup) {
        return Err(CheckpointError::OtherCheck { scenario: header.scenario, policy: header.policy });
    }
    let before = (title.len() + line.len()) as u64;
    if header.states.checked_mul(PAIR).and_then(|states| states.checked_add(before)) != Some(size) {
        return Err(CheckpointError::Damaged);
    }
    let mut seen = Vec::with_capacity(header.states as usize);
    for _ in 0..header.states {
        let mut number = || {
            let mut bytes = [0; 8];
            file.read_exact(&mut bytes).map(|()| u64::from_le_bytes(bytes))
        };
        seen.push((number()?, number()?));
    }
    if sum(&seen) != header.sum {
        return Err(CheckpointError::Damaged);
    }
    let found = header.found.into_iter().map(|it| {
        let property = Property::ALL.into_iter().find(|property| property.name() == it.broken);
        // A rule is named by text that lives as long as the program does.
        let broken = property.map_or_else(|| Broken::Invariant(it.broken.leak()), Broken::Property);
        Found { finding: broken, state: it.state, depth: it.depth }
    });
    let saved = Saved { found: found.collect(), generated: header.generated, seen };
    setup.meet_again(header.met);
    Ok(saved)
}

/// Tells scenarios and rules apart, by everything that a check depends on.
fn print_of(setup: &Setup) -> u64 {
    fingerprint(&format!("{:?} {:?} {:?}", setup.scenario, setup.settings, setup.reductions))
}

fn sum(seen: &[(u64, u64)]) -> u64 {
    let mut hasher = foldhash::quality::FixedState::with_seed(0x6368_6563_6b70_6f69).build_hasher();
    for (link, print) in seen {
        hasher.write_u64(*link);
        hasher.write_u64(*print);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        check::{Bounds, Ended, Report, explore, explore_kept},
        explorer::Keep,
        scenario::Scenario,
    };

    fn setup(name: &str, policy: &str) -> Arc<Setup> {
        let mut scenario = Scenario::named(name).expect("it is shipped");
        policy.clone_into(&mut scenario.policy);
        Arc::new(Setup::new(scenario).expect("it can be played"))
    }

    /// A file of this test's own.
    fn file(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("gatepass-checkpoint-{}-{name}", std::process::id()))
    }

    /// Checks up to a bound on states, and keeps what there is.
    fn bounded(setup: &Arc<Setup>, states: u64, resume: Option<Saved<Broken>>, path: &Path) -> Report {
        let mut save = |saved| write(path, setup, &saved).expect("it can be written");
        let keep = Keep { resume, save: Some(&mut save), ..Keep::default() };
        explore_kept(setup, None, Bounds { states, ..Bounds::default() }, &mut |_| {}, keep).expect("it fits")
    }

    fn counts(report: &Report) -> impl PartialEq + fmt::Debug {
        let Report { states, generated, depth, ended, properties, goals, violations, .. } = report.clone();
        (states, generated, depth, ended, properties, goals, violations)
    }

    #[test]
    fn a_check_in_parts_comes_to_the_same_as_in_one_go() {
        for (name, policy, parts) in
            [("takeover-local", "strict", [300, 900]), ("takeover-remote", "mope", [300, 1200])]
        {
            let whole = explore(&setup(name, policy), None, Bounds::default(), &mut |_| {});
            let path = file(name);
            let mut resume = None;
            for states in parts {
                let setup = setup(name, policy);
                let report = bounded(&setup, states, resume, &path);
                assert!(report.ended != Ended::Exhausted && report.states < whole.states, "{name} {states}");
                // Nothing is left of the run that was interrupted but its file.
                resume = Some(read(&path, &self::setup(name, policy)).expect("it reads"));
            }
            let fresh = setup(name, policy);
            let last = read(&path, &fresh).expect("it reads");
            let resumed = bounded(&fresh, Bounds::default().states, Some(last), &path);
            assert_eq!(counts(&resumed), counts(&whole), "{name}");
            fs::remove_file(path).expect("it is there");
        }
    }

    #[test]
    fn what_is_no_checkpoint_of_this_check_is_refused() {
        let (setup, path) = (setup("takeover-local", "strict"), file("refused"));
        bounded(&setup, 300, None, &path);
        let good = fs::read(&path).expect("it is there");
        let refusal = |bytes: &[u8], setup: &Setup| {
            fs::write(&path, bytes).expect("it can be written");
            read(&path, setup).map(|saved| saved.seen.len()).expect_err("it is refused")
        };
        let mut altered = good.clone();
        *altered.last_mut().expect("it is not empty") ^= 1;
        assert!(matches!(refusal(&altered, &setup), CheckpointError::Damaged));
        assert!(matches!(refusal(&good[..good.len() - 1], &setup), CheckpointError::Damaged));
        assert!(matches!(refusal(b"name = \"login\"\n", &setup), CheckpointError::NotOne));
        assert!(matches!(refusal(b"", &setup), CheckpointError::NotOne));
        let other = self::setup("takeover-local", "mope");
        assert!(matches!(refusal(&good, &other), CheckpointError::OtherCheck { .. }));
        let text = String::from_utf8_lossy(&good[..200]).into_owned();
        let newer = [text.replace(env!("CARGO_PKG_VERSION"), "9.9.9").as_bytes(), &good[200..]].concat();
        assert!(
            matches!(refusal(&newer, &setup), CheckpointError::OtherVersion(theirs) if theirs == "9.9.9")
        );
        fs::remove_file(&path).expect("it is there");
    }

    #[test]
    fn states_that_are_not_those_of_the_space_are_refused() {
        let (setup, path) = (setup("takeover-local", "strict"), file("unfit"));
        bounded(&setup, 300, None, &path);
        let good = read(&path, &setup).expect("it reads");
        fs::remove_file(&path).expect("it is there");
        let refused = |change: &dyn Fn(&mut Saved<Broken>)| {
            let mut saved = good.clone();
            change(&mut saved);
            let keep = Keep { resume: Some(saved), ..Keep::default() };
            explore_kept(&setup, None, Bounds::default(), &mut |_| {}, keep).is_err()
        };
        assert!(!refused(&|_| {}));
        assert!(refused(&|saved| saved.seen.last_mut().expect("there are states").1 ^= 1));
        assert!(refused(&|saved| saved.seen.last_mut().expect("there are states").0 |= 0xff_ffff));
        assert!(refused(&|saved| saved.seen.swap(3, 4)));
        assert!(refused(&|saved| saved.seen.clear()));
        assert!(refused(&|saved| saved.seen.push((u64::MAX, 1))));
    }
}
