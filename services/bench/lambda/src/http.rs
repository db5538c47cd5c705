//! A server of HTTP/1.1 for one connection.

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

/// A request that has been read to its end.
pub(crate) struct Received {
    /// When its head had arrived.
    pub at: Instant,
    /// Its head.
    pub head: Parts,
    /// Its body.
    pub body: Bytes,
}

/// Answers the requests of one connection until the other side ends it. A connection that breaks is the end
/// of a process, which is seen elsewhere.
pub(crate) async fn serve<F>(io: impl AsyncRead + AsyncWrite + Unpin, answer: impl Fn(Received) -> F)
where
    F: Future<Output = Response<Full<Bytes>>>,
{
    let answer = &answer;
    let service = service_fn(|request: Request<Incoming>| async move {
        let at = Instant::now();
        let (head, body) = request.into_parts();
        // A body that is cut off is answered as if it were empty: nobody is there to read it.
        let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
        Ok::<_, Infallible>(answer(Received { at, head, body }).await)
    });
    let _ended = http1::Builder::new().serve_connection(TokioIo::new(io), service).await;
}
