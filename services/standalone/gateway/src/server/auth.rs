//! Authenticates the callers of the HTTP API, checks what their keys allow, and reads their bodies.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tidings_identity::keys::{Access, Key, OverBudget};
use tokio::time::timeout;

use super::problem::Problem;
use super::quotas::OverQuota;
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
    /// Returns true if clients may come through a proxy, which may be on this machine.
    pub(super) fn is_behind_proxy(&self) -> bool {
        !self.settings.front.trusted_proxies.is_empty()
    }

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

    /// Authenticates a producer or operator, checks it with `check` and reads the body. A caller with a wrong key is
    /// refused before any of the body is read; a signature covers the body, which is then read first.
    pub(super) async fn admit_if(
        &self,
        request: Request,
        limit: usize,
        check: impl Fn(&Caller) -> Result<(), Problem>,
    ) -> Result<(Caller, Parts, Bytes), Problem> {
        let (parts, body) = request.into_parts();
        if !self.settings.authenticate {
            let body = self.read(&parts.headers, body, limit).await?;
            return Ok((Caller(None), parts, body));
        }
        match credential(&parts.headers)? {
            Credential::Key(key) => {
                let caller = Caller(Some(self.ports.callers.check_api_key(key)?));
                check(&caller)?;
                let body = self.read(&parts.headers, body, limit).await?;
                Ok((caller, parts, body))
            }
            Credential::Signature => {
                let body = self.read(&parts.headers, body, limit).await?;
                let caller = Caller(Some(self.check_signature(&parts, &body)?));
                check(&caller)?;
                Ok((caller, parts, body))
            }
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

    /// Reads a body of at most `limit` bytes, within [`Settings::body_timeout`](super::Settings::body_timeout).
    pub(super) async fn read(&self, headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Problem> {
        require_plain(headers)?;
        let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: u64| length > limit as u64) {
            return Err(too_large(limit));
        }
        let collected = timeout(self.settings.body_timeout, Limited::new(body, limit).collect());
        match collected.await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(limit)),
            Ok(Err(_)) => Err(Problem::bad_request("the body could not be read to its end")),
            Err(_) => {
                let limit = self.settings.body_timeout.as_secs();
                let detail = format!("the body did not come within {limit} s");
                Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", detail))
            }
        }
    }
}

/// Refuses an encoded body. A body may say that it is not encoded, in upper or lower case (RFC 9110, section 8.4.1).
fn require_plain(headers: &HeaderMap) -> Result<(), Problem> {
    let mut codings = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii);
    if codings.all(|coding| coding.is_empty() || coding.eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    let detail = "the body is encoded; send it without Content-Encoding";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail))
}

fn too_large(limit: usize) -> Problem {
    Problem::too_large(format!("the body is too large; allowed are at most {limit} bytes"))
}
