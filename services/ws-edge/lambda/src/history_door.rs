//! Answers operators who read a user's history through the producers' REST API
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html>).
//!
//! Who may ask is decided before: the method is authorized by IAM.

use std::borrow::Cow;
use std::str::FromStr;

use contract_history_v1::{HistoryKind, InvalidKey, Page, PageRequest, UnknownKind};
use contract_notifications_v1::UserId;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use shared_ports::PortError;
use shared_telemetry::chain;
use ws_edge::ports::History;

use crate::event::Answer;

/// A request of the REST API, as far as it is needed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEvent {
    #[serde(default)]
    path_parameters: Option<PathParameters>,
    #[serde(default)]
    query_string_parameters: Option<QueryParameters>,
    request_context: RequestContext,
}

#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PathParameters {
    user_id: String,
    kind: String,
}

#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
struct QueryParameters {
    before: Option<String>,
    limit: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    #[serde(default)]
    request_id: String,
}

/// Why a page is not given. The text is for the caller.
struct Refusal {
    status: u16,
    message: Cow<'static, str>,
}

impl Refusal {
    fn new(status: u16, error: &dyn std::error::Error) -> Self {
        Self { status, message: error.to_string().into() }
    }
}

/// As the producers' door answers what it refuses.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefusalBody<'a> {
    request_id: &'a str,
    message: &'a str,
}

/// Answers one request; without a history, that there is none.
pub(crate) async fn answer<H: History>(history: &H, event: HistoryEvent) -> Answer {
    let request_id = event.request_context.request_id.clone();
    page(history, event).await.unwrap_or_else(|Refusal { status, message }| {
        Answer::json(status, &RefusalBody { request_id: &request_id, message: &message })
    })
}

async fn page<H: History>(history: &H, event: HistoryEvent) -> Result<Answer, Refusal> {
    if history.lifetime().is_none() {
        let message = "no history is kept here; the stack's configuration has it kept: history";
        return Err(Refusal { status: 404, message: message.into() });
    }
    let PathParameters { user_id, kind } = event.path_parameters.unwrap_or_default();
    let query = event.query_string_parameters.unwrap_or_default();
    let kind: HistoryKind = kind.parse().map_err(|error: UnknownKind| Refusal::new(404, &error))?;
    // Parts of the path come as they were sent; parameters of the query come decoded.
    let user_id = percent_decode_str(&user_id).decode_utf8_lossy().into_owned();
    let user = UserId::new(user_id).map_err(|error| Refusal::new(400, &error))?;
    Ok(match kind {
        HistoryKind::Sessions => {
            let found = history.sessions(&user, &asked(&query)?).await.map_err(failed)?;
            Answer::json(200, &Page::of_sessions(found.rows, found.more))
        }
        HistoryKind::Messages => {
            let found = history.messages(&user, &asked(&query)?).await.map_err(failed)?;
            Answer::json(200, &Page::of_messages(found.rows, found.more))
        }
    })
}

fn asked<Key: FromStr<Err = InvalidKey>>(query: &QueryParameters) -> Result<PageRequest<Key>, Refusal> {
    PageRequest::parse(query.before.as_deref(), query.limit.as_deref())
        .map_err(|error| Refusal::new(400, &error))
}

/// By value, as `map_err` gives it.
#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn failed(error: PortError) -> Refusal {
    let retryable = error.is_retryable();
    tracing::error!(error = chain(&error), "the history can't be read");
    if retryable {
        Refusal { status: 503, message: "the history can't be read at the moment; try again".into() }
    } else {
        Refusal {
            status: 500,
            message: "the history can't be read; the function's log has the reason".into(),
        }
    }
}

#[cfg(test)]
mod tests;
