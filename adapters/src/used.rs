//! What a cache in memory knows of used payloads, across an orderly restart.
//!
//! Kept in the account database when the process ends, and taken from there by the next one, once. After a crash there
//! is nothing to take: then the cache takes nothing signed until all that was used before is too old.

use gatepass_core::{
    ids::{CallId, Payload},
    limits::RECALL_MAX,
    message::{Ask, CacheAsk, Question},
    role::Event,
};

use crate::{
    drive::RoleId,
    shell::Shell,
    store::{SqliteAccounts, StoreError},
};

/// Tells the cache what was used before it began. Whether all of it is known.
///
/// # Errors
/// If the database fails.
pub(crate) fn recall(shell: &Shell, store: &SqliteAccounts) -> Result<bool, StoreError> {
    let Some(used) = store.take_used()? else { return Ok(false) };
    let batches = used.chunks(RECALL_MAX);
    let last = batches.len().saturating_sub(1);
    if used.is_empty() {
        tell(shell, &[], true);
    }
    for (place, batch) in batches.enumerate() {
        tell(shell, batch, place == last);
    }
    Ok(true)
}

fn tell(shell: &Shell, used: &[Payload], last: bool) {
    // Nobody waits for the answer.
    let (from, call) = (RoleId::Cache.asker(), CallId::default());
    let ask = Ask::Cache(CacheAsk::Recall { used: used.into(), last });
    shell.feed(RoleId::Cache, Event::Asked(Question { from, call, ask }));
}

/// Keeps what was used for the next process. Nothing, if some of it may have been forgotten, or if a login is still
/// under way here: the LoginServer takes no new ones by now, so afterwards nothing can be used.
///
/// # Errors
/// If the database fails.
pub(crate) fn keep(shell: &Shell, store: &SqliteAccounts) -> Result<(), StoreError> {
    let used = shell.with_node(|node| {
        let busy = node.login().is_some_and(|login| login.pending() > 0);
        let used = node.cache().filter(|_| !busy).and_then(|cache| cache.used_payloads());
        used.map(Iterator::collect::<Vec<_>>)
    });
    used.map_or(Ok(()), |used| store.keep_used(&used))
}
