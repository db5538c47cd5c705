//! Pushes against a stand-in of the API Gateway Management API that answers as it is told.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use dispatcher::ports::{Push as _, PushError, Pushed};
use dispatcher_lambda::ManagementPush;
use shared_conformance::{connection, user};
use shared_ports::trace;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What was asked: the first line, the tracing header, and the body.
type Asked = (String, Option<String>, String);

/// Answers each request with the next of `statuses`, each on its own connection.
async fn gateway(statuses: &'static [u16]) -> (String, Arc<Mutex<Vec<Asked>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/prod", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
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
    (url, asked)
}

async fn read(socket: &mut TcpStream) -> Asked {
    let mut text = String::new();
    loop {
        let mut bytes = [0; 4096];
        let count = socket.read(&mut bytes).await.unwrap();
        text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let header = |name: &str| {
            let line = head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:")));
            line.and_then(|line| line.split_once(": ")).map(|(_, value)| value.to_owned())
        };
        if body.len() >= header("content-length").map_or(0, |length| length.parse().unwrap()) {
            let first = head.lines().next().unwrap().to_owned();
            return (first, header("x-amzn-trace-id"), body.to_owned());
        }
    }
}

async fn push(url: &str, frames: &[&'static str]) -> Pushed {
    let config = aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::from_static("us-east-1"))
        .credentials_provider(aws_sdk_sqs::config::SharedCredentialsProvider::new(
            aws_sdk_sqs::config::Credentials::new("key", "secret", None, None, "test"),
        ))
        .http_client(shared_aws::http_client())
        .sleep_impl(aws_sdk_sqs::config::SharedAsyncSleep::new(aws_sdk_sqs::config::Sleep))
        .build();
    let push = ManagementPush::new(&config, url);
    let frames = frames.iter().map(|frame| Bytes::from_static(frame.as_bytes())).collect();
    let work = push.push(&user("alice"), &connection("L0SM9cOFvHcCIhw="), frames);
    trace::scope(Some("Root=1-1".into()), work).await
}

#[tokio::test]
async fn frames_are_posted_in_order_with_the_trace() {
    let (url, asked) = gateway(&[200, 200]).await;
    let Pushed { accepted, error } = push(&url, &["\"one\"", "\"two\""]).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(accepted, 2);
    let asked = asked.lock().unwrap();
    let line = "POST /prod/@connections/L0SM9cOFvHcCIhw%3D HTTP/1.1";
    let trace = Some("Root=1-1".to_owned());
    assert_eq!(asked[0], (line.to_owned(), trace.clone(), "\"one\"".to_owned()));
    assert_eq!(asked[1], (line.to_owned(), trace, "\"two\"".to_owned()));
}

#[tokio::test]
async fn a_gone_connection_is_told_from_trouble_and_trouble_is_not_repeated() {
    let (url, asked) = gateway(&[200, 410]).await;
    let Pushed { accepted, error } = push(&url, &["1", "2", "3"]).await;
    assert_eq!(accepted, 1);
    assert!(matches!(error, Some(PushError::Gone)), "{error:?}");
    assert_eq!(asked.lock().unwrap().len(), 2);
    for status in [&[429_u16] as &[u16], &[500], &[403]] {
        let (url, asked) = gateway(status).await;
        let Pushed { accepted, error } = push(&url, &["1"]).await;
        assert_eq!(accepted, 0);
        assert!(matches!(error, Some(PushError::Unavailable(_))), "{status:?}: {error:?}");
        assert_eq!(asked.lock().unwrap().len(), 1);
    }
}
