//! A way to a violation: told, drawn, and written to files that replay it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use gatepass_sim::{
    choice::Choice,
    diagram::{self, TERMINAL_WIDTH},
    itf::itf,
    replay::{Replay, tell},
    report::Violation,
    setup::Setup,
    trace::Trace,
};

use super::quoted;

/// A way to a violation.
pub(crate) struct Counterexample {
    trace: Trace,
    replay: Replay,
    /// Where the scenario and the property put its files.
    stem: String,
}

impl Counterexample {
    pub(crate) fn new(setup: &Setup, choices: &[Choice]) -> Self {
        let (trace, replay) = (tell(setup, choices), Replay::new(setup, choices));
        let property = trace.violation.as_ref().map_or("nothing", |(property, _)| property);
        let stem = format!("{}-{}", file_name(&setup.scenario.name), file_name(property));
        Self { trace, replay, stem }
    }

    /// Writes it as a replay file, as Mermaid and as SVG.
    pub(crate) fn write(&self, dir: &Path) -> io::Result<Written> {
        fs::create_dir_all(dir)?;
        let path = |end: &str| dir.join(format!("{}.{end}", self.stem));
        let written = Written { replay: path("replay.toml"), mermaid: path("mmd"), svg: path("svg") };
        fs::write(&written.replay, self.replay.to_toml())?;
        fs::write(&written.mermaid, diagram::mermaid(&self.trace))?;
        fs::write(&written.svg, diagram::svg(&self.trace))?;
        Ok(written)
    }

    /// The violation for a report.
    pub(crate) fn violation(&self, written: Option<&Written>) -> Violation {
        let (property, says) = self.trace.violation.clone().unwrap_or_default();
        let steps = diagram::told(&self.trace);
        let files = written.map(Written::files).unwrap_or_default();
        let replay = written.map(Written::command);
        Violation { property, says, choices: self.replay.choices.clone(), steps, files, replay }
    }

    /// The sequence diagram as SVG.
    pub(crate) fn drawing(&self) -> String {
        diagram::svg(&self.trace)
    }

    /// The run in the Informal Trace Format.
    pub(crate) fn itf(&self) -> Result<String, String> {
        itf_of(&self.replay)
    }

    /// For people: the steps, then the diagram.
    pub(crate) fn text(&self) -> String {
        let steps = diagram::steps(&self.trace, TERMINAL_WIDTH);
        let drawn = diagram::text(&self.trace, TERMINAL_WIDTH);
        format!("{steps}\n{drawn}")
    }
}

/// The files of a counterexample.
pub(crate) struct Written {
    replay: PathBuf,
    mermaid: PathBuf,
    svg: PathBuf,
}

impl Written {
    /// The command that replays it.
    pub(crate) fn command(&self) -> String {
        format!("gatepass replay {}", quoted(&self.replay.to_string_lossy()))
    }

    /// For people: what was written, and what to do with it.
    pub(crate) fn text(&self) -> String {
        format!("Written: {}\nReplay:  {}\n", self.files().join("\n         "), self.command())
    }

    /// Their names.
    pub(crate) fn files(&self) -> Vec<String> {
        [&self.replay, &self.mermaid, &self.svg].map(|path| path.to_string_lossy().into_owned()).to_vec()
    }
}

/// The run of a replay in the Informal Trace Format.
pub(crate) fn itf_of(replay: &Replay) -> Result<String, String> {
    let (setup, choices) = replay.prepare().map_err(|error| error.to_string())?;
    serde_json::to_string_pretty(&itf(&setup, &choices)).map_err(|error| error.to_string())
}

/// A name that is a single harmless part of a path, whatever the scenario is called.
fn file_name(name: &str) -> String {
    let keep = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let name: String = name.chars().map(|c| if keep(c) { c } else { '-' }).take(80).collect();
    if name.is_empty() { "unnamed".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_cannot_name_a_place() {
        let cases = [
            ("../../etc/passwd", "------etc-passwd"),
            ("lost-kick", "lost-kick"),
            ("a b\0", "a-b-"),
            ("", "unnamed"),
        ];
        for (name, expected) in cases {
            assert_eq!(file_name(name), expected);
        }
    }
}
