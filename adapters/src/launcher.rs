//! The local link of GTarcade's launcher over TCP on loopback, both ends: [`GameLink`] in a game,
//! [`LauncherServer`] in a launcher.
//!
//! The machines of [`gatepass_core::launcher`] decide; here are sockets, timers and randomness. A connection is one
//! task. It ends when its owner is gone or does not listen, when the machine says so, or with the peer; what was sent
//! before is written first.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use gatepass_core::{
    ids::ConnId,
    launcher::{
        GameEvent, GameNotice, LINKS_MAX, Launch, Launcher, LauncherEvent, LauncherLink, LauncherNotice,
        LinkEffect, LinkSettings, LinkTimer,
    },
    role::Entropy,
    wire::local::{Handover, Key, KeyFault, Outcome, message::GameIds},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep_until, timeout},
};

use crate::{drive::OsEntropy, peer};

/// Bytes read at once.
const CHUNK: usize = 4_096;
/// A peer that takes none of what is written for this long is as good as gone.
const WRITE_MAX: Duration = Duration::from_secs(5);
/// A closed connection may take this long to end on the other side.
const LINGER: Duration = Duration::from_secs(1);
/// Notices and orders that may wait for each other.
const QUEUE: usize = 256;

/// One end of a connection, as the loop sees it.
trait End: Send {
    type Order: Send;
    type Notice: Send;
    fn step(&mut self, input: Input<'_, Self::Order>, random: [u8; 16], out: &mut Effects<Self::Notice>);
    /// Passes a notice on. Whether somebody took it.
    fn tell(&mut self, notice: Self::Notice) -> bool;
}

type Effects<N> = Vec<LinkEffect<N>>;

enum Input<'a, O> {
    Opened,
    Received(&'a [u8]),
    Fired(LinkTimer),
    Ended,
    Order(O),
    Quit,
}

/// What a connection's loop holds beside its socket.
struct Line<E: End> {
    end: E,
    timers: BTreeMap<LinkTimer, Instant>,
    entropy: OsEntropy,
}

impl<E: End> Line<E> {
    /// One event and all that follows from it. Whether the connection goes on.
    async fn feed(&mut self, stream: &mut TcpStream, input: Input<'_, E::Order>) -> bool {
        let mut out = Vec::new();
        self.end.step(input, self.entropy.bits(), &mut out);
        let mut goes_on = true;
        for effect in out {
            match effect {
                LinkEffect::Send(bytes) => {
                    let written = timeout(WRITE_MAX, stream.write_all(&bytes)).await;
                    goes_on &= matches!(written, Ok(Ok(())));
                }
                LinkEffect::Close => goes_on = false,
                LinkEffect::Arm(timer, after) => {
                    self.timers.insert(timer, Instant::now() + after);
                }
                LinkEffect::Disarm(timer) => {
                    self.timers.remove(&timer);
                }
                LinkEffect::Tell(notice) => goes_on &= self.end.tell(notice),
            }
        }
        goes_on
    }
}

/// Runs a connection to its end.
async fn run<E: End>(mut stream: TcpStream, end: E, mut orders: mpsc::Receiver<E::Order>) {
    // Messages are small and somebody waits for each.
    let _ = stream.set_nodelay(true);
    let mut line = Line { end, timers: BTreeMap::new(), entropy: OsEntropy::new() };
    let mut chunk = [0; CHUNK];
    let mut goes_on = line.feed(&mut stream, Input::Opened).await;
    while goes_on {
        let timer = line.timers.iter().min_by_key(|(name, at)| (**at, **name)).map(|(n, at)| (*n, *at));
        let due = timer.map_or_else(|| Instant::now() + Duration::from_secs(3600), |(_, at)| at);
        goes_on = tokio::select! {
            read = stream.read(&mut chunk) => match read {
                Ok(n) if n > 0 => line.feed(&mut stream, Input::Received(chunk.get(..n).unwrap_or_default())).await,
                Ok(_) | Err(_) => line.feed(&mut stream, Input::Ended).await,
            },
            order = orders.recv() => match order {
                Some(order) => line.feed(&mut stream, Input::Order(order)).await,
                None => line.feed(&mut stream, Input::Quit).await,
            },
            () = sleep_until(due) => match timer {
                Some((name, _)) => {
                    line.timers.remove(&name);
                    line.feed(&mut stream, Input::Fired(name)).await
                }
                None => true,
            },
        };
    }
    // Whatever the machine has not heard of yet.
    line.feed(&mut stream, Input::Ended).await;
    // What is written arrives only if the other end's last bytes are read.
    let _ = stream.shutdown().await;
    let _ = timeout(LINGER, async { while matches!(stream.read(&mut chunk).await, Ok(n) if n > 0) {} }).await;
}

/// A game's end of the link. Dropped, it ends the connection.
#[derive(Debug)]
pub struct GameLink {
    orders: mpsc::Sender<Outcome>,
    notices: mpsc::Receiver<GameNotice>,
    task: JoinHandle<()>,
}

struct GameEnd {
    link: LauncherLink,
    notices: mpsc::Sender<GameNotice>,
}

impl End for GameEnd {
    type Order = Outcome;
    type Notice = GameNotice;

    fn step(&mut self, input: Input<'_, Outcome>, random: [u8; 16], out: &mut Effects<GameNotice>) {
        let event = match input {
            Input::Opened => GameEvent::Opened,
            Input::Received(bytes) => GameEvent::Received(bytes),
            Input::Fired(timer) => GameEvent::Fired(timer),
            Input::Ended => GameEvent::Ended,
            Input::Order(outcome) => GameEvent::Report(outcome),
            Input::Quit => GameEvent::Quit,
        };
        self.link.step(event, random, out);
    }

    fn tell(&mut self, notice: GameNotice) -> bool {
        self.notices.try_send(notice).is_ok()
    }
}

impl GameLink {
    /// Connects to the launcher that started this game, at the port that it told.
    ///
    /// # Errors
    /// If nobody listens there.
    pub async fn connect(port: u16, link: LauncherLink) -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        let (orders, ordered) = mpsc::channel(QUEUE);
        let (told, notices) = mpsc::channel(QUEUE);
        let task = tokio::spawn(run(stream, GameEnd { link, notices: told }, ordered));
        Ok(Self { orders, notices, task })
    }

    /// What happens next; nothing more after the connection is over.
    pub async fn next(&mut self) -> Option<GameNotice> {
        self.notices.recv().await
    }

    /// Tells the launcher what came of the login. Whether the connection still is.
    pub async fn report(&self, outcome: Outcome) -> bool {
        self.orders.send(outcome).await.is_ok()
    }

    /// Ends the connection, after what was reported.
    pub async fn close(self) {
        drop((self.orders, self.notices));
        // A task that has panicked has no connection any more.
        let _ = self.task.await;
    }
}

/// A launcher's end: all its connections. Dropped, it ends them.
#[derive(Debug)]
pub struct LauncherServer {
    addr: SocketAddr,
    shared: Arc<Shared>,
    notices: mpsc::Receiver<(ConnId, LauncherNotice)>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    launcher: Mutex<Launcher>,
    /// How each connection is told what to do.
    orders: Mutex<BTreeMap<ConnId, mpsc::Sender<Handover>>>,
    last: AtomicU64,
}

impl Shared {
    fn launcher(&self) -> MutexGuard<'_, Launcher> {
        // No step leaves the launcher half done.
        self.launcher.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn orders(&self) -> MutexGuard<'_, BTreeMap<ConnId, mpsc::Sender<Handover>>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct LauncherEnd {
    conn: ConnId,
    shared: Arc<Shared>,
    notices: mpsc::Sender<(ConnId, LauncherNotice)>,
}

impl End for LauncherEnd {
    type Order = Handover;
    type Notice = LauncherNotice;

    fn step(&mut self, input: Input<'_, Handover>, random: [u8; 16], out: &mut Effects<LauncherNotice>) {
        let event = match input {
            Input::Opened => LauncherEvent::Opened,
            Input::Received(bytes) => LauncherEvent::Received(bytes),
            Input::Fired(timer) => LauncherEvent::Fired(timer),
            Input::Ended => LauncherEvent::Ended,
            Input::Order(payload) => LauncherEvent::Payload(payload),
            Input::Quit => LauncherEvent::Quit,
        };
        self.shared.launcher().step(self.conn, event, random, out);
    }

    fn tell(&mut self, notice: LauncherNotice) -> bool {
        self.notices.try_send((self.conn, notice)).is_ok()
    }
}

impl LauncherServer {
    /// Listens on a free port of loopback. The run's id is drawn at random.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] if the key does not fit the cipher; what the system says if there is no port.
    pub async fn start(settings: LinkSettings, key: &Key) -> io::Result<Self> {
        let run: String = OsEntropy::new().bits().iter().map(|byte| format!("{byte:02x}")).collect();
        let unfit = |fault: KeyFault| io::Error::new(io::ErrorKind::InvalidInput, fault);
        let launcher = Launcher::new(settings, &run, key).map_err(unfit)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let (told, notices) = mpsc::channel(QUEUE);
        let shared = Arc::new(Shared {
            launcher: Mutex::new(launcher),
            orders: Mutex::default(),
            last: AtomicU64::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared), told));
        Ok(Self { addr, shared, notices, accepting })
    }

    /// Where it listens: the port is what a game is started with.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits for a game that is being started. Whether there was a place for it.
    pub fn expect(&self, launch: Launch) -> bool {
        self.shared.launcher().expect(launch)
    }

    /// A game has ended before it connected. Whether it was waited for.
    pub fn forget(&self, game: &GameIds) -> bool {
        self.shared.launcher().forget(game)
    }

    /// What happens next, and on which connection.
    pub async fn next(&mut self) -> Option<(ConnId, LauncherNotice)> {
        self.notices.recv().await
    }

    /// Hands the platform's answer to a game, byte for byte. Whether the connection still is.
    pub fn hand_over(&self, conn: ConnId, payload: Handover) -> bool {
        self.shared.orders().get(&conn).is_some_and(|orders| orders.try_send(payload).is_ok())
    }

    /// Accepts nobody any more and ends every connection, after what was sent.
    pub async fn close(self) {
        self.shared.orders().clear();
        let Self { notices, mut accepting, .. } = self;
        drop(notices);
        // All connections have been told; one that does not end in time is cut off.
        if timeout(LINGER * 2, &mut accepting).await.is_err() {
            accepting.abort();
        }
    }
}

/// Accepts games until nobody hears of them.
async fn accept(listener: TcpListener, shared: Arc<Shared>, notices: mpsc::Sender<(ConnId, LauncherNotice)>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // One above the machine's bound, so that it is the machine that refuses.
            (stream, _) = peer::accept(&listener), if connections.len() <= LINKS_MAX => {
                let conn = ConnId(shared.last.fetch_add(1, Ordering::Relaxed) + 1);
                let (orders, ordered) = mpsc::channel(QUEUE);
                shared.orders().insert(conn, orders);
                let end = LauncherEnd { conn, shared: Arc::clone(&shared), notices: notices.clone() };
                let shared = Arc::clone(&shared);
                connections.spawn(async move {
                    run(stream, end, ordered).await;
                    shared.orders().remove(&conn);
                });
            }
            Some(_) = connections.join_next() => {}
            () = notices.closed() => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}
