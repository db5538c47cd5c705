//! Errors as problem documents (RFC 9457), and the table of their types.

use std::borrow::Cow;
use std::error::Error;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use contract_notifications_v1::UserId;
use serde::Serialize;

/// A refused request. The request id is added when it is rendered.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// The end of the problem's `type`, a fixed word for programs; one of [`PROBLEMS`].
    pub(super) kind: &'static str,
    pub(super) detail: Cow<'static, str>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The exception name for an SDK of API Gateway's management API, whose form the answer then has.
    exception: Option<&'static str>,
    /// The reason for the security log, if it is not the detail that the caller gets.
    pub(super) reason: Option<Box<str>>,
    /// The user that the request was about, for the security log.
    pub(super) about: Option<UserId>,
}

/// A problem as JSON: a whole answer, or the error of one entry of many.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    r#type: TypeUri,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    request_id: &'a str,
}

struct TypeUri(&'static str);

impl Serialize for TypeUri {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("urn:tidings:problem:{}", self.0))
    }
}

/// A type of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProblemType {
    /// The end of the problem's `type`, after `urn:tidings:problem:`.
    pub name: &'static str,
    /// The HTTP statuses it comes with.
    pub statuses: &'static [u16],
    /// The cause, as a sentence in Markdown.
    pub meaning: &'static str,
}

const fn problem(name: &'static str, statuses: &'static [u16], meaning: &'static str) -> ProblemType {
    ProblemType { name, statuses, meaning }
}

/// All types of problems, in the order of their names.
pub const PROBLEMS: &[ProblemType] = &[
    problem(
        "bad-request",
        &[400],
        "The request is malformed. The detail names the field and what is allowed.",
    ),
    problem(
        "disk-full",
        &[507],
        "The disk is full: less is free than `store.reserve_bytes` and what the store has still to write out. Nothing is \
         accepted until more is free.",
    ),
    problem("exists", &[409], "A user of that name exists already."),
    problem(
        "forbidden",
        &[403],
        "The credential is not valid, or its key has not the scope that the detail names.",
    ),
    problem(
        "foreign-page",
        &[403],
        "The server has a setting for development only, and the request's `Host` or `Origin` is not its own. See \
         `server.expose_development`.",
    ),
    problem(
        "foreign-user",
        &[409],
        "The user would share its name with one of another issuer. Set `user_prefix` in `handshake.jwt_issuers`.",
    ),
    problem("gone", &[410], "The connection of a management call is closed or never existed."),
    problem(
        "handshake-refused",
        &[400, 401, 403, 500],
        "The WebSocket handshake is refused: 400 for incomplete headers, 401 without a credential, 403 with a bad \
         one, 500 if it could not be checked.",
    ),
    problem("history-off", &[404], "The server keeps no history. Set `history.enabled = true`."),
    problem("internal", &[500], "The server failed. Its log has the reason under the request id."),
    problem(
        "method-not-allowed",
        &[405],
        "The route has no such method. The header `Allow` lists those it has.",
    ),
    problem("not-found", &[404], "The route, the page, the dead letter or the way to log in does not exist."),
    problem("not-implemented", &[501], "The body has a transfer coding other than `chunked`."),
    problem("timeout", &[408], "The body did not arrive within `server.body_timeout`."),
    problem(
        "too-large",
        &[413],
        "The body or the notification is too large, or the body has too many entries.",
    ),
    problem(
        "too-many-connections",
        &[429],
        "The limit of handshakes per second (`connections.connects_per_second`), of connections per user \
         (`connections.max_per_user`), of arrivals (`hubs.arrivals_per_user`), or of WebSockets or handshakes of your address \
         (`limits.web_sockets_per_address`, `limits.handshakes_per_address`) is reached. Try again, after the time in \
         `Retry-After` if there is one.",
    ),
    problem(
        "too-many-followed",
        &[429],
        "The limit of tracked notifications is reached. Try again in two minutes.",
    ),
    problem(
        "too-many-requests",
        &[429],
        "A rate or a quota of the key, the user or the address is used up: the detail names the setting. Try again after \
         the time in `Retry-After`.",
    ),
    problem("unauthorized", &[401], "The request has no credential, or username or password is wrong."),
    problem(
        "unavailable",
        &[503],
        "The server can't answer at the moment. Try again, after the time in `Retry-After`.",
    ),
    problem("unsupported-media-type", &[415], "The body has a `Content-Encoding`. Send it without."),
    problem(
        "upgrade-required",
        &[426],
        "The route is for WebSocket clients, or the WebSocket version is not 13.",
    ),
];

impl Problem {
    /// A problem of a type of [`PROBLEMS`].
    pub(super) fn new(status: StatusCode, kind: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            kind,
            detail: detail.into(),
            headers: Vec::new(),
            exception: None,
            reason: None,
            about: None,
        }
    }

    /// The request is malformed: 400.
    pub(super) fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    /// The body is too large: 413.
    pub(super) fn too_large(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
    }

    /// The server failed: 500. The log gets the error, and the caller the request id to find it by.
    pub(super) fn internal(operation: &'static str, error: &(dyn Error + 'static)) -> Self {
        tracing::error!(operation, error, "a request failed");
        let detail = "the request could not be carried out; the server's log has the reason";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// The server can't answer at the moment: 503, with `Retry-After`.
    pub(super) fn unavailable(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
            .with_header(axum::http::header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// A rate or a quota is used up for `wait`: 429, with `Retry-After`.
    pub(super) fn too_many_requests(detail: impl Into<Cow<'static, str>>, wait: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", detail).retry_after(wait)
    }

    /// Tells the caller when to try again, in whole seconds.
    pub(super) fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1_000).max(1);
        // A number is always a legal header value.
        match HeaderValue::try_from(seconds.to_string()) {
            Ok(seconds) => self.with_header(axum::http::header::RETRY_AFTER, seconds),
            Err(_) => self,
        }
    }

    /// Adds a header to the answer.
    pub(super) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Sets the reason for the security log. It contains no part of a credential.
    pub(super) fn with_reason(mut self, reason: impl Into<Box<str>>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Sets the user for the security log.
    pub(super) fn about(mut self, user: Option<UserId>) -> Self {
        self.about = user;
        self
    }

    /// Gives the answer the form of API Gateway's management API.
    pub(super) fn with_exception(mut self, name: &'static str) -> Self {
        self.exception = Some(name);
        self
    }

    /// Appends the JSON document to `into`.
    pub(super) fn write(&self, into: &mut Vec<u8>, request_id: &str) {
        let document = Document {
            r#type: TypeUri(self.kind),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            message: self.exception.map(|_| &*self.detail),
            request_id,
        };
        // A document always serializes, and a buffer in memory takes every write.
        let _ = serde_json::to_writer(into, &document);
    }

    /// Renders the whole response.
    pub(super) fn render(self, request_id: &str) -> Response {
        let mut body = Vec::with_capacity(256);
        self.write(&mut body, request_id);
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let content_type =
            if self.exception.is_some() { "application/json" } else { "application/problem+json" };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(name) = self.exception {
            headers.insert("x-amzn-errortype", HeaderValue::from_static(name));
        }
        headers.extend(self.headers);
        response
    }
}

impl IntoResponse for Problem {
    /// Makes an empty response that carries the problem to the place where the request id is known.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
