//! Small durable tables, such as that of the user accounts.

use shared_ports::Clock;

use super::Store;
use super::error::StoreError;
use super::head::Space;
use super::inbox::Change;

/// The key and the value of a row.
pub type TableRow = (Vec<u8>, Vec<u8>);

/// A small durable table of bytes by name.
#[derive(Clone)]
pub struct Table<K: Clock + 'static> {
    store: Store<K>,
    /// The table's name and a zero byte: the keys of its rows begin with it.
    prefix: Box<[u8]>,
}

impl<K: Clock + 'static> std::fmt::Debug for Table<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table")
            .field("prefix", &self.prefix.escape_ascii().to_string())
            .finish_non_exhaustive()
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

    /// What is stored under `key`.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.store.core().reader()?.tables.get(self.key(key))?;
        Ok(value.map(|value| value.to_vec()))
    }

    /// Stores `value` under `key`; it is durable when this returns.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be written.
    pub async fn put(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let change = Change { space: Space::Tables, key: self.key(key), value: Some(value.to_vec()) };
        Ok(self.store.write(vec![change], None).await?)
    }

    /// Removes what is stored under `key`, if there is something.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be written.
    pub async fn delete(&self, key: &[u8]) -> Result<(), StoreError> {
        let change = Change { space: Space::Tables, key: self.key(key), value: None };
        Ok(self.store.write(vec![change], None).await?)
    }

    /// Everything in the table, in order of the keys.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub fn list(&self) -> Result<Vec<TableRow>, StoreError> {
        let engine = self.store.core().reader()?;
        let rows = engine.tables.prefix(&self.prefix).map(|guard| {
            let (key, value) = guard.into_inner()?;
            Ok((key[self.prefix.len()..].to_vec(), value.to_vec()))
        });
        rows.collect()
    }
}
