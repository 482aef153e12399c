//! gamecloud's servers: the Index, which says where to go, and the logic server, where players log in.
//!
//! | file | what is there |
//! |---|---|
//! | [`config`] | what they are told |
//! | `calls.rs` | what is done for a request, however it came |
//! | `http.rs` | requests over HTTP, and the way to sockets |
//! | `sockets.rs`, `socket.rs` | sessions of engine.io; what one of them has and hears |
//! | `portal.rs` | questions to a portal |
//!
//! What a player brings is checked by a [`Verifier`](gatepass_core::verify::verifier::Verifier); the
//! LoginServer makes an account and a session of it, the very one that mope's clients have. Its key is the token. So
//! it ends when any newer login of the account begins, over whatever link, and it leads to a room on either.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use gatepass_core::{
    lbs::{self, Lbs, NodeId},
    limits::Times,
    role::Entropy,
    text::bounded,
    verify::{gamecloud::set::NONCES, verifier::Verifiers},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{interval, timeout},
};

pub use self::config::{GamecloudConfig, NodeConfig, TxConfig};
use self::sockets::Sockets;
use crate::{clock::unix_time, drive::OsEntropy, gate::Gate, http::HttpTimes, key::SharedKey, shell::Shell};

mod calls;
pub mod config;
mod http;
mod portal;
mod socket;
mod sockets;

/// A server of another process is looked for this often.
const LOOK: Duration = Duration::from_secs(1);

/// Which of the two a listener is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The Index.
    Index,
    /// A logic server.
    Logic,
}

/// Both servers of a process.
pub(crate) struct Gamecloud {
    shell: Arc<Shell>,
    verifiers: Verifiers,
    lbs: Mutex<Turning>,
    /// Servers of the deployment that are this process.
    own: Vec<NodeId>,
    sockets: Sockets,
    /// The gate of the Index, where administrators show their key.
    askers: Arc<Gate>,
    times: HttpTimes,
    nonces: AtomicU32,
}

/// The LBS, and when its turn is over.
struct Turning {
    lbs: Lbs,
    until: Instant,
}

/// What a [`Gamecloud`] is made of.
pub(crate) struct Parts<'a> {
    pub(crate) shell: Arc<Shell>,
    pub(crate) config: &'a GamecloudConfig,
    pub(crate) times: &'a Times,
    pub(crate) key: &'a SharedKey,
    /// Verifiers of the embedding program, which come before the original's.
    pub(crate) verifiers: Verifiers,
    pub(crate) http: HttpTimes,
    pub(crate) logic: SocketAddr,
    pub(crate) index: SocketAddr,
    pub(crate) askers: Arc<Gate>,
    pub(crate) sockets: Arc<Gate>,
}

impl Gamecloud {
    pub(crate) fn new(parts: Parts<'_>) -> Result<Arc<Self>, String> {
        let Parts { shell, config, times, key, verifiers, http, logic, index, askers, sockets } = parts;
        let told = config.advertise.clone().unwrap_or_else(|| logic.to_string());
        let here = config::host_and_port(&told).and_then(|_| bounded(&told));
        let here = here.ok_or("gamecloud.advertise is host:port, at most 64 bytes")?;
        let lbs = config.lbs(here)?;
        let own = lbs.at(&here).cloned().collect();
        let [a, b, c, d, ..] = OsEntropy::new().bits();
        let local = logic.ip().is_loopback() && index.ip().is_loopback();
        verifiers.check(times).map_err(|clash| clash.to_string())?;
        let verifiers = verifiers.and(config.verifiers(key, local)?);
        let gamecloud = Self {
            shell,
            verifiers,
            lbs: Mutex::new(Turning { lbs, until: Instant::now() }),
            own,
            sockets: Sockets::new(sockets),
            askers,
            times: http,
            // Servers that share a secret begin in different places.
            nonces: AtomicU32::new(u32::from_le_bytes([a, b, c, d])),
        };
        gamecloud.set_own(true);
        Ok(Arc::new(gamecloud))
    }

    /// Accepts clients, for ever.
    pub(crate) async fn serve(
        self: Arc<Self>,
        side: Side,
        listener: TcpListener,
        gate: Arc<Gate>,
        stop: watch::Receiver<bool>,
    ) {
        http::serve(self, side, listener, gate, stop).await;
    }

    /// Ends what is idle and turns the LBS, for ever; when told to stop, ends all sockets.
    pub(crate) async fn upkeep(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut tick = interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                _ = stop.changed() => break,
                _ = tick.tick() => {
                    self.sockets.sweep(&self.shell);
                    if self.shell.is_draining() {
                        self.set_own(false);
                    }
                    if self.lbs().until <= Instant::now() {
                        self.tell_lbs(&lbs::Event::Turn);
                    }
                }
            }
        }
        self.sockets.close_all(&self.shell);
        // Nobody may think that a task has failed.
        std::future::pending::<()>().await;
    }

    /// Looks whether servers of other processes can be reached, for ever.
    pub(crate) async fn look_around(self: Arc<Self>) {
        let others: Vec<_> = {
            let lbs = self.lbs();
            let others = lbs.lbs.nodes().filter(|(id, ..)| !self.own.contains(id));
            others.map(|(id, endpoint, _)| (id.clone(), endpoint.to_string())).collect()
        };
        let mut tick = interval(LOOK);
        loop {
            tick.tick().await;
            for (id, endpoint) in &others {
                let reached = timeout(LOOK, TcpStream::connect(endpoint)).await;
                let event =
                    if matches!(reached, Ok(Ok(_))) { lbs::Event::Up(id) } else { lbs::Event::Down(id) };
                self.tell_lbs(&event);
            }
        }
    }

    /// Whether players are sent to this process.
    fn set_own(&self, up: bool) {
        for node in &self.own {
            self.tell_lbs(&if up { lbs::Event::Up(node) } else { lbs::Event::Down(node) });
        }
    }

    /// Brings an event to the LBS. What it answers, if it answers.
    fn tell_lbs(&self, event: &lbs::Event<'_>) -> Option<lbs::Effect> {
        let mut out = Vec::new();
        let mut turning = self.lbs();
        turning.lbs.step(event, &mut out);
        let mut told = None;
        for effect in out {
            match effect {
                lbs::Effect::Arm(after) => turning.until = Instant::now() + after,
                other => told = Some(other),
            }
        }
        told
    }

    fn lbs(&self) -> std::sync::MutexGuard<'_, Turning> {
        // A step that panicked has left some answer out, and nothing else.
        self.lbs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that no other request of this second has, of [`NONCES`].
    fn nonce(&self) -> u32 {
        self.nonces.fetch_add(1, Ordering::Relaxed) % NONCES
    }
}

/// Where a request comes from, and to which server.
#[derive(Clone, Copy)]
struct Origin {
    side: Side,
    ip: IpAddr,
}

/// Seconds since 1970.
fn unix_seconds() -> u64 {
    unix_time().as_secs()
}
