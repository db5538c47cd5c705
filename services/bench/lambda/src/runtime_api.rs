//! Lambda's Runtime API for one process (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>).
//!
//! Each connection of the process is a task. It reports the steps of the conversation with their times
//! through a channel, and waits for a permit before it gives an event.

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

use crate::http::{HttpRequest, serve};

/// Time until the deadline that an invocation is given.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A step of the conversation with a function.
pub(crate) enum Step {
    /// The function asked for an event.
    Asked(Instant),
    /// The function is being given an event.
    Given(Instant),
    /// The function answered.
    Answered(Instant, Bytes),
    /// The function reported an error of its start or of an invocation.
    Failed(Bytes),
}

/// The Runtime API of one process. It gives the same event once for each call of [`RuntimeApi::give_event`].
pub(crate) struct RuntimeApi {
    address: String,
    steps: UnboundedReceiver<Step>,
    function: Arc<Function>,
    accepting: JoinHandle<()>,
}

struct Function {
    name: &'static str,
    event: Bytes,
    steps: UnboundedSender<Step>,
    /// Has a permit for each event that may be given.
    events: Semaphore,
}

impl RuntimeApi {
    /// Listens on a free port.
    pub(crate) async fn new(name: &'static str, event: String) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (sender, steps) = unbounded_channel();
        let function = Function { name, event: event.into(), steps: sender, events: Semaphore::new(0) };
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
        Ok(Self { address, steps, function, accepting })
    }

    /// Returns the value of `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Gives the event once, as soon as the function asks for it.
    pub(crate) fn give_event(&self) {
        self.function.events.add_permits(1);
    }

    /// Waits for the next step.
    pub(crate) async fn next_step(&mut self) -> Option<Step> {
        self.steps.recv().await
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Function {
    async fn answer(&self, request: HttpRequest) -> Response<Full<Bytes>> {
        let HttpRequest { at, head, body } = request;
        // Once the measurement is over nobody receives the steps.
        let report = |step| drop(self.steps.send(step));
        let path = head.uri.path();
        if head.method == Method::GET && path.ends_with("/invocation/next") {
            report(Step::Asked(at));
            // Fails only if the semaphore is closed, which it never is.
            if let Ok(event) = self.events.acquire().await {
                event.forget();
            }
            let response = self.invocation();
            report(Step::Given(Instant::now()));
            return response;
        }
        report(if path.ends_with("/response") { Step::Answered(at, body) } else { Step::Failed(body) });
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
