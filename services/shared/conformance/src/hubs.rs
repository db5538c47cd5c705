//! The hubs' table, as the edge uses it.

use std::time::Duration;

use contract_connections_v1::{HubMember, MemberKey};
use contract_notifications_v1::{HubName, Timestamp, UserId, Version1};
use ws_edge::RateLimit;
use ws_edge::ports::{Hubs, RateKey, RateLimits};

use crate::fixture::HubRows;
use crate::{connection, user};

/// A row of the hubs' table.
pub fn member(hub: &HubName, user: &UserId, id: &str) -> HubMember {
    let member = MemberKey { user_id: user.clone(), connection_id: Some(connection(id)) };
    HubMember { version: Version1, hub: hub.clone(), member, ttl: Some(4_102_444_800) }
}

/// All that the table must do for the edge.
pub async fn all<H: Hubs, F: HubRows>(hubs: &H, fixture: &F, prefix: &str) {
    let hub = |name: &str| HubName::new(format!("{prefix}-{name}")).unwrap();
    let (team, ops) = (hub("team"), hub("ops"));
    let (al, alan, bo) = (user("al"), user("alan"), user("bo"));
    // More than DynamoDB takes at once.
    let many: Vec<_> = (0..30).map(|n| member(&hub("many"), &user(&format!("u{n:02}")), "c")).collect();
    hubs.join(&many).await.unwrap();
    assert_eq!(fixture.users(&hub("many")).await.len(), 30);
    hubs.leave(&many[..29]).await.unwrap();
    assert_eq!(fixture.users(&hub("many")).await, [user("u29")]);

    let rows =
        [member(&team, &alan, "1"), member(&team, &bo, "2"), member(&team, &bo, "3"), member(&ops, &bo, "2")];
    hubs.join(&rows).await.unwrap();
    // Once more does no harm.
    hubs.join(&rows[..1]).await.unwrap();
    assert_eq!(fixture.users(&team).await, [alan.clone(), bo.clone()]);
    assert!(hubs.has(&team, &alan).await.unwrap());
    assert!(hubs.has(&team, &bo).await.unwrap());
    // A user whose id another's begins with is not that other.
    assert!(!hubs.has(&team, &al).await.unwrap());
    assert!(!hubs.has(&ops, &alan).await.unwrap());
    assert!(!hubs.has(&hub("empty"), &alan).await.unwrap());

    hubs.leave(&rows[1..2]).await.unwrap();
    hubs.leave(&rows[1..2]).await.unwrap();
    assert!(hubs.has(&team, &bo).await.unwrap(), "another connection is still there");
    hubs.leave(&rows[2..3]).await.unwrap();
    assert!(!hubs.has(&team, &bo).await.unwrap());
    assert!(hubs.has(&ops, &bo).await.unwrap());
    assert_eq!(fixture.users(&team).await, [alan]);
}

/// All that a counter of actions must do. `now` is about the present, since rows expire.
pub async fn rates<L: RateLimits>(rates: &L, prefix: &str, now: Timestamp) {
    let limit = RateLimit { most: 2, per: Duration::from_secs(10) };
    let (user, id) = (user(&format!("{prefix}-rates")), connection(&format!("{prefix}-rates")));
    let take = async |key: RateKey<'_>, after: u64| {
        rates.take(key, limit, now.plus(Duration::from_secs(after))).await.unwrap()
    };
    let wait = |seconds| Some(Duration::from_secs(seconds));
    let (by_user, by_connection) = (RateKey::User(&user), RateKey::Connection(&id));
    assert_eq!(take(by_user, 0).await, None);
    assert_eq!(take(by_user, 1).await, None);
    assert_eq!(take(by_user, 1).await, wait(9));
    assert_eq!(take(by_user, 9).await, wait(1));
    // A connection of the same name is counted by itself.
    assert_eq!(take(by_connection, 9).await, None);
    // The next window begins with the next action.
    assert_eq!(take(by_user, 12).await, None);
    assert_eq!(take(by_user, 21).await, None);
    assert_eq!(take(by_user, 21).await, wait(1));
    assert_eq!(take(by_user, 22).await, None);
}
