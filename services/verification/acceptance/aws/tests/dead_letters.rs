//! `tidings --stack FILE dlq` on an AWS endpoint. The queues belong to a test alone, because the program makes all letters
//! invisible while it looks at them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use contract_deployment_v1::{DEAD_LETTER_ID, DEAD_LETTER_REASON, DEAD_LETTER_SENT_AT};
use serde_json::{Value, json};
use verification_acceptance_aws::{Ran, StackQueues};
use verification_test_kit::TestResources;

/// Fields of a list in JSON, by line.
fn fields(ran: &Ran, name: &str) -> Vec<String> {
    ran.lines().iter().map(|letter| letter[name].as_str().unwrap_or_default().to_owned()).collect()
}

/// Returns the users and the ids of notifications on the notifications queue, in order.
fn entries(messages: &[Value]) -> Vec<(String, String, i64)> {
    let entry = |body: &Value| {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        (text("userId"), text("id"), body["payload"].as_i64().unwrap_or_default())
    };
    messages.iter().map(entry).collect()
}

#[tokio::test]
async fn moved_letters_are_redriven_in_order() {
    let queues = StackQueues::new(&TestResources::new().await).await;
    for n in 1..=12 {
        // Without an id: it is the deduplication ID.
        queues.send("alice", &format!("a-{n}"), &json!({ "userId": "alice", "payload": n })).await;
    }
    for n in 1..=2 {
        queues
            .send(
                "bob",
                &format!("b-{n}"),
                &json!({ "userId": "bob", "id": format!("own-{n}"), "payload": n }),
            )
            .await;
    }
    queues.move_all_to_dead_letters(14).await;

    let listed = queues.run(&["--json", "dlq", "list"]).await;
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    // What is received together hides what is behind it: ten letters of both users, or ten of alice and then two of bob.
    let (users, reasons) = (fields(&listed, "userId"), fields(&listed, "reason"));
    assert!((10..=12).contains(&users.len()) && users.iter().any(|name| name == "bob"), "{users:?}");
    assert!(reasons.iter().all(|reason| reason == "received once"), "{reasons:?}");
    assert!(listed.stderr.contains("about 14 dead letters"), "{}", listed.stderr);
    let ids = fields(&listed, "notificationId");
    assert!(["a-1", "own-1"].iter().all(|id| ids.iter().any(|found| found == id)), "{ids:?}");

    let dry = queues.run(&["dlq", "redrive", "--user", "bob", "--dry-run"]).await;
    assert!(dry.code == 0 && dry.stdout.contains("bob") && !dry.stdout.contains("alice"), "{}", dry.stderr);
    assert_eq!(queues.waiting().await, Vec::<Value>::new());

    let redriven = queues.run(&["dlq", "redrive", "--user", "alice"]).await;
    assert_eq!((redriven.code, redriven.stdout.as_str()), (0, "redriven  12\n"), "{}", redriven.stderr);
    let sent = queues.waiting().await;
    let expected: Vec<_> = (1..=12).map(|n| ("alice".to_owned(), format!("a-{n}"), n)).collect();
    assert_eq!(entries(&sent), expected);
    let second = 1_000;
    assert!(sent.iter().all(|entry| entry["sentAt"].as_u64().is_some_and(|at| at > second)), "{sent:?}");

    let left = queues.run(&["--json", "dlq", "list"]).await;
    assert_eq!((fields(&left, "userId"), left.stderr.as_str()), (vec!["bob".to_owned(); 2], ""));
}

#[tokio::test]
async fn letters_are_shown_redriven_and_purged_by_id() {
    let queues = StackQueues::new(&TestResources::new().await).await;
    let reason = json!({ DEAD_LETTER_REASON: "no payload", DEAD_LETTER_ID: "first", DEAD_LETTER_SENT_AT: "1767225600000" });
    for n in 1..=3 {
        let body = json!({ "userId": "zoë", "payload": n });
        queues.dead_letter("u8:em_Dqw", &format!("m-{n}"), &body, &reason).await;
    }
    let listed = queues.run(&["--json", "dlq", "list", "--limit", "5"]).await;
    assert_eq!(
        (fields(&listed, "userId"), fields(&listed, "reason")),
        (vec!["zoë".to_owned(); 3], vec!["no payload".to_owned(); 3])
    );
    let ids = fields(&listed, "id");

    let shown = queues.run(&["--json", "dlq", "show", &ids[1]]).await;
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let [letter] = &shown.lines()[..] else { panic!("{}", shown.stdout) };
    assert_eq!(
        letter["notification"],
        json!({ "userId": "zoë", "payload": 2, "id": "first", "sentAt": 1_767_225_600_000_u64 })
    );

    // As after a crash between sending and deleting: SQS drops the second message.
    queues.send_as(&ids[1], "u8:em_Dqw", &letter["notification"]).await;
    let redriven = queues.run(&["dlq", "redrive", &ids[1], "no-such-letter"]).await;
    assert_eq!(redriven.code, 1, "{}", redriven.stderr);
    assert!(
        redriven.stdout.starts_with(&format!("redriven  {}\nrefused  no-such-letter", ids[1])),
        "{}",
        redriven.stdout
    );
    assert_eq!(entries(&queues.waiting().await), [("zoë".to_owned(), "first".to_owned(), 2)]);

    let refused = queues.run(&["dlq", "purge", "--all"]).await;
    assert!(refused.code == 1 && refused.stderr.contains("--yes"), "{}", refused.stderr);
    let purged =
        queues.run(&["--json", "dlq", "purge", "--reason", "payload", "--limit", "1", "--yes"]).await;
    assert_eq!(purged.lines(), [json!({ "all": false, "result": "purged", "count": 1 })]);
    let purged = queues.run(&["dlq", "purge", "--all", "--yes"]).await;
    assert_eq!((purged.code, purged.stdout.as_str()), (0, "purged  1\n"), "{}", purged.stderr);
    assert_eq!(queues.run(&["dlq", "list"]).await.stderr, "There are no dead letters.\n");
}

#[tokio::test]
async fn unknown_queue_and_wrong_outputs_are_reported() {
    let queues = StackQueues::new(&TestResources::new().await).await;
    let gone = queues.with_output("deadLetterUrl", &json!("http://127.0.0.1:1/000000000000/gone.fifo")).await;
    assert!(
        gone.code == 1 && gone.stderr.contains("sqs:GetQueueAttributes"),
        "{} {}",
        gone.code,
        gone.stderr
    );
    let missing = queues.with_output("queueUrl", &Value::Null).await;
    assert!(missing.code == 1 && missing.stderr.contains("outputs of a stack"), "{}", missing.stderr);
}
