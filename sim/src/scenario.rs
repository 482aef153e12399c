//! Who is there, what they want, what may go wrong, how often.

use std::{collections::BTreeMap, fmt};

use gatepass_core::{policy::Policy, properties::Goal};
use serde::{Deserialize, Serialize};

use crate::{host::TimerKind, net::LinkKind};

/// A scenario: everything that a world starts from. Read from TOML, or one of [`Scenario::shipped`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What it shows, in a sentence.
    pub about: String,
    /// The profile: `strict` or `mope`.
    pub policy: String,
    /// Rules that differ from the profile, by the names of [`Policy`]'s fields.
    #[serde(skip_serializing_if = "toml::Table::is_empty")]
    pub rules: toml::Table,
    /// RoomServers.
    pub servers: u8,
    /// Players per room.
    pub room_capacity: u16,
    /// Links that take time: their messages are delivered by choice, in any interleaving. Messages on the
    /// other links arrive at once.
    pub slow: Vec<LinkKind>,
    /// Which timers may run out, and how often in all; 255 means as often as they like. The others never do.
    pub timers: BTreeMap<TimerKind, u8>,
    /// What may go wrong, and how often.
    pub faults: Faults,
    /// What must happen in some run of this scenario.
    pub goals: Vec<Goal>,
    /// The players.
    pub players: Vec<Player>,
}

/// A budget per fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Messages lost.
    pub drop: u8,
    /// Messages delivered twice.
    pub duplicate: u8,
    /// Messages that overtake an earlier one of their connection.
    pub reorder: u8,
    /// RoomServers that crash. They may restart.
    pub crash_room: u8,
    /// Crashes of RCenter.
    pub crash_center: u8,
    /// Crashes of the LoginServer.
    pub crash_login: u8,
    /// Losses of the cache's memory.
    pub lose_cache: u8,
    /// Cuts of a link between a RoomServer and RCenter. The RoomServer links again.
    pub cut_link: u8,
}

/// A player.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Player {
    /// His account. Players with the same one are the same person at several devices.
    pub account: String,
    /// He registers it; otherwise it exists.
    pub register: bool,
    /// He does not know its password.
    pub wrong_password: bool,
    /// Heartbeats he sends before he logs out; without it he stays.
    pub heartbeats: Option<u16>,
    /// How often he tries again.
    pub retries: u8,
    /// A misbehaviour: `talks_first`, `empty_key`, `replays_token`, `logs_in_again`,
    /// `goes_elsewhere`.
    pub cheat: Option<CheatName>,
}

/// [`gatepass_core::client::Cheat`] by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheatName {
    /// Sends frames before it has logged in.
    TalksFirst,
    /// Enters with the empty key.
    EmptyKey,
    /// Connects again, after it logged out, with the token it has spent.
    ReplaysToken,
    /// Logs in again, after it logged out, with the token it has spent and on the same connection.
    LogsInAgain,
    /// Takes its token to the last server, wherever it leads.
    GoesElsewhere,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: "unnamed".into(),
            about: String::new(),
            policy: "strict".into(),
            rules: toml::Table::new(),
            servers: 1,
            room_capacity: 50,
            slow: vec![
                LinkKind::PlayerLogin,
                LinkKind::PlayerRoom,
                LinkKind::RoomCache,
                LinkKind::RoomCenter,
            ],
            timers: BTreeMap::new(),
            faults: Faults::default(),
            goals: Vec::new(),
            players: Vec::new(),
        }
    }
}

/// Most players of a world that is simulated or replayed.
pub const PLAYERS_MAX: usize = 10_000;
/// Most players of a world that is explored: far more than any exploration ends with.
pub const EXPLORED_PLAYERS_MAX: usize = 64;
/// A timer with this budget runs out as often as it likes.
pub const ALWAYS: u8 = u8::MAX;
/// Most RoomServers of a world.
pub const SERVERS_MAX: usize = 8;

/// Why a scenario cannot be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScenarioError {
    /// It is not TOML of the right form; the message names line and column.
    Toml(String),
    /// There is no such profile.
    UnknownPolicy(String),
    /// A rule is not one of the policy's, or has another type.
    Rule(String),
    /// There is nobody, or too many.
    Size(&'static str),
    /// An account has no name, or too long a one.
    Account(String),
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Toml(why) => write!(f, "the scenario does not read as TOML: {why}"),
            Self::UnknownPolicy(name) => write!(f, "there is no policy {name:?}; there are strict and mope"),
            Self::Rule(why) => write!(f, "a rule is wrong: {why}"),
            Self::Size(what) => f.write_str(what),
            Self::Account(name) => write!(f, "{name:?} is no account name: 1 to 32 bytes"),
        }
    }
}

impl std::error::Error for ScenarioError {}

impl Scenario {
    /// Reads a scenario from TOML.
    ///
    /// # Errors
    /// Where and why it does not fit.
    pub fn from_toml(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text).map_err(|error| ScenarioError::Toml(error.to_string()))?;
        scenario.validate()?;
        Ok(scenario)
    }

    /// Writes it as TOML.
    #[must_use]
    pub fn to_toml(&self) -> String {
        // Every field has a form in TOML: tables, arrays, numbers, strings.
        toml::to_string(self).unwrap_or_default()
    }

    /// Whether it can be played.
    ///
    /// # Errors
    /// Why not.
    pub fn validate(&self) -> Result<(), ScenarioError> {
        if self.players.is_empty() || self.players.len() > PLAYERS_MAX {
            return Err(ScenarioError::Size("a scenario has 1 to 10000 players"));
        }
        if self.servers == 0 || usize::from(self.servers) > SERVERS_MAX {
            return Err(ScenarioError::Size("a scenario has 1 to 8 servers"));
        }
        if let Some(player) =
            self.players.iter().find(|player| player.account.is_empty() || player.account.len() > 32)
        {
            return Err(ScenarioError::Account(player.account.clone()));
        }
        self.policy().map(|_| ())
    }

    /// Whether a world of it is small enough to be explored.
    ///
    /// # Errors
    /// If it is not.
    pub const fn explorable(&self) -> Result<(), ScenarioError> {
        if self.players.len() > EXPLORED_PLAYERS_MAX {
            return Err(ScenarioError::Size(
                "no exploration of more than 64 players would ever end; simulate them instead",
            ));
        }
        Ok(())
    }

    /// The same with so many players: its own come again and again, each time with accounts of their own. Timers
    /// that it lets run out at all then do so as often as they like.
    #[must_use]
    pub fn crowded(mut self, players: usize) -> Self {
        let first = self.players.len();
        for n in first..players {
            let (copy, mut player) = (n / first + 1, self.players[n % first].clone());
            // Long names make room for the number, which makes them differ.
            let number = format!("-{copy}");
            let mut end = player.account.len().min(32 - number.len());
            while !player.account.is_char_boundary(end) {
                end -= 1;
            }
            player.account.truncate(end);
            player.account.push_str(&number);
            self.players.push(player);
        }
        if players > first {
            self.timers.values_mut().for_each(|times| *times = ALWAYS);
        }
        self
    }

    /// The same for a world with a clock: every message takes time, every timer runs out, and whoever is cut off
    /// or told to come again does so.
    #[must_use]
    pub fn timed(mut self) -> Self {
        self.slow = LinkKind::ALL.to_vec();
        self.timers = TimerKind::ALL.into_iter().map(|kind| (kind, ALWAYS)).collect();
        for player in self.players.iter_mut().filter(|player| player.cheat.is_none()) {
            player.retries = u8::MAX;
        }
        self
    }

    /// Its policy: the profile with its own rules.
    ///
    /// # Errors
    /// Which name or rule is wrong.
    pub fn policy(&self) -> Result<Policy, ScenarioError> {
        let profile =
            Policy::named(&self.policy).ok_or_else(|| ScenarioError::UnknownPolicy(self.policy.clone()))?;
        let mut rules =
            toml::Table::try_from(profile).map_err(|error| ScenarioError::Rule(error.to_string()))?;
        rules.extend(self.rules.clone());
        rules.try_into().map_err(|error: toml::de::Error| ScenarioError::Rule(error.message().to_owned()))
    }

    /// One of the shipped scenarios.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::shipped().into_iter().find(|scenario| scenario.name == name)
    }

    /// The scenarios that `check` runs by default.
    ///
    /// # Panics
    /// If a shipped scenario does not read: a test reads them all.
    #[must_use]
    pub fn shipped() -> Vec<Self> {
        const SHIPPED: [&str; 14] = [
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
        ];
        SHIPPED.iter().map(|text| Self::from_toml(text).expect("shipped scenarios read")).collect()
    }
}
