//! Pages of other origins: which routes they may call, and what a browser is told.

use tidings_gateway::server::Settings;
use tidings_sockets::Limits;

use crate::test_server::{Answer, TestServer, start, start_with};

const ALLOWED: &str = "origin: https://app.example.com";

fn start_with_origins() -> TestServer {
    let allowed_origins = vec!["https://app.example.com:443".to_owned(), "http://localhost:3000".to_owned()];
    start_with(Settings { allowed_origins, ..Settings::default() }, Limits::default(), None)
}

fn allowed_origin(answer: &Answer) -> Option<&str> {
    answer.header("access-control-allow-origin")
}

async fn preflight(server: &TestServer, path: &str, origin: &str) -> Answer {
    let headers =
        [origin, "access-control-request-method: POST", "access-control-request-headers: authorization"];
    server.send("OPTIONS", path, &headers, b"").await
}

#[tokio::test]
async fn allowed_page_may_ask_for_a_token() {
    let server = start_with_origins();
    for path in ["/v1/token", "/v1/login", "/v1/guest", "/v1/info"] {
        let answer = preflight(&server, path, ALLOWED).await;
        assert_eq!(
            (answer.status, allowed_origin(&answer)),
            (200, Some("https://app.example.com")),
            "{path}"
        );
        let header = |name| answer.header(name).unwrap().to_lowercase();
        assert!(header("access-control-allow-methods").contains("post"));
        assert!(header("access-control-allow-headers").contains("authorization"));
        assert!(header("access-control-allow-headers").contains("content-type"));
        assert!(header("vary").contains("origin"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
    let answer = server.send("POST", "/v1/token", &[ALLOWED], br#"{"userId":"jo"}"#).await;
    assert_eq!((answer.status, allowed_origin(&answer)), (200, Some("https://app.example.com")));
    assert!(answer.header("access-control-expose-headers").unwrap().contains("retry-after"));
    let answer = server.send("GET", "/v1/info", &["origin: http://localhost:3000"], b"").await;
    assert_eq!(allowed_origin(&answer), Some("http://localhost:3000"));
}

/// Without the headers, the page could not read why it was refused.
#[tokio::test]
async fn allowed_page_can_read_errors() {
    let server = start_with_origins();
    let answer = server.send("POST", "/v1/token", &[ALLOWED, "authorization: none"], b"").await;
    answer.require_problem(401, &["credential"]);
    assert_eq!(allowed_origin(&answer), Some("https://app.example.com"));
    let answer = server.send("DELETE", "/v1/token", &[ALLOWED], b"").await;
    answer.require_problem(405, &["DELETE"]);
}

#[tokio::test]
async fn other_pages_get_no_headers() {
    let server = start_with_origins();
    for origin in ["origin: https://evil.example", "origin: http://app.example.com", "origin: null"] {
        assert_eq!(allowed_origin(&preflight(&server, "/v1/token", origin).await), None, "{origin}");
        let answer = server.send("POST", "/v1/token", &[origin], br#"{"userId":"jo"}"#).await;
        assert_eq!(allowed_origin(&answer), None, "{origin}");
    }
}

#[tokio::test]
async fn routes_of_producers_are_not_for_pages() {
    let server = start_with_origins();
    for path in ["/v1/notifications", "/v1/users", "/v1/dead-letters", "/@connections/x"] {
        let answer = preflight(&server, path, ALLOWED).await;
        answer.require_problem(405, &["OPTIONS"]);
        assert_eq!(allowed_origin(&answer), None, "{path}");
    }
}

#[tokio::test]
async fn server_without_origins_has_no_headers() {
    let server = start();
    let answer = preflight(&server, "/v1/token", ALLOWED).await;
    answer.require_problem(405, &["OPTIONS"]);
    let answer = server.send("POST", "/v1/token", &[ALLOWED], br#"{"userId":"jo"}"#).await;
    assert_eq!((answer.status, allowed_origin(&answer), answer.header("vary")), (200, None, None));
}
