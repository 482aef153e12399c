//! One framed connection: what waits to be written to it, and the loop that reads and writes.
//!
//! The loop is the same for players, RoomServers, RCenter and services; a `Session` says what a frame means.

use std::{
    io,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::{Buf, BytesMut};
use gatepass_core::wire::frame::{self, Frame};
use socket2::SockRef;
use tokio::{
    io::AsyncReadExt,
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::Notify,
    time::{sleep, timeout},
};

use crate::drive::RELINK;

/// Bytes that may wait for a slow player, as in the original. One more closes its connection.
pub const QUEUE_MAX: usize = 262_144;
/// A closed connection may take this long to take its last bytes and answer the end with its own.
pub const LINGER: Duration = Duration::from_secs(1);
/// Bytes read at once.
const CHUNK: usize = 4_096;
/// Frames handled before what they caused is written.
const FRAMES_PER_TURN: usize = 64;

/// The sending half of a connection, shared between its own task and whoever has something for it.
#[derive(Debug)]
pub struct Peer {
    queue: Mutex<Queue>,
    wake: Notify,
    verified: AtomicBool,
    max: usize,
}

#[derive(Debug, Default)]
struct Queue {
    bytes: Vec<u8>,
    /// Bytes taken by the task and not yet written.
    in_flight: usize,
    end: End,
}

/// How a connection ends, if it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    /// It does not.
    #[default]
    Open,
    /// After everything is written.
    Flush,
    /// At once: too much waited to be written.
    Cut,
}

impl Peer {
    /// A connection with nothing to write; at most `max` bytes will wait.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { queue: Mutex::default(), wake: Notify::new(), verified: AtomicBool::new(false), max }
    }

    /// Queues what `write` appends. Too much closes this connection and no other. Whether it was queued.
    pub fn queue(&self, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut queue = self.lock();
        if queue.end != End::Open {
            return false;
        }
        write(&mut queue.bytes);
        if queue.bytes.len() + queue.in_flight > self.max {
            queue.end = End::Cut;
            queue.bytes = Vec::new();
            drop(queue);
            self.wake();
            return false;
        }
        true
    }

    /// Closes after what is queued is written.
    pub fn close(&self) {
        let mut queue = self.lock();
        if queue.end == End::Open {
            queue.end = End::Flush;
        }
    }

    /// Lets the connection's task look at the queue: for everybody but the task itself.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Whether the peer has said who it is: it may then send large frames.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.verified.load(Ordering::Relaxed)
    }

    /// Notes whether the peer has said who it is.
    pub fn set_verified(&self, verified: bool) {
        self.verified.store(verified, Ordering::Relaxed);
    }

    /// Whether it still takes anything.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.lock().end == End::Open
    }

    fn take(&self, into: &mut Vec<u8>) -> End {
        let mut queue = self.lock();
        std::mem::swap(&mut queue.bytes, into);
        queue.in_flight = into.len();
        queue.end
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic in between leaves at worst a frame cut short, and the connection of whoever panicked is gone.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the frames of a connection mean.
pub(crate) trait Session {
    /// Longest frame it takes now.
    fn frame_max(&self) -> usize;

    /// Takes a frame. What it causes on this connection is queued when this returns.
    fn frame(&mut self, frame: Frame<'_>);
}

/// Runs a connection to its end. `Flush` if this side ended it, else the peer did or it broke a bound.
pub(crate) async fn run(stream: &mut TcpStream, peer: &Peer, session: &mut impl Session) -> End {
    let (reader, writer) = stream.split();
    let mut pump = Pump { reader, writer, peer, input: BytesMut::new(), output: Vec::new(), written: 0 };
    let end = pump.run(session).await.unwrap_or(End::Cut);
    if end == End::Flush {
        // A peer that does not read must not keep the connection for ever.
        let _ = timeout(LINGER, pump.finish()).await;
    }
    end
}

struct Pump<'a> {
    reader: ReadHalf<'a>,
    writer: WriteHalf<'a>,
    peer: &'a Peer,
    input: BytesMut,
    output: Vec<u8>,
    written: usize,
}

impl Pump<'_> {
    async fn run(&mut self, session: &mut impl Session) -> io::Result<End> {
        let mut more = false;
        loop {
            match self.write()? {
                End::Open => {}
                end => return Ok(end),
            }
            if more {
                // A peer with many frames waiting lets others have a turn.
                tokio::task::yield_now().await;
                more = self.frames(session)?;
                continue;
            }
            let behind = self.written < self.output.len();
            self.input.reserve(CHUNK);
            tokio::select! {
                biased;
                // Unlike a look whether there is something, a read that is not filled also tells that nothing
                // is left: the next one is not tried in vain.
                read = self.reader.read_buf(&mut self.input) => {
                    if read? == 0 {
                        return Ok(End::Cut);
                    }
                    more = self.frames(session)?;
                }
                writable = self.writer.writable(), if behind => writable?,
                () = self.peer.wake.notified() => {}
            }
        }
    }

    /// Handles the complete frames of the input, at most as many as fit a turn. Whether there may be more.
    fn frames(&mut self, session: &mut impl Session) -> io::Result<bool> {
        for _ in 0..FRAMES_PER_TURN {
            let decoded = frame::decode(&self.input, session.frame_max());
            let Some((frame, used)) = decoded.map_err(|_| io::ErrorKind::InvalidData)? else {
                if self.input.is_empty() && self.input.capacity() > 2 * CHUNK {
                    self.input = BytesMut::new();
                }
                return Ok(false);
            };
            session.frame(frame);
            self.input.advance(used);
        }
        Ok(!self.input.is_empty())
    }

    /// Writes what can be written now. Not `Open` once everything is written and the connection is to end.
    fn write(&mut self) -> io::Result<End> {
        loop {
            if self.written == self.output.len() {
                self.output.clear();
                self.written = 0;
                let end = self.peer.take(&mut self.output);
                if end == End::Cut || self.output.is_empty() {
                    return Ok(end);
                }
            }
            match self.writer.try_write(&self.output[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.written += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(self.blocked()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether a connection that takes no bytes now has to end.
    fn blocked(&self) -> End {
        self.peer.lock().end
    }

    /// Writes the rest, says that nothing more comes, and waits for the peer to say the same: whoever closes
    /// with unread input waiting would take back what the peer has not yet read.
    async fn finish(&mut self) -> io::Result<()> {
        loop {
            while self.written < self.output.len() {
                self.writer.writable().await?;
                match self.writer.try_write(&self.output[self.written..]) {
                    Ok(n) => self.written += n,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
            self.output.clear();
            self.written = 0;
            self.peer.take(&mut self.output);
            if self.output.is_empty() {
                break;
            }
        }
        SockRef::from(self.writer.as_ref()).shutdown(std::net::Shutdown::Write)?;
        let mut discarded = [0; 1024];
        loop {
            if self.reader.read(&mut discarded).await? == 0 {
                return Ok(());
            }
        }
    }
}

/// Listens on an address: restarts at once on the same port, and a burst of clients finds room to wait.
///
/// # Errors
/// The address cannot be had.
pub fn listen(addr: std::net::SocketAddr) -> io::Result<tokio::net::TcpListener> {
    const BACKLOG: u32 = 4_096;
    let socket =
        if addr.is_ipv4() { tokio::net::TcpSocket::new_v4() } else { tokio::net::TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// When a link is tried again: one that lasted, at once; then after pauses that grow up to [`RELINK`], so that
/// a server that comes back is found while the leases of the others still last.
#[derive(Debug, Default)]
pub(crate) struct Again {
    pause: Duration,
}

impl Again {
    const FIRST: Duration = Duration::from_millis(50);

    /// A link was up this long. One that ended soon was not wanted by its peer.
    pub(crate) fn lasted(&mut self, time: Duration) {
        if time >= RELINK {
            self.pause = Duration::ZERO;
        }
    }

    /// Waits until it is time to try again.
    pub(crate) async fn pause(&mut self) {
        sleep(self.pause).await;
        self.pause = (self.pause * 2).clamp(Self::FIRST, RELINK);
    }
}

/// Sends without delay, and notices within seconds that the process at the other end of a link has vanished
/// without a word: nobody may be sent there any more.
pub(crate) fn tune_link(stream: &TcpStream) {
    const SILENCE: Duration = Duration::from_secs(5);
    let keepalive =
        socket2::TcpKeepalive::new().with_time(SILENCE).with_interval(SILENCE / 2).with_retries(2);
    let socket = SockRef::from(stream);
    // A link works without any of this, only less well.
    let _ = stream.set_nodelay(true);
    let _ = socket.set_tcp_keepalive(&keepalive);
    let _ = socket.set_tcp_user_timeout(Some(SILENCE * 2));
}

/// Accepts the next connection, whatever happens to those before it.
pub(crate) async fn accept(listener: &tokio::net::TcpListener) -> (TcpStream, std::net::SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, addr)) => {
                // Without it a reply waits for the acknowledgement of the one before; the connection works anyway.
                let _ = stream.set_nodelay(true);
                return (stream, addr);
            }
            Err(error) => {
                // Out of descriptors or memory: others have to end first.
                tracing::warn!(%error, "accepting a connection failed");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests;
