//! Suite of the hubs' table for the dispatcher, which reads the members of a broadcast.

use contract_notifications_v1::{HubName, UserId};
use dispatcher::ports::{HubMembers, MembersPage};

use crate::fixture::HubRows;
use crate::rows::user;

/// Runs the suite.
pub async fn all<H: HubMembers, F: HubRows>(members: &H, fixture: &F, prefix: &str) {
    let hub = HubName::new(format!("{prefix}-members")).unwrap();
    let page = async |after: Option<&UserId>, limit: usize| members.page(&hub, after, limit).await.unwrap();
    assert_eq!(page(None, 5).await, MembersPage::default());

    // Several connections of one user are one member, even across the end of a page.
    for (name, connections) in [("a", 1), ("b", 7), ("ba", 1), ("c", 3), ("d", 1)] {
        for n in 0..connections {
            fixture.join(&hub, &user(name), &format!("{name}-{n}")).await;
        }
    }
    let users = |names: &[&str]| names.iter().map(|name| user(name)).collect::<Vec<_>>();
    let expected = |names: &[&str], more| MembersPage { users: users(names), more };
    assert_eq!(page(None, 9).await, expected(&["a", "b", "ba", "c", "d"], false));
    assert_eq!(page(None, 1).await, expected(&["a"], true));
    assert_eq!(page(None, 2).await, expected(&["a", "b"], true));
    assert_eq!(page(Some(&user("b")), 2).await, expected(&["ba", "c"], true));
    assert_eq!(page(Some(&user("c")), 2).await, expected(&["d"], false));
    assert_eq!(page(Some(&user("d")), 2).await, MembersPage::default());
    // A member who has left may be the last of the page before.
    assert_eq!(page(Some(&user("bb")), 9).await, expected(&["c", "d"], false));
}

/// Reads a hub of `count` members page by page.
pub async fn many<H: HubMembers, F: HubRows>(members: &H, fixture: &F, prefix: &str, count: usize) {
    let hub = HubName::new(format!("{prefix}-many-members")).unwrap();
    for n in 0..count {
        fixture.join(&hub, &user(&format!("user-{n:05}")), "c").await;
    }
    let (mut read, mut after) = (Vec::new(), None);
    loop {
        let MembersPage { users, more } = members.page(&hub, after.as_ref(), 7).await.unwrap();
        assert!(users.len() <= 7);
        after = users.last().cloned();
        read.extend(users);
        if !more {
            break;
        }
    }
    let expected: Vec<_> = (0..count).map(|n| user(&format!("user-{n:05}"))).collect();
    assert_eq!(read, expected);
}
