//! Signs requests to AWS.

use std::fmt;

use contract_notifications_v1::Timestamp;
use ring::hmac;
use zeroize::Zeroizing;

use super::signature::{Scope, SignatureLocation};
use super::{ALGORITHM, RequestParts, amz_date, canonical, signing_key, string_to_sign};

/// An access key of AWS, and its session if it is temporary.
#[derive(Clone)]
pub struct AwsCredentials {
    access_key_id: String,
    secret: Zeroizing<String>,
    session_token: Option<Zeroizing<String>>,
}

impl AwsCredentials {
    /// Returns credentials with these parts.
    pub fn new(access_key_id: String, secret: String, session_token: Option<String>) -> Self {
        Self {
            access_key_id,
            secret: Zeroizing::new(secret),
            session_token: session_token.map(Zeroizing::new),
        }
    }
}

impl fmt::Debug for AwsCredentials {
    /// Omits the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsCredentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// The region and the service that a request is signed for.
#[derive(Debug, Clone, Copy)]
pub struct SigningScope<'a> {
    /// The region, such as `eu-central-1`.
    pub region: &'a str,
    /// The service's name in signatures, such as `sqs`.
    pub service: &'a str,
}

/// Signs a request with all its headers, of which `host` must be one. Returns the headers to add to it.
pub fn sign(
    credentials: &AwsCredentials,
    scope: SigningScope<'_>,
    request: &RequestParts<'_>,
    body_sha256: &[u8; 32],
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let time = amz_date::format(now);
    let scope = Scope {
        access_key_id: credentials.access_key_id.clone(),
        date: time.chars().take(8).collect(),
        region: scope.region.to_owned(),
        service: scope.service.to_owned(),
    };
    let mut added = vec![("x-amz-date", time.clone())];
    added.extend(credentials.session_token.as_ref().map(|token| ("x-amz-security-token", token.to_string())));
    let mut signed = request.clone();
    signed.headers.extend(added.iter().map(|(name, value)| (*name, value.as_bytes())));
    let mut names: Vec<_> = signed.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort_unstable();
    names.dedup();
    let canonical = canonical::request(&signed, &names, SignatureLocation::Header, &hex::encode(body_sha256));
    let text = string_to_sign(&time, &scope, &canonical);
    let signature = hex::encode(hmac::sign(&signing_key(&credentials.secret, &scope), text.as_bytes()));
    let authorization = format!(
        "{ALGORITHM} Credential={}/{}, SignedHeaders={}, Signature={signature}",
        scope.access_key_id,
        scope.path(),
        names.join(";"),
    );
    added.push(("authorization", authorization));
    added
}
