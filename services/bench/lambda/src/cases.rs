//! The events that warm functions are measured with.
//!
//! A user's name decides which rows the endpoint has for the user: see [`crate::aws`].

use contract_deployment_v1::{DISPATCHER, REPLAYER};
use serde_json::{Value, json};

use crate::samples;
use crate::scenario::{Call, Scenario};

/// The answer of a function that has processed the whole batch.
const NONE_FAILED: (&str, &str) = ("", r#"{"batchItemFailures":[]}"#);
/// Bytes of the text in a payload. The whole payload has 256.
const TEXT_BYTES: usize = 246;

/// Returns a queue message with a notification.
fn message(at: usize, user: &str) -> Value {
    let body = json!({ "version": 1, "type": "notification", "id": format!("order-{at}"), "userId": user,
        "payload": { "text": "x".repeat(TEXT_BYTES) }, "sentAt": 1_767_225_600_000_u64, "whenOffline": "hold" });
    json!({
        "messageId": format!("059f36b4-87a3-44ab-83d2-6619758{at:05}"),
        "receiptHandle": format!("AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy{at:02}"),
        "body": body.to_string(),
        "attributes": {
            "ApproximateReceiveCount": "1", "SentTimestamp": "1767225600000",
            "SequenceNumber": (18_849_496_460_467_696_128_u128 + at as u128).to_string(), "MessageGroupId": user,
            "SenderId": "AIDAIENQZJOLO23YVJ4VO", "MessageDeduplicationId": format!("order-{at}"),
        },
        "messageAttributes": {}, "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3", "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:notifications.fifo", "awsRegion": "us-east-1",
    })
}

/// Returns a batch of `units` notifications for these users in turn.
fn dispatch(title: &'static str, units: u32, users: &[&str], calls: Vec<Call>) -> Scenario {
    let records: Vec<_> =
        users.iter().cycle().enumerate().take(units as usize).map(|(at, user)| message(at, user)).collect();
    let event = json!({ "Records": records }).to_string();
    Scenario { function: &DISPATCHER, title, units, event, calls, answer: NONE_FAILED }
}

/// Returns the dispatcher's calls for a connected user.
fn push_calls(user: &str, pushes: usize) -> Vec<Call> {
    let push = format!("execute-api PostToConnection {user}-1");
    let reads = ["dynamodb Query connections".to_owned(), "dynamodb Query mailbox".to_owned()];
    reads.into_iter().chain(std::iter::repeat_n(push, pushes)).collect()
}

/// Returns the stream record of a new connection whose user has `units` held notifications.
fn replay(title: &'static str, units: u32) -> Scenario {
    let user = format!("held-{units}");
    let event = json!({ "Records": [{
        "eventID": "c4ca4238a0b923820dcc509a6f758491", "eventName": "INSERT", "eventVersion": "1.1",
        "eventSource": "aws:dynamodb", "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_767_225_600.0,
            "Keys": { "userId": { "S": user }, "connectionId": { "S": "L0SM9cOFvHcCIhw=" } },
            "SequenceNumber": "4421584500000000017450439091", "SizeBytes": 38, "StreamViewType": "KEYS_ONLY",
        },
        "eventSourceARN":
            "arn:aws:dynamodb:us-east-1:123456789012:table/connections/stream/2026-01-01T00:00:00.000",
    }] })
    .to_string();
    let batches = std::iter::repeat_n("sqs SendMessageBatch 10".to_owned(), units as usize / 10);
    let calls = std::iter::once("dynamodb Query mailbox".to_owned()).chain(batches).collect();
    Scenario { function: &REPLAYER, title, units, event, calls, answer: NONE_FAILED }
}

/// Returns all cases.
pub(crate) fn cases() -> Vec<Scenario> {
    const TEN: [&str; 10] =
        ["app-0", "app-1", "app-2", "app-3", "app-4", "app-5", "app-6", "app-7", "app-8", "app-9"];
    let disconnected =
        ["dynamodb Query connections", "dynamodb BatchWriteItem mailbox", "dynamodb Query connections"];
    vec![
        dispatch("1 notification", 1, &["app-0"], push_calls("app-0", 1)),
        dispatch("10 of one user, in one frame", 10, &["app-0"], push_calls("app-0", 1)),
        dispatch("10 of one user, in a frame each", 10, &["alice"], push_calls("alice", 10)),
        dispatch("10 of ten users", 10, &TEN, TEN.iter().flat_map(|user| push_calls(user, 1)).collect()),
        dispatch("10 of a disconnected user", 10, &["away"], disconnected.map(str::to_owned).to_vec()),
        replay("10 held", 10),
        replay("100 held", 100),
        Scenario { title: "connect", ..samples::connect() },
        Scenario { title: "handshake by token", ..samples::authorize() },
        Scenario { title: "issue a token", ..samples::issue() },
    ]
}
