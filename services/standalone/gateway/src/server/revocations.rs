//! Blocking users, signing them out, and revoking tokens.
//!
//! A block is stored before the user's connections are closed. A handshake that was decided in between is undone when
//! its connection is opened.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use contract_notifications_v1::{Timestamp, UserId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shared_ports::Clock as _;
use tidings_identity::keys::Access;
use tidings_identity::revocations::{RevocationError, RevocationInfo, UserChange};
use tokio::task::JoinHandle;

use super::credential_connections::Source;
use super::json_body::parse;
use super::path::Path;
use super::problem::Problem;
use super::security_log::About;
use super::{Accounts as _, App, ChangeUserError, Ports, Revocations as _};

/// Maximum size of a body on these routes.
const MAX_BODY: usize = 16 * 1024;

/// Longest time that a sign-out may lie back.
const LONGEST_AGO: Duration = Duration::from_hours(24 * 3_653);

/// Time for which a token is refused by its id, unless the request says another: longer than tokens are valid.
const TOKEN_REFUSAL: Duration = Duration::from_hours(400 * 24);

#[derive(Serialize)]
struct List {
    items: Vec<RevocationInfo>,
}

/// Answers `GET /v1/revocations`.
pub(super) async fn list<P: Ports>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    app.admit(request, 0, Access::Read).await?;
    Ok(Json(List { items: app.ports.revocations.list() }).into_response())
}

/// The number of connections that were closed.
#[derive(Serialize)]
struct Closed {
    closed: usize,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BlockRequest {
    #[serde(default)]
    until: Option<Timestamp>,
}

/// Answers `PUT /v1/users/{user}/block`: refuses the user and closes the user's connections.
pub(super) async fn block<P: Ports>(
    State(app): State<Arc<App<P>>>,
    Path(user): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let (_, body) = app.admit(request, MAX_BODY, Access::Operate).await?;
    let BlockRequest { until } =
        parse_if_any(&body, r#"{"until": …} in milliseconds, or nothing to block for ever"#)?;
    if until.is_some_and(|until| until <= app.ports.clock.now()) {
        return Err(Problem::bad_request("until is past; to lift a block, send DELETE"));
    }
    completed(tokio::spawn(change(app, user_id(user)?, UserChange::Block(until)))).await
}

/// Answers `DELETE /v1/users/{user}/block`.
pub(super) async fn unblock<P: Ports>(
    State(app): State<Arc<App<P>>>,
    Path(user): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    app.admit(request, 0, Access::Operate).await?;
    let user = user_id(user)?;
    app.ports.revocations.change_user(user.clone(), UserChange::Unblock).await.map_err(problem)?;
    let mut answer = StatusCode::NO_CONTENT.into_response();
    answer.extensions_mut().insert(About(user));
    Ok(answer)
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SignOutRequest {
    #[serde(default)]
    issued_before: Option<Timestamp>,
}

/// Answers `POST /v1/users/{user}/sign-out`: refuses the user's credentials of before now, and closes the connections.
pub(super) async fn sign_out<P: Ports>(
    State(app): State<Arc<App<P>>>,
    Path(user): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let (_, body) = app.admit(request, MAX_BODY, Access::Operate).await?;
    let SignOutRequest { issued_before } =
        parse_if_any(&body, r#"{"issuedBefore": …} in milliseconds, or nothing for now"#)?;
    let now = app.ports.clock.now();
    if issued_before.is_some_and(|before| before > now) {
        return Err(Problem::bad_request(
            "issuedBefore is in the future; to refuse a user for a time, block the user",
        ));
    }
    // A time in seconds would refuse nothing.
    if issued_before.is_some_and(|before| now.since(before) > LONGEST_AGO) {
        return Err(Problem::bad_request(format!(
            "issuedBefore is more than ten years ago; now is {}, in milliseconds since 1970",
            now.millis()
        )));
    }
    let sign_out = issued_before.map_or_else(|| sign_out_at(now), UserChange::SignOut);
    completed(tokio::spawn(change(app, user_id(user)?, sign_out))).await
}

/// Answers `DELETE /v1/users/{user}/connections`: closes them. The user may connect again.
pub(super) async fn disconnect<P: Ports>(
    State(app): State<Arc<App<P>>>,
    Path(user): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    app.admit(request, 0, Access::Operate).await?;
    Ok(Json(Closed { closed: close_all(&app, &user_id(user)?) }).into_response())
}

/// Answers `PUT /v1/revoked-tokens/{id}`: refuses a token by its `jti`, and closes the connections that stand on it.
pub(super) async fn revoke_token<P: Ports>(
    State(app): State<Arc<App<P>>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let (_, body) = app.admit(request, MAX_BODY, Access::Operate).await?;
    let BlockRequest { until } =
        parse_if_any(&body, r#"{"until": …} in milliseconds, or nothing for 400 days"#)?;
    if until.is_some_and(|until| until <= app.ports.clock.now()) {
        return Err(Problem::bad_request("until is past; a refused token can't be let in again"));
    }
    let until = until.unwrap_or_else(|| app.ports.clock.now().plus(TOKEN_REFUSAL));
    let refusing = tokio::spawn(async move {
        app.ports.revocations.change_token(id.clone(), Some(until)).await.map_err(problem)?;
        for connection in app.credential_connections.of(&Source::Token(id)) {
            app.registry.close(&connection);
        }
        Ok(StatusCode::NO_CONTENT.into_response())
    });
    completed(refusing).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PasswordRequest {
    password: String,
}

/// Answers `PUT /v1/users/{user}/password`: changes it, and signs the user out.
pub(super) async fn set_password<P: Ports>(
    State(app): State<Arc<App<P>>>,
    Path(user): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let (_, body) = app.admit(request, MAX_BODY, Access::Admin).await?;
    let PasswordRequest { password } = parse(&body, r#"{"password": "…"}"#)?;
    let user = user_id(user)?;
    let setting = tokio::spawn(async move {
        app.ports.accounts.set_password(&user, password).await.map_err(account_problem)?;
        let now = app.ports.clock.now();
        change(app, user, sign_out_at(now)).await
    });
    completed(setting).await
}

/// Answers `DELETE /v1/users/{user}`: removes an account, and signs the user out.
pub(super) async fn remove<P: Ports>(
    State(app): State<Arc<App<P>>>,
    Path(user): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    app.admit(request, 0, Access::Admin).await?;
    let user = user_id(user)?;
    let removing = tokio::spawn(async move {
        app.ports.accounts.remove(&user).await.map_err(account_problem)?;
        let now = app.ports.clock.now();
        change(app, user, sign_out_at(now)).await
    });
    completed(removing).await
}

/// Refuses all credentials issued until now, those of this very millisecond included.
fn sign_out_at(now: Timestamp) -> UserChange {
    UserChange::SignOut(now.plus(Duration::from_millis(1)))
}

/// Stores a change and then closes the user's connections.
async fn change<P: Ports>(app: Arc<App<P>>, user: UserId, change: UserChange) -> Result<Response, Problem> {
    app.ports.revocations.change_user(user.clone(), change).await.map_err(problem)?;
    let mut answer = Json(Closed { closed: close_all(&app, &user) }).into_response();
    answer.extensions_mut().insert(About(user));
    Ok(answer)
}

/// Waits for a change in a task of its own, which goes on if the caller goes away: what is stored must count for open
/// connections too.
async fn completed(change: JoinHandle<Result<Response, Problem>>) -> Result<Response, Problem> {
    change.await.map_err(|error| Problem::internal("changing a user", &error))?
}

fn close_all<P: Ports>(app: &App<P>, user: &UserId) -> usize {
    let open = app.registry.of(user);
    open.iter().filter(|connection| app.registry.close(&connection.row.connection_id)).count()
}

fn user_id(text: String) -> Result<UserId, Problem> {
    UserId::new(text).map_err(|error| Problem::bad_request(error.to_string()))
}

/// Parses a body that may be empty.
fn parse_if_any<T: Default + DeserializeOwned>(body: &[u8], expected: &str) -> Result<T, Problem> {
    if body.is_empty() { Ok(T::default()) } else { parse(body, expected) }
}

fn problem(error: RevocationError) -> Problem {
    match error {
        RevocationError::TooMany | RevocationError::TokenId => Problem::bad_request(error.to_string()),
        RevocationError::Records(error) if error.is_retryable() => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a revocation could not be stored");
            Problem::unavailable("the store can't write at the moment; try again")
        }
        error @ (RevocationError::Corrupt(_) | RevocationError::Records(_)) => {
            Problem::internal("revoking a credential", &error)
        }
    }
}

fn account_problem(error: ChangeUserError) -> Problem {
    match error {
        ChangeUserError::Invalid(detail) => Problem::bad_request(detail),
        error @ ChangeUserError::NoSuchUser => {
            Problem::new(StatusCode::NOT_FOUND, "not-found", error.to_string())
        }
        ChangeUserError::Unavailable(source) => Problem::internal("changing a user", &*source),
    }
}
