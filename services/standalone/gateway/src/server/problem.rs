//! Errors as problem documents (RFC 9457).

use std::borrow::Cow;
use std::error::Error;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A refused request. Its request id is added when it is written.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// A fixed word for programs; the end of the problem's `type`.
    pub(super) kind: &'static str,
    pub(super) detail: Cow<'static, str>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Written as API Gateway's management API writes errors, for its SDKs.
    exception: Option<&'static str>,
}

/// A problem as JSON, whole or as the error of one entry of many.
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

impl Problem {
    pub(super) fn new(status: StatusCode, kind: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, kind, detail: detail.into(), headers: Vec::new(), exception: None }
    }

    pub(super) fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    pub(super) fn too_large(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
    }

    /// Our own fault: the log has the error, the caller has the request id.
    pub(super) fn internal(operation: &'static str, error: &(dyn Error + 'static)) -> Self {
        tracing::error!(operation, error, "a request failed");
        let detail = "the request could not be carried out; the server's log has the reason";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    pub(super) fn unavailable(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
            .with_header(axum::http::header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    pub(super) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn with_exception(mut self, name: &'static str) -> Self {
        self.exception = Some(name);
        self
    }

    /// Appends the document.
    pub(super) fn write(&self, into: &mut Vec<u8>, request_id: &str) {
        let document = Document {
            r#type: TypeUri(self.kind),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            message: self.exception.map(|_| &*self.detail),
            request_id,
        };
        // Neither the value nor a buffer in memory can fail.
        let _ = serde_json::to_writer(into, &document);
    }

    /// The whole response.
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
    /// An empty response that carries the problem to where the request id is known.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
