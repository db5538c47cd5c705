//! Hubs and rates in memory against the conformance suites of their ports.

use contract_notifications_v1::{HubName, UserId};
use dispatcher::ports::HubMembers as _;
use shared_ports::Clock as _;
use tidings_gateway::rates::MemoryRates;
use tidings_hubs::MemoryHubs;
use verification_conformance::fixture::HubRows;
use verification_conformance::{ManualClock, hub_members, hubs};

/// The hubs in memory.
struct Joined(MemoryHubs);

impl HubRows for Joined {
    async fn join(&self, hub: &HubName, user: &UserId, connection: &str) {
        ws_edge::ports::Hubs::join(&self.0, &[hubs::member(hub, user, connection)]).await.unwrap();
    }

    async fn users(&self, hub: &HubName) -> Vec<UserId> {
        self.0.page(hub, None, usize::MAX).await.unwrap().users
    }
}

#[tokio::test]
async fn hubs_and_rates_conform() {
    let memory = MemoryHubs::default();
    hubs::all(&memory, &Joined(memory.clone()), "h").await;
    hubs::pages(&memory, "h", ManualClock::default().now(), false).await;
    hub_members::all(&memory, &Joined(memory.clone()), "h").await;
    hub_members::many(&memory, &Joined(memory.clone()), "h", 100).await;
    hubs::rates(&MemoryRates::default(), "h", ManualClock::default().now()).await;
}

#[tokio::test]
async fn permanent_member_needs_no_connection() {
    let team = HubName::new("team").unwrap();
    let al = UserId::new("al").unwrap();
    let memory = MemoryHubs::new([(team.clone(), al.clone())]);
    let row = hubs::member(&team, &al, "c");
    ws_edge::ports::Hubs::join(&memory, std::slice::from_ref(&row)).await.unwrap();
    ws_edge::ports::Hubs::leave(&memory, &[row]).await.unwrap();
    assert_eq!(Joined(memory).users(&team).await, [al]);
}
