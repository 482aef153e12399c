//! What the servers of gamecloud are told.

use std::{net::SocketAddr, time::Duration};

use gatepass_core::{
    lbs::{Lbs, Node, NodeId},
    limits::Times,
    text::{Endpoint, bounded},
    verify::{
        Window,
        gamecloud::{
            builtin::{Admin, KINDS, OnePhase, TwoPhase},
            sign::Secret,
            tx::Portal,
        },
        verifier::Verifiers,
    },
};
use hmac::{Hmac, KeyInit, Mac};
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as human;
use serde::{Deserialize, Serialize};
use sha1::Sha1;

use crate::{config::DEFAULT_SHARED_KEY, key::SharedKey};

/// The configuration of gamecloud's servers. Secrets that are not given are derived from the shared key, so that
/// processes that share it agree.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GamecloudConfig {
    /// Where players log in; none: on the port after the LoginServer's, if that listens on this machine only.
    pub listen: Option<SocketAddr>,
    /// Where the Index is, which sends players to their server; none: two ports after the LoginServer's.
    pub index_listen: Option<SocketAddr>,
    /// What the Index tells of `listen` instead of its address: `host:port`.
    pub advertise: Option<String>,
    /// The logic servers of the deployment; none: `IOS`, `Android` and `Test`, one of each, all of them here.
    pub nodes: Vec<NodeConfig>,
    /// How long an answer of the Index is kept at least.
    #[serde(with = "human")]
    pub sticky: Duration,
    /// What sets of official and 360 are signed with.
    pub secret: Option<String>,
    /// What sets of administrators are signed with.
    pub admin_secret: Option<String>,
    /// The key of administrators; none: nobody is one.
    pub admin_key: Option<String>,
    /// How old a set may be.
    #[serde(with = "human")]
    pub window_behind: Duration,
    /// How far a set may be ahead of this clock.
    #[serde(with = "human")]
    pub window_ahead: Duration,
    /// Take only sets that were issued for the domain they are shown in. Clients of the original do not ask for such.
    pub bound_sets: bool,
    /// Sign a set for anybody who asks, as the original does: then anybody is whoever he says. None: only where the
    /// players' servers are on this machine only.
    pub issue_to_anybody: Option<bool>,
    /// Whether these servers run at all.
    pub enabled: bool,
    /// Tencent's service; none: nobody comes from there.
    pub tx: Option<TxConfig>,
}

/// A logic server that the Index sends players to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// `IOS`, `Android`, `Test`, or another word.
    pub kind: String,
    /// From 1, without gaps.
    pub number: u16,
    /// `host:port`; none: it is this process.
    pub address: Option<String>,
    /// Players it takes.
    #[serde(default = "capacity")]
    pub capacity: u32,
}

/// Tencent's service, and the game's credentials there.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TxConfig {
    /// `http://host` or `http://host:port`.
    pub url: String,
    /// The game's number.
    pub appid: String,
    /// The game's key.
    pub appkey: String,
    /// The platform of players who do not say theirs.
    pub pf: String,
}

/// As many as the original takes.
const fn capacity() -> u32 {
    12_000
}

impl Default for GamecloudConfig {
    fn default() -> Self {
        Self {
            listen: None,
            index_listen: None,
            advertise: None,
            nodes: Vec::new(),
            sticky: Duration::from_secs(7_200),
            secret: None,
            admin_secret: None,
            admin_key: None,
            window_behind: Duration::from_secs(300),
            window_ahead: Duration::from_secs(300),
            bound_sets: false,
            issue_to_anybody: None,
            enabled: true,
            tx: None,
        }
    }
}

impl GamecloudConfig {
    /// This configuration without secrets, for people to look at.
    #[must_use]
    pub fn masked(&self) -> Self {
        let mask = |secret: &Option<String>| secret.as_ref().map(|_| "***".to_owned());
        let tx = self.tx.as_ref().map(|tx| TxConfig { appkey: "***".into(), ..tx.clone() });
        Self {
            secret: mask(&self.secret),
            admin_secret: mask(&self.admin_secret),
            admin_key: mask(&self.admin_key),
            tx,
            ..self.clone()
        }
    }

    /// Where players log in and where the Index is, beside a LoginServer at this address. Nothing if that is not on
    /// this machine only and neither is configured.
    #[must_use]
    pub fn listens(&self, http: SocketAddr) -> Option<(SocketAddr, SocketAddr)> {
        if !self.enabled || self.listen.is_none() && self.index_listen.is_none() && !http.ip().is_loopback() {
            return None;
        }
        let beside = |step| {
            let port = http.port();
            // Any port beside any port; the last one is nobody's neighbour.
            SocketAddr::new(http.ip(), if port == 0 { 0 } else { port.checked_add(step).unwrap_or(0) })
        };
        Some((self.listen.unwrap_or_else(|| beside(1)), self.index_listen.unwrap_or_else(|| beside(2))))
    }

    /// Whether this can be served, beside a LoginServer at this address.
    ///
    /// # Errors
    /// What contradicts what.
    pub fn check(&self, http: SocketAddr, shared_key: &str, times: &Times) -> Result<(), String> {
        let Some((listen, index)) = self.listens(http) else { return Ok(()) };
        let given = [&self.secret, &self.admin_secret, &self.admin_key];
        if given.into_iter().flatten().any(String::is_empty) {
            return Err("gamecloud: an empty secret is none".into());
        }
        let local = listen.ip().is_loopback() && index.ip().is_loopback();
        let derived = self.secret.is_none() || self.admin_key.is_some() && self.admin_secret.is_none();
        if !local && derived && shared_key == DEFAULT_SHARED_KEY {
            return Err(
                "gamecloud: everybody knows the secrets that follow from the default shared_key: set \
                        shared_key, or gamecloud.secret and gamecloud.admin_secret"
                    .into(),
            );
        }
        times.check_memory("gamecloud.window_behind and window_ahead", self.window().length())?;
        if self.sticky.is_zero() {
            return Err("gamecloud: sticky must be longer than nothing".into());
        }
        if let Some(tx) = &self.tx
            && (tx.appkey.is_empty() || !tx.url.starts_with("http://") || tx.url.ends_with('/'))
        {
            return Err("gamecloud.tx: the url is http://host, and the appkey is not empty".into());
        }
        let told = self.advertise.as_deref();
        if told.is_some_and(|told| host_and_port(told).is_none() || bounded::<64>(told).is_none()) {
            return Err("gamecloud: advertise is host:port, at most 64 bytes".into());
        }
        self.lbs(Endpoint::new()).map(|_| ())
    }

    /// The LBS of the deployment, of which this process is at `here`, all servers down.
    ///
    /// # Errors
    /// Why its servers are none.
    pub(super) fn lbs(&self, here: Endpoint) -> Result<Lbs, String> {
        let ours = KINDS.map(|kind| NodeConfig {
            kind: kind.into(),
            number: 1,
            address: None,
            capacity: capacity(),
        });
        let nodes = if self.nodes.is_empty() { &ours[..] } else { &self.nodes };
        let nodes = nodes.iter().map(|node| {
            let endpoint = match &node.address {
                None => Some(here),
                Some(address) => host_and_port(address).and_then(|_| bounded(address)),
            };
            let endpoint = endpoint.ok_or("gamecloud.nodes: an address is host:port, at most 64 bytes")?;
            let id = NodeId { kind: node.kind.as_str().into(), number: node.number };
            Ok(Node { id, endpoint, capacity: node.capacity })
        });
        Lbs::new(nodes.collect::<Result<_, String>>()?, self.sticky)
            .map_err(|why| format!("gamecloud.nodes: {why}"))
    }

    fn window(&self) -> Window {
        // Longer ones are not served.
        let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        Window { back: seconds(self.window_behind), ahead: seconds(self.window_ahead) }
    }

    /// The original's verifiers, those of them that are configured. `local`: nobody but this machine reaches them.
    ///
    /// # Errors
    /// If a secret is empty, which [`GamecloudConfig::check`] refuses before.
    pub(super) fn verifiers(&self, key: &SharedKey, local: bool) -> Result<Verifiers, String> {
        let window = self.window();
        let issues = self.issue_to_anybody.unwrap_or(local);
        let kinds: Vec<&str> = self.nodes.iter().map(|node| node.kind.as_str()).chain(KINDS).collect();
        let two_phase =
            TwoPhase::new(secret(&self.secret, key, "360")?, window, self.bound_sets, issues).serving(&kinds);
        let mut verifiers = Verifiers::new().with(two_phase);
        if let Some(admin_key) = &self.admin_key {
            let admin_key = Secret::new(admin_key).ok_or(EMPTY)?;
            verifiers =
                verifiers.with(Admin::new(secret(&self.admin_secret, key, "admin")?, admin_key, window));
        }
        if let Some(TxConfig { url, appid, appkey, pf }) = &self.tx {
            let appkey = Secret::new(appkey).ok_or(EMPTY)?;
            verifiers = verifiers.with(OnePhase::new(Portal {
                url: url.clone(),
                appid: appid.clone(),
                appkey,
                pf: pf.clone(),
            }));
        }
        Ok(verifiers)
    }
}

const EMPTY: &str = "gamecloud: an empty secret is none";

/// A secret that is given, or that of this purpose that follows from the shared key.
fn secret(given: &Option<String>, key: &SharedKey, purpose: &str) -> Result<Secret, String> {
    let text = match given {
        Some(text) => text.clone(),
        None => derived(key, purpose),
    };
    Secret::new(&text).ok_or_else(|| EMPTY.into())
}

/// The secret of a purpose that all processes with one shared key have in common.
#[must_use]
pub fn derived(key: &SharedKey, purpose: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    if let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key.expose().as_bytes()) {
        mac.update(b"gatepass gamecloud ");
        mac.update(purpose.as_bytes());
        for byte in mac.finalize().into_bytes() {
            // A text takes everything.
            let _ = write!(text, "{byte:02x}");
        }
    }
    text
}

/// The parts of `host:port`.
pub(super) fn host_and_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() { None } else { Some((host, port.parse().ok()?)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut GamecloudConfig), http: &str, key: &str) -> Result<(), String> {
        let mut config = GamecloudConfig::default();
        change(&mut config);
        config.check(http.parse().expect("an address"), key, &Times::default())
    }

    #[test]
    fn it_runs_beside_a_local_server_and_elsewhere_only_with_a_secret() {
        let public: SocketAddr = "0.0.0.0:80".parse().expect("an address");
        assert_eq!(check(|_| {}, "127.0.0.1:8123", DEFAULT_SHARED_KEY), Ok(()));
        assert_eq!(GamecloudConfig::default().listens(public), None);
        let open = |config: &mut GamecloudConfig| config.listen = Some(public);
        assert!(check(open, "0.0.0.0:80", DEFAULT_SHARED_KEY).is_err());
        assert_eq!(check(open, "0.0.0.0:80", "a key of its own"), Ok(()));
        let listens = GamecloudConfig::default().listens("127.0.0.1:8123".parse().expect("an address"));
        assert_eq!(listens.map(|(listen, index)| (listen.port(), index.port())), Some((8124, 8125)));
    }

    #[test]
    fn contradictions_are_told() {
        let node = |address: &str, number| NodeConfig {
            kind: "IOS".into(),
            number,
            address: Some(address.into()),
            capacity: 1,
        };
        assert!(check(|it| it.secret = Some(String::new()), "127.0.0.1:0", "k").is_err());
        assert!(check(|it| it.window_ahead *= 2, "127.0.0.1:0", "k").is_err());
        assert!(check(|it| it.nodes = vec![node("here", 1)], "127.0.0.1:0", "k").is_err());
        assert!(check(|it| it.nodes = vec![node("here:80", 2)], "127.0.0.1:0", "k").is_err());
        assert_eq!(check(|it| it.nodes = vec![node("here:80", 1)], "127.0.0.1:0", "k"), Ok(()));
    }

    #[test]
    fn secrets_are_masked_and_differ_by_purpose() {
        let tx = TxConfig {
            url: String::new(),
            appid: String::new(),
            appkey: "hunter2".into(),
            pf: String::new(),
        };
        let config = GamecloudConfig {
            secret: Some("hunter2".into()),
            admin_key: Some("hunter2".into()),
            admin_secret: Some("hunter2".into()),
            tx: Some(tx),
            ..GamecloudConfig::default()
        };
        let shown = serde_json::to_string(&config.masked()).expect("a form in JSON");
        assert!(!shown.contains("hunter2"), "{shown}");
        let key = SharedKey::new("k");
        assert_ne!(derived(&key, "360"), derived(&key, "admin"));
        assert_eq!(derived(&key, "360").len(), 40);
    }
}
