//! `gatepass vectors`: whether the wire formats are still those of the original system.

use std::{fs, path::PathBuf, process::ExitCode};

use gatepass_adapters::vectors;

use crate::shared::{say, usage};

const EXAMPLES: &str = "\
Examples:
  gatepass vectors tests/vectors/mope.json

For each file a line with its name and `N passed, M failed`, before it a line for each vector that fails; the
last line is the total.
Exit code: 0 if all vectors of all files hold, 1 if one fails or there is none, 2 if a file cannot be read.";

/// Check files of test vectors against the wire formats
#[derive(clap::Args, Clone, Debug)]
#[command(
    long_about = "Check files of test vectors against the wire formats: each vector is made again from its \
                  input, or read back, and compared with the bytes that the original system made.",
    after_help = EXAMPLES
)]
pub(crate) struct Args {
    /// Files of vectors: JSON lists
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let (mut passed, mut failed) = (0, 0);
    for path in &args.files {
        let name = path.display();
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return usage(format_args!("{name}: {error}")),
        };
        let report = match vectors::run(&text) {
            Ok(report) => report,
            Err(error) => return usage(format_args!("{name}: {error}")),
        };
        for failure in &report.failed {
            say(format_args!("{name}: {}: {}", failure.name, failure.reason));
        }
        say(format_args!("{name}: {} passed, {} failed", report.passed, report.failed.len()));
        passed += report.passed;
        failed += report.failed.len();
    }
    say(format_args!("{passed} passed, {failed} failed"));
    ExitCode::from(u8::from(failed > 0 || passed == 0))
}
