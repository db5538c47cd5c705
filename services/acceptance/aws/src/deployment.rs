//! A deployment of the functions on the endpoint, and its producers.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use contract_notifications_v1::{Notification, QueueEntry, Sequence, UserId};
use serde_json::{Value, json};
use shared_test_kit::{endpoint, sdk_config_for};
use tokio_tungstenite::tungstenite::Error;

use crate::device::Device;
use crate::post::post;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../..");
const BUILD: &str =
    "cargo build -p auth-token-lambda -p ws-edge-lambda -p dispatcher-lambda -p replayer-lambda";

/// What `deploy.py` says of a deployment.
pub struct Deployment {
    prefix: String,
    outputs: Value,
    sqs: aws_sdk_sqs::Client,
}

/// The folder of this build's binaries, two above the test's own.
fn binaries() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.ancestors().nth(2).unwrap().to_owned()
}

/// The binaries without their debug information, which is most of them, packed: once for all deployments.
fn archives() -> &'static Path {
    static ARCHIVES: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = binaries().join("acceptance-archives");
        std::fs::create_dir_all(&folder).unwrap();
        for function in contract_deployment_v1::FUNCTIONS {
            let binary = binaries().join(function.name);
            assert!(binary.exists(), "{} is not built: {BUILD}", binary.display());
            let stripped = folder.join(function.name);
            let done = Command::new("strip").arg("-o").args([&stripped, &binary]).status();
            assert!(done.is_ok_and(|status| status.success()), "strip fails: install binutils");
        }
        let mut pack = Command::new(format!("{ROOT}/scripts/build-lambdas"));
        let packed = pack.arg("--pack").args([&folder, &folder]).output().unwrap();
        assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
        folder
    });
    &ARCHIVES
}

/// The Python of the emulator, which has botocore.
fn python() -> PathBuf {
    let asked = Command::new(format!("{ROOT}/scripts/local-aws")).arg("python").output().unwrap();
    assert!(asked.status.success(), "no Python with botocore: run `scripts/local-aws install`");
    PathBuf::from(String::from_utf8(asked.stdout).unwrap().trim())
}

impl Deployment {
    /// Deploys the functions.
    pub async fn new() -> Self {
        Self::with(&endpoint(), &[], &[]).await
    }

    /// Deploys the functions to an endpoint, with more arguments and variables.
    pub async fn with(endpoint: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let prefix = format!("e2e-{}", &uuid::Uuid::new_v4().simple().to_string()[..10]);
        let deployed = Command::new(python())
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy.py"))
            .args(["--prefix", &prefix, "--archives"])
            .arg(archives())
            .args(arguments)
            .env("AWS_ENDPOINT_URL", endpoint)
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        assert!(deployed.status.success(), "{}", String::from_utf8_lossy(&deployed.stderr));
        let outputs = serde_json::from_slice(&deployed.stdout).unwrap();
        let sqs = aws_sdk_sqs::Client::new(&sdk_config_for(endpoint).await);
        Self { prefix, outputs, sqs }
    }

    /// One of the outputs.
    pub fn output(&self, name: &str) -> &str {
        self.outputs[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.outputs))
    }

    /// The name of a table.
    pub fn table(&self, name: &str) -> &str {
        self.outputs["tables"][name].as_str().unwrap()
    }

    /// Sends notifications as a batching producer does, and gives the sequences they were accepted with.
    pub async fn send(&self, notifications: &[Notification]) -> Vec<Sequence> {
        let mut sequences = Vec::new();
        for batch in notifications.chunks(10) {
            let entries = batch.iter().enumerate().map(|(at, notification)| {
                SendMessageBatchRequestEntry::builder()
                    .id(at.to_string())
                    .message_group_id(notification.user_id.as_str())
                    .message_deduplication_id(notification.id.as_str())
                    .message_body(QueueEntry::Notification(notification.clone()).to_json())
                    .build()
                    .unwrap()
            });
            let request = self.sqs.send_message_batch().queue_url(self.output("queueUrl"));
            let sent = request.set_entries(Some(entries.collect())).send().await.unwrap();
            assert!(sent.failed.is_empty(), "{:?}", sent.failed);
            let of: BTreeMap<usize, Sequence> = sent
                .successful
                .iter()
                .map(|one| (one.id.parse().unwrap(), one.sequence_number().unwrap().parse().unwrap()))
                .collect();
            sequences.extend(of.into_values());
        }
        sequences
    }

    /// Posts a body to the producer API; gives the status.
    pub async fn post(&self, body: &str) -> u16 {
        post(self.output("producerUrl"), body).await.0
    }

    /// A connect token, from the issuer.
    pub async fn token(&self, user: &UserId) -> String {
        let answer = self.invoke("auth-token-issuer", &Self::token_request(user)).await;
        let answer = answer.expect("the issuer answers");
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        body["token"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
    }

    /// What the issuer gets when a user asks for a token.
    pub fn token_request(user: &UserId) -> Value {
        json!({ "requestContext": { "authorizer": { "claims": { "sub": user } } } })
    }

    /// What a function answers to an event.
    ///
    /// # Errors
    /// What it says when it fails.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value, String> {
        let mut command = Command::new(python());
        command
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("invoke.py"))
            .arg(format!("{}-{function}", self.prefix))
            .env("AWS_ENDPOINT_URL", self.output("endpoint"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let event = event.to_string();
        let invoked = tokio::task::spawn_blocking(move || {
            let mut process = command.spawn().unwrap();
            process.stdin.take().unwrap().write_all(event.as_bytes()).unwrap();
            process.wait_with_output().unwrap()
        });
        let invoked = invoked.await.unwrap();
        let answer = String::from_utf8(invoked.stdout).unwrap();
        if invoked.status.success() { Ok(serde_json::from_str(&answer).unwrap()) } else { Err(answer) }
    }

    /// The processes of a function that run now.
    pub fn processes(&self, function: &str) -> Processes {
        let name = format!("AWS_LAMBDA_FUNCTION_NAME={}-{function}", self.prefix);
        let processes = std::fs::read_dir("/proc").unwrap().flatten().filter(|process| {
            let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == name.as_bytes())
        });
        let ids: Vec<_> = processes.map(|process| process.file_name()).collect();
        assert!(!ids.is_empty(), "{function} does not run");
        Processes(ids)
    }

    /// Opens a connection with these query parameters.
    ///
    /// # Errors
    /// Whatever refuses it.
    pub async fn try_open(&self, query: &str) -> Result<Device, Error> {
        Device::open(&format!("{}?{query}", self.output("webSocketUrl"))).await
    }

    /// Opens a connection of a user with a fresh token.
    pub async fn open(&self, user: &UserId, options: &str) -> Device {
        let token = self.token(user).await;
        self.try_open(&format!("token={token}{options}")).await.expect("the user is let in")
    }
}

/// Processes of a function.
pub struct Processes(Vec<std::ffi::OsString>);

impl Processes {
    /// Ends them as a crash would.
    pub fn kill(&self) {
        let killed = Command::new("kill").arg("-KILL").args(&self.0).status();
        assert!(killed.is_ok_and(|status| status.success()), "the processes run");
    }
}
