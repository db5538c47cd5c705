//! `tidings --stack FILE dlq` against a queue service with scripted answers.

use std::collections::VecDeque;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::process::Command;
use verification_conformance::UnusedPort;

/// A call: its action, and its parameters.
type Call = (String, Value);

/// A queue service that gives out letters once, and answers other calls as `answer` says, else with success.
struct Queues {
    url: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

fn message(id: &str, group: &str) -> Value {
    json!({
        "MessageId": id, "ReceiptHandle": format!("receipt-{id}"),
        "Body": json!({ "userId": group, "payload": id }).to_string(),
        "Attributes": { "MessageGroupId": group, "MessageDeduplicationId": format!("first-{id}"), "SentTimestamp": "1000" },
    })
}

impl Queues {
    async fn new(answer: impl Fn(&Call, usize) -> Option<(u16, Value)> + Send + Sync + 'static) -> Self {
        let calls = Arc::new(Mutex::new(Vec::<Call>::new()));
        let letters = VecDeque::from([json!([message("1", "jo"), message("2", "jo"), message("3", "ann")])]);
        let (log, letters, answer) = (calls.clone(), Arc::new(Mutex::new(letters)), Arc::new(answer));
        let respond = move |headers: &HeaderMap, body: &str| {
            let authorization = headers["authorization"].to_str().unwrap();
            assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{authorization}");
            assert!(
                authorization
                    .contains("/eu-central-1/sqs/aws4_request, SignedHeaders=content-type;host;x-amz-date;")
            );
            let action = headers["x-amz-target"].to_str().unwrap().replace("AmazonSQS.", "");
            let call = (action, serde_json::from_str(body).unwrap());
            let before = log.lock().unwrap().iter().filter(|(action, _)| *action == call.0).count();
            log.lock().unwrap().push(call.clone());
            let (status, value) = answer(&call, before).unwrap_or_else(|| {
                let value = match call.0.as_str() {
                    "GetQueueAttributes" => json!({ "Attributes": {
                        "RedrivePolicy": r#"{"maxReceiveCount":"300"}"#, "ApproximateNumberOfMessages": "3",
                    } }),
                    "ReceiveMessage" => json!({ "Messages": letters.lock().unwrap().pop_front() }),
                    _ => json!({ "Successful": [], "Failed": [] }),
                };
                (200, value)
            });
            (StatusCode::from_u16(status).unwrap(), value.to_string())
        };
        let respond = Arc::new(respond);
        let router = Router::new().route(
            "/",
            post(move |headers: HeaderMap, body: String| {
                let answer = respond(&headers, &body);
                async move { answer }
            }),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, calls }
    }

    /// The calls of an action, by the values of a parameter of their entries.
    fn entries(&self, action: &str, parameter: &str) -> Vec<Vec<String>> {
        let of = |call: &Call| {
            let entries = call.1["Entries"].as_array().unwrap();
            entries.iter().map(|entry| entry[parameter].as_str().unwrap().to_owned()).collect()
        };
        self.calls.lock().unwrap().iter().filter(|call| call.0 == action).map(of).collect()
    }

    fn actions(&self) -> Vec<String> {
        self.calls.lock().unwrap().iter().map(|(action, _)| action.clone()).collect()
    }
}

/// Runs the program with the outputs of a stack, and with this environment alone.
async fn run(url: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let outputs = json!({
        "region": "eu-central-1",
        "queueUrl": format!("{url}/1/notifications.fifo"),
        "deadLetterUrl": format!("{url}/1/dead-letters.fifo"),
    });
    run_with(&outputs, arguments, environment).await
}

async fn run_with(outputs: &Value, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("outputs.json");
    std::fs::write(&file, outputs.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    command.arg("--stack").arg(&file).args(arguments).env_clear().envs(environment.iter().copied());
    command.stdin(Stdio::null()).output().await.unwrap()
}

const CREDENTIALS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "secret")];

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn letter_is_deleted_after_it_was_sent() {
    let queues = Queues::new(|_, _| None).await;
    let ran = run(&queues.url, &["dlq", "redrive", "--all"], &CREDENTIALS).await;
    assert_eq!(
        (ran.status.code(), text(&ran.stdout).as_str()),
        (Some(0), "redriven  3\n"),
        "{}",
        text(&ran.stderr)
    );
    // Two of one user take two batches.
    assert_eq!(queues.entries("SendMessageBatch", "MessageDeduplicationId"), [vec!["1", "3"], vec!["2"]]);
    assert_eq!(
        queues.entries("DeleteMessageBatch", "ReceiptHandle"),
        [vec!["receipt-1", "receipt-3"], vec!["receipt-2"]]
    );
    let sent: Value = serde_json::from_str(&queues.entries("SendMessageBatch", "MessageBody")[0][0]).unwrap();
    assert_eq!(sent, json!({ "id": "first-1", "payload": "1", "sentAt": 1000, "userId": "jo" }));
    let order: Vec<_> =
        queues.actions().into_iter().filter(|action| action.ends_with("MessageBatch")).collect();
    assert_eq!(order, ["SendMessageBatch", "DeleteMessageBatch", "SendMessageBatch", "DeleteMessageBatch"]);
}

/// Of two queues, `jo` belongs to the second, and `bob` to the first.
#[tokio::test]
async fn letters_of_all_queues_are_redriven_to_the_queue_of_their_user() {
    let queues = Queues::new(|(action, parameters), before| {
        let letters = parameters["QueueUrl"].as_str()?.ends_with("dead-letters-1.fifo");
        match (action.as_str(), letters, before) {
            // The first dead-letter queue has one of each, the second has the rest.
            ("ReceiveMessage", false, 0) => {
                Some((200, json!({ "Messages": [message("1", "jo"), message("3", "bob")] })))
            }
            ("ReceiveMessage", true, 2) => Some((200, json!({ "Messages": [message("2", "jo")] }))),
            ("ReceiveMessage", ..) => Some((200, json!({}))),
            _ => None,
        }
    })
    .await;
    let url = &queues.url;
    let outputs = json!({
        "region": "eu-central-1",
        "queueUrl": format!("{url}/1/notifications.fifo"),
        "deadLetterUrl": format!("{url}/1/dead-letters.fifo"),
        "queueUrls": [format!("{url}/1/notifications.fifo"), format!("{url}/1/notifications-1.fifo")],
        "deadLetterUrls": [format!("{url}/1/dead-letters.fifo"), format!("{url}/1/dead-letters-1.fifo")],
    });
    let ran = run_with(&outputs, &["dlq", "redrive", "--all"], &CREDENTIALS).await;
    assert_eq!(text(&ran.stdout), "redriven  3\n", "{}", text(&ran.stderr));
    let calls = queues.calls.lock().unwrap().clone();
    let of = |action: &str, parameter: &str| {
        let own = calls.iter().filter(|call| call.0 == action);
        own.map(|(_, parameters)| {
            let queue = parameters["QueueUrl"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            let entries = parameters["Entries"].as_array().unwrap().iter();
            (queue, entries.map(|entry| entry[parameter].as_str().unwrap().to_owned()).collect::<Vec<_>>())
        })
        .collect::<Vec<_>>()
    };
    let expected = |expected: &[(&str, &[&str])]| {
        let owned = |(queue, ids): &(&str, &[&str])| {
            ((*queue).to_owned(), ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>())
        };
        expected.iter().map(owned).collect::<Vec<_>>()
    };
    assert_eq!(
        of("SendMessageBatch", "MessageDeduplicationId"),
        expected(&[
            ("notifications.fifo", &["3"]),
            ("notifications-1.fifo", &["1"]),
            ("notifications-1.fifo", &["2"])
        ])
    );
    assert_eq!(
        of("DeleteMessageBatch", "ReceiptHandle"),
        expected(&[
            ("dead-letters.fifo", &["receipt-1", "receipt-3"]),
            ("dead-letters-1.fifo", &["receipt-2"])
        ])
    );
}

#[tokio::test]
async fn outputs_with_a_queue_without_dead_letters_are_refused() {
    let queues = Queues::new(|_, _| None).await;
    let outputs = json!({
        "region": "eu-central-1", "queueUrl": queues.url, "deadLetterUrl": queues.url,
        "queueUrls": ["a", "b"], "deadLetterUrls": ["a"],
    });
    let ran = run_with(&outputs, &["dlq", "list"], &CREDENTIALS).await;
    assert!(text(&ran.stderr).contains("2 queueUrls and 1 deadLetterUrls"), "{}", text(&ran.stderr));
    assert_ne!(ran.status.code(), Some(0));
}

#[tokio::test]
async fn refused_letter_stays_and_others_are_redriven() {
    let queues = Queues::new(|(action, parameters), before| {
        let failed =
            |id: &Value, code: &str| json!({ "Failed": [{ "Id": id, "Code": code, "SenderFault": true }] });
        let id = &parameters["Entries"][0]["Id"];
        match (action.as_str(), before) {
            ("ReceiveMessage", 0) => Some((400, json!({ "__type": "com.amazonaws.sqs#RequestThrottled" }))),
            ("SendMessageBatch", 0) => Some((200, failed(id, "InternalError"))),
            ("SendMessageBatch", 1) => Some((200, failed(id, "InvalidMessageContents"))),
            _ => None,
        }
    })
    .await;
    let ran = run(&queues.url, &["dlq", "redrive", "--all"], &CREDENTIALS).await;
    assert_eq!(ran.status.code(), Some(1));
    assert_eq!(
        text(&ran.stdout),
        "refused  1  InvalidMessageContents\nredriven  2\n",
        "{}",
        text(&ran.stderr)
    );
    let sent = queues.entries("SendMessageBatch", "MessageDeduplicationId");
    assert_eq!(sent, [vec!["1", "3"], vec!["1"], vec!["2"]]);
    assert_eq!(queues.entries("DeleteMessageBatch", "ReceiptHandle"), [vec!["receipt-3"], vec!["receipt-2"]]);
    // Set aside, and given back at the end.
    let released = queues.entries("ChangeMessageVisibilityBatch", "ReceiptHandle");
    assert_eq!(released, [vec!["receipt-1"], vec!["receipt-1"]]);
}

#[tokio::test]
async fn letters_that_are_not_chosen_are_given_back() {
    let queues = Queues::new(|_, _| None).await;
    let ran = run(&queues.url, &["dlq", "purge", "--user", "ann", "--yes", "--json"], &CREDENTIALS).await;
    let result: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(result, json!({ "all": false, "result": "purged", "count": 1 }), "{}", text(&ran.stderr));
    assert_eq!(queues.entries("DeleteMessageBatch", "ReceiptHandle"), [vec!["receipt-3"]]);
    let released = queues.entries("ChangeMessageVisibilityBatch", "ReceiptHandle");
    assert_eq!(released, [vec!["receipt-1", "receipt-2"], vec!["receipt-1", "receipt-2"]]);
    let calls = queues.calls.lock().unwrap();
    let last = &calls.last().unwrap().1["Entries"][0];
    assert_eq!(last["VisibilityTimeout"], 0);
    assert!(!calls.iter().any(|(action, _)| action == "SendMessageBatch"));
}

#[tokio::test]
async fn missing_permission_ends_the_redrive() {
    let denied = json!({ "__type": "com.amazon.coral.service#AccessDeniedException", "Message": "no" });
    let queues =
        Queues::new(move |(action, _), _| (action == "SendMessageBatch").then(|| (400, denied.clone())))
            .await;
    let ran = run(&queues.url, &["dlq", "redrive", "--all"], &CREDENTIALS).await;
    assert_eq!((ran.status.code(), text(&ran.stdout).as_str()), (Some(77), "redriven  0\n"));
    assert!(text(&ran.stderr).contains("not authorised to sqs:SendMessage"), "{}", text(&ran.stderr));
    assert!(queues.entries("DeleteMessageBatch", "ReceiptHandle").is_empty());
}

#[tokio::test]
async fn credentials_and_endpoint_are_required() {
    let queues = Queues::new(|_, _| None).await;
    let ran = run(&queues.url, &["dlq", "list"], &[("PATH", "/nowhere")]).await;
    assert_eq!(ran.status.code(), Some(77));
    assert!(text(&ran.stderr).contains("AWS_ACCESS_KEY_ID"), "{}", text(&ran.stderr));
    assert!(queues.actions().is_empty());
    let unused = UnusedPort::new();
    let ran = run(&unused.url(), &["dlq", "list"], &CREDENTIALS).await;
    assert_eq!(ran.status.code(), Some(69), "{}", text(&ran.stderr));
    // The endpoint of the service comes before the queue's own, and before that of all services.
    let elsewhere = [("AWS_ENDPOINT_URL", unused.url()), ("AWS_ENDPOINT_URL_SQS", queues.url.clone())];
    let environment: Vec<_> =
        CREDENTIALS.into_iter().chain(elsewhere.iter().map(|(name, url)| (*name, url.as_str()))).collect();
    let ran = run(&unused.url(), &["--json", "dlq", "list"], &environment).await;
    assert_eq!((ran.status.code(), text(&ran.stdout).lines().count()), (Some(0), 3), "{}", text(&ran.stderr));
    let ran = run("nonsense", &["dlq", "list"], &CREDENTIALS).await;
    assert!(text(&ran.stderr).contains("is not the address of a queue"), "{}", text(&ran.stderr));
}
