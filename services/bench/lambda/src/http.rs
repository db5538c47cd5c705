//! An HTTP/1.1 server for one connection.

use std::convert::Infallible;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Collected, Full};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// A whole request.
pub(crate) struct HttpRequest {
    /// Time at which its head had arrived.
    pub at: Instant,
    pub head: Parts,
    pub body: Bytes,
}

/// Answers the requests of one connection until the client closes it.
///
/// Errors of the connection are ignored: they mean that the process has ended, which its owner notices.
pub(crate) async fn serve<F>(io: impl AsyncRead + AsyncWrite + Unpin, answer: impl Fn(HttpRequest) -> F)
where
    F: Future<Output = Response<Full<Bytes>>>,
{
    let answer = &answer;
    let service = service_fn(|request: Request<Incoming>| async move {
        let at = Instant::now();
        let (head, body) = request.into_parts();
        // After an incomplete body nobody reads the answer, so it doesn't matter.
        let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
        Ok::<_, Infallible>(answer(HttpRequest { at, head, body }).await)
    });
    let _ended = http1::Builder::new().serve_connection(TokioIo::new(io), service).await;
}
