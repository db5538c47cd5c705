//! Accounts in a table of the embedded store.

use shared_ports::{Clock, PortError};
use tidings_store::Table;

use super::Records;

impl<K: Clock + 'static> Records for Table<K> {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, PortError> {
        Self::get(self, key.as_bytes()).map_err(|error| PortError::retryable("reading a record", error))
    }

    async fn put(&self, key: &str, value: Vec<u8>) -> Result<(), PortError> {
        let put = Self::put(self, key.as_bytes(), &value).await;
        put.map_err(|error| PortError::retryable("writing a record", error))
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        let deleted = Self::delete(self, key.as_bytes()).await;
        deleted.map_err(|error| PortError::retryable("deleting a record", error))
    }

    async fn list(&self) -> Result<Vec<Vec<u8>>, PortError> {
        let rows = Self::list(self).map_err(|error| PortError::retryable("listing records", error))?;
        Ok(rows.into_iter().map(|(_, value)| value).collect())
    }
}
