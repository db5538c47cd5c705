//! A client of few words: what it sends and what it gets is text.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderName;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::PATIENCE;

/// An open connection.
#[derive(Debug)]
pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    /// Opens a connection, as a program does that adds `headers` of its own.
    ///
    /// # Errors
    /// The status of an answer that refuses it.
    pub async fn open(url: &str, headers: &[(&str, &str)]) -> Result<Self, u16> {
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let opened = tokio::time::timeout(PATIENCE, connect_async(request)).await;
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

    /// The next message.
    pub async fn receive(&mut self) -> String {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next());
            match message.await.expect("a message comes in time").expect("the connection is open").unwrap() {
                Message::Text(text) => return text.to_string(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// All messages up to the first that has this text in it. Those of other stories may be among them.
    pub async fn receive_until(&mut self, marker: &str) -> Vec<String> {
        let mut messages = Vec::new();
        loop {
            messages.push(self.receive().await);
            if messages.last().is_some_and(|last| last.contains(marker)) {
                return messages;
            }
        }
    }

    /// The next message that has this text in it.
    pub async fn receive_with(&mut self, marker: &str) -> String {
        self.receive_until(marker).await.pop().unwrap()
    }

    /// The next message that is JSON with this value at this key.
    pub async fn receive_where(&mut self, key: &str, value: &str) -> Value {
        loop {
            let message: Value = serde_json::from_str(&self.receive().await).unwrap_or_default();
            if message[key] == value {
                return message;
            }
        }
    }

    /// Closes the connection and waits until the gateway has agreed.
    pub async fn close(mut self) {
        self.socket.close(None).await.unwrap();
        while let Some(Ok(_)) = self.socket.next().await {}
    }
}
