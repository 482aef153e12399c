//! `gatepass login --system gtarcade`: launcher and game in one, with a game's sign key in place of the platform.

use std::time::{Duration, Instant};

use gatepass_adapters::{
    client::{System, What, play},
    gtarcade::signed_response,
    launcher::{GameLink, LauncherServer},
};
use gatepass_core::{
    client::{Outcome, Script},
    launcher::{GameNotice, Launch, LauncherLink, LauncherNotice, LinkSettings},
    verify::gtarcade::SignKey,
    wire::local::{self, Handover, Key, KeyFormat, message::GameIds},
};
use serde_json::json;
use tokio::{sync::oneshot, time::timeout};

use super::{Args, advice, as_json, outcome_name, show};
use crate::shared::{aside, say};

/// The key of the local link; both ends are here.
const LINK_KEY: &str = "gatepass-test-16";
/// The server and the channel that the game is started for.
const STARTED_FOR: (&str, &str) = ("1", "503");
/// On loopback nothing of the link takes longer.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn run(args: &Args, script: Script, account: &str) -> bool {
    match linked(args, script, account).await {
        Ok(good) => good,
        Err(trouble) => {
            aside(format_args!("error: {trouble}"));
            false
        }
    }
}

/// A line about the local link.
fn tell(args: &Args, step: &str, since: Instant, detail: &str) {
    let took = since.elapsed();
    if args.json {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        say(json!({ "event": step, "detail": detail, "took_us": micros }));
    } else {
        say(format_args!("{step:<10}{:>12}  {detail}", format!("{:.2} ms", took.as_secs_f64() * 1e3)));
    }
}

async fn linked(args: &Args, script: Script, account: &str) -> Result<bool, String> {
    let started = Instant::now();
    let key = Key::parse(LINK_KEY, KeyFormat::Utf8).map_err(|fault| fault.to_string())?;
    let settings = LinkSettings { require_gcm: true, ..LinkSettings::default() };
    let (s_id, op_id) = STARTED_FOR;
    let game =
        GameIds { account: account.into(), g_id: args.game.clone(), s_id: s_id.into(), op_id: op_id.into() };
    let mut gcm = [0; 32];
    getrandom::fill(&mut gcm).map_err(|error| error.to_string())?;
    let gcm = Key::new(&gcm);

    let mut launcher = LauncherServer::start(settings, &key).await.map_err(|error| error.to_string())?;
    launcher.expect(Launch { game: game.clone(), gcm: Some(gcm.clone()) });
    let port = launcher.addr().port();
    tell(args, "launcher", started, &format!("game {} is started, port {port}", args.game));

    let (heard, result) = oneshot::channel();
    let (account, game_id, sign_key) = (account.to_owned(), args.game.clone(), SignKey::new(&args.sign_key));
    let launching = tokio::spawn(async move {
        let mut heard = Some(heard);
        while let Some((conn, notice)) = launcher.next().await {
            match notice {
                // Here a launcher asks the platform; this one has the key of the game itself.
                LauncherNotice::Associated { .. } => {
                    let response = signed_response(&account, &game_id, &sign_key);
                    launcher.hand_over(conn, Handover::new(&response));
                }
                LauncherNotice::Result(outcome) => {
                    if let Some(heard) = heard.take() {
                        // Nobody waits for it if the player has given up.
                        let _ = heard.send(outcome);
                    }
                }
                LauncherNotice::TooLong => {}
                LauncherNotice::Over(_) => break,
            }
        }
        launcher.close().await;
    });

    let link = LauncherLink::new(&settings, game, &key, Some(&gcm)).map_err(|fault| fault.to_string())?;
    let mut link = GameLink::connect(port, link).await.map_err(|error| error.to_string())?;
    let payload = timeout(PATIENCE, payload(args, &mut link, started)).await;
    let payload = payload.map_err(|_| "the launcher hands no payload over".to_owned())??;

    let mut options = args.options();
    options.system = System::Gtarcade { payload };
    // The launcher is told as soon as it is decided, not when the game is over.
    let (decided, decision) = oneshot::channel::<local::Outcome>();
    let reporting = tokio::spawn(async move {
        if let Ok(outcome) = decision.await {
            link.report(outcome).await;
        }
        link
    });
    let success = local::Outcome { errcode: 0, text: "success".into() };
    let (mut refused, mut decided) = (None, Some(decided));
    let outcome = play(script, &options, super::interrupted(), |moment| {
        match &moment.what {
            What::Refused(refusal) => refused = Some(*refusal),
            What::Admitted { .. } => {
                if let Some(decided) = decided.take() {
                    // It waits for nothing else.
                    let _ = decided.send(success.clone());
                }
            }
            _ => {}
        }
        if args.json { say(as_json(&moment)) } else { show(&moment, &args.server) }
    })
    .await;

    let asked = Instant::now();
    let told = match (decided, refused) {
        (None, _) => success,
        (Some(decided), refused) => {
            let failure = match refused {
                Some(refused) => {
                    local::Outcome { errcode: refused.code.into(), text: refused.why.name().into() }
                }
                None => local::Outcome { errcode: -1, text: "unreachable".into() },
            };
            let _ = decided.send(failure.clone());
            failure
        }
    };
    let link = reporting.await.map_err(|error| error.to_string())?;
    let known = timeout(PATIENCE, result).await.ok().and_then(Result::ok) == Some(told.clone());
    let knows = if known { "knows" } else { "does not know" };
    tell(args, "result", asked, &format!("errcode {}: the launcher {knows}", told.errcode));
    link.close().await;
    // Its connection is over, and so is the launcher.
    let _ = timeout(PATIENCE, launching).await;
    if args.json {
        say(json!({ "event": "end", "outcome": outcome_name(outcome) }));
    } else if let Some(advice) = refused.and_then(|refused| advice(refused.why)) {
        aside(format_args!("hint: {advice}"));
    }
    Ok(outcome == Outcome::LoggedOut && known)
}

/// Waits for what the game takes to its server.
async fn payload(args: &Args, link: &mut GameLink, since: Instant) -> Result<Handover, String> {
    loop {
        match link.next().await {
            Some(GameNotice::Linked { client_id, .. }) => {
                tell(args, "associate", since, &format!("client {client_id}"));
            }
            Some(GameNotice::Payload(payload)) => {
                tell(args, "payload", since, &format!("{} bytes", payload.expose().len()));
                return Ok(payload);
            }
            Some(GameNotice::WrongAccount | GameNotice::Foreign) => {}
            Some(GameNotice::Over(why)) => return Err(format!("the local link is over: {}", why.name())),
            None => return Err("the local link is over".into()),
        }
    }
}
