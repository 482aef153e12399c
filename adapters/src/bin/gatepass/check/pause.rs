//! `gatepass check --checkpoint` and `--resume`: a check that ends early and goes on another day.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use gatepass_core::properties::Property;
use gatepass_sim::{
    check::{Bounds, Progress, Report, explore_kept},
    checkpoint,
    explorer::{Keep, Saved},
    setup::Setup,
    world::Broken,
};

use crate::shared::aside;

/// The options that keep a check in a file.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Pausing {
    /// Keep the check of one scenario in this file: every --checkpoint-minutes, and when a bound or Ctrl-C ends it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["compare", "matrix"])]
    checkpoint: Option<PathBuf>,
    /// How often it is written while the check goes on
    #[arg(long, value_name = "MINUTES", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    checkpoint_minutes: u64,
    /// Go on with the check in this file, by the same version and with the same scenario and rules
    #[arg(long, value_name = "FILE", conflicts_with_all = ["compare", "matrix"])]
    resume: Option<PathBuf>,
}

impl Pausing {
    /// Whether a check is kept or taken up.
    pub(crate) const fn is_asked_for(&self) -> bool {
        self.checkpoint.is_some() || self.resume.is_some()
    }

    /// Explores a scenario, from where it was left if that is asked for.
    pub(crate) fn explore(
        &self,
        setup: &Arc<Setup>,
        wanted: Option<Property>,
        bounds: Bounds,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Report, String> {
        let named = |path: &Path, why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
        let resume = match &self.resume {
            Some(path) => Some(checkpoint::read(path, setup).map_err(|why| named(path, &why))?),
            None => None,
        };
        let interrupted = Arc::new(AtomicBool::new(false));
        let mut failed = None;
        let mut save = |saved: Saved<Broken>| {
            let Some(path) = &self.checkpoint else { return };
            match checkpoint::write(path, setup, &saved) {
                Ok(()) => aside(format_args!("{} states are kept in {}", saved.seen.len(), path.display())),
                Err(why) => failed = Some(named(path, &why)),
            }
        };
        if self.checkpoint.is_some() {
            listen(Arc::clone(&interrupted))?;
        }
        let keep = Keep {
            resume,
            every: Duration::from_secs(self.checkpoint_minutes * 60),
            stop: &|| interrupted.load(Ordering::Relaxed),
            save: self.checkpoint.is_some().then_some(&mut save),
        };
        let report = explore_kept(setup, wanted, bounds, progress, keep);
        if let Some(failed) = failed {
            return Err(format!("the check cannot be kept: {failed}"));
        }
        report.map_err(|why| self.resume.as_ref().map_or_else(|| why.to_string(), |path| named(path, &why)))
    }
}

/// Notes that somebody pressed Ctrl-C. Who does it again does not want to wait.
fn listen(interrupted: Arc<AtomicBool>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot listen for signals: {error}"))?;
    thread::spawn(move || {
        runtime.block_on(async {
            while tokio::signal::ctrl_c().await.is_ok() {
                if interrupted.swap(true, Ordering::Relaxed) {
                    std::process::exit(crate::INTERRUPTED);
                }
                aside("ending the check to keep it; Ctrl-C again ends at once");
            }
        });
    });
    Ok(())
}
