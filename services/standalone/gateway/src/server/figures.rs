//! The figures of the last quarter of an hour, for operators.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse as _, Response};
use contract_notifications_v1::Timestamp;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::{App, Services};
use crate::figures::{EVERY, Snapshot};

#[derive(Deserialize)]
struct Parameters {
    after: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    /// How often they are taken, in milliseconds.
    every_ms: u128,
    /// Oldest first.
    items: Vec<Snapshot>,
}

/// Answers `GET /v1/figures`.
pub(super) async fn page<S: Services>(
    State(app): State<Arc<App<S>>>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = app.admit(request, 0).await?;
    let Query(Parameters { after }) = Query::try_from_uri(&parts.uri).map_err(|_| {
        Problem::bad_request("the query is not valid; allowed is \"after\", in milliseconds since the epoch")
    })?;
    let items = app.services.figures(after.map(Timestamp::from_millis));
    let items = items.ok_or_else(|| Problem::unavailable("metrics are not recorded"))?;
    Ok(Json(Answer { every_ms: EVERY.as_millis(), items }).into_response())
}
