//! What a server is told. Every field has a default: without any configuration all roles run on loopback.

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

use gatepass_core::{
    limits::{Capacity, Times},
    policy::Policy,
};
use jiff::fmt::serde::unsigned_duration::friendly::compact::{optional as maybe_human, required as human};
use serde::{Deserialize, Serialize};

use crate::{
    gamecloud::GamecloudConfig,
    gate::GateLimits,
    gtarcade::GtarcadeConfig,
    store::{HashCost, remembered::LASTS_MAX},
};

/// The shared key if none is configured: everybody can read it here, so it is worth a warning.
pub const DEFAULT_SHARED_KEY: &str = "gatepass-insecure-default";

/// A role, or the account store, to run in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The LoginServer.
    Login,
    /// The account store.
    Accounts,
    /// The cache.
    Cache,
    /// RCenter.
    Center,
    /// A RoomServer.
    Room,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 5] = [Self::Login, Self::Accounts, Self::Cache, Self::Center, Self::Room];

    /// Its name in configurations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Accounts => "accounts",
            Self::Cache => "cache",
            Self::Center => "center",
            Self::Room => "room",
        }
    }
}

impl std::str::FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|part| part.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("no role is called {text:?}; there are {names}")
        })
    }
}

/// How much a password hash costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cost {
    /// What real passwords need.
    #[default]
    Default,
    /// Next to nothing: for load tests with made-up passwords.
    Test,
}

impl Cost {
    pub(crate) const fn hash_cost(self) -> HashCost {
        match self {
            Self::Default => HashCost::Default,
            Self::Test => HashCost::Test,
        }
    }
}

/// A rule set by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PolicyName(pub String);

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object per line.
    Json,
}

/// The configuration of a process.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What runs here.
    pub roles: Vec<Part>,
    /// Where clients log in.
    pub http_listen: SocketAddr,
    /// Where players enter rooms, TCP and UDP.
    pub room_listen: SocketAddr,
    /// What clients are told instead of `room_listen`: `host:port`.
    pub room_advertise: Option<String>,
    /// What clients are told about voice.
    pub voice_address: String,
    /// Where RoomServers of other processes register.
    pub center_listen: Option<SocketAddr>,
    /// Where other processes ask the cache, the accounts and RCenter of this one.
    pub service_listen: Option<SocketAddr>,
    /// Where operators look.
    pub admin_listen: SocketAddr,
    /// The file of accounts, or `:memory:`.
    pub database: String,
    /// Where the services are that do not run here.
    pub services: Option<String>,
    /// Where the cache is, if not at `services`.
    pub cache: Option<String>,
    /// Where the accounts are, if not at `services`.
    pub accounts: Option<String>,
    /// Where RCenter answers LoginServers, if not at `services`.
    pub center_service: Option<String>,
    /// Where RCenter takes RoomServers.
    pub center: Option<String>,
    /// The key that all servers of a deployment share.
    pub shared_key: String,
    /// Which rules are kept.
    pub policy: PolicyName,
    /// Allow a policy other than `strict`.
    pub allow_unsafe_policy: bool,
    /// What a password hash costs.
    pub hash_cost: Cost,
    /// How long a password that was found right is remembered, so that its player is let in without hashing it again;
    /// none: not at all.
    #[serde(with = "maybe_human")]
    pub remember_passwords: Option<Duration>,
    /// Threads that hash passwords; none: one per core.
    pub password_threads: Option<usize>,
    /// Passwords that may wait to be hashed.
    pub password_queue: usize,
    /// Connections of each listener.
    pub max_connections: usize,
    /// Connections of each listener from one address; none: 64, but no limit on loopback.
    pub max_connections_per_address: Option<u32>,
    /// HTTP requests, and new room connections, per second from one address; none: 50, but no limit on loopback.
    pub rate_per_address: Option<u32>,
    /// How long an HTTP connection may take to send a request, or be idle.
    #[serde(with = "human")]
    pub http_idle: Duration,
    /// How long things last.
    pub times: Times,
    /// How much fits.
    pub capacity: Capacity,
    /// Where everything that happens is recorded, if it is.
    pub record: Option<PathBuf>,
    /// Bytes that all recordings there may take.
    pub record_max_bytes: u64,
    /// How log lines look.
    pub log_format: LogFormat,
    /// GTarcade's games, whose players log in with what its launcher hands them.
    pub gtarcade: GtarcadeConfig,
    /// gamecloud's servers, which run beside the LoginServer.
    pub gamecloud: GamecloudConfig,
}

impl Default for Config {
    fn default() -> Self {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            roles: Part::ALL.to_vec(),
            http_listen: local(8123),
            room_listen: local(9001),
            room_advertise: None,
            voice_address: "127.0.0.1:9030".into(),
            center_listen: Some(local(10_002)),
            service_listen: Some(local(10_001)),
            admin_listen: local(9180),
            database: "gatepass.db".into(),
            services: None,
            cache: None,
            accounts: None,
            center_service: None,
            center: None,
            shared_key: DEFAULT_SHARED_KEY.into(),
            policy: PolicyName("strict".into()),
            allow_unsafe_policy: false,
            hash_cost: Cost::Default,
            remember_passwords: None,
            password_threads: None,
            password_queue: 256,
            max_connections: 12_000,
            max_connections_per_address: None,
            rate_per_address: None,
            http_idle: Duration::from_secs(30),
            times: Times::default(),
            capacity: Capacity::default(),
            record: None,
            record_max_bytes: 1 << 30,
            log_format: LogFormat::Text,
            gtarcade: GtarcadeConfig::default(),
            gamecloud: GamecloudConfig::default(),
        }
    }
}

/// Secrets are masked.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(&self.masked()).unwrap_or_default())
    }
}

impl Config {
    /// This configuration without secrets, for people to look at.
    #[must_use]
    pub fn masked(&self) -> Self {
        let (gtarcade, gamecloud) = (self.gtarcade.masked(), self.gamecloud.masked());
        Self { shared_key: "***".into(), gtarcade, gamecloud, ..self.clone() }
    }

    /// Everything in this process, on free ports, with accounts in memory: for tests.
    #[must_use]
    pub fn local() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            http_listen: any,
            room_listen: any,
            center_listen: None,
            service_listen: None,
            admin_listen: any,
            database: ":memory:".into(),
            hash_cost: Cost::Test,
            // Nobody's evening ends with it.
            times: Times { drain: Duration::from_secs(1), ..Times::default() },
            ..Self::default()
        }
    }

    /// Whether a part runs here.
    #[must_use]
    pub fn runs(&self, part: Part) -> bool {
        self.roles.contains(&part)
    }

    /// Where a service is that does not run here.
    #[must_use]
    pub(crate) fn service(&self, part: Part) -> Option<&str> {
        if self.runs(part) {
            return None;
        }
        let own = match part {
            Part::Cache => &self.cache,
            Part::Accounts => &self.accounts,
            Part::Center => &self.center_service,
            Part::Login | Part::Room => return None,
        };
        own.as_deref().or(self.services.as_deref())
    }

    pub(crate) const fn gate(&self) -> GateLimits {
        GateLimits {
            connections: self.max_connections,
            connections_per_address: self.max_connections_per_address,
            rate_per_address: self.rate_per_address,
        }
    }

    /// The policy, if it may be run.
    ///
    /// # Errors
    /// Says what is wrong, in words an operator can act on.
    pub fn policy(&self) -> Result<Policy, String> {
        let policy = Policy::named(&self.policy.0).ok_or_else(|| {
            let names = Policy::PROFILES.map(|(known, _)| known).join(", ");
            format!("no policy is called {:?}; there are {names}", self.policy.0)
        })?;
        if policy != Policy::STRICT && !self.allow_unsafe_policy {
            return Err(format!(
                "policy {:?} breaks the rules that keep sessions apart; say --allow-unsafe-policy to run it",
                self.policy.0
            ));
        }
        Ok(policy)
    }

    /// Whether the parts fit together.
    ///
    /// # Errors
    /// Says what is wrong, in words an operator can act on.
    pub fn check(&self) -> Result<(), String> {
        self.policy()?;
        self.times.check().map_err(|why| format!("times: {why}"))?;
        if self.roles.is_empty() {
            return Err("roles is empty: nothing would run".into());
        }
        let needs = |part: Part, by: Part| {
            if self.runs(by) && !self.runs(part) && self.service(part).is_none() {
                return Err(format!(
                    "role {} needs {}: run it here, or say where it is with --services",
                    by.name(),
                    part.name()
                ));
            }
            Ok(())
        };
        for by in [Part::Login, Part::Room] {
            needs(Part::Cache, by)?;
            needs(Part::Accounts, by)?;
        }
        needs(Part::Center, Part::Login)?;
        if self.runs(Part::Cache) && !self.runs(Part::Accounts) {
            return Err("role cache needs role accounts in its process: its generation is kept there".into());
        }
        if self.runs(Part::Room) && !self.runs(Part::Center) && self.center.is_none() {
            return Err("role room needs center: run it here, or say where it is with --center".into());
        }
        if self.shared_key.is_empty() {
            return Err("shared_key is empty: nobody could register".into());
        }
        if self.runs(Part::Login) {
            self.gtarcade.check(self.http_listen, &self.times)?;
            self.gamecloud.check(self.http_listen, &self.shared_key, &self.times)?;
        }
        if self.http_idle.is_zero() {
            return Err("http_idle must be longer than nothing".into());
        }
        if self.remember_passwords.is_some_and(|lasts| lasts.is_zero() || lasts > LASTS_MAX) {
            return Err("remember_passwords must be longer than nothing and at most a day; leave it out to \
                        remember none"
                .into());
        }
        Ok(())
    }

    /// Whether other processes are linked to this one, on either side.
    pub(crate) fn has_links(&self) -> bool {
        let asks =
            [Part::Cache, Part::Accounts, Part::Center].iter().any(|part| self.service(*part).is_some());
        asks || self.center.is_some() || self.center_listen.is_some() || self.service_listen.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gtarcade::GameKeys;

    #[test]
    fn the_default_runs() {
        assert_eq!(Config::default().check(), Ok(()));
        assert_eq!(Config::local().check(), Ok(()));
    }

    #[test]
    fn unsafe_policies_are_refused_unless_named() {
        let config = Config { policy: PolicyName("mope".into()), ..Config::local() };
        assert!(config.check().is_err());
        assert_eq!(Config { allow_unsafe_policy: true, ..config }.check(), Ok(()));
        assert!(Config { policy: PolicyName("none".into()), ..Config::local() }.check().is_err());
    }

    #[test]
    fn a_lonely_room_server_says_what_it_misses() {
        let config = Config { roles: vec![Part::Room], ..Config::default() };
        assert!(config.check().expect_err("no services").contains("--services"));
        let config = Config { services: Some("127.0.0.1:1".into()), ..config };
        assert!(config.check().expect_err("no center").contains("--center"));
        let config = Config { center: Some("127.0.0.1:2".into()), ..config };
        assert_eq!(config.check(), Ok(()));
    }

    #[test]
    fn passwords_are_remembered_for_a_time_that_makes_sense() {
        let config = |lasts| Config { remember_passwords: Some(lasts), ..Config::local() };
        assert!(config(Duration::ZERO).check().is_err());
        assert_eq!(config(Duration::from_secs(600)).check(), Ok(()));
        assert!(config(LASTS_MAX + Duration::from_secs(1)).check().is_err());
    }

    #[test]
    fn secrets_are_masked() {
        let keys = GameKeys { sign_key: "hunter2".into(), other_sign_key: None };
        let gtarcade = GtarcadeConfig { games: [("7".into(), keys)].into(), ..GtarcadeConfig::default() };
        let config = Config { shared_key: "hunter2".into(), gtarcade, ..Config::default() };
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
