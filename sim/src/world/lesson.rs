//! What threads tell each other of what they learned. Each recalls by itself, so nobody waits for anybody; but what one
//! has played, the others need not.

use std::sync::{Mutex, PoisonError};

use super::{budgets::Amounts, changes::Changed, *};

/// What came of a choice, as another thread may learn it: parts by their numbers, all else by its name.
#[derive(Clone, Debug)]
pub(super) struct Learned {
    pub(super) key: u64,
    pub(super) looked_at: u64,
    pub(super) circumstances: u64,
    pub(super) possible: bool,
    pub(super) replaced: Box<[(u8, u32)]>,
    pub(super) print: u64,
    /// What became of the network, and of the ledger.
    pub(super) traffic: Option<Changed<Traffic>>,
    pub(super) told: Option<Changed<Told>>,
    /// What was taken from budgets that nobody looked at.
    pub(super) taken: Amounts,
}

/// Where threads leave for each other what they learned.
#[derive(Debug, Default)]
pub(super) struct Board(Mutex<Vec<Vec<Arc<[Learned]>>>>);

impl Memory {
    /// Tells the other threads what was learned since, and learns what they did.
    pub(crate) fn exchange(&mut self, store: &Store) {
        let mut board = store.board.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = *self.place.get_or_insert(board.len());
        if place == board.len() {
            board.push(Vec::new());
        }
        self.recall.shares = board.len() > 1;
        if !self.recall.lessons.is_empty() {
            let lessons: Arc<[Learned]> = self.recall.lessons.drain(..).collect();
            for (at, inbox) in board.iter_mut().enumerate() {
                if at != place {
                    inbox.push(Arc::clone(&lessons));
                }
            }
        }
        let inbox = std::mem::take(&mut board[place]);
        drop(board);
        for lesson in inbox.iter().flat_map(|lessons| lessons.iter()) {
            self.recall.learn(lesson);
        }
    }
}
