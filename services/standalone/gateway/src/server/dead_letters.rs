//! The dead letters, for operators.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use shared_ports::PortError;

use super::problem::Problem;
use super::{App, DeadLetter, Services, Which};

/// Most dead letters in one answer.
const MAX_PAGE: usize = 1_000;

#[derive(Deserialize)]
struct Page {
    after: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize)]
struct List {
    items: Vec<DeadLetter>,
    /// To be given as `after` for the next page; absent on the last.
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

pub(super) async fn list<S: Services>(
    State(app): State<Arc<App<S>>>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = app.admit(request, 0).await?;
    let Query(Page { after, limit }) = Query::try_from_uri(&parts.uri)
        .map_err(|_| Problem::bad_request("the query is not valid; allowed are \"after\" and \"limit\""))?;
    let limit = limit.unwrap_or(100);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Problem::bad_request(format!("limit is {limit}; allowed are 1 to {MAX_PAGE}")));
    }
    let items = app.services.dead_letters(after.as_deref(), limit).await.map_err(|error| failed(&error))?;
    let next = items.last().filter(|_| items.len() == limit).map(|last| last.id.clone());
    Ok(Json(List { items, next }).into_response())
}

pub(super) async fn get<S: Services>(
    State(app): State<Arc<App<S>>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    app.admit(request, 0).await?;
    let letter = app.services.dead_letter(&id).await.map_err(|error| failed(&error))?;
    Ok(Json(letter.ok_or_else(unknown)?).into_response())
}

pub(super) async fn redrive<S: Services>(
    State(app): State<Arc<App<S>>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    app.admit(request, 0).await?;
    match app.services.redrive(Which::One(id)).await.map_err(|error| failed(&error))? {
        0 => Err(unknown()),
        redriven => Ok(Json(Redriven { redriven }).into_response()),
    }
}

pub(super) async fn redrive_all<S: Services>(
    State(app): State<Arc<App<S>>>,
    request: Request,
) -> Result<Response, Problem> {
    app.admit(request, 0).await?;
    let redriven = app.services.redrive(Which::All).await.map_err(|error| failed(&error))?;
    Ok(Json(Redriven { redriven }).into_response())
}

pub(super) async fn purge<S: Services>(
    State(app): State<Arc<App<S>>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    app.admit(request, 0).await?;
    match app.services.purge(Which::One(id)).await.map_err(|error| failed(&error))? {
        0 => Err(unknown()),
        purged => Ok(Json(Purged { purged }).into_response()),
    }
}

pub(super) async fn purge_all<S: Services>(
    State(app): State<Arc<App<S>>>,
    request: Request,
) -> Result<Response, Problem> {
    app.admit(request, 0).await?;
    let purged = app.services.purge(Which::All).await.map_err(|error| failed(&error))?;
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
    Problem::internal("asking for dead letters", error)
}
