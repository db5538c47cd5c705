//! Authenticates producers and operators by their keys, and keeps the keys.

use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use contract_notifications_v1::Timestamp;
use sha2::{Digest as _, Sha256};
use shared_ports::{Clock as _, PortError, SystemClock};
use tidings_identity::keys::{Key, KeyError, KeyInfo, KeyName, KeyRefusal, Keys, NewKey, NewSecrets};
use tidings_identity::secrets::AccessKey;
use tidings_identity::sigv4::{self, HeadProof, RequestParts, SigV4Error};
use tidings_store::Table;

use crate::server::{AuthError, Callers, KeyRing};

/// The server's keys. Clones share them.
#[derive(Debug, Clone)]
pub struct ServerKeys(pub(super) Keys<Table<SystemClock>>);

fn refused(error: &SigV4Error) -> AuthError {
    AuthError::Refused(error.to_string())
}

impl ServerKeys {
    /// Returns the key that a request says it was signed with, and its key pair.
    fn signer(&self, parts: &RequestParts<'_>, now: Timestamp) -> Result<(Arc<Key>, AccessKey), AuthError> {
        let id = sigv4::access_key_id(parts).map_err(|error| refused(&error))?;
        self.0.access_key(&id, now).map_err(|refusal| match refusal {
            KeyRefusal::Unknown => refused(&SigV4Error::UnknownAccessKey),
            expired @ KeyRefusal::Expired { .. } => AuthError::Refused(expired.to_string()),
        })
    }
}

impl Callers for ServerKeys {
    fn check_api_key(&self, key: &str) -> Result<Arc<Key>, AuthError> {
        let found = self.0.authenticate(key, SystemClock.now());
        found.map_err(|refusal| AuthError::Refused(refusal.to_string()))
    }

    fn check_signed_head(&self, request: &Parts) -> Result<(Arc<Key>, HeadProof), AuthError> {
        let parts = RequestParts::new(&request.method, &request.uri, &request.headers);
        let now = SystemClock.now();
        let (key, access_key) = self.signer(&parts, now)?;
        let proof = sigv4::verify_head(&access_key, &parts, now).map_err(|error| refused(&error))?;
        Ok((key, proof))
    }

    fn check_signature(&self, request: &Parts, body: &[u8]) -> Result<Arc<Key>, AuthError> {
        let parts = RequestParts::new(&request.method, &request.uri, &request.headers);
        let now = SystemClock.now();
        let (key, access_key) = self.signer(&parts, now)?;
        let body_sha256 = Sha256::digest(body).into();
        sigv4::verify(&access_key, &parts, &body_sha256, now).map_err(|error| refused(&error))?;
        self.0.signed(&key, now);
        Ok(key)
    }
}

impl KeyRing for ServerKeys {
    fn list(&self) -> Vec<KeyInfo> {
        self.0.list()
    }

    async fn add(&self, new: NewKey) -> Result<NewSecrets, KeyError> {
        let keys = self.0.clone();
        let change = async move { keys.add(new, SystemClock.now(), SystemClock.moment()).await };
        complete(tokio::spawn(change)).await
    }

    async fn rotate(&self, name: KeyName, overlap: Duration) -> Result<NewSecrets, KeyError> {
        let keys = self.0.clone();
        let change = async move { keys.rotate(&name, overlap, SystemClock.now()).await };
        complete(tokio::spawn(change)).await
    }

    fn contains(&self, identity: &str) -> bool {
        self.0.contains(identity)
    }

    async fn revoke(&self, name: KeyName) -> Result<String, KeyError> {
        let keys = self.0.clone();
        complete(tokio::spawn(async move { keys.revoke(&name).await })).await
    }

    async fn store_uses(&self) -> Result<(), PortError> {
        self.0.store_uses().await
    }
}

/// Waits for a change in a task of its own, which goes on if the caller goes away: what is stored must count.
async fn complete<T>(change: tokio::task::JoinHandle<Result<T, KeyError>>) -> Result<T, KeyError> {
    let failed = |error| KeyError::Records(PortError::retryable("changing a key", error));
    change.await.unwrap_or_else(|error| Err(failed(error)))
}
