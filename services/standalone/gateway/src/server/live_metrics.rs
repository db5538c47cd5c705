//! The live metrics of the last quarter of an hour, for operators.

use std::sync::{Arc, Once};

use axum::Json;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse as _, Response};
use contract_notifications_v1::Timestamp;
use serde::{Deserialize, Serialize};
use tidings_identity::keys::Access;

use super::problem::Problem;
use super::{App, LiveMetricsReader as _, Ports};
use crate::live_metrics::{INTERVAL, Snapshot};

#[derive(Deserialize)]
struct Parameters {
    after: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    /// Interval of the snapshots, in milliseconds.
    every_ms: u128,
    /// The snapshots, oldest first.
    items: Vec<Snapshot>,
}

/// Answers `GET /v1/live-metrics`.
pub(super) async fn page<P: Ports>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = app.admit(request, 0, Access::Read).await?;
    let Query(Parameters { after }) = Query::try_from_uri(&parts.uri).map_err(|_| {
        Problem::bad_request("the query is not valid; allowed is \"after\", in milliseconds since the epoch")
    })?;
    let items = app.ports.live_metrics.since(after.map(Timestamp::from_millis));
    let items = items.ok_or_else(|| Problem::unavailable("metrics are not recorded"))?;
    Ok(Json(Answer { every_ms: INTERVAL.as_millis(), items }).into_response())
}

/// Answers `GET /v1/figures`, the old name of the route, and logs a warning at the first request.
pub(super) async fn page_by_old_route<P: Ports>(
    app: State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        tracing::warn!(
            "the route /v1/figures is now /v1/live-metrics; the old name goes with the next release"
        );
    });
    page(app, request).await
}
