//! The web pages, which `services/web` builds. Release builds contain them; debug builds read them from the
//! folder they are built into.

use std::borrow::Cow;

use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use rust_embed::{Embed, EmbeddedFile};

use super::problem::Problem;

/// The Content-Security-Policy: pages load only what this server serves. `'self'` includes the WebSocket (<https://www.w3.org/TR/CSP3/#match-url-to-source-expression>).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Prefix of files whose names contain a hash of their content.
const HASHED: &str = "assets/";

/// The client for pages without a build step, of any origin: its path and its file.
const CLIENT: (&str, &str) = ("/client.js", "client/client.js");

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The built pages, one folder each.
#[derive(Embed)]
#[folder = "../../web/dist"]
struct Built;

/// Returns true if this program has the pages.
pub fn are_built() -> bool {
    ["chat/index.html", "console/index.html", CLIENT.1].into_iter().all(|page| Built::get(page).is_some())
}

/// Answers a path without a route of its own. Returns `None` if no page has such a file.
pub(super) fn answer(method: &Method, path: &str, headers: &HeaderMap) -> Option<Result<Response, Problem>> {
    if method != Method::GET && method != Method::HEAD {
        return None;
    }
    if path == "/console" {
        // Relative, because the server may be reached below another path.
        return Some(Ok((StatusCode::PERMANENT_REDIRECT, [(LOCATION, "console/")]).into_response()));
    }
    let name = name(path);
    match Built::get(&name) {
        Some(file) => Some(Ok(respond(&name, file, headers))),
        None if name.ends_with("index.html") || name == CLIENT.1 => Some(Err(missing())),
        None => None,
    }
}

/// Returns the file of a path: the chat's files are at the root, other pages' in a folder.
fn name(path: &str) -> Cow<'static, str> {
    match path {
        "/" => "chat/index.html".into(),
        "/console/" => "console/index.html".into(),
        path if path == CLIENT.0 => CLIENT.1.into(),
        _ => match path.strip_prefix("/console/") {
            Some(file) => format!("console/{file}").into(),
            None => format!("chat{path}").into(),
        },
    }
}

fn missing() -> Problem {
    let detail = "this server was built without its web pages: install Node.js 20.19 or later with npm, run \
                  scripts/build-pages, and build the server again; all other routes work";
    Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
}

fn respond(name: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", hex::encode(file.metadata.sha256_hash()));
    let known = headers.get(IF_NONE_MATCH).is_some_and(|known| known == etag.as_str());
    let body = match file.data {
        _ if known => Body::empty(),
        Cow::Borrowed(bytes) => Body::from(Bytes::from_static(bytes)),
        Cow::Owned(bytes) => Body::from(bytes),
    };
    let mut response = Response::new(body);
    *response.status_mut() = if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let hashed = name.split_once('/').is_some_and(|(_, file)| file.starts_with(HASHED));
    let cache = if hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
    let fixed = [
        (CACHE_CONTROL, cache),
        (CONTENT_SECURITY_POLICY, POLICY),
        (CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let own = response.headers_mut();
    own.extend(fixed.map(|(header, value)| (header, HeaderValue::from_static(value))));
    if name == CLIENT.1 {
        // Modules are loaded with CORS (<https://html.spec.whatwg.org/#fetch-a-single-module-script>).
        let open = [(ACCESS_CONTROL_ALLOW_ORIGIN, "*"), (CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin")];
        own.extend(open.map(|(header, value)| (header, HeaderValue::from_static(value))));
    }
    let media_type = HeaderValue::try_from(file.metadata.mimetype());
    own.extend([(CONTENT_TYPE, media_type), (ETAG, HeaderValue::try_from(etag))].into_iter().filter_map(
        // A media type and hexadecimal digits are always legal values.
        |(header, value)| Some((header, value.ok()?)),
    ));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_files_of_a_page() {
        assert_eq!(name("/"), "chat/index.html");
        assert_eq!(name("/assets/a.js"), "chat/assets/a.js");
        assert_eq!(name("/console/"), "console/index.html");
        assert_eq!(name("/console/icon.svg"), "console/icon.svg");
        assert_eq!(name("/client.js"), "client/client.js");
    }

    #[test]
    fn nothing_outside_is_a_file() {
        for path in ["/../../../Cargo.toml", "/console/../../package.json", "//etc/passwd", "/.gitignore"] {
            assert!(answer(&Method::GET, path, &HeaderMap::new()).is_none(), "{path}");
        }
    }

    #[test]
    fn a_page_is_shown_to_who_asks_for_it_only() {
        assert!(answer(&Method::POST, "/", &HeaderMap::new()).is_none());
        let redirect = answer(&Method::GET, "/console", &HeaderMap::new()).unwrap().unwrap();
        assert_eq!(redirect.headers()[LOCATION], "console/");
    }

    #[test]
    fn the_client_is_for_pages_of_any_origin() {
        let file = EmbeddedFile {
            data: Cow::Borrowed(b"x"),
            metadata: rust_embed::Metadata::__rust_embed_new([7; 32], None, None, "text/javascript"),
        };
        let response = respond(CLIENT.1, file, &HeaderMap::new());
        assert_eq!(response.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert_eq!(response.headers()[CROSS_ORIGIN_RESOURCE_POLICY], "cross-origin");
        assert_eq!(response.headers()[CACHE_CONTROL], "no-cache");
    }

    #[test]
    fn a_file_comes_with_what_keeps_the_page_safe() {
        let file = || EmbeddedFile {
            data: Cow::Borrowed(b"x"),
            metadata: rust_embed::Metadata::__rust_embed_new([7; 32], None, None, "text/javascript"),
        };
        let first = respond("chat/assets/a-1.js", file(), &HeaderMap::new());
        assert_eq!(
            (first.status(), &first.headers()[CONTENT_TYPE]),
            (StatusCode::OK, &"text/javascript".parse().unwrap())
        );
        assert_eq!(first.headers()[CONTENT_SECURITY_POLICY], POLICY);
        assert!(first.headers()[CACHE_CONTROL].to_str().unwrap().contains("immutable"));
        let mut again = HeaderMap::new();
        again.insert(IF_NONE_MATCH, first.headers()[ETAG].clone());
        let second = respond("chat/index.html", file(), &again);
        assert_eq!(
            (second.status(), &second.headers()[CACHE_CONTROL]),
            (StatusCode::NOT_MODIFIED, &"no-cache".parse().unwrap())
        );
    }
}
