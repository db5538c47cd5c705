//! The promises, end to end: the functions' real binaries on an AWS endpoint, with clients over WebSocket.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use contract_deployment_v1::DEAD_LETTER_REASON;
use contract_notifications_v1::{
    Notification, NotificationId, NotificationRequest, Sequence, Timestamp, UserId,
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use shared_ports::{Clock as _, SystemClock};
use verification_acceptance_aws::{Deployment, Device, OPEN, binary};
use verification_conformance::fixture::{ConnectionRows as _, MailboxRows as _};
use verification_conformance::{Story, connection_row, user};
use verification_test_kit::{
    ConnectionsTable, MailboxTable, TestQueue, endpoint, enforcing_endpoint, sdk_config,
};

fn numbered(user: &UserId, numbers: std::ops::Range<u32>) -> Vec<Notification> {
    let notification = |n: u32| {
        let body = json!({ "userId": user, "payload": { "n": n } }).to_string();
        let id = || NotificationId::new(uuid::Uuid::now_v7().to_string()).unwrap();
        NotificationRequest::from_json(&body).unwrap().complete(id, SystemClock.now())
    };
    numbers.map(notification).collect()
}

/// A user whom no other test has, for tests share a deployment.
fn somebody(name: &str) -> UserId {
    user(&format!("{name}-{}", uuid::Uuid::new_v4().simple()))
}

/// Takes as many notifications as there are `sequences`, which must come in this order.
async fn take(device: &mut Device, sequences: &[Sequence]) {
    for expected in sequences {
        assert_eq!(device.next().await.sequence, *expected);
    }
}

#[tokio::test]
async fn notifications_arrive_online_and_what_was_held_comes_first() {
    let deployment = Deployment::shared().await;
    let alice = somebody("alice");
    let held = deployment.send(&numbered(&alice, 0..40)).await;
    let mut first = deployment.open(&alice, "").await;
    take(&mut first, &held).await;
    let online = deployment.send(&numbered(&alice, 40..45)).await;
    take(&mut first, &online).await;
    // A second device, and one that acknowledges in batches.
    let mut second = deployment.open(&alice, "&acknowledge=true&format=batch").await;
    let both = deployment.send(&numbered(&alice, 45..50)).await;
    take(&mut first, &both).await;
    take(&mut second, &both).await;
    second.send(&json!({ "action": "ack", "sequences": both })).await;
    let mailbox = MailboxTable::existing(&sdk_config().await, deployment.table("mailbox"));
    while !mailbox.held(&alice).await.is_empty() {
        tokio::task::yield_now().await;
    }
    // What is no action is answered, with what there is.
    first.send(&json!({ "action": "dance" })).await;
    let answer: Value = serde_json::from_str(&first.frame().await).unwrap();
    assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("unknown-action")));
}

#[tokio::test]
async fn producers_are_told_what_is_wrong_and_a_retry_is_delivered_once() {
    let deployment = Deployment::shared().await;
    let alice = somebody("alice");
    let mut device = deployment.open(&alice, "").await;
    let payload = r#"{"state":"shipped & \"packed\" é"}"#;
    let once = format!(r#"{{"userId":"{alice}","id":"order-1042","payload":{payload}}}"#);
    assert_eq!(deployment.post(&once).await, 202);
    assert_eq!(deployment.post(&once).await, 202);
    assert_eq!(deployment.post(r#"{"payload":1}"#).await, 400);
    assert_eq!(deployment.post("nonsense").await, 400);
    let last = deployment.send(&numbered(&alice, 0..1)).await;
    let arrived = device.next().await;
    assert_eq!((arrived.id.as_str(), arrived.replayed), ("order-1042", false));
    assert_eq!(arrived.payload.get(), payload);
    take(&mut device, &last).await;
}

/// As a person uses it who has a name and a password: by the user pool's token, and with the command line.
#[tokio::test]
async fn people_of_the_user_pool_get_tokens_and_nobody_else_does() {
    let deployment = Deployment::shared().await;
    let login = deployment.log_in(somebody("alice").as_str()).await;
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
    let body = json!({ "userId": alice, "id": "by-the-door", "payload": { "hello": "alice" } });
    assert_eq!(deployment.post(&body.to_string()).await, 202);
    let listened = listen.wait_with_output().await.unwrap();
    let printed = String::from_utf8(listened.stdout).unwrap();
    assert!(listened.status.success() && printed.contains(r#"{"hello":"alice"}"#), "{printed}");
}

#[tokio::test]
async fn a_connection_that_is_gone_is_forgotten_and_loses_nothing() {
    let deployment = Deployment::shared().await;
    let alice = somebody("alice");
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
async fn what_can_never_succeed_is_set_apart_with_its_reason_and_delays_nobody() {
    let deployment = Deployment::shared().await;
    let alice = somebody("alice");
    let sdk = sdk_config().await;
    let mut device = deployment.open(&alice, "").await;
    let sqs = aws_sdk_sqs::Client::new(&sdk);
    let poison = sqs.send_message().queue_url(deployment.output("queueUrl")).message_body("no notification");
    poison.message_group_id(alice.as_str()).message_deduplication_id("poison").send().await.unwrap();
    let sequences = deployment.send(&numbered(&alice, 0..3)).await;
    take(&mut device, &sequences).await;
    let queue = TestQueue::existing(&sdk, deployment.output("queueUrl"), deployment.output("deadLetterUrl"));
    let [letter] = &queue.drain_dead_letters().await[..] else { panic!("one dead letter") };
    assert_eq!(letter.body(), Some("no notification"));
    let reason = letter.message_attributes().and_then(|all| all.get(DEAD_LETTER_REASON)).unwrap();
    assert!(reason.string_value().unwrap().starts_with("not a valid JSON notification"), "{reason:?}");
}

/// 1,000 notifications for 50 users, of whom half are absent at first and a third is cut off in mid-stream, with
/// frames on the way. Those acknowledge: what was written to a socket is delivered to anybody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_users_come_and_go_and_get_everything_in_order() {
    const EACH: u32 = 20;
    let deployment = Arc::new(Deployment::with(&endpoint(), &OPEN, &[]).await);
    let users: Vec<UserId> = (0..50).map(|n| user(&format!("user-{n:02}"))).collect();
    let story = Arc::new(Mutex::new(Story::default()));
    let cut_off = |index: usize| index.is_multiple_of(3).then_some(3 + index % 7);
    let listen = |index: usize| {
        let (user, story, deployment) = (users[index].clone(), story.clone(), deployment.clone());
        tokio::spawn(async move {
            let mut cut = cut_off(index);
            let query = format!("client_id={user}&acknowledge={}", cut.is_some());
            let acknowledges = cut.is_some();
            let mut device = deployment.try_open(&query).await.expect("the user is let in");
            // Counted by what arrives: a notification may be here before its producer has the answer.
            while story.lock().unwrap().arrived(&user) < EACH as usize {
                let delivery = device.next().await;
                let ack = json!({ "action": "ack", "sequences": [delivery.sequence] });
                story.lock().unwrap().seen(&user, delivery);
                cut = match cut {
                    Some(0) => {
                        device = deployment.try_open(&query).await.expect("the user is let in again");
                        None
                    }
                    left => left.map(|left| left - 1),
                };
                if acknowledges {
                    device.send(&ack).await;
                }
            }
        })
    };
    let mut devices: Vec<_> = (0..50).step_by(2).map(listen).collect();
    for at in 0..EACH / 10 {
        for user in &users {
            let notifications = numbered(user, at * 10..(at + 1) * 10);
            let sequences = deployment.send(&notifications).await;
            let mut story = story.lock().unwrap();
            for (notification, sequence) in notifications.iter().zip(sequences) {
                story.accepted(notification, sequence);
            }
        }
    }
    devices.extend((1..50).step_by(2).map(listen));
    for device in join_all(devices).await {
        device.unwrap();
    }
    let story = story.lock().unwrap();
    assert_eq!(story.count(), 1_000);
    // Besides those after a cut: on a busy machine the endpoint may take longer over a push than the dispatcher
    // waits, which then can't know that it was done.
    let repeats = story.check_arrival().len();
    assert!(repeats < 100, "{repeats} repeats");
}

/// The dispatcher is killed twice, each time when the first notification of a batch has just been pushed.
#[tokio::test]
async fn a_dispatcher_killed_in_mid_batch_loses_nothing() {
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
        // What was pushed before comes again, once, and then the rest, all of it in order.
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
        assert!(repeats > 0, "kill {at} was not in mid-batch");
    }
}

/// Whether a function does what it is for when it is invoked with a sample event.
async fn works(deployment: &Deployment, function: &str, token: &str) -> bool {
    let sample = |json: &str| serde_json::from_str::<Value>(json).unwrap();
    let (event, succeeded): (Value, fn(&Value) -> bool) = match function {
        "auth-token-issuer" => {
            (Deployment::token_request(&user("bob")), |answer| answer["statusCode"] == 200)
        }
        "auth-token-authorizer" => {
            let mut event = sample(include_str!("../../../../../auth-token/lambda/events/authorize.json"));
            event["queryStringParameters"]["token"] = token.into();
            event["multiValueQueryStringParameters"]["token"] = json!([token]);
            (event, |answer| answer["policyDocument"]["Statement"][0]["Effect"] == "Allow")
        }
        "ws-edge" => (sample(include_str!("../../../../../ws-edge/lambda/events/connect.json")), |answer| {
            answer["statusCode"] == 200
        }),
        "dispatcher" => {
            (sample(include_str!("../../../../../dispatcher/lambda/events/sqs-batch.json")), nothing_failed)
        }
        _ => {
            (sample(include_str!("../../../../../replayer/lambda/events/stream-batch.json")), nothing_failed)
        }
    };
    deployment.invoke(function, &event).await.is_ok_and(|answer| succeeded(&answer))
}

fn nothing_failed(answer: &Value) -> bool {
    answer["batchItemFailures"].as_array().is_some_and(Vec::is_empty)
}

/// On an endpoint that enforces the functions' roles everything works with each function's own, and a function
/// whose role lacks an action fails.
#[tokio::test]
async fn the_roles_allow_what_is_needed_and_are_what_allows_it() {
    let endpoint = enforcing_endpoint();
    let deployment = Deployment::with(&endpoint, &[], &[]).await;
    let alice = user("alice");
    let held = deployment.send(&numbered(&alice, 0..3)).await;
    let mut device = deployment.open(&alice, "").await;
    take(&mut device, &held).await;
    let online = deployment.send(&numbered(&alice, 3..5)).await;
    take(&mut device, &online).await;
    let token = deployment.token(&user("bob")).await;
    for function in contract_deployment_v1::FUNCTIONS {
        assert!(works(&deployment, function.name, &token).await, "{} with its own role", function.name);
    }
    let lacking = [
        ("auth-token-authorizer", "dynamodb:DeleteItem"),
        ("ws-edge", "dynamodb:PutItem"),
        ("dispatcher", "dynamodb:Query"),
        ("replayer", "dynamodb:Query"),
    ];
    let without = lacking.map(|(function, action)| format!("--without={function}:{action}"));
    let deployment = Deployment::with(&endpoint, &without.each_ref().map(String::as_str), &[]).await;
    let token = deployment.token(&user("bob")).await;
    for (function, action) in lacking {
        assert!(!works(&deployment, function, &token).await, "{function} without {action}");
    }
    let deployment = Deployment::with(&endpoint, &["--without=auth-token-issuer:kms:Encrypt"], &[]).await;
    assert!(!works(&deployment, "auth-token-issuer", "").await, "auth-token-issuer without kms:Encrypt");
}
