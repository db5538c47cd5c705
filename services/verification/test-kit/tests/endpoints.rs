//! The endpoints that the kit's clients use.
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::process::Command;

use verification_test_kit::{FakeEndpoint, sdk_config};

/// Tells a process that it is the one with the environment to test.
const WITHIN: &str = "TIDINGS_TEST_WITHIN";

/// Runs a test of this file in a process with an environment of its own.
async fn run_within(test: &str, change: impl FnOnce(&mut Command)) {
    let mut process = Command::new(std::env::current_exe().unwrap());
    process.args(["--exact", test]).env(WITHIN, "true");
    change(&mut process);
    let output = tokio::task::spawn_blocking(move || process.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Calls two services, and returns true for each that answered with success.
async fn call_services() -> (bool, bool) {
    let sdk = sdk_config().await;
    let queues = aws_sdk_sqs::Client::new(&sdk).list_queues().send().await;
    let tables = aws_sdk_dynamodb::Client::new(&sdk).list_tables().send().await;
    (queues.is_ok(), tables.is_ok())
}

#[tokio::test]
async fn endpoint_of_one_service_comes_first() {
    if std::env::var_os(WITHIN).is_some() {
        return assert_eq!(call_services().await, (false, false));
    }
    let (queues, others) = (FakeEndpoint::new(&[400]).await, FakeEndpoint::new(&[400]).await);
    run_within("endpoint_of_one_service_comes_first", |process| {
        process.env("AWS_ENDPOINT_URL", &others.url).env("AWS_ENDPOINT_URL_SQS", &queues.url);
    })
    .await;
    assert_eq!((queues.requests().len(), others.requests().len()), (1, 1));
}

#[tokio::test]
async fn other_services_are_the_emulators() {
    if std::env::var_os(WITHIN).is_some() {
        return assert_eq!(call_services().await, (false, true));
    }
    let queues = FakeEndpoint::new(&[400]).await;
    run_within("other_services_are_the_emulators", |process| {
        process.env_remove("AWS_ENDPOINT_URL").env("AWS_ENDPOINT_URL_SQS", &queues.url);
    })
    .await;
    assert_eq!(queues.requests().len(), 1);
}
