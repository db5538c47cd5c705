//! The edge over ports in memory.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod client_messages;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use contract_connections_v1::{ConnectionId, MemberKey};
use contract_frames_v1::{ErrorCode, ServerFrame};
use contract_history_v1::HistoryKind;
use contract_identity_v1::{AuthenticationMethod, Principal};
use contract_notifications_v1::{FanOut, HubName, Sequence, Timestamp, UserId, Version1};
use shared_ports::Clock;
use world::{Noon, Queued, World};
use ws_edge::{
    ClientInfo, ClientMessagePolicy, ConnectError, ConnectRequest, ConnectionLimit, Edge, EdgeConfig, Excess,
    Inbound, MAX_HANDSHAKE, MessageRequest, RateLimit,
};

type WorldEdge<'a> = Edge<&'a World>;

fn edge_of(world: &World, config: EdgeConfig) -> WorldEdge<'_> {
    Edge {
        connections: world,
        mailbox: world,
        clock: Noon,
        hubs: world,
        message_queue: world,
        rate_limits: world,
        history: world,
        config,
    }
}

fn edge(world: &World) -> WorldEdge<'_> {
    edge_of(world, EdgeConfig::default())
}

fn chat() -> EdgeConfig {
    let everyone = Some(HubName::new("all").unwrap());
    EdgeConfig {
        client_messages: ClientMessagePolicy::SameHub,
        everyone,
        presence: true,
        ..EdgeConfig::default()
    }
}

fn principal(user: &str) -> Principal {
    Principal {
        version: Version1,
        user_id: UserId::new(user).unwrap(),
        username: None,
        method: AuthenticationMethod::Token,
        hubs: Vec::new(),
        expires_at: None,
        source_key: None,
        source_token: None,
    }
}

fn request(connection: &str, query: &[(&str, &str)]) -> ConnectRequest {
    ConnectRequest {
        connection_id: ConnectionId::new(connection),
        query: query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        subprotocols: Vec::new(),
        opened_at: Timestamp::from_millis(7),
        client: ClientInfo { source_ip: "192.0.2.1".to_owned(), user_agent: Some("test".to_owned()) },
        guest_of: None,
    }
}

async fn send(world: &World, user: &str, frame: &str) -> Option<ServerFrame> {
    say(&edge(world), user, frame).await
}

async fn say(edge: &WorldEdge<'_>, user: &str, frame: &str) -> Option<ServerFrame> {
    let connection_id = &ConnectionId::new(user);
    let frame = Inbound::Text(frame);
    let request = MessageRequest { connection_id, request_id: "r", frame, guest_of: None };
    edge.message(&principal(user), request).await
}

/// Connects a user over the connection of the same name.
async fn join(edge: &WorldEdge<'_>, user: &str) {
    edge.connect(&principal(user), request(user, &[])).await.unwrap();
}

#[tokio::test]
async fn user_may_have_several_connections() {
    let world = World::default();
    for connection in ["a", "b"] {
        edge(&world).connect(&principal("jo"), request(connection, &[])).await.unwrap();
    }
    assert_eq!(world.connections.lock().unwrap().len(), 2);
    let (jo, a) = (principal("jo"), ConnectionId::new("a"));
    edge(&world).disconnect(&jo, &a, Timestamp::from_millis(7)).await.unwrap();
    // A repeated disconnect succeeds.
    edge(&world).disconnect(&jo, &a, Timestamp::from_millis(7)).await.unwrap();
    let rows: Vec<_> = world.connections.lock().unwrap().values().cloned().collect();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].connection_id.as_str(), "b");
    assert_eq!(rows[0].connected_at, Noon.now());
}

#[tokio::test]
async fn refused_or_failed_handshake_leaves_no_row() {
    let world = World::default();
    let refused =
        edge(&world).connect(&principal("jo"), request("a", &[("format", "x")])).await.err().unwrap();
    assert_eq!(refused.status(), 400);
    assert!(refused.to_string().contains("single"), "{refused}");
    world.down.store(true, Ordering::SeqCst);
    let failed = edge(&world).connect(&principal("jo"), request("a", &[])).await.err().unwrap();
    assert_eq!((failed.status(), failed.to_string().as_str()), (500, "the connection could not be stored"));
    assert!(world.connections.lock().unwrap().is_empty());
}

/// A clock that goes on by this many milliseconds whenever it is read.
struct Steps {
    step: u64,
    now: AtomicU64,
}

impl Clock for Steps {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.fetch_add(self.step, Ordering::SeqCst) + self.step)
    }

    async fn sleep(&self, _: Duration) {}
}

/// The dispatcher takes a connection for gone that is not open when its grace is over.
#[tokio::test]
async fn slow_handshake_is_refused_and_undone() {
    for (step, status) in [(3_000, None), (3_001, Some(503))] {
        let world = World::default();
        let clock = Steps { step, now: AtomicU64::new(0) };
        let config = EdgeConfig { max_handshake: Some(MAX_HANDSHAKE), ..EdgeConfig::default() };
        let edge = Edge::new(&world, &world, clock, config);
        let connected = edge.connect(&principal("jo"), request("a", &[])).await;
        assert_eq!(connected.as_ref().err().map(ConnectError::status), status);
        assert_eq!(world.connections.lock().unwrap().is_empty(), status.is_some());
        if let Ok(admission) = connected {
            // The second reading: just before the row was stored.
            assert_eq!(admission.row.connected_at, Timestamp::from_millis(2 * step));
        }
    }
}

#[tokio::test]
async fn repeatable_ack_clears_only_the_users_own_rows() {
    let world = World::default();
    for user in ["jo", "al"] {
        for number in 1..=2 {
            world.held.lock().unwrap().insert((UserId::new(user).unwrap(), Sequence::new(number)));
        }
    }
    for _ in 0..2 {
        let answer = send(&world, "jo", r#"{"action":"ack","sequences":["1","2","9"]}"#).await;
        assert_eq!(answer, Some(ServerFrame::AckOk { acknowledged: 3 }));
    }
    let left: Vec<_> = world.held.lock().unwrap().iter().map(|(user, _)| user.to_string()).collect();
    assert_eq!(left, ["al", "al"]);
}

#[tokio::test]
async fn failed_ack_is_answered_and_loses_nothing() {
    let world = World::default();
    world.held.lock().unwrap().insert((UserId::new("jo").unwrap(), Sequence::new(1)));
    world.down.store(true, Ordering::SeqCst);
    let ack = r#"{"action":"ack","sequences":["1"]}"#;
    let Some(ServerFrame::Error { code, request_id, .. }) = send(&world, "jo", ack).await else {
        panic!("no error frame")
    };
    assert_eq!((code, request_id.as_str()), (ErrorCode::Internal, "r"));
    assert_eq!(world.held.lock().unwrap().len(), 1);
    world.down.store(false, Ordering::SeqCst);
    assert_eq!(send(&world, "jo", ack).await, Some(ServerFrame::AckOk { acknowledged: 1 }));
    assert!(world.held.lock().unwrap().is_empty());
}

#[tokio::test]
async fn refused_frame_is_answered_with_its_request_id() {
    let world = World::default();
    let answer = send(&world, "jo", r#"{"action":"dance"}"#).await;
    let Some(ServerFrame::Error { code: ErrorCode::UnknownAction, request_id, .. }) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(request_id, "r");
    assert_eq!(
        send(&world, "jo", r#"{"action":"ping"}"#).await,
        Some(ServerFrame::Pong { message: None, heartbeat: None })
    );
}

#[tokio::test]
async fn connection_joins_and_leaves_its_hubs() {
    let world = World::default();
    let edge = edge_of(&world, chat());
    let jo = Principal { hubs: vec!["team".to_owned()], ..principal("jo") };
    edge.connect(&jo, request("a", &[])).await.unwrap();
    edge.connect(&jo, request("b", &[])).await.unwrap();
    let hubs =
        || world.members.lock().unwrap().iter().map(|(hub, key)| format!("{hub} {key}")).collect::<Vec<_>>();
    assert_eq!(hubs(), ["all jo a", "all jo b", "team jo a", "team jo b"]);
    edge.disconnect(&jo, &ConnectionId::new("a"), Timestamp::from_millis(7)).await.unwrap();
    assert_eq!(hubs(), ["all jo b", "team jo b"]);
    edge.disconnect(&jo, &ConnectionId::new("b"), Timestamp::from_millis(7)).await.unwrap();
    assert!(hubs().is_empty());
    // Each hub is notified of the user's first connection and of the end of the last.
    let queued: Vec<_> = world.queued.lock().unwrap().drain(..).collect();
    let notices: Vec<_> = queued
        .into_iter()
        .map(|queued| match queued {
            Queued::Broadcast(FanOut { hub, payload, .. }) => {
                let payload: serde_json::Value = serde_json::from_str(payload.get()).unwrap();
                format!("{hub} {}", payload["presence"])
            }
            Queued::Notification(notification) => panic!("{notification:?}"),
        })
        .collect();
    assert_eq!(notices, [r#"all "joined""#, r#"team "joined""#, r#"all "left""#, r#"team "left""#]);
}

/// Each sees the other's row, because both were stored before either looked.
#[tokio::test]
async fn one_of_simultaneous_connections_is_announced() {
    for (first, second) in [("a", "b"), ("b", "a")] {
        let world = World::default();
        let edge = edge_of(&world, chat());
        edge.connect(&principal("jo"), request(first, &[])).await.unwrap();
        world.queued.lock().unwrap().clear();
        edge.connect(&principal("jo"), request(second, &[])).await.unwrap();
        let announced = world.queued.lock().unwrap().len();
        assert_eq!(announced, usize::from(second < first), "{second} beside {first}");
    }
}

#[tokio::test]
async fn handshake_over_the_limit_leaves_no_rows() {
    let world = World::default();
    let limit = ConnectionLimit { most: 1, excess: Excess::RefuseNewest };
    let edge = edge_of(&world, EdgeConfig { max_connections: Some(limit), ..chat() });
    join(&edge, "jo").await;
    let error = edge.connect(&principal("jo"), request("second", &[])).await.err().unwrap();
    assert_eq!(error.status(), 429);
    assert!(error.to_string().contains("already have 1 open"), "{error}");
    assert_eq!((world.connections.lock().unwrap().len(), world.members.lock().unwrap().len()), (1, 1));
}

#[tokio::test]
async fn oldest_connection_is_closed_over_the_limit() {
    let world = World::default();
    let limit = ConnectionLimit { most: 1, excess: Excess::CloseOldest };
    let edge = edge_of(&world, EdgeConfig { max_connections: Some(limit), ..EdgeConfig::default() });
    for id in ["a", "b"] {
        edge.connect(&principal("jo"), request(id, &[])).await.unwrap();
    }
    // Both connected at noon: the new connection counts as the newest.
    assert_eq!(*world.closed.lock().unwrap(), ["a"]);
    assert_eq!(world.connections.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn arrival_beyond_the_rate_is_refused_and_undone() {
    let world = World::default();
    let rate = Some(RateLimit { most: 2, per: Duration::from_mins(1) });
    let edge = edge_of(&world, EdgeConfig { arrival_rate: rate, ..chat() });
    for _ in 0..2 {
        edge.connect(&principal("jo"), request("a", &[])).await.unwrap();
        // A further connection is no arrival.
        edge.connect(&principal("jo"), request("b", &[])).await.unwrap();
        for id in ["a", "b"] {
            edge.disconnect(&principal("jo"), &ConnectionId::new(id), Timestamp::default()).await.unwrap();
        }
    }
    world.queued.lock().unwrap().clear();
    let error = edge.connect(&principal("jo"), request("a", &[])).await.err().unwrap();
    assert_eq!(error.status(), 429);
    assert!(error.to_string().contains("2 times in 60s"), "{error}");
    let rows = (world.connections.lock().unwrap().len(), world.members.lock().unwrap().len());
    assert_eq!((rows, world.queued.lock().unwrap().len()), ((0, 0), 0));
}

#[tokio::test]
async fn expired_credential_closes_the_connection() {
    let world = World::default();
    let edge = edge_of(&world, EdgeConfig { close_when_expired: true, ..EdgeConfig::default() });
    let expired = Principal { expires_at: Some(Noon.now()), ..principal("jo") };
    let connection_id = &ConnectionId::new("c");
    let frame = Inbound::Text(r#"{"action":"ping"}"#);
    let request = MessageRequest { connection_id, request_id: "r", frame, guest_of: None };
    let answer = edge.message(&expired, request).await;
    assert!(matches!(answer, Some(ServerFrame::Error { code: ErrorCode::Forbidden, .. })), "{answer:?}");
    assert_eq!(*world.closed.lock().unwrap(), ["c"]);
}

#[tokio::test]
async fn only_the_user_reads_its_recorded_sessions() {
    let world = World { sessions: Some(Mutex::default()), ..World::default() };
    let edge = edge(&world);
    join(&edge, "jo").await;
    join(&edge, "al").await;
    edge.disconnect(&principal("jo"), &ConnectionId::new("jo"), Timestamp::from_millis(7)).await.unwrap();
    let answer = say(&edge, "jo", r#"{"action":"history","of":"sessions"}"#).await;
    let Some(ServerFrame::History { of: HistoryKind::Sessions, items, next: Some(_) }) = answer else {
        panic!("{answer:?}")
    };
    let [item] = &items[..] else { panic!("{items:?}") };
    let session: serde_json::Value = serde_json::from_str(item.get()).unwrap();
    assert_eq!((&session["connectionId"], &session["sourceIp"]), (&"jo".into(), &"192.0.2.1".into()));
    assert_eq!(session["durationMs"], 43_200_000 - 7);
    let nothing = ServerFrame::History { of: HistoryKind::Messages, items: Vec::new(), next: None };
    assert_eq!(say(&edge, "jo", r#"{"action":"history"}"#).await, Some(nothing));
    for (frame, code) in [
        (r#"{"action":"history","before":"nonsense"}"#, ErrorCode::BadRequest),
        (r#"{"action":"history"}"#, ErrorCode::Internal),
    ] {
        world.down.store(code == ErrorCode::Internal, Ordering::SeqCst);
        let answer = say(&edge, "jo", frame).await;
        assert!(
            matches!(&answer, Some(ServerFrame::Error { code: found, .. }) if *found == code),
            "{answer:?}"
        );
    }
}

/// The budget for recording ends at once, because the clock's sleeps do.
#[tokio::test]
async fn hanging_history_does_not_delay_a_handshake() {
    let world = World { sessions: Some(Mutex::default()), history_hangs: true, ..World::default() };
    join(&edge(&world), "jo").await;
    assert_eq!(world.connections.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn history_request_without_a_history_is_refused() {
    let answer = send(&World::default(), "jo", r#"{"action":"history"}"#).await;
    assert!(matches!(answer, Some(ServerFrame::Error { code: ErrorCode::Forbidden, .. })), "{answer:?}");
}

/// Returns the users of the answer to a `members` frame, and its `next`.
async fn members(edge: &WorldEdge<'_>, user: &str, query: &str) -> (Vec<String>, Option<String>) {
    match say(edge, user, query).await {
        Some(ServerFrame::Members { users, next, .. }) => {
            (users.iter().map(ToString::to_string).collect(), next.map(|next| next.to_string()))
        }
        other => panic!("{other:?}"),
    }
}

/// Makes a user a member by the operator's configuration.
fn configure_member(world: &World, hub: &str, user: &str) {
    let member = MemberKey { user_id: UserId::new(user).unwrap(), connection_id: None };
    world.members.lock().unwrap().insert((HubName::new(hub).unwrap(), member));
}

#[tokio::test]
async fn members_are_listed_page_by_page() {
    let world = World::default();
    let edge = edge_of(&world, chat());
    for user in ["jo", "al", "bo"] {
        join(&edge, user).await;
    }
    edge.connect(&principal("jo"), request("another", &[])).await.unwrap();
    let everybody = (["al", "bo", "jo"].map(str::to_owned).to_vec(), None);
    assert_eq!(members(&edge, "jo", r#"{"action":"members"}"#).await, everybody);
    let first = (vec!["al".to_owned(), "bo".to_owned()], Some("bo".to_owned()));
    assert_eq!(members(&edge, "jo", r#"{"action":"members","hub":"all","limit":2}"#).await, first);
    let rest = (vec!["jo".to_owned()], None);
    assert_eq!(members(&edge, "al", r#"{"action":"members","after":"bo","limit":2}"#).await, rest);
    edge.disconnect(&principal("bo"), &ConnectionId::new("bo"), Timestamp::from_millis(7)).await.unwrap();
    edge.disconnect(&principal("jo"), &ConnectionId::new("jo"), Timestamp::from_millis(7)).await.unwrap();
    let left = (["al", "jo"].map(str::to_owned).to_vec(), None);
    assert_eq!(members(&edge, "al", r#"{"action":"members"}"#).await, left, "jo has another connection");
}

/// The rows of configured members exist even while their users are offline.
#[tokio::test]
async fn configured_member_is_listed_while_connected() {
    let world = World::default();
    let edge = edge_of(&world, chat());
    for user in ["al", "bo", "jo"] {
        configure_member(&world, "team", user);
    }
    let team = r#"{"action":"members","hub":"team","limit":2}"#;
    // Neither of the first two is connected, and more members follow.
    assert_eq!(members(&edge, "jo", team).await, (Vec::new(), Some("bo".to_owned())));
    for user in ["bo", "jo"] {
        join(&edge, user).await;
    }
    assert_eq!(members(&edge, "jo", team).await, (vec!["bo".to_owned()], Some("bo".to_owned())));
    for row in world.connections.lock().unwrap().values_mut().filter(|row| row.user_id.as_str() == "bo") {
        row.ttl = Noon.now().ttl_seconds();
    }
    assert_eq!(
        members(&edge, "jo", team).await,
        (Vec::new(), Some("bo".to_owned())),
        "the row of bo's connection has expired"
    );
}

#[tokio::test]
async fn only_members_may_list_a_hub() {
    let world = World::default();
    let refusal =
        async |config: EdgeConfig, frame: &str| match say(&edge_of(&world, config), "jo", frame).await {
            Some(ServerFrame::Error { code, message, .. }) => (code, message),
            other => panic!("{other:?}"),
        };
    configure_member(&world, "team", "al");
    let (code, message) = refusal(chat(), r#"{"action":"members","hub":"team"}"#).await;
    assert!(code == ErrorCode::Forbidden && message.contains(r#"not in the hub "team""#), "{message}");
    let (code, _) = refusal(EdgeConfig::default(), r#"{"action":"members"}"#).await;
    assert_eq!(code, ErrorCode::Forbidden);
    let none = RateLimit { most: 0, per: Duration::from_secs(1) };
    let limited = EdgeConfig { user_rate: Some(none), ..chat() };
    let (code, _) = refusal(limited, r#"{"action":"members"}"#).await;
    assert_eq!(code, ErrorCode::TooManyRequests);
    world.down.store(true, Ordering::SeqCst);
    let (code, message) = refusal(chat(), r#"{"action":"members"}"#).await;
    assert!(code == ErrorCode::Internal && message.contains("try again"), "{message}");
}
