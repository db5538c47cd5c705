//! The route of a user's history, for operators.

use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use contract_history_v1::{HistoryKind, InvalidKey, Page, PageRequest, UnknownKind};
use contract_notifications_v1::UserId;
use serde::{Deserialize, Serialize};
use shared_ports::PortError;
use tidings_identity::keys::Access;

use super::path::Path;
use super::problem::Problem;
use super::{App, HistoryReader as _, Ports};

#[derive(Deserialize)]
struct Parameters {
    before: Option<String>,
    limit: Option<String>,
}

/// Answers `GET /v1/history/{user}/{kind}`.
pub(super) async fn page<P: Ports>(
    State(app): State<Arc<App<P>>>,
    Path((user, kind)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = app.admit(request, 0, Access::Read).await?;
    let kind: HistoryKind = kind
        .parse()
        .map_err(|error: UnknownKind| Problem::new(StatusCode::NOT_FOUND, "not-found", error.to_string()))?;
    let user = UserId::new(user).map_err(|error| Problem::bad_request(error.to_string()))?;
    match kind {
        HistoryKind::Sessions => answer(app.ports.history.sessions(&user, &asked(&parts.uri)?).await),
        HistoryKind::Messages => answer(app.ports.history.messages(&user, &asked(&parts.uri)?).await),
    }
}

/// Parses the query of a page.
fn asked<Key: FromStr<Err = InvalidKey>>(uri: &Uri) -> Result<PageRequest<Key>, Problem> {
    let Query(Parameters { before, limit }) = Query::try_from_uri(uri)
        .map_err(|_| Problem::bad_request("the query is not valid; allowed are \"before\" and \"limit\""))?;
    PageRequest::parse(before.as_deref(), limit.as_deref())
        .map_err(|error| Problem::bad_request(error.to_string()))
}

fn answer<T: Serialize>(page: Result<Option<Page<T>>, PortError>) -> Result<Response, Problem> {
    match page {
        Ok(Some(page)) => Ok(Json(page).into_response()),
        Ok(None) => {
            let detail = "no history is kept here; to keep one, set history.enabled = true";
            Err(Problem::new(StatusCode::NOT_FOUND, "history-off", detail))
        }
        Err(error) if error.is_retryable() => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the history is not available");
            Err(Problem::unavailable("the store can't be reached at the moment; try again"))
        }
        Err(error) => Err(Problem::internal("reading the history", &error)),
    }
}
