//! The scenarios that come with gatepass.

use crate::scenario::Scenario;

/// Why a scenario is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelf {
    /// `check` plays it: strict holds in it.
    Daily,
    /// The same, but it takes minutes: `check --all` plays it.
    Large,
    /// Strict is not claimed to hold in it: what lies beyond its assumptions.
    Limits,
    /// It shows a weakness of one of the original systems.
    Weaknesses,
}

impl Shelf {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Daily, Self::Large, Self::Limits, Self::Weaknesses];

    /// What its scenarios have in common, in a few words.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Daily => "strict holds",
            Self::Large => "strict holds, but that takes minutes",
            Self::Limits => "beyond what strict promises",
            Self::Weaknesses => "weaknesses of the original systems",
        }
    }

    const fn files(self) -> &'static [&'static str] {
        match self {
            Self::Daily => &DAILY,
            Self::Large => &LARGE,
            Self::Limits => &LIMITS,
            Self::Weaknesses => &WEAKNESSES,
        }
    }

    /// Its scenarios.
    ///
    /// # Panics
    /// If one does not read: a test reads them all.
    #[must_use]
    pub fn scenarios(self) -> Vec<Scenario> {
        let read = |text: &&str| Scenario::from_toml(text).expect("shipped scenarios read");
        self.files().iter().map(read).collect()
    }
}

impl Scenario {
    /// The scenarios that `check` plays by default.
    #[must_use]
    pub fn shipped() -> Vec<Self> {
        Shelf::Daily.scenarios()
    }

    /// A scenario of any shelf.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Shelf::ALL.into_iter().flat_map(Shelf::scenarios).find(|scenario| scenario.name == name)
    }

    /// The file of a scenario of any shelf.
    #[must_use]
    pub fn text_of(name: &str) -> Option<&'static str> {
        Shelf::ALL.into_iter().find_map(|shelf| {
            let at = shelf.scenarios().iter().position(|scenario| scenario.name == name)?;
            shelf.files().get(at).copied()
        })
    }
}

const DAILY: [&str; 30] = [
    include_str!("scenarios/login.toml"),
    include_str!("scenarios/takeover-local.toml"),
    include_str!("scenarios/takeover-remote.toml"),
    include_str!("scenarios/reject-new.toml"),
    include_str!("scenarios/expiry.toml"),
    include_str!("scenarios/crash-owner.toml"),
    include_str!("scenarios/lost-kick.toml"),
    include_str!("scenarios/duplicates.toml"),
    include_str!("scenarios/cache-loss.toml"),
    include_str!("scenarios/lease-end.toml"),
    include_str!("scenarios/retry.toml"),
    include_str!("scenarios/full-room.toml"),
    include_str!("scenarios/strangers.toml"),
    include_str!("scenarios/tokens.toml"),
    include_str!("scenarios/repeated-answers.toml"),
    include_str!("scenarios/restart-room.toml"),
    include_str!("scenarios/stopped-owner.toml"),
    include_str!("scenarios/drain.toml"),
    include_str!("scenarios/cache-restart.toml"),
    include_str!("scenarios/database.toml"),
    include_str!("scenarios/impatient.toml"),
    include_str!("scenarios/attacker.toml"),
    include_str!("scenarios/forged-frames.toml"),
    include_str!("scenarios/in-the-end.toml"),
    include_str!("scenarios/signatures.toml"),
    include_str!("scenarios/two-clocks.toml"),
    include_str!("scenarios/forgotten.toml"),
    include_str!("scenarios/handed-over.toml"),
    include_str!("scenarios/recombined.toml"),
    include_str!("scenarios/user-define.toml"),
];

const LARGE: [&str; 3] = [
    include_str!("scenarios/large/impatient-twice.toml"),
    include_str!("scenarios/large/attackers-way.toml"),
    include_str!("scenarios/large/storm.toml"),
];

const LIMITS: [&str; 2] =
    [include_str!("scenarios/limits/plain-links.toml"), include_str!("scenarios/limits/clock-jump.toml")];

const WEAKNESSES: [&str; 23] = [
    include_str!("scenarios/mope/mope-w1.toml"),
    include_str!("scenarios/mope/mope-w3.toml"),
    include_str!("scenarios/mope/mope-w4.toml"),
    include_str!("scenarios/mope/mope-w7.toml"),
    include_str!("scenarios/mope/mope-w9.toml"),
    include_str!("scenarios/mope/mope-w10a.toml"),
    include_str!("scenarios/mope/mope-w10b.toml"),
    include_str!("scenarios/mope/mope-w10d.toml"),
    include_str!("scenarios/mope/mope-w11.toml"),
    include_str!("scenarios/mope/mope-w12.toml"),
    include_str!("scenarios/mope/mope-w15.toml"),
    include_str!("scenarios/mope/mope-w22.toml"),
    include_str!("scenarios/gtarcade/gtarcade-replay.toml"),
    include_str!("scenarios/gtarcade/gtarcade-future.toml"),
    include_str!("scenarios/gtarcade/gtarcade-moved-time.toml"),
    include_str!("scenarios/gtarcade/gtarcade-moved-account.toml"),
    include_str!("scenarios/gamecloud/gamecloud-w1.toml"),
    include_str!("scenarios/gamecloud/gamecloud-w2.toml"),
    include_str!("scenarios/gamecloud/gamecloud-w6.toml"),
    include_str!("scenarios/gamecloud/gamecloud-w8.toml"),
    include_str!("scenarios/gamecloud/gamecloud-w9.toml"),
    include_str!("scenarios/gamecloud/gamecloud-w11.toml"),
    include_str!("scenarios/gamecloud/gamecloud-w12.toml"),
];
