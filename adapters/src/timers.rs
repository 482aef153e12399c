//! The times of named timers. Roles say *after*; this table knows *when*.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    time::Duration,
};

use foldhash::fast::RandomState;
use gatepass_core::role::Timer;

use crate::drive::RoleId;

/// Timers of all roles of one process, in the order in which they end.
///
/// Times are distances from the start of the process, so that tests can make them up. Nearly all timers are disarmed or
/// armed anew long before they end, so an entry is not searched for then: it stays until it comes up, or until most
/// entries are such. And there are few lengths of time, so nearly all timers end behind those that were armed before them
/// for as long: a handful of queues holds them without any sorting.
#[derive(Debug, Default)]
pub struct Timers {
    /// Strangers choose only the names in pauses, of which there are few: a quick hash will do.
    by_name: HashMap<Named, Key, RandomState>,
    queues: [VecDeque<(Key, Named)>; QUEUES],
    /// The first of each queue, which is armed; others may not be any more.
    first: [Option<Key>; QUEUES],
    /// Those that no queue could take, as where times are all different. The first of them is armed.
    others: BinaryHeap<Reverse<(Key, Named)>>,
    /// Entries of all of them.
    entries: usize,
    armed: u64,
}

/// A timer and whose it is.
type Named = (RoleId, Timer);
/// A deadline, and the order of arming among equal deadlines: ties always fire in the same order. No two are equal.
type Key = (Duration, u64);

/// Queues: more than there are lengths of time.
const QUEUES: usize = 16;
/// Entries that are not armed any more, beyond as many as are.
const DISARMED_MAX: usize = 256;

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
        let old = self.by_name.insert((role, timer), key);
        self.put(key, (role, timer));
        if let Some(old) = old {
            self.tidy(old);
        }
    }

    /// Forgets a timer; nothing happens if it is not armed.
    pub fn disarm(&mut self, role: RoleId, timer: Timer) {
        if let Some(old) = self.by_name.remove(&(role, timer)) {
            self.tidy(old);
        }
    }

    /// Forgets every timer of a role that belongs to a connection.
    pub fn disarm_connections(&mut self, role: RoleId) {
        self.by_name.retain(|(of, timer), _| *of != role || timer.conn().is_none());
        self.sweep();
    }

    /// Takes the first timer whose deadline has come.
    pub fn due(&mut self, now: Duration) -> Option<Named> {
        let first = self.first().filter(|(at, _)| *at <= now)?;
        let queue = self.first.iter().position(|key| *key == Some(first));
        let (_, name) = match queue {
            Some(queue) => *self.queues[queue].front()?,
            None => self.others.peek()?.0,
        };
        self.by_name.remove(&name);
        self.tidy(first);
        Some(name)
    }

    /// The next deadline.
    #[must_use]
    pub fn next(&self) -> Option<Duration> {
        self.first().map(|(at, _)| at)
    }

    /// How many are armed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether none is armed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    fn first(&self) -> Option<Key> {
        let other = self.others.peek().map(|Reverse((key, _))| *key);
        self.first.iter().copied().chain([other]).flatten().min()
    }

    /// Puts an entry behind the last of a queue that ends before it.
    fn put(&mut self, key: Key, name: Named) {
        self.entries += 1;
        let fits = |queue: &VecDeque<(Key, Named)>| queue.back().is_none_or(|(last, _)| *last < key);
        let Some(queue) = self.queues.iter().position(fits) else {
            self.others.push(Reverse((key, name)));
            return;
        };
        self.queues[queue].push_back((key, name));
        self.first[queue].get_or_insert(key);
    }

    /// After the timer of this key was disarmed: the first entries have to be armed ones.
    fn tidy(&mut self, disarmed: Key) {
        let Self { by_name, queues, first, others, entries, .. } = self;
        let is_armed = |key: &Key, name: &Named| by_name.get(name) == Some(key);
        if let Some(queue) = first.iter().position(|key| *key == Some(disarmed)) {
            let entry = &mut queues[queue];
            while entry.front().is_some_and(|(key, name)| !is_armed(key, name)) {
                entry.pop_front();
                *entries -= 1;
            }
            first[queue] = entry.front().map(|(key, _)| *key);
        } else if others.peek().is_some_and(|Reverse((key, _))| *key == disarmed) {
            while others.peek().is_some_and(|Reverse((key, name))| !is_armed(key, name)) {
                others.pop();
                *entries -= 1;
            }
        }
        if self.entries > 2 * self.by_name.len() + DISARMED_MAX {
            self.sweep();
        }
    }

    /// Forgets every entry that is not armed.
    fn sweep(&mut self) {
        let Self { by_name, queues, first, others, entries, .. } = self;
        for (queue, first) in queues.iter_mut().zip(first) {
            queue.retain(|(key, name)| by_name.get(name) == Some(key));
            *first = queue.front().map(|(key, _)| *key);
        }
        others.retain(|Reverse((key, name))| by_name.get(name) == Some(key));
        *entries = by_name.len();
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
    fn the_next_one_is_armed_and_memory_does_not_grow() {
        let mut timers = Timers::new();
        timers.arm(RoleId::Cache, Timer::Grace, at(50));
        for conn in 0..10_000 {
            timers.arm(RoleId::Room, Timer::Idle(ConnId(conn)), at(conn % 40));
            timers.arm(RoleId::Room, Timer::Idle(ConnId(conn)), at(conn % 30 + 1));
            timers.disarm(RoleId::Room, Timer::Idle(ConnId(conn)));
            assert_eq!((timers.next(), timers.len()), (Some(at(50)), 1));
        }
        let entries = |timers: &Timers| {
            let queued = timers.queues.iter().map(VecDeque::len).sum::<usize>() + timers.others.len();
            assert_eq!(timers.entries, queued);
            queued
        };
        assert!(entries(&timers) <= 2 + DISARMED_MAX, "{} entries", entries(&timers));
        assert_eq!(timers.due(at(60)), Some((RoleId::Cache, Timer::Grace)));
        assert_eq!((timers.due(at(60)), entries(&timers)), (None, 0));
    }

    #[test]
    fn it_is_a_table_of_names_and_times() {
        // Against the plainest one there is, with a fixed order of whatever may come.
        let mut timers = Timers::new();
        let mut plain: Vec<(Duration, u64, u64)> = Vec::new();
        let mut random = 1_u64;
        for turn in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (what, conn, time) = (random >> 60, random >> 40 & 31, random >> 50 & 63);
            let timer = Timer::Idle(ConnId(conn));
            plain.sort_unstable();
            match what {
                0..8 => {
                    timers.arm(RoleId::Room, timer, at(time));
                    plain.retain(|(_, _, of)| *of != conn);
                    plain.push((at(time), turn, conn));
                }
                8..14 => {
                    timers.disarm(RoleId::Room, timer);
                    plain.retain(|(_, _, of)| *of != conn);
                }
                _ => {
                    let due = plain.first().filter(|(end, ..)| *end <= at(time)).copied();
                    plain.retain(|entry| Some(*entry) != due);
                    let due = due.map(|(_, _, conn)| (RoleId::Room, Timer::Idle(ConnId(conn))));
                    assert_eq!(timers.due(at(time)), due, "turn {turn}");
                }
            }
            assert_eq!(timers.len(), plain.len());
            assert_eq!(timers.next(), plain.iter().min().map(|(end, ..)| *end), "turn {turn}");
        }
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
