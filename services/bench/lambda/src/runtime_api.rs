//! The Runtime API of Lambda for one process
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>).

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::http::{Received, serve};

/// How long an invocation may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What a function did, or was given.
pub(crate) enum Moment {
    /// It asked for an event.
    Next(Instant),
    /// It is being given one.
    Given(Instant),
    /// It has answered.
    Answer(Instant, Bytes),
    /// It has reported an error, of its start or of an invocation.
    Error(Bytes),
}

/// The Runtime API of one process; it gives the same event as often as it is told to.
pub(crate) struct RuntimeApi {
    address: String,
    moments: UnboundedReceiver<Moment>,
    function: Arc<Function>,
    accepting: JoinHandle<()>,
}

struct Function {
    name: &'static str,
    event: Bytes,
    moments: UnboundedSender<Moment>,
    /// As many as events may be given.
    events: Semaphore,
}

impl RuntimeApi {
    /// Begins to listen on a free port.
    pub(crate) async fn new(name: &'static str, event: String) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (sender, moments) = unbounded_channel();
        let function = Function { name, event: event.into(), moments: sender, events: Semaphore::new(0) };
        let function = Arc::new(function);
        let answering = Arc::clone(&function);
        let accepting = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let _delayed = socket.set_nodelay(true);
                let function = Arc::clone(&answering);
                tokio::spawn(serve(socket, move |request| {
                    let function = Arc::clone(&function);
                    async move { function.answer(request).await }
                }));
            }
        });
        Ok(Self { address, moments, function, accepting })
    }

    /// As `AWS_LAMBDA_RUNTIME_API` has it.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Gives the event once, now or when it is asked for.
    pub(crate) fn give(&self) {
        self.function.events.add_permits(1);
    }

    /// What happened next.
    pub(crate) async fn moment(&mut self) -> Option<Moment> {
        self.moments.recv().await
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Function {
    async fn answer(&self, request: Received) -> Response<Full<Bytes>> {
        let Received { at, head, body } = request;
        // Nobody listens any more when all that was to be measured has been.
        let tell = |moment| drop(self.moments.send(moment));
        let path = head.uri.path();
        if head.method == Method::GET && path.ends_with("/invocation/next") {
            tell(Moment::Next(at));
            // Never closed.
            if let Ok(event) = self.events.acquire().await {
                event.forget();
            }
            let response = self.invocation();
            tell(Moment::Given(Instant::now()));
            return response;
        }
        tell(if path.ends_with("/response") { Moment::Answer(at, body) } else { Moment::Error(body) });
        let mut accepted = Response::new(Full::from(r#"{"status":"OK"}"#));
        *accepted.status_mut() = StatusCode::ACCEPTED;
        accepted
    }

    fn invocation(&self) -> Response<Full<Bytes>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = self.name;
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("lambda-runtime-aws-request-id", Uuid::new_v4().to_string()),
            ("lambda-runtime-deadline-ms", (now + TIMEOUT).as_millis().to_string()),
            (
                "lambda-runtime-invoked-function-arn",
                format!("arn:aws:lambda:us-east-1:123456789012:function:{name}"),
            ),
            (
                "lambda-runtime-trace-id",
                "Root=1-695585c0-3b9d1c2e4f5a6b7c8d9e0f1a;Parent=53995c3f42cd8ad8;Sampled=0".to_owned(),
            ),
        ];
        let mut response = Response::new(Full::from(self.event.clone()));
        for (header, value) in headers {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(header, value);
            }
        }
        response
    }
}
