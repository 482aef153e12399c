//! `gatepass login`: one player from login to logout, step by step.

mod gtarcade;
mod takeover;

use std::{process::ExitCode, time::Duration};

use gatepass_adapters::{
    client::{Dial, Moment, Options, Trouble, What, play},
    gtarcade::{TEST_GAME, TEST_SIGN_KEY},
};
use gatepass_core::{
    client::{Outcome, Script},
    ids::{Addr, Payload},
    limits::Times,
    message::{Age, Credentials},
    refusal::Refusal,
    role::Settings,
    text::{Identity, Password, bounded, nickname},
    wire::proto::ErrorCode,
};
use serde_json::{Value, json};

use crate::shared::{aside, say, system::SystemArg};

/// The account of whoever names none.
const DEMO: (&str, &str) = ("demo", "demo-password");

const EXAMPLES: &str = "\
Examples:
  gatepass login                                   a demo account on this machine's server
  gatepass login --account ann --password s3cret --register
  gatepass login --guest 4730d114e32c13359a112ce6cc17eebbd2073944
  gatepass login --system gtarcade --account ann   launcher and game of GTarcade, with the test key
  gatepass login --system gamecloud --account ann  as a client of gamecloud: Index, signed set, login, room
  gatepass login --stay                            until Ctrl-C, then log out
  gatepass login --takeover --times 200            is a replaced client always told?

Exit code: 0 if everything went as it should, 1 if not, 2 for a mistake on the command line.";

/// Log in, enter a room, send heartbeats, log out: each step with its time.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// LoginServer to log in at.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8123", env = "GATEPASS_SERVER")]
    server: String,
    /// As whose client: mope's with a password, GTarcade's with a payload that its launcher hands over, or
    /// gamecloud's with a set that its servers sign.
    #[arg(long, value_enum, default_value_t = SystemArg::Mope)]
    system: SystemArg,
    /// gamecloud's Index.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8125", env = "GATEPASS_INDEX")]
    index: String,
    /// gamecloud's domain.
    #[arg(long, value_name = "DOMAIN", default_value = "official.IOS")]
    domain: String,
    /// GTarcade's game.
    #[arg(long, value_name = "ID", default_value = TEST_GAME)]
    game: String,
    /// The sign key of that game: this command is the platform, too.
    #[arg(long, value_name = "KEY", default_value = TEST_SIGN_KEY, env = "GATEPASS_SIGN_KEY", hide_env_values = true)]
    sign_key: String,
    /// Account name; without it a demo account, registered if need be.
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Its password.
    #[arg(long, value_name = "PASSWORD", env = "GATEPASS_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Log in as the guest of this device id instead.
    #[arg(long, value_name = "DEVICE", conflicts_with_all = ["account", "register"])]
    guest: Option<String>,
    /// Create the account if there is none of this name.
    #[arg(long)]
    register: bool,
    /// Nickname in the room; the account name if none is given.
    #[arg(long, value_name = "NAME")]
    nickname: Option<String>,
    /// Map to ask for.
    #[arg(long, value_name = "NUMBER", default_value_t = 1002)]
    scene: u32,
    /// Heartbeats before the logout.
    #[arg(long, value_name = "N", default_value_t = 3)]
    heartbeats: u16,
    /// Milliseconds between heartbeats.
    #[arg(long, value_name = "MS", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    every: u64,
    /// Stay in the room until Ctrl-C.
    #[arg(long, conflicts_with = "takeover")]
    stay: bool,
    /// Use one HTTP connection for both requests, unlike the original client.
    #[arg(long)]
    keep_alive: bool,
    /// Log the same account in twice, and check that the first client is told code 21 before it is closed.
    #[arg(long)]
    takeover: bool,
    /// How often.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "takeover",
          value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
    /// Print one JSON object per line.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: Args) -> ExitCode {
    let script = match args.script() {
        Ok(script) => script,
        Err(mistake) => {
            aside(format_args!("error: {mistake}"));
            return ExitCode::from(crate::USAGE);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            aside(format_args!("error: cannot start: {error}"));
            return ExitCode::from(crate::FAILED);
        }
    };
    let good = match args.system {
        SystemArg::Gtarcade => runtime.block_on(gtarcade::run(&args, script, args.platform_account())),
        _ if args.takeover => runtime.block_on(takeover::run(&args, &script)),
        SystemArg::Mope | SystemArg::Gamecloud => runtime.block_on(once(&args, script)),
    };
    if good { ExitCode::SUCCESS } else { ExitCode::from(crate::FAILED) }
}

impl Args {
    fn script(&self) -> Result<Script, &'static str> {
        let credentials = self.credentials()?;
        let name = match (&self.nickname, &credentials) {
            (Some(given), _) => nickname(given),
            (None, Credentials::Password { name, .. } | Credentials::Register { name, .. }) => nickname(name),
            (None, Credentials::Signed { identity, .. }) => nickname(&identity.subject),
            (None, Credentials::Guest { .. }) => nickname("guest"),
        };
        Ok(Script {
            credentials,
            addr: Addr::default(),
            scene: self.scene,
            name,
            heartbeats: if self.stay { None } else { Some(self.heartbeats) },
            retries: 0,
            resumes: false,
            cheat: None,
        })
    }

    fn credentials(&self) -> Result<Credentials, &'static str> {
        if self.system != SystemArg::Mope
            && (self.guest.is_some() || self.password.is_some() || self.register)
        {
            return Err(
                "--guest, --password and --register are for accounts of mope: others vouch for these players",
            );
        }
        if let Some(device) = &self.guest {
            let device = bounded(device).ok_or("a device id has at most 64 bytes")?;
            return Ok(Credentials::Guest { device });
        }
        let signed_for = match self.system {
            SystemArg::Mope => None,
            SystemArg::Gtarcade if self.takeover => {
                return Err("--takeover is for accounts with a password");
            }
            SystemArg::Gtarcade => Some(
                Identity::new("gtarcade", self.platform_account())
                    .ok_or("an account of the platform has 1 to 64 bytes without control characters")?,
            ),
            SystemArg::Gamecloud => Some(
                Identity::new(&self.domain, self.account.as_deref().unwrap_or(DEMO.0))
                    .ok_or("a domain has 1 to 32 bytes and an id 1 to 64, without control characters")?,
            ),
        };
        if let Some(identity) = signed_for {
            // Whoever is asked issues and judges what is signed; nothing of this is sent.
            let (payload, age, form) = (Payload::default(), Age::Fresh, None);
            return Ok(Credentials::Signed { identity, registers: true, payload, age, form });
        }
        let (account, password, register) = match (&self.account, &self.password) {
            (Some(account), Some(password)) => (account.as_str(), password.as_str(), self.register),
            (Some(_), None) => return Err("an account has a password: say it with --password"),
            (None, _) => (DEMO.0, DEMO.1, true),
        };
        let name = bounded(account).ok_or("an account name has at most 32 bytes")?;
        let password = Password::new(password).ok_or("a password has at most 64 bytes")?;
        Ok(if register {
            Credentials::Register { name, password }
        } else {
            Credentials::Password { name, password }
        })
    }

    fn platform_account(&self) -> &str {
        self.account.as_deref().unwrap_or(DEMO.0)
    }

    fn options(&self) -> Options {
        let times = Times { heartbeat: Duration::from_millis(self.every), ..Times::default() };
        Options {
            server: self.server.clone(),
            keep_alive: self.keep_alive,
            dial: Dial::default(),
            system: self.system.of(&self.index),
            settings: Settings { times, ..Settings::default() },
        }
    }
}

async fn once(args: &Args, script: Script) -> bool {
    let options = args.options();
    let mut refused = None;
    let outcome = play(script, &options, interrupted(), |moment| {
        if let What::Refused(refusal) = &moment.what {
            refused = Some(*refusal);
        }
        if args.json { say(as_json(&moment)) } else { show(&moment, &args.server) }
    })
    .await;
    if args.json {
        say(json!({ "event": "end", "outcome": outcome_name(outcome) }));
    } else if let Some(advice) = refused.and_then(|refused| advice(refused.why)) {
        aside(format_args!("hint: {advice}"));
    }
    outcome == Outcome::LoggedOut
}

/// Ready when somebody asks for a logout.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Without the signal nobody can.
        std::future::pending::<()>().await;
    }
}

/// A line for people.
fn show(moment: &Moment, server: &str) {
    let (step, detail) = match &moment.what {
        What::Located { server, newbie } => {
            ("locate", format!("logic server at {server}{}", if *newbie { ", new there" } else { "" }))
        }
        What::Issued { bytes } => ("issue", format!("a signed set, {bytes} bytes")),
        What::LoggedIn { account, name, newbie, password } => {
            let mut detail = format!("{account} {:?}{}", name.as_str(), if *newbie { ", new" } else { "" });
            if let Some(password) = password {
                // Told this once, and to nobody but the player.
                let clear = String::from_utf8_lossy(password.expose());
                detail = format!("{detail}, its password from now on: {clear}");
            }
            ("login", detail)
        }
        What::Assigned { endpoint, room, scene } => ("room", format!("{room} at {endpoint}, map {scene}")),
        What::Connected => ("connect", String::new()),
        What::Admitted { account, name } => ("enter", format!("{account} as {:?}", name.as_str())),
        What::Heartbeat => ("heartbeat", String::new()),
        What::LoggedOut => ("logout", String::new()),
        // Codes of gamecloud are four digits, and its own.
        What::Refused(refused) if refused.code >= 9_000 => {
            ("refused", format!("gamecloud's code {}", refused.code))
        }
        What::Refused(refused) => ("refused", format!("code {}", ErrorCode(refused.code))),
        What::Lost(trouble) => {
            aside(format_args!("error: {trouble}"));
            if let Trouble::Unreachable { endpoint, .. } = trouble {
                if endpoint == server {
                    aside("hint: is `gatepass serve` running there? --server names another one");
                } else {
                    aside(format_args!(
                        "hint: the LoginServer sends players to {endpoint}, which must be reachable here"
                    ));
                }
            }
            return;
        }
    };
    say(format!("{step:<10}{:>12}  {detail}", took(moment)).trim_end());
}

fn took(moment: &Moment) -> String {
    moment.took.map_or_else(String::new, |took| format!("{:.2} ms", took.as_secs_f64() * 1e3))
}

/// A line for programs.
fn as_json(moment: &Moment) -> Value {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let mut line = match &moment.what {
        What::Located { server, newbie } => json!({ "event": "located", "server": server, "newbie": newbie }),
        What::Issued { bytes } => json!({ "event": "issued", "bytes": bytes }),
        What::LoggedIn { account, name, newbie, password } => json!({
            "event": "logged_in", "account": account.0, "name": name.as_str(), "newbie": newbie,
            "password": password.as_ref().map(|password| String::from_utf8_lossy(password.expose())),
        }),
        What::Assigned { endpoint, room, scene } => json!({
            "event": "assigned", "endpoint": endpoint.as_str(), "room": room.0, "scene": scene,
        }),
        What::Connected => json!({ "event": "connected" }),
        What::Admitted { account, name } => json!({
            "event": "admitted", "account": account.0, "nickname": name.as_str(),
        }),
        What::Heartbeat => json!({ "event": "heartbeat" }),
        What::LoggedOut => json!({ "event": "logged_out" }),
        What::Refused(refused) => json!({ "event": "refused", "code": refused.code }),
        What::Lost(trouble) => json!({ "event": "lost", "error": trouble.to_string() }),
    };
    line["at_us"] = micros(moment.at).into();
    line["took_us"] = moment.took.map(micros).into();
    line
}

const fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Underway => "underway",
        Outcome::Live => "live",
        Outcome::LoggedOut => "logged_out",
        Outcome::Replaced => "replaced",
        Outcome::Refused(_) => "refused",
        Outcome::GaveUp => "gave_up",
    }
}

/// What a person can do about a refusal.
const fn advice(why: Refusal) -> Option<&'static str> {
    Some(match why {
        Refusal::WrongCredentials => "no such account, or the wrong password; --register creates an account",
        Refusal::NameTaken => "the account exists and has another password",
        Refusal::Malformed => {
            "names have 1 to 32 bytes without control characters, and a password is not empty"
        }
        Refusal::TooManyAttempts => "too many failed logins from this address: wait a little",
        Refusal::NoRoom => "no RoomServer has a free place, or none has registered yet",
        Refusal::Busy | Refusal::Unavailable => "the server cannot serve this now: try again",
        Refusal::BadSignature => "the server knows another key",
        Refusal::SignatureStale => "what was signed is too old, or its time is ahead: compare the clocks",
        Refusal::SignatureReplayed => "what was signed has been used: ask for another one",
        Refusal::SignatureDoubtful => {
            "the server has crashed lately, and does not know what was used before: try again in ten minutes"
        }
        Refusal::Replaced => "the account has been logged in elsewhere",
        _ => return None,
    })
}
