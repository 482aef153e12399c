//! Where the effects of a node go: the tables of connections, the game, the links.
//!
//! Used under the shell's lock only, so whatever is queued here is queued in the order in which it happened.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use foldhash::fast::RandomState;
use gatepass_core::{
    ids::{AccountId, CallId, ConnId, SessionKey},
    ledger::Fact,
    message::{Ask, Asker, Reply, ToPlayer, ToServer},
    role::Outage,
    wire::frame::Frame,
};
use tokio::{net::UdpSocket, sync::oneshot};

use crate::{
    accounts::{Job, Waiter},
    codec,
    drive::{Out, RoleId},
    game::{Frames, Game, Player},
    metrics::Metrics,
    peer::Peer,
    service::{self, Services},
};

/// Kicks whose confirmation is timed.
const KICKS_TIMED: usize = 4_096;

/// What is done when a session ends, under the shell's lock: it must not wait, nor ask the shell for anything.
pub(crate) type Watcher = Box<dyn FnOnce() + Send>;

/// A table whose keys no stranger chooses: a quick hash will do.
pub(crate) type Table<K, V> = HashMap<K, V, RandomState>;

/// Where effects go.
pub(crate) struct Ports {
    pub(crate) requests: Table<ConnId, oneshot::Sender<Reply>>,
    pub(crate) players: BTreeMap<ConnId, Arc<Peer>>,
    pub(crate) links: BTreeMap<ConnId, Arc<Peer>>,
    /// The link to an RCenter of another process, while it is up.
    pub(crate) uplink: Option<Arc<Peer>>,
    /// Other processes that ask services of this one.
    pub(crate) askers: BTreeMap<u64, Arc<Peer>>,
    services: Services,
    pub(crate) game: Box<dyn Game>,
    pub(crate) frames: Frames,
    pub(crate) udp: Option<Arc<UdpSocket>>,
    bound: Table<ConnId, SocketAddr>,
    pub(crate) entering: Table<ConnId, Duration>,
    kicks: Table<AccountId, Duration>,
    /// Who is told of the end of a session: as many as there are sockets.
    pub(crate) watched: Table<SessionKey, Watcher>,
    pub(crate) jobs: VecDeque<Job>,
    /// Questions that failed at once.
    pub(crate) failed: Vec<(RoleId, CallId, Outage)>,
    pub(crate) drained: bool,
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ports").field("players", &self.players.len()).finish_non_exhaustive()
    }
}

/// What the event at hand came from: its connection writes by itself, and its frame is the one to be echoed.
#[derive(Clone, Copy, Default)]
pub(crate) struct Current<'a> {
    pub(crate) conn: Option<ConnId>,
    pub(crate) frame: Option<Frame<'a>>,
}

impl Ports {
    pub(crate) fn new(services: Services, game: Box<dyn Game>) -> Self {
        Self {
            requests: Table::default(),
            players: BTreeMap::new(),
            links: BTreeMap::new(),
            uplink: None,
            askers: BTreeMap::new(),
            services,
            game,
            frames: Frames::default(),
            udp: None,
            bound: Table::default(),
            entering: Table::default(),
            kicks: Table::default(),
            watched: Table::default(),
            jobs: VecDeque::new(),
            failed: Vec::new(),
            drained: false,
        }
    }

    pub(crate) fn peers(&mut self, role: RoleId) -> &mut BTreeMap<ConnId, Arc<Peer>> {
        if role == RoleId::Center { &mut self.links } else { &mut self.players }
    }

    /// Carries out one effect. The reply, if it is to the request at hand.
    pub(crate) fn carry_out(
        &mut self,
        out: Out,
        current: Current<'_>,
        now: Duration,
        metrics: &Metrics,
    ) -> Option<Reply> {
        match out {
            Out::Reply { conn, reply } if current.conn == Some(conn) => {
                self.requests.remove(&conn);
                return Some(reply);
            }
            Out::Reply { conn, reply } => {
                if let Some(waiting) = self.requests.remove(&conn) {
                    // A client that has gone needs no answer.
                    let _ = waiting.send(reply);
                }
            }
            Out::ToPlayer { conn, msg } => self.send_to_player(conn, msg, current, now, metrics),
            Out::ToServer { conn, msg } => {
                if let Some(peer) = self.links.get(&conn) {
                    if matches!(msg, ToServer::Registered(_)) {
                        peer.set_verified(true);
                    }
                    peer.queue(|bytes| codec::encode_to_server(&msg, bytes));
                    peer.wake();
                }
            }
            Out::ToCenter(msg) => {
                if let Some(peer) = &self.uplink {
                    let key = self.services.shared_key();
                    peer.queue(|bytes| codec::encode_to_center(&msg, key, bytes));
                    peer.wake();
                }
            }
            Out::Close { role, conn } => {
                if role == RoleId::Room {
                    self.entering.remove(&conn);
                }
                if let Some(peer) = self.peers(role).remove(&conn) {
                    peer.close();
                    peer.wake();
                }
            }
            Out::CloseAll(role) => {
                for peer in std::mem::take(self.peers(role)).into_values() {
                    peer.close();
                    peer.wake();
                }
                self.game.emptied();
                self.bound.clear();
                self.entering.clear();
            }
            Out::Accounts { role, call, ask } => match self.services.accounts() {
                Some(service) => {
                    let asked = service.ask(role, call, &Ask::Accounts(ask));
                    self.failed.extend(asked.err().map(|why| (role, call, why)));
                }
                None => self.jobs.push_back(Job { waiter: Waiter::Role(role, call), ask }),
            },
            Out::Ask { role, call, ask } => {
                let asked = match self.services.of(&ask) {
                    Some(service) => service.ask(role, call, &ask),
                    None => Err(Outage::Down),
                };
                self.failed.extend(asked.err().map(|why| (role, call, why)));
            }
            Out::Answer { to: Asker(to), call, answer } => {
                let (link, role) = service::split_asker(to);
                if let Some(peer) = self.askers.get(&link) {
                    service::send_answer(peer, role, call, Ok(answer));
                    peer.wake();
                }
            }
            Out::Bound { conn, addr, port } => {
                let ip = std::net::Ipv6Addr::from_bits(addr.0);
                self.bound.insert(conn, SocketAddr::new(std::net::IpAddr::V6(ip).to_canonical(), port));
            }
            Out::Play { conn, command } => {
                if let Some(frame) = current.frame {
                    self.game.frame(conn, frame.flag, command, frame.body, &mut self.frames);
                    self.deliver(current.conn);
                }
            }
            Out::Note(fact) => self.note(&fact, now, metrics),
        }
        None
    }

    fn send_to_player(
        &mut self,
        conn: ConnId,
        msg: ToPlayer,
        current: Current<'_>,
        now: Duration,
        metrics: &Metrics,
    ) {
        let Some(peer) = self.players.get(&conn) else { return };
        match msg {
            ToPlayer::Admitted { account, room, name } => {
                peer.set_verified(true);
                if let Some(since) = self.entering.remove(&conn) {
                    metrics.entered(now.saturating_sub(since));
                }
                self.game.joined(&Player { conn, account, room, name }, now, &mut self.frames);
                self.deliver(current.conn);
                return;
            }
            ToPlayer::Echo => {
                if let Some(frame) = current.frame {
                    // A frame that came in fits a frame that goes out.
                    peer.queue(|bytes| {
                        let _ = frame.encode(bytes);
                    });
                }
            }
            ToPlayer::LoggedOut => {
                peer.queue(codec::encode_logged_out);
            }
            ToPlayer::Refused(why) => {
                peer.queue(|bytes| codec::encode_refused(why, bytes));
            }
        }
        if current.conn != Some(conn) {
            peer.wake();
        }
    }

    /// Queues what the game has written.
    pub(crate) fn deliver(&mut self, current: Option<ConnId>) {
        let Self { frames, players, bound, udp, .. } = self;
        frames.deliver(|conn, bytes| {
            if let (Some(to), Some(socket)) = (bound.get(&conn), udp.as_ref())
                && crate::udp::send_scene(socket, *to, bytes)
            {
                return;
            }
            let Some(peer) = players.get(&conn) else { return };
            peer.queue(|queue| queue.extend_from_slice(bytes));
            if current != Some(conn) {
                peer.wake();
            }
        });
    }

    fn note(&mut self, fact: &Fact, now: Duration, metrics: &Metrics) {
        metrics.fact(fact);
        match fact {
            Fact::Left { conn, .. } => {
                self.game.left(*conn, now);
                self.bound.remove(conn);
                if let Some(peer) = self.players.get(conn) {
                    peer.set_verified(false);
                }
            }
            Fact::KickAsked { account } => {
                if self.kicks.len() >= KICKS_TIMED {
                    // Kicks that nobody confirmed.
                    self.kicks.clear();
                }
                self.kicks.entry(*account).or_insert(now);
            }
            Fact::KickConfirmed { account } => {
                if let Some(since) = self.kicks.remove(account) {
                    metrics.kicked(now.saturating_sub(since));
                }
            }
            Fact::SessionEnded { key } => {
                if let Some(watcher) = self.watched.remove(key) {
                    watcher();
                }
            }
            Fact::Drained => self.drained = true,
            Fact::OtherTerms { server, theirs } => tracing::error!(
                %server,
                lease = ?theirs.lease,
                margin = ?theirs.margin,
                "no lease: the other side has these times, and this one has others; give both the same"
            ),
            _ => {}
        }
    }
}
