//! Tests of the listener against a gateway that misbehaves on purpose.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use contract_connections_v1::FrameFormat;
use contract_frames_v1::{ClientFrame, Delivery, ServerFrame};
use contract_notifications_v1::{NotificationId, Payload, Sequence, Timestamp};
use futures_util::{SinkExt as _, StreamExt as _};
use shared_retry::RetryPolicy;
use tidings_client::{
    ClientError, Credential, Disconnect, Event, Listener, ListenerConfig, ReceivedNotification,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

type Peer = WebSocketStream<TcpStream>;

struct FakeGateway(TcpListener);

impl FakeGateway {
    async fn new() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/ws", listener.local_addr().unwrap());
        (Self(listener), url)
    }

    /// Accepts the next connection and returns it with its request's query.
    async fn accept(&self) -> (Peer, String) {
        let (stream, _) = self.0.accept().await.unwrap();
        let mut query = String::new();
        #[allow(clippy::result_large_err, reason = "the callback's type is given")]
        let peer = tokio_tungstenite::accept_hdr_async(stream, |request: &Request, response: Response| {
            query.push_str(request.uri().query().unwrap_or_default());
            Ok(response)
        })
        .await
        .unwrap();
        (peer, query)
    }

    /// Answers the next handshake with a plain HTTP response.
    async fn refuse(&self, status: &str, body: &str) {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut stream, _) = self.0.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

fn delivery(number: u128) -> Delivery {
    Delivery {
        id: NotificationId::new(format!("n{number}")).unwrap(),
        sequence: Sequence::new(number),
        sent_at: Timestamp::from_millis(1),
        payload: Payload::from_json(&number.to_string()).unwrap(),
        replayed: false,
        kind: None,
        source: None,
    }
}

async fn push(peer: &mut Peer, numbers: impl IntoIterator<Item = u128>) {
    let items = numbers.into_iter().map(delivery).collect();
    peer.send(Message::text(ServerFrame::Notifications { items }.to_json())).await.unwrap();
}

/// Returns the sequences of the next acknowledgement.
async fn acknowledged(peer: &mut Peer) -> Vec<u128> {
    loop {
        if let Message::Text(text) = peer.next().await.unwrap().unwrap() {
            match ClientFrame::from_json(&text).unwrap() {
                ClientFrame::Ack { sequences } => return sequences.iter().map(|s| s.number()).collect(),
                ClientFrame::Ping => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

fn config() -> ListenerConfig {
    ListenerConfig {
        retry: RetryPolicy { initial: Duration::from_millis(1), max: Duration::from_millis(5) },
        ack_batch: 3,
        ack_delay: Duration::from_millis(20),
        ..ListenerConfig::default()
    }
}

fn listen(url: &str, config: ListenerConfig) -> Listener {
    let handshakes = AtomicUsize::new(0);
    let credentials = move || {
        let number = handshakes.fetch_add(1, Ordering::Relaxed);
        async move { Ok(Credential::Token(format!("t{number}"))) }
    };
    Listener::start(url, credentials, config)
}

async fn connected(listener: &mut Listener) {
    assert!(matches!(listener.next().await, Some(Ok(Event::Connected))));
}

async fn number(listener: &mut Listener) -> u128 {
    match listener.next().await {
        Some(Ok(Event::Notification(ReceivedNotification { delivery, out_of_order: false }))) => {
            delivery.sequence.number()
        }
        other => panic!("not a notification in order: {other:?}"),
    }
}

#[tokio::test]
async fn reconnect_uses_new_token_and_drops_duplicates() {
    let (gateway, url) = FakeGateway::new().await;
    let mut listener = listen(&url, config());
    let (mut peer, query) = gateway.accept().await;
    assert_eq!(query, "token=t0&protocol=tidings.v1&acknowledge=true");
    connected(&mut listener).await;
    push(&mut peer, [1, 2]).await;
    assert_eq!(number(&mut listener).await, 1);
    assert_eq!(number(&mut listener).await, 2);
    drop(peer);
    let lost = listener.next().await;
    assert!(matches!(lost, Some(Ok(Event::Disconnected { why: Disconnect::Broken(_), .. }))), "{lost:?}");

    let (mut peer, query) = gateway.accept().await;
    assert_eq!(query, "token=t1&protocol=tidings.v1&acknowledge=true");
    connected(&mut listener).await;
    // The gateway has no acknowledgement of 1 and 2, so it repeats them.
    push(&mut peer, [1, 2, 3]).await;
    assert_eq!(number(&mut listener).await, 3);
    assert_eq!(listener.duplicates(), 2);
    listener.acknowledge();
    let mut acks = Vec::new();
    while !acks.contains(&3) {
        acks.extend(acknowledged(&mut peer).await);
    }
    acks.sort_unstable();
    acks.dedup();
    assert_eq!(acks, [1, 2, 3]);
    let gateway = tokio::spawn(async move { while let Some(Ok(_)) = peer.next().await {} });
    listener.close().await;
    gateway.await.unwrap();
}

#[tokio::test]
async fn only_handled_notifications_are_acknowledged() {
    let (gateway, url) = FakeGateway::new().await;
    let mut listener = listen(&url, ListenerConfig { ack_delay: Duration::from_mins(1), ..config() });
    let (mut peer, _) = gateway.accept().await;
    connected(&mut listener).await;
    push(&mut peer, 1..=5).await;
    for expected in 1..=4 {
        assert_eq!(number(&mut listener).await, expected);
    }
    // The application has handled three, a full batch, and is at work on the fourth.
    assert_eq!(acknowledged(&mut peer).await, [1, 2, 3]);
    let close = tokio::spawn(listener.close());
    // Closing acknowledges the fourth. The application never got the fifth.
    assert_eq!(acknowledged(&mut peer).await, [4]);
    assert!(matches!(peer.next().await, Some(Ok(Message::Close(_)))));
    drop(peer);
    close.await.unwrap();
}

#[tokio::test]
async fn abandoned_notification_is_not_acknowledged() {
    let (gateway, url) = FakeGateway::new().await;
    let mut listener = listen(&url, ListenerConfig { ack_delay: Duration::from_mins(1), ..config() });
    let (mut peer, _) = gateway.accept().await;
    connected(&mut listener).await;
    push(&mut peer, 1..=3).await;
    for expected in 1..=2 {
        assert_eq!(number(&mut listener).await, expected);
    }
    // The application has handled the first, and fails at the second.
    let abandon = tokio::spawn(listener.abandon());
    assert_eq!(acknowledged(&mut peer).await, [1]);
    assert!(matches!(peer.next().await, Some(Ok(Message::Close(_)))));
    drop(peer);
    abandon.await.unwrap();
}

#[tokio::test]
async fn refused_handshake_is_final_and_explained() {
    for status in ["400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found"] {
        let (gateway, url) = FakeGateway::new().await;
        let mut listener = listen(&url, config());
        gateway.refuse(status, r#"{"title":"No","detail":"because"}"#).await;
        let error = listener.next().await.unwrap().unwrap_err();
        let unauthorised = status.starts_with("401") || status.starts_with("403");
        let expected = match &error {
            ClientError::Unauthorised(_) => unauthorised,
            ClientError::Refused(_) => !unauthorised,
            _ => false,
        };
        assert!(expected && error.to_string().contains("because"), "{status}: {error:?}");
        assert!(listener.next().await.is_none());
    }
}

#[tokio::test]
async fn unavailable_gateway_is_retried() {
    let (gateway, url) = FakeGateway::new().await;
    let mut listener = listen(&url, config());
    gateway.refuse("503 Service Unavailable", "").await;
    assert!(matches!(
        listener.next().await,
        Some(Ok(Event::Disconnected { why: Disconnect::Handshake(ClientError::Unavailable { .. }), .. }))
    ));
    let (_peer, _) = gateway.accept().await;
    connected(&mut listener).await;
}

#[tokio::test]
async fn gateway_that_never_answers_ends_in_an_error() {
    let (gateway, url) = FakeGateway::new().await;
    drop(gateway);
    let mut listener = listen(&url, ListenerConfig { first_attempts: 3, ..config() });
    for _ in 0..2 {
        assert!(matches!(listener.next().await, Some(Ok(Event::Disconnected { .. }))));
    }
    assert!(matches!(listener.next().await, Some(Err(ClientError::Unreachable { .. }))));
    assert!(listener.next().await.is_none());
}

#[tokio::test]
async fn silent_connection_is_dropped() {
    let (gateway, url) = FakeGateway::new().await;
    let mut listener = listen(&url, ListenerConfig { ping_interval: Duration::from_millis(20), ..config() });
    // The gateway never reads, so it answers no ping.
    let (_peer, _) = gateway.accept().await;
    connected(&mut listener).await;
    let lost = listener.next().await;
    assert!(matches!(lost, Some(Ok(Event::Disconnected { why: Disconnect::Silent(_), .. }))), "{lost:?}");
}

#[tokio::test]
async fn raw_connection_acknowledges_nothing() {
    let (gateway, url) = FakeGateway::new().await;
    let mut listener = listen(&url, ListenerConfig { format: Some(FrameFormat::Raw), ..config() });
    let (mut peer, query) = gateway.accept().await;
    assert_eq!(query, "token=t0&format=raw");
    connected(&mut listener).await;
    peer.send(Message::text(r#"{"x": 1}"#)).await.unwrap();
    assert!(matches!(listener.next().await, Some(Ok(Event::Raw(text))) if text == r#"{"x": 1}"#));
    let close = tokio::spawn(listener.close());
    assert!(matches!(peer.next().await, Some(Ok(Message::Close(_)))));
    drop(peer);
    close.await.unwrap();
}

#[tokio::test]
async fn unreadable_notification_is_acknowledged_and_reported() {
    let (gateway, url) = FakeGateway::new().await;
    let mut listener = listen(&url, ListenerConfig { ack_batch: 3, ..config() });
    let (mut peer, _) = gateway.accept().await;
    connected(&mut listener).await;
    let item = |n: u128, sent_at: &str| {
        let sequence = Sequence::new(n);
        let head = format!(r#""id":"{n}","sequence":"{sequence}","sentAt":{sent_at}"#);
        format!(r#"{{{head},"payload":{n},"replayed":false}}"#)
    };
    let items = [item(1, "1"), item(2, r#""soon""#), item(3, "1")].join(",");
    peer.send(Message::text(format!(r#"{{"type":"notifications","items":[{items}]}}"#))).await.unwrap();
    for expected in [1, 2, 3] {
        match listener.next().await.unwrap().unwrap() {
            Event::Notification(received) => {
                assert_eq!(received.delivery.sequence, Sequence::new(expected));
                assert_ne!(expected, 2);
            }
            Event::Unreadable { sequence, error } => {
                assert_eq!((sequence, expected), (Some(Sequence::new(2)), 2));
                assert!(error.contains("soon"), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }
    let close = tokio::spawn(listener.close());
    let mut acknowledged = Vec::new();
    while acknowledged.len() < 2 {
        let Some(Ok(Message::Text(text))) = peer.next().await else { continue };
        if let Ok(ClientFrame::Ack { sequences }) = ClientFrame::from_json(&text) {
            acknowledged.extend(sequences);
        }
    }
    assert!(acknowledged.contains(&Sequence::new(2)), "{acknowledged:?}");
    drop(peer);
    close.await.unwrap();
}

#[tokio::test]
async fn slow_application_stops_the_reading() {
    let (gateway, url) = FakeGateway::new().await;
    let mut listener = listen(&url, ListenerConfig { buffer: 2, ..config() });
    let (mut peer, _) = gateway.accept().await;
    push(&mut peer, 1..=100).await;
    push(&mut peer, 101..=102).await;
    // The listener reads only what fits its buffer and queue, and still everything arrives.
    connected(&mut listener).await;
    for expected in 1..=102 {
        assert_eq!(number(&mut listener).await, expected);
    }
}
