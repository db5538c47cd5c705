//! Access for pages of other origins to the routes that they need before they connect (<https://fetch.spec.whatwg.org/#http-cors-protocol>).

use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Time for which a browser may remember that a request is allowed.
const MAX_AGE: Duration = Duration::from_hours(1);

/// Returns the layer that answers preflight requests and adds the headers for pages of these origins; `None` without
/// origins, because then no page elsewhere is known to be the operator's.
///
/// Cookies are not allowed: these routes take none.
pub(super) fn layer(allowed_origins: &[String]) -> Option<CorsLayer> {
    if allowed_origins.is_empty() {
        return None;
    }
    let allowed = allowed_origins.to_vec();
    let is_allowed = move |origin: &HeaderValue, _: &axum::http::request::Parts| {
        origin.to_str().is_ok_and(|origin| auth_token::is_allowed_origin(&allowed, origin))
    };
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(is_allowed))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE])
        .expose_headers([RETRY_AFTER, HeaderName::from_static("x-request-id")])
        .max_age(MAX_AGE);
    Some(layer)
}
