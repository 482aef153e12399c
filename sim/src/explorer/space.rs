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
    /// A state that was just reached, in whatever form is cheapest, with what can be reused for the next one.
    type Reached: Default + Send;
    /// What waiting states have in common.
    type Store: Default + Sync;

    /// The initial states.
    fn init(&self) -> Vec<Self::State>;

    /// Everything that may happen next, in a fixed order. At most 2²⁴ actions.
    fn actions(
        &self,
        store: &Self::Store,
        kept: &Self::Kept,
        scratch: &mut Self::Scratch,
        actions: &mut Vec<Self::Action>,
    );

    /// Reaches an initial state.
    fn enter(&self, store: &Self::Store, state: &Self::State, to: &mut Self::Reached);

    /// Reaches the state that follows; `false` if the action leads nowhere.
    fn step(
        &self,
        store: &Self::Store,
        from: &Self::Kept,
        action: &Self::Action,
        to: &mut Self::Reached,
        scratch: &mut Self::Scratch,
    ) -> bool;

    /// Called before each thread begins, and before each of its batches, so that they may share what they reuse.
    fn exchange(&self, _: &Self::Store, _: &mut Self::Scratch) {}

    /// A hash of the state that was reached, the same in every run.
    fn fingerprint(&self, reached: &Self::Reached) -> u64;

    /// What is worth a path to the state that was reached.
    fn findings(&self, store: &Self::Store, reached: &Self::Reached, found: &mut dyn FnMut(Self::Finding));

    /// The state that was reached, to be kept: it is new. It is not asked for anything else.
    fn keep(&self, reached: &mut Self::Reached) -> Self::Kept;

    /// A kept state as it was. `last` is the one that was restored before, if its parts can be reused.
    fn restore<'a>(
        &self,
        store: &Self::Store,
        kept: &'a Self::Kept,
        last: &'a mut Option<(Self::State, Self::Kept)>,
    ) -> &'a Self::State;

    /// The state that was reached, as it is, for [`Options::exact`](super::Options::exact).
    fn state(&self, store: &Self::Store, reached: &Self::Reached) -> Self::State;

    /// Whether two states with one fingerprint are one.
    fn same(&self, one: &Self::State, other: &Self::State) -> bool;
}

/// The fingerprint by which a search knows a state: 0 would be none.
pub(super) fn print_of<S: Space>(space: &S, reached: &S::Reached) -> u64 {
    space.fingerprint(reached).max(1)
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
    type Reached = Option<M::State>;
    type Store = ();

    fn init(&self) -> Vec<M::State> {
        self.model.init_states().into_iter().filter(|state| self.model.within_boundary(state)).collect()
    }

    fn actions(&self, (): &(), state: &M::State, (): &mut (), actions: &mut Vec<M::Action>) {
        self.model.actions(state, actions);
    }

    fn enter(&self, (): &(), state: &M::State, to: &mut Option<M::State>) {
        *to = Some(state.clone());
    }

    fn step(
        &self,
        (): &(),
        from: &M::State,
        action: &M::Action,
        to: &mut Option<M::State>,
        (): &mut (),
    ) -> bool {
        *to = self.model.next_state(from, action.clone()).filter(|state| self.model.within_boundary(state));
        to.is_some()
    }

    fn keep(&self, reached: &mut Option<M::State>) -> M::State {
        reached.take().expect("a state was reached")
    }

    fn restore<'a>(
        &self,
        (): &(),
        kept: &'a M::State,
        _: &'a mut Option<(M::State, M::State)>,
    ) -> &'a M::State {
        kept
    }

    fn fingerprint(&self, reached: &Option<M::State>) -> u64 {
        reached.as_ref().map_or(0, fingerprint)
    }

    fn state(&self, (): &(), reached: &Option<M::State>) -> M::State {
        reached.clone().expect("a state was reached")
    }

    fn findings(&self, (): &(), reached: &Option<M::State>, found: &mut dyn FnMut(usize)) {
        let Some(state) = reached else { return };
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
