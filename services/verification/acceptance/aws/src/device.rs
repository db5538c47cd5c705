//! A user's WebSocket client.

use std::collections::VecDeque;
use std::time::Duration;

use contract_frames_v1::{Delivery, ServerFrame};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Time after which a test gives up waiting. No test passes or fails by a wait that is shorter.
const TIMEOUT: Duration = Duration::from_mins(2);

/// An open connection.
pub struct Device {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    waiting: VecDeque<Delivery>,
}

impl Device {
    /// Opens a connection.
    ///
    /// # Errors
    /// The handshake fails or is refused.
    pub async fn open(url: &str) -> Result<Self, Error> {
        let (socket, _) = connect_async(url).await?;
        Ok(Self { socket, waiting: VecDeque::new() })
    }

    /// Returns the next notification, skipping answers to acks.
    pub async fn next(&mut self) -> Delivery {
        loop {
            if let Some(delivery) = self.waiting.pop_front() {
                return delivery;
            }
            match ServerFrame::from_json(&self.frame().await).unwrap() {
                ServerFrame::Notification(delivery) => return delivery,
                ServerFrame::Notifications { items } => self.waiting.extend(items),
                ServerFrame::AckOk { .. } => {}
                other => panic!("not a notification: {other:?}"),
            }
        }
    }

    /// Returns the next text frame.
    pub async fn frame(&mut self) -> String {
        loop {
            let message = tokio::time::timeout(TIMEOUT, self.socket.next());
            match message.await.expect("a frame comes in time").expect("the connection is open").unwrap() {
                Message::Text(text) => return text.to_string(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: &Value) {
        self.socket.send(Message::text(frame.to_string())).await.unwrap();
    }
}
