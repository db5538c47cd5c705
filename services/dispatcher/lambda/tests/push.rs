//! Pushes to a stand-in for the API Gateway Management API with scripted answers.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use dispatcher::ports::{Push as _, PushError, Pushed};
use dispatcher_lambda::ManagementPush;
use shared_ports::trace;
use verification_conformance::{connection, user};
use verification_test_kit::{FakeEndpoint, RecordedRequest, sdk_config_for};

async fn push(gateway: &FakeEndpoint, frames: &[&'static str]) -> Pushed {
    let sdk = sdk_config_for("http://127.0.0.1:1").await;
    let push = ManagementPush::new(&sdk, &format!("{}/prod", gateway.url));
    let frames = frames.iter().copied().map(Into::into).collect();
    let (user, connection) = (user("alice"), connection("L0SM9cOFvHcCIhw="));
    trace::scope(Some("Root=1-1".into()), push.push(&user, &connection, frames)).await
}

#[tokio::test]
async fn frames_are_posted_in_order_with_the_trace() {
    let gateway = FakeEndpoint::new(&[200, 200]).await;
    let Pushed { accepted, error } = push(&gateway, &["\"one\"", "\"two\""]).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(accepted, 2);
    let expected = ["\"one\"", "\"two\""].map(|body| RecordedRequest {
        line: "POST /prod/@connections/L0SM9cOFvHcCIhw%3D HTTP/1.1".to_owned(),
        trace: Some("Root=1-1".to_owned()),
        body: body.to_owned(),
    });
    assert_eq!(gateway.requests(), expected);
}

#[tokio::test]
async fn errors_are_classified_and_not_retried() {
    let gateway = FakeEndpoint::new(&[200, 410]).await;
    let Pushed { accepted, error } = push(&gateway, &["1", "2", "3"]).await;
    assert_eq!(accepted, 1);
    assert!(matches!(error, Some(PushError::Gone)), "{error:?}");
    assert_eq!(gateway.requests().len(), 2);
    for status in [&[429_u16] as &[u16], &[500], &[403]] {
        let gateway = FakeEndpoint::new(status).await;
        let Pushed { accepted, error } = push(&gateway, &["1"]).await;
        assert_eq!(accepted, 0);
        assert!(matches!(error, Some(PushError::Unavailable(_))), "{status:?}: {error:?}");
        assert_eq!(gateway.requests().len(), 1);
    }
}
