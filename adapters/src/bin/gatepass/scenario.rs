//! `gatepass scenario`: the shipped scenarios, and the beginning of a new one.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use gatepass_sim::{catalog::Shelf, names::unknown, scenario::Scenario};
use serde::Serialize;

use crate::{
    FAILED,
    shared::{aside, pick::columns, say, say_json, usage},
};

const EXAMPLES: &str = "\
Examples:
  gatepass scenario list
  gatepass scenario show takeover-remote
  gatepass scenario new my-idea.toml
  gatepass check --scenario my-idea.toml

Exit code: 0; 1 if the file exists already or cannot be written; 2 for a mistake on the command line.";

/// List the scenarios, show one, or begin a new one
#[derive(clap::Args, Clone, Debug)]
#[command(
    long_about = "List the shipped scenarios, show one as the file it is, or begin a new one from a template that \
                  explains every key. A scenario says who is there and what may go wrong how often; `check` tries \
                  all of it in every order.",
    after_help = EXAMPLES
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Clone, Debug)]
enum Command {
    /// List the shipped scenarios: what each shows, and how large its world is
    #[command(after_help = "Example:\n  gatepass scenario list")]
    List {
        /// Print the list as one JSON array
        #[arg(long)]
        json: bool,
    },
    /// Print a shipped scenario as the TOML file it is
    #[command(after_help = "Example:\n  gatepass scenario show lost-kick > my-idea.toml")]
    Show {
        /// Its name
        name: String,
    },
    /// Write a template with every key explained; it is a scenario that can be checked as it is
    #[command(
        after_help = "Examples:\n  gatepass scenario new my-idea.toml\n  gatepass scenario new my-idea.toml \
                            --force    over the file that is there"
    )]
    New {
        /// File to write; without it the template is printed
        file: Option<PathBuf>,
        /// Replace the file if it exists
        #[arg(long, requires = "file")]
        force: bool,
    },
}

const TEMPLATE: &str = include_str!("scenario/template.toml");

pub(crate) fn run(args: &Args) -> ExitCode {
    let done = match &args.command {
        Command::List { json: true } => {
            let all = Shelf::ALL.into_iter().flat_map(Shelf::scenarios);
            say_json(&all.map(|scenario| Listed::of(&scenario)).collect::<Vec<_>>())
        }
        Command::List { json: false } => {
            let row = |scenario: Scenario| {
                let told = format!("{} [{}]", scenario.about, size(&scenario));
                (scenario.name, told)
            };
            for shelf in Shelf::ALL {
                let rows = shelf.scenarios().into_iter().map(row).collect();
                say(format_args!("{}:\n{}\n", shelf.about(), columns(rows)));
            }
            Ok(())
        }
        Command::Show { name } => show(name),
        Command::New { file: None, .. } => {
            say(TEMPLATE.trim_end());
            Ok(())
        }
        Command::New { file: Some(file), force } => return new(file, *force),
    };
    done.map_or_else(usage, |()| ExitCode::SUCCESS)
}

fn show(name: &str) -> Result<(), String> {
    let all: Vec<_> = Shelf::ALL.into_iter().flat_map(Shelf::scenarios).collect();
    let text = Scenario::text_of(name)
        .ok_or_else(|| unknown("scenario", name, all.iter().map(|it| &it.name[..])))?;
    say(text.trim_end());
    Ok(())
}

fn new(file: &Path, force: bool) -> ExitCode {
    let mut options = OpenOptions::new();
    options.write(true).truncate(force).create(force).create_new(!force);
    let template = TEMPLATE.replace("THIS-FILE.toml", &super::shared::quoted(&file.to_string_lossy()));
    let written = options.open(file).and_then(|mut opened| opened.write_all(template.as_bytes()));
    match written {
        Ok(()) => {
            let file = super::shared::quoted(&file.to_string_lossy());
            say(format_args!("Written: {file}\nCheck:   gatepass check --scenario {file}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            let hint = if error.kind() == ErrorKind::AlreadyExists { "; --force replaces it" } else { "" };
            aside(format_args!("error: {}: {error}{hint}", file.display()));
            ExitCode::from(FAILED)
        }
    }
}

/// A shipped scenario, for programs.
#[derive(Serialize)]
struct Listed {
    name: String,
    about: String,
    policy: String,
    players: usize,
    servers: u8,
    slow_links: usize,
    /// Timers that may run out, all kinds together.
    timers: u32,
    /// Faults that may happen, all kinds together.
    faults: u32,
}

impl Listed {
    fn of(scenario: &Scenario) -> Self {
        Self {
            name: scenario.name.clone(),
            about: scenario.about.clone(),
            policy: scenario.policy.clone(),
            players: scenario.players.len(),
            servers: scenario.servers,
            slow_links: scenario.slow.len(),
            timers: scenario.timers.values().copied().map(u32::from).sum(),
            faults: faults(scenario).iter().map(|(_, count)| count).sum(),
        }
    }
}

/// The faults of a scenario by name, those that cannot happen left out.
fn faults(scenario: &Scenario) -> Vec<(String, u32)> {
    let budgets = serde_json::to_value(scenario.faults).unwrap_or_default();
    let count = |(name, count): (&String, &serde_json::Value)| {
        Some((name.clone(), u32::try_from(count.as_u64()?).ok()?)).filter(|(_, count)| *count > 0)
    };
    budgets.as_object().map(|faults| faults.iter().filter_map(count).collect()).unwrap_or_default()
}

/// How large a scenario is, in words.
fn size(scenario: &Scenario) -> String {
    let Listed { players, servers, slow_links, timers, .. } = Listed::of(scenario);
    let counted = |count: u64, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let mut parts = vec![
        counted(players as u64, "player"),
        counted(servers.into(), "server"),
        counted(slow_links as u64, "slow link"),
    ];
    if timers > 0 {
        parts.push(counted(timers.into(), "timer"));
    }
    parts.extend(faults(scenario).iter().map(|(name, count)| format!("{name} {count}")));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use gatepass_core::properties::{Goal, Property};
    use gatepass_sim::{
        host::TimerKind,
        net::LinkKind,
        scenario::{AttackerPlan, Faults, Player},
    };

    use super::*;

    #[test]
    fn the_template_can_be_played_and_differs_from_the_defaults_where_it_says_so() {
        let scenario = Scenario::from_toml(TEMPLATE).expect("it reads");
        // What it says for itself; everything else is a default.
        let Scenario { about, slow, goals, players, .. } = scenario.clone();
        let defaults = Scenario { about, slow, goals, players, ..Scenario::default() };
        assert_eq!(scenario, defaults);
    }

    #[test]
    fn the_template_names_every_key_and_every_value() {
        let mut names: Vec<String> = Vec::new();
        let mut keys = |value: serde_json::Value| {
            let table = value.as_object().expect("a table").keys().cloned().collect::<Vec<_>>();
            assert!(!table.is_empty());
            names.extend(table);
        };
        keys(serde_json::to_value(Faults::default()).expect("data"));
        keys(serde_json::to_value(Player::default()).expect("data"));
        keys(serde_json::to_value(AttackerPlan::default()).expect("data"));
        let scenario = Scenario::from_toml("[rules]\ntoken_expires = true\n[[players]]\naccount = \"a\"");
        keys(serde_json::to_value(scenario.expect("it reads")).expect("data"));
        names.extend(TimerKind::ALL.map(|kind| kind.name().to_owned()));
        names.extend(Goal::ALL.map(|goal| goal.name().to_owned()));
        names.extend(Property::ALL.map(|property| property.name().to_owned()));
        let link = |kind| serde_json::to_value(kind).expect("data").as_str().expect("a name").to_owned();
        names.extend(LinkKind::ALL.map(link));
        for name in names {
            assert!(TEMPLATE.contains(&name), "the template does not explain {name}");
        }
    }

    #[test]
    fn what_is_commented_out_can_be_taken_in() {
        // All of it at once: a line that begins with "# " and has a key, without its comment mark.
        let taken: String = TEMPLATE
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest) if rest.split(' ').nth(1) == Some("=") || rest.starts_with('[') => {
                    format!("{rest}\n")
                }
                _ => format!("{line}\n"),
            })
            .collect();
        let scenario = Scenario::from_toml(&taken).expect("it reads");
        assert_eq!(scenario.timers.len(), TimerKind::ALL.len());
        assert!(
            scenario.players[1].cheat.is_some()
                && scenario.faults.cut_link == 1
                && scenario.attacker.is_some()
        );
    }

    #[test]
    fn sizes_are_said() {
        let lost_kick = Scenario::named("lost-kick").expect("it is shipped");
        assert!(
            size(&lost_kick).contains("2 servers") && size(&lost_kick).contains("drop 1"),
            "{}",
            size(&lost_kick)
        );
    }
}
