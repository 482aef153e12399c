//! `gatepass login --takeover`: the same account twice, and what the first client hears of it.

use std::time::{Duration, Instant};

use gatepass_adapters::client::{Options, What, play};
use gatepass_core::client::{Outcome, Script};
use serde_json::json;
use tokio::{sync::mpsc, time::timeout};

use super::Args;
use crate::shared::{aside, say};

/// The first client must have heard of its end this long after the second one left, at the latest.
const HEARD_MAX: Duration = Duration::from_secs(5);

/// What became of one takeover.
struct Takeover {
    /// The first client was told code 21 before its connection ended.
    told: bool,
    /// How long after the second client began.
    after: Option<Duration>,
    /// How long the second client took to be in the room.
    admitted: Option<Duration>,
    /// What happened instead.
    trouble: Option<String>,
}

pub(super) async fn run(args: &Args, script: &Script) -> bool {
    let options = args.options();
    let mut told = 0;
    for number in 1..=args.times {
        let takeover = once(script, &options).await;
        told += u32::from(takeover.told);
        show(args, number, &takeover);
        if takeover.admitted.is_none() {
            // No server, no account or no room: the next attempt would end the same way.
            return false;
        }
    }
    if args.json {
        say(json!({ "event": "end", "told": told, "of": args.times }));
    } else {
        say(format_args!("told code 21 before the close: {told} of {}", args.times));
    }
    told == args.times
}

async fn once(script: &Script, options: &Options) -> Takeover {
    let (sender, mut first_heard) = mpsc::unbounded_channel();
    let first = Script { heartbeats: None, ..script.clone() };
    let first_options = options.clone();
    let mut first = tokio::spawn(async move {
        play(first, &first_options, std::future::pending(), |moment| {
            // Nobody listens any more once the takeover is decided.
            let _ = sender.send((Instant::now(), moment.what));
        })
        .await
    });
    let mut trouble = None;
    loop {
        match first_heard.recv().await {
            Some((_, What::Admitted { .. })) => break,
            Some((_, what)) => trouble = describe(&what).or(trouble),
            None => {
                let trouble = trouble.map(|what| format!("the first client did not get in: {what}"));
                return Takeover { told: false, after: None, admitted: None, trouble };
            }
        }
    }

    let second = Script { heartbeats: Some(0), ..script.clone() };
    let (begin, mut admitted) = (Instant::now(), None);
    let second = play(second, options, std::future::pending(), |moment| match moment.what {
        What::Admitted { .. } => admitted = Some(begin.elapsed()),
        what => trouble = describe(&what).or(trouble.take()),
    });
    second.await;
    let outcome = timeout(HEARD_MAX, &mut first).await;
    first.abort();
    let mut after = None;
    while let Ok((at, what)) = first_heard.try_recv() {
        match what {
            What::Refused(refused) if refused.code == 21 => after = Some(at.duration_since(begin)),
            what => trouble = describe(&what).map(|what| format!("the first client: {what}")).or(trouble),
        }
    }
    let told = matches!(outcome, Ok(Ok(Outcome::Replaced))) && after.is_some();
    if outcome.is_err() {
        trouble = Some("the first client is still in its room".to_owned());
    }
    Takeover { told, after, admitted, trouble }
}

fn describe(what: &What) -> Option<String> {
    match what {
        What::Refused(refused) => Some(format!("refused with code {}", refused.code)),
        What::Lost(trouble) => Some(trouble.to_string()),
        _ => None,
    }
}

fn show(args: &Args, number: u32, takeover: &Takeover) {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let millis = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1e3);
    if args.json {
        say(json!({
            "event": "takeover", "number": number, "told": takeover.told,
            "told_after_us": takeover.after.map(micros), "admitted_after_us": takeover.admitted.map(micros),
            "trouble": takeover.trouble,
        }));
        return;
    }
    match (takeover.told, takeover.after, takeover.admitted) {
        (true, Some(after), Some(admitted)) => say(format_args!(
            "takeover {number}: the first client was told code 21 after {}, the second was in after {}",
            millis(after),
            millis(admitted)
        )),
        _ => {
            let trouble = takeover.trouble.as_deref().unwrap_or("the first client was not told");
            aside(format_args!("takeover {number}: {trouble}"));
            if takeover.admitted.is_none() {
                aside("hint: is `gatepass serve` running? Without --takeover, each step is shown");
            }
        }
    }
}
