//! Files that people write.

use gatepass_sim::{replay::Replay, scenario::Scenario, setup::Setup};

/// Choices that are worth the time.
const CHOICES_MAX: usize = 200;

pub(super) fn scenario(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(scenario) = Scenario::from_toml(&text) else { return };
    let written = scenario.to_toml();
    let again = Scenario::from_toml(&written);
    assert_eq!(again.as_ref(), Ok(&scenario), "what is written can be read: {written}");
    // It is told what is wrong, or it can be played.
    let _ = Setup::new(scenario);
}

pub(super) fn replay(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(replay) = Replay::from_toml(&text) else { return };
    assert_eq!(Replay::from_toml(&replay.to_toml()).as_ref(), Ok(&replay));
    if replay.scenario.explorable().is_ok() && replay.choices.len() <= CHOICES_MAX {
        let _ = replay.run();
    }
}

pub(super) fn vectors(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(report) = gatepass_adapters::vectors::run(&text) {
        assert!(!report.is_clean() || report.failed.is_empty() && report.passed > 0);
    }
}
