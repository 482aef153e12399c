//! The LBS: which logic server a player is sent to.
//!
//! A new id goes where the original sends it (see [`choice`]), so that its clients find what they had. Unlike there,
//! what is remembered has an end and a bound, a server that is down gets nobody, and who is on the list of testers is
//! one from the first question to the login.

use alloc::{
    borrow::ToOwned,
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use core::time::Duration;

use crate::{ids::Addr, text::Endpoint};

pub mod choice;

/// Servers of one LBS, in all.
pub const NODES_MAX: usize = 1_024;
/// Answers remembered: half of them in each of two turns.
pub const ANSWERS_MAX: usize = 131_072;
/// So many networks it takes to fill the smallest server: of one, no more answers are remembered in a turn, and those
/// beyond are given as the first time. Two turns are remembered.
pub const NETWORKS_MIN: u32 = 4;
/// Testers on the list.
pub const TESTERS_MAX: usize = 1_024;
/// Longest domain of a question, in bytes; also of a kind of servers.
pub const DOMAIN_MAX: usize = 64;
/// Longest id of a question, in bytes.
pub const ID_MAX: usize = 128;
/// The kind of the servers that testers are sent to.
pub const TEST: &str = "Test";
/// The domain of whoever names none.
pub const DEFAULT_DOMAIN: &str = "official";

/// A logic server, as deployments name it: its kind, and its number among those of the kind, from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    /// `IOS`, `Android`, or what else a deployment has.
    pub kind: Box<str>,
    /// From 1, without gaps: it is what the choice ends in.
    pub number: u16,
}

/// What can happen to an LBS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A player asks where to go.
    Locate {
        /// Where the question comes from.
        from: Addr,
        /// The domain, as he names it.
        domain: &'a str,
        /// His id there.
        id: &'a str,
    },
    /// A server can be reached.
    Up(&'a NodeId),
    /// A server can not be reached.
    Down(&'a NodeId),
    /// An operator puts an id on the list of testers, or takes it off.
    Tester {
        /// The id, in any domain.
        id: &'a str,
        /// Whether it is to be on the list.
        is: bool,
    },
    /// The time of [`Effect::Arm`] has passed.
    Turn,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The player's server.
    Located {
        /// Where it is.
        endpoint: Endpoint,
        /// Which it is.
        node: NodeId,
        /// Nobody remembers that he asked before.
        newbie: bool,
    },
    /// There is no server for him.
    Nowhere,
    /// The question is too long, or empty.
    Malformed,
    /// The list of testers is full.
    Full,
    /// Ring for the next turn after this time. It replaces what was armed.
    Arm(Duration),
}

/// Whom a deployment has to send players to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Which.
    pub id: NodeId,
    /// Where.
    pub endpoint: Endpoint,
    /// New ids it takes, as far as they are remembered.
    pub capacity: u32,
}

/// The LBS: its servers, and what it remembers of its answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lbs {
    /// Kinds that a domain may name, the default first.
    mapping: Vec<Box<str>>,
    nodes: BTreeMap<NodeId, Place>,
    /// Answers of this turn and of the one before: an answer is kept for one to two turns after it was last given.
    now: Answers,
    before: Answers,
    testers: BTreeSet<Box<str>>,
    /// Answers of this turn by the network that asked: whoever makes up ids takes no more places than so many.
    askers: BTreeMap<Addr, u32>,
    per_network: u32,
    turn: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    endpoint: Endpoint,
    capacity: u32,
    up: bool,
    /// Remembered ids that were sent here.
    load: u32,
}

/// Who was sent where: by kind of server, domain and id, which are never joined.
type Answers = BTreeMap<(Box<str>, Box<str>, Box<str>), u16>;

impl Lbs {
    /// An LBS for these servers, all of them down. The kinds that a domain may name are those of the servers but
    /// [`TEST`], in the order in which they come: the first is the default. An answer is kept for
    /// at least `turn` after it was last given, and at most twice that.
    ///
    /// # Errors
    /// Why they are no deployment.
    pub fn new(nodes: Vec<Node>, turn: Duration) -> Result<Self, &'static str> {
        if nodes.len() > NODES_MAX {
            return Err("too many servers");
        }
        let mut lbs = Self {
            mapping: Vec::new(),
            nodes: BTreeMap::new(),
            now: Answers::new(),
            before: Answers::new(),
            testers: BTreeSet::new(),
            askers: BTreeMap::new(),
            per_network: (nodes.iter().map(|node| node.capacity).min().unwrap_or(0) / NETWORKS_MIN).max(1),
            turn,
        };
        for Node { id, endpoint, capacity } in nodes {
            let kind = id.kind.clone();
            if kind.is_empty() || kind.len() > DOMAIN_MAX || kind.contains('.') {
                return Err("a kind of servers is a word without dots");
            }
            if &*kind != TEST && !lbs.mapping.contains(&kind) {
                lbs.mapping.push(kind);
            }
            let place = Place { endpoint, capacity, up: false, load: 0 };
            if lbs.nodes.insert(id, place).is_some() {
                return Err("a server is there twice");
            }
        }
        for NodeId { kind, .. } in lbs.nodes.keys() {
            let numbers = lbs.of_kind(kind).map(|(id, _)| usize::from(id.number));
            if !numbers.eq(1..=lbs.of_kind(kind).count()) {
                return Err("the servers of a kind have the numbers from 1, without gaps");
            }
        }
        Ok(lbs)
    }

    /// Takes an event. At most two effects follow.
    pub fn step(&mut self, event: &Event<'_>, out: &mut Vec<Effect>) {
        match *event {
            Event::Locate { from, domain, id } => {
                let effect = self.locate(from.network(), domain, id);
                out.push(effect);
                if self.now.len() >= ANSWERS_MAX / 2 {
                    self.next_turn();
                    out.push(Effect::Arm(self.turn));
                }
            }
            Event::Up(id) => self.set_up(id, true),
            Event::Down(id) => self.set_up(id, false),
            Event::Tester { id, is: false } => {
                self.testers.remove(id);
            }
            Event::Tester { id, .. } if id.is_empty() || id.len() > ID_MAX => out.push(Effect::Malformed),
            Event::Tester { id, .. } => {
                if self.testers.len() >= TESTERS_MAX && !self.testers.contains(id) {
                    out.push(Effect::Full);
                } else {
                    self.testers.insert(id.into());
                }
            }
            Event::Turn => {
                self.next_turn();
                out.push(Effect::Arm(self.turn));
            }
        }
    }

    /// Every server, where it is, and whether it is up.
    pub fn nodes(&self) -> impl Iterator<Item = (&NodeId, &Endpoint, bool)> {
        self.nodes.iter().map(|(id, place)| (id, &place.endpoint, place.up))
    }

    /// The servers at an address.
    pub fn at(&self, endpoint: &Endpoint) -> impl Iterator<Item = &NodeId> {
        self.nodes().filter(move |(_, own, _)| *own == endpoint).map(|(id, ..)| id)
    }

    /// The testers.
    pub fn testers(&self) -> impl Iterator<Item = &str> {
        self.testers.iter().map(AsRef::as_ref)
    }

    /// How many answers are remembered.
    #[must_use]
    pub fn answers(&self) -> usize {
        self.now.len() + self.before.len()
    }

    /// Whether an id in a domain belongs on servers of this kind. A login asks it of its own server, so that testers
    /// are nowhere else, from the first question on; the account is the same wherever it is.
    #[must_use]
    pub fn belongs(&self, domain: &str, id: &str, kind: &str) -> bool {
        self.kind_of(domain, id) == Some(kind)
    }

    fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a NodeId, &'a Place)> {
        self.nodes.iter().filter(move |(id, _)| &*id.kind == kind)
    }

    /// The kind of server a player is for: what his domain names between its first dot and its second, if there is such
    /// a kind, else the default. Testers are for [`TEST`], if there is one.
    fn kind_of(&self, domain: &str, id: &str) -> Option<&str> {
        let known = |kind: &str| self.mapping.iter().map(AsRef::as_ref).find(|own| *own == kind);
        if self.testers.contains(id) && self.of_kind(TEST).next().is_some() {
            return Some(TEST);
        }
        domain.split('.').nth(1).and_then(known).or_else(|| self.mapping.first().map(AsRef::as_ref))
    }

    fn locate(&mut self, network: Addr, domain: &str, id: &str) -> Effect {
        let domain = if domain.is_empty() { DEFAULT_DOMAIN } else { domain };
        if domain.len() > DOMAIN_MAX || id.is_empty() || id.len() > ID_MAX {
            return Effect::Malformed;
        }
        let Some(kind) = self.kind_of(domain, id).map(Box::<str>::from) else { return Effect::Nowhere };
        let key = (kind, domain.into(), id.into());
        let again = self.now.contains_key(&key);
        let known = self.forget(&key);
        let stays = known.filter(|number| self.place(&key.0, *number).is_some_and(|place| place.up));
        let number = stays.or_else(|| self.choose(&key));
        let Some(number) = number else { return Effect::Nowhere };
        let node = NodeId { kind: key.0.clone(), number };
        let Some(place) = self.nodes.get_mut(&node) else { return Effect::Nowhere };
        let endpoint = place.endpoint;
        let asked = self.askers.get(&network).copied().unwrap_or_default();
        if again || asked < self.per_network {
            if !again {
                self.askers.insert(network, asked + 1);
            }
            place.load += 1;
            self.now.insert(key, number);
        } else if known.is_some() {
            // Whoever asks too much takes nothing from others: what was known of them stays as long as it would have.
            place.load += 1;
            self.before.insert(key, number);
        }
        Effect::Located { endpoint, node, newbie: known.is_none() }
    }

    /// The first server, from the original's choice on, that is up and takes one more.
    fn choose(&self, (kind, domain, id): &(Box<str>, Box<str>, Box<str>)) -> Option<u16> {
        let key = self.joined(kind, domain, id);
        let servers = u16::try_from(self.of_kind(kind).count()).ok()?;
        let free = |number: &u16| {
            self.place(kind, *number).is_some_and(|place| place.up && place.load < place.capacity)
        };
        choice::probes(&key, servers).find(free)
    }

    /// What the original hashes: domain and id with a dot, and in a tester's domain [`TEST`] in place of the kind.
    fn joined(&self, kind: &str, domain: &str, id: &str) -> String {
        let mut domain = domain.to_owned();
        if kind == TEST {
            for kind in &self.mapping {
                domain = domain.replace(&**kind, TEST);
            }
        }
        alloc::format!("{domain}.{id}")
    }

    fn place(&self, kind: &str, number: u16) -> Option<&Place> {
        self.nodes.get(&NodeId { kind: kind.into(), number })
    }

    /// Takes an answer out of memory.
    fn forget(&mut self, key: &(Box<str>, Box<str>, Box<str>)) -> Option<u16> {
        let number = self.now.remove(key).or_else(|| self.before.remove(key))?;
        self.relieve(&key.0, number);
        Some(number)
    }

    fn relieve(&mut self, kind: &str, number: u16) {
        if let Some(place) = self.nodes.get_mut(&NodeId { kind: kind.into(), number }) {
            place.load = place.load.saturating_sub(1);
        }
    }

    fn next_turn(&mut self) {
        for ((kind, ..), number) in core::mem::take(&mut self.before) {
            self.relieve(&kind, number);
        }
        core::mem::swap(&mut self.now, &mut self.before);
        self.askers.clear();
    }

    fn set_up(&mut self, id: &NodeId, up: bool) {
        if let Some(place) = self.nodes.get_mut(id) {
            place.up = up;
        }
    }
}

#[cfg(test)]
mod tests;
