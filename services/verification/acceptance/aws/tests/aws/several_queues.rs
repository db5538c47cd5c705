//! A deployment with two queues: its users are in both, and see no difference.

use std::num::NonZeroUsize;

use contract_deployment_v1::{DEAD_LETTER_ID, DEAD_LETTER_REASON, DEAD_LETTER_SENT_AT};
use contract_notifications_v1::{Sequence, UserId, home_queue};
use futures_util::future::join_all;
use serde_json::{Value, json};
use verification_acceptance_aws::{Deployment, StackQueues};
use verification_conformance::fixture::MailboxRows as _;
use verification_test_kit::{MailboxTable, TestResources, sdk_config};

use crate::support::{check_reconnecting_users, numbered, take, unique_user};

const QUEUES: NonZeroUsize = NonZeroUsize::new(2).unwrap();

/// Makes up a user of each queue.
fn user_of_each_queue(name: &str) -> [UserId; 2] {
    let of = |queue: usize| {
        let mut users = std::iter::repeat_with(|| unique_user(name));
        users.find(|user| home_queue(user.as_str(), QUEUES) == queue).unwrap()
    };
    [of(0), of(1)]
}

#[tokio::test]
async fn users_of_both_queues_get_held_before_new() {
    let deployment = Deployment::shared_with_two_queues().await;
    assert_eq!(deployment.queue_urls().len(), 2);
    let mailbox = MailboxTable::existing(&sdk_config().await, deployment.table("mailbox"));
    let check = async |alice: UserId| {
        let held = deployment.send(&numbered(&alice, 0..25)).await;
        while mailbox.held(&alice).await.len() < held.len() {
            tokio::task::yield_now().await;
        }
        let mut device = deployment.open(&alice, "").await;
        let live = deployment.send(&numbered(&alice, 25..30)).await;
        take(&mut device, &held).await;
        take(&mut device, &live).await;
    };
    join_all(user_of_each_queue("alice").map(check)).await;
}

/// Those of the second queue are forwarded from the first one, which `producerUrl` sends to.
#[tokio::test]
async fn producers_that_do_not_hash_keep_the_order() {
    let deployment = Deployment::shared_with_two_queues().await;
    let check = async |alice: UserId| {
        let mut device = deployment.open(&alice, "").await;
        let ids: Vec<_> = (0..12).map(|n| format!("order-{n}")).collect();
        for id in &ids {
            let body = json!({ "userId": alice, "id": id, "payload": 1 });
            assert_eq!(deployment.post(&body.to_string()).await, 202);
        }
        let mut last = Sequence::ZERO;
        for id in &ids {
            let delivery = device.next().await;
            assert_eq!(delivery.id.as_str(), id);
            assert!(delivery.sequence > last);
            last = delivery.sequence;
        }
        // The sequences are those of the user's own queue.
        let own = deployment.send(&numbered(&alice, 0..1)).await;
        assert!(own[0] > last);
        take(&mut device, &own).await;
    };
    join_all(user_of_each_queue("alice").map(check)).await;
}

/// A repeat by way of the first queue is dropped by the user's own.
#[tokio::test]
async fn repeats_by_another_queue_are_delivered_once() {
    let deployment = Deployment::shared_with_two_queues().await;
    let [_, alice] = user_of_each_queue("alice");
    let mut device = deployment.open(&alice, "").await;
    let own = format!("{}/1/notifications", deployment.output("producerQueuesUrl"));
    let body = |id: &str| json!({ "userId": alice, "id": id, "payload": 1 }).to_string();
    assert_eq!(deployment.post_to(&own, &body("once")).await, 202);
    assert_eq!(device.next().await.id.as_str(), "once");
    for id in ["once", "last"] {
        assert_eq!(deployment.post(&body(id)).await, 202);
    }
    assert_eq!(device.next().await.id.as_str(), "last");
}

#[tokio::test]
async fn clients_of_different_queues_send_to_each_other() {
    let deployment = Deployment::shared_with_two_queues().await;
    let [alice, bob] = user_of_each_queue("alice");
    let (mut sender, mut receiver) = (deployment.open(&alice, "").await, deployment.open(&bob, "").await);
    for recipient in [&bob, &alice] {
        let text = format!("for {recipient}");
        sender.send(&json!({ "action": "sendMessage", "sessions": [recipient], "text": text })).await;
        let answer: Value = serde_json::from_str(&sender.frame().await).unwrap();
        assert_eq!(answer["results"], json!([{ "to": recipient, "accepted": true }]));
        let payload: Value = serde_json::from_str(receiver.next().await.payload.get()).unwrap();
        assert_eq!(payload["text"], text);
        std::mem::swap(&mut sender, &mut receiver);
    }
}

/// A message that is no notification goes to the dead-letter queue of its own queue. The command line redrives the letters
/// of both to the queues of their users.
#[tokio::test]
async fn dead_letters_of_both_queues_are_redriven() {
    let deployment = Deployment::shared_with_two_queues().await;
    let resources = TestResources::new().await;
    let users = user_of_each_queue("alice");
    let all = StackQueues::of(&resources, deployment.outputs());
    let mut devices = Vec::new();
    for (index, alice) in users.iter().enumerate() {
        let mut outputs = deployment.outputs().clone();
        outputs["queueUrl"] = outputs["queueUrls"][index].clone();
        outputs["deadLetterUrl"] = outputs["deadLetterUrls"][index].clone();
        let queue = StackQueues::of(&resources, &outputs);
        let mut device = deployment.open(alice, "").await;
        queue.send(alice.as_str(), "poison", &json!("not a notification")).await;
        let sequences = deployment.send(&numbered(alice, 0..2)).await;
        take(&mut device, &sequences).await;
        for n in 1..=3 {
            let body = json!({ "userId": alice, "message": n });
            let origin = json!({
                DEAD_LETTER_REASON: "too late", DEAD_LETTER_ID: format!("first-{n}"), DEAD_LETTER_SENT_AT: "7",
            });
            queue.dead_letter(alice.as_str(), &format!("m-{n}"), &body, &origin).await;
        }
        devices.push(device);
    }

    let purged = all.run(&["--json", "dlq", "purge", "--reason", "not a valid", "--yes"]).await;
    assert_eq!(
        purged.lines(),
        [json!({ "all": false, "result": "purged", "count": 2 })],
        "{}",
        purged.stderr
    );
    let redriven = all.run(&["dlq", "redrive", "--all"]).await;
    assert_eq!((redriven.code, redriven.stdout.as_str()), (0, "redriven  6\n"), "{}", redriven.stderr);
    for device in &mut devices {
        for n in 1..=3 {
            let delivery = device.next().await;
            assert_eq!(
                (delivery.id.as_str(), delivery.payload.get()),
                (&*format!("first-{n}"), &*n.to_string())
            );
        }
    }
    assert_eq!(all.run(&["dlq", "list"]).await.stderr, "There are no dead letters.\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconnecting_users_of_both_queues_get_all_in_order() {
    let deployment = Deployment::shared_with_two_queues().await;
    // Every other user is offline at first, so that of both queues some are.
    let pairs = (0..4).map(|_| (user_of_each_queue("alice"), user_of_each_queue("bob")));
    let users: Vec<_> =
        pairs.flat_map(|([first, second], [third, fourth])| [first, third, second, fourth]).collect();
    check_reconnecting_users(deployment, &users).await;
}
