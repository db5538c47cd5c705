//! Suites of the hubs' table and the rate limits for the edge.

use std::time::Duration;

use contract_connections_v1::{HubMember, MemberKey};
use contract_notifications_v1::{HubName, Timestamp, UserId, Version1};
use ws_edge::RateLimit;
use ws_edge::ports::{Counted, HubPage, Hubs, Member, RateKey, RateLimits};

use crate::fixture::HubRows;
use crate::rows::{connection, user};

/// Makes a row of the hubs' table.
pub fn member(hub: &HubName, user: &UserId, id: &str) -> HubMember {
    let member = MemberKey { user_id: user.clone(), connection_id: Some(connection(id)) };
    HubMember { version: Version1, hub: hub.clone(), member, ttl: Some(4_102_444_800) }
}

/// Runs the suite of the hubs' table, except for its pages.
pub async fn all<H: Hubs, F: HubRows>(hubs: &H, fixture: &F, prefix: &str) {
    let hub = |name: &str| HubName::new(format!("{prefix}-{name}")).unwrap();
    let (team, ops) = (hub("team"), hub("ops"));
    let (al, alan, bo) = (user("al"), user("alan"), user("bo"));
    // More rows than one request to DynamoDB may have.
    let many: Vec<_> = (0..30).map(|n| member(&hub("many"), &user(&format!("u{n:02}")), "c")).collect();
    hubs.join(&many).await.unwrap();
    assert_eq!(fixture.users(&hub("many")).await.len(), 30);
    hubs.leave(&many[..29]).await.unwrap();
    assert_eq!(fixture.users(&hub("many")).await, [user("u29")]);

    let rows =
        [member(&team, &alan, "1"), member(&team, &bo, "2"), member(&team, &bo, "3"), member(&ops, &bo, "2")];
    hubs.join(&rows).await.unwrap();
    // Joining again changes nothing.
    hubs.join(&rows[..1]).await.unwrap();
    assert_eq!(fixture.users(&team).await, [alan.clone(), bo.clone()]);
    assert!(hubs.has(&team, &alan).await.unwrap());
    assert!(hubs.has(&team, &bo).await.unwrap());
    // A user is not taken for another whose id begins with the user's.
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

/// Runs the suite of pages of members. `expires` is true for a table whose rows expire, which they must if
/// nothing else removes the rows of connections that are gone.
pub async fn pages<H: Hubs>(hubs: &H, prefix: &str, now: Timestamp, expires: bool) {
    let hub = HubName::new(format!("{prefix}-pages")).unwrap();
    let page = async |after: Option<&str>, limit: usize| {
        hubs.members(&hub, after.map(user).as_ref(), limit, now).await.unwrap()
    };
    assert_eq!(page(None, 5).await, HubPage::default());

    // Several connections of one user are one member, even across the end of a page.
    let connections = [("a", 1), ("b", 7), ("ba", 1), ("c", 3), ("d", 1)];
    let of = |name: &str, n: u8| member(&hub, &user(name), &format!("{name}-{n}"));
    let rows = connections.into_iter().flat_map(|(name, most)| (0..most).map(move |n| of(name, n)));
    // Members by configuration: before all others, behind them and among them, with a connection or without.
    let decided = ["A", "ba", "bb", "e"].map(|name| {
        let member = MemberKey { user_id: user(name), connection_id: None };
        HubMember { version: Version1, hub: hub.clone(), member, ttl: None }
    });
    hubs.join(&rows.chain(decided).collect::<Vec<_>>()).await.unwrap();
    let expected = |names: &[&str], more| {
        let member = |name: &&str| Member { user_id: user(name), joined: !["A", "bb", "e"].contains(name) };
        HubPage { members: names.iter().map(member).collect(), more }
    };
    let everybody = ["A", "a", "b", "ba", "bb", "c", "d", "e"];
    assert_eq!(page(None, 9).await, expected(&everybody, false));
    assert_eq!(page(None, 8).await, expected(&everybody, false));
    assert_eq!(page(None, 1).await, expected(&["A"], true));
    assert_eq!(page(None, 3).await, expected(&["A", "a", "b"], true));
    assert_eq!(page(Some("b"), 2).await, expected(&["ba", "bb"], true));
    assert_eq!(page(Some("bb"), 3).await, expected(&["c", "d", "e"], false));
    assert_eq!(page(Some("e"), 3).await, HubPage::default());
    // A member who has left may be the last of the page before.
    assert_eq!(page(Some("bc"), 1).await, expected(&["c"], true));

    let gone = HubMember { ttl: Some(now.millis() / 1000), ..member(&hub, &user("f"), "f") };
    let last = HubMember { ttl: Some(now.millis() / 1000 + 1), ..member(&hub, &user("g"), "g") };
    hubs.join(&[gone, last]).await.unwrap();
    let found = page(Some("e"), 9).await;
    assert_eq!(found, expected(if expires { &["g"] } else { &["f", "g"] }, false));
}

/// Runs the suite of rate limits. `now` must be about the present, because rows expire.
pub async fn rates<L: RateLimits>(rates: &L, prefix: &str, now: Timestamp) {
    let limit = RateLimit { most: 2, per: Duration::from_secs(10) };
    let (user, id) = (user(&format!("{prefix}-rates")), connection(&format!("{prefix}-rates")));
    let take = async |key: RateKey<'_>, after: u64| {
        rates.take(key, limit, 1, now.plus(Duration::from_secs(after))).await.unwrap()
    };
    let wait = |seconds| Some(Duration::from_secs(seconds));
    let (by_user, by_connection) = (RateKey::User(Counted::Actions, &user), RateKey::Connection(&id));
    assert_eq!(take(by_user, 0).await, None);
    assert_eq!(take(by_user, 1).await, None);
    assert_eq!(take(by_user, 1).await, wait(9));
    assert_eq!(take(by_user, 9).await, wait(1));
    // A connection with the same name is counted separately.
    assert_eq!(take(by_connection, 9).await, None);
    // The next window begins with the next action.
    assert_eq!(take(by_user, 12).await, None);
    assert_eq!(take(by_user, 21).await, None);
    assert_eq!(take(by_user, 21).await, wait(1));
    assert_eq!(take(by_user, 22).await, None);

    let bytes = RateLimit { most: 100, per: Duration::from_secs(10) };
    let take = async |key: RateKey<'_>, amount: u32, after: u64| {
        rates.take(key, bytes, amount, now.plus(Duration::from_secs(after))).await.unwrap()
    };
    let sent = RateKey::User(Counted::Bytes, &user);
    assert_eq!(take(sent, 60, 0).await, None);
    assert_eq!(take(sent, 41, 1).await, wait(9));
    assert_eq!(take(sent, 40, 1).await, None);
    assert_eq!(take(sent, 1, 2).await, wait(8));
    let messages = [Counted::Recipients, Counted::HubMembers, Counted::Arrivals, Counted::Held];
    let more = [Counted::Acknowledgements, Counted::Mailbox];
    let of_user = messages.into_iter().chain(more).map(|counted| RateKey::User(counted, &user));
    let of_guests = |counted| RateKey::Guests(counted, [192, 0, 2, 1].into());
    let of_guests = messages.into_iter().chain([Counted::Bytes]).map(of_guests);
    for other in of_user.chain(of_guests) {
        // More than the limit takes a window of its own.
        assert_eq!(take(other, 1_000, 2).await, None, "{other:?} is counted separately");
        assert_eq!(take(other, 1, 3).await, wait(9));
    }
}
