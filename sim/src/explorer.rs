//! A breadth-first explorer of state spaces.
//!
//! It goes level by level, so what it finds first lies nearest. Visited states are kept as 64-bit fingerprints
//! in one open table that all threads fill; with each stands from which state and by which of its actions it
//! was first reached. Where several ways are equally short, the one from the earlier state counts, then the one
//! by the earlier action. So order, counts, verdicts and paths are the same for any number of threads.
//!
//! Two different states with the same fingerprint are taken for one: of n states, some are lost with a
//! probability of about n²/2⁶⁵ (1 in 100,000 at 20 million). [`Options::exact`] finds out, at the price of
//! keeping every state.
//!
//! Per state visited it keeps at most 38 bytes, where there are many: 16 for each slot of a table that is between 53 and
//! 80 % full, and 8 for the way back. States themselves are kept for two levels only, as small as the space can make
//! them.

mod bettered;
mod checker;
mod graph;
mod level;
pub mod liveness;
mod paths;
mod saved;
mod search;
mod space;
mod table;

pub use checker::{Explored, Finish, explore_model};
pub use graph::{Classes, Graph, GraphBounds, TooLarge};
pub use saved::{Keep, Saved, Unfit};
pub use search::{Bounds, Ended, Enough, Found, Options, Outcome, Progress, search, search_kept};
pub use space::{Actions, OfModel, Space, States};
