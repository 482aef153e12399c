//! A whole server in one value: [`Server::start`] and [`Running::shutdown`].

use std::{
    fmt,
    fs::{File, TryLockError},
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use gatepass_core::{
    ids::{Generation, ServerId},
    role::{Command, Entropy, Event, Settings},
    text::Endpoint,
    verify::verifier::Verifiers,
};
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    accounts::{AccountsPort, LaneLimits, Lanes},
    admin::{self, Admin},
    center, codec,
    config::{Config, Cost, Part},
    drive::{Node, Origin, OsEntropy, RoleId},
    game::{Game, Lounge},
    gamecloud::{Gamecloud, Parts, Side},
    gate::{Gate, GateLimits},
    http::{self, HttpTimes},
    key::SharedKey,
    metrics::Metrics,
    peer::{self, LINGER},
    record::{Aliases, Recording, StoreKind, Witnessed},
    service::{self, Services},
    shell::{Outside, Shell},
    store::{SqliteAccounts, StoreError},
    tcp, udp, used,
};

/// Tries to find a free port for both TCP and UDP.
const PORT_TRIES: usize = 16;
/// Time for the rest of a drained server's connections to end.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// What an HTTP front waits beyond the LoginServer's own limit.
const REPLY_SLACK: Duration = Duration::from_secs(2);

/// Why a server did not start.
#[derive(Debug)]
pub enum StartError {
    /// The configuration contradicts itself.
    Config(String),
    /// An address cannot be had.
    Listen {
        /// Whose.
        role: &'static str,
        /// Which.
        addr: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The account store does not open.
    Store(String),
    /// Threads could not be started.
    Threads(io::Error),
    /// Nothing can be recorded there.
    Record(PathBuf, io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(why) => f.write_str(why),
            Self::Listen { role, addr, error } => write!(f, "cannot listen on {addr} for {role}: {error}"),
            Self::Store(why) => write!(f, "cannot open the account store: {why}"),
            Self::Threads(error) => write!(f, "cannot start threads: {error}"),
            Self::Record(dir, error) => write!(f, "cannot record into {}: {error}", dir.display()),
        }
    }
}

impl std::error::Error for StartError {}

/// The addresses a server listens on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// The LoginServer.
    pub http: Option<SocketAddr>,
    /// The RoomServer, TCP and UDP.
    pub room: Option<SocketAddr>,
    /// RCenter, for RoomServers.
    pub center: Option<SocketAddr>,
    /// Services, for other processes.
    pub service: Option<SocketAddr>,
    /// Operators.
    pub admin: Option<SocketAddr>,
    /// gamecloud's logic server.
    pub gamecloud: Option<SocketAddr>,
    /// gamecloud's Index.
    pub index: Option<SocketAddr>,
}

impl Addresses {
    /// Each address with its name, the operators' last.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        [
            ("login", self.http),
            ("room", self.room),
            ("center", self.center),
            ("service", self.service),
            ("gamecloud", self.gamecloud),
            ("index", self.index),
            ("admin", self.admin),
        ]
        .into_iter()
        .filter_map(|(name, addr)| Some((name, addr?)))
    }
}

/// Starts servers.
#[derive(Debug)]
pub struct Server;

/// A server that runs.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub addresses: Addresses,
    shell: Arc<Shell>,
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
    gates: Vec<Arc<Gate>>,
    drain: Duration,
    has_room: bool,
    recording: Option<Recording>,
    services: Vec<Arc<service::Client>>,
    /// Where the cache of this process keeps what was used, when it ends.
    memory: Option<Arc<SqliteAccounts>>,
    /// Held as long as the cache of this process may answer.
    _lock: Option<File>,
}

impl Server {
    /// Starts a server with the lounge as its game.
    ///
    /// # Errors
    /// If the configuration contradicts itself, or something it needs cannot be had.
    pub async fn start(config: Config) -> Result<Running, StartError> {
        let lounge = Lounge::new(config.voice_address.clone());
        Self::start_with(config, Box::new(lounge)).await
    }

    /// Starts a server with a game.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start_with(config: Config, game: Box<dyn Game>) -> Result<Running, StartError> {
        Self::start_verifying(config, game, Verifiers::new()).await
    }

    /// Starts a server with a game, and with verifiers for gamecloud's players besides the original's.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start_verifying(
        config: Config,
        game: Box<dyn Game>,
        verifiers: Verifiers,
    ) -> Result<Running, StartError> {
        config.check().map_err(StartError::Config)?;
        let mut listeners = Listeners::bind(&config).await?;
        let addresses = listeners.addresses;
        let gamecloud = listeners.gamecloud.take();
        let policy = config.policy().map_err(StartError::Config)?;
        let settings = Settings { policy, times: config.times.clone(), capacity: config.capacity.clone() };
        let lock = lock_database(&config)?;
        let store = open_store(&config)?;
        let mut entropy = OsEntropy::new();
        let origin = origin(&config, store.as_deref(), addresses.room, &mut entropy)?;
        let key = SharedKey::new(&config.shared_key);
        let recording = record(&config, &key, &settings, &origin)?;
        let services = Services::new(
            key.clone(),
            config.service(Part::Cache),
            config.service(Part::Center),
            config.service(Part::Accounts),
        );
        let clients = services.clients().to_vec();
        let metrics = Arc::new(Metrics::verified_by(&verifiers.names().collect::<Vec<_>>()));
        let outside = Outside { services, game, metrics: Arc::clone(&metrics) };
        let mut node = Node::new(settings, origin.roles(), entropy);
        if let Some(recording) = &recording {
            node.record(recording.tape());
        }
        let memory = store.clone().filter(|_| config.runs(Part::Cache));
        let witness = recording.as_ref().map(Recording::recorder);
        let shell = Shell::new(node, outside, |shell| {
            let Some(store) = store else { return Ok(None) };
            let store: Arc<dyn AccountsPort> = match witness {
                Some(witness) => Arc::new(Witnessed::new(store, witness)),
                None => store,
            };
            let done = move |waiter, outcome| {
                // A process that has ended asks for nothing any more.
                if let Some(shell) = shell.upgrade() {
                    shell.answered(waiter, outcome);
                }
            };
            Lanes::start(store, lane_limits(&config), metrics, done).map(Some)
        })
        .map_err(StartError::Threads)?;

        let (stop, stopped) = watch::channel(false);
        let mut running = Running {
            addresses,
            shell: Arc::clone(&shell),
            tasks: JoinSet::new(),
            stop,
            gates: Vec::new(),
            drain: config.times.drain,
            has_room: config.runs(Part::Room),
            recording,
            services: clients.clone(),
            memory,
            _lock: lock,
        };
        running.recall(&config)?;
        running.spawn(&config, listeners, clients, &key, stopped.clone());
        if let Some(listeners) = gamecloud {
            running.spawn_gamecloud(&config, listeners, &key, verifiers, &stopped)?;
        }
        Ok(running)
    }
}

impl Running {
    /// The cache hears what was used before it began.
    fn recall(&self, config: &Config) -> Result<(), StartError> {
        let Some(store) = &self.memory else { return Ok(()) };
        let whole = used::recall(&self.shell, store).map_err(|error| StartError::Store(error.to_string()))?;
        if !whole {
            tracing::warn!(
                refused_for = ?config.times.payload_memory(),
                "the last process did not end in order: signed logins are refused until whatever it took is too old"
            );
        }
        Ok(())
    }

    fn spawn(
        &mut self,
        config: &Config,
        listeners: Listeners,
        clients: Vec<Arc<service::Client>>,
        key: &SharedKey,
        stopped: watch::Receiver<bool>,
    ) {
        let shell = &self.shell;
        let tasks = &mut self.tasks;
        if let Some(udp) = listeners.udp {
            let udp = Arc::new(udp);
            shell.set_udp(Arc::clone(&udp));
            tasks.spawn(udp::serve(udp, Arc::clone(shell)));
        }
        // Links first, so that what the roles ask when they start finds them trying.
        for client in &clients {
            tasks.spawn(Arc::clone(client).run(key.clone(), Arc::clone(shell)));
        }
        shell.start();
        tasks.spawn(Arc::clone(shell).run_timers());
        tasks.spawn(admin::upkeep(Arc::clone(shell)));
        let limits = config.gate();
        let mut admin = Admin { shell: Arc::clone(shell), services: clients, http: None, room: None };
        if let Some(listener) = listeners.http {
            let gate = Gate::new(limits);
            admin.http = Some(Arc::clone(&gate));
            self.gates.push(Arc::clone(&gate));
            let times = HttpTimes { head: config.http_idle, request: config.times.request + REPLY_SLACK };
            let games = config.gtarcade.games(config.http_listen);
            tasks.spawn(http::serve(listener, gate, Arc::clone(shell), times, games, stopped));
        }
        if let Some(listener) = listeners.room {
            let gate = Gate::new(limits);
            admin.room = Some(Arc::clone(&gate));
            self.gates.push(Arc::clone(&gate));
            tasks.spawn(tcp::serve(listener, gate, Arc::clone(shell)));
        }
        if let Some(listener) = listeners.center {
            tasks.spawn(center::serve(listener, Gate::new(limits), Arc::clone(shell), key.clone()));
        }
        if let Some(listener) = listeners.service {
            tasks.spawn(service::serve(listener, Gate::new(limits), Arc::clone(shell), key.clone()));
        }
        if config.runs(Part::Room)
            && !config.runs(Part::Center)
            && let Some(address) = config.center.clone()
        {
            tasks.spawn(center::connect(address, Arc::clone(shell)));
        }
        let limits = GateLimits { connections: admin::CONNECTIONS_MAX, ..limits };
        tasks.spawn(admin::serve(listeners.admin, Gate::new(limits), admin));
    }

    fn spawn_gamecloud(
        &mut self,
        config: &Config,
        [(logic, addr), (index, index_addr)]: [(TcpListener, SocketAddr); 2],
        key: &SharedKey,
        verifiers: Verifiers,
        stopped: &watch::Receiver<bool>,
    ) -> Result<(), StartError> {
        let gates: [_; 3] = std::array::from_fn(|_| Gate::new(config.gate()));
        self.gates.extend(gates.iter().cloned());
        let [players, askers, sockets] = gates;
        let parts = Parts {
            shell: Arc::clone(&self.shell),
            config: &config.gamecloud,
            times: &config.times,
            key,
            verifiers,
            http: HttpTimes { head: config.http_idle, request: config.times.request + REPLY_SLACK },
            logic: addr,
            index: index_addr,
            askers: Arc::clone(&askers),
            sockets,
        };
        let gamecloud = Gamecloud::new(parts).map_err(StartError::Config)?;
        let tasks = &mut self.tasks;
        tasks.spawn(Arc::clone(&gamecloud).serve(Side::Logic, logic, players, stopped.clone()));
        tasks.spawn(Arc::clone(&gamecloud).serve(Side::Index, index, askers, stopped.clone()));
        tasks.spawn(Arc::clone(&gamecloud).upkeep(stopped.clone()));
        tasks.spawn(gamecloud.look_around());
        Ok(())
    }

    /// Waits until this server can not go on: a role has broken its own invariant.
    pub async fn failed(&mut self) {
        // No task of a server ends by itself.
        self.tasks.join_next().await;
    }

    /// Ends in an orderly way: not ready, no new logins, RoomServer drained or its time over, then everything
    /// closed.
    pub async fn shutdown(mut self) {
        self.shell.set_draining();
        for role in [RoleId::Login, RoleId::Room] {
            self.shell.feed(role, Event::Command(Command::Drain));
        }
        if self.has_room {
            // The RoomServer ends its drain itself; this limit is for a role that does not.
            let _ = timeout(self.drain + REPLY_SLACK, self.shell.drained()).await;
        }
        // Without a receiver there is no connection to stop.
        let _ = self.stop.send(true);
        self.shell.close_all();
        let inside = |gates: &[Arc<Gate>]| gates.iter().map(|gate| gate.inside()).sum::<usize>();
        let closing = async {
            while inside(&self.gates) > 0 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        // What this server released, or resigned, others wait for.
        let telling = async {
            for service in &self.services {
                service.close().await;
            }
        };
        let _ = timeout(LAST_WORDS, telling).await;
        // Players who stay connected without a session get no more than their last words.
        let _ = timeout(if self.has_room { LINGER + LAST_WORDS } else { LAST_WORDS }, closing).await;
        self.tasks.shutdown().await;
        if let Some(store) = self.memory.take() {
            let shell = Arc::clone(&self.shell);
            let kept = tokio::task::spawn_blocking(move || used::keep(&shell, &store)).await;
            if !matches!(kept, Ok(Ok(()))) {
                tracing::error!(
                    "what was used by signed logins could not be kept: the next process will refuse them for a while"
                );
            }
        }
        if let Some(recording) = self.recording.take() {
            recording.close();
        }
    }
}

/// Sockets that are bound before anything starts.
struct Listeners {
    addresses: Addresses,
    http: Option<TcpListener>,
    room: Option<TcpListener>,
    udp: Option<UdpSocket>,
    center: Option<TcpListener>,
    service: Option<TcpListener>,
    admin: TcpListener,
    /// The logic server's and the Index's, with their addresses.
    gamecloud: Option<[(TcpListener, SocketAddr); 2]>,
}

impl Listeners {
    async fn bind(config: &Config) -> Result<Self, StartError> {
        let here = |part, addr| if config.runs(part) { addr } else { None };
        let (http, http_addr) = listen("login", here(Part::Login, Some(config.http_listen)))?;
        let (room, udp) = match here(Part::Room, Some(config.room_listen)) {
            Some(addr) => {
                let error = |error| StartError::Listen { role: "room", addr, error };
                let (tcp, udp) = listen_both(addr).await.map_err(error)?;
                (Some(tcp), Some(udp))
            }
            None => (None, None),
        };
        let (center, center_addr) = listen("center", here(Part::Center, config.center_listen))?;
        let serves = [Part::Cache, Part::Accounts, Part::Center].iter().any(|part| config.runs(*part));
        let (service, service_addr) = listen("service", config.service_listen.filter(|_| serves))?;
        let (admin, admin_addr) = listen("admin", Some(config.admin_listen))?;
        let Some(admin) = admin else {
            return Err(StartError::Config("there is always an operator's port".into()));
        };
        let gamecloud = match here(Part::Login, Some(config.http_listen))
            .and_then(|http| config.gamecloud.listens(http))
        {
            Some((logic, index)) => Some([listen_at("gamecloud", logic)?, listen_at("index", index)?]),
            None => None,
        };
        let beside = |place: usize| gamecloud.as_ref().and_then(|it| it.get(place)).map(|(_, addr)| *addr);
        let addresses = Addresses {
            gamecloud: beside(0),
            index: beside(1),
            http: http_addr,
            room: room.as_ref().and_then(|room| room.local_addr().ok()),
            center: center_addr,
            service: service_addr,
            admin: admin_addr,
        };
        Ok(Self { addresses, http, room, udp, center, service, admin, gamecloud })
    }
}

type Bound = (Option<TcpListener>, Option<SocketAddr>);

fn listen(role: &'static str, addr: Option<SocketAddr>) -> Result<Bound, StartError> {
    let Some(addr) = addr else { return Ok((None, None)) };
    listen_at(role, addr).map(|(listener, bound)| (Some(listener), Some(bound)))
}

fn listen_at(role: &'static str, addr: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let error = |error| StartError::Listen { role, addr, error };
    let listener = peer::listen(addr).map_err(error)?;
    let bound = listener.local_addr().map_err(error)?;
    Ok((listener, bound))
}

/// TCP and UDP on the same port; a free one of both kinds if none is named.
async fn listen_both(addr: SocketAddr) -> io::Result<(TcpListener, UdpSocket)> {
    let mut last = None;
    for _ in 0..if addr.port() == 0 { PORT_TRIES } else { 1 } {
        let tcp = peer::listen(addr)?;
        match UdpSocket::bind(tcp.local_addr()?).await {
            Ok(udp) => return Ok((tcp, udp)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}

/// One cache for each database: two would grant every account twice. The lock ends with the process, however it
/// ends.
fn lock_database(config: &Config) -> Result<Option<File>, StartError> {
    if !config.runs(Part::Cache) || config.database == ":memory:" {
        return Ok(None);
    }
    let path = format!("{}.lock", config.database);
    let failed = |error| StartError::Store(format!("{path}: {error}"));
    let file = File::options().create(true).write(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(StartError::Store(format!(
            "another process runs a cache on {} and holds {path}: end it first, or name another file with --database",
            config.database
        ))),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn open_store(config: &Config) -> Result<Option<Arc<SqliteAccounts>>, StartError> {
    if !config.runs(Part::Accounts) {
        return Ok(None);
    }
    let failed = |error: StoreError| StartError::Store(error.to_string());
    let store = SqliteAccounts::open(&config.database, config.hash_cost.hash_cost()).map_err(failed)?;
    let store = match config.remember_passwords {
        Some(lasts) => store.remembering(lasts).map_err(failed)?,
        None => store,
    };
    Ok(Some(Arc::new(store)))
}

fn lane_limits(config: &Config) -> LaneLimits {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    LaneLimits {
        threads: config.password_threads.unwrap_or(cores),
        queue: config.password_queue,
        inline: config.hash_cost == Cost::Test,
    }
}

fn origin(
    config: &Config,
    store: Option<&SqliteAccounts>,
    room: Option<SocketAddr>,
    entropy: &mut OsEntropy,
) -> Result<Origin, StartError> {
    let cache = match store {
        Some(store) if config.runs(Part::Cache) => {
            let failed = |error: StoreError| StartError::Store(error.to_string());
            // Only servers of other processes can have outlived the cache's memory.
            let grace = config.service_listen.is_some() && store.has_generations().map_err(failed)?;
            let generation = store.next_generation().map_err(failed)?;
            Some((Generation(generation), grace))
        }
        _ => None,
    };
    let room = match room {
        Some(bound) => Some((new_server_id(entropy), endpoint(config, bound)?)),
        None => None,
    };
    Ok(Origin { cache, center: config.runs(Part::Center), login: config.runs(Part::Login), room })
}

/// Begins the recording, if there is to be one.
fn record(
    config: &Config,
    key: &SharedKey,
    settings: &Settings,
    origin: &Origin,
) -> Result<Option<Recording>, StartError> {
    let Some(dir) = &config.record else { return Ok(None) };
    let kind = if config.database == ":memory:" { StoreKind::InMemory } else { StoreKind::Durable };
    let store = config.runs(Part::Accounts).then_some(kind);
    let start = || {
        let aliases = if config.has_links() { Aliases::of_deployment(key) } else { Aliases::of_this_life() }?;
        Recording::start(dir, config.record_max_bytes, aliases, settings, origin, store)
    };
    start().map(Some).map_err(|error| StartError::Record(dir.clone(), error))
}

/// What clients are told of a RoomServer's address.
fn endpoint(config: &Config, bound: SocketAddr) -> Result<Endpoint, StartError> {
    let text = match &config.room_advertise {
        Some(text) => text.clone(),
        None if bound.ip().is_unspecified() => {
            return Err(StartError::Config(format!(
                "clients cannot be told to connect to {bound}: say where they find it with --room-advertise"
            )));
        }
        None => bound.to_string(),
    };
    let too_long = || StartError::Config(format!("room_advertise {text:?} is longer than 64 bytes"));
    codec::endpoint(&text).ok_or_else(too_long)
}

/// A new life's id; zero is nobody's.
fn new_server_id(entropy: &mut OsEntropy) -> ServerId {
    loop {
        let [a, b, c, d, e, f, g, h, ..] = entropy.bits();
        let id = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        if id != 0 {
            return ServerId(id);
        }
    }
}

#[cfg(test)]
mod tests;
