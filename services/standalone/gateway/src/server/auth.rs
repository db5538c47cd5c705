//! Authenticates the callers of the HTTP API and reads their bodies.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::timeout;

use super::problem::Problem;
use super::{App, AuthError, Callers as _, Ports};

/// The credential of a request.
pub(super) enum Credential<'a> {
    /// `Authorization: Bearer …` or `X-Api-Key: …`.
    Key(&'a str),
    /// `Authorization: AWS4-HMAC-SHA256 …`.
    Signature,
}

/// Returns the credential of a request.
///
/// # Errors
/// [`AuthError::Missing`] if the request has none.
pub(super) fn credential(headers: &HeaderMap) -> Result<Credential<'_>, AuthError> {
    let missing = || {
        AuthError::Missing(
            "there is no credential; send the API key as \"Authorization: Bearer <key>\" or \"X-Api-Key: <key>\", \
             or sign the request (AWS Signature Version 4)"
                .to_owned(),
        )
    };
    let Some(value) = headers.get(AUTHORIZATION) else {
        let key = headers.get("x-api-key").ok_or_else(missing)?;
        return key.to_str().map(Credential::Key).map_err(|_| missing());
    };
    let value = value.to_str().map_err(|_| missing())?;
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(Credential::Key(rest.trim()))
    } else if scheme == "AWS4-HMAC-SHA256" {
        Ok(Credential::Signature)
    } else {
        Err(missing())
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Missing(detail) => Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
                .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            AuthError::Refused(detail) => Self::new(StatusCode::FORBIDDEN, "forbidden", detail),
            AuthError::Unavailable(source) => Self::internal("checking a credential", &*source),
        }
    }
}

impl<P: Ports> App<P> {
    /// Authenticates a producer or operator and reads the body. A caller with a wrong key is refused before any of
    /// the body is read; a signature covers the body, which is then read first.
    pub(super) async fn admit(&self, request: Request, limit: usize) -> Result<(Parts, Bytes), Problem> {
        let (parts, body) = request.into_parts();
        if !self.settings.authenticate {
            let body = self.read(&parts.headers, body, limit).await?;
            return Ok((parts, body));
        }
        match credential(&parts.headers)? {
            Credential::Key(key) => {
                self.ports.callers.check_api_key(key)?;
                let body = self.read(&parts.headers, body, limit).await?;
                Ok((parts, body))
            }
            Credential::Signature => {
                let body = self.read(&parts.headers, body, limit).await?;
                self.ports.callers.check_signature(&parts, &body)?;
                Ok((parts, body))
            }
        }
    }

    /// Reads a body of at most `limit` bytes, within [`Settings::body_timeout`](super::Settings::body_timeout).
    pub(super) async fn read(&self, headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Problem> {
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

fn too_large(limit: usize) -> Problem {
    Problem::too_large(format!("the body is too large; allowed are at most {limit} bytes"))
}
