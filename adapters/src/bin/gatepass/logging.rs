//! Log lines on standard error.

use std::io::IsTerminal;

use gatepass_adapters::config::LogFormat;
use tracing_subscriber::{EnvFilter, fmt};

/// Starts logging. The level is `GATEPASS_LOG`, in the form of `tracing`'s filters; `info` if it is not set.
pub(crate) fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_env("GATEPASS_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // Somebody else's subscriber, if there is one, stays.
    let _ = match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}
