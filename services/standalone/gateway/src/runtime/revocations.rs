//! Blocks users and revokes credentials.

use contract_notifications_v1::{Timestamp, UserId};
use shared_ports::{Clock as _, PortError, SystemClock};
use tidings_identity::revocations::{self, RevocationError, RevocationInfo, UserChange};
use tidings_store::Table;

use crate::server::Revocations;

/// The server's revocations. Clones share them.
#[derive(Debug, Clone)]
pub struct StoredRevocations(pub(super) revocations::Revocations<Table<SystemClock>>);

impl Revocations for StoredRevocations {
    fn list(&self) -> Vec<RevocationInfo> {
        self.0.list(SystemClock.now())
    }

    fn version(&self) -> u64 {
        self.0.version()
    }

    fn changed_since(&self, user: &UserId, version: u64) -> bool {
        self.0.changed_since(user, version)
    }

    fn is_refused(&self, token_id: &str) -> bool {
        self.0.is_refused(token_id, SystemClock.now())
    }

    async fn change_user(&self, user: UserId, change: UserChange) -> Result<(), RevocationError> {
        let revocations = self.0.clone();
        let change = async move { revocations.change_user(&user, change, SystemClock.now()).await };
        complete(tokio::spawn(change)).await
    }

    async fn change_token(&self, id: String, until: Option<Timestamp>) -> Result<(), RevocationError> {
        let revocations = self.0.clone();
        let change = async move { revocations.change_token(&id, until, SystemClock.now()).await };
        complete(tokio::spawn(change)).await
    }
}

/// Waits for a change in a task of its own, which goes on if the caller goes away: what is stored must count.
async fn complete(
    change: tokio::task::JoinHandle<Result<(), RevocationError>>,
) -> Result<(), RevocationError> {
    let failed = |error| RevocationError::Records(PortError::retryable("changing a revocation", error));
    change.await.unwrap_or_else(|error| Err(failed(error)))
}
