//! redb: copy-on-write B-tree in one file.

use std::path::Path;

use redb::{Database, Durability, ReadableDatabase, TableDefinition, WriteTransaction};

use super::{Engine, Result, Row, Tuning, Visit, Want};

const NOTIFICATIONS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("notifications");
const DEDUP: TableDefinition<&[u8], &[u8]> = TableDefinition::new("dedup");

/// A redb database file.
pub struct Redb {
    db: Database,
    quick_repair: bool,
}

impl Redb {
    /// Opens or creates the database in `dir`.
    pub fn open(dir: &Path, tuning: &Tuning) -> Result<Self> {
        let db = Database::builder()
            .set_cache_size((tuning.cache_mb * 1024 * 1024) as usize)
            .create(dir.join("db.redb"))?;
        let this = Self {
            db,
            quick_repair: tuning.quick_repair,
        };
        let txn = this.begin(Durability::Immediate)?;
        txn.open_table(NOTIFICATIONS)?;
        txn.open_table(DEDUP)?;
        txn.commit()?;
        Ok(this)
    }

    fn begin(&self, durability: Durability) -> Result<WriteTransaction> {
        let mut txn = self.db.begin_write()?;
        txn.set_durability(durability)?;
        if self.quick_repair && matches!(durability, Durability::Immediate) {
            txn.set_quick_repair(true);
        }
        Ok(txn)
    }
}

impl Engine for Redb {
    fn commit(&self, mut rows: Vec<Row>, dedup: Row) -> Result<()> {
        // Neighbours share a page of the tree.
        rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let txn = self.begin(Durability::Immediate)?;
        {
            let mut table = txn.open_table(NOTIFICATIONS)?;
            for (key, value) in &rows {
                table.insert(key.as_slice(), value.as_slice())?;
            }
            let mut table = txn.open_table(DEDUP)?;
            table.insert(dedup.0.as_slice(), dedup.1.as_slice())?;
        }
        txn.commit()?;
        Ok(())
    }

    fn delete(&self, keys: Vec<Vec<u8>>) -> Result<()> {
        let txn = self.begin(Durability::None)?;
        {
            let mut table = txn.open_table(NOTIFICATIONS)?;
            for key in &keys {
                table.remove(key.as_slice())?;
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
        let txn = self.db.begin_read()?;
        let table = txn.open_table(NOTIFICATIONS)?;
        let mut seen = 0;
        for row in table.range(low..high)?.take(limit) {
            let (key, value) = row?;
            match want {
                Want::Keys => visit(key.value(), &[]),
                Want::Rows => visit(key.value(), value.value()),
            }
            seen += 1;
        }
        Ok(seen)
    }

    fn maintain(&mut self) -> Result<()> {
        self.db.compact()?;
        Ok(())
    }
}
