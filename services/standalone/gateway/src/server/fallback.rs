//! Answers paths that have no route: with a file of the web pages, or with a problem that lists the routes.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::problem::Problem;
use super::{App, Ports, pages};

/// Answers a path that no other route has.
pub(super) async fn unrouted<P: Ports>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    let path = request.uri().path();
    if let Some(root) = app.settings.front.root_of_base(path).filter(|_| app.settings.pages) {
        return Ok(root);
    }
    let file = app.settings.pages.then(|| pages::answer(request.method(), path, request.headers())).flatten();
    file.unwrap_or_else(|| Err(unknown_route(path)))
}

fn unknown_route(path: &str) -> Problem {
    let path: String = path.chars().take(128).collect();
    let detail = format!(
        "there is nothing at {path:?}; there are /ws, /v1/info, /v1/notifications, /v1/token, /v1/login, \
         /v1/guest, /v1/users, /v1/dead-letters, /v1/history, /v1/live-metrics, /message, /@connections/{{id}}, \
         /.well-known/jwks.json, /healthz, /readyz and /metrics"
    );
    Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
}
