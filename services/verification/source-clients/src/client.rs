//! A WebSocket client that sends and receives texts.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderName;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::timeout::TIMEOUT;

/// An open connection.
#[derive(Debug)]
pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    /// Opens a connection, with `headers` of its own in the handshake.
    ///
    /// # Errors
    /// The HTTP status with which the handshake is refused.
    pub async fn open(url: &str, headers: &[(&str, &str)]) -> Result<Self, u16> {
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let opened = tokio::time::timeout(TIMEOUT, connect_async(request)).await;
        match opened.expect("the handshake is answered in time") {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }

    /// Sends a message.
    pub async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// Returns the next message.
    pub async fn receive(&mut self) -> String {
        loop {
            let message = tokio::time::timeout(TIMEOUT, self.socket.next());
            match message.await.expect("a message comes in time").expect("the connection is open").unwrap() {
                Message::Text(text) => return text.to_string(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Returns all messages up to the first that contains `marker`. Messages of other scenarios may be among
    /// them.
    pub async fn receive_until(&mut self, marker: &str) -> Vec<String> {
        let mut messages = Vec::new();
        loop {
            messages.push(self.receive().await);
            if messages.last().is_some_and(|last| last.contains(marker)) {
                return messages;
            }
        }
    }

    /// Returns the next message that contains `marker`.
    pub async fn receive_with(&mut self, marker: &str) -> String {
        self.receive_until(marker).await.pop().unwrap()
    }

    /// Returns the next message that is JSON with `value` at `key`.
    pub async fn receive_where(&mut self, key: &str, value: &str) -> Value {
        loop {
            let message: Value = serde_json::from_str(&self.receive().await).unwrap_or_default();
            if message[key] == value {
                return message;
            }
        }
    }

    /// Closes the connection and waits until the gateway has closed it too.
    pub async fn close(mut self) {
        self.socket.close(None).await.unwrap();
        while let Some(Ok(_)) = self.socket.next().await {}
    }
}
