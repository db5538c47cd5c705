//! A fake AWS endpoint with scripted answers.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request that a [`FakeEndpoint`] received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedRequest {
    /// The request line.
    pub line: String,
    /// The `x-amzn-trace-id` header.
    pub trace: Option<String>,
    /// The body.
    pub body: String,
}

/// An endpoint that answers with scripted statuses and records the requests.
#[derive(Debug, Clone)]
pub struct FakeEndpoint {
    /// The URL, without a path.
    pub url: String,
    requests: Arc<Mutex<Vec<RecordedRequest>>>,
}

impl FakeEndpoint {
    /// Starts an endpoint that answers each request with the next of `statuses`, on a connection of its own,
    /// and then accepts no more.
    pub async fn new(statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = requests.clone();
        tokio::spawn(async move {
            for status in statuses {
                let (mut socket, _) = listener.accept().await.unwrap();
                let request = read(&mut socket).await;
                log.lock().unwrap().push(request);
                let kind = if *status == 410 { "x-amzn-errortype: GoneException\r\n" } else { "" };
                let answer =
                    format!("HTTP/1.1 {status} X\r\n{kind}content-length: 0\r\nconnection: close\r\n\r\n");
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { url, requests }
    }

    /// The requests received so far.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.requests.lock().unwrap().clone()
    }
}

async fn read(socket: &mut TcpStream) -> RecordedRequest {
    let mut text = String::new();
    loop {
        let mut bytes = [0; 4096];
        let count = socket.read(&mut bytes).await.unwrap();
        assert!(count > 0, "the request ended early: {text}");
        text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let header = |name: &str| {
            let line = head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:")));
            line.and_then(|line| line.split_once(": ")).map(|(_, value)| value.to_owned())
        };
        if body.len() >= header("content-length").map_or(0, |length| length.parse().unwrap()) {
            let line = head.lines().next().unwrap().to_owned();
            return RecordedRequest { line, trace: header("x-amzn-trace-id"), body: body.to_owned() };
        }
    }
}
