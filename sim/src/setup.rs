//! A scenario made ready: settings, the table of nodes, and who knows which credential. It does not change
//! while a world runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicU32, Ordering},
};

use arrayvec::ArrayString;
use gatepass_core::{
    accounts::Accounts,
    cache::Cache,
    client::{Cheat, Client, Script},
    ids::{AccountId, Addr, ConnId, Generation, Payload, ServerId},
    limits::Capacity,
    login::LoginServer,
    message::{Age, Ask, Credentials, Message, ToCenter},
    policy::{Policy, SignedText},
    properties::{Goal, Properties, Property},
    rcenter::RCenter,
    role::Settings,
    room::RoomServer,
    text::{Endpoint, Identity, Name, Password, SUBJECT_MAX, bounded, nickname},
};

use crate::{
    attacker::Attacker,
    host::{Host, HostRole, TimerKind},
    net::{Body, LinkKind},
    reductions::Reductions,
    scenario::{AttackerPlan, CheatName, Faults, Scenario, ScenarioError},
    signed_text::Signed,
};

/// Connections one player may open in a world; names of connections are built on it.
pub(crate) const CONNS_PER_PLAYER: u64 = 1000;
/// Those of them that an attacker may open to one LoginServer: more than he has moves.
const ATTACKERS_CONNS: u64 = 300;
/// Names of links between RoomServers and RCenter start here.
pub(crate) const FIRST_LINK: u64 = 1_000_000_000;

/// For whom something was signed, for whom it can be said to be, and whether at another time.
pub(crate) type Readings = BTreeSet<(ArrayString<SUBJECT_MAX>, ArrayString<SUBJECT_MAX>, bool)>;

/// Everything about a world that does not change.
#[derive(Debug)]
pub struct Setup {
    /// The scenario it was made from.
    pub scenario: Scenario,
    /// What roles look at.
    pub settings: Settings,
    /// What explorations leave out. Worlds of other reductions are other worlds: replays name those that are off.
    pub reductions: Reductions,
    /// Node names, in order.
    pub names: Vec<String>,
    /// How often each kind of timer may run out.
    pub fires: [u8; TimerKind::ALL.len()],
    slow: [bool; LinkKind::ALL.len()],
    players: usize,
    plain: [bool; LinkKind::ALL.len()],
    watched: Properties,
    /// Per player, the last one before him who wants the same.
    alike: Vec<Option<usize>>,
    vouched_for: Vec<Identity>,
    /// What a verifier of one's own makes of what is signed, in place of the text that worlds write down.
    readings: Option<Readings>,
    goals: AtomicU32,
    premises: AtomicU32,
}

impl Setup {
    /// Makes a scenario ready.
    ///
    /// # Errors
    /// If the scenario cannot be played.
    pub fn new(scenario: Scenario) -> Result<Self, ScenarioError> {
        scenario.validate()?;
        let policy = scenario.policy()?;
        Ok(Self::with_policy(scenario, policy))
    }

    /// The same under another policy: a flaw.
    #[must_use]
    pub fn with_policy(scenario: Scenario, policy: Policy) -> Self {
        let capacity =
            Capacity { room: scenario.room_capacity, server: 10_000, connections: scenario.connections };
        let settings = Settings { policy, capacity, ..Settings::default() };
        let mut names: Vec<String> = (1..=scenario.players.len()).map(|n| format!("player-{n}")).collect();
        names.extend(["login", "accounts", "cache", "rcenter"].map(String::from));
        names.extend((1..=scenario.servers).map(|n| format!("room-{n}")));
        names.extend((2..=scenario.login_servers).map(|n| format!("login-{n}")));
        let mut fires = [0; TimerKind::ALL.len()];
        for (kind, count) in &scenario.timers {
            fires[*kind as usize] = *count;
        }
        let mut slow = [false; LinkKind::ALL.len()];
        for kind in &scenario.slow {
            slow[*kind as usize] = true;
        }
        if scenario.attacker.is_some() {
            names.push("attacker".to_owned());
        }
        let mut plain = [false; LinkKind::ALL.len()];
        for kind in &scenario.plain {
            plain[*kind as usize] = true;
        }
        let mut watched = Properties::NONE;
        for property in &scenario.watch {
            watched.add_if(true, *property);
        }
        if scenario.watch.is_empty() {
            watched = Properties::ALL;
        }
        let mut last = BTreeMap::new();
        // Who goes to another LoginServer is another one.
        let server = |n: usize| n % usize::from(scenario.login_servers);
        let players = scenario.players.iter().enumerate();
        let alike = players.map(|(n, player)| last.insert((player, server(n)), n)).collect();
        let signed = scenario.players.iter().filter(|player| player.signed).map(|it| it.account.as_str());
        let attacker = scenario.attacker.iter().filter(|plan| plan.signed);
        let signed: BTreeSet<&str> = signed.chain(attacker.filter_map(|it| it.account.as_deref())).collect();
        let vouched_for = signed.into_iter().filter_map(|account| identity(&scenario, account)).collect();
        let players = scenario.players.len();
        Self {
            scenario,
            settings,
            reductions: Reductions::ALL,
            names,
            fires,
            slow,
            plain,
            watched,
            players,
            alike,
            vouched_for,
            readings: None,
            goals: AtomicU32::new(0),
            premises: AtomicU32::new(0),
        }
    }

    /// The same with other reductions.
    #[must_use]
    pub fn reduced_by(self, reductions: Reductions) -> Self {
        Self { reductions, ..self }
    }

    /// The same with players vouched for by somebody who reads just this into what is signed.
    pub(crate) fn read_as(self, readings: Readings) -> Self {
        Self { readings: Some(readings), ..self }
    }

    /// Fault budgets.
    #[must_use]
    pub const fn faults(&self) -> Faults {
        self.scenario.faults
    }

    /// How many nodes there are.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.rooms().end + usize::from(self.scenario.login_servers) - 1
    }

    /// The nodes that are RoomServers.
    pub(crate) fn rooms(&self) -> std::ops::Range<usize> {
        self.first_room()..self.first_room() + usize::from(self.scenario.servers)
    }

    /// The properties that are judged.
    pub(crate) const fn watched(&self) -> Properties {
        self.watched
    }

    /// How many players there are; they are the first nodes.
    #[must_use]
    pub const fn players(&self) -> usize {
        self.players
    }

    const fn login(&self) -> usize {
        self.players
    }

    /// The nodes that are LoginServers. All but the first come behind everybody else.
    pub(crate) fn logins(&self) -> impl Iterator<Item = usize> + use<> {
        std::iter::once(self.login()).chain(self.rooms().end..self.nodes())
    }

    pub(crate) fn is_login(&self, node: usize) -> bool {
        self.login_number(node).is_some()
    }

    /// Which of the LoginServers this node is.
    pub(crate) fn login_number(&self, node: usize) -> Option<usize> {
        self.logins().position(|login| login == node)
    }

    /// The LoginServer that a request on this connection goes to.
    pub(crate) fn login_of(&self, conn: ConnId) -> usize {
        let number = match self.player_of(conn) {
            Some(player) => player % usize::from(self.scenario.login_servers),
            None => {
                let conn = conn.0.saturating_sub(self.attackers_first_conn());
                usize::try_from(conn / ATTACKERS_CONNS).unwrap_or(0)
            }
        };
        self.logins().nth(number).unwrap_or(self.login())
    }

    pub(crate) const fn accounts(&self) -> usize {
        self.players + 1
    }
    pub(crate) const fn cache(&self) -> usize {
        self.players + 2
    }
    pub(crate) const fn center(&self) -> usize {
        self.players + 3
    }
    pub(crate) const fn first_room(&self) -> usize {
        self.players + 4
    }

    pub(crate) const fn service(&self, ask: &Ask) -> usize {
        match ask {
            Ask::Cache(_) => self.cache(),
            Ask::Accounts(_) => self.accounts(),
            Ask::Center(_) => self.center(),
        }
    }

    /// The player who opened this connection.
    pub(crate) const fn player_of(&self, conn: ConnId) -> Option<usize> {
        let player = (conn.0 / CONNS_PER_PLAYER) as usize;
        if conn.0 < FIRST_LINK && player >= 1 && player <= self.players { Some(player - 1) } else { None }
    }

    /// The first name for the attacker's connections to a LoginServer.
    pub(crate) fn attackers_first_conn_to(&self, login: u8) -> u64 {
        self.attackers_first_conn() + u64::from(login) * ATTACKERS_CONNS
    }

    /// The first name for the attacker's connections.
    pub(crate) const fn attackers_first_conn(&self) -> u64 {
        (self.players as u64 + 1) * CONNS_PER_PLAYER
    }

    /// Whether the attacker opened this connection.
    pub(crate) const fn is_attackers(&self, conn: ConnId) -> bool {
        let first = self.attackers_first_conn();
        conn.0 >= first && conn.0 < first + CONNS_PER_PLAYER
    }

    /// The attacker's own account, in this store.
    pub(crate) fn attackers_account(&self, store: &Accounts) -> Option<AccountId> {
        let plan = self.scenario.attacker.as_ref()?;
        let own = plan.account.as_deref()?;
        if plan.signed { store.by_identity(&self.identity(own)?) } else { store.by_name(&name(own)) }
    }

    /// What the attacker logs in to his own account with.
    pub(crate) fn attackers_credentials(&self) -> Option<Credentials> {
        let plan = self.scenario.attacker.as_ref()?;
        let own = plan.account.as_deref()?;
        if !plan.signed {
            return Some(Credentials::Password { name: name(own), password: password(own) });
        }
        let payload = Payload::new(u128::from(self.attackers_first_conn()).to_be_bytes());
        let identity = self.identity(own)?;
        let form = self.reading(&identity, &identity, false);
        Some(Credentials::Signed { identity, registers: false, payload, age: Age::Fresh, form })
    }

    /// Everybody who logs in by what is signed for him, in order: an attacker knows their names.
    pub(crate) fn vouched_for(&self) -> &[Identity] {
        &self.vouched_for
    }

    /// In which form of writing the signature of what was signed for `own` fits what is read into it: that it was signed
    /// for `account`, then or, if `moved`, at another time. The form that the policy allows, if it does; none if there is
    /// none in which it does.
    pub(crate) fn reading(&self, own: &Identity, account: &Identity, moved: bool) -> Option<SignedText> {
        if let Some(readings) = &self.readings {
            let fits = readings.contains(&(own.subject, account.subject, moved));
            return fits.then_some(SignedText::Unambiguous);
        }
        let plan = self.scenario.attacker.as_ref();
        let is_his = |plan: &&AttackerPlan| plan.signed && plan.account.as_deref() == Some(&own.subject);
        let members = plan.filter(is_his).map(|plan| plan.members.clone()).unwrap_or_default();
        let signed = Signed { by: &self.scenario.verifier, account: &own.subject, members: &members };
        let allowed = self.settings.policy.signed_text;
        [allowed, SignedText::Unambiguous, SignedText::Joined, SignedText::Glued]
            .into_iter()
            .find(|form| signed.can_be_read(*form, &account.subject, moved))
    }

    /// What is signed for calls the owner of an account.
    fn identity(&self, account: &str) -> Option<Identity> {
        identity(&self.scenario, account)
    }

    /// Whether an attacker reads what these two nodes say to each other.
    pub(crate) const fn is_plain(&self, from: usize, to: usize) -> bool {
        match self.link_kind(from, to) {
            Some(kind) => self.plain[kind as usize],
            None => false,
        }
    }

    /// The account whose credential this player knows, in this store.
    #[must_use]
    pub fn account_of(&self, player: usize, store: &Accounts) -> Option<AccountId> {
        let player = self.scenario.players.get(player).filter(|it| !it.wrong_password)?;
        if player.signed {
            store.by_identity(&self.identity(&player.account)?)
        } else {
            store.by_name(&name(&player.account))
        }
    }

    /// Whether messages between these two nodes take time.
    pub(crate) const fn is_slow(&self, from: usize, to: usize, body: &Body) -> bool {
        if let Body::Message(_, Message::ToCenter(ToCenter::Room { .. } | ToCenter::Load { .. })) = body {
            return self.slow[LinkKind::RoomReports as usize];
        }
        match self.link_kind(from, to) {
            Some(kind) => self.slow[kind as usize],
            None => false,
        }
    }

    const fn link_kind(&self, from: usize, to: usize) -> Option<LinkKind> {
        // LoginServers are all alike.
        let rooms_end = self.first_room() + self.scenario.servers as usize;
        let from = if from < rooms_end { from } else { self.login() };
        let to = if to < rooms_end { to } else { self.login() };
        let (low, high) = if from < to { (from, to) } else { (to, from) };
        if low < self.players {
            return Some(if high == self.login() { LinkKind::PlayerLogin } else { LinkKind::PlayerRoom });
        }
        let room = high >= self.first_room();
        if low == self.login() {
            return match high - self.players {
                1 => Some(LinkKind::LoginAccounts),
                2 => Some(LinkKind::LoginCache),
                3 => Some(LinkKind::LoginCenter),
                _ => None,
            };
        }
        match low - self.players {
            1 if room => Some(LinkKind::RoomAccounts),
            2 if room => Some(LinkKind::RoomCache),
            3 if room => Some(LinkKind::RoomCenter),
            _ => None,
        }
    }

    /// The last player before this one who wants the same.
    pub(crate) fn alike_before(&self, player: usize) -> Option<usize> {
        self.alike.get(player).copied().flatten()
    }

    /// Notes that a goal was met in some run of this setup.
    pub(crate) fn meet(&self, goal: Goal) {
        let bit = 1 << goal as u32;
        if self.goals.load(Ordering::Relaxed) & bit == 0 {
            self.goals.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// Whether a goal was met in some run of this setup.
    #[must_use]
    pub fn is_met(&self, goal: Goal) -> bool {
        self.goals.load(Ordering::Relaxed) & (1 << goal as u32) != 0
    }

    /// Goals met and properties exercised so far, a bit each.
    pub(crate) fn met(&self) -> (u32, u32) {
        (self.goals.load(Ordering::Relaxed), self.premises.load(Ordering::Relaxed))
    }

    /// Notes what an earlier part of a search had met.
    pub(crate) fn meet_again(&self, (goals, premises): (u32, u32)) {
        self.goals.fetch_or(goals, Ordering::Relaxed);
        self.premises.fetch_or(premises, Ordering::Relaxed);
    }

    /// Notes that properties were exercised in some run of this setup.
    pub(crate) fn exercise(&self, met: Properties) {
        if self.premises.load(Ordering::Relaxed) & met.bits() != met.bits() {
            self.premises.fetch_or(met.bits(), Ordering::Relaxed);
        }
    }

    /// Whether a property was exercised in some run of this setup.
    #[must_use]
    pub fn is_exercised(&self, property: Property) -> bool {
        self.premises.load(Ordering::Relaxed) & Properties::only(property).bits() != 0
    }

    /// The nodes before anything happened.
    pub(crate) fn hosts(&self) -> Vec<Host> {
        let mut hosts: Vec<Host> = (0..self.players).map(|n| Host::new(self.player(n))).collect();
        hosts.push(Host::new(HostRole::Login(LoginServer::new())));
        hosts.push(Host::new(HostRole::Accounts(self.account_store())));
        hosts.push(Host::new(HostRole::Cache(Cache::new(Generation(1), false))));
        hosts.push(Host::new(HostRole::Center(RCenter::new())));
        hosts.extend((0..self.scenario.servers).map(|n| Host::new(self.room(usize::from(n), 0))));
        hosts
            .extend((1..self.scenario.login_servers).map(|_| Host::new(HostRole::Login(LoginServer::new()))));
        hosts
    }

    /// A life of a RoomServer.
    pub(crate) fn room(&self, room: usize, life: u8) -> HostRole {
        let life = if self.settings.policy.life_names_server { life } else { 0 };
        HostRole::Room(RoomServer::new(server_id(room, life), endpoint(room)))
    }

    /// The node of the RoomServer at this address.
    pub(crate) fn room_at(&self, address: &Endpoint) -> Option<usize> {
        (0..usize::from(self.scenario.servers))
            .find(|room| endpoint(*room) == *address)
            .map(|room| self.first_room() + room)
    }

    fn account_store(&self) -> Accounts {
        let mut store = Accounts::new();
        let players = self.scenario.players.iter().filter(|player| !player.register && !player.no_account);
        let mut existing: Vec<(&str, bool)> =
            players.map(|player| (player.account.as_str(), player.signed)).collect();
        let attacker = self.scenario.attacker.as_ref();
        existing.extend(attacker.and_then(|plan| Some((plan.account.as_deref()?, plan.signed))));
        existing.sort_unstable();
        existing.dedup();
        for (account, signed) in existing {
            // What cannot be made was refused when the scenario was validated.
            match self.identity(account).filter(|_| signed) {
                Some(identity) => store.create_for(identity, password(account)),
                None => store.create(name(account), None, password(account)),
            };
        }
        store
    }

    fn cheat(&self, name: CheatName) -> Cheat {
        match name {
            CheatName::TalksFirst => Cheat::TalksFirst,
            CheatName::EmptyKey => Cheat::EmptyKey,
            CheatName::ReplaysToken => Cheat::ReplaysToken,
            CheatName::LogsInAgain => Cheat::LogsInAgain,
            CheatName::AnyKeyAgain => Cheat::AnyKeyAgain,
            CheatName::GoesElsewhere => Cheat::GoesTo(endpoint(usize::from(self.scenario.servers) - 1)),
        }
    }

    /// The attacker before anything happened.
    pub(crate) fn attacker(&self) -> Attacker {
        let moves = self.scenario.attacker.as_ref().map_or(0, |plan| plan.moves);
        Attacker::new(moves, self.attackers_credentials())
    }

    fn player(&self, n: usize) -> HostRole {
        let player = &self.scenario.players[n];
        let password = if player.wrong_password { password("a guess") } else { password(&player.account) };
        let name = name(&player.account);
        let credentials = if let Some(identity) = self.identity(&player.account).filter(|_| player.signed) {
            let age = if player.clock_ahead { Age::Future } else { Age::Fresh };
            // He signs anew for every login.
            let payload = Payload::default();
            let form = self.reading(&identity, &identity, false);
            Credentials::Signed { identity, registers: player.register, payload, age, form }
        } else if player.register {
            Credentials::Register { name, password }
        } else {
            Credentials::Password { name, password }
        };
        let script = Script {
            credentials,
            addr: Addr(n as u128 + 1),
            scene: 0,
            name: nickname(""),
            heartbeats: player.heartbeats,
            retries: player.retries,
            resumes: player.resumes,
            cheat: player.cheat.map(|cheat| self.cheat(cheat)),
        };
        HostRole::Player(Client::new(script, ConnId((n as u64 + 1) * CONNS_PER_PLAYER)))
    }
}

/// The id of a life of a RoomServer.
pub(crate) fn server_id(room: usize, life: u8) -> ServerId {
    ServerId((room as u64 + 1) * 100 + u64::from(life))
}

fn endpoint(room: usize) -> Endpoint {
    bounded(&format!("room-{}", room + 1)).unwrap_or_default()
}

fn name(account: &str) -> Name {
    bounded(account).unwrap_or_default()
}

/// What whoever vouches for the owner of an account calls him.
fn identity(scenario: &Scenario, account: &str) -> Option<Identity> {
    Identity::new(&scenario.verifier.realm, account)
}

fn password(account: &str) -> Password {
    let mut text = format!("password of {account}");
    text.truncate(48);
    Password::new(&text).unwrap_or_else(Password::empty)
}
