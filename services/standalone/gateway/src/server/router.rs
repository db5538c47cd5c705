//! Which path is answered by what.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};

use super::problem::Problem;
use super::{
    App, Services, about, accounts, dead_letters, figures, health, history, inspection, management, pages,
    produce, upgrade,
};

pub(super) fn router<S: Services>(app: Arc<App<S>>) -> Router {
    let connection = || get(management::get::<S>).post(management::post::<S>).delete(management::delete::<S>);
    Router::new()
        .route("/ws", get(upgrade::websocket::<S>))
        .route("/ws/", get(upgrade::websocket::<S>))
        // As clients of other gateways are configured: a stage, with a slash or without, or nothing at all.
        .route("/", get(upgrade::stage::<S>))
        .route("/{stage}", get(upgrade::stage::<S>))
        .route("/{stage}/", get(upgrade::stage::<S>))
        .route("/v1/info", get(about::info::<S>))
        .route("/v1/notifications", post(produce::notifications::<S>))
        .route("/message", post(produce::message::<S>))
        .route("/@connections/{id}", connection())
        .route("/{stage}/@connections/{id}", connection())
        // Some clients encode the sign.
        .route("/%40connections/{id}", connection())
        .route("/{stage}/%40connections/{id}", connection())
        .route("/v1/token", post(accounts::token::<S>))
        .route("/v1/login", post(accounts::login::<S>))
        .route("/v1/guest", post(accounts::guest::<S>))
        .route("/v1/users", get(accounts::users::<S>).post(accounts::add_user::<S>))
        .route("/.well-known/jwks.json", get(accounts::jwks::<S>))
        .route("/v1/dead-letters", get(dead_letters::list::<S>).delete(dead_letters::purge_all::<S>))
        .route("/v1/dead-letters/redrive", post(dead_letters::redrive_all::<S>))
        .route("/v1/dead-letters/{id}", get(dead_letters::get::<S>).delete(dead_letters::purge::<S>))
        .route("/v1/dead-letters/{id}/redrive", post(dead_letters::redrive::<S>))
        .route("/v1/history/{user}/{kind}", get(history::page::<S>))
        .route("/v1/figures", get(figures::page::<S>))
        .route("/v1/users/{user}", get(inspection::user::<S>))
        .route(
            "/v1/users/{user}/notifications/{id}",
            get(inspection::notification::<S>).post(inspection::follow::<S>),
        )
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz::<S>))
        .route("/metrics", get(health::metrics::<S>))
        .fallback(unrouted::<S>)
        .method_not_allowed_fallback(async |request: Request| {
            let detail = format!("{} is not possible here; the header Allow says what is", request.method());
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
        })
        .with_state(app)
}

/// Answers a path that no other route has: with a file of the pages, if it is one's.
pub(super) async fn unrouted<S: Services>(
    State(app): State<Arc<App<S>>>,
    request: Request,
) -> Result<Response, Problem> {
    let path = request.uri().path();
    let file = app.settings.pages.then(|| pages::answer(request.method(), path, request.headers())).flatten();
    file.unwrap_or_else(|| Err(unknown_route(path)))
}

fn unknown_route(path: &str) -> Problem {
    let path: String = path.chars().take(128).collect();
    let detail = format!(
        "there is nothing at {path:?}; there are /ws, /v1/info, /v1/notifications, /v1/token, /v1/login, /v1/guest, /v1/users, \
         /v1/dead-letters, /v1/history, /v1/figures, /message, /@connections/{{id}}, /.well-known/jwks.json, /healthz, /readyz and /metrics"
    );
    Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
}
