//! Fan-out of broadcasts: from one entry for a hub to a notification for each member.

use contract_notifications_v1::FanOut;
use metrics::counter;
use shared_ports::PortError;

use crate::ports::{HubMembers, MembersPage, NotificationQueue};

/// Default for the maximum number of members served by one entry.
pub const DEFAULT_MEMBERS: usize = 1_000;

/// Queues the notifications of the next `limit` members, and returns the rest of the broadcast, if any.
///
/// Each step is bounded, so that a large hub delays nobody; the caller queues the rest as an entry. If an
/// entry is delivered twice, the same notification ids are queued again, and the queue ignores them.
///
/// Members who join or leave during the broadcast may or may not be served. The order of two broadcasts is
/// kept for every member of a hub with up to `limit` members. In a larger hub, joins and leaves between two
/// broadcasts can move a member into another step, and this member may then see the broadcasts in reverse
/// order.
///
/// Counts `tidings_fanned_out_total`.
///
/// # Errors
/// [`PortError`] if the members could not be read, or not all notifications could be queued. The entry must
/// then be delivered again.
pub async fn fan_out(
    entry: FanOut,
    members: &impl HubMembers,
    queue: &impl NotificationQueue,
    limit: usize,
) -> Result<Option<FanOut>, PortError> {
    let MembersPage { users, more } = members.page(&entry.hub, entry.after.as_ref(), limit).await?;
    let last = users.last().cloned();
    let recipients = users.into_iter().filter(|user| Some(user) != entry.except.as_ref());
    let notifications: Vec<_> = recipients.map(|user| entry.for_member(user)).collect();
    let count = notifications.len();
    if count > 0 {
        queue.send(notifications).await?;
        counter!("tidings_fanned_out_total").increment(count as u64);
    }
    Ok(last.filter(|_| more).map(|last| entry.after(last)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    use contract_notifications_v1::{
        HubName, Notification, NotificationId, Payload, Timestamp, UserId, WhenOffline,
    };
    use futures_util::FutureExt as _;
    use proptest::prelude::*;

    use super::*;

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    struct Hub(BTreeSet<UserId>);

    impl HubMembers for Hub {
        async fn page(
            &self,
            _: &HubName,
            after: Option<&UserId>,
            limit: usize,
        ) -> Result<MembersPage, PortError> {
            let mut users = self.0.iter().filter(|user| after.is_none_or(|after| *user > after)).cloned();
            let page: Vec<_> = users.by_ref().take(limit).collect();
            Ok(MembersPage { more: users.next().is_some(), users: page })
        }
    }

    #[derive(Default)]
    struct Queue(Mutex<Vec<Notification>>);

    impl NotificationQueue for Queue {
        async fn send(&self, notifications: Vec<Notification>) -> Result<(), PortError> {
            self.0.lock().unwrap().extend(notifications);
            Ok(())
        }
    }

    fn hello(except: Option<&str>) -> FanOut {
        FanOut {
            hub: HubName::new("team").unwrap(),
            after: None,
            except: except.map(user),
            id: NotificationId::new("hello").unwrap(),
            payload: Payload::from_json("1").unwrap(),
            sent_at: Timestamp::from_millis(1),
            expires_at: None,
            when_offline: WhenOffline::Drop,
            kind: None,
            source: None,
        }
    }

    proptest! {
        #[test]
        fn each_member_is_served_once_in_bounded_steps(
            names in prop::collection::btree_set("[a-d]{1,3}", 0..30),
            limit in 1_usize..10,
            excepted in prop::option::of("[a-d]{1,2}"),
        ) {
            let hub = Hub(names.iter().map(|name| user(name)).collect());
            let queue = Queue::default();
            let mut next = Some(hello(excepted.as_deref()));
            let mut steps = 0;
            while let Some(entry) = next {
                let before = queue.0.lock().unwrap().len();
                next = fan_out(entry, &hub, &queue, limit).now_or_never().unwrap().unwrap();
                prop_assert!(queue.0.lock().unwrap().len() - before <= limit);
                steps += 1;
            }
            prop_assert_eq!(steps, names.len().div_ceil(limit).max(1));
            let reached: Vec<_> = queue.0.lock().unwrap().iter().map(|n| n.user_id.to_string()).collect();
            let expected: Vec<_> =
                names.into_iter().filter(|name| Some(name) != excepted.as_ref()).collect();
            prop_assert_eq!(reached, expected);
        }
    }
}
