//! The routes by which operators look up live metrics, users and notifications.

use std::convert::identity;
use std::sync::Arc;

use contract_notifications_v1::{NotificationId, Sequence, UserId};
use dispatcher::core::ConnectionSet;
use dispatcher::ports::{Mailbox as _, MailboxRow};
use shared_ports::PortError;
use tidings_gateway::server::{Inspection, Ports};
use tidings_gateway::timeline::Timeline;
use tidings_gateway::tracking::MAX_TRACKED;
use tidings_store::{MailboxView, SEARCH_LIMIT};
use verification_conformance::{notification, user};

use crate::test_server::{replace, start, start_replacing, start_without_metrics};

const TIMELINE: &str = "/v1/users/jo/notifications/n1";

#[tokio::test]
async fn user_is_shown_with_connections_and_mailbox() {
    let mut server = start();
    let rows = (1..=SEARCH_LIMIT as u64 + 1).map(|n| MailboxRow {
        sequence: Sequence::new(n.into()),
        notification: Arc::new(notification(&user("jo"), n)),
        pushed_to: ConnectionSet::new(),
    });
    server.store.put(&user("jo"), rows.collect()).await.unwrap();
    let (_first, first) = server.connect_with("jo", "&acknowledge=true").await;
    let (_second, second) = server.connect_with("jo", "&format=raw").await;
    server.until_connections("jo", 2).await;
    let answer = server.get("/v1/users/jo").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let user = answer.json();
    let ids: Vec<_> = [first, second].iter().map(|key| key.connection_id.to_string()).collect();
    let connections = user["connections"].as_array().unwrap();
    let shown: Vec<_> = connections.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    assert!(ids.iter().all(|id| shown.contains(id)), "{user}");
    let raw = connections.iter().find(|one| one["format"] == "raw").unwrap();
    assert_eq!((&raw["acknowledges"], &raw["waitingBytes"]), (&false.into(), &0.into()));
    assert_eq!(raw["sourceIp"], "127.0.0.1");
    assert_eq!((&user["mailbox"]["count"], &user["mailbox"]["more"]), (&SEARCH_LIMIT.into(), &true.into()));
    assert_eq!(user["mailbox"]["first"].as_array().unwrap().len(), 20);
    assert_eq!(user["history"], false);
}

#[tokio::test]
async fn lookups_require_the_api_key() {
    let server = start();
    let strange = ["authorization: Bearer another"];
    let key = format!("authorization: Bearer {}", server.key);
    for (method, path) in [
        ("GET", "/v1/users/jo"),
        ("GET", TIMELINE),
        ("POST", TIMELINE),
        ("GET", "/v1/live-metrics"),
        ("GET", "/v1/figures"),
    ] {
        server.send(method, path, &strange, b"").await.require_problem(403, &["API key"]);
        let none = ["authorization: Basic x"];
        server.send(method, path, &none, b"").await.require_problem(401, &["credential"]);
        assert_eq!(server.send(method, path, &[&key], b"").await.status, 200);
    }
}

/// The runtime's inspection, except that no mailbox can be read.
struct NoMailbox(<tidings_gateway::runtime::RuntimePorts as Ports>::Inspection);

impl Inspection for NoMailbox {
    async fn mailbox(&self, _: &UserId, _: usize) -> Result<MailboxView, PortError> {
        Err(PortError::retryable("reading a mailbox", "down"))
    }

    async fn timeline(&self, user: &UserId, id: &NotificationId) -> Result<Timeline, PortError> {
        self.0.timeline(user, id).await
    }

    fn track(&self, user: &UserId, id: &NotificationId) -> bool {
        self.0.track(user, id)
    }
}

#[tokio::test]
async fn invalid_lookups_are_refused() {
    let server = start();
    server.get("/v1/users/j%09o").await.require_problem(400, &["user id", "allowed"]);
    server.get("/v1/users/jo/notifications/n%201").await.require_problem(400, &["notification id"]);
    server.get("/v1/live-metrics?after=x").await.require_problem(400, &["\"after\""]);
    for n in 0..MAX_TRACKED {
        assert_eq!(server.post(&format!("/v1/users/many/notifications/n{n}"), "").await.status, 200);
    }
    server.post(TIMELINE, "").await.require_problem(429, &["two minutes"]);
    server.send("DELETE", TIMELINE, &[], b"").await.require_problem(405, &["Allow"]);
}

#[tokio::test]
async fn lookups_that_fail_have_their_error() {
    let server = start_without_metrics();
    server.get("/v1/live-metrics?after=0").await.require_problem(503, &["metrics"]);
    let server = start_replacing(|real, _| replace(real, identity, identity, identity, NoMailbox, identity));
    server.get("/v1/users/jo").await.require_problem(503, &["try again"]);
}
