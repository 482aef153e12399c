//! Two-phase commit, after the specification by Gray and Lamport.

use stateright::{Model, Property};

#[derive(Clone, Copy)]
pub(crate) struct TwoPhase {
    /// At most 16.
    pub(crate) managers: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Coordinator {
    Waits,
    Committed,
    Aborted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Manager {
    Working,
    Prepared,
    Committed,
    Aborted,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    coordinator: Coordinator,
    managers: [Manager; 16],
    /// Managers known to be prepared.
    known: u16,
    /// Managers that have said so.
    said: u16,
    commit_sent: bool,
    abort_sent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Hear(u8),
    Commit,
    Abort,
    Prepare(u8),
    ChooseAbort(u8),
    HearCommit(u8),
    HearAbort(u8),
}

impl Model for TwoPhase {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            coordinator: Coordinator::Waits,
            managers: [Manager::Working; 16],
            known: 0,
            said: 0,
            commit_sent: false,
            abort_sent: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let waits = state.coordinator == Coordinator::Waits;
        if waits && state.known.count_ones() == u32::from(self.managers) {
            actions.push(Action::Commit);
        }
        if waits {
            actions.push(Action::Abort);
        }
        for manager in 0..self.managers {
            if waits && state.said & 1 << manager != 0 {
                actions.push(Action::Hear(manager));
            }
            if state.managers[usize::from(manager)] == Manager::Working {
                actions.extend([Action::Prepare(manager), Action::ChooseAbort(manager)]);
            }
            if state.commit_sent {
                actions.push(Action::HearCommit(manager));
            }
            if state.abort_sent {
                actions.push(Action::HearAbort(manager));
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        let mut set = |manager: u8, to| next.managers[usize::from(manager)] = to;
        match action {
            Action::Hear(manager) => next.known |= 1 << manager,
            Action::Commit => {
                next.coordinator = Coordinator::Committed;
                next.commit_sent = true;
            }
            Action::Abort => {
                next.coordinator = Coordinator::Aborted;
                next.abort_sent = true;
            }
            Action::Prepare(manager) => {
                set(manager, Manager::Prepared);
                next.said |= 1 << manager;
            }
            Action::ChooseAbort(manager) => set(manager, Manager::Aborted),
            Action::HearCommit(manager) => set(manager, Manager::Committed),
            Action::HearAbort(manager) => set(manager, Manager::Aborted),
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::sometimes("abort agreement", |model: &Self, state: &State| {
                model.of(state).iter().all(|manager| *manager == Manager::Aborted)
            }),
            Property::sometimes("commit agreement", |model, state| {
                model.of(state).iter().all(|manager| *manager == Manager::Committed)
            }),
            Property::always("consistent", |model, state| {
                let any = |what| model.of(state).contains(&what);
                !(any(Manager::Aborted) && any(Manager::Committed))
            }),
        ]
    }
}

impl TwoPhase {
    fn of<'a>(&self, state: &'a State) -> &'a [Manager] {
        &state.managers[..usize::from(self.managers)]
    }
}
