//! Pushes against a stand-in of the API Gateway Management API that answers as it is told.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod support;

use bytes::Bytes;
use dispatcher::ports::{Push as _, PushError, Pushed};
use dispatcher_lambda::ManagementPush;
use shared_conformance::{connection, user};
use shared_ports::trace;
use support::gateway;

async fn push(url: &str, frames: &[&'static str]) -> Pushed {
    let push = ManagementPush::new(&shared_test_kit::sdk_config_for("http://127.0.0.1:1").await, url);
    let frames = frames.iter().map(|frame| Bytes::from_static(frame.as_bytes())).collect();
    let (user, connection) = (user("alice"), connection("L0SM9cOFvHcCIhw="));
    trace::scope(Some("Root=1-1".into()), push.push(&user, &connection, frames)).await
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
