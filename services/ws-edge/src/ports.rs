//! What the edge needs of the world. Adapters give it: DynamoDB on AWS, embedded storage in one process.

mod history;

use std::future::Future;

use contract_connections_v1::{Connection, ConnectionKey};
use contract_notifications_v1::{Sequence, UserId};
use shared_ports::PortError;

pub use history::{History, HistoryPage, NoHistory};

/// The Connections table, as the edge uses it.
pub trait Connections: Send + Sync {
    /// Stores a row. Once this has returned, a strongly consistent list has it, and its stream record will
    /// wake the replayer.
    fn put(&self, row: &Connection) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Deletes a row; one that is not there is no error.
    fn delete(&self, key: &ConnectionKey) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// The users' mailboxes, as the edge uses them.
pub trait Mailbox: Send + Sync {
    /// Deletes the rows of notifications that arrived; those not there are no error. `sequences` is
    /// ascending and names none twice, at most
    /// [`MAX_ACK_SEQUENCES`](contract_frames_v1::MAX_ACK_SEQUENCES). When it fails, some may have been
    /// deleted.
    fn acknowledge(
        &self,
        user: &UserId,
        sequences: &[Sequence],
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}
