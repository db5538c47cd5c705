//! The durable tables of accounts, keys and revocations.

use std::future::Future;

use shared_ports::{Clock, PortError};
use tidings_store::Table;

/// A durable table of values by key.
pub trait Records: Send + Sync {
    /// Returns the value of `key`.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Vec<u8>>, PortError>> + Send;

    /// Sets the value of `key`. The change is durable when this returns.
    fn put(&self, key: &str, value: Vec<u8>) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Deletes `key`, if it exists. The change is durable when this returns.
    fn delete(&self, key: &str) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Returns all values, in the order of their keys.
    fn list(&self) -> impl Future<Output = Result<Vec<Vec<u8>>, PortError>> + Send;
}

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
