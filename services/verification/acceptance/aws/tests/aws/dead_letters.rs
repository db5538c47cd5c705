//! Dead letters of a deployment, redriven by the command line.

use contract_deployment_v1::{DEAD_LETTER_ID, DEAD_LETTER_REASON, DEAD_LETTER_SENT_AT};
use serde_json::json;
use verification_acceptance_aws::{Deployment, StackQueues};
use verification_test_kit::TestResources;

use crate::support::unique_user;

/// The dispatcher delivers what is redriven. The letters are in a queue of the test, because other tests look at those of
/// the deployment.
#[tokio::test]
async fn redriven_letter_reaches_its_user() {
    let (deployment, resources) = (Deployment::shared().await, TestResources::new().await);
    let mut outputs = deployment.outputs().clone();
    assert!(outputs["deadLetterUrl"].is_string());
    outputs["deadLetterUrl"] = json!(resources.queue().await.dead_letter_url);
    let queues = StackQueues::of(&resources, &outputs);
    let alice = unique_user("alice");
    let mut device = deployment.open(&alice, "").await;
    for n in 1..=2 {
        let body = json!({ "userId": alice, "message": n });
        let origin = json!({
            DEAD_LETTER_REASON: "no payload", DEAD_LETTER_ID: format!("first-{n}"), DEAD_LETTER_SENT_AT: "7",
        });
        queues.dead_letter(alice.as_str(), &format!("m-{n}"), &body, &origin).await;
    }
    let redriven = queues.run(&["dlq", "redrive", "--all"]).await;
    assert_eq!((redriven.code, redriven.stdout.as_str()), (0, "redriven  2\n"), "{}", redriven.stderr);
    for n in 1..=2 {
        let delivery = device.next().await;
        assert_eq!((delivery.id.as_str(), delivery.payload.get()), (&*format!("first-{n}"), &*n.to_string()));
        assert_eq!(delivery.sent_at.millis(), 7);
    }
}
