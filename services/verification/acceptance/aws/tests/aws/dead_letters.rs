//! Dead letters of a deployment, redriven by the command line.

use contract_deployment_v1::{DEAD_LETTER_ID, DEAD_LETTER_REASON, DEAD_LETTER_SENT_AT};
use serde_json::json;
use verification_acceptance_aws::{Deployment, OPEN, StackQueues};
use verification_test_kit::{TestResources, endpoint};

/// The outputs are those of a deployment, whose dispatcher delivers what is redriven.
#[tokio::test]
async fn redriven_letter_reaches_its_user() {
    let deployment = Deployment::with(&endpoint(), &OPEN, &[]).await;
    let queues = StackQueues::of(&TestResources::new().await, deployment.outputs());
    let mut device = deployment.try_open("client_id=alice").await.unwrap();
    let origin =
        json!({ DEAD_LETTER_REASON: "no payload", DEAD_LETTER_ID: "first", DEAD_LETTER_SENT_AT: "7" });
    for (n, id) in [(1, "m-1"), (2, "m-2")] {
        let mut origin = origin.clone();
        origin[DEAD_LETTER_ID] = json!(format!("first-{n}"));
        queues.dead_letter("alice", id, &json!({ "userId": "alice", "message": n }), &origin).await;
    }
    let redriven = queues.run(&["dlq", "redrive", "--all"]).await;
    assert_eq!((redriven.code, redriven.stdout.as_str()), (0, "redriven  2\n"), "{}", redriven.stderr);
    for n in 1..=2 {
        let delivery = device.next().await;
        assert_eq!((delivery.id.as_str(), delivery.payload.get()), (&*format!("first-{n}"), &*n.to_string()));
        assert_eq!(delivery.sent_at.millis(), 7);
    }
}
