//! What the commands that play scenarios have in common.

pub(crate) mod counterexample;
pub(crate) mod pick;
pub(crate) mod progress;
pub(crate) mod rules;
pub(crate) mod system;

use std::{
    fmt, fs,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use pick::{Pick, Picked};

/// Says what is wrong with the command line, or with a file that it names.
pub(crate) fn usage(why: impl fmt::Display) -> ExitCode {
    aside(format_args!("error: {why}"));
    ExitCode::from(crate::USAGE)
}

/// Runs a command that explores scenarios, unless it was asked for a list or the choice of scenarios is wrong.
pub(crate) fn play(pick: &Pick, work: impl FnOnce(Picked) -> Result<ExitCode, String>) -> ExitCode {
    play_crowd(pick, None, |picked| {
        for setup in &picked.setups {
            let named = |why| format!("scenario {}: {why}", setup.scenario.name);
            setup.scenario.explorable().map_err(named)?;
        }
        work(picked)
    })
}

/// The same for a command that only simulates them, with so many players.
pub(crate) fn play_crowd(
    pick: &Pick,
    players: Option<usize>,
    work: impl FnOnce(Picked) -> Result<ExitCode, String>,
) -> ExitCode {
    if let Some(list) = pick.list() {
        say(list);
        return ExitCode::SUCCESS;
    }
    pick.setups(players).and_then(work).unwrap_or_else(usage)
}

/// Prints a line of a result. A reader that has seen enough, such as `head`, is no reason to stop: the exit code
/// still tells the verdict.
pub(crate) fn say(line: impl fmt::Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Prints a line that belongs to no result, on standard error: what went wrong, a hint, how far it is.
pub(crate) fn aside(line: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Prints a result for programs.
pub(crate) fn say_json(result: &impl serde::Serialize) -> Result<(), String> {
    say(serde_json::to_string_pretty(result).map_err(|error| error.to_string())?);
    Ok(())
}

/// Writes a file that was asked for.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// The command line of this process, as one could type it again.
pub(crate) fn command_line() -> String {
    let words = std::env::args().skip(1).map(|word| quoted(&word));
    ["gatepass".to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

/// A line in the default manner of the shell: quoted if it must be.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// As many threads as the machine runs at once.
pub(crate) fn all_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
