//! What can be explored.

use std::hash::Hash;

use stateright::{Expectation, Model, Property};

use crate::shared::fingerprint;

/// A state space: where it begins, and what leads on.
pub trait Space: Sync {
    /// A state.
    type State: Clone + Send + Sync;
    /// A step from one state to another.
    type Action: Clone;
    /// Something about a state that is worth a path: a property that does not hold there, a goal that is met.
    type Finding: Clone + Ord + Send + Sync;
    /// What one thread reuses from step to step.
    type Scratch: Default + Send;
    /// A state that waits for its turn, as small as it can be.
    type Kept: Send + Sync;
    /// What waiting states have in common.
    type Store: Default + Sync;

    /// The initial states.
    fn init(&self) -> Vec<Self::State>;

    /// Everything that may happen next, in a fixed order. At most 2²⁴ actions.
    fn actions(&self, state: &Self::State, actions: &mut Vec<Self::Action>);

    /// Makes `to` the state that follows; `false` if the action leads nowhere. `to` holds the last state that
    /// was stepped to, unless that was taken by [`Space::keep`], so that its parts can be reused.
    fn step(
        &self,
        from: &Self::State,
        action: &Self::Action,
        to: &mut Option<Self::State>,
        scratch: &mut Self::Scratch,
    ) -> bool;

    /// The state in `to`, to be kept: it is new. `from`: the state that it follows, as it is and as it was kept.
    fn keep(
        &self,
        store: &Self::Store,
        from: Option<(&Self::State, &Self::Kept)>,
        to: &mut Option<Self::State>,
    ) -> Option<Self::Kept>;

    /// A kept state as it was. `last` is the one that was restored before, if its parts can be reused.
    fn restore<'a>(
        &self,
        store: &Self::Store,
        kept: &'a Self::Kept,
        last: &'a mut Option<(Self::State, Self::Kept)>,
    ) -> &'a Self::State;

    /// A hash of the state that is the same in every run.
    fn fingerprint(&self, state: &Self::State) -> u64;

    /// What is worth a path to this state.
    fn findings(&self, state: &Self::State, found: &mut dyn FnMut(Self::Finding));

    /// Whether two states with one fingerprint are one, for [`Options::exact`](super::Options::exact).
    fn same(&self, one: &Self::State, other: &Self::State) -> bool;
}

/// States of a space.
pub type States<S> = Vec<<S as Space>::State>;
/// Actions of a space.
pub type Actions<S> = Vec<<S as Space>::Action>;

/// A stateright model as a space. What is found are its properties, by their index: an `always` that does not
/// hold, a `sometimes` that does.
pub struct OfModel<M: Model> {
    pub(super) model: M,
    pub(super) properties: Vec<Property<M>>,
}

impl<M: Model> OfModel<M> {
    /// The states of a model.
    pub fn new(model: M) -> Self {
        let properties = model.properties();
        Self { model, properties }
    }
}

impl<M> Space for OfModel<M>
where
    M: Model + Sync,
    M::State: Clone + Hash + PartialEq + Send + Sync,
    M::Action: Clone,
{
    type State = M::State;
    type Action = M::Action;
    type Finding = usize;
    type Scratch = ();
    type Kept = M::State;
    type Store = ();

    fn init(&self) -> Vec<M::State> {
        self.model.init_states().into_iter().filter(|state| self.model.within_boundary(state)).collect()
    }

    fn actions(&self, state: &M::State, actions: &mut Vec<M::Action>) {
        self.model.actions(state, actions);
    }

    fn step(&self, from: &M::State, action: &M::Action, to: &mut Option<M::State>, (): &mut ()) -> bool {
        *to = self.model.next_state(from, action.clone()).filter(|state| self.model.within_boundary(state));
        to.is_some()
    }

    fn keep(
        &self,
        (): &(),
        _: Option<(&M::State, &M::State)>,
        to: &mut Option<M::State>,
    ) -> Option<M::State> {
        to.take()
    }

    fn restore<'a>(
        &self,
        (): &(),
        kept: &'a M::State,
        _: &'a mut Option<(M::State, M::State)>,
    ) -> &'a M::State {
        kept
    }

    fn fingerprint(&self, state: &M::State) -> u64 {
        fingerprint(state)
    }

    fn findings(&self, state: &M::State, found: &mut dyn FnMut(usize)) {
        for (at, property) in self.properties.iter().enumerate() {
            let wanted = match property.expectation {
                Expectation::Always => false,
                Expectation::Sometimes => true,
                // Said of paths, not of states.
                Expectation::Eventually => continue,
            };
            if (property.condition)(&self.model, state) == wanted {
                found(at);
            }
        }
    }

    fn same(&self, one: &M::State, other: &M::State) -> bool {
        one == other
    }
}
