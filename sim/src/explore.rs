//! A scenario in a browser: stateright's explorer on our worlds, with our diagrams.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use stateright::Model;

use crate::{
    check::Worlds,
    choice::Choice,
    diagram::told,
    setup::Setup,
    trace::{Trace, TraceStep},
    world::{Scratch, World},
};

/// Serves the explorer until the process ends. What [`World::settle`] does is not shown: a setup to be looked at
/// leaves those reductions out. `ready` is called when nothing stands in the way.
///
/// # Errors
/// If the address cannot be listened on.
pub fn serve(setup: Arc<Setup>, address: SocketAddr, ready: impl FnOnce()) -> io::Result<()> {
    // The explorer panics where it cannot listen, so we try first.
    drop(TcpListener::bind(address)?);
    ready();
    Worlds::new(setup).checker().serve(address);
    Ok(())
}

/// A choice as a replay file writes it, with the names of the nodes it is about.
pub(crate) fn action(setup: &Setup, choice: Choice) -> String {
    let name = |node: u16| setup.names.get(usize::from(node)).map_or("nobody", String::as_str);
    let about = choice.nodes().map(name).collect::<Vec<_>>().join(" → ");
    // Without a node it says itself who does what.
    if about.is_empty() { choice.to_string() } else { format!("{choice} ({about})") }
}

/// What comes of a choice, a line for each thing that happens.
pub(crate) fn step(setup: &Setup, world: &World, choice: Choice) -> Option<String> {
    let mut next = world.clone();
    let mut scratch = Scratch::default();
    scratch.log = Some(Vec::new());
    if !next.apply(setup, choice, &mut scratch) {
        return None;
    }
    let happenings = scratch.log.take().unwrap_or_default();
    let lines = happenings.into_iter().map(|it| TraceStep { choice: String::new(), happenings: vec![it] });
    let trace = Trace { nodes: setup.names.clone(), steps: lines.collect(), ..Trace::default() };
    let mut told = told(&trace);
    told.extend(next.broken().map(|broken| format!("✗ {} is violated: {}", broken.name(), broken.says())));
    Some(told.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn a_walk_is_told_in_words_and_drawn() {
        let scenario = Scenario::named("takeover-remote").expect("it is shipped");
        let worlds = Worlds::new(Arc::new(Setup::new(scenario).expect("it can be played")));
        let world = worlds.init_states().remove(0);
        let mut choices = Vec::new();
        worlds.actions(&world, &mut choices);
        let begin = choices[0];
        assert_eq!(worlds.format_action(&begin), "begin 0 (player-1)");
        let told = worlds.format_step(&world, begin).expect("it is possible");
        assert!(told.starts_with("player-1 → login: log in as ann\nlogin → accounts:"), "{told}");

        let next = worlds.next_state(&world, begin).expect("it is possible");
        choices.clear();
        worlds.actions(&next, &mut choices);
        let deliver = *choices.iter().find(|it| matches!(it, Choice::Deliver(_))).expect("it is under way");
        assert_eq!(worlds.format_action(&deliver), "deliver 0>7 1002 (player-1 → room-1)");
        // What is not possible has no outcome.
        assert_eq!(worlds.format_step(&world, deliver), None);

        let path = stateright::Path::from_actions(&worlds, world, [&begin, &deliver]).expect("a path");
        assert!(worlds.as_svg(path).is_some_and(|svg| svg.starts_with("<svg") && svg.contains("MsgLogin")));
    }
}
