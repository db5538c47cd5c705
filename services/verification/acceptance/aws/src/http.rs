//! Requests to an endpoint that no SDK is needed for.

use reqwest::{Client, Response};

/// A signature that says who it is; emulators check no more of it.
pub(crate) fn authorization(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, \
         SignedHeaders=host, Signature=00"
    )
}

/// A `POST` with such a signature.
pub(crate) async fn post(url: &str, service: &str, headers: &[(&str, &str)], body: String) -> Response {
    // Plain HTTP is all that it speaks, but a client wants to know. Another may have said it before.
    _ = rustls::crypto::ring::default_provider().install_default();
    let mut request = Client::new().post(url).header("authorization", authorization(service)).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap_or_else(|error| panic!("{error}"))
}
