//! Helpers of the suites.

use contract_notifications_v1::{Notification, NotificationId, NotificationRequest, Sequence, UserId};
use serde_json::json;
use shared_ports::{Clock as _, SystemClock};
use verification_acceptance_aws::Device;
use verification_conformance::user;

/// Makes notifications whose payloads have these numbers.
pub(crate) fn numbered(user: &UserId, numbers: std::ops::Range<u32>) -> Vec<Notification> {
    let notification = |n: u32| {
        let body = json!({ "userId": user, "payload": { "n": n } }).to_string();
        let id = || NotificationId::new(uuid::Uuid::now_v7().to_string()).unwrap();
        NotificationRequest::from_json(&body).unwrap().complete(id, SystemClock.now())
    };
    numbers.map(notification).collect()
}

/// A user that no other test has, because tests share a deployment.
pub(crate) fn unique_user(name: &str) -> UserId {
    user(&format!("{name}-{}", uuid::Uuid::new_v4().simple()))
}

/// Receives notifications, which must have these sequences in this order.
pub(crate) async fn take(device: &mut Device, sequences: &[Sequence]) {
    for expected in sequences {
        assert_eq!(device.next().await.sequence, *expected);
    }
}
