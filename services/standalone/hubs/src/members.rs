//! The members of all hubs, in memory behind one lock.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};

use contract_connections_v1::{HubMember, MemberKey};
use contract_notifications_v1::{HubName, Timestamp, UserId};
use dispatcher::ports::{HubMembers, MembersPage};
use shared_ports::PortError;
use shared_sync::IgnorePoison as _;
use ws_edge::ports::{HubPage, Hubs};

/// The members of all hubs. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemoryHubs(Arc<Mutex<HashMap<HubName, BTreeSet<MemberKey>>>>);

impl MemoryHubs {
    /// Makes hubs with permanent members, who belong to them connected or not.
    pub fn new(members: impl IntoIterator<Item = (HubName, UserId)>) -> Self {
        let mut hubs: HashMap<HubName, BTreeSet<MemberKey>> = HashMap::new();
        for (hub, user_id) in members {
            hubs.entry(hub).or_default().insert(MemberKey { user_id, connection_id: None });
        }
        Self(Arc::new(Mutex::new(hubs)))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<HubName, BTreeSet<MemberKey>>> {
        self.0.lock().ignore_poison()
    }
}

/// Returns the position of a user's first row in a hub.
fn start_of(user: &UserId) -> Bound<MemberKey> {
    Bound::Included(MemberKey { user_id: user.clone(), connection_id: None })
}

/// Returns the rows of the users after `after`.
fn rows_after<'a>(
    set: &'a BTreeSet<MemberKey>,
    after: Option<&'a UserId>,
) -> impl Iterator<Item = &'a MemberKey> {
    let start = after.map_or(Bound::Unbounded, start_of);
    set.range((start, Bound::Unbounded)).skip_while(move |member| after == Some(&member.user_id))
}

impl Hubs for MemoryHubs {
    async fn join(&self, members: &[HubMember]) -> Result<(), PortError> {
        let mut hubs = self.lock();
        for HubMember { hub, member, .. } in members {
            hubs.entry(hub.clone()).or_default().insert(member.clone());
        }
        Ok(())
    }

    async fn leave(&self, members: &[HubMember]) -> Result<(), PortError> {
        let mut hubs = self.lock();
        for HubMember { hub, member, .. } in members {
            let Some(set) = hubs.get_mut(hub) else { continue };
            set.remove(member);
            if set.is_empty() {
                hubs.remove(hub);
            }
        }
        Ok(())
    }

    /// Ignores the time: here a row is deleted with its connection and never expires.
    async fn members(
        &self,
        hub: &HubName,
        after: Option<&UserId>,
        limit: usize,
        _: Timestamp,
    ) -> Result<HubPage, PortError> {
        let hubs = self.lock();
        let Some(set) = hubs.get(hub) else { return Ok(HubPage::default()) };
        let mut page = HubPage::default();
        for MemberKey { user_id, connection_id } in rows_after(set, after) {
            if !page.add(user_id.clone(), connection_id.is_some(), limit) {
                break;
            }
        }
        Ok(page)
    }

    async fn size(&self, hub: &HubName) -> Option<usize> {
        Some(self.lock().get(hub).map_or(0, BTreeSet::len))
    }

    async fn has(&self, hub: &HubName, user: &UserId) -> Result<bool, PortError> {
        let hubs = self.lock();
        let first = hubs.get(hub).and_then(|set| set.range((start_of(user), Bound::Unbounded)).next());
        Ok(first.is_some_and(|member| member.user_id == *user))
    }
}

impl HubMembers for MemoryHubs {
    async fn page(
        &self,
        hub: &HubName,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<MembersPage, PortError> {
        let hubs = self.lock();
        let Some(set) = hubs.get(hub) else { return Ok(MembersPage::default()) };
        let mut users: Vec<UserId> = Vec::new();
        for MemberKey { user_id, .. } in rows_after(set, after) {
            if users.last() == Some(user_id) {
                continue;
            }
            if users.len() == limit {
                return Ok(MembersPage { users, more: true });
            }
            users.push(user_id.clone());
        }
        Ok(MembersPage { users, more: false })
    }
}
