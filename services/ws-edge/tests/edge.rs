//! The edge over tables in memory.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contract_connections_v1::{Connection, ConnectionId, ConnectionKey};
use contract_frames_v1::{ErrorCode, ServerFrame};
use contract_identity_v1::{Method, Principal};
use contract_notifications_v1::{Sequence, Timestamp, UserId, Version1};
use shared_ports::{Clock, PortError};
use ws_edge::ports::{Connections, Mailbox};
use ws_edge::{ConnectRequest, Edge, EdgeConfig, Inbound, MessageRequest};

#[derive(Default)]
struct World {
    connections: Mutex<HashMap<ConnectionKey, Connection>>,
    held: Mutex<BTreeSet<(UserId, Sequence)>>,
    down: AtomicBool,
}

impl World {
    fn up(&self) -> Result<(), PortError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(PortError::retryable("writing", "down"));
        }
        Ok(())
    }
}

impl Connections for &World {
    async fn put(&self, row: &Connection) -> Result<(), PortError> {
        self.up()?;
        self.connections.lock().unwrap().insert(row.into(), row.clone());
        Ok(())
    }

    async fn delete(&self, key: &ConnectionKey) -> Result<(), PortError> {
        self.up()?;
        self.connections.lock().unwrap().remove(key);
        Ok(())
    }
}

impl Mailbox for &World {
    async fn acknowledge(&self, user: &UserId, sequences: &[Sequence]) -> Result<(), PortError> {
        self.up()?;
        let mut held = self.held.lock().unwrap();
        for sequence in sequences {
            held.remove(&(user.clone(), *sequence));
        }
        Ok(())
    }
}

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(43_200_000)
    }

    async fn sleep(&self, _: Duration) {}
}

fn edge(world: &World) -> Edge<&World, &World, Noon> {
    Edge::new(world, world, Noon, EdgeConfig::default())
}

fn principal(user: &str) -> Principal {
    Principal {
        version: Version1,
        user_id: UserId::new(user).unwrap(),
        username: None,
        method: Method::Token,
        hubs: Vec::new(),
        expires_at: None,
    }
}

fn request(connection: &str, query: &[(&str, &str)]) -> ConnectRequest {
    ConnectRequest {
        connection_id: ConnectionId::new(connection),
        query: query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        subprotocols: Vec::new(),
    }
}

async fn send(world: &World, user: &str, frame: &str) -> Option<ServerFrame> {
    let connection_id = &ConnectionId::new("c");
    let request = MessageRequest { connection_id, request_id: "r", frame: Inbound::Text(frame) };
    edge(world).message(&principal(user), request).await
}

#[tokio::test]
async fn connections_come_and_go_and_a_user_may_have_many() {
    let world = World::default();
    for connection in ["a", "b"] {
        edge(&world).connect(&principal("jo"), request(connection, &[])).await.unwrap();
    }
    assert_eq!(world.connections.lock().unwrap().len(), 2);
    let key = ConnectionKey { user_id: UserId::new("jo").unwrap(), connection_id: ConnectionId::new("a") };
    edge(&world).disconnect(&key).await.unwrap();
    // Once more does no harm.
    edge(&world).disconnect(&key).await.unwrap();
    let rows: Vec<_> = world.connections.lock().unwrap().values().cloned().collect();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].connection_id.as_str(), "b");
    assert_eq!(rows[0].connected_at, Noon.now());
}

#[tokio::test]
async fn a_refused_or_failed_handshake_leaves_no_row() {
    let world = World::default();
    let refused = edge(&world).connect(&principal("jo"), request("a", &[("format", "x")])).await.unwrap_err();
    assert_eq!(refused.status(), 400);
    assert!(refused.to_string().contains("single"), "{refused}");
    world.down.store(true, Ordering::SeqCst);
    let failed = edge(&world).connect(&principal("jo"), request("a", &[])).await.unwrap_err();
    assert_eq!((failed.status(), failed.to_string().as_str()), (500, "the connection could not be stored"));
    assert!(world.connections.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_ack_clears_only_the_users_own_rows_and_may_be_repeated() {
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
async fn a_failed_ack_is_answered_and_loses_nothing() {
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
async fn a_refused_frame_is_answered_with_its_request() {
    let world = World::default();
    let answer = send(&world, "jo", r#"{"action":"dance"}"#).await;
    let Some(ServerFrame::Error { code: ErrorCode::UnknownAction, request_id, .. }) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(request_id, "r");
    assert_eq!(send(&world, "jo", r#"{"action":"ping"}"#).await, Some(ServerFrame::Pong));
}
