//! Routes of the dead letters, for operators.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use contract_notifications_v1::Sequence;
use serde::{Deserialize, Serialize};
use shared_ports::PortError;
use tidings_identity::keys::Access;

use super::path::Path;
use super::problem::Problem;
use super::{App, DeadLetter, DeadLetterSelector, DeadLetters as _, Ports};

/// Maximum number of dead letters in one answer.
const MAX_PAGE: usize = 1_000;

#[derive(Deserialize)]
struct Page {
    after: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize)]
struct List {
    items: Vec<DeadLetter>,
    /// The value of `after` for the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct Redriven {
    redriven: usize,
}

#[derive(Serialize)]
struct Purged {
    purged: usize,
}

/// Answers `GET /v1/dead-letters`.
pub(super) async fn list<P: Ports>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = app.admit(request, 0, Access::Read).await?;
    let Query(Page { after, limit }) = Query::try_from_uri(&parts.uri).map_err(|_| {
        let allowed = format!("allowed are \"after\", an id, and \"limit\", a number from 1 to {MAX_PAGE}");
        Problem::bad_request(format!("the query is not valid; {allowed}"))
    })?;
    let limit = limit.unwrap_or(100);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Problem::bad_request(format!("limit is {limit}; allowed are 1 to {MAX_PAGE}")));
    }
    if let Some(after) = &after
        && after.parse::<Sequence>().is_err()
    {
        return Err(Problem::bad_request("after is not the id of a dead letter; send the value of \"next\""));
    }
    let items = app.ports.dead_letters.list(after.as_deref(), limit).await.map_err(|error| failed(&error))?;
    let next = items.last().filter(|_| items.len() == limit).map(|last| last.id.clone());
    Ok(Json(List { items, next }).into_response())
}

/// Answers `GET /v1/dead-letters/{id}`.
pub(super) async fn get<P: Ports>(
    State(app): State<Arc<App<P>>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    app.admit(request, 0, Access::Read).await?;
    let letter = app.ports.dead_letters.get(&id).await.map_err(|error| failed(&error))?;
    Ok(Json(letter.ok_or_else(unknown)?).into_response())
}

/// Answers `POST /v1/dead-letters/{id}/redrive`.
pub(super) async fn redrive<P: Ports>(
    State(app): State<Arc<App<P>>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    app.admit(request, 0, Access::Operate).await?;
    match app.ports.dead_letters.redrive(DeadLetterSelector::One(id)).await.map_err(|error| failed(&error))? {
        0 => Err(unknown()),
        redriven => Ok(Json(Redriven { redriven }).into_response()),
    }
}

/// Answers `POST /v1/dead-letters/redrive`.
pub(super) async fn redrive_all<P: Ports>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    app.admit(request, 0, Access::Operate).await?;
    let redriven =
        app.ports.dead_letters.redrive(DeadLetterSelector::All).await.map_err(|error| failed(&error))?;
    Ok(Json(Redriven { redriven }).into_response())
}

/// Answers `DELETE /v1/dead-letters/{id}`.
pub(super) async fn purge<P: Ports>(
    State(app): State<Arc<App<P>>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    app.admit(request, 0, Access::Operate).await?;
    match app.ports.dead_letters.purge(DeadLetterSelector::One(id)).await.map_err(|error| failed(&error))? {
        0 => Err(unknown()),
        purged => Ok(Json(Purged { purged }).into_response()),
    }
}

/// Answers `DELETE /v1/dead-letters`.
pub(super) async fn purge_all<P: Ports>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    app.admit(request, 0, Access::Operate).await?;
    let purged =
        app.ports.dead_letters.purge(DeadLetterSelector::All).await.map_err(|error| failed(&error))?;
    Ok(Json(Purged { purged }).into_response())
}

fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not-found", "there is no dead letter of that id")
}

fn failed(error: &PortError) -> Problem {
    if error.is_retryable() {
        tracing::warn!(error = error as &dyn std::error::Error, "dead letters are not available");
        return Problem::unavailable("the store can't be reached at the moment; try again");
    }
    Problem::internal("using the dead letters", error)
}
