//! A deployment of the functions on the endpoint, and its producers.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use aws_sdk_sqs::types::{QueueAttributeName, SendMessageBatchRequestEntry};
use contract_notifications_v1::{Notification, QueueEntry, Sequence, UserId, home_queue};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio_tungstenite::tungstenite::Error;
use verification_test_kit::{endpoint, sdk_config_on};

use crate::device::Device;
use crate::http::post;

/// Arguments of a deployment that trusts client ids.
pub const OPEN: [&str; 2] = ["--config", r#"tidings:handshakeMethods=["open"]"#];

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../..");
const BUILD: &str = "cargo build -p auth-token-lambda -p ws-edge-lambda -p dispatcher-lambda \
                     -p replayer-lambda -p tidings";

/// A stack of the Pulumi program.
pub struct Deployment {
    pub(crate) endpoint: String,
    stack: String,
    outputs: Value,
    sqs: aws_sdk_sqs::Client,
}

/// The folder of this build's binaries, two above the test binary.
fn binaries() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.ancestors().nth(2).unwrap().to_owned()
}

/// Returns the path of a binary of this build.
///
/// # Panics
/// The binary is not built. The message has the command that builds it.
pub fn binary(name: &str) -> PathBuf {
    let binary = binaries().join(name);
    assert!(binary.exists(), "{} is not built: {BUILD}", binary.display());
    binary
}

/// Packs the binaries without their debug information, which is most of their size. Done once for all
/// deployments.
fn archives() -> &'static Path {
    static ARCHIVES: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = binaries().join("acceptance-archives");
        std::fs::create_dir_all(&folder).unwrap();
        for function in contract_deployment_v1::FUNCTIONS {
            let stripped = folder.join(function.name);
            let done = Command::new("strip").arg("-o").args([&stripped, &binary(function.name)]).status();
            assert!(done.is_ok_and(|status| status.success()), "strip fails: install binutils");
        }
        let mut pack = Command::new(format!("{ROOT}/scripts/build-lambdas"));
        let packed = pack.arg("--pack").args([&folder, &folder]).output().unwrap();
        assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
        folder
    });
    &ARCHIVES
}

/// Applies the Pulumi program to an endpoint and returns the stack's name and outputs.
async fn apply(endpoint: &str, arguments: &[&str], settings: &[&str]) -> (String, Value) {
    let stack = format!("e2e-{}", &uuid::Uuid::new_v4().simple().to_string()[..10]);
    let mut command = Command::new(format!("{ROOT}/scripts/local-aws"));
    command.args(["apply", "--stack", &stack]).args(arguments).env("AWS_ENDPOINT_URL", endpoint);
    if !settings.is_empty() {
        command.arg("--config").arg(format!("tidings:settings={}", json!(settings)));
    }
    let applied = tokio::task::spawn_blocking(move || {
        command.arg("--archives").arg(archives()).stdin(Stdio::null()).output().unwrap()
    });
    let applied = applied.await.unwrap();
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    (stack, serde_json::from_slice(&applied.stdout).unwrap())
}

impl Deployment {
    /// Deploys the stack `dev` as it is configured, once for all tests of the process. Each test should have
    /// users of its own.
    pub async fn shared() -> Self {
        static SHARED: OnceCell<(String, Value)> = OnceCell::const_new();
        let (stack, outputs) = SHARED.get_or_init(|| async { apply(&endpoint(), &[], &[]).await }).await;
        Self::of(&endpoint(), stack.clone(), outputs.clone()).await
    }

    /// Deploys a stack with two queues that trusts client ids and lets users send to each other, once for all tests of
    /// the process.
    pub async fn shared_with_two_queues() -> Self {
        static SHARED: OnceCell<(String, Value)> = OnceCell::const_new();
        let arguments =
            ["--config", "tidings:queues=2", "--config", r#"tidings:handshakeMethods=["open","token"]"#];
        let settings = ["TIDINGS_SEND_POLICY=anyone"];
        let (stack, outputs) =
            SHARED.get_or_init(|| async { apply(&endpoint(), &arguments, &settings).await }).await;
        Self::of(&endpoint(), stack.clone(), outputs.clone()).await
    }

    /// Deploys to an endpoint with more arguments of `scripts/local-aws apply`, and with environment
    /// variables of the functions (`NAME=value`).
    pub async fn with(endpoint: &str, arguments: &[&str], settings: &[&str]) -> Self {
        let (stack, outputs) = apply(endpoint, arguments, settings).await;
        Self::of(endpoint, stack, outputs).await
    }

    /// Makes the clients of one test, because clients don't outlive the test's runtime.
    async fn of(endpoint: &str, stack: String, outputs: Value) -> Self {
        let sqs = aws_sdk_sqs::Client::new(&sdk_config_on(endpoint).await);
        Self { endpoint: endpoint.to_owned(), stack, outputs, sqs }
    }

    /// Returns an output that is a text.
    pub fn output(&self, name: &str) -> &str {
        self.outputs[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.outputs))
    }

    /// All outputs in the form of `pulumi stack output --json`.
    pub const fn outputs(&self) -> &Value {
        &self.outputs
    }

    /// Returns the name of a table.
    pub fn table(&self, name: &str) -> &str {
        self.outputs["tables"][name].as_str().unwrap()
    }

    /// A function's name on the endpoint.
    fn function(&self, name: &str) -> String {
        format!("tidings-{}-{name}", self.stack)
    }

    /// Sets the time after which the batch of a crashed function is delivered again.
    pub async fn set_visibility(&self, seconds: u32) {
        let request = self.sqs.set_queue_attributes().queue_url(self.output("queueUrl"));
        let request = request.attributes(QueueAttributeName::VisibilityTimeout, seconds.to_string());
        request.send().await.unwrap();
    }

    /// Returns the URLs of the notifications queues in order.
    pub fn queue_urls(&self) -> Vec<&str> {
        let several = self.outputs["queueUrls"].as_array();
        several.map_or_else(
            || vec![self.output("queueUrl")],
            |urls| urls.iter().map(|url| url.as_str().unwrap()).collect(),
        )
    }

    /// Sends notifications of one user to the user's queue in batches, and returns their sequences.
    pub async fn send(&self, notifications: &[Notification]) -> Vec<Sequence> {
        let user = &notifications[0].user_id;
        assert!(notifications.iter().all(|notification| notification.user_id == *user));
        let urls = self.queue_urls();
        let url = urls[home_queue(user.as_str(), NonZeroUsize::new(urls.len()).unwrap())];
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
            let request = self.sqs.send_message_batch().queue_url(url);
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

    /// Posts a body to the producer API and returns the status.
    pub async fn post(&self, body: &str) -> u16 {
        self.post_to(self.output("producerUrl"), body).await
    }

    /// Posts a body to a URL of the producer API and returns the status.
    pub async fn post_to(&self, url: &str, body: &str) -> u16 {
        let headers = [("content-type", "application/json")];
        let answer = post(url, "execute-api", &headers, body.to_owned()).await;
        answer.status().as_u16()
    }

    /// Gets a connect token from the issuer.
    pub async fn token(&self, user: &UserId) -> String {
        let answer = self.invoke("auth-token-issuer", &Self::token_request(user)).await;
        let answer = answer.expect("the issuer answers");
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        body["token"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
    }

    /// The event that the issuer gets when a user asks for a token.
    pub fn token_request(user: &UserId) -> Value {
        json!({ "requestContext": { "authorizer": { "claims": { "sub": user } } } })
    }

    /// Invokes a function with an event and returns its answer
    /// (<https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>).
    ///
    /// # Errors
    /// The answer of a function that failed.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value, String> {
        let url = format!("{}/2015-03-31/functions/{}/invocations", self.endpoint, self.function(function));
        let answer = post(&url, "lambda", &[], event.to_string()).await;
        let failed = answer.headers().contains_key("x-amz-function-error") || !answer.status().is_success();
        let text = answer.text().await.unwrap();
        if failed { Err(text) } else { Ok(serde_json::from_str(&text).unwrap()) }
    }

    /// Finds the running processes of a function.
    pub fn processes(&self, function: &str) -> Processes {
        let name = format!("AWS_LAMBDA_FUNCTION_NAME={}", self.function(function));
        let processes = std::fs::read_dir("/proc").unwrap().flatten().filter(|process| {
            let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == name.as_bytes())
        });
        let ids: Vec<_> = processes.map(|process| process.file_name()).collect();
        assert!(!ids.is_empty(), "{function} is not running");
        Processes(ids)
    }

    /// Opens a connection with these query parameters.
    ///
    /// # Errors
    /// The handshake fails or is refused.
    pub async fn try_open(&self, query: &str) -> Result<Device, Error> {
        Device::open(&format!("{}?{query}", self.output("webSocketUrl"))).await
    }

    /// Opens a connection of a user with a new token. `options` are more query parameters, such as
    /// `&format=batch`.
    pub async fn open(&self, user: &UserId, options: &str) -> Device {
        let token = self.token(user).await;
        self.try_open(&format!("token={token}{options}")).await.expect("the user connects")
    }
}

/// Processes of a function.
pub struct Processes(Vec<std::ffi::OsString>);

impl Processes {
    /// Kills the processes (SIGKILL), like a crash.
    pub fn kill(&self) {
        let killed = Command::new("kill").arg("-KILL").args(&self.0).status();
        assert!(killed.is_ok_and(|status| status.success()), "the processes can be killed");
    }
}
