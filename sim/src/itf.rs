//! A run in the Informal Trace Format (ITF), as the tools around TLA+ and Quint read and write it.
//!
//! The states are those of the world: the first one before anything happened, then one for each step. Every
//! variable has the same type in each of them. Keys of sessions and tokens appear by the short names that the
//! world makes up for them.

use gatepass_core::{client::Outcome, ids::AccountId};
use serde_json::{Map, Value, json};

use crate::{
    choice::Choice,
    diagram::told,
    host::{Host, HostRole, TimerKind},
    replay::tell,
    setup::Setup,
    words,
    world::{Scratch, World},
};

/// The variables of every state, in the order of the file.
pub const VARS: [&str; 9] =
    ["action", "told", "players", "rooms", "cache", "rcenter", "packets", "live", "violated"];

/// The run that these choices make. A choice that is not possible ends it.
#[must_use]
pub fn itf(setup: &Setup, choices: &[Choice]) -> Value {
    let told = told(&tell(setup, choices));
    let mut world = World::new(setup);
    let mut scratch = Scratch::default();
    let mut states = vec![state(setup, &world, 0, "init", "")];
    for (choice, told) in choices.iter().zip(told) {
        if !world.apply(setup, *choice, &mut scratch) {
            break;
        }
        states.push(state(setup, &world, states.len(), &choice.to_string(), &told));
    }
    let status = if world.broken().is_some() { "violation" } else { "ok" };
    json!({
        "#meta": {
            "format": "ITF",
            "format-description": "https://apalache-mc.org/docs/adr/015adr-trace.html",
            "description": format!("gatepass, scenario {}, policy {}", setup.scenario.name, setup.scenario.policy),
            "source": setup.scenario.name,
            "status": status,
        },
        "vars": VARS,
        "states": states,
    })
}

fn state(setup: &Setup, world: &World, index: usize, action: &str, told: &str) -> Value {
    let nodes =
        |kind: fn(&HostRole) -> bool| world.hosts().enumerate().filter(move |(_, host)| kind(&host.role));
    let named = |kind| nodes(kind).map(|(node, host)| (setup.names[node].clone(), host));
    let one =
        |kind, view: &dyn Fn(&Host) -> Value| named(kind).next().map_or(Value::Null, |(_, host)| view(host));
    let players =
        named(|role| matches!(role, HostRole::Player(_))).map(|(name, host)| (name.into(), player(host)));
    let rooms = nodes(|role| matches!(role, HostRole::Room(_)))
        .map(|(node, host)| (setup.names[node].clone().into(), room(host, world.is_linked(node))));
    let packets = world.net().packets.iter().map(|packet| {
        let packet = packet.get();
        json!({
            "from": setup.names[usize::from(packet.from)],
            "to": setup.names[usize::from(packet.to)],
            "lane": bigint(packet.lane),
            "says": words::body(&packet.body),
        })
    });
    let live = world.ledger().live.iter().map(|((server, conn), live)| {
        json!({
            "conn": conn.to_string(),
            "account": live.account.to_string(),
            "login": format!("{:?}", live.seq),
            "room": live.room.to_string(),
            "server": server.to_string(),
        })
    });
    let values = [
        json!(action),
        json!(told),
        map(players.collect()),
        map(rooms.collect()),
        one(|role| matches!(role, HostRole::Cache(_)), &|host| cache(setup, host)),
        one(|role| matches!(role, HostRole::Center(_)), &center),
        Value::Array(packets.collect()),
        set(live.collect()),
        json!(world.broken().map_or("", |broken| broken.name())),
    ];
    let mut state = Map::new();
    state.insert("#meta".to_owned(), json!({ "index": index }));
    state.extend(VARS.iter().map(|name| (*name).to_owned()).zip(values));
    Value::Object(state)
}

fn player(host: &Host) -> Value {
    let HostRole::Player(client) = &host.role else { return Value::Null };
    let outcome = match client.outcome() {
        Outcome::Underway => "underway".to_owned(),
        Outcome::Live => "live".to_owned(),
        Outcome::LoggedOut => "logged_out".to_owned(),
        Outcome::Replaced => "replaced".to_owned(),
        Outcome::Refused(why) => format!("refused: {}", why.name()),
        Outcome::GaveUp => "gave_up".to_owned(),
    };
    json!({
        "outcome": outcome,
        "account": client.account().map_or(String::new(), |account| account.to_string()),
        "timers": timers(host),
    })
}

fn room(host: &Host, linked: bool) -> Value {
    let HostRole::Room(server) = &host.role else { return Value::Null };
    let live = server.live().map(|(conn, account, seq)| {
        json!({ "conn": conn.to_string(), "account": account.to_string(), "login": format!("{seq:?}") })
    });
    let (connections, accounts) = server.sizes();
    json!({
        "up": host.up,
        "paused": host.paused,
        "server": server.id().to_string(),
        "linked": linked,
        "lease": host.timers.iter().any(|timer| TimerKind::of(timer) == TimerKind::LeaseEnd),
        "live": set(live.collect()),
        "connections": bigint(connections),
        "accounts": bigint(accounts),
        "timers": timers(host),
    })
}

fn cache(setup: &Setup, host: &Host) -> Value {
    let HostRole::Cache(cache) = &host.role else { return Value::Null };
    // Accounts have the numbers from 1 on, and there are no more than players.
    let owners = (1..=setup.players() as u64).map(AccountId).filter_map(|account| {
        let (server, version) = cache.owner(account)?;
        let owner = json!({ "server": server.to_string(), "version": format!("{version:?}") });
        Some((account.to_string().into(), owner))
    });
    let leases = cache.leases().map(|(server, number)| (server.to_string().into(), bigint(number)));
    let (sessions, tokens, _) = cache.sizes();
    json!({
        "generation": bigint(cache.generation().0),
        "owners": map(owners.collect()),
        "leases": map(leases.collect()),
        "sessions": bigint(sessions),
        "tokens": bigint(tokens),
        "timers": timers(host),
    })
}

fn center(host: &Host) -> Value {
    let HostRole::Center(center) = &host.role else { return Value::Null };
    let rooms = center.rooms().map(|(room, capacity, taken)| {
        (room.to_string().into(), json!({ "capacity": bigint(capacity), "taken": bigint(taken) }))
    });
    json!({ "up": host.up, "rooms": map(rooms.collect()), "timers": timers(host) })
}

/// Armed timers, in words.
fn timers(host: &Host) -> Value {
    set(host.timers.iter().map(|timer| words::timer(timer).into()).collect())
}

fn bigint(number: impl std::fmt::Display) -> Value {
    json!({ "#bigint": number.to_string() })
}

/// Sets have no order and no doubles: equal sets are written alike.
fn set(mut items: Vec<Value>) -> Value {
    items.sort_by_cached_key(Value::to_string);
    items.dedup();
    json!({ "#set": items })
}

fn map(pairs: Vec<(Value, Value)>) -> Value {
    let pairs: Vec<[Value; 2]> = pairs.into_iter().map(<[Value; 2]>::from).collect();
    json!({ "#map": pairs })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        check::{Bounds, explore},
        flaws::Flaw,
    };

    fn counterexample() -> (Setup, Vec<Choice>) {
        let flaw = Flaw::named("admit-before-handover").expect("it exists");
        let setup = Arc::new(flaw.setup());
        let bounds = Bounds { states: 200_000, ..Bounds::default() };
        let found = explore(&setup, Some(flaw.breaks), bounds, &mut |_| {});
        let choices = found.violations.first().expect("it is found").choices.clone();
        (Arc::into_inner(setup).expect("nobody else has it"), choices)
    }

    /// The shape of a value: what it is made of, whatever the numbers and words. Sets and maps of any size that
    /// hold the same shape are alike; an empty one is like all others.
    fn well_formed(value: &Value) {
        match value {
            Value::Bool(_) | Value::String(_) => {}
            Value::Null | Value::Number(_) => panic!("{value} is no value of ITF"),
            Value::Array(items) => items.iter().for_each(well_formed),
            Value::Object(fields) => {
                let special: Vec<&String> = fields.keys().filter(|key| key.starts_with('#')).collect();
                match &special[..] {
                    [] => fields.values().for_each(well_formed),
                    [key] => {
                        assert_eq!(fields.len(), 1, "{value}");
                        let inner = &fields[*key];
                        match &key[..] {
                            "#bigint" => assert!(inner.as_str().is_some_and(|it| it.parse::<i128>().is_ok())),
                            "#set" => inner.as_array().expect("a set lists").iter().for_each(well_formed),
                            "#map" => {
                                for pair in inner.as_array().expect("a map lists") {
                                    assert_eq!(pair.as_array().map(Vec::len), Some(2));
                                    well_formed(pair);
                                }
                            }
                            other => panic!("{other} is nothing of ITF"),
                        }
                    }
                    more => panic!("{more:?}"),
                }
            }
        }
    }

    /// Field names of records, all the way down, per variable: the same in every state.
    fn records(value: &Value, found: &mut std::collections::BTreeSet<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| records(item, found)),
            Value::Object(fields) => {
                if fields.keys().all(|key| !key.starts_with('#')) {
                    found.insert(fields.keys().cloned().collect::<Vec<_>>().join(" "));
                }
                fields.values().for_each(|field| records(field, found));
            }
            _ => {}
        }
    }

    #[test]
    fn a_trace_is_what_the_format_says() {
        let (setup, choices) = counterexample();
        let trace = itf(&setup, &choices);
        assert_eq!(trace["#meta"]["format"], "ITF");
        assert_eq!(trace["#meta"]["status"], "violation");
        assert_eq!(trace["vars"], json!(VARS));
        let states = trace["states"].as_array().expect("states are listed");
        assert_eq!(states.len(), choices.len() + 1);
        let mut shapes: Vec<std::collections::BTreeSet<String>> = vec![Default::default(); VARS.len()];
        for (index, state) in states.iter().enumerate() {
            assert_eq!(state["#meta"], json!({ "index": index }));
            let state = state.as_object().expect("a state is a record");
            assert_eq!(state.len(), VARS.len() + 1);
            for (name, shape) in VARS.iter().zip(&mut shapes) {
                well_formed(&state[*name]);
                records(&state[*name], shape);
            }
            let last = index == choices.len();
            assert_eq!(state["violated"] == "single_live_session", last);
            let action = if index == 0 { "init".to_owned() } else { choices[index - 1].to_string() };
            assert_eq!(state["action"], action);
        }
        // One record each for players, rcenter and so on; owners and live sessions add theirs.
        let counts: Vec<usize> = shapes.iter().map(std::collections::BTreeSet::len).collect();
        assert_eq!(counts, [0, 0, 1, 2, 2, 2, 1, 1, 0]);
        let live = |state: &Value| state["live"]["#set"].as_array().map(Vec::len);
        assert_eq!((live(&states[0]), live(&states[choices.len()])), (Some(0), Some(2)));
    }

    #[test]
    fn nothing_is_a_trace_of_one_state() {
        let (setup, _) = counterexample();
        let trace = itf(&setup, &[]);
        assert_eq!(trace["states"].as_array().map(Vec::len), Some(1));
        assert_eq!(trace["#meta"]["status"], "ok");
    }

    #[test]
    fn no_password_is_in_a_trace() {
        let (setup, choices) = counterexample();
        assert!(!itf(&setup, &choices).to_string().contains("password"));
    }
}
