//! The promises of delivery, from producers to WebSocket clients.

use std::process::Stdio;

use contract_deployment_v1::DEAD_LETTER_REASON;
use contract_notifications_v1::Timestamp;
use serde_json::{Value, json};
use shared_ports::{Clock as _, SystemClock};
use verification_acceptance_aws::{Deployment, OPEN, binary};
use verification_conformance::fixture::{ConnectionRows as _, MailboxRows as _};
use verification_conformance::{connection_row, user};
use verification_test_kit::{ConnectionsTable, MailboxTable, TestQueue, endpoint, sdk_config};

use crate::support::{check_reconnecting_users, numbered, take, unique_user};

#[tokio::test]
async fn held_notifications_arrive_before_new_ones() {
    let deployment = Deployment::shared().await;
    let alice = unique_user("alice");
    let held = deployment.send(&numbered(&alice, 0..40)).await;
    let mut first = deployment.open(&alice, "").await;
    take(&mut first, &held).await;
    let online = deployment.send(&numbered(&alice, 40..45)).await;
    take(&mut first, &online).await;
    // A second device that acknowledges and gets batches.
    let mut second = deployment.open(&alice, "&acknowledge=true&format=batch").await;
    let both = deployment.send(&numbered(&alice, 45..50)).await;
    take(&mut first, &both).await;
    take(&mut second, &both).await;
    second.send(&json!({ "action": "ack", "sequences": both })).await;
    let mailbox = MailboxTable::existing(&sdk_config().await, deployment.table("mailbox"));
    while !mailbox.held(&alice).await.is_empty() {
        tokio::task::yield_now().await;
    }
    // An unknown action is answered with an error.
    first.send(&json!({ "action": "dance" })).await;
    let answer: Value = serde_json::from_str(&first.frame().await).unwrap();
    assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("unknown-action")));
}

#[tokio::test]
async fn bad_bodies_are_refused_and_retries_delivered_once() {
    let deployment = Deployment::shared().await;
    let alice = unique_user("alice");
    let mut device = deployment.open(&alice, "").await;
    let payload = r#"{"state":"shipped & \"packed\" é"}"#;
    let once = format!(r#"{{"userId":"{alice}","id":"order-1042","payload":{payload}}}"#);
    assert_eq!(deployment.post(&once).await, 202);
    assert_eq!(deployment.post(&once).await, 202);
    assert_eq!(deployment.post(r#"{"payload":1}"#).await, 400);
    assert_eq!(deployment.post("nonsense").await, 400);
    // A misspelt field, and a time in seconds.
    let with = |field: &str| format!(r#"{{"userId":"{alice}","payload":1,{field}}}"#);
    assert_eq!(deployment.post(&with(r#""expiresat":4102444800000"#)).await, 400);
    assert_eq!(deployment.post(&with(r#""expiresAt":4102444800"#)).await, 400);
    let last = deployment.send(&numbered(&alice, 0..1)).await;
    let arrived = device.next().await;
    assert_eq!((arrived.id.as_str(), arrived.replayed), ("order-1042", false));
    assert_eq!(arrived.payload.get(), payload);
    take(&mut device, &last).await;
}

/// A user logs in to the user pool, and listens with the command line and the pool's token.
#[tokio::test]
async fn only_user_pool_members_get_tokens() {
    let deployment = Deployment::shared().await;
    let login = deployment.log_in(unique_user("alice").as_str()).await;
    let alice = user(&login.user);
    assert_eq!(deployment.ask_token(None).await.0, 401);
    let mut forged = login.jwt.clone();
    forged.truncate(login.jwt.len() - 8);
    assert_eq!(deployment.ask_token(Some(&forged)).await.0, 401);
    let (status, answer) = deployment.ask_token(Some(&login.jwt)).await;
    assert!(status == 200 && answer["token"].is_string(), "{answer}");

    let folder = tempfile::tempdir().unwrap();
    let outputs = folder.path().join("outputs.json");
    std::fs::write(&outputs, deployment.outputs().to_string()).unwrap();
    let mut listen = tokio::process::Command::new(binary("tidings"));
    listen.arg("--stack").arg(&outputs).args(["listen", "--count", "1"]).env("TIDINGS_JWT", &login.jwt);
    let listen = listen.kill_on_drop(true).stdout(Stdio::piped()).spawn().unwrap();
    let body = json!({ "userId": alice, "id": "over-http", "payload": { "hello": "alice" } });
    assert_eq!(deployment.post(&body.to_string()).await, 202);
    let listened = listen.wait_with_output().await.unwrap();
    let printed = String::from_utf8(listened.stdout).unwrap();
    assert!(listened.status.success() && printed.contains(r#"{"hello":"alice"}"#), "{printed}");
}

#[tokio::test]
async fn gone_connection_is_removed_without_loss() {
    let deployment = Deployment::shared().await;
    let alice = unique_user("alice");
    let sdk = sdk_config().await;
    let connections = ConnectionsTable::existing(&sdk, deployment.table("connections"));
    let long_ago = Timestamp::from_millis(SystemClock.now().millis() - 60_000);
    connections.insert(&connection_row(&alice, "gone=", long_ago)).await;
    let sequences = deployment.send(&numbered(&alice, 0..3)).await;
    while !connections.rows(&alice).await.is_empty() {
        tokio::task::yield_now().await;
    }
    let mut device = deployment.open(&alice, "").await;
    take(&mut device, &sequences).await;
}

#[tokio::test]
async fn poison_message_becomes_dead_letter_without_delay() {
    let deployment = Deployment::shared().await;
    let alice = unique_user("alice");
    let sdk = sdk_config().await;
    let mut device = deployment.open(&alice, "").await;
    let sqs = aws_sdk_sqs::Client::new(&sdk);
    let poison =
        sqs.send_message().queue_url(deployment.output("queueUrl")).message_body("not a notification");
    poison.message_group_id(alice.as_str()).message_deduplication_id("poison").send().await.unwrap();
    let sequences = deployment.send(&numbered(&alice, 0..3)).await;
    take(&mut device, &sequences).await;
    let queue = TestQueue::existing(&sdk, deployment.output("queueUrl"), deployment.output("deadLetterUrl"));
    let [letter] = &queue.drain_dead_letters().await[..] else { panic!("not one dead letter") };
    assert_eq!(letter.body(), Some("not a notification"));
    let reason = letter.message_attributes().and_then(|all| all.get(DEAD_LETTER_REASON)).unwrap();
    assert!(reason.string_value().unwrap().starts_with("not a valid JSON notification"), "{reason:?}");
}

/// 1,000 notifications.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_reconnecting_users_get_all_in_order() {
    let deployment = Deployment::with(&endpoint(), &OPEN, &[]).await;
    let users: Vec<_> = (0..50).map(|n| user(&format!("user-{n:02}"))).collect();
    check_reconnecting_users(deployment, &users).await;
}

/// The dispatcher is killed twice, each time after the first notification of a batch was pushed.
#[tokio::test]
async fn dispatcher_killed_mid_batch_loses_nothing() {
    let deployment = Deployment::with(&endpoint(), &[], &[]).await;
    deployment.set_visibility(10).await;
    let alice = user("alice");
    let mut device = deployment.open(&alice, "").await;
    for at in 0..2 {
        let warm = deployment.send(&numbered(&alice, 0..1)).await;
        take(&mut device, &warm).await;
        let dispatcher = deployment.processes("dispatcher");
        let sequences = deployment.send(&numbered(&alice, 1..11)).await;
        take(&mut device, &sequences[..1]).await;
        dispatcher.kill();
        // Notifications that were pushed before come once more, then the rest, all in order.
        let (mut next, mut repeats) = (1, 0);
        while next < sequences.len() {
            let arrived = device.next().await.sequence;
            if sequences[next] != arrived {
                assert_eq!(repeats, 0, "the dispatcher was killed once");
                let again = sequences[..next].iter().position(|sequence| *sequence == arrived).unwrap();
                (next, repeats) = (again, next - again);
            }
            next += 1;
        }
        assert!(repeats > 0, "kill {at} was not in the middle of a batch");
    }
}
