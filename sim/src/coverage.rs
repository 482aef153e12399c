//! What runs have exercised: which events roles have met in which of their phases.
//!
//! A sample that never met a kick while its server was waiting says nothing about that. The table shows what was
//! met, and by its gaps what was not.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use gatepass_core::{
    message::{AccountsAnswer, Answer, Ask, CacheAnswer, CacheAsk, CenterAnswer, Message, Reply, ToCenter},
    message::{AccountsAsk, CenterAsk, RequestBody, ToPlayer, ToRoom, ToServer},
    role::{Command, Event},
};
use serde::Serialize;

use crate::{
    host::{Host, TimerKind},
    report::grouped,
};

/// A role meets an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Met {
    /// The role.
    pub role: &'static str,
    /// What kind of event.
    pub event: &'static str,
    /// Which, of that kind.
    pub what: &'static str,
    /// The phase it was in.
    pub phase: &'static str,
}

/// How often it meant something to the role, and how often nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Times {
    /// The role took it.
    pub advanced: u64,
    /// It meant nothing there.
    pub ignored: u64,
}

/// One line of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// What was met.
    #[serde(flatten)]
    pub met: Met,
    /// How often.
    #[serde(flatten)]
    pub times: Times,
}

/// Which events roles have met in which phases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    met: BTreeMap<Met, Times>,
}

impl Met {
    /// What this host is about to meet.
    #[must_use]
    pub fn of(host: &Host, event: &Event) -> Self {
        let (role, phase) = host.phase(event);
        let (event, what) = kind(event);
        Self { role, event, what, phase }
    }
}

impl Coverage {
    /// Counts a step.
    pub fn add(&mut self, met: Met, ignored: bool) {
        let times = self.met.entry(met).or_default();
        times.advanced += u64::from(!ignored);
        times.ignored += u64::from(ignored);
    }

    /// Adds what other runs have met.
    pub fn join(&mut self, other: &Self) {
        for (met, times) in &other.met {
            let own = self.met.entry(*met).or_default();
            own.advanced += times.advanced;
            own.ignored += times.ignored;
        }
    }

    /// All that was met, in order.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.met.iter().map(|(met, times)| Entry { met: *met, times: *times }).collect()
    }

    /// For each role a table: events down, phases across, how often each was met, and a dot where it never was. In
    /// brackets what meant nothing to the role every time.
    #[must_use]
    pub fn table(&self) -> String {
        let mut out = String::new();
        let roles: BTreeSet<_> = self.met.keys().map(|met| met.role).collect();
        for role in roles {
            let own = || self.met.keys().filter(|met| met.role == role);
            let phases: BTreeSet<_> = own().map(|met| met.phase).collect();
            let events: BTreeSet<_> = own().map(|met| (met.event, met.what)).collect();
            let head = events.iter().map(|(event, what)| event.len() + what.len() + 1).max().unwrap_or(0);
            let head = head.max(role.len());
            let _ = write!(out, "{role:head$}");
            for phase in &phases {
                let _ = write!(out, "  {phase:>12}");
            }
            let _ = writeln!(out);
            for (event, what) in events {
                let _ = write!(out, "{:head$}", format!("{event} {what}").trim_end());
                for phase in &phases {
                    let met = Met { role, event, what, phase };
                    let cell = match self.met.get(&met) {
                        None => ".".to_owned(),
                        Some(Times { advanced: 0, ignored }) => format!("({})", grouped(*ignored)),
                        Some(Times { advanced, ignored }) => grouped(advanced + ignored),
                    };
                    let _ = write!(out, "  {cell:>12}");
                }
                let _ = writeln!(out);
            }
            let _ = writeln!(out);
        }
        let _ = writeln!(out, "{} pairs of phase and event were met", grouped(self.met.len() as u64));
        out
    }
}

/// What kind of event it is, and which.
const fn kind(event: &Event) -> (&'static str, &'static str) {
    match event {
        Event::Opened { .. } => ("opened", ""),
        Event::Received { msg, .. } => ("received", message(msg)),
        Event::Datagram { msg, .. } => ("datagram", message(msg)),
        Event::Lost(_) => ("lost", ""),
        Event::Linked => ("linked", ""),
        Event::Unlinked => ("unlinked", ""),
        Event::FromCenter(msg) => ("received", message(msg)),
        Event::Asked(question) => ("asked", ask(&question.ask)),
        Event::Answered { answer: Ok(given), .. } => ("answered", answer(given)),
        Event::Answered { answer: Err(_), .. } => ("answered", "outage"),
        Event::Fired(timer) => ("fired", TimerKind::of(timer).name()),
        Event::Command(Command::Start) => ("command", "start"),
        Event::Command(Command::Drain) => ("command", "drain"),
        Event::Command(Command::Leave) => ("command", "leave"),
    }
}

const fn message(msg: &Message) -> &'static str {
    match msg {
        Message::Request(request) => match request.body {
            RequestBody::Login(_) => "login",
            RequestBody::Room { .. } => "room request",
            RequestBody::Session { .. } => "session request",
            RequestBody::Bad(_) => "bad request",
        },
        Message::Reply(Reply::LoggedIn { .. }) => "logged in",
        Message::Reply(Reply::Room { .. }) => "room",
        Message::Reply(Reply::Session { .. }) => "session",
        Message::Reply(Reply::Refused(_)) => "refused",
        Message::ToRoom(msg) => match msg {
            ToRoom::Login { .. } => "login",
            ToRoom::Heartbeat => "heartbeat",
            ToRoom::Logout => "logout",
            ToRoom::Bind { .. } => "bind",
            ToRoom::Game(_) => "game",
            ToRoom::Malformed => "malformed",
        },
        Message::ToPlayer(msg) => match msg {
            ToPlayer::Admitted { .. } => "admitted",
            ToPlayer::Echo => "echo",
            ToPlayer::LoggedOut => "logged out",
            ToPlayer::Refused(_) => "refused",
        },
        Message::ToCenter(msg) => match msg {
            ToCenter::Register { .. } => "register",
            ToCenter::Load { .. } => "load",
            ToCenter::Room { .. } => "room",
            ToCenter::RoomGone(_) => "room gone",
            ToCenter::Kick(_) => "kick",
            ToCenter::Kicked { .. } => "kicked",
            ToCenter::Kept { .. } => "kept",
            ToCenter::Draining => "draining",
            ToCenter::Fenced => "fenced",
            ToCenter::Forward { .. } => "forward",
        },
        Message::ToServer(msg) => match msg {
            ToServer::Registered(_) => "registered",
            ToServer::Kick(_) => "kick",
            ToServer::Kicked(_) => "kicked",
            ToServer::Kept { .. } => "kept",
            ToServer::CheckRelogin { .. } => "check relogin",
            ToServer::LoadConfig => "load config",
            ToServer::Forwarded { .. } => "forwarded",
        },
    }
}

const fn ask(ask: &Ask) -> &'static str {
    match ask {
        Ask::Cache(ask) => match ask {
            CacheAsk::OpenSession { .. } => "open session",
            CacheAsk::FindSession { .. } => "find session",
            CacheAsk::IssueToken { .. } => "issue token",
            CacheAsk::RevokeSession { .. } => "revoke session",
            CacheAsk::Redeem { .. } => "redeem",
            CacheAsk::Claim { .. } => "claim",
            CacheAsk::Release { .. } => "release",
            CacheAsk::Renew { .. } => "renew",
            CacheAsk::Reassert { .. } => "reassert",
            CacheAsk::Recall { .. } => "recall",
            CacheAsk::Resign { .. } => "resign",
        },
        Ask::Accounts(AccountsAsk::Verify { .. }) => "verify",
        Ask::Accounts(AccountsAsk::Profile { .. }) => "profile",
        Ask::Accounts(AccountsAsk::Played { .. }) => "played",
        Ask::Center(CenterAsk::Place { .. }) => "place",
    }
}

const fn answer(answer: &Answer) -> &'static str {
    match answer {
        Answer::Cache(answer) => match answer {
            CacheAnswer::Done => "done",
            CacheAnswer::Session { .. } => "session",
            CacheAnswer::Issued { .. } => "issued",
            CacheAnswer::Granted(_) => "granted",
            CacheAnswer::Owned { .. } => "owned",
            CacheAnswer::NotYet => "not yet",
            CacheAnswer::Renewed { .. } => "renewed",
            CacheAnswer::OtherTerms(_) => "other terms",
            CacheAnswer::Reasserted(_) => "reasserted",
            CacheAnswer::Refused(_) => "refused",
        },
        Answer::Accounts(AccountsAnswer::Verified { .. }) => "verified",
        Answer::Accounts(AccountsAnswer::Profile) => "profile",
        Answer::Accounts(AccountsAnswer::Done) => "done",
        Answer::Accounts(AccountsAnswer::Refused(_)) => "refused",
        Answer::Center(CenterAnswer::Placed(_)) => "placed",
        Answer::Center(CenterAnswer::Full) => "full",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{scenario::Scenario, setup::Setup, simulate::Plan, simulate::simulate};

    fn of(name: &str, threads: usize) -> Coverage {
        let scenario = Scenario::named(name).expect("it is shipped");
        let setup = Arc::new(Setup::new(scenario).expect("it can be played"));
        let plan = Plan { seeds: 300, threads, coverage: true, ..Plan::default() };
        simulate(&setup, plan, &mut |_, _| {}).coverage
    }

    #[test]
    fn the_same_runs_meet_the_same_on_any_number_of_threads() {
        let one = of("takeover-remote", 1);
        assert_eq!(one, of("takeover-remote", 3));
        let waits = Met { role: "RoomServer", event: "answered", what: "owned", phase: "redeeming" };
        assert!(one.met[&waits].advanced > 0);
        let kicked = |met: &Met| met.what == "kick" && met.role == "RoomServer";
        assert!(one.met.keys().any(kicked) && !of("takeover-local", 1).met.keys().any(kicked));
    }

    #[test]
    fn the_table_has_a_dot_where_nothing_was_met() {
        let mut coverage = Coverage::default();
        let met = |what, phase| Met { role: "Cache", event: "asked", what, phase };
        coverage.add(met("claim", "open"), false);
        coverage.add(met("renew", "grace"), true);
        let table = coverage.table();
        let rows: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[0], ["Cache", "grace", "open"]);
        assert_eq!(rows[1], ["asked", "claim", ".", "1"]);
        assert_eq!(rows[2], ["asked", "renew", "(1)", "."]);
    }
}
