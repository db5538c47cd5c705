//! The programs of the documents for producers on AWS, run unchanged with a deployment.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;
use verification_acceptance_aws::Deployment;
use verification_conformance::user;
use verification_snippets::snippet;
use verification_source_clients::{aws_cli, unique};
use verification_test_kit::{REGION, TestResources, endpoint};

const CLIENTS: &str = "docs/how-to/clients.md";

/// A wrapper of the AWS CLI. Its version 1 has URLs of its own for SQS, which override the endpoint in the
/// environment.
const ENDPOINT: &str =
    r#"aws() { command aws --endpoint-url "${AWS_ENDPOINT_URL_SQS:-$AWS_ENDPOINT_URL}" "$@"; }; "#;

/// Runs a program, which must succeed, with the environment of a producer on AWS.
async fn run(command: &mut Command, user: &str) -> String {
    command.env("AWS_ENDPOINT_URL", endpoint()).env("AWS_DEFAULT_REGION", REGION).env("USER_ID", user);
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test").stdin(Stdio::null());
    let output = command.output().await.unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{out}\n{err}");
    out
}

/// Starts a script in a folder with the outputs of a stack.
async fn run_script(script: &str, outputs: &Value, user: &str) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("outputs.json"), outputs.to_string()).unwrap();
    let path = std::env::var("PATH").unwrap();
    assert!(
        std::env::split_paths(&path).any(|folder| Path::new(&folder).join("jq").exists()),
        "jq is missing: install the package jq"
    );
    let mut bash = Command::new("/bin/bash");
    bash.args(["-euo", "pipefail", "-c", script]).current_dir(folder.path());
    run(bash.env("PATH", format!("{}:{path}", aws_cli().display())), user).await;
}

/// Starts the producer in Rust as documented, but without building it again.
async fn run_rust_aws(outputs: &Value, user: &str) {
    assert!(snippet(CLIENTS, "rust-aws").is_ok(), "the example is built from it");
    let own = std::env::current_exe().unwrap();
    let example = own.ancestors().nth(2).unwrap().join("examples/rust_aws");
    assert!(
        example.exists(),
        "{} is not built: cargo build -p verification-acceptance-aws --examples",
        example.display()
    );
    let start = snippet(CLIENTS, "rust-aws-start").unwrap().code;
    let cargo = format!("cargo() {{ shift 2; '{}' \"$@\"; }}; ", example.display());
    run_script(&format!("{cargo}{start}"), outputs, user).await;
}

/// Checks that a payload arrives once: first the payload, then one that is sent after it.
async fn check_arrival(deployment: &Deployment, name: &str, expected: &Value) {
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
async fn rust_aws_snippet_runs() {
    let (deployment, alice) = (Deployment::shared().await, unique("alice"));
    // Run twice, delivered once.
    for _ in 0..2 {
        run_rust_aws(deployment.outputs(), &alice).await;
    }
    check_arrival(&deployment, &alice, &json!({ "order": 1042 })).await;
}

#[tokio::test]
async fn rust_aws_snippet_finds_the_queue_of_a_user() {
    let queues = TestResources::new().await.two_queues().await;
    let outputs = json!({ "queueUrl": queues[0].url, "queueUrls": [queues[0].url, queues[1].url] });
    for name in ["alice", "bob"] {
        run_rust_aws(&outputs, name).await;
    }
    let sent = [queues[0].drain_ids().await, queues[1].drain_ids().await];
    let once = |name: &str| vec![(name.to_owned(), "order-1042-returned".to_owned())];
    assert_eq!(sent, [once("bob"), once("alice")]);
}

#[tokio::test]
async fn aws_sqs_snippet_runs() {
    let (deployment, alice) = (Deployment::shared().await, unique("alice"));
    let script = format!("{ENDPOINT}{}", snippet("docs/how-to/deploy.md", "aws-sqs").unwrap().code);
    for _ in 0..2 {
        run_script(&script, deployment.outputs(), &alice).await;
    }
    check_arrival(&deployment, &alice, &json!({ "order": 1042, "state": "shipped" })).await;
}
