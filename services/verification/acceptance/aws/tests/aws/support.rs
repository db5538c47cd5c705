//! Helpers of the suites.

use std::sync::{Arc, Mutex};

use contract_notifications_v1::{Notification, NotificationId, NotificationRequest, Sequence, UserId};
use futures_util::future::join_all;
use serde_json::json;
use shared_ports::{Clock as _, SystemClock};
use verification_acceptance_aws::{Deployment, Device};
use verification_conformance::{DeliveryLog, user};

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

/// Checks that users get 20 notifications each in order. Half of them are offline at first, and a third lose their
/// connection in the middle, with frames on the way. The third acknowledges, because without an ack a frame counts as
/// delivered once it is sent. The deployment trusts client ids.
pub(crate) async fn check_reconnecting_users(deployment: Deployment, users: &[UserId]) {
    const EACH: u32 = 20;
    let deployment = Arc::new(deployment);
    let log = Arc::new(Mutex::new(DeliveryLog::default()));
    let disconnect_after = |index: usize| index.is_multiple_of(3).then_some(3 + index % 7);
    let listen = |index: usize| {
        let (user, log, deployment) = (users[index].clone(), log.clone(), deployment.clone());
        tokio::spawn(async move {
            let mut frames_left = disconnect_after(index);
            let query = format!("client_id={user}&acknowledge={}", frames_left.is_some());
            let acknowledges = frames_left.is_some();
            let mut device = deployment.try_open(&query).await.expect("the user connects");
            // Counted by arrivals, because a notification may arrive before its producer has the answer.
            while log.lock().unwrap().arrived(&user) < EACH as usize {
                let delivery = device.next().await;
                let ack = json!({ "action": "ack", "sequences": [delivery.sequence] });
                log.lock().unwrap().delivered(&user, delivery);
                frames_left = match frames_left {
                    Some(0) => {
                        device = deployment.try_open(&query).await.expect("the user reconnects");
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
    let mut devices: Vec<_> = (0..users.len()).step_by(2).map(listen).collect();
    for at in 0..EACH / 10 {
        for user in users {
            let notifications = numbered(user, at * 10..(at + 1) * 10);
            let sequences = deployment.send(&notifications).await;
            let mut log = log.lock().unwrap();
            for (notification, sequence) in notifications.iter().zip(sequences) {
                log.accepted(notification, sequence);
            }
        }
    }
    devices.extend((1..users.len()).step_by(2).map(listen));
    for device in join_all(devices).await {
        device.unwrap();
    }
    let log = log.lock().unwrap();
    assert_eq!(log.count(), users.len() * EACH as usize);
    // Repeats come after a lost connection. On a busy machine a push may also take longer than the dispatcher
    // waits, so that it is repeated.
    let repeats = log.check_arrival().len();
    assert!(repeats < log.count() / 10, "{repeats} repeats");
}
