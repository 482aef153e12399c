//! A [`Node`] with its outside: one lock around the roles and the tables of connections.
//!
//! Every event takes the lock once, for microseconds and never across an await. Under it the event is fed and
//! what follows is queued on connections, so that everybody hears everything in the order in which it happened.
//! Questions to stores are carried out after the lock is released.

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use gatepass_core::{
    ids::{ConnId, SessionKey},
    message::{AccountsAsk, Answer, Message, Reply, Request},
    role::{Event, Outage},
    wire::frame::{self, Frame},
};
use tokio::{
    net::UdpSocket,
    sync::{Notify, oneshot},
    time::sleep_until,
};

use crate::{
    accounts::{Job, Lanes, Outcome, Waiter},
    drive::{Node, OsEntropy, Out, RoleId},
    game::Game,
    metrics::Metrics,
    peer::Peer,
    ports::{Current, Ports, Watcher},
    service::{self, Services},
};

/// Timers fired before the lock is given to somebody else.
const TIMERS_PER_TURN: usize = 256;

/// The roles of a process and their connections.
#[derive(Debug)]
pub struct Shell {
    inner: Mutex<Inner>,
    epoch: Instant,
    /// Wakes the timer task when a deadline comes before the one it sleeps for.
    timer: Notify,
    conns: AtomicU64,
    draining: AtomicBool,
    /// Notified when a draining RoomServer is empty.
    drained: Notify,
    lanes: Option<Lanes>,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct Inner {
    node: Node<OsEntropy>,
    ports: Ports,
    out: Vec<Out>,
    /// What the timer task sleeps for.
    asleep_until: Option<Duration>,
}

/// What a shell is made of, besides its node.
pub(crate) struct Outside {
    pub(crate) services: Services,
    pub(crate) game: Box<dyn Game>,
    pub(crate) metrics: Arc<Metrics>,
}

/// Tries before a thread goes to sleep for the lock, some hundred microseconds in all. To sleep and be woken costs
/// tens of them, and far fewer tries have been measured to be slower.
const LOCK_TRIES: u32 = 300;

impl Shell {
    /// Puts a node into its shell. `lanes` makes the account store's threads, given where to bring answers.
    pub(crate) fn new(
        node: Node<OsEntropy>,
        outside: Outside,
        lanes: impl FnOnce(std::sync::Weak<Self>) -> std::io::Result<Option<Lanes>>,
    ) -> std::io::Result<Arc<Self>> {
        let Outside { services, game, metrics } = outside;
        let ports = Ports::new(services, game);
        let mut failed = Ok(());
        let shell = Arc::new_cyclic(|weak| {
            let lanes = lanes(std::sync::Weak::clone(weak)).unwrap_or_else(|error| {
                failed = Err(error);
                None
            });
            Self {
                inner: Mutex::new(Inner { node, ports, out: Vec::new(), asleep_until: Some(Duration::ZERO) }),
                epoch: Instant::now(),
                timer: Notify::new(),
                // Zero is the roles' own business.
                conns: AtomicU64::new(1),
                draining: AtomicBool::new(false),
                drained: Notify::new(),
                lanes,
                metrics,
            }
        });
        failed.map(|()| shell)
    }

    /// The time of this process, as its timers count it.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// A connection's name, never used before.
    #[must_use]
    pub fn next_conn(&self) -> ConnId {
        ConnId(self.conns.fetch_add(1, Ordering::Relaxed))
    }

    /// The series of this server.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Starts the roles.
    pub(crate) fn start(&self) {
        self.turn(Current::default(), |inner, now| inner.node.start(now));
    }

    /// Feeds an event that came from nowhere in particular.
    pub(crate) fn feed(&self, role: RoleId, event: Event) {
        self.turn(Current::default(), |inner, now| inner.node.feed(role, event, now));
    }

    /// Brings an HTTP request to the LoginServer: its answer, or where the answer will be.
    pub(crate) fn request(&self, conn: ConnId, request: Request) -> Result<Reply, oneshot::Receiver<Reply>> {
        let event = Event::Received { conn, msg: Message::Request(request) };
        let current = Current { conn: Some(conn), frame: None };
        let mut waiting = None;
        let reply = self.turn_and_then(
            current,
            |inner, now| inner.node.feed(RoleId::Login, event, now),
            |inner, answered| {
                if !answered {
                    let (sender, receiver) = oneshot::channel();
                    inner.ports.requests.insert(conn, sender);
                    waiting = Some(receiver);
                }
            },
        );
        match (reply, waiting) {
            (Some(reply), _) => Ok(reply),
            (None, Some(waiting)) => Err(waiting),
            // Answered at once is answered; this arm only keeps the match total.
            (None, None) => Err(oneshot::channel().1),
        }
    }

    /// The client of a request has gone, or its answer has been given.
    pub(crate) fn request_over(&self, conn: ConnId, lost: bool) {
        if lost {
            self.turn(Current::default(), |inner, now| {
                inner.ports.requests.remove(&conn);
                inner.node.feed(RoleId::Login, Event::Lost(conn), now);
            });
        }
    }

    /// Has somebody told when a session ends. Only a cache of this process says so; a session that is over already says
    /// nothing any more, so look at it after this.
    pub(crate) fn watch_session(&self, key: SessionKey, watcher: Watcher) {
        self.lock().ports.watched.insert(key, watcher);
    }

    /// Nobody wants to know any more.
    pub(crate) fn unwatch_session(&self, key: SessionKey) {
        self.lock().ports.watched.remove(&key);
    }

    /// A player or a RoomServer of another process connected.
    pub(crate) fn opened(&self, role: RoleId, conn: ConnId, ip: std::net::IpAddr, peer: Arc<Peer>) {
        let event = Event::Opened { conn, addr: crate::gate::addr_of(ip) };
        self.turn(Current { conn: Some(conn), frame: None }, |inner, now| {
            inner.ports.peers(role).insert(conn, peer);
            inner.node.feed(role, event, now);
        });
    }

    /// A connection is gone. The role hears of it unless it ended it itself.
    pub(crate) fn closed(&self, role: RoleId, conn: ConnId) {
        self.turn(Current::default(), |inner, now| {
            inner.ports.entering.remove(&conn);
            if inner.ports.peers(role).remove(&conn).is_some() {
                inner.node.feed(role, Event::Lost(conn), now);
            }
        });
    }

    /// A frame of a player or a RoomServer, already read.
    pub(crate) fn received(&self, role: RoleId, conn: ConnId, msg: Message, frame: Option<Frame<'_>>) {
        let login = matches!(msg, Message::ToRoom(gatepass_core::message::ToRoom::Login { .. }));
        self.turn(Current { conn: Some(conn), frame }, |inner, now| {
            if login && inner.ports.players.contains_key(&conn) {
                inner.ports.entering.entry(conn).or_insert(now);
            }
            inner.node.feed(role, Event::Received { conn, msg }, now);
        });
    }

    /// The link to an RCenter of another process is up, or down.
    pub(crate) fn uplink(&self, peer: Option<Arc<Peer>>) {
        self.turn(Current::default(), |inner, now| {
            let event = if peer.is_some() { Event::Linked } else { Event::Unlinked };
            inner.ports.uplink = peer;
            inner.node.feed(RoleId::Room, event, now);
        });
    }

    /// Another process has come to ask, or has gone.
    pub(crate) fn asker(&self, link: u64, peer: Option<Arc<Peer>>) {
        let mut inner = self.lock();
        match peer {
            Some(peer) => inner.ports.askers.insert(link, peer),
            None => inner.ports.askers.remove(&link),
        };
    }

    /// Where datagrams of sessions go out.
    pub(crate) fn set_udp(&self, socket: Arc<UdpSocket>) {
        self.lock().ports.udp = Some(socket);
    }

    /// Brings a question to the account store. A process without one answers with an outage.
    pub(crate) fn accounts(&self, job: Job) {
        let outcome = match &self.lanes {
            Some(lanes) => lanes.submit(job),
            None => Some((job.waiter, Err(Outage::Down))),
        };
        if let Some((waiter, outcome)) = outcome {
            self.answered(waiter, outcome);
        }
    }

    /// Has the account store wipe what it need not remember any more.
    pub(crate) fn forget(&self) {
        if let Some(lanes) = &self.lanes {
            lanes.forget();
        }
    }

    /// An answer of the account store, on whatever thread it was found.
    pub(crate) fn answered(&self, waiter: Waiter, outcome: Outcome) {
        match waiter {
            Waiter::Role(role, call) => {
                self.feed(role, Event::Answered { call, answer: outcome.map(Answer::Accounts) });
            }
            Waiter::Link { peer, role, call } => {
                service::send_answer(&peer, role, call, outcome.map(Answer::Accounts));
                peer.wake();
            }
        }
    }

    /// Looks at the node.
    pub(crate) fn with_node<R>(&self, look: impl FnOnce(&Node<OsEntropy>) -> R) -> R {
        look(&self.lock().node)
    }

    /// Whether a role has broken its own invariant: this process cannot go on.
    pub(crate) fn is_broken(&self) -> bool {
        self.inner.is_poisoned()
    }

    /// Whether new players are still taken.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Takes no new players from now on.
    pub(crate) fn set_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Closes every connection, whatever its role thinks of it: the process ends.
    pub(crate) fn close_all(&self) {
        let mut inner = self.lock();
        let Ports { players, links, askers, uplink, .. } = &mut inner.ports;
        let peers = mem::take(players).into_values().chain(mem::take(links).into_values());
        for peer in peers.chain(mem::take(askers).into_values()).chain(uplink.take()) {
            peer.close();
            peer.wake();
        }
    }

    /// Waits until a draining RoomServer is empty.
    pub(crate) async fn drained(&self) {
        loop {
            let notified = self.drained.notified();
            if self.lock().ports.drained {
                return;
            }
            notified.await;
        }
    }

    /// Fires timers, for ever.
    pub(crate) async fn run_timers(self: Arc<Self>) {
        loop {
            let mut next = None;
            self.turn_and_then(
                Current::default(),
                |inner, now| {
                    inner.node.fire(now, TIMERS_PER_TURN);
                    inner.ports.game.tick(now, &mut inner.ports.frames);
                    inner.ports.deliver(None);
                },
                |inner, _| {
                    next = inner.next();
                    inner.asleep_until = next;
                },
            );
            match next {
                None => self.timer.notified().await,
                Some(at) if at <= self.now() => tokio::task::yield_now().await,
                Some(at) => tokio::select! {
                    () = sleep_until((self.epoch + at).into()) => {}
                    () = self.timer.notified() => {}
                },
            }
        }
    }

    fn turn(&self, current: Current<'_>, act: impl FnOnce(&mut Inner, Duration)) {
        self.turn_and_then(current, act, |_, _| {});
    }

    /// One turn: act under the lock, carry out what follows, look again, then ask stores without the lock; and so on with what they answer at once. The reply to the request at hand, if there is one.
    fn turn_and_then(
        &self,
        current: Current<'_>,
        act: impl FnOnce(&mut Inner, Duration),
        look: impl FnOnce(&mut Inner, bool),
    ) -> Option<Reply> {
        let mut inner = self.lock();
        let now = self.now();
        act(&mut inner, now);
        let mut reply = inner.carry_out(current, now, &self.metrics);
        look(&mut inner, reply.is_some());
        let mut jobs = mem::take(&mut inner.ports.jobs);
        // A store that answers at once is asked before anybody is made to wait for the answer.
        while let Some(job) = jobs.pop_front() {
            if let (AccountsAsk::Played { .. }, Some(lanes)) = (&job.ask, &self.lanes) {
                // Only queued, and nobody waits to hear of it.
                let _ = lanes.submit(job);
                continue;
            }
            drop(inner);
            let outcome = match &self.lanes {
                Some(lanes) => lanes.submit(job),
                None => Some((job.waiter, Err(Outage::Down))),
            };
            inner = self.lock();
            let Some((Waiter::Role(role, call), outcome)) = outcome else { continue };
            let now = self.now();
            let answer = outcome.map(Answer::Accounts);
            inner.node.feed(role, Event::Answered { call, answer }, now);
            let more = inner.carry_out(current, now, &self.metrics);
            reply = reply.or(more);
            jobs.extend(inner.ports.jobs.drain(..));
        }
        // The next turn uses its memory again.
        if inner.ports.jobs.capacity() == 0 {
            inner.ports.jobs = jobs;
        }
        let wake = match (inner.next(), inner.asleep_until) {
            (Some(next), Some(asleep)) => next < asleep,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if wake {
            inner.asleep_until = inner.next();
        }
        let drained = inner.ports.drained;
        drop(inner);
        if wake {
            self.timer.notify_one();
        }
        if drained {
            self.drained.notify_waiters();
        }
        reply
    }

    /// # Panics
    /// If a role has broken its own invariant: nobody may be admitted by what is left.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A turn takes a few microseconds: to wait for it is cheaper than to sleep and be woken.
        for _ in 0..LOCK_TRIES {
            if let Ok(inner) = self.inner.try_lock() {
                return inner;
            }
            for _ in 0..8 {
                std::hint::spin_loop();
            }
        }
        self.inner.lock().expect("no role has broken an invariant")
    }
}

impl Inner {
    fn next(&self) -> Option<Duration> {
        [self.node.next(), self.ports.game.next_tick()].into_iter().flatten().min()
    }

    fn carry_out(&mut self, current: Current<'_>, now: Duration, metrics: &Metrics) -> Option<Reply> {
        let mut reply = None;
        loop {
            self.node.swap_outbox(&mut self.out);
            for out in self.out.drain(..) {
                if let Some(answer) = self.ports.carry_out(out, current, now, metrics) {
                    reply = Some(answer);
                }
            }
            // What cannot be asked is an answer too, and may have more to follow.
            let failed = mem::take(&mut self.ports.failed);
            if failed.is_empty() {
                return reply;
            }
            for (role, call, why) in failed {
                self.node.outage(role, call, why, now);
            }
        }
    }
}

/// Longest frame of a connection that has not said who it is: its first message is a name and a key.
pub(crate) const UNVERIFIED_FRAME_MAX: usize = 4_096;

/// Longest frame a connection may send now.
pub(crate) fn frame_max(peer: &Peer) -> usize {
    if peer.is_verified() { frame::FRAME_MAX } else { UNVERIFIED_FRAME_MAX }
}
