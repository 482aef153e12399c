//! The times of named timers. Roles say *after*; this table knows *when*.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use gatepass_core::role::Timer;

use crate::drive::RoleId;

/// Timers of all roles of one process, in the order in which they end.
///
/// Times are distances from the start of the process, so that tests can make them up.
#[derive(Debug, Default)]
pub struct Timers {
    by_name: HashMap<(RoleId, Timer), Key>,
    by_time: BTreeMap<Key, (RoleId, Timer)>,
    armed: u64,
}

/// A deadline, and the order of arming among equal deadlines: ties always fire in the same order.
type Key = (Duration, u64);

impl Timers {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Arms a timer; an armed one of the same name is replaced.
    pub fn arm(&mut self, role: RoleId, timer: Timer, at: Duration) {
        self.armed += 1;
        let key = (at, self.armed);
        if let Some(old) = self.by_name.insert((role, timer), key) {
            self.by_time.remove(&old);
        }
        self.by_time.insert(key, (role, timer));
    }

    /// Forgets a timer; nothing happens if it is not armed.
    pub fn disarm(&mut self, role: RoleId, timer: Timer) {
        if let Some(key) = self.by_name.remove(&(role, timer)) {
            self.by_time.remove(&key);
        }
    }

    /// Forgets every timer of a role that belongs to a connection.
    pub fn disarm_connections(&mut self, role: RoleId) {
        self.by_time.retain(|_, (of, timer)| *of != role || timer.conn().is_none());
        self.by_name.retain(|(of, timer), _| *of != role || timer.conn().is_none());
    }

    /// Takes the first timer whose deadline has come.
    pub fn due(&mut self, now: Duration) -> Option<(RoleId, Timer)> {
        let entry = self.by_time.first_entry()?;
        if entry.key().0 > now {
            return None;
        }
        let name = entry.remove();
        self.by_name.remove(&name);
        Some(name)
    }

    /// The next deadline.
    #[must_use]
    pub fn next(&self) -> Option<Duration> {
        self.by_time.first_key_value().map(|((at, _), _)| *at)
    }

    /// How many are armed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_time.len()
    }

    /// Whether none is armed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_time.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use gatepass_core::ids::ConnId;

    use super::*;

    const fn at(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn arming_again_replaces() {
        let mut timers = Timers::new();
        timers.arm(RoleId::Room, Timer::Renew, at(1));
        timers.arm(RoleId::Room, Timer::Renew, at(3));
        timers.arm(RoleId::Login, Timer::Renew, at(2));
        assert_eq!(timers.len(), 2);
        assert_eq!(timers.due(at(1)), None);
        assert_eq!(timers.due(at(3)), Some((RoleId::Login, Timer::Renew)));
        assert_eq!(timers.due(at(3)), Some((RoleId::Room, Timer::Renew)));
        assert!(timers.is_empty());
    }

    #[test]
    fn disarming_is_idempotent() {
        let mut timers = Timers::new();
        timers.arm(RoleId::Cache, Timer::Grace, at(1));
        timers.disarm(RoleId::Cache, Timer::Grace);
        timers.disarm(RoleId::Cache, Timer::Grace);
        assert_eq!((timers.next(), timers.due(at(9))), (None, None));
    }

    #[test]
    fn ties_fire_in_the_order_of_arming() {
        let mut timers = Timers::new();
        for conn in [5, 2, 9] {
            timers.arm(RoleId::Room, Timer::Idle(ConnId(conn)), at(1));
        }
        let order: Vec<_> = std::iter::from_fn(|| timers.due(at(1))).map(|(_, t)| t.conn()).collect();
        assert_eq!(order, [5, 2, 9].map(|conn| Some(ConnId(conn))));
    }

    #[test]
    fn closing_all_connections_leaves_the_roles_own_timers() {
        let mut timers = Timers::new();
        timers.arm(RoleId::Room, Timer::Idle(ConnId(1)), at(1));
        timers.arm(RoleId::Login, Timer::Request(ConnId(1)), at(2));
        timers.arm(RoleId::Room, Timer::Renew, at(3));
        timers.disarm_connections(RoleId::Room);
        assert_eq!(timers.due(at(9)), Some((RoleId::Login, Timer::Request(ConnId(1)))));
        assert_eq!(timers.due(at(9)), Some((RoleId::Room, Timer::Renew)));
        assert_eq!(timers.due(at(9)), None);
    }
}
