//! The hub's ports on the simulated deployment.
//!
//! The dispatcher reads the members eventually consistently: what it reads is up to a second old
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html> gives no bound). A
//! partition takes so many writes in a second, and throttles the others
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html>).

use std::collections::BTreeSet;
use std::time::Duration;

use contract_connections_v1::{HubMember, HubPartition, MemberKey};
use contract_frames_v1::PresenceEvent;
use contract_notifications_v1::{FanOut, HubName, Notification, QueueEntry, Timestamp, UserId};
use dispatcher::ports::{BroadcastQueue, HubMembers, MembersPage, NotificationQueue};
use serde_json::Value;
use shared_ports::PortError;
use tokio::time::{Instant, sleep};
use ws_edge::ports::HubPage;

use crate::fifo::Outgoing;
use crate::frames::number_of;
use crate::gateway::connection_number;
use crate::log::EventKind;
use crate::mutant::Mutant;
use crate::ports::Aws;
use crate::world::{HubRowState, user_index, user_of};

/// Age of what a stale read of the members shows.
const STALE_MEMBERS: Duration = Duration::from_mins(1);
/// Attempts to write to a partition that throttles.
const ATTEMPTS: u32 = 5;

/// Returns the user in the source of a client's message.
fn sender(source: &str) -> Option<usize> {
    user_of(source.strip_prefix("user/")?)
}

impl Aws {
    fn partition_of(&self, member: &HubMember) -> HubPartition {
        if self.0.has(Mutant::OnePartition) {
            HubPartition::own(&member.hub)
        } else {
            HubPartition::of(member)
        }
    }

    /// Counts a write to the partition of a member's row, and returns false if the partition throttles it.
    fn takes_write(&self, member: &HubMember) -> bool {
        let Some(plan) = &self.0.plan.hub else { return true };
        let (partition, second) = (self.partition_of(member), self.0.elapsed() / 1_000);
        let mut tables = self.0.tables();
        let (last, writes) = tables.hub_writes.entry(partition).or_default();
        if *last != second {
            (*last, *writes) = (second, 0);
        }
        let is_taken = *writes < plan.partition_writes;
        *writes += u32::from(is_taken);
        is_taken
    }

    /// Makes a write for each member, as the SDK does: what is throttled again after a while.
    async fn write(
        &self,
        operation: &'static str,
        members: &[HubMember],
        write: impl Fn(&HubMember),
    ) -> Result<(), PortError> {
        for member in members {
            let user = user_index(member.member.user_id.as_str());
            for attempt in 0.. {
                if self.takes_write(member) {
                    self.0.call(user, operation, || write(member)).await?;
                    break;
                }
                if attempt + 1 == ATTEMPTS {
                    self.0.log(user, EventKind::Fault("the hub's partition is throttled"));
                    return Err(PortError::retryable(operation, "throttled"));
                }
                sleep(self.0.random.millis(10, 50 << attempt)).await;
            }
        }
        Ok(())
    }

    /// Returns the members that a read of this age shows, in order.
    fn members_shown(&self, hub: &HubName, age: Duration) -> BTreeSet<MemberKey> {
        let tables = self.0.tables();
        if self.0.has(Mutant::ReachesStrangers) {
            let all = tables.connections.values();
            let key = |row: &contract_connections_v1::Connection| MemberKey {
                user_id: row.user_id.clone(),
                connection_id: Some(row.connection_id.clone()),
            };
            return all.map(|(row, _)| key(row)).collect();
        }
        let read = if self.0.has(Mutant::ReadsOneShard) { 2 } else { usize::MAX };
        let rows = HubPartition::all(hub).take(read).filter_map(|partition| tables.hub.get(&partition));
        rows.flatten().filter(|(_, row)| row.is_shown(age)).map(|(member, _)| member.clone()).collect()
    }
}

impl ws_edge::ports::Hubs for Aws {
    async fn join(&self, members: &[HubMember]) -> Result<(), PortError> {
        let join = |member: &HubMember| {
            if !self.0.has(Mutant::LosesJoin) {
                let partition = self.partition_of(member);
                let row = HubRowState { inserted: Instant::now(), deleted: None };
                self.0.tables().hub.entry(partition).or_default().insert(member.member.clone(), row);
            }
        };
        self.write("joining the hub", members, join).await
    }

    async fn leave(&self, members: &[HubMember]) -> Result<(), PortError> {
        let leave = |member: &HubMember| {
            let partition = self.partition_of(member);
            let mut tables = self.0.tables();
            let row = tables.hub.entry(partition).or_default().get_mut(&member.member);
            if let Some(row) = row.filter(|_| !self.0.has(Mutant::LosesLeave)) {
                row.deleted = row.deleted.or(Some(Instant::now()));
            }
        };
        self.write("leaving the hub", members, leave).await
    }

    async fn members(
        &self,
        hub: &HubName,
        after: Option<&UserId>,
        limit: usize,
        _: Timestamp,
    ) -> Result<HubPage, PortError> {
        let read = || {
            let mut page = HubPage::default();
            let members = self.members_shown(hub, Duration::ZERO);
            for member in
                members.into_iter().filter(|member| after.is_none_or(|after| member.user_id > *after))
            {
                if !page.add(member.user_id, member.connection_id.is_some(), limit) {
                    break;
                }
            }
            page
        };
        self.0.call(None, "reading the members", read).await
    }

    async fn has(&self, hub: &HubName, user: &UserId) -> Result<bool, PortError> {
        let has = || self.members_shown(hub, Duration::ZERO).iter().any(|member| member.user_id == *user);
        self.0.call(None, "looking for a member", has).await
    }
}

impl ws_edge::ports::MessageQueue for Aws {
    async fn send(&self, notifications: Vec<Notification>) -> Vec<Result<(), PortError>> {
        let refused = |_| Err(PortError::permanent("queueing messages", "no plan has any"));
        notifications.iter().map(refused).collect()
    }

    async fn broadcast(&self, fan_out: FanOut) -> Result<(), PortError> {
        let Some(sender) = fan_out.source.as_deref().and_then(sender) else {
            return Err(PortError::permanent("queueing a broadcast", "it has no sender"));
        };
        let payload: Value = serde_json::from_str(fan_out.payload.get()).unwrap_or_default();
        let presence = match payload["presence"].as_str() {
            Some("joined") => Some(PresenceEvent::Joined),
            Some(_) => Some(PresenceEvent::Left),
            None => None,
        };
        let number = number_of(&fan_out.payload);
        let lost = if presence.is_some() { Mutant::LosesNotice } else { Mutant::LosesBroadcast };
        let queue = || {
            if self.0.has(lost) {
                return;
            }
            let deduplication_id = fan_out.id.to_string();
            let entry = QueueEntry::FanOut(fan_out);
            let (group, body) = (entry.group().into_owned(), entry.to_json());
            let sequence = self.0.queue_of(&group).send(Outgoing { group, deduplication_id, body });
            self.0.log(sender, EventKind::Broadcast { number, sequence, presence });
        };
        self.0.call(sender, "queueing a broadcast", queue).await
    }
}

impl NotificationQueue for Aws {
    async fn send(&self, notifications: Vec<Notification>) -> Result<(), PortError> {
        let most =
            notifications.len() - usize::from(self.0.has(Mutant::LosesMember) && !notifications.is_empty());
        let send = || {
            for notification in notifications.into_iter().take(most) {
                let user = user_index(notification.user_id.as_str());
                let number = number_of(&notification.payload);
                let deduplication_id = notification.id.to_string();
                let group = notification.user_id.to_string();
                let body = QueueEntry::Notification(notification).to_json();
                self.0.log(user, EventKind::Terms { number, expires_at: None, drops: true });
                let sequence = self.0.queue_of(&group).send(Outgoing { group, deduplication_id, body });
                self.0.log(user, EventKind::Accepted { number, sequence });
            }
        };
        self.0.call(None, "queueing a broadcast's notifications", send).await
    }
}

impl BroadcastQueue for Aws {
    async fn enqueue_rest(&self, rest: FanOut) -> Result<(), PortError> {
        let send = || {
            if self.0.has(Mutant::LosesRest) {
                return;
            }
            let deduplication_id = format!("{}-{}", rest.id, self.0.random.between(0, u64::MAX));
            let entry = QueueEntry::FanOut(rest);
            let (group, body) = (entry.group().into_owned(), entry.to_json());
            self.0.queue_of(&group).send(Outgoing { group, deduplication_id, body });
        };
        self.0.call(None, "queueing the rest of a broadcast", send).await
    }
}

impl HubMembers for Aws {
    async fn page(
        &self,
        hub: &HubName,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<MembersPage, PortError> {
        let read = || {
            let stale = self.0.has(Mutant::StaleMembers);
            let age = if stale { STALE_MEMBERS } else { self.0.random.millis(0, 1_000) };
            let mut users: Vec<_> =
                self.members_shown(hub, age).into_iter().map(|member| member.user_id).collect();
            users.dedup();
            let users = users.into_iter().filter(|user| after.is_none_or(|after| user > after));
            let skipped = usize::from(self.0.has(Mutant::SkipsMember) && after.is_some());
            let mut users = users.skip(skipped);
            let page: Vec<_> = users.by_ref().take(limit).collect();
            let more = users.next().is_some() && !page.is_empty();
            MembersPage { users: page, more }
        };
        self.0.call(None, "reading a broadcast's members", read).await
    }
}

/// Logs the members of the hub.
pub(crate) fn log_members(aws: &Aws) {
    let members = aws.members_shown(&crate::world::hub(), Duration::ZERO);
    for MemberKey { user_id, connection_id } in members {
        if let Some(id) = connection_id {
            let connection = connection_number(&id);
            aws.0.log(user_index(user_id.as_str()), EventKind::Member { connection });
        }
    }
}
