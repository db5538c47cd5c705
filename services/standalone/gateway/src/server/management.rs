//! API Gateway's management API with its requests and answers, so that an AWS SDK can be pointed at this server
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html>).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use contract_connections_v1::ConnectionId;
use contract_frames_v1::MAX_MESSAGE_BYTES;
use contract_notifications_v1::{InvalidNotification, Timestamp, is_nested_deeper};
use serde::Serialize;
use shared_ports::Clock as _;
use tidings_identity::keys::Access;
use tidings_sockets::{Description, Peer};

use super::auth::Caller;
use super::problem::Problem;
use super::{App, Ports};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GetConnection {
    connected_at: String,
    identity: Identity,
    last_active_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    source_ip: String,
    user_agent: String,
}

/// Answers `POST /@connections/{id}`: sends a message to the connection.
pub(super) async fn post<P: Ports>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    let id = id(request.uri().path())?;
    // The message may say anything to anybody, so a key for some users is not enough.
    let to_all = |caller: &Caller| match caller.key() {
        Some(key) if !key.scopes().may_send_to_all() => Err(caller.lacks(Access::Send.name())),
        _ => Ok(()),
    };
    let (caller, _, body) = app.admit_if(request, MAX_MESSAGE_BYTES, to_all).await.map_err(exception)?;
    if let Some(key) = caller.key() {
        let taken = key.take(1, body.len() as u64, app.ports.clock.moment());
        taken.map_err(|over| exception(Problem::from(over)))?;
    }
    let Ok(text) = std::str::from_utf8(&body) else {
        return Err(exception(Problem::bad_request("the message is not UTF-8; messages are text frames")));
    };
    // Text that is not JSON is no danger to a parser of JSON.
    let levels = app.settings.payload_depth;
    if text.trim_start().starts_with(['[', '{']) && is_nested_deeper(text, levels) {
        let error = InvalidNotification::TooDeep { levels };
        return Err(exception(Problem::bad_request(error.to_string())));
    }
    app.registry.push_to(&id, body).await.map_err(|_| gone())?;
    Ok(StatusCode::OK.into_response())
}

/// Answers `GET /@connections/{id}`: describes the connection.
pub(super) async fn get<P: Ports>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    let id = id(request.uri().path())?;
    app.admit(request, 0, Access::Read).await.map_err(exception)?;
    let Description { connected_at, last_active_at, peer } = app.registry.describe(&id).ok_or_else(gone)?;
    let identity = peer.map_or_else(
        || Identity { source_ip: String::new(), user_agent: String::new() },
        |Peer { ip, user_agent }| Identity { source_ip: ip.to_string(), user_agent: user_agent.into() },
    );
    let (connected_at, last_active_at) = (iso8601(connected_at), iso8601(last_active_at));
    Ok(Json(GetConnection { connected_at, identity, last_active_at }).into_response())
}

/// Answers `DELETE /@connections/{id}`: closes the connection.
pub(super) async fn delete<P: Ports>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    let id = id(request.uri().path())?;
    app.admit(request, 0, Access::Operate).await.map_err(exception)?;
    if app.registry.close(&id) { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(gone()) }
}

/// Returns the connection id: the last segment of the path, decoded.
pub(super) fn id(path: &str) -> Result<ConnectionId, Problem> {
    let last = path.rsplit('/').next().unwrap_or_default();
    let id = decode(last).filter(|id| !id.is_empty() && id.len() <= 128);
    id.map(ConnectionId::new).ok_or_else(|| {
        exception(Problem::bad_request(
            "the connection id is not valid: 1 to 128 characters, percent-encoded",
        ))
    })
}

/// Decodes `%XX`. Returns `None` if an escape is malformed or the result is not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'%' {
            bytes.extend(hex::decode(after.get(..2)?).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

fn gone() -> Problem {
    let detail = "there is no such connection, or it is closed";
    Problem::new(StatusCode::GONE, "gone", detail).with_exception("GoneException")
}

/// Adds the exception name by which an SDK knows the problem.
fn exception(problem: Problem) -> Problem {
    let name = match problem.status {
        StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE => "BadRequestException",
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "ForbiddenException",
        StatusCode::PAYLOAD_TOO_LARGE => "PayloadTooLargeException",
        StatusCode::TOO_MANY_REQUESTS => "LimitExceededException",
        _ => "InternalServerErrorException",
    };
    problem.with_exception(name)
}

/// Formats a time as API Gateway does: `2026-01-31T12:34:56.789Z`. A time beyond the year 9999 becomes the last representable one.
fn iso8601(time: Timestamp) -> String {
    let millis = i64::try_from(time.millis()).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_iso_8601() {
        let text = |millis| iso8601(Timestamp::from_millis(millis));
        assert_eq!(text(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(text(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
        assert_eq!(text(1_735_689_599_999), "2024-12-31T23:59:59.999Z");
    }

    #[test]
    fn ids_are_percent_decoded() {
        assert_eq!(decode("L0SM9cOFvHcCIhw%3D").as_deref(), Some("L0SM9cOFvHcCIhw="));
        for wrong in ["%", "%4", "%zz", "%ff", "%é"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
