//! A box of points; each step goes up one side of it. Every point but the edges' is reached in many ways.

use stateright::{Model, Property};

#[derive(Clone, Copy)]
pub(crate) struct Lattice {
    pub(crate) sides: [u8; 3],
}

impl Model for Lattice {
    type State = [u8; 3];
    type Action = usize;

    fn init_states(&self) -> Vec<[u8; 3]> {
        vec![[0; 3]]
    }

    fn actions(&self, _: &[u8; 3], actions: &mut Vec<usize>) {
        actions.extend([0, 1, 2]);
    }

    fn next_state(&self, point: &[u8; 3], side: usize) -> Option<[u8; 3]> {
        let mut next = *point;
        next[side] += 1;
        (next[side] < self.sides[side]).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::sometimes("far corner", |model, point: &[u8; 3]| {
            (0..3).all(|side| point[side] + 1 == model.sides[side])
        })]
    }
}

/// One state after the other, up to `length`.
#[derive(Clone, Copy)]
pub(crate) struct Chain {
    pub(crate) length: u32,
}

impl Model for Chain {
    type State = u32;
    type Action = ();

    fn init_states(&self) -> Vec<u32> {
        vec![0]
    }

    fn actions(&self, at: &u32, actions: &mut Vec<()>) {
        actions.extend((*at < self.length).then_some(()));
    }

    fn next_state(&self, at: &u32, (): ()) -> Option<u32> {
        Some(at + 1)
    }
}
