//! Responses, metrics and logs of the function's binary, invoked as Lambda does.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use shared_ports::{Clock as _, SystemClock};
use shared_telemetry::user_hash;
use verification_conformance::fixture::{ConnectionRows as _, HistoryRows as _};
use verification_conformance::{connection_row, user};
use verification_test_kit::{
    ConnectionsTable, FakeEndpoint, HistoryTable, MailboxTable, TestQueue, TestResources, endpoint,
};

const INVOKE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../scripts/invoke");
const BATCH: &str = include_str!("../events/sqs-batch.json");
/// Text in the payloads of the events.
const PAYLOAD: &str = "shipped";

struct Setup {
    world: TestResources,
    connections: ConnectionsTable,
    mailbox: MailboxTable,
    queue: TestQueue,
}

impl Setup {
    async fn new() -> Self {
        let world = TestResources::new().await;
        let connections = ConnectionsTable::new(&world).await;
        let mailbox = MailboxTable::new(&world).await;
        let queue = world.queue().await;
        Self { world, connections, mailbox, queue }
    }

    /// Invokes the function's binary with `event`, with the log level `trace`.
    async fn invoke(&self, event: &Value, management_endpoint: &str) -> Output {
        self.invoke_with(event, management_endpoint, &[]).await
    }

    async fn invoke_with(
        &self,
        event: &Value,
        management_endpoint: &str,
        environment: &[(&str, &str)],
    ) -> Output {
        let file = std::env::temp_dir().join(format!("{}.json", self.world.prefix));
        std::fs::write(&file, event.to_string()).unwrap();
        let mut command = Command::new(INVOKE);
        command
            .args(["--timeout", "60", "--binary", env!("CARGO_BIN_EXE_dispatcher"), "dispatcher"])
            .arg(&file)
            .env("AWS_ENDPOINT_URL", endpoint())
            .env("TIDINGS_LOG", "trace")
            .env("TIDINGS_CONNECTIONS_TABLE", self.connections.name())
            .env("TIDINGS_MAILBOX_TABLE", self.mailbox.name())
            // No batch in these tests is for a hub.
            .env("TIDINGS_HUBS_TABLE", "hubs")
            .env("TIDINGS_NOTIFICATIONS_QUEUE", &self.queue.url)
            .env("TIDINGS_DEAD_LETTER_QUEUE", &self.queue.dead_letter_url)
            .env("TIDINGS_MANAGEMENT_ENDPOINT", management_endpoint)
            .envs(environment.iter().copied())
            .stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        std::fs::remove_file(file).unwrap();
        output
    }
}

/// Returns the sample batch with a third entry that can never succeed.
fn batch() -> Value {
    let mut batch: Value = serde_json::from_str(BATCH).unwrap();
    let mut poison = batch["Records"][0].clone();
    poison["messageId"] = json!("poison");
    poison["body"] = json!(format!("{PAYLOAD}, but no JSON"));
    batch["Records"].as_array_mut().unwrap().push(poison);
    batch
}

/// Parses the function's output into metric documents and log lines.
fn parse_output(output: &Output) -> (Vec<Value>, Vec<Value>) {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")));
    lines.partition(|line: &Value| line.get("_aws").is_some())
}

/// Asserts that a document is valid in the embedded metric format, and returns the units of its metrics
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
fn units(document: &Value) -> Vec<(&str, &str)> {
    assert!(document["_aws"]["Timestamp"].is_u64(), "{document}");
    let [directive] = &document["_aws"]["CloudWatchMetrics"].as_array().unwrap()[..] else {
        panic!("one directive: {document}")
    };
    assert_eq!(directive["Namespace"], "Tidings");
    for dimension in directive["Dimensions"][0].as_array().unwrap() {
        assert!(document[dimension.as_str().unwrap()].is_string(), "{dimension} of {document}");
    }
    assert_eq!(document["service"], "dispatcher");
    let metrics = directive["Metrics"].as_array().unwrap();
    let unit = |metric: &'_ Value| {
        let name = metric["Name"].as_str().unwrap();
        let value = &document[name];
        let numbers =
            value.as_array().is_some_and(|all| all.len() <= 100 && all.iter().all(Value::is_number));
        assert!(value.is_number() || numbers, "{name} of {document}");
    };
    metrics.iter().for_each(unit);
    metrics.iter().map(|m| (m["Name"].as_str().unwrap(), m["Unit"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn logs_and_metrics_hide_payloads_and_users() {
    let setup = Setup::new().await;
    let opened = SystemClock.now();
    setup.connections.insert(&connection_row(&user("alice"), "c", opened)).await;
    let gateway = FakeEndpoint::new(&[200]).await;
    let output = setup.invoke(&batch(), &gateway.url).await;
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{log}");
    assert_eq!(String::from_utf8(output.stdout.clone()).unwrap().trim(), r#"{"batchItemFailures":[]}"#);
    let pushed = gateway.requests();
    assert!(pushed[0].body.contains(PAYLOAD), "{pushed:?}");
    assert!(pushed[0].trace.as_deref().unwrap().starts_with("Root=1-695585c0"), "{pushed:?}");

    let (documents, lines) = parse_output(&output);
    let plain = documents.iter().find(|document| document["tidings_delivered_total"] == 1).unwrap();
    let mut units_of = units(plain);
    units_of.sort_unstable();
    assert_eq!(units_of, [("tidings_delivered_total", "Count"), ("tidings_push_latency_seconds", "Seconds")]);
    assert_eq!(plain["tidings_push_latency_seconds"].as_array().unwrap().len(), 1);
    let dead = documents.iter().find(|document| document["tidings_dead_letters_total"] == 1).unwrap();
    assert_eq!(units(dead), [("tidings_dead_letters_total", "Count")]);
    assert_eq!(dead["reason"], "invalid");

    let alice = user_hash(&user("alice")).to_string();
    let run = lines.iter().find(|line| line["message"] == "run dispatched" && line["user"] == alice).unwrap();
    assert_eq!(run["sequence"], "000000000000000000018849496460467696128");
    let request = run["span"]["requestId"].as_str().unwrap();
    assert_eq!(plain["requestId"], request);
    assert_eq!(uuid::Uuid::parse_str(request).unwrap().to_string(), request);
    for secret in [PAYLOAD, "alice"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    assert_eq!(setup.queue.drain_dead_letters().await.len(), 1);
}

#[tokio::test]
async fn endpoint_of_one_service_comes_first() {
    let setup = Setup::new().await;
    let queues = FakeEndpoint::new(&[200]).await;
    let environment = [("AWS_ENDPOINT_URL_SQS", queues.url.as_str())];
    setup.invoke_with(&batch(), "http://127.0.0.1:1", &environment).await;
    let sent: Vec<_> = queues.requests().into_iter().map(|request| request.body).collect();
    assert!(sent.iter().any(|body| body.contains("but no JSON")), "{sent:?}");
    assert!(setup.queue.drain_dead_letters().await.is_empty());
    assert_eq!(setup.mailbox.stored(&user("alice")).await.len(), 1);
}

#[tokio::test]
async fn closed_connection_is_deleted_and_message_held() {
    let setup = Setup::new().await;
    let long_ago = SystemClock.now().millis() - 60_000;
    let row =
        connection_row(&user("alice"), "c", contract_notifications_v1::Timestamp::from_millis(long_ago));
    setup.connections.insert(&row).await;
    let gateway = FakeEndpoint::new(&[410]).await;
    let output = setup.invoke(&batch(), &gateway.url).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (documents, _) = parse_output(&output);
    let counted = |name: &str| documents.iter().filter_map(|document| document[name].as_u64()).sum::<u64>();
    assert_eq!((counted("tidings_gone_total"), counted("tidings_delivered_total")), (1, 0));
    assert_eq!(setup.mailbox.stored(&user("alice")).await.len(), 1);
    assert!(setup.connections.rows(&user("alice")).await.is_empty());
}

#[test]
fn all_missing_variables_are_reported_at_start() {
    let mut command = Command::new(INVOKE);
    command
        .args(["--binary", env!("CARGO_BIN_EXE_dispatcher"), "dispatcher"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/events/sqs-batch.json"))
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(69));
    let text = String::from_utf8(output.stderr).unwrap();
    for variable in ["TIDINGS_CONNECTIONS_TABLE", "TIDINGS_MANAGEMENT_ENDPOINT", "TIDINGS_DEAD_LETTER_QUEUE"]
    {
        assert!(text.contains(variable), "{text}");
    }
}

#[tokio::test]
async fn history_is_recorded_if_configured() {
    let setup = Setup::new().await;
    let history = HistoryTable::new(&setup.world).await;
    let gateway = FakeEndpoint::new(&[]).await;
    let environment = [("TIDINGS_HISTORY_TABLE", history.name()), ("TIDINGS_HISTORY_PAYLOADS", "true")];
    let output = setup.invoke_with(&batch(), &gateway.url, &environment).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let recorded = history.recorded(&user("alice")).await;
    let [row] = &recorded[..] else { panic!("{recorded:?}") };
    assert_eq!(row.outcome, contract_history_v1::HistoryOutcome::Held);
    assert!(row.payload.as_ref().unwrap().contains(PAYLOAD));
    assert!(!String::from_utf8(output.stderr).unwrap().contains(PAYLOAD));
}

#[tokio::test]
async fn failing_history_is_counted_and_harmless() {
    let setup = Setup::new().await;
    let gateway = FakeEndpoint::new(&[]).await;
    let environment = [("TIDINGS_HISTORY_TABLE", "there-is-no-such-table")];
    let output = setup.invoke_with(&batch(), &gateway.url, &environment).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(setup.mailbox.stored(&user("alice")).await.len(), 1);
    let (documents, lines) = parse_output(&output);
    let counted = |name: &str| documents.iter().filter_map(|document| document[name].as_u64()).sum::<u64>();
    let lost = counted("tidings_history_failed_total");
    assert!(lost > 0 && lost == counted("tidings_held_total"), "{lost} of {}", counted("tidings_held_total"));
    assert!(lines.iter().any(|line| line["message"] == "the history lacks entries"));
}
