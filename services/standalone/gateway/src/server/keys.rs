//! The keys of producers and operators: listing, adding, rotating and revoking them.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use contract_notifications_v1::Timestamp;
use serde::{Deserialize, Serialize};
use tidings_budget::Allowance;
use tidings_identity::keys::{Access, KeyError, KeyInfo, KeyName, Limits, NewKey, NewSecrets, Scope, Scopes};

use super::credential_connections::Source;
use super::json_body::parse;
use super::path::Path;
use super::problem::Problem;
use super::{App, KeyRing as _, Ports};

/// Maximum size of a body on these routes.
const MAX_BODY: usize = 16 * 1024;

/// Time for which the older secrets of a rotated key count, unless the request says another.
const DEFAULT_OVERLAP: Duration = Duration::from_hours(24);
/// Longest such time.
const MAX_OVERLAP: Duration = Duration::from_hours(90 * 24);

/// The caller's own key.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Own {
    /// Absent if the server does without authentication.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<KeyName>,
    scopes: Scopes,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

/// Answers `GET /v1/key`: describes the caller's own key.
pub(super) async fn own<P: Ports>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    let (caller, ..) = app.admit_if(request, 0, |_| Ok(())).await?;
    let own = match caller.key() {
        Some(key) => {
            Own { name: Some(key.name().clone()), scopes: key.scopes().clone(), expires_at: key.expires_at() }
        }
        None => Own { name: None, scopes: Scopes::admin(), expires_at: None },
    };
    Ok(Json(own).into_response())
}

#[derive(Serialize)]
struct List {
    items: Vec<KeyInfo>,
}

/// Answers `GET /v1/keys`.
pub(super) async fn list<P: Ports>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    app.admit(request, 0, Access::Admin).await?;
    Ok(Json(List { items: app.ports.keys.list() }).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AddRequest {
    name: KeyName,
    scopes: Vec<Scope>,
    #[serde(default)]
    expires_at: Option<Timestamp>,
    #[serde(default)]
    rate: Option<Allowance>,
    #[serde(default)]
    bytes: Option<Allowance>,
    #[serde(default)]
    signs: bool,
}

/// New secrets, which are shown once.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Secrets {
    name: KeyName,
    api_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key: Option<Pair>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pair {
    access_key_id: String,
    secret_access_key: String,
}

impl Secrets {
    fn new(name: KeyName, secrets: &NewSecrets) -> Self {
        let access_key = secrets.access_key.as_ref().map(|pair| Pair {
            access_key_id: pair.id().to_string(),
            secret_access_key: pair.reveal().to_owned(),
        });
        Self { name, api_key: secrets.api_key.reveal().to_owned(), access_key }
    }

    fn respond(self, status: StatusCode) -> Response {
        (status, [(CACHE_CONTROL, "no-store")], Json(self)).into_response()
    }
}

/// Answers `POST /v1/keys`: adds a key.
pub(super) async fn add<P: Ports>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    let (_, body) = app.admit(request, MAX_BODY, Access::Admin).await?;
    let expected = r#"{"name": "…", "scopes": ["send", …], "expiresAt": … (optional, in milliseconds), "rate" and "bytes": {"most": …, "perMs": …} (optional), "signs": true or false (optional)}"#;
    let AddRequest { name, scopes, expires_at, rate, bytes, signs } = parse(&body, expected)?;
    let scopes = Scopes::try_from(scopes).map_err(|error| Problem::bad_request(error.to_string()))?;
    let new = NewKey { name: name.clone(), scopes, limits: Limits { rate, bytes }, expires_at, signs };
    let secrets = app.ports.keys.add(new).await.map_err(problem)?;
    Ok(Secrets::new(name, &secrets).respond(StatusCode::CREATED))
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RotateRequest {
    #[serde(default)]
    overlap_ms: Option<u64>,
}

/// Answers `POST /v1/keys/{name}/rotate`: gives a key new secrets.
pub(super) async fn rotate<P: Ports>(
    State(app): State<Arc<App<P>>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let (_, body) = app.admit(request, MAX_BODY, Access::Admin).await?;
    let RotateRequest { overlap_ms } =
        if body.is_empty() { RotateRequest::default() } else { parse(&body, r#"{"overlapMs": …}"#)? };
    let overlap = overlap_ms.map_or(DEFAULT_OVERLAP, Duration::from_millis);
    if overlap > MAX_OVERLAP {
        let most = MAX_OVERLAP.as_millis();
        let detail =
            format!("overlapMs is {}; allowed are at most {most}, which is 90 days", overlap.as_millis());
        return Err(Problem::bad_request(detail));
    }
    let name = key_name(&name)?;
    let secrets = app.ports.keys.rotate(name.clone(), overlap).await.map_err(problem)?;
    Ok(Secrets::new(name, &secrets).respond(StatusCode::OK))
}

/// Answers `DELETE /v1/keys/{name}`: removes a key, and closes the connections whose tokens it has asked for.
pub(super) async fn revoke<P: Ports>(
    State(app): State<Arc<App<P>>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    app.admit(request, 0, Access::Admin).await?;
    let name = key_name(&name)?;
    // A task of its own: the connections are closed even if the caller goes away.
    let revoking = tokio::spawn(async move {
        let key = app.ports.keys.revoke(name).await.map_err(problem)?;
        for id in app.credential_connections.of(&Source::Key(key)) {
            app.registry.close(&id);
        }
        Ok(StatusCode::NO_CONTENT.into_response())
    });
    revoking.await.map_err(|error| Problem::internal("revoking a key", &error))?
}

fn key_name(text: &str) -> Result<KeyName, Problem> {
    KeyName::new(text).map_err(|error| Problem::bad_request(error.to_string()))
}

fn problem(error: KeyError) -> Problem {
    let detail = error.to_string();
    match error {
        KeyError::Exists { .. } => Problem::new(StatusCode::CONFLICT, "exists", detail),
        KeyError::NoSuchKey { .. } => Problem::new(StatusCode::NOT_FOUND, "not-found", detail),
        KeyError::First | KeyError::TooMany | KeyError::Past | KeyError::ForNobody { .. } => {
            Problem::bad_request(detail)
        }
        KeyError::Records(error) if error.is_retryable() => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a key could not be changed");
            Problem::unavailable("the store can't write at the moment; try again")
        }
        error @ (KeyError::NoRandomness(_) | KeyError::Corrupt(_) | KeyError::Records(_)) => {
            Problem::internal("changing a key", &error)
        }
    }
}
