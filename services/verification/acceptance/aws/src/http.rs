//! HTTP requests to an endpoint without an SDK.

use reqwest::{Client, Response};

/// An `Authorization` header with an access key and an invalid signature. Emulators don't check signatures.
pub(crate) fn authorization(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, \
         SignedHeaders=host, Signature=00"
    )
}

/// Sends a `POST` with that header.
pub(crate) async fn post(url: &str, service: &str, headers: &[(&str, &str)], body: String) -> Response {
    // The client needs a TLS provider, even for plain HTTP. Another client may have installed it already.
    _ = rustls::crypto::ring::default_provider().install_default();
    let mut request = Client::new().post(url).header("authorization", authorization(service)).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap_or_else(|error| panic!("{error}"))
}
