//! The producer API.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde::de::IgnoredAny;
use shared_ports::Clock as _;
use tidings_identity::keys::Access;
use tidings_store::Submission;

use super::auth::Caller;
use super::entries::{Answer, Chunk, Entries, not_accepted, submission, without_mark, write_accepted};
use super::problem::Problem;
use super::request::RequestId;
use super::{Acceptance as _, App, Ports};

/// Answers `POST /v1/notifications`: accepts one notification, or many as an array or as lines of JSON.
pub(super) async fn notifications<P: Ports>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    let lines = is_ndjson(request.headers());
    let (caller, parts, body) = app.admit_if(request, app.settings.max_bulk_body_bytes, may_send).await?;
    let text = text(&body)?;
    if lines {
        return many(&app, &caller, &parts, Entries::lines(text, app.settings.rules())).await;
    }
    if text.trim_start().starts_with('[') {
        return many(&app, &caller, &parts, Entries::array(text, app.settings.rules())?).await;
    }
    one(&app, &caller, text).await.map_err(|problem| match problem.status {
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE if is_several(text) => several(),
        _ => problem,
    })
}

/// Answers `POST /message`: accepts one notification, as clients of other gateways send it.
pub(super) async fn message<P: Ports>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    let (caller, _, body) = app.admit_if(request, app.settings.max_body_bytes, may_send).await?;
    one(&app, &caller, text(&body)?).await
}

fn may_send(caller: &Caller) -> Result<(), Problem> {
    caller.require(Access::Send)
}

/// Checks that the caller's key may send these notifications, and takes them from its budgets.
fn take<P: Ports>(app: &App<P>, caller: &Caller, submissions: &[Submission]) -> Result<(), Problem> {
    let Some(key) = caller.key().filter(|_| !submissions.is_empty()) else { return Ok(()) };
    let bytes = submissions.iter().map(|submission| submission.notification.payload.get().len() as u64);
    Ok(key.take(submissions.len() as u64, bytes.sum(), app.ports.clock.moment())?)
}

async fn one<P: Ports>(app: &App<P>, caller: &Caller, body: &str) -> Result<Response, Problem> {
    let limit = app.settings.max_body_bytes;
    if body.len() > limit {
        return Err(Problem::too_large(format!("the body is too large; allowed are at most {limit} bytes")));
    }
    let submission = submission(body, app.settings.rules(), app.ports.clock.now())?;
    check_recipient(caller, &submission)?;
    take(app, caller, std::slice::from_ref(&submission))?;
    let id = submission.notification.id.clone();
    let accepted = app.ports.acceptance.accept(vec![submission]).await.map_err(not_accepted)?;
    let accepted = accepted.first().ok_or_else(|| Problem::unavailable("the store did not answer"))?;
    let mut answer = Vec::with_capacity(160);
    write_accepted(&mut answer, &id, accepted);
    Ok(json(StatusCode::ACCEPTED, answer))
}

async fn many<P: Ports>(
    app: &App<P>,
    caller: &Caller,
    parts: &Parts,
    mut entries: Entries<'_>,
) -> Result<Response, Problem> {
    let summary = match query(parts, "ack")?.as_deref() {
        None | Some("each") => false,
        Some("summary") => true,
        Some(_) => return Err(Problem::bad_request("ack is unknown; allowed are \"each\" and \"summary\"")),
    };
    let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let mut answer = Answer::new(summary, &request_id);
    let mut failed = None;
    let check = |submission: &Submission| check_recipient(caller, submission);
    while let Some(Chunk { slots, submissions }) = entries.chunk(|| app.ports.clock.now(), check) {
        if answer.has_enough_refusals() {
            answer.refuse_rest();
            break;
        }
        let accepted = match take(app, caller, &submissions) {
            Ok(()) => app.ports.acceptance.accept(submissions).await.map_err(not_accepted),
            Err(problem) => Err(problem),
        };
        if let (Err(problem), None) = (&accepted, &failed) {
            failed = Some(problem.clone());
        }
        answer.add(slots, &accepted);
    }
    match failed {
        // Nothing was accepted, so the producer sends the whole request again.
        Some(problem) if answer.accepted == 0 => Err(problem),
        _ => Ok(json(StatusCode::OK, answer.finish())),
    }
}

/// Refuses a notification for a user whom the caller's key may not send to.
fn check_recipient(caller: &Caller, submission: &Submission) -> Result<(), Problem> {
    match caller.key() {
        Some(key) if !key.scopes().may_send_to(&submission.notification.user_id) => {
            Err(caller.lacks("send, or send: with a prefix of the user id,"))
        }
        _ => Ok(()),
    }
}

fn json(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn text(body: &Bytes) -> Result<&str, Problem> {
    std::str::from_utf8(body).map(without_mark).map_err(|error| {
        Problem::bad_request(format!("the body is not UTF-8: byte {} is wrong", error.valid_up_to()))
    })
}

/// Returns true if several JSON objects follow each other. Parses the first one only.
fn is_several(text: &str) -> bool {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let is_first_whole = matches!(values.next(), Some(Ok(_)));
    is_first_whole && text[values.byte_offset()..].trim_start().starts_with('{')
}

/// The problem of a body with several JSON objects that is not announced as such.
fn several() -> Problem {
    Problem::bad_request(
        "the body has several JSON values; several notifications need \"Content-Type: application/x-ndjson\", one on \
         each line, or must be a JSON array",
    )
}

/// Returns the last value of a query parameter.
fn query(parts: &Parts, name: &str) -> Result<Option<String>, Problem> {
    if parts.uri.query().is_none() {
        return Ok(None);
    }
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
        .map_err(|_| Problem::bad_request("the query is not valid: it must be name=value&name=value"))?;
    Ok(pairs.into_iter().rev().find(|(key, _)| key == name).map(|(_, value)| value))
}

fn is_ndjson(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    ["application/x-ndjson", "application/ndjson", "application/jsonl"]
        .iter()
        .any(|known| essence.eq_ignore_ascii_case(known))
}
