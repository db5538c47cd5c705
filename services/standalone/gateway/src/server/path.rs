//! Parameters in the path of a request.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// Extracts the parameters of a path, as [`axum::extract::Path`] does, and answers with a problem where they are not
/// valid.
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(parameters)) => Ok(Self(parameters)),
            Err(rejection) => Err(Problem::bad_request(format!(
                "the path is not valid: {}; its parts must be percent-encoded UTF-8",
                rejection.body_text()
            ))),
        }
    }
}
