//! The tables of the account database and how an older one becomes a current one.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::StoreError;

/// Every step from an empty database to the current one, in order. A step that has been released is never
/// changed: the database remembers in `user_version` how many it has taken.
const STEPS: [&str; 3] = [
    "
    CREATE TABLE accounts (
        id            INTEGER PRIMARY KEY CHECK (id > 0),
        name          TEXT NOT NULL UNIQUE,
        device        BLOB UNIQUE,
        password_hash TEXT NOT NULL,
        banned        INTEGER NOT NULL DEFAULT 0 CHECK (banned IN (0, 1)),
        created       INTEGER NOT NULL,
        last_played   INTEGER
    ) STRICT;
    CREATE TABLE meta (
        one         INTEGER PRIMARY KEY CHECK (one = 1),
        generation  INTEGER NOT NULL,
        device_salt BLOB NOT NULL
    ) STRICT;
    INSERT INTO meta (one, generation, device_salt) VALUES (1, 0, randomblob(16));
",
    "
    CREATE TABLE identities (
        realm   TEXT NOT NULL,
        subject TEXT NOT NULL,
        account INTEGER NOT NULL UNIQUE REFERENCES accounts (id),
        PRIMARY KEY (realm, subject)
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE used_payloads (payload BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
    ALTER TABLE meta ADD COLUMN used_payloads_whole INTEGER NOT NULL DEFAULT 1 CHECK (used_payloads_whole IN (0, 1));
",
];

/// Brings a database up to date. Several programs may do so at once: one works, the others find it done.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let known = u32::try_from(STEPS.len()).unwrap_or(u32::MAX);
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    let found: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Err(StoreError::TooNew { found, known });
    }
    for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(usize::MAX)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrating_twice_changes_nothing() {
        let mut connection = Connection::open_in_memory().expect("opens");
        migrate(&mut connection).expect("the first time");
        let salt = |connection: &Connection| -> Vec<u8> {
            connection.query_row("SELECT device_salt FROM meta", [], |row| row.get(0)).expect("one row")
        };
        let before = salt(&connection);
        assert_eq!(before.len(), 16);
        migrate(&mut connection).expect("the second time");
        assert_eq!(salt(&connection), before);
    }

    #[test]
    fn a_database_from_the_future_is_left_alone() {
        let mut connection = Connection::open_in_memory().expect("opens");
        connection.pragma_update(None, "user_version", 99).expect("sets");
        let error = migrate(&mut connection).expect_err("too new");
        assert!(matches!(error, StoreError::TooNew { found: 99, .. }), "{error}");
    }
}
