//! Headers of all answers that keep browsers from misusing them.

use std::time::Duration;

use axum::http::header::{CACHE_CONTROL, HOST, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;

/// The headers of all answers.
#[derive(Debug, Clone)]
pub(super) struct SafeHeaders {
    /// The value of `Strict-Transport-Security`, with TLS.
    transport: Option<HeaderValue>,
}

impl SafeHeaders {
    /// Returns the headers; `max_age` is the time for which browsers are to use TLS alone.
    pub(super) fn new(max_age: Option<Duration>) -> Self {
        let transport = max_age.map(|age| format!("max-age={}", age.as_secs()));
        Self { transport: transport.and_then(|value| value.try_into().ok()) }
    }

    /// Returns the headers for the answer to a request. The ports of localhost belong to many programs, of which few
    /// have TLS.
    pub(super) fn for_request(&self, headers: &HeaderMap) -> Self {
        let is_localhost = || {
            headers
                .get(HOST)
                .is_some_and(|host| host.as_bytes().to_ascii_lowercase().starts_with(b"localhost"))
        };
        Self { transport: self.transport.clone().filter(|_| !is_localhost()) }
    }

    /// Adds the headers that an answer does not have yet: it is not stored by caches and not taken for another kind of
    /// content.
    pub(super) fn add_to(self, response: &mut Response) {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return;
        }
        let headers = response.headers_mut();
        if let Some(transport) = self.transport {
            headers.insert(STRICT_TRANSPORT_SECURITY, transport);
        }
        headers.entry(X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(
        headers: &SafeHeaders,
        host: &'static str,
        own: &[(axum::http::HeaderName, &'static str)],
    ) -> HeaderMap {
        let mut request = HeaderMap::new();
        request.insert(HOST, HeaderValue::from_static(host));
        let mut response = Response::default();
        response
            .headers_mut()
            .extend(own.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))));
        headers.for_request(&request).add_to(&mut response);
        response.headers().clone()
    }

    #[test]
    fn answers_are_not_stored_or_sniffed() {
        let plain = SafeHeaders::new(None);
        let headers = answer(&plain, "push.example.com", &[]);
        assert_eq!(
            (&headers[X_CONTENT_TYPE_OPTIONS], &headers[CACHE_CONTROL]),
            (&"nosniff".parse().unwrap(), &"no-store".parse().unwrap())
        );
        assert!(!headers.contains_key(STRICT_TRANSPORT_SECURITY));
        let page = answer(&plain, "push.example.com", &[(CACHE_CONTROL, "no-cache")]);
        assert_eq!(page[CACHE_CONTROL], "no-cache");
    }

    #[test]
    fn tls_is_kept_but_not_for_localhost() {
        let tls = SafeHeaders::new(Some(Duration::from_hours(24)));
        assert_eq!(answer(&tls, "push.example.com", &[])[STRICT_TRANSPORT_SECURITY], "max-age=86400");
        for host in ["localhost:8443", "LOCALHOST"] {
            assert!(!answer(&tls, host, &[]).contains_key(STRICT_TRANSPORT_SECURITY), "{host}");
        }
    }
}
