//! AWS Signature Version 4: verification of requests to this server, and signing of requests to AWS.
//!
//! With the server's key pair, everything that can call API Gateway behind IAM can call this server: AWS
//! SDKs, the AWS CLI, `curl --aws-sigv4`. A signature is in headers, or presigned in the query
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).
//!
//! ```text
//! canonical request = method · path · query · signed headers · their names · SHA-256(body)
//! string to sign    = algorithm · time · scope · SHA-256(canonical request)
//! signature         = HMAC(HMAC(HMAC(HMAC(HMAC("AWS4"+secret, date), region), service), "aws4_request"), string)
//! ```
//!
//! As with AWS, a signed request can be repeated until it is too old. Actions that must not happen twice need
//! an idempotency key.

mod amz_date;
mod canonical;
mod error;
mod sign;
mod signature;
#[cfg(test)]
mod tests;

use std::time::Duration;

use contract_notifications_v1::Timestamp;
use ring::hmac::{self, HMAC_SHA256};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

pub use self::error::SigV4Error;
pub use self::sign::{AwsCredentials, SigningScope, sign};
use self::signature::{PresentedSignature, Scope};
use super::secrets::{AccessKey, AccessKeyId};

/// The service that requests must be signed for: API Gateway's.
pub const SERVICE: &str = "execute-api";
/// Largest deviation of the signer's clock.
pub const MAX_SKEW: Duration = Duration::from_mins(5);

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The header that declares the hash of the body.
const BODY_HASH: &str = "x-amz-content-sha256";

/// A request without its body, as received: nothing is decoded or removed.
#[derive(Debug, Clone)]
pub struct RequestParts<'a> {
    /// Method, in upper case.
    pub method: &'a str,
    /// Path, still percent-encoded.
    pub path: &'a str,
    /// Query, still percent-encoded, without the question mark. Empty if there is none.
    pub query: &'a str,
    /// Names and values of all headers. Repeated headers are in the order received.
    pub headers: Vec<(&'a str, &'a [u8])>,
}

impl<'a> RequestParts<'a> {
    /// Returns the parts of a request in axum. In a nested router, pass the original URI, because nesting
    /// shortens the path.
    pub fn new(method: &'a http::Method, uri: &'a http::Uri, headers: &'a http::HeaderMap) -> Self {
        Self {
            method: method.as_str(),
            path: uri.path(),
            query: uri.query().unwrap_or_default(),
            headers: headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect(),
        }
    }

    /// Returns true if the request carries a signature, which [`verify`] must then check.
    pub fn is_signed(&self) -> bool {
        !matches!(signature::locate(self), Err(SigV4Error::NotSigned))
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let matching = self.headers.iter().filter(move |(found, _)| found.eq_ignore_ascii_case(name));
        matching.map(|(_, value)| *value)
    }

    /// Returns the value of a header that must not be repeated.
    fn value(&self, name: &'static str) -> Result<Option<&'a [u8]>, SigV4Error> {
        let mut values = self.values(name);
        let first = values.next();
        if values.next().is_some() { Err(SigV4Error::Repeated { name }) } else { Ok(first) }
    }
}

/// Returns the id of the access key that a request says it was signed with. Nothing is verified.
///
/// # Errors
/// [`SigV4Error`] if the request has no well-formed signature.
pub fn access_key_id(request: &RequestParts<'_>) -> Result<String, SigV4Error> {
    Ok(PresentedSignature::of(request)?.scope.access_key_id)
}

/// Verifies that `request` was signed with `key` for [`SERVICE`], in any region, at about `now`.
///
/// `body_sha256` is the SHA-256 of the request's body.
///
/// # Errors
/// [`SigV4Error`], which contains neither a secret nor the expected signature.
pub fn verify(
    key: &AccessKey,
    request: &RequestParts<'_>,
    body_sha256: &[u8; 32],
    now: Timestamp,
) -> Result<AccessKeyId, SigV4Error> {
    verify_for(SERVICE, key, request, body_sha256, now)
}

fn verify_for(
    service: &'static str,
    key: &AccessKey,
    request: &RequestParts<'_>,
    body_sha256: &[u8; 32],
    now: Timestamp,
) -> Result<AccessKeyId, SigV4Error> {
    let presented = check_head(service, request, now)?;
    let body_hash = hex::encode(body_sha256);
    check_body_hash(request, &body_hash)?;
    check_key(key, &presented)?;
    check_mac(key, request, &presented, &body_hash)?;
    Ok(key.id().clone())
}

/// The proof that the head of a signed request is, before its body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadProof {
    /// The signature is valid for the body's hash that the head declares (`X-Amz-Content-Sha256`).
    Signed,
    /// The head declares no hash of the body, so the signature can't be checked without the body.
    NeedsBody,
}

/// Checks everything about a signature that can be checked before the body is read. [`verify`] must check the request
/// again, with its body.
///
/// # Errors
/// [`SigV4Error`], as [`verify`].
pub fn verify_head(
    key: &AccessKey,
    request: &RequestParts<'_>,
    now: Timestamp,
) -> Result<HeadProof, SigV4Error> {
    let presented = check_head(SERVICE, request, now)?;
    check_key(key, &presented)?;
    let Some(declared) = request.value(BODY_HASH)? else { return Ok(HeadProof::NeedsBody) };
    let declared = std::str::from_utf8(declared).map_err(|_| SigV4Error::Body)?;
    check_body_hash(request, declared)?;
    check_mac(key, request, &presented, declared)?;
    Ok(HeadProof::Signed)
}

/// Checks the parts of a signature that need no key.
fn check_head(
    service: &'static str,
    request: &RequestParts<'_>,
    now: Timestamp,
) -> Result<PresentedSignature, SigV4Error> {
    let presented = PresentedSignature::of(request)?;
    if presented.scope.service != service {
        return Err(SigV4Error::Service { expected: service });
    }
    check_time(&presented, now)?;
    check_headers(&presented, request)?;
    Ok(presented)
}

fn check_key(key: &AccessKey, presented: &PresentedSignature) -> Result<(), SigV4Error> {
    // A comparison in variable time suffices: ids of access keys are not secret.
    if presented.scope.access_key_id == key.id().as_str() {
        Ok(())
    } else {
        Err(SigV4Error::UnknownAccessKey)
    }
}

fn check_mac(
    key: &AccessKey,
    request: &RequestParts<'_>,
    presented: &PresentedSignature,
    body_hash: &str,
) -> Result<(), SigV4Error> {
    let canonical = canonical::request(request, &presented.signed_headers, presented.location, body_hash);
    let text = string_to_sign(&presented.time, &presented.scope, &canonical);
    // Compares in constant time.
    hmac::verify(&signing_key(key.reveal(), &presented.scope), text.as_bytes(), &presented.signature)
        .map_err(|_| SigV4Error::Mismatch)
}

/// Checks the time of a signature. A signature in headers is valid for [`MAX_SKEW`] before and after its
/// time, a presigned one for [`MAX_SKEW`] before and for its lifetime after its time.
fn check_time(presented: &PresentedSignature, now: Timestamp) -> Result<(), SigV4Error> {
    let signed_at = presented.signed_at;
    let early = signed_at.since(now);
    if early > MAX_SKEW {
        return Err(SigV4Error::TooEarly { seconds: early.as_secs() });
    }
    let (age, lifetime) = (now.since(signed_at), presented.location.lifetime());
    if age > lifetime {
        return Err(SigV4Error::TooLate { seconds: age.as_secs(), lifetime: lifetime.as_secs() });
    }
    Ok(())
}

/// Checks that `host` and all `x-amz-` headers are signed, so that changes on the way are detected.
fn check_headers(presented: &PresentedSignature, request: &RequestParts<'_>) -> Result<(), SigV4Error> {
    let signed = |name: &str| presented.signed_headers.iter().any(|found| found.eq_ignore_ascii_case(name));
    for name in &presented.signed_headers {
        if request.values(name).next().is_none() {
            return Err(SigV4Error::Absent { name: name.clone() });
        }
    }
    if !signed("host") {
        return Err(SigV4Error::Unsigned { name: "host".to_owned() });
    }
    let amazon = |name: &&str| name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"));
    match request.headers.iter().map(|(name, _)| *name).filter(amazon).find(|name| !signed(name)) {
        Some(name) => Err(SigV4Error::Unsigned { name: name.to_ascii_lowercase() }),
        None => Ok(()),
    }
}

/// Checks the body's hash that the request declares, if it declares one.
fn check_body_hash(request: &RequestParts<'_>, body_hash: &str) -> Result<(), SigV4Error> {
    match request.value(BODY_HASH)? {
        None => Ok(()),
        Some(declared) if declared.starts_with(b"UNSIGNED-") || declared.starts_with(b"STREAMING-") => {
            Err(SigV4Error::UnsignedBody)
        }
        Some(declared) if declared == body_hash.as_bytes() => Ok(()),
        Some(_) => Err(SigV4Error::Body),
    }
}

fn string_to_sign(time: &str, scope: &Scope, canonical: &[u8]) -> String {
    let hash = hex::encode(Sha256::digest(canonical));
    format!("{ALGORITHM}\n{time}\n{}\n{hash}", scope.path())
}

fn signing_key(secret: &str, scope: &Scope) -> hmac::Key {
    let secret = Zeroizing::new(["AWS4", secret].concat());
    [&scope.date, &scope.region, &scope.service, signature::TERMINATOR]
        .into_iter()
        .fold(hmac::Key::new(HMAC_SHA256, secret.as_bytes()), |key, text| {
            hmac::Key::new(HMAC_SHA256, hmac::sign(&key, text.as_bytes()).as_ref())
        })
}
