//! Accepts notifications into the store.

use shared_ports::SystemClock;
use tidings_store::{AcceptError, Accepted, Store, Submission};

use crate::server::Acceptance;

/// The store, as producers reach it.
pub struct StoreAcceptance(pub(super) Store<SystemClock>);

impl Acceptance for StoreAcceptance {
    async fn accept(&self, submissions: Vec<Submission>) -> Result<Vec<Accepted>, AcceptError> {
        self.0.accept(submissions).await
    }
}
