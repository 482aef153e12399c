//! All sessions of engine.io, and the WebSocket of one of them.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use gatepass_core::{
    ids::SessionKey,
    role::Entropy,
    wire::gamecloud::{
        call::REQUEST_MAX,
        engine::{Kind, Packet},
        socket::CONNECTED,
    },
};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::{sync::watch, time::timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{Role, WebSocketConfig},
    },
};

use super::{Gamecloud, Side, socket::Socket};
use crate::{
    drive::OsEntropy,
    gate::{Gate, Shut},
    shell::Shell,
};

/// What clients are told of the times: how often they are to ping, and how long to wait for the answer.
const PING_INTERVAL: Duration = Duration::from_secs(25);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// A client that does not take what is sent to it is given up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest WebSocket message: a request, and what stands around it.
const MESSAGE_MAX: usize = REQUEST_MAX + 64;

const _: () = assert!(
    PING_INTERVAL.as_secs() + PING_TIMEOUT.as_secs() <= super::socket::SILENCE_MAX.as_secs(),
    "a client that pings in time is not silent"
);

/// A session of engine.io, shared.
pub(super) type Link = Arc<Socket>;

/// The sessions by their ids.
pub(super) struct Sockets {
    table: Mutex<BTreeMap<SessionKey, Link>>,
    entropy: Mutex<OsEntropy>,
    gate: Arc<Gate>,
}

impl Sockets {
    pub(super) fn new(gate: Arc<Gate>) -> Self {
        Self { table: Mutex::default(), entropy: Mutex::new(OsEntropy::new()), gate }
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<SessionKey, Link>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a session; its first packets are queued.
    pub(super) fn open(&self, ip: IpAddr, side: Side, websocket: bool) -> Result<Link, Shut> {
        let pass = self.gate.enter(ip)?;
        // As good as a password for as long as it lasts, so it is drawn like one.
        let id = SessionKey::new(self.entropy.lock().unwrap_or_else(PoisonError::into_inner).bits());
        let socket = Arc::new(Socket::new(id, ip, side, pass, websocket));
        let upgrades = if websocket { "" } else { "\"websocket\"" };
        let (text, interval, patience) = (id.text(), PING_INTERVAL.as_millis(), PING_TIMEOUT.as_millis());
        socket.queue(format!(
            "{}{{\"sid\":\"{text}\",\"upgrades\":[{upgrades}],\"pingInterval\":{interval},\"pingTimeout\":{patience}}}",
            Kind::Open
        ));
        socket.queue(CONNECTED.into());
        self.table().insert(id, Arc::clone(&socket));
        Ok(socket)
    }

    /// Lets one packet through.
    pub(super) fn admit(&self, ip: IpAddr) -> Result<(), Shut> {
        self.gate.request(ip)
    }

    /// The session of this id, if it began at this server and for this address.
    pub(super) fn find(&self, id: &str, ip: IpAddr, side: Side) -> Option<Link> {
        let id = SessionKey::parse(id)?;
        let socket = self.table().get(&id).cloned()?;
        (socket.ip == ip && socket.side == side).then_some(socket)
    }

    /// Forgets a session that has ended and has told all it had to.
    pub(super) fn forget_if_over(&self, socket: &Link, shell: &Shell) {
        if socket.is_over(Instant::now()) {
            self.table().remove(&socket.id);
            // Nothing is queued from now on.
            socket.end();
            if let Some(session) = socket.session() {
                shell.unwatch_session(session);
            }
        }
    }

    /// Ends those that have been silent, and forgets those that have ended.
    pub(super) fn sweep(&self, shell: &Shell) {
        let all: Vec<_> = self.table().values().cloned().collect();
        for socket in all {
            self.forget_if_over(&socket, shell);
        }
    }

    /// Ends all of them.
    pub(super) fn close_all(&self, shell: &Shell) {
        let all = std::mem::take(&mut *self.table());
        for socket in all.into_values() {
            socket.end();
            if let Some(session) = socket.session() {
                shell.unwatch_session(session);
            }
        }
    }
}

impl Gamecloud {
    /// Carries a session over a WebSocket until either ends.
    pub(super) async fn websocket(
        self: Arc<Self>,
        socket: Link,
        upgrade: OnUpgrade,
        mut stop: watch::Receiver<bool>,
    ) {
        if let Ok(Ok(upgraded)) = timeout(WRITE_TIMEOUT, upgrade).await {
            let config = WebSocketConfig::default()
                .read_buffer_size(4_096)
                .write_buffer_size(0)
                .max_write_buffer_size(512 * 1024)
                .max_message_size(Some(MESSAGE_MAX))
                .max_frame_size(Some(MESSAGE_MAX));
            let stream =
                WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
            tokio::select! {
                () = self.carry(&socket, stream) => {}
                _ = stop.changed() => {}
            }
        }
        socket.detach();
        self.sockets.forget_if_over(&socket, &self.shell);
    }

    async fn carry(&self, socket: &Link, mut stream: WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>) {
        loop {
            let woken = socket.wake.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            let (packets, last) = socket.take();
            for packet in packets {
                if !sent(&mut stream, packet).await {
                    return;
                }
            }
            if last {
                let _ = timeout(WRITE_TIMEOUT, stream.close(None)).await;
                return;
            }
            tokio::select! {
                () = woken => {}
                message = stream.next() => match message {
                    Some(Ok(Message::Text(text))) => {
                        let Ok(packet) = Packet::read(&text) else { return };
                        let probe = packet.kind == Kind::Ping && packet.data == "probe";
                        if self.hear(socket, packet, true).await.is_err() {
                            socket.end();
                        }
                        if probe && !sent(&mut stream, format!("{}probe", Kind::Pong)).await {
                            return;
                        }
                    }
                    // Those of the WebSocket itself are answered below.
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                    Some(Ok(Message::Binary(_) | Message::Close(_)) | Err(_)) | None => return,
                },
            }
        }
    }
}

async fn sent(stream: &mut WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>, packet: String) -> bool {
    matches!(timeout(WRITE_TIMEOUT, stream.send(Message::text(packet))).await, Ok(Ok(())))
}
