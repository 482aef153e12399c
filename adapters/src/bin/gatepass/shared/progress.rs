//! How far a long piece of work is: on a terminal in one line that changes, elsewhere a line now and then. On
//! standard error, so that results can be piped.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Where there is no terminal, this often.
const PLAIN: Duration = Duration::from_secs(10);

/// A line about how far a piece of work is.
pub(crate) struct Line {
    bar: ProgressBar,
    name: String,
    said: Instant,
}

impl Line {
    /// For work of this name.
    pub(crate) fn new(name: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        Self { bar, name: name.to_owned(), said: Instant::now() }
    }

    /// Says where it is; the text is only made when somebody will see it.
    pub(crate) fn say(&mut self, text: impl FnOnce() -> String) {
        if !self.bar.is_hidden() {
            self.bar.set_message(format!("{}: {}", self.name, text()));
            self.bar.tick();
        } else if self.said.elapsed() >= PLAIN {
            self.said = Instant::now();
            super::aside(format_args!("{}: {}", self.name, text()));
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
