//! Who is there, what they want, what may go wrong, how often.

use std::{collections::BTreeMap, fmt};

use gatepass_core::{
    policy::Policy,
    properties::{Goal, Property},
    text::Identity,
};
use serde::{Deserialize, Serialize};

use crate::{host::TimerKind, misread::Misread, names::unknown, net::LinkKind};

/// A scenario: everything that a world starts from. Read from TOML, or one of [`Scenario::shipped`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What it shows, in a sentence.
    pub about: String,
    /// The profile: one of [`Policy::PROFILES`].
    pub policy: String,
    /// Rules that differ from the profile, by the names of [`Policy`]'s fields.
    #[serde(skip_serializing_if = "toml::Table::is_empty")]
    pub rules: toml::Table,
    /// RoomServers.
    pub servers: u8,
    /// LoginServers, each with a clock of its own. Players go to them in turn, an attacker to any.
    #[serde(skip_serializing_if = "is_one")]
    pub login_servers: u8,
    /// Players per room.
    pub room_capacity: u16,
    /// Links that take time: their messages are delivered by choice, in any interleaving. Messages on the
    /// other links arrive at once.
    pub slow: Vec<LinkKind>,
    /// Which timers may run out, and how often in all; 255 means as often as they like. The others never do.
    pub timers: BTreeMap<TimerKind, u8>,
    /// Links that an attacker can read. The others are as good as encrypted.
    pub plain: Vec<LinkKind>,
    /// Connections that a RoomServer takes.
    pub connections: u32,
    /// What may go wrong, and how often.
    pub faults: Faults,
    /// Who vouches for players that are signed.
    #[serde(skip_serializing_if = "VerifierPlan::is_usual")]
    pub verifier: VerifierPlan,
    /// Somebody who means no good.
    pub attacker: Option<AttackerPlan>,
    /// The properties that are judged; none named: all.
    pub watch: Vec<Property>,
    /// Two live sessions of an account are judged only when nothing is under way: to see what stays wrong, where a
    /// policy lets two be live for a moment.
    pub at_rest: bool,
    /// When nothing is under way, the timers that bound a wait run out, however often: so that it can be asked how
    /// everything ends.
    pub patient: bool,
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
    /// Orderly ends of the cache: the next one hears which signed payloads were used.
    pub renew_cache: u8,
    /// Crashes of the cache that keep its memory. What was asked meanwhile is lost.
    pub crash_cache: u8,
    /// Crashes of the account store; its accounts are kept.
    pub crash_accounts: u8,
    /// Questions to a service that are lost, or whose answer is: the asker hears of an outage.
    pub fail_service: u8,
    /// Cuts of a link between a RoomServer and RCenter. The RoomServer links again.
    pub cut_link: u8,
    /// Connections of players that break, or that players give up.
    pub hang_up: u8,
    /// RoomServers that are stopped and go on later: their sockets stay open, their clocks do not stop.
    pub pause_room: u8,
    /// RoomServers that an operator has drained.
    pub drain_room: u8,
    /// Clocks that jump further than the bound on drift: a lease or a grace ends at the cache while a server still
    /// counts on it.
    pub clock_jump: u8,
    /// Signed payloads whose window begins or ends on the clock of a LoginServer.
    pub age: u8,
}

impl Faults {
    /// All of them.
    pub(crate) const fn budgets(&mut self) -> [&mut u8; 17] {
        macro_rules! all {
            ($($budget:ident)*) => {{
                // Not one is forgotten: there is no `..`.
                let Self { $($budget),* } = self;
                [$($budget),*]
            }};
        }
        all!(drop duplicate reorder crash_room crash_center crash_login lose_cache renew_cache crash_cache crash_accounts
            fail_service cut_link hang_up pause_room drain_room clock_jump age)
    }
}

/// Who vouches for players, and how the members of what he signs are called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VerifierPlan {
    /// Where the names of his players are unique: his name and their domain.
    pub realm: String,
    /// The member that says for whom.
    pub account: String,
    /// The member that says when.
    pub time: String,
}

impl Default for VerifierPlan {
    fn default() -> Self {
        let [realm, account, time] = ["launcher", "account", "time"].map(String::from);
        Self { realm, account, time }
    }
}

impl VerifierPlan {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    fn validate(&self) -> Result<(), ScenarioError> {
        let wrong = |key, why| Err(ScenarioError::Verifier { key, why });
        if Identity::new(&self.realm, "ann").is_none() {
            return wrong("realm", "a realm has 1 to 32 bytes without control characters");
        }
        let name = |text: &str| (1..=64).contains(&text.len()) && !text.contains(['&', '=']);
        if !name(&self.account) || !name(&self.time) || self.account == self.time {
            return wrong("account", "account and time are two names of 1 to 64 bytes without & and =");
        }
        Ok(())
    }
}

/// Somebody who reads plain links, sends what he can build from what he knows, and guesses nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AttackerPlan {
    /// How many times he does something.
    pub moves: u8,
    /// His own account, if he has one.
    pub account: Option<String>,
    /// He logs in to it by what is signed for him, and by no password.
    #[serde(skip_serializing_if = "is_false")]
    pub signed: bool,
    /// He also reaches the ports for datagrams and for RoomServers, and sends frames there.
    #[serde(skip_serializing_if = "is_false")]
    pub frames: bool,
    /// What else is signed for him, with texts of his choice: a nickname, say.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub members: BTreeMap<String, String>,
}

impl AttackerPlan {
    fn validate(&self) -> Result<(), ScenarioError> {
        let wrong = |key, why| Err(ScenarioError::Attacker { key, why });
        if self.signed && self.account.is_none() {
            return wrong("signed", "signed is about the attacker's own account");
        }
        if !self.signed && !self.members.is_empty() {
            return wrong("members", "members are signed, or they are nothing");
        }
        let long = |(name, value): (&String, &String)| name.len() > 64 || value.len() > 64;
        if self.members.len() > 8 || self.members.iter().any(long) {
            return wrong("members", "there are at most 8 members, with names and values of 64 bytes");
        }
        Ok(())
    }
}

const fn is_one(count: &u8) -> bool {
    *count == 1
}

const fn is_false(flag: &bool) -> bool {
    !*flag
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
    /// Nobody has made that account.
    pub no_account: bool,
    /// He logs in by what a launcher has signed for him, anew each time, and by no password. With `register` the
    /// account is made by the first such login.
    pub signed: bool,
    /// The clock of whoever signs for him is so far ahead that what was signed is not good yet.
    pub clock_ahead: bool,
    /// Heartbeats he sends before he logs out; without it he stays.
    pub heartbeats: Option<u16>,
    /// How often he tries again.
    pub retries: u8,
    /// When he loses his connection to a room he first comes back with the same token.
    pub resumes: bool,
    /// A misbehaviour: `talks_first`, `empty_key`, `replays_token`, `logs_in_again`,
    /// `goes_elsewhere`, `any_key_again`.
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
    /// After a refusal, logs in on the same connection with a key it has made up.
    AnyKeyAgain,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: "unnamed".into(),
            about: String::new(),
            policy: "strict".into(),
            rules: toml::Table::new(),
            servers: 1,
            login_servers: 1,
            room_capacity: 50,
            slow: vec![
                LinkKind::PlayerLogin,
                LinkKind::PlayerRoom,
                LinkKind::RoomCache,
                LinkKind::RoomCenter,
            ],
            timers: BTreeMap::new(),
            plain: Vec::new(),
            connections: 1_000,
            faults: Faults::default(),
            verifier: VerifierPlan::default(),
            attacker: None,
            watch: Vec::new(),
            at_rest: false,
            patient: false,
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
/// Most LoginServers of a world.
pub const LOGIN_SERVERS_MAX: usize = 3;

/// Why a scenario cannot be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScenarioError {
    /// There is no such profile.
    UnknownPolicy(String),
    /// A rule is not one of the policy's, or has another value.
    Rule {
        /// Its name.
        rule: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is nobody, or too many.
    Size {
        /// The key that says how many.
        key: &'static str,
        /// How many there may be.
        why: &'static str,
    },
    /// An account has no name, or too long a one.
    Account {
        /// The player, counted from 0; none: the attacker.
        player: Option<usize>,
        /// The name.
        name: String,
    },
    /// What the attacker is, does not go together, or is too much.
    Attacker {
        /// The key that does not fit.
        key: &'static str,
        /// Why not.
        why: &'static str,
    },
    /// Who vouches for players cannot be played.
    Verifier {
        /// The key that does not fit.
        key: &'static str,
        /// Why not.
        why: &'static str,
    },
    /// What a player does, does not go together.
    Player {
        /// The player, counted from 0.
        player: usize,
        /// The key that does not fit.
        key: &'static str,
        /// Why not.
        why: &'static str,
    },
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownPolicy(name) => {
                let names = Policy::PROFILES.map(|(known, _)| known).join(", ");
                write!(f, "there is no policy {name:?}; there are {names}")
            }
            Self::Rule { why, .. } => f.write_str(why),
            Self::Size { why, .. }
            | Self::Player { why, .. }
            | Self::Verifier { why, .. }
            | Self::Attacker { why, .. } => f.write_str(why),
            Self::Account { name, .. } => {
                write!(f, "{name:?} is no account name: 1 to 32 bytes")
            }
        }
    }
}

impl std::error::Error for ScenarioError {}

impl ScenarioError {
    /// Where in a file the blame lies: keys, and numbers of array items.
    #[must_use]
    pub fn path(&self) -> Vec<String> {
        match self {
            Self::UnknownPolicy(_) => vec!["policy".to_owned()],
            Self::Rule { rule, .. } => vec!["rules".to_owned(), rule.clone()],
            Self::Size { key, .. } => vec![(*key).to_owned()],
            Self::Account { player: Some(player), .. } => {
                vec!["players".to_owned(), player.to_string(), "account".to_owned()]
            }
            Self::Player { player, key, .. } => {
                vec!["players".to_owned(), player.to_string(), (*key).to_owned()]
            }
            Self::Account { player: None, .. } => vec!["attacker".to_owned(), "account".to_owned()],
            Self::Verifier { key, .. } => vec!["verifier".to_owned(), (*key).to_owned()],
            Self::Attacker { key, .. } => vec!["attacker".to_owned(), (*key).to_owned()],
        }
    }
}

impl Scenario {
    /// Reads a scenario from TOML.
    ///
    /// # Errors
    /// Where and why it does not fit.
    pub fn from_toml(text: &str) -> Result<Self, Misread> {
        let scenario: Self = toml::from_str(text).map_err(|error| Misread::new(text, &error))?;
        scenario.validate().map_err(|error| Misread::at(text, &error.path(), &error))?;
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
            return Err(ScenarioError::Size { key: "players", why: "a scenario has 1 to 10000 players" });
        }
        if self.servers == 0 || usize::from(self.servers) > SERVERS_MAX {
            return Err(ScenarioError::Size { key: "servers", why: "a scenario has 1 to 8 servers" });
        }
        if self.login_servers == 0 || usize::from(self.login_servers) > LOGIN_SERVERS_MAX {
            let why = "a scenario has 1 to 3 login servers";
            return Err(ScenarioError::Size { key: "login_servers", why });
        }
        let nameless = |player: &Player| player.account.is_empty() || player.account.len() > 32;
        if let Some(player) = self.players.iter().position(nameless) {
            let name = self.players[player].account.clone();
            return Err(ScenarioError::Account { player: Some(player), name });
        }
        let mixed =
            |player: &Player| player.clock_ahead && !player.signed || player.signed && player.wrong_password;
        if let Some(player) = self.players.iter().position(mixed) {
            let (key, why) = if self.players[player].signed {
                ("wrong_password", "who logs in by a signed payload gives no password")
            } else {
                ("clock_ahead", "clock_ahead is about players who are signed")
            };
            return Err(ScenarioError::Player { player, key, why });
        }
        if let Some(own) = self.attacker.as_ref().and_then(|attacker| attacker.account.as_ref())
            && (own.is_empty() || own.len() > 32)
        {
            return Err(ScenarioError::Account { player: None, name: own.clone() });
        }
        self.attacker.as_ref().map_or(Ok(()), AttackerPlan::validate)?;
        self.verifier.validate()?;
        self.policy().map(|_| ())
    }

    /// Whether a world of it is small enough to be explored.
    ///
    /// # Errors
    /// If it is not.
    pub const fn explorable(&self) -> Result<(), ScenarioError> {
        if self.players.len() > EXPLORED_PLAYERS_MAX {
            return Err(ScenarioError::Size {
                key: "players",
                why: "no exploration of more than 64 players would ever end; simulate them instead",
            });
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
        let mut table = rules_of(&profile);
        let mut policy = profile;
        // One after the other, so that the one to blame is known.
        for (rule, value) in &self.rules {
            let wrong = |why| ScenarioError::Rule { rule: rule.clone(), why };
            if table.insert(rule.clone(), value.clone()).is_none() {
                return Err(wrong(unknown("rule", rule, rules_of(&profile).keys().map(String::as_str))));
            }
            policy = (table.clone().try_into())
                .map_err(|error: toml::de::Error| wrong(format!("{rule}: {}", error.message())))?;
        }
        Ok(policy)
    }
}

/// A policy's rules by their names.
#[must_use]
pub fn rules_of(policy: &Policy) -> toml::Table {
    // Every rule has a form in TOML.
    toml::Table::try_from(policy).unwrap_or_default()
}
