//! Authenticates producers and operators by the server's own API key and access key.

use axum::http::request::Parts;
use sha2::{Digest as _, Sha256};
use shared_ports::{Clock as _, SystemClock};
use tidings_identity::secrets::{AccessKey, ApiKey};
use tidings_identity::sigv4::{self, HeadProof, RequestParts};

use crate::server::{AuthError, Callers};

/// The server's keys for producers and operators.
pub struct ServerCallers {
    pub(super) api_key: ApiKey,
    pub(super) access_key: AccessKey,
}

impl Callers for ServerCallers {
    fn check_api_key(&self, key: &str) -> Result<(), AuthError> {
        if self.api_key.matches(key.as_bytes()) {
            Ok(())
        } else {
            Err(AuthError::Refused("the API key is not this server's".to_owned()))
        }
    }

    fn check_signed_head(&self, request: &Parts) -> Result<HeadProof, AuthError> {
        let parts = RequestParts::new(&request.method, &request.uri, &request.headers);
        sigv4::verify_head(&self.access_key, &parts, SystemClock.now())
            .map_err(|error| AuthError::Refused(error.to_string()))
    }

    fn check_signature(&self, request: &Parts, body: &[u8]) -> Result<(), AuthError> {
        let parts = RequestParts::new(&request.method, &request.uri, &request.headers);
        let body_sha256 = Sha256::digest(body).into();
        sigv4::verify(&self.access_key, &parts, &body_sha256, SystemClock.now())
            .map(drop)
            .map_err(|error| AuthError::Refused(error.to_string()))
    }
}
