//! The table of routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::routing::{delete, get, post, put};

use super::problem::Problem;
use super::{
    App, Ports, about, accounts, cors, dead_letters, fallback, health, history, inspection, keys,
    live_metrics, management, produce, revocations, upgrade,
};

/// Makes the router of a server.
pub(super) fn router<P: Ports>(app: Arc<App<P>>) -> Router {
    // Pages of the allowed origins get a token here and describe the server.
    let for_pages = Router::new()
        .route("/v1/info", get(about::info::<P>))
        .route("/v1/token", get(accounts::token::<P>).post(accounts::token::<P>))
        .route("/v1/login", post(accounts::login::<P>))
        .route("/v1/guest", post(accounts::guest::<P>))
        .method_not_allowed_fallback(method_not_allowed);
    let for_pages = match cors::layer(&app.settings.allowed_origins) {
        Some(layer) => for_pages.layer(layer),
        None => for_pages,
    };
    let connection = || get(management::get::<P>).post(management::post::<P>).delete(management::delete::<P>);
    Router::new()
        .merge(for_pages)
        .route("/ws", get(upgrade::websocket::<P>))
        .route("/ws/", get(upgrade::websocket::<P>))
        // Clients of other gateways connect to a stage, with or without a slash, or to the root.
        .route("/", get(upgrade::stage::<P>))
        .route("/{stage}", get(upgrade::stage::<P>))
        .route("/{stage}/", get(upgrade::stage::<P>))
        .route("/v1/notifications", post(produce::notifications::<P>))
        .route("/message", post(produce::message::<P>))
        .route("/@connections/{id}", connection())
        .route("/{stage}/@connections/{id}", connection())
        // Some clients encode the sign.
        .route("/%40connections/{id}", connection())
        .route("/{stage}/%40connections/{id}", connection())
        .route("/v1/users", get(accounts::users::<P>).post(accounts::add_user::<P>))
        .route("/v1/key", get(keys::own::<P>))
        .route("/v1/keys", get(keys::list::<P>).post(keys::add::<P>))
        .route("/v1/keys/{name}", delete(keys::revoke::<P>))
        .route("/v1/keys/{name}/rotate", post(keys::rotate::<P>))
        .route("/.well-known/jwks.json", get(accounts::jwks::<P>))
        .route("/v1/dead-letters", get(dead_letters::list::<P>).delete(dead_letters::purge_all::<P>))
        .route("/v1/dead-letters/redrive", post(dead_letters::redrive_all::<P>))
        .route("/v1/dead-letters/{id}", get(dead_letters::get::<P>).delete(dead_letters::purge::<P>))
        .route("/v1/dead-letters/{id}/redrive", post(dead_letters::redrive::<P>))
        .route("/v1/history/{user}/{kind}", get(history::page::<P>))
        .route("/v1/live-metrics", get(live_metrics::page::<P>))
        .route("/v1/figures", get(live_metrics::page_by_old_route::<P>))
        .route("/v1/users/{user}", get(inspection::user::<P>).delete(revocations::remove::<P>))
        .route("/v1/users/{user}/password", put(revocations::set_password::<P>))
        .route("/v1/users/{user}/block", put(revocations::block::<P>).delete(revocations::unblock::<P>))
        .route("/v1/users/{user}/sign-out", post(revocations::sign_out::<P>))
        .route("/v1/users/{user}/connections", delete(revocations::disconnect::<P>))
        .route("/v1/revocations", get(revocations::list::<P>))
        .route("/v1/revoked-tokens/{id}", put(revocations::revoke_token::<P>))
        .route(
            "/v1/users/{user}/notifications/{id}",
            get(inspection::notification::<P>).post(inspection::track::<P>),
        )
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz::<P>))
        .route("/metrics", get(health::metrics::<P>))
        .fallback(fallback::unrouted::<P>)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(app)
}

async fn method_not_allowed(request: Request) -> Problem {
    let detail = format!("{} is not possible here; the header Allow says what is", request.method());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
}
