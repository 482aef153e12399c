//! The load generator: many players, each of them logging in again and again, as fast as they are served.
//!
//! A closed loop: a player begins his next flow when the last one is over. One flow is a login with a password,
//! a room request and the entry into the room, complete with its answers. The bytes are those of the codecs and
//! of [`crate::client`]; the role is left out, so that the generator costs little beside the server it measures.

mod player;
mod tally;

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

pub use tally::Summary;

use crate::client::resolve;
use player::{Failure, Player};
use tally::{Tally, cpu_time};

/// The longest that a flow may take. One that takes longer has failed.
const FLOW_MAX: Duration = Duration::from_secs(10);
/// Registrations at once: hashing passwords is slow, and servers take only so many at a time.
const REGISTRATIONS: usize = 32;
/// A registration that a busy server refused is tried again after this time.
const AFTER_BUSY: Duration = Duration::from_millis(50);
/// A player whose flow failed waits this long, so that a server in trouble is not also flooded.
const AFTER_FAILURE: Duration = Duration::from_millis(5);

/// Which connections are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All of them: one HTTP connection and one room connection per player. On that he leaves his old place and
    /// enters the new one in one message, as a client that moves on: it waits for the logout and the login at once.
    Keep,
    /// One HTTP connection for both requests of a flow, then a new room connection.
    Session,
    /// None: a new connection for each of the three steps, as the original client.
    New,
}

impl Mode {
    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Session => "session",
            Self::New => "new",
        }
    }
}

/// What load to make.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The LoginServer, `host:port`.
    pub server: String,
    /// Players at once.
    pub players: usize,
    /// Accounts in all, at least one for each player; a player takes his own in turn.
    pub accounts: usize,
    /// How long is measured.
    pub measure: Duration,
    /// How long before that.
    pub warm_up: Duration,
    /// Which connections are kept.
    pub mode: Mode,
    /// The map that players ask for.
    pub scene: u32,
    /// What the names of the accounts begin with.
    pub prefix: String,
    /// The password of every account.
    pub password: String,
    /// As whose clients players log in.
    pub clients: Clients,
}

/// Whose clients players are. Those of GTarcade and gamecloud make a connection for each step of their login, whatever
/// the mode; what follows is the same for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clients {
    /// The original's: a name and a password.
    Mope,
    /// GTarcade's games, with payloads of the test game: servers take those on loopback only.
    Gtarcade,
    /// gamecloud's, in its domain `official.IOS`.
    Gamecloud {
        /// The Index, `host:port`.
        index: String,
    },
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Accounts are being registered.
    Registering {
        /// So many are.
        done: usize,
        /// Of so many.
        total: usize,
    },
    /// Players play, nothing is measured yet.
    WarmingUp,
    /// Players are measured.
    Measuring,
}

/// Why there is no result.
#[derive(Debug)]
pub enum LoadError {
    /// The plan makes no sense; says why.
    Plan(&'static str),
    /// The LoginServer cannot be reached.
    Unreachable(std::io::Error),
    /// An account could not be registered.
    Registration {
        /// Its name.
        account: String,
        /// Why not.
        why: String,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan(why) => f.write_str(why),
            Self::Unreachable(error) => error.fmt(f),
            Self::Registration { account, why } => write!(f, "registering {account}: {why}"),
        }
    }
}

impl std::error::Error for LoadError {}

/// What all players share.
struct Shared {
    plan: Plan,
    to: SocketAddr,
    phase: AtomicU8,
    registered: AtomicUsize,
    tally: Tally,
}

const WARM_UP: u8 = 0;
const MEASURE: u8 = 1;
const STOP: u8 = 2;

/// Makes the load and measures it. To be run on any tokio runtime; one thread is enough for one server.
///
/// # Errors
/// If the load could not be made at all. Flows that fail are part of the [`Summary`].
pub async fn run(plan: Plan, mut progress: impl FnMut(Progress)) -> Result<Summary, LoadError> {
    if plan.players == 0 {
        return Err(LoadError::Plan("at least one player is needed"));
    }
    if plan.accounts < plan.players {
        return Err(LoadError::Plan("each player needs an account of his own: fewer accounts than players"));
    }
    let to = resolve(&plan.server).await.map_err(LoadError::Unreachable)?;
    tokio::net::TcpStream::connect(to).await.map_err(LoadError::Unreachable)?;
    let shared = Arc::new(Shared {
        plan,
        to,
        phase: AtomicU8::new(WARM_UP),
        registered: AtomicUsize::new(0),
        tally: Tally::default(),
    });
    let players = register(&shared, &mut progress).await?;

    let mut tasks = JoinSet::new();
    for player in players {
        tasks.spawn(play(Arc::clone(&shared), player));
    }
    progress(Progress::WarmingUp);
    tokio::time::sleep(shared.plan.warm_up).await;
    progress(Progress::Measuring);
    let (begin, cpu) = (Instant::now(), cpu_time());
    shared.phase.store(MEASURE, Ordering::Relaxed);
    tokio::time::sleep(shared.plan.measure).await;
    shared.phase.store(STOP, Ordering::Relaxed);
    let measured = begin.elapsed();
    let cpu = cpu.zip(cpu_time()).map(|(before, after)| after.saturating_sub(before));
    while tasks.join_next().await.is_some() {}
    Ok(shared.tally.summary(&shared.plan, measured, cpu))
}

/// Registers every account, many players at once, each of them his own one after the other.
async fn register(
    shared: &Arc<Shared>,
    progress: &mut impl FnMut(Progress),
) -> Result<Vec<Player>, LoadError> {
    let total = shared.plan.accounts;
    let mut tasks = JoinSet::new();
    let turns = Arc::new(Semaphore::new(REGISTRATIONS));
    for id in 0..shared.plan.players {
        let (shared, turns) = (Arc::clone(shared), Arc::clone(&turns));
        tasks.spawn(async move {
            let mut player = Player::new(&shared.plan, shared.to, id);
            for index in 0..player.accounts() {
                // Never closed, so there is always a turn to wait for.
                let _turn = turns.acquire().await;
                match tokio::time::timeout(FLOW_MAX, register_one(&mut player, index)).await {
                    Ok(Ok(())) => shared.registered.fetch_add(1, Ordering::Relaxed),
                    Ok(Err(failure)) => return Err((player.account(index), failure.to_string())),
                    Err(_) => return Err((player.account(index), "timed out".to_owned())),
                };
            }
            Ok(player)
        });
    }
    let mut players = Vec::with_capacity(shared.plan.players);
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            joined = tasks.join_next() => match joined {
                Some(Ok(Ok(player))) => players.push(player),
                Some(Ok(Err((account, why)))) => return Err(LoadError::Registration { account, why }),
                Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                None => break,
            },
        }
        progress(Progress::Registering { done: shared.registered.load(Ordering::Relaxed), total });
    }
    Ok(players)
}

async fn register_one(player: &mut Player, index: usize) -> Result<(), Failure> {
    loop {
        match player.register(index).await {
            Err(failure) if failure.is_busy() => tokio::time::sleep(AFTER_BUSY).await,
            ended => return ended,
        }
    }
}

/// Plays until the end of the measurement.
async fn play(shared: Arc<Shared>, mut player: Player) {
    let mut number = 0;
    while shared.phase.load(Ordering::Relaxed) != STOP {
        let begin = Instant::now();
        let flow = tokio::time::timeout(FLOW_MAX, player.enter(number)).await;
        let took = begin.elapsed();
        let measured = shared.phase.load(Ordering::Relaxed) == MEASURE;
        number = number.wrapping_add(1);
        let flow = flow.unwrap_or_else(|_| Err(player.timed_out()));
        if flow.is_ok() {
            if measured {
                shared.tally.flow(took);
            }
            player.finish();
        }
        if let Err(failure) = flow {
            player.hang_up();
            if measured {
                shared.tally.failure(failure.to_string());
            }
            tokio::time::sleep(AFTER_FAILURE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::tests::{Room, serve};

    fn plan(server: &str, players: usize, accounts: usize) -> Plan {
        Plan {
            server: server.to_owned(),
            players,
            accounts,
            measure: Duration::from_millis(100),
            warm_up: Duration::ZERO,
            mode: Mode::Keep,
            scene: 1002,
            prefix: "load-".to_owned(),
            password: "load".to_owned(),
            clients: Clients::Mope,
        }
    }

    #[tokio::test]
    async fn every_mode_makes_whole_flows() {
        let server = serve(Room::Good, None).await;
        for mode in [Mode::Keep, Mode::Session, Mode::New] {
            let plan = Plan { mode, ..plan(&server.addr.to_string(), 3, 7) };
            let mut registered = 0;
            let summary = run(plan, |progress| {
                if let Progress::Registering { done, .. } = progress {
                    registered = done;
                }
            });
            let summary = summary.await.expect("runs");
            assert_eq!(summary.errors_by_reason, std::collections::BTreeMap::new(), "{mode:?}");
            assert!(summary.flows > 3 && summary.p50_us > 0, "{mode:?}: {summary:?}");
            assert_eq!(registered, 7, "{mode:?}");
        }
    }

    #[tokio::test]
    async fn refused_flows_are_counted_by_their_code() {
        for (room, refuse, reason) in [
            (Room::Good, Some(44), "login: refused with 44 (too many wrong passwords)"),
            (Room::Refuses, None, "entry: refused with 17 (verification failed)"),
            // Closed or reset: whichever this machine notices first.
            (Room::Closes, None, "entry: "),
        ] {
            let server = serve(room, refuse).await;
            let summary = run(plan(&server.addr.to_string(), 2, 2), |_| {}).await.expect("runs");
            assert_eq!(summary.flows, 0);
            assert!(summary.errors > 0);
            let named = summary.errors_by_reason.keys().all(|why| why.starts_with(reason));
            assert!(named, "{:?}", summary.errors_by_reason);
        }
    }

    #[tokio::test]
    async fn a_plan_without_an_account_for_each_player_is_refused() {
        let refused = run(plan("127.0.0.1:1", 4, 3), |_| {}).await;
        assert!(matches!(refused, Err(LoadError::Plan(_))));
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_an_error() {
        let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = nobody.local_addr().expect("bound").to_string();
        drop(nobody);
        assert!(matches!(run(plan(&server, 1, 1), |_| {}).await, Err(LoadError::Unreachable(_))));
    }

    #[tokio::test]
    async fn a_server_that_refuses_registration_is_named_with_its_account() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = listener.local_addr().expect("bound").to_string();
        let closing = tokio::spawn(async move { while listener.accept().await.is_ok() {} });
        let refused = run(plan(&server, 1, 1), |_| {}).await;
        assert!(matches!(refused, Err(LoadError::Registration { ref account, .. }) if account == "load-0"));
        closing.abort();
    }
}
