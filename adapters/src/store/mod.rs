//! Stores behind the questions of the roles: where accounts survive a restart.
//!
//! A store answers exactly as the role of the same name would; a conformance test drives both with the same
//! questions. Nothing here decides who may log in: it compares, it remembers, it reports what it found.

mod password;
pub(crate) mod remembered;
mod schema;
mod sqlite;
#[cfg(test)]
mod tests;

use std::fmt;

pub use password::HashCost;
pub use sqlite::{Recall, SqliteAccounts};

/// Why a store could not answer. The asking role hears of an outage; the operator reads this.
#[derive(Debug)]
pub enum StoreError {
    /// The database refused or failed.
    Database(rusqlite::Error),
    /// The database was written by a newer gatepass.
    TooNew {
        /// The version of its schema.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// A stored password hash is damaged, of a foreign kind, or would cost an absurd amount of work.
    StoredHash,
    /// The password could not be hashed.
    Hashing,
    /// The operating system gave no randomness.
    Entropy,
    /// A stored value is outside of what this program writes.
    Damaged(&'static str),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => write!(f, "the account database: {error}"),
            Self::TooNew { found, known } => write!(
                f,
                "the account database has schema version {found}, this gatepass knows up to {known}: \
                 it was written by a newer release"
            ),
            Self::StoredHash => {
                f.write_str("a stored password hash is damaged, of a foreign kind, or absurdly expensive")
            }
            Self::Hashing => f.write_str("a password could not be hashed"),
            Self::Entropy => f.write_str("the operating system gave no randomness"),
            Self::Damaged(what) => write!(f, "the account database holds a damaged value: {what}"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Database(error) => Some(error),
            _ => None,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}
