//! Answers operators who read a user's history through the producers' REST API
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html>).
//!
//! IAM authorizes the request before it reaches this function.

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

/// Most bytes of the entries of a page. A function's answer has at most 6 MB, in which the page is a JSON string: its
/// quotation marks are escaped
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const MAX_PAGE_BYTES: usize = 2 * 1024 * 1024;

/// A request to the REST API, with the fields that are used here.
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

/// A reason for refusing a request. The text is for the caller.
struct Refusal {
    status: u16,
    message: Cow<'static, str>,
}

impl Refusal {
    fn new(status: u16, error: &dyn std::error::Error) -> Self {
        Self { status, message: error.to_string().into() }
    }
}

/// The body of a refusal, in the form that the producer API uses.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefusalBody<'a> {
    request_id: &'a str,
    message: &'a str,
}

/// Answers one request. If no history is kept, the answer is status 404.
pub(crate) async fn answer<H: History>(history: &H, event: HistoryEvent) -> Answer {
    let request_id = event.request_context.request_id.clone();
    page(history, event).await.unwrap_or_else(|Refusal { status, message }| {
        Answer::json(status, &RefusalBody { request_id: &request_id, message: &message })
    })
}

async fn page<H: History>(history: &H, event: HistoryEvent) -> Result<Answer, Refusal> {
    if history.lifetime().is_none() {
        let message = "no history is kept; to keep one, set history in the stack's configuration";
        return Err(Refusal { status: 404, message: message.into() });
    }
    let PathParameters { user_id, kind } = event.path_parameters.unwrap_or_default();
    let query = event.query_string_parameters.unwrap_or_default();
    let kind: HistoryKind = kind.parse().map_err(|error: UnknownKind| Refusal::new(404, &error))?;
    // API Gateway decodes the parameters of the query, but not those of the path.
    let user_id = percent_decode_str(&user_id).decode_utf8().map_err(|error| Refusal::new(400, &error))?;
    let user = UserId::new(user_id).map_err(|error| Refusal::new(400, &error))?;
    Ok(match kind {
        HistoryKind::Sessions => {
            let found = history.sessions(&user, &page_request(&query)?).await.map_err(failed)?;
            Answer::json(200, &Page::of_sessions(found.rows, found.more, MAX_PAGE_BYTES))
        }
        HistoryKind::Messages => {
            let found = history.messages(&user, &page_request(&query)?).await.map_err(failed)?;
            Answer::json(200, &Page::of_messages(found.rows, found.more, MAX_PAGE_BYTES))
        }
    })
}

fn page_request<Key: FromStr<Err = InvalidKey>>(
    query: &QueryParameters,
) -> Result<PageRequest<Key>, Refusal> {
    PageRequest::parse(query.before.as_deref(), query.limit.as_deref())
        .map_err(|error| Refusal::new(400, &error))
}

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
