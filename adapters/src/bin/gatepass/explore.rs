//! `gatepass explore`: a scenario step by step in a browser.

use std::{net::SocketAddr, process::ExitCode};

use gatepass_sim::{
    explore,
    reductions::{Reduction, Reductions},
};

use crate::shared::{pick::Pick, play, say};

const EXAMPLES: &str = "\
Examples:
  gatepass explore --scenario takeover-remote
  gatepass explore --scenario takeover-remote --policy mope --listen 127.0.0.1:8080

Then open the address it prints. Each choice shows the sequence diagram of the way there. Without --scenario it \
is the first shipped one. Ends with Ctrl-C. Exit code: 2 if the address is taken or a name is unknown.";

/// Walk through a scenario in a browser, choice by choice
#[derive(clap::Args, Clone, Debug)]
#[command(
    long_about = "Walk through a scenario in a browser: at each state choose what happens next, and see the \
                  state and the sequence diagram that come of it.",
    after_help = EXAMPLES
)]
pub(crate) struct Args {
    #[command(flatten)]
    pick: Pick,
    /// Address to serve on
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    // Whoever looks wants to see everything arrive.
    let reductions = Reductions::ALL.without(Reduction::LocalAtOnce).without(Reduction::LateAnswers);
    play(&args.pick.reduced_by(reductions), |picked| {
        let setup = picked.setups.into_iter().next().ok_or("there is no scenario to explore")?;
        let about = format!("{}: {}", setup.scenario.name, setup.scenario.about);
        let ready =
            || say(format_args!("{about}\nOpen http://{}/ in a browser; Ctrl-C ends it.", args.listen));
        explore::serve(setup, args.listen, ready)
            .map_err(|error| format!("cannot listen on {}: {error}", args.listen))?;
        Ok(ExitCode::SUCCESS)
    })
}
