//! The programs of the documents for producers on AWS, word for word, against a deployment.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;
use verification_acceptance_aws::Deployment;
use verification_conformance::user;
use verification_snippets::snippet;
use verification_source_clients::{aws_cli, unique};
use verification_test_kit::{REGION, endpoint};

const CLIENTS: &str = "docs/how-to/clients.md";

/// Version 1 of the AWS CLI has addresses of its own for SQS, which come before that in the environment.
const ENDPOINT: &str = r#"aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }; "#;

/// Runs a program, which has to succeed, with what a producer on AWS has in its environment.
async fn run(command: &mut Command, user: &str) -> String {
    command.env("AWS_ENDPOINT_URL", endpoint()).env("AWS_DEFAULT_REGION", REGION).env("USER_ID", user);
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test").stdin(Stdio::null());
    let output = command.output().await.unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{out}\n{err}");
    out
}

/// What arrives first, and then what is sent by others.
async fn arrives(deployment: &Deployment, name: &str, expected: &Value) {
    let mut device = deployment.open(&user(name), "").await;
    for expected in [expected, &json!("last")] {
        let delivery = device.next().await;
        assert_eq!(serde_json::from_str::<Value>(delivery.payload.get()).unwrap(), *expected);
        if *expected != "last" {
            assert_eq!(
                deployment
                    .post(&json!({ "userId": name, "id": unique("last"), "payload": "last" }).to_string())
                    .await,
                202
            );
        }
    }
}

#[tokio::test]
async fn in_rust() {
    let (deployment, alice) = (Deployment::shared().await, unique("alice"));
    assert!(snippet(CLIENTS, "rust-aws").is_ok(), "the example is built of it");
    let own = std::env::current_exe().unwrap();
    let example = own.ancestors().nth(2).unwrap().join("examples/rust_aws");
    assert!(
        example.exists(),
        "{} is not built: cargo build -p verification-acceptance-aws --examples",
        example.display()
    );
    // Twice, and delivered once.
    for _ in 0..2 {
        run(Command::new(&example).env("QUEUE_URL", deployment.output("queueUrl")), &alice).await;
    }
    arrives(&deployment, &alice, &json!({ "order": 1042 })).await;
}

#[tokio::test]
async fn the_aws_cli() {
    let (deployment, alice) = (Deployment::shared().await, unique("alice"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("outputs.json"), deployment.outputs().to_string()).unwrap();
    let script = format!("{ENDPOINT}{}", snippet("docs/how-to/deploy.md", "aws-sqs").unwrap().code);
    let path = std::env::var("PATH").unwrap();
    assert!(
        std::env::split_paths(&path).any(|folder| Path::new(&folder).join("jq").exists()),
        "jq is missing: install the package jq"
    );
    for _ in 0..2 {
        let mut bash = Command::new("/bin/bash");
        bash.args(["-euo", "pipefail", "-c", &script]).current_dir(folder.path());
        run(bash.env("PATH", format!("{}:{path}", aws_cli().display())), &alice).await;
    }
    arrives(&deployment, &alice, &json!({ "order": 1042, "state": "shipped" })).await;
}
