//! The explorer behind stateright's own interface, so that its reports and assertions work.

use std::{collections::HashMap, hash::Hash, ops::ControlFlow, thread::JoinHandle};

use stateright::{Checker, Expectation, Model, Path};

use super::{
    search::{Ended, Found, Options, Outcome, search},
    space::OfModel,
};

/// When a model has been explored enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// When all states were seen.
    Exhausted,
    /// After the level in which an `always` property did not hold.
    FirstFailure,
}

/// An explored model.
pub struct Explored<M: Model> {
    space: OfModel<M>,
    /// What came of it. Findings are indices of the model's properties.
    pub outcome: Outcome<usize>,
}

/// Explores a stateright model, and returns when that is done. `eventually` properties are not looked at: ask
/// [`super::liveness`].
pub fn explore_model<M>(model: M, options: Options, finish: Finish) -> Explored<M>
where
    M: Model + Sync,
    M::State: Clone + Hash + PartialEq + Send + Sync,
    M::Action: Clone,
{
    let space = OfModel::new(model);
    let always = |at: usize| matches!(space.properties[at].expectation, Expectation::Always);
    let mut enough = |_, found: &[Found<usize>]| {
        if finish == Finish::FirstFailure && found.iter().any(|it| always(it.finding)) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let outcome = search(&space, options, &mut enough, &mut |_| {});
    Explored { space, outcome }
}

impl<M> Checker<M> for Explored<M>
where
    M: Model + Sync,
    M::State: Clone + Hash + PartialEq + Send + Sync,
    M::Action: Clone + PartialEq,
{
    fn model(&self) -> &M {
        &self.space.model
    }

    fn state_count(&self) -> usize {
        self.outcome.generated as usize
    }

    fn unique_state_count(&self) -> usize {
        self.outcome.states as usize
    }

    /// An initial state has depth 1, as stateright counts.
    fn max_depth(&self) -> usize {
        self.outcome.depth as usize + 1
    }

    fn discoveries(&self) -> HashMap<&'static str, Path<M::State, M::Action>> {
        let path = |found: &Found<usize>| {
            let (states, actions) = self.outcome.path(&self.space, found.state)?;
            let path = Path::from_actions(&self.space.model, states.into_iter().next()?, &actions)?;
            Some((self.space.properties[found.finding].name, path))
        };
        self.outcome.found.iter().filter_map(path).collect()
    }

    fn handles(&mut self) -> Vec<JoinHandle<()>> {
        Vec::new()
    }

    fn is_done(&self) -> bool {
        self.outcome.ended == Ended::Exhausted || self.outcome.found.len() == self.space.properties.len()
    }
}
