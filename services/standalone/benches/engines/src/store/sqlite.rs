//! SQLite in WAL mode with `synchronous=FULL`.

use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use rusqlite::{Connection, TransactionBehavior};

use super::{Engine, Result, Row, Tuning, Visit, Want};

/// A SQLite database with one connection per role.
pub struct Sqlite {
    writer: Mutex<Connection>,
    /// Deletes do not wait for the disk, so they have a connection with
    /// `synchronous=NORMAL`; it takes turns with `writer`.
    deleter: Mutex<Connection>,
    reader: Mutex<Connection>,
}

fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().expect("no thread panics with the lock")
}

impl Sqlite {
    /// Opens or creates the database in `dir`.
    pub fn open(dir: &Path, tuning: &Tuning) -> Result<Self> {
        let path = dir.join("db.sqlite");
        let connect = |synchronous: &str| -> Result<Mutex<Connection>> {
            let connection = Connection::open(&path)?;
            connection.set_prepared_statement_cache_capacity(16);
            connection.busy_timeout(std::time::Duration::from_secs(60))?;
            connection.execute_batch(&format!(
                "PRAGMA page_size={}; PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous};
                 PRAGMA wal_autocheckpoint={}; PRAGMA cache_size=-{}; PRAGMA mmap_size={};
                 PRAGMA temp_store=MEMORY;",
                tuning.page_size,
                tuning.checkpoint_pages,
                tuning.cache_mb * 1024,
                tuning.mmap_mb * 1024 * 1024,
            ))?;
            Ok(Mutex::new(connection))
        };
        let writer = connect("FULL")?;
        lock(&writer).execute_batch(
            "CREATE TABLE IF NOT EXISTS notifications
               (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
             CREATE TABLE IF NOT EXISTS dedup
               (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;",
        )?;
        Ok(Self {
            writer,
            deleter: connect("NORMAL")?,
            reader: connect("FULL")?,
        })
    }
}

impl Engine for Sqlite {
    fn commit(&self, mut rows: Vec<Row>, dedup: Row) -> Result<()> {
        // Neighbours share a page of the tree.
        rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut connection = lock(&self.writer);
        let txn = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert = txn.prepare_cached("INSERT INTO notifications VALUES (?1, ?2)")?;
            for row in &rows {
                insert.execute((&row.0, &row.1))?;
            }
            let mut insert = txn.prepare_cached("INSERT INTO dedup VALUES (?1, ?2)")?;
            insert.execute((&dedup.0, &dedup.1))?;
        }
        txn.commit()?;
        Ok(())
    }

    fn delete(&self, keys: Vec<Vec<u8>>) -> Result<()> {
        let mut connection = lock(&self.deleter);
        let txn = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut delete = txn.prepare_cached("DELETE FROM notifications WHERE key = ?1")?;
            for key in &keys {
                delete.execute([key])?;
            }
        }
        txn.commit()?;
        Ok(())
    }

    fn scan(
        &self,
        low: &[u8],
        high: &[u8],
        limit: usize,
        want: Want,
        visit: Visit<'_>,
    ) -> Result<usize> {
        let connection = lock(&self.reader);
        let columns = match want {
            Want::Keys => "key, x''",
            Want::Rows => "key, value",
        };
        let mut select = connection.prepare_cached(&format!(
            "SELECT {columns} FROM notifications
             WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3"
        ))?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = select.query((low, high, limit))?;
        let mut seen = 0;
        while let Some(row) = rows.next()? {
            visit(row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?);
            seen += 1;
        }
        Ok(seen)
    }

    fn maintain(&mut self) -> Result<()> {
        let connection = lock(&self.writer);
        connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); VACUUM;")?;
        connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE);")?;
        Ok(())
    }
}
