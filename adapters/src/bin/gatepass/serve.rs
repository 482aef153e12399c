//! `gatepass serve`: runs roles as servers until it is told to end.

use std::{io::Write as _, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::ValueEnum;
use gatepass_adapters::{
    config::{Config, Cost, DEFAULT_SHARED_KEY, LogFormat, Part, PolicyName},
    server::{Running, Server, StartError},
};
use gatepass_sim::misread::Misread;
use jiff::fmt::friendly::SpanParser;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{FAILED, USAGE, logging, shared::aside};

/// Run the login path: all roles in one process on loopback, or the roles you name.
///
/// Flags win over environment variables, those over the file given with --config, that over the defaults.
/// SIGTERM or SIGINT drains: not ready, no new logins, players finish or are closed when the drain time is over.
/// A second signal ends at once.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// TOML file with the configuration; unknown keys are errors
    #[arg(long, env = "GATEPASS_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Roles to run here: login, accounts, cache, center, room
    #[arg(long = "role", env = "GATEPASS_ROLE", value_delimiter = ',', value_name = "ROLE")]
    roles: Option<Vec<Part>>,
    /// Where clients log in over HTTP
    #[arg(long, env = "GATEPASS_HTTP_LISTEN", value_name = "ADDR")]
    http_listen: Option<SocketAddr>,
    /// Where players enter rooms, TCP and UDP
    #[arg(long, env = "GATEPASS_ROOM_LISTEN", value_name = "ADDR")]
    room_listen: Option<SocketAddr>,
    /// What clients are told instead of --room-listen
    #[arg(long, env = "GATEPASS_ROOM_ADVERTISE", value_name = "HOST:PORT")]
    room_advertise: Option<String>,
    /// What clients are told about voice
    #[arg(long, env = "GATEPASS_VOICE_ADDRESS", value_name = "HOST:PORT")]
    voice_address: Option<String>,
    /// Where RoomServers of other processes register
    #[arg(long, env = "GATEPASS_CENTER_LISTEN", value_name = "ADDR")]
    center_listen: Option<SocketAddr>,
    /// Where other processes ask the services of this one
    #[arg(long, env = "GATEPASS_SERVICE_LISTEN", value_name = "ADDR")]
    service_listen: Option<SocketAddr>,
    /// Take no links from other processes
    #[arg(long, env = "GATEPASS_NO_LINKS")]
    no_links: bool,
    /// Where operators find /livez, /readyz and /metrics
    #[arg(long, env = "GATEPASS_ADMIN_LISTEN", value_name = "ADDR")]
    admin_listen: Option<SocketAddr>,
    /// Where gamecloud's players log in [default: the port after --http-listen's, on loopback]
    #[arg(long, env = "GATEPASS_GAMECLOUD_LISTEN", value_name = "ADDR")]
    gamecloud_listen: Option<SocketAddr>,
    /// Where gamecloud's Index is [default: two ports after --http-listen's, on loopback]
    #[arg(long, env = "GATEPASS_INDEX_LISTEN", value_name = "ADDR")]
    index_listen: Option<SocketAddr>,
    /// File of accounts, or :memory:
    #[arg(long, env = "GATEPASS_DATABASE", value_name = "FILE")]
    database: Option<String>,
    /// Serve other processes from a database in memory: for tests, in which everything ends together
    #[arg(long, env = "GATEPASS_FORGETFUL_LINKS")]
    forgetful_links: bool,
    /// Process with the services that do not run here
    #[arg(long, env = "GATEPASS_SERVICES", value_name = "ADDR")]
    services: Option<String>,
    /// Process with the cache, if not at --services
    #[arg(long, env = "GATEPASS_CACHE", value_name = "ADDR")]
    cache: Option<String>,
    /// Process with the accounts, if not at --services
    #[arg(long, env = "GATEPASS_ACCOUNTS", value_name = "ADDR")]
    accounts: Option<String>,
    /// Process with RCenter for LoginServers, if not at --services
    #[arg(long, env = "GATEPASS_CENTER_SERVICE", value_name = "ADDR")]
    center_service: Option<String>,
    /// RCenter for this process' RoomServer
    #[arg(long, env = "GATEPASS_CENTER", value_name = "ADDR")]
    center: Option<String>,
    /// Key that all servers of a deployment share
    #[arg(long, env = "GATEPASS_SHARED_KEY", hide_env_values = true, value_name = "KEY")]
    shared_key: Option<String>,
    /// Rules to keep: strict, or a profile with known weaknesses
    #[arg(long, env = "GATEPASS_POLICY", value_name = "NAME")]
    policy: Option<String>,
    /// Allow a policy other than strict
    #[arg(long, env = "GATEPASS_ALLOW_UNSAFE_POLICY")]
    allow_unsafe_policy: bool,
    /// What a password hash costs
    #[arg(long, env = "GATEPASS_HASH_COST", value_enum)]
    hash_cost: Option<CostArg>,
    /// How long a password that was right is remembered, as in 10m: its player is then let in without hashing it again.
    /// Whoever reads this process' memory could guess at such passwords quickly [default: not at all]
    #[arg(long, env = "GATEPASS_REMEMBER_PASSWORDS", value_name = "TIME", value_parser = time)]
    remember_passwords: Option<Duration>,
    /// Threads that hash passwords [default: one per core]
    #[arg(long, env = "GATEPASS_PASSWORD_THREADS", value_name = "N")]
    password_threads: Option<usize>,
    /// Passwords that may wait to be hashed
    #[arg(long, env = "GATEPASS_PASSWORD_QUEUE", value_name = "N")]
    password_queue: Option<usize>,
    /// Connections of each listener
    #[arg(long, env = "GATEPASS_MAX_CONNECTIONS", value_name = "N")]
    max_connections: Option<usize>,
    /// Connections of each listener from one address [default: 64, no limit on loopback]
    #[arg(long, env = "GATEPASS_MAX_CONNECTIONS_PER_ADDRESS", value_name = "N")]
    max_connections_per_address: Option<u32>,
    /// Requests per second from one address [default: 50, no limit on loopback]
    #[arg(long, env = "GATEPASS_RATE_PER_ADDRESS", value_name = "N")]
    rate_per_address: Option<u32>,
    /// How long an HTTP connection may be idle, as in 30s
    #[arg(long, env = "GATEPASS_HTTP_IDLE", value_name = "TIME", value_parser = time)]
    http_idle: Option<Duration>,
    /// How long a drain may take, as in 20s or 5m
    #[arg(long, env = "GATEPASS_DRAIN", value_name = "TIME", value_parser = time)]
    drain: Option<Duration>,
    /// Players per room
    #[arg(long, env = "GATEPASS_ROOM_CAPACITY", value_name = "N")]
    room_capacity: Option<u16>,
    /// Players per RoomServer
    #[arg(long, env = "GATEPASS_SERVER_CAPACITY", value_name = "N")]
    server_capacity: Option<u32>,
    /// Record everything that happens, without secrets, into this directory; `verify-trace` checks it later
    #[arg(long, env = "GATEPASS_RECORD", value_name = "DIR")]
    record: Option<PathBuf>,
    /// Bytes that all recordings there may take together; then this one ends, the server goes on [default: 1 GiB]
    #[arg(long, env = "GATEPASS_RECORD_MAX_BYTES", value_name = "BYTES")]
    record_max_bytes: Option<u64>,
    /// How log lines look
    #[arg(long, env = "GATEPASS_LOG_FORMAT", value_enum)]
    log_format: Option<LogArg>,
    /// Threads of the server [default: one more than cores]
    #[arg(long, env = "GATEPASS_THREADS", value_name = "N")]
    threads: Option<usize>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CostArg {
    /// What real passwords need
    Default,
    /// Next to nothing, for load tests with made-up passwords
    Test,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogArg {
    Text,
    Json,
}

/// Runs the subcommand.
pub(crate) fn run(args: Args) -> ExitCode {
    let threads = args.threads;
    let config = match configure(args) {
        Ok(config) => config,
        Err(why) => {
            aside(format_args!("error: {why}"));
            return ExitCode::from(USAGE);
        }
    };
    logging::start(config.log_format);
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    // One more than cores: when a thread is set aside in the middle of a turn, another one goes on.
    let threads = threads.unwrap_or_else(|| 1 + std::thread::available_parallelism().map_or(1, usize::from));
    builder.worker_threads(threads.max(1));
    let runtime = match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            aside(format_args!("error: cannot start threads: {error}"));
            return ExitCode::from(FAILED);
        }
    };
    let code = runtime.block_on(serve(config));
    runtime.shutdown_timeout(Duration::from_millis(100));
    code
}

async fn serve(config: Config) -> ExitCode {
    warn(&config);
    tracing::info!(config = ?config, "starting");
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        aside("error: cannot listen for signals");
        return ExitCode::from(FAILED);
    };
    let mut running = match Server::start(config).await {
        Ok(running) => running,
        Err(error) => {
            aside(format_args!("error: {error}"));
            return ExitCode::from(if matches!(error, StartError::Config(_)) { USAGE } else { FAILED });
        }
    };
    for (role, addr) in running.addresses.iter() {
        // Whoever reads this may have stopped; players have not.
        let _ = writeln!(std::io::stdout(), "listening role={role} addr={addr}");
    }
    tokio::select! {
        () = running.failed() => {
            tracing::error!("a role has broken an invariant; nothing it says can be trusted any more");
            return ExitCode::from(FAILED);
        }
        () = either(&mut terminate, &mut interrupt) => {}
    }
    drain(running, &mut terminate, &mut interrupt).await
}

async fn drain(running: Running, terminate: &mut Signal, interrupt: &mut Signal) -> ExitCode {
    tracing::info!("draining; a second signal ends at once");
    tokio::select! {
        () = running.shutdown() => {
            tracing::info!("drained");
            ExitCode::SUCCESS
        }
        () = either(terminate, interrupt) => {
            tracing::warn!("ended before the drain was over");
            ExitCode::from(FAILED)
        }
    }
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

fn warn(config: &Config) {
    if config.shared_key == DEFAULT_SHARED_KEY {
        tracing::warn!(
            "the shared key is the default that everybody knows: set --shared-key before any link leaves this machine"
        );
    }
    if config.gtarcade.takes_test_key(config.http_listen) && config.runs(Part::Login) {
        tracing::warn!(
            "payloads of GTarcade's test game are taken, with a sign key that everybody knows: configure games before \
             anything forwards requests to this port"
        );
    }
    if config.hash_cost == Cost::Test {
        tracing::warn!("passwords are hashed at TEST COST: whoever reads the database knows them");
    }
    if config.policy.0 != "strict" {
        tracing::warn!(policy = %config.policy.0, "this policy has known weaknesses: sessions can be stolen or doubled");
    }
}

/// A length of time as people say it.
fn time(text: &str) -> Result<Duration, String> {
    SpanParser::new().parse_unsigned_duration(text).map_err(|error| error.to_string())
}

fn configure(args: Args) -> Result<Config, String> {
    let mut config = match &args.config {
        None => Config::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            toml::from_str(&text)
                .map_err(|error| format!("{}: {}", path.display(), Misread::new(&text, &error)))?
        }
    };
    let forgetful = args.forgetful_links;
    apply(args, &mut config);
    config.check()?;
    if config.runs(Part::Accounts)
        && config.service_listen.is_some()
        && config.database == ":memory:"
        && !forgetful
    {
        return Err(
            "the database is in memory: after a restart, servers of other processes would hold sessions of \
                    accounts that this one does not know; name a file with --database, or say --no-links"
                .into(),
        );
    }
    Ok(config)
}

/// Puts a value into its place if it is given.
fn put<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn apply(args: Args, config: &mut Config) {
    put(&mut config.roles, args.roles);
    put(&mut config.http_listen, args.http_listen);
    put(&mut config.room_listen, args.room_listen);
    put(&mut config.room_advertise, args.room_advertise.map(Some));
    put(&mut config.voice_address, args.voice_address);
    put(&mut config.center_listen, args.center_listen.map(Some));
    put(&mut config.service_listen, args.service_listen.map(Some));
    if args.no_links {
        config.center_listen = None;
        config.service_listen = None;
    }
    put(&mut config.admin_listen, args.admin_listen);
    put(&mut config.gamecloud.listen, args.gamecloud_listen.map(Some));
    put(&mut config.gamecloud.index_listen, args.index_listen.map(Some));
    put(&mut config.database, args.database);
    put(&mut config.services, args.services.map(Some));
    put(&mut config.cache, args.cache.map(Some));
    put(&mut config.accounts, args.accounts.map(Some));
    put(&mut config.center_service, args.center_service.map(Some));
    put(&mut config.center, args.center.map(Some));
    put(&mut config.shared_key, args.shared_key);
    put(&mut config.policy, args.policy.map(PolicyName));
    config.allow_unsafe_policy |= args.allow_unsafe_policy;
    let cost = args.hash_cost.map(|cost| match cost {
        CostArg::Default => Cost::Default,
        CostArg::Test => Cost::Test,
    });
    put(&mut config.hash_cost, cost);
    put(&mut config.remember_passwords, args.remember_passwords.map(Some));
    put(&mut config.password_threads, args.password_threads.map(Some));
    put(&mut config.password_queue, args.password_queue);
    put(&mut config.max_connections, args.max_connections);
    put(&mut config.max_connections_per_address, args.max_connections_per_address.map(Some));
    put(&mut config.rate_per_address, args.rate_per_address.map(Some));
    put(&mut config.http_idle, args.http_idle);
    put(&mut config.times.drain, args.drain);
    put(&mut config.capacity.room, args.room_capacity);
    put(&mut config.capacity.server, args.server_capacity);
    put(&mut config.record, args.record.map(Some));
    put(&mut config.record_max_bytes, args.record_max_bytes);
    let format = args.log_format.map(|format| match format {
        LogArg::Text => LogFormat::Text,
        LogArg::Json => LogFormat::Json,
    });
    put(&mut config.log_format, format);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_in_the_readme_can_be_served() {
        let page = include_str!("../../../../README.md");
        let blocks: Vec<&str> =
            page.split("```toml\n").skip(1).filter_map(|it| it.split("```").next()).collect();
        assert_eq!(blocks.len(), 1);
        let config: Config = toml::from_str(blocks[0]).expect("it reads");
        assert_eq!(config.check(), Ok(()));
        assert_eq!(config.times.renew, Duration::from_millis(2_500));
        // What is written can be read again.
        let written = toml::to_string(&config).expect("a configuration has a form in TOML");
        assert_eq!(toml::from_str::<Config>(&written), Ok(config));
        assert!(
            written.contains("http_idle = \"15s\"") && written.contains("session = \"12h\""),
            "{written}"
        );
    }
}
