//! Small durable tables, such as that of the user accounts.

use fjall::Guard;
use shared_ports::Clock;

use super::Store;
use super::commit_position::Keyspace;
use super::core::Core;
use super::error::StoreError;
use super::inbox::Change;

/// The key and the value of a row.
pub type TableRow = (Vec<u8>, Vec<u8>);

/// Rows of a read with a limit of bytes.
#[derive(Debug)]
pub struct TableRows {
    /// The rows.
    pub rows: Vec<TableRow>,
    /// True if there are further rows, which the limit of bytes left out.
    pub is_cut: bool,
}

/// A small durable table of bytes, with a name.
pub struct Table<K: Clock + 'static> {
    store: Store<K>,
    /// Prefix of the keys of its rows: the table's name and a zero byte.
    prefix: Box<[u8]>,
}

impl<K: Clock + 'static> std::fmt::Debug for Table<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table")
            .field("prefix", &self.prefix.escape_ascii().to_string())
            .finish_non_exhaustive()
    }
}

impl<K: Clock + 'static> Clone for Table<K> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), prefix: self.prefix.clone() }
    }
}

impl<K: Clock + 'static> Table<K> {
    pub(super) fn new(store: Store<K>, name: &str) -> Self {
        let prefix = name.bytes().filter(|byte| *byte != 0).chain([0]).collect();
        Self { store, prefix }
    }

    fn key(&self, key: &[u8]) -> Vec<u8> {
        [&self.prefix, key].concat()
    }

    /// Returns the value of `key`.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.store.core().reader()?.tables.get(self.key(key))?;
        Ok(value.map(|value| value.to_vec()))
    }

    /// Stores `value` under `key`. It is as durable as the settings say when this returns.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be written.
    pub async fn put(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let change = Change { keyspace: Keyspace::Tables, key: self.key(key), value: Some(value.to_vec()) };
        Ok(self.store.write(vec![change], None).await?)
    }

    /// Removes `key`, if it is there.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be written.
    pub async fn delete(&self, key: &[u8]) -> Result<(), StoreError> {
        let change = Change { keyspace: Keyspace::Tables, key: self.key(key), value: None };
        Ok(self.store.write(vec![change], None).await?)
    }

    /// Stores rows and removes keys in one commit, no key twice. A power cut within a second may undo all of
    /// it. A crash of the process does not.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be written, or there are rows and the disk has no room for clients' messages.
    pub async fn change_lazily(&self, rows: Vec<TableRow>, removed: Vec<Vec<u8>>) -> Result<(), StoreError> {
        let change = |key: &[u8], value| Change { keyspace: Keyspace::Tables, key: self.key(key), value };
        let rows = rows.into_iter().map(|(key, value)| change(&key, Some(value)));
        let removed = removed.into_iter().map(|key| change(&key, None));
        Ok(self.store.write_lazily(rows.chain(removed).collect()).await?)
    }

    /// Returns the first rows from `from` on and before `end`, at most `limit`, in order of the keys.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub async fn first(&self, from: &[u8], end: &[u8], limit: usize) -> Result<Vec<TableRow>, StoreError> {
        let range = self.key(from)..self.key(end).max(self.key(from));
        let table = self.clone();
        let read = move |core: &Core<K>| {
            let engine = core.reader()?;
            engine.tables.range(range).take(limit).map(|guard| table.row(guard)).collect()
        };
        self.store.core().read(read).await
    }

    /// Returns the last rows from `from` on and before `end`, at most `limit`, the last one first.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub async fn last(&self, from: &[u8], end: &[u8], limit: usize) -> Result<Vec<TableRow>, StoreError> {
        Ok(self.last_within(from, end, limit, usize::MAX).await?.rows)
    }

    /// Returns the rows that [`Table::last`] returns, up to the one with which they have `bytes` bytes or more.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub async fn last_within(
        &self,
        from: &[u8],
        end: &[u8],
        limit: usize,
        bytes: usize,
    ) -> Result<TableRows, StoreError> {
        let range = self.key(from)..self.key(end).max(self.key(from));
        let table = self.clone();
        let read = move |core: &Core<K>| {
            let engine = core.reader()?;
            let (mut rows, mut size) = (Vec::new(), 0);
            for guard in engine.tables.range(range).rev().take(limit) {
                if size >= bytes {
                    return Ok(TableRows { rows, is_cut: true });
                }
                let (key, value) = table.row(guard)?;
                size += key.len() + value.len();
                rows.push((key, value));
            }
            Ok(TableRows { rows, is_cut: false })
        };
        self.store.core().read(read).await
    }

    fn row(&self, guard: Guard) -> Result<TableRow, StoreError> {
        let (key, value) = guard.into_inner()?;
        Ok((key[self.prefix.len()..].to_vec(), value.to_vec()))
    }

    /// Returns all rows, in order of the keys.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub fn list(&self) -> Result<Vec<TableRow>, StoreError> {
        let engine = self.store.core().reader()?;
        engine.tables.prefix(&self.prefix).map(|guard| self.row(guard)).collect()
    }
}
