//! Reports if the store can accept notifications.

use shared_ports::SystemClock;
use tidings_store::Store;

use crate::server::Readiness;

/// The readiness of the store, which is that of the server.
pub struct StoreReadiness(pub(super) Store<SystemClock>);

impl Readiness for StoreReadiness {
    fn ready(&self) -> Result<(), String> {
        if self.0.is_ready() {
            Ok(())
        } else {
            let reason = "notifications can't be accepted: the disk fails, or less is free than store.reserve_bytes and \
                          what the store has still to write out";
            Err(reason.to_owned())
        }
    }
}
