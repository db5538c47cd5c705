//! Authenticates the callers of the HTTP API, checks what their keys allow, and reads their bodies.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING, WWW_AUTHENTICATE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use bytes::BytesMut;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tidings_identity::keys::{Access, Key, KeyName, OverBudget};
use tidings_identity::sigv4::HeadProof;
use tokio::time::timeout;

use super::addresses::Origin;
use super::body_room::{BodyBytes, Full};
use super::problem::Problem;
use super::quotas::OverQuota;
use super::request::Remote;
use super::{App, AuthError, Callers as _, Ports};

/// The credential of a request.
pub(super) enum Credential<'a> {
    /// `Authorization: Bearer …` or `X-Api-Key: …`.
    Key(&'a str),
    /// `Authorization: AWS4-HMAC-SHA256 …`.
    Signature,
}

/// Returns the credential of a request. A key in `X-Api-Key` counts if `Authorization` has a scheme of others, such as
/// the `Basic` that a proxy or a URL with a password adds.
///
/// # Errors
/// [`AuthError::Missing`] if the request has none.
pub(super) fn credential(headers: &HeaderMap) -> Result<Credential<'_>, AuthError> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        let value = value.to_str().unwrap_or_default();
        let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
        if scheme.eq_ignore_ascii_case("bearer") {
            return Ok(Credential::Key(rest.trim()));
        }
        if scheme == "AWS4-HMAC-SHA256" {
            return Ok(Credential::Signature);
        }
    }
    if let Some(key) = headers.get("x-api-key").and_then(|key| key.to_str().ok()) {
        return Ok(Credential::Key(key));
    }
    let found = if headers.contains_key(AUTHORIZATION) {
        "there is no credential of a known kind in \"Authorization\""
    } else {
        "there is no credential"
    };
    Err(AuthError::Missing(format!(
        "{found}; send the API key as \"Authorization: Bearer <key>\" or \"X-Api-Key: <key>\", or sign the request (AWS \
         Signature Version 4)"
    )))
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Missing(detail) => Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
                .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            AuthError::Refused(detail) => Self::new(StatusCode::FORBIDDEN, "forbidden", detail),
            AuthError::TooMany { detail, wait } => Self::too_many_requests(detail, wait),
            AuthError::Unavailable(source) => Self::internal("checking a credential", &*source),
        }
    }
}

/// A producer or operator. Without authentication everybody may do everything.
#[derive(Debug, Clone)]
pub(super) struct Caller(Option<Arc<Key>>);

impl Caller {
    /// Returns the key of the caller; `None` if the server does without authentication.
    pub(super) fn key(&self) -> Option<&Arc<Key>> {
        self.0.as_ref()
    }

    /// Returns true if the caller's key has the scope for `access`.
    pub(super) fn may(&self, access: Access) -> bool {
        self.0.as_ref().is_none_or(|key| key.scopes().allow(access))
    }

    /// Checks that the caller's key has the scope for `access`.
    pub(super) fn require(&self, access: Access) -> Result<(), Problem> {
        if self.may(access) { Ok(()) } else { Err(self.lacks(access.name())) }
    }

    /// Returns the problem of a key without the needed scope.
    pub(super) fn lacks(&self, needed: &str) -> Problem {
        let (name, scopes) = self
            .0
            .as_ref()
            .map_or_else(Default::default, |key| (key.name().to_string(), key.scopes().to_string()));
        let detail =
            format!("the key \"{name}\" may not do this; it needs the scope {needed} and has {scopes}");
        Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }
}

/// Counts a refusal because a subject has used up a rate or a quota.
pub(super) fn count_limit(limit: &'static str) {
    metrics::counter!("tidings_quotas_reached_total", "limit" => limit).increment(1);
}

impl From<OverQuota> for Problem {
    fn from(OverQuota { limit, detail, wait }: OverQuota) -> Self {
        count_limit(limit);
        Self::too_many_requests(detail, wait)
    }
}

impl From<OverBudget> for Problem {
    fn from(over: OverBudget) -> Self {
        let limit = if over.unit == "notifications" { "key-rate" } else { "key-bytes" };
        count_limit(limit);
        Self::too_many_requests(over.to_string(), over.wait)
    }
}

impl<P: Ports> App<P> {
    /// Authenticates a producer or operator whose key allows `access`, and reads the body.
    pub(super) async fn admit(
        &self,
        request: Request,
        limit: usize,
        access: Access,
    ) -> Result<(Parts, Bytes), Problem> {
        let (_, parts, body) = self.admit_if(request, limit, |caller| caller.require(access)).await?;
        Ok((parts, body))
    }

    /// Authenticates a producer or operator, checks it with `check` and reads the body. Everything but the body is
    /// checked first. Only a signature whose head declares no hash of the body needs the body, which then counts among
    /// those of unknown senders. A request of an authenticated caller doesn't count for its address.
    pub(super) async fn admit_if(
        &self,
        request: Request,
        limit: usize,
        check: impl Fn(&Caller) -> Result<(), Problem>,
    ) -> Result<(Caller, Parts, Bytes), Problem> {
        let (parts, body) = request.into_parts();
        if !self.settings.authenticate {
            let caller = Caller(None);
            let body = self.read(&parts.headers, body, limit, &caller).await?;
            return Ok((caller, parts, body));
        }
        match credential(&parts.headers)? {
            Credential::Key(key) => {
                let caller = Caller(Some(self.ports.callers.check_api_key(key)?));
                self.excuse(&parts);
                check(&caller)?;
                let body = self.read(&parts.headers, body, limit, &caller).await?;
                // The key may have been revoked while the body arrived.
                self.ports.callers.check_api_key(key)?;
                Ok((caller, parts, body))
            }
            Credential::Signature => {
                let (key, proof) = self.check_signed_head(&parts)?;
                let caller = Caller(Some(key));
                check(&caller)?;
                let body = match proof {
                    HeadProof::Signed => self.read(&parts.headers, body, limit, &caller).await?,
                    HeadProof::NeedsBody => self.read_unknown(&parts, body, limit).await?,
                };
                let caller = Caller(Some(self.check_signature(&parts, &body)?));
                self.excuse(&parts);
                Ok((caller, parts, body))
            }
        }
    }

    /// Returns true if the headers have a valid API key.
    pub(super) fn has_api_key(&self, headers: &HeaderMap) -> bool {
        match credential(headers) {
            Ok(Credential::Key(key)) => self.ports.callers.check_api_key(key).is_ok(),
            _ => false,
        }
    }

    /// Returns the address by which a client's logins are limited; `None` if its address is exempt.
    pub(super) fn limited_address(&self, parts: &Parts) -> Option<IpAddr> {
        self.addresses.limited(remote(parts))
    }

    /// Takes a request off the count of its address.
    fn excuse(&self, parts: &Parts) {
        self.addresses.excuse_request(remote(parts));
    }

    /// Checks everything about a signature but the body, over the request as it arrived, or as the client may have sent
    /// it to a proxy. An error is about the request as it arrived.
    fn check_signed_head(&self, parts: &Parts) -> Result<(Arc<Key>, HeadProof), AuthError> {
        let mut forms = self.settings.front.signed_forms(parts).into_iter();
        let check = |form: Parts| self.ports.callers.check_signed_head(&form);
        let arrived = check(forms.next().unwrap_or_else(|| parts.clone()));
        match arrived {
            Err(error @ AuthError::Refused(_)) => forms.find_map(|form| check(form).ok()).ok_or(error),
            arrived => arrived,
        }
    }

    /// Checks a signature over the request as it arrived, or as the client may have sent it to a proxy. An error is
    /// about the request as it arrived.
    fn check_signature(&self, parts: &Parts, body: &Bytes) -> Result<Arc<Key>, AuthError> {
        let mut forms = self.settings.front.signed_forms(parts).into_iter();
        let check = |form: Parts| self.ports.callers.check_signature(&form, body);
        let arrived = check(forms.next().unwrap_or_else(|| parts.clone()));
        match arrived {
            Err(AuthError::Refused(detail)) => {
                forms.find_map(|form| check(form).ok()).ok_or(AuthError::Refused(detail))
            }
            arrived => arrived,
        }
    }

    /// Reads a body of at most `limit` bytes, within [`Settings::body_timeout`](super::Settings::body_timeout). It counts
    /// for the caller's key while its bytes are in use.
    async fn read(
        &self,
        headers: &HeaderMap,
        body: Body,
        limit: usize,
        caller: &Caller,
    ) -> Result<Bytes, Problem> {
        require_readable(headers, limit)?;
        let mut room = self.key_bodies.begin(caller.key().map(|key| key.name().clone()));
        let bytes = self.collect(body, limit, |bytes| {
            room.add(bytes).map_err(|Full| {
                metrics::counter!("tidings_key_bodies_refused_total").increment(1);
                Problem::unavailable(
                    "too many bodies at a time, of this key or of all (limits.key_body_bytes); try again, with fewer \
                     requests at a time or smaller ones",
                )
            })
        });
        Ok(Bytes::from_owner(CountedBody { bytes: bytes.await?, _room: room }))
    }

    /// Reads a body as [`App::read`] does, of a sender who is not authenticated yet.
    pub(super) async fn read_unknown(
        &self,
        parts: &Parts,
        body: Body,
        limit: usize,
    ) -> Result<Bytes, Problem> {
        // No more than one address may have, so that a body is not refused again and again.
        let limit = limit.min(self.unknown_bodies.most_of_one());
        require_readable(&parts.headers, limit)?;
        let mut room = self.unknown_bodies.begin(Origin::of(remote(parts)));
        let bytes = self.collect(body, limit, |bytes| {
            room.add(bytes).map_err(|Full| {
                metrics::counter!("tidings_unknown_bodies_refused_total").increment(1);
                Problem::unavailable(
                    "too many bodies of callers that are not authenticated yet (limits.unknown_body_bytes); try again, \
                     with a smaller body or with its hash in X-Amz-Content-Sha256",
                )
            })
        });
        bytes.await
    }

    /// Reads a body of at most `limit` bytes, within [`Settings::body_timeout`](super::Settings::body_timeout). `add` is
    /// asked for room for the bytes that arrive.
    async fn collect(
        &self,
        body: Body,
        limit: usize,
        mut add: impl FnMut(usize) -> Result<(), Problem>,
    ) -> Result<Bytes, Problem> {
        let mut body = pin!(Limited::new(body, limit));
        let reading = async {
            // A body in one piece, as most are, is not copied.
            let (mut first, mut all) = (Bytes::new(), BytesMut::new());
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|error| unreadable(&*error, limit))?;
                let Ok(data) = frame.into_data() else { continue };
                add(data.len())?;
                if first.is_empty() && all.is_empty() {
                    first = data;
                } else {
                    all.extend_from_slice(&std::mem::take(&mut first));
                    all.extend_from_slice(&data);
                }
            }
            Ok(if all.is_empty() { first } else { all.freeze() })
        };
        timeout(self.settings.body_timeout, reading).await.map_err(|_| {
            let limit = self.settings.body_timeout.as_secs();
            let detail = format!("the body did not come within {limit} s");
            Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", detail)
        })?
    }
}

/// A body, with its room among those of its key.
struct CountedBody {
    bytes: Bytes,
    _room: BodyBytes<Option<KeyName>>,
}

impl AsRef<[u8]> for CountedBody {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Returns the address of a request's client.
fn remote(parts: &Parts) -> IpAddr {
    parts.extensions.get::<Remote>().copied().unwrap_or_default().0
}

/// Refuses an encoded body, and one that its head says is too large.
fn require_readable(headers: &HeaderMap, limit: usize) -> Result<(), Problem> {
    require_plain(headers)?;
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > limit as u64) { Err(too_large(limit)) } else { Ok(()) }
}

fn unreadable(error: &(dyn std::error::Error + Send + Sync + 'static), limit: usize) -> Problem {
    if error.is::<LengthLimitError>() {
        return too_large(limit);
    }
    Problem::bad_request("the body could not be read to its end")
}

/// Returns true if a header lists no other coding than `allowed`, in upper or lower case.
fn has_only(headers: &HeaderMap, name: HeaderName, allowed: &str) -> bool {
    let mut codings = headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii);
    codings.all(|coding| coding.is_empty() || coding.eq_ignore_ascii_case(allowed.as_bytes()))
}

/// Refuses an encoded body. A body may say that it is not encoded (RFC 9110, section 8.4.1). A transfer coding that is
/// not known is 501 (RFC 9112, section 6.1).
fn require_plain(headers: &HeaderMap) -> Result<(), Problem> {
    if !has_only(headers, TRANSFER_ENCODING, "chunked") {
        let detail = "the body has a transfer coding; send it with Transfer-Encoding: chunked, or with a Content-Length";
        let problem = Problem::new(StatusCode::NOT_IMPLEMENTED, "not-implemented", detail);
        return Err(problem.with_header(CONNECTION, HeaderValue::from_static("close")));
    }
    if !has_only(headers, CONTENT_ENCODING, "identity") {
        let detail = "the body is encoded; send it without Content-Encoding";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail));
    }
    Ok(())
}

fn too_large(limit: usize) -> Problem {
    Problem::too_large(format!("the body is too large; allowed are at most {limit} bytes"))
}
