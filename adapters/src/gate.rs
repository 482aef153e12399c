//! Limits that hold before a byte is parsed: connections in all, connections per address, requests per address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use gatepass_core::ids::Addr;

/// Networks the table of a gate remembers at once. A full table lets nobody new in.
pub const NETWORKS_MAX: usize = 65_536;
/// A full table is searched for entries to forget at most this often.
const SWEEP: Duration = Duration::from_secs(1);

/// A network that guesses wrong is heard again after this time.
const GUESS: Duration = Duration::from_secs(10);

/// The limits of one listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateLimits {
    /// Connections in all.
    pub connections: usize,
    /// Connections per network ([`Addr::network`]); none: [`Self::CONNECTIONS_PER_ADDRESS`], but no limit on
    /// loopback.
    pub connections_per_address: Option<u32>,
    /// Requests per second and network, as many at once; none: [`Self::RATE_PER_ADDRESS`], but no limit on
    /// loopback.
    pub rate_per_address: Option<u32>,
}

impl GateLimits {
    /// What a stranger's network gets if nothing is configured: a household or an office behind one address.
    pub const CONNECTIONS_PER_ADDRESS: u32 = 64;
    /// What a stranger's network gets if nothing is configured.
    pub const RATE_PER_ADDRESS: u32 = 50;
}

/// Why somebody stays outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shut {
    /// Too many connections in all.
    Connections,
    /// Too many connections of this network.
    ConnectionsPerAddress,
    /// Too many requests of this network.
    Rate,
}

impl Shut {
    /// The rule's name for metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::ConnectionsPerAddress => "connections_per_address",
            Self::Rate => "rate_per_address",
        }
    }
}

/// Counts who is inside.
#[derive(Debug)]
pub struct Gate {
    limits: GateLimits,
    inside: AtomicUsize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    networks: HashMap<Addr, Network>,
    swept: Option<Instant>,
}

#[derive(Debug)]
struct Network {
    connections: u32,
    /// When its bucket is full again: the bucket as one number.
    full_at: Instant,
}

/// A place inside, given back when dropped.
#[derive(Debug)]
pub struct Pass {
    gate: Arc<Gate>,
    counted: Option<Addr>,
}

impl Gate {
    /// A gate with nobody inside.
    #[must_use]
    pub fn new(limits: GateLimits) -> Arc<Self> {
        Arc::new(Self { limits, inside: AtomicUsize::new(0), table: Mutex::default() })
    }

    /// How many are inside.
    #[must_use]
    pub fn inside(&self) -> usize {
        self.inside.load(Ordering::Relaxed)
    }

    /// Lets a new connection in.
    ///
    /// # Errors
    /// The limit that keeps it out.
    pub fn enter(self: &Arc<Self>, ip: IpAddr) -> Result<Pass, Shut> {
        if self.inside.fetch_add(1, Ordering::Relaxed) >= self.limits.connections {
            self.inside.fetch_sub(1, Ordering::Relaxed);
            return Err(Shut::Connections);
        }
        let mut pass = Pass { gate: Arc::clone(self), counted: None };
        let Some(max) = limit(self.limits.connections_per_address, GateLimits::CONNECTIONS_PER_ADDRESS, ip)
        else {
            return Ok(pass);
        };
        let network = addr_of(ip).network();
        let now = Instant::now();
        let mut table = self.table();
        let entry = table.entry(network, now).ok_or(Shut::ConnectionsPerAddress)?;
        if entry.connections >= max {
            return Err(Shut::ConnectionsPerAddress);
        }
        entry.connections += 1;
        drop(table);
        pass.counted = Some(network);
        Ok(pass)
    }

    /// Lets one request through.
    ///
    /// # Errors
    /// The limit that it breaks.
    pub fn request(&self, ip: IpAddr) -> Result<(), Shut> {
        self.request_at(ip, Instant::now())
    }

    fn request_at(&self, ip: IpAddr, now: Instant) -> Result<(), Shut> {
        let Some(rate) = limit(self.limits.rate_per_address, GateLimits::RATE_PER_ADDRESS, ip) else {
            return Ok(());
        };
        let cost = Duration::from_secs(1) / rate.max(1);
        let mut table = self.table();
        let entry = table.entry(addr_of(ip).network(), now).ok_or(Shut::Rate)?;
        let full_at = entry.full_at.max(now) + cost;
        if full_at > now + cost * rate {
            return Err(Shut::Rate);
        }
        entry.full_at = full_at;
        Ok(())
    }

    /// Lets no request of this network through for a while: it has guessed at something.
    pub(crate) fn guessed(&self, ip: IpAddr) {
        self.guessed_at(ip, Instant::now());
    }

    fn guessed_at(&self, ip: IpAddr, now: Instant) {
        if limit(self.limits.rate_per_address, GateLimits::RATE_PER_ADDRESS, ip).is_some()
            && let Some(entry) = self.table().entry(addr_of(ip).network(), now)
        {
            // A second of requests is what it may have been spared.
            entry.full_at = entry.full_at.max(now + Duration::from_secs(1) + GUESS);
        }
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        // Every state of the table is a valid one: counters, not invariants.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn entry(&mut self, network: Addr, now: Instant) -> Option<&mut Network> {
        if self.networks.len() >= NETWORKS_MAX && !self.networks.contains_key(&network) {
            if self.swept.is_none_or(|at| now.duration_since(at) >= SWEEP) {
                self.swept = Some(now);
                self.networks.retain(|_, network| network.connections > 0 || network.full_at > now);
            }
            if self.networks.len() >= NETWORKS_MAX {
                return None;
            }
        }
        Some(self.networks.entry(network).or_insert(Network { connections: 0, full_at: now }))
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.gate.inside.fetch_sub(1, Ordering::Relaxed);
        if let Some(network) = self.counted
            && let Some(entry) = self.gate.table().networks.get_mut(&network)
        {
            entry.connections = entry.connections.saturating_sub(1);
        }
    }
}

/// The limit that applies to an address; none means no limit.
fn limit(configured: Option<u32>, default: u32, ip: IpAddr) -> Option<u32> {
    configured.or(if ip.to_canonical().is_loopback() { None } else { Some(default) })
}

/// An address as the roles see it.
#[must_use]
pub fn addr_of(ip: IpAddr) -> Addr {
    Addr(match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const AWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn gate(connections: usize, per_address: Option<u32>, rate: Option<u32>) -> Arc<Gate> {
        Gate::new(GateLimits { connections, connections_per_address: per_address, rate_per_address: rate })
    }

    #[test]
    fn a_pass_is_given_back() {
        let gate = gate(2, Some(1), None);
        let first = gate.enter(AWAY).expect("empty");
        assert_eq!(gate.enter(AWAY).err(), Some(Shut::ConnectionsPerAddress));
        let second = gate.enter(HOME).expect("another address");
        assert_eq!(gate.enter(HOME).err(), Some(Shut::Connections));
        drop((first, second));
        assert_eq!(gate.inside(), 0);
        assert!(gate.enter(AWAY).is_ok());
    }

    #[test]
    fn loopback_is_limited_only_on_request() {
        let open = gate(1000, None, None);
        let _passes: Vec<_> = (0..100).map(|_| open.enter(HOME).expect("no limit")).collect();
        let strangers = (0..100).map(|_| open.enter(AWAY)).collect::<Vec<_>>();
        assert_eq!(strangers.iter().filter(|pass| pass.is_ok()).count(), 64);
    }

    #[test]
    fn a_bucket_fills_again() {
        let gate = gate(1, None, Some(2));
        let now = Instant::now();
        assert!(gate.request_at(AWAY, now).is_ok());
        assert!(gate.request_at(AWAY, now).is_ok());
        assert_eq!(gate.request_at(AWAY, now), Err(Shut::Rate));
        assert!(gate.request_at(HOME, now).is_ok(), "another address has its own bucket");
        assert!(gate.request_at(AWAY, now + Duration::from_millis(500)).is_ok());
        assert_eq!(gate.request_at(AWAY, now + Duration::from_millis(600)), Err(Shut::Rate));
    }

    #[test]
    fn who_guesses_wrong_waits() {
        let gate = gate(1, None, Some(50));
        let now = Instant::now();
        gate.guessed_at(AWAY, now);
        for early in [Duration::ZERO, GUESS / 2, GUESS] {
            assert_eq!(gate.request_at(AWAY, now + early), Err(Shut::Rate), "{early:?}");
        }
        assert!(gate.request_at(HOME, now).is_ok(), "nobody else does");
        assert!(gate.request_at(AWAY, now + GUESS + Duration::from_millis(20)).is_ok());
    }

    #[test]
    fn a_full_table_forgets_the_idle_and_lets_nobody_new_in_otherwise() {
        let mut table = Table::default();
        let now = Instant::now();
        for n in 0..NETWORKS_MAX {
            table.entry(Addr(n as u128), now).expect("room").connections = u32::from(n > 0);
        }
        assert!(table.entry(Addr(u128::MAX), now).is_some(), "the idle one made room");
        assert!(table.entry(Addr(u128::MAX - 1), now + SWEEP / 2).is_none());
        assert!(table.entry(Addr(1), now).is_some(), "who is known stays known");
    }
}
