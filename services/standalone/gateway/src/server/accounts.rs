//! Connect tokens, logins and users.
use std::sync::Arc;

use auth_token::{IssueError, Subject};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use contract_notifications_v1::{HubName, Timestamp, UserId, written};
use serde::{Deserialize, Serialize};
use shared_ports::Clock as _;
use tidings_identity::accounts::Account;
use tidings_identity::keys::Access;

use super::auth::{Caller, Credential, count_limit, credential};
use super::json_body::parse;
use super::problem::Problem;
use super::security_log::About;
use super::{Accounts as _, AddUserError, App, AuthError, Guest, Login, NewUser, Ports, Tokens as _};
use crate::live_metrics::HUB as OPERATIONS;

/// Maximum size of a body on these routes.
const MAX_BODY: usize = 16 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TokenRequest {
    user_id: UserId,
    #[serde(default)]
    username: String,
    #[serde(default)]
    hubs: Vec<HubName>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenResponse {
    token: String,
    expires_at: Timestamp,
}

/// Answers `GET /v1/token` and `POST /v1/token`: issues a connect token for the user of a JSON Web Token, or, to
/// `POST`, for the user that a producer names.
pub(super) async fn token<P: Ports>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    let mut about = None;
    let subject = if let Some(jwt) = user_token(request.headers()) {
        let subject = app.ports.tokens.verify_user(jwt).await?;
        let now = app.ports.clock.moment();
        app.quotas.token_of_user(&subject.user_id, app.ports.tokens.unused(), now)?;
        subject
    } else if request.method() == Method::GET {
        let detail = "there is no ID token; send it as \"Authorization: <token>\", with or without \"Bearer \" \
                      before it; with an API key, name the user in the body of a POST";
        return Err(AuthError::Missing(detail.to_owned()).into());
    } else {
        let tokens_or_metrics = |caller: &Caller| {
            if caller.may(Access::Token) || caller.may(Access::Read) {
                Ok(())
            } else {
                Err(caller.lacks(Access::Token.name()))
            }
        };
        let (caller, _, body) = app.admit_if(request, MAX_BODY, tokens_or_metrics).await?;
        let expected = r#"{"userId": "…", "username": "…" (optional), "hubs": ["…"] (optional)}"#;
        let TokenRequest { user_id, username, hubs } = parse(&body, expected)?;
        if !is_of_console(&user_id, &hubs) {
            caller.require(Access::Token)?;
        }
        if hubs.iter().any(HubName::is_reserved) {
            caller.require(Access::Read)?;
        }
        if let Some(key) = caller.key() {
            app.quotas.token_of_key(key, app.ports.tokens.unused(), app.ports.clock.moment())?;
        }
        let credential_expires_at = caller.key().and_then(|key| key.expires_at());
        let source_key = caller.key().map(|key| key.identity());
        about = Some(About(user_id.clone()));
        let hubs = hubs.iter().map(ToString::to_string).collect();
        Subject { user_id, username, hubs, credential_expires_at, source_key, source_token: None }
    };
    let issued = app.ports.tokens.issue_token(subject).await.map_err(|error| match error {
        IssueError::TooLarge { .. } => Problem::bad_request(error.to_string()),
        error => Problem::internal("issuing a token", &error),
    })?;
    let mut answer = secret(TokenResponse { token: issued.token, expires_at: issued.expires_at });
    if let Some(about) = about {
        answer.extensions_mut().insert(about);
    }
    Ok(answer)
}

/// Returns true if a token is for a page of the operations console, which only gets the live metrics. No other user has
/// such a name.
fn is_of_console(user: &UserId, hubs: &[HubName]) -> bool {
    let is_random = |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    user.as_str().strip_prefix("operator-").is_some_and(is_random)
        && matches!(hubs, [hub] if hub.as_str() == OPERATIONS)
}

/// Returns the JSON Web Token of a request, with the scheme `Bearer` or without a scheme. Unlike an API key it has
/// three parts.
fn user_token(headers: &HeaderMap) -> Option<&str> {
    let is_jwt = |text: &&str| text.matches('.').count() == 2 && !text.contains(' ');
    if let Ok(Credential::Key(key)) = credential(headers) {
        return Some(key).filter(is_jwt);
    }
    headers.get(AUTHORIZATION)?.to_str().ok().map(str::trim).filter(is_jwt)
}

#[derive(Deserialize)]
struct LoginRequest {
    username: String,
    password: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LoginResponse {
    id_token: String,
    expires_at: Timestamp,
}

impl From<Login> for LoginResponse {
    fn from(Login { id_token, expires_at }: Login) -> Self {
        Self { id_token, expires_at }
    }
}

/// Answers `POST /v1/login`.
pub(super) async fn login<P: Ports>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let body = app.read_unknown(&parts, body, MAX_BODY).await?;
    let LoginRequest { username, password } = parse(&body, r#"{"username": "…", "password": "…"}"#)?;
    let from = app.limited_address(&parts);
    let login = app.ports.accounts.login(&username, &password, from).await.map_err(|error| match error {
        AuthError::Missing(detail) | AuthError::Refused(detail) => {
            Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
                .about(UserId::new(username.as_str()).ok())
        }
        AuthError::TooMany { detail, wait } => {
            count_limit("logins");
            Problem::too_many_requests(detail, wait)
        }
        error @ AuthError::Unavailable(_) => error.into(),
    })?;
    Ok(secret(LoginResponse::from(login)))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GuestResponse {
    user_id: UserId,
    #[serde(flatten)]
    login: LoginResponse,
}

/// Answers `POST /v1/guest`.
pub(super) async fn guest<P: Ports>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    if app.settings.about.login.guests {
        let (parts, _) = request.into_parts();
        let from = app.limited_address(&parts);
        app.quotas.guest(from, app.ports.clock.moment())?;
    }
    let Some(Guest { user_id, login }) = app.ports.accounts.guest()? else {
        let detail = "this server has no guests; log in with an account, or set login.guests = true";
        return Err(Problem::new(StatusCode::NOT_FOUND, "not-found", detail));
    };
    Ok(secret(GuestResponse { user_id, login: login.into() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddUserRequest {
    username: UserId,
    password: String,
}

/// A user as operators see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct User {
    #[serde(serialize_with = "written::user_id")]
    username: UserId,
    created_at: Timestamp,
}

impl From<Account> for User {
    fn from(Account { user_id: username, created_at }: Account) -> Self {
        Self { username, created_at }
    }
}

#[derive(Serialize)]
struct Users {
    items: Vec<User>,
}

/// Answers `POST /v1/users`: adds a user whose id is the username.
pub(super) async fn add_user<P: Ports>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    let (_, body) = app.admit(request, MAX_BODY, Access::Admin).await?;
    let AddUserRequest { username, password } = parse(&body, r#"{"username": "…", "password": "…"}"#)?;
    let user = NewUser { user_id: username, password };
    let account = app.ports.accounts.add_user(user).await.map_err(|error| match error {
        AddUserError::Invalid(detail) => Problem::bad_request(detail),
        AddUserError::Foreign(detail) => Problem::new(StatusCode::CONFLICT, "foreign-user", detail),
        error @ AddUserError::Exists => Problem::new(StatusCode::CONFLICT, "exists", error.to_string()),
        AddUserError::Unavailable(source) => Problem::internal("adding a user", &*source),
    })?;
    let about = About(account.user_id.clone());
    let mut answer = (StatusCode::CREATED, Json(User::from(account))).into_response();
    answer.extensions_mut().insert(about);
    Ok(answer)
}

/// Answers `GET /v1/users`.
pub(super) async fn users<P: Ports>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    app.admit(request, 0, Access::Read).await?;
    let accounts =
        app.ports.accounts.users().await.map_err(|error| Problem::internal("listing the users", &error))?;
    Ok(Json(Users { items: accounts.into_iter().map(User::from).collect() }).into_response())
}

/// Answers `GET /.well-known/jwks.json`.
pub(super) async fn jwks<P: Ports>(State(app): State<Arc<App<P>>>) -> Response {
    // Public keys, which change with the data directory alone.
    let headers = [(CONTENT_TYPE, "application/jwk-set+json"), (CACHE_CONTROL, "public, max-age=300")];
    (headers, app.ports.accounts.jwks()).into_response()
}

/// A response that must not be cached, because it has a credential.
fn secret(body: impl Serialize) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
