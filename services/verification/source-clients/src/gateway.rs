//! A gateway's addresses, and an operator's requests to it.

use reqwest::{StatusCode, Url};
use serde_json::Value;

use crate::timeout::TIMEOUT;

/// A gateway as its clients and its operator reach it.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// URL of its WebSockets, without a query.
    pub web_socket_url: String,
    /// URL of the management API, up to `/@connections/`.
    pub management_url: String,
    /// URL of the history, up to the user's id.
    pub history_url: String,
    /// The operator's `Authorization` header.
    pub authorization: String,
    /// True on an emulator of API Gateway, which refuses handshakes with 500 if they have no credential and
    /// with 403 otherwise, and which reports the end of a connection as its start.
    pub is_emulated: bool,
}

impl Gateway {
    /// The status of a refused handshake, if API Gateway and the standalone server answer `exact`.
    pub const fn status(&self, exact: u16) -> u16 {
        match (self.is_emulated, exact) {
            (false, _) => exact,
            (true, 401) => 500,
            (true, _) => 403,
        }
    }

    async fn get(&self, base: &str, path: &[&str]) -> reqwest::Response {
        // The client needs a TLS provider, even for plain HTTP. Another client may have installed it already.
        _ = rustls::crypto::ring::default_provider().install_default();
        let mut url = Url::parse(base).unwrap();
        url.path_segments_mut().unwrap().pop_if_empty().extend(path);
        let request = reqwest::Client::new().get(url).header("authorization", &self.authorization);
        request.send().await.unwrap()
    }

    /// True if a connection is open, as the management API reports it.
    pub async fn is_connected(&self, connection: &str) -> bool {
        let answer = self.get(&self.management_url, &["@connections", connection]).await;
        match answer.status() {
            StatusCode::OK => true,
            StatusCode::GONE => false,
            other => panic!("{other}: {}", answer.text().await.unwrap()),
        }
    }

    /// Reads a page of a user's history of this kind (`messages` or `sessions`), newest first.
    pub async fn history(&self, user: &str, kind: &str) -> Vec<Value> {
        let answer = self.get(&self.history_url, &[user, kind]).await;
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{status}: {text}");
        let mut page: Value = serde_json::from_str(&text).unwrap();
        serde_json::from_value(page["items"].take()).unwrap()
    }

    /// Waits until a user's history has a wanted entry and returns it. Entries are written with a delay.
    pub async fn until_in_history(&self, user: &str, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut page = Vec::new();
        let wait = async {
            loop {
                page = self.history(user, kind).await;
                if let Some(entry) = page.iter().find(|entry| wanted(entry)) {
                    return entry.clone();
                }
                tokio::task::yield_now().await;
            }
        };
        let found = tokio::time::timeout(TIMEOUT, wait).await.ok();
        found.unwrap_or_else(|| panic!("the entry is not in the history in time: {page:?}"))
    }

    /// Waits until the history has the duration of a connection's session. On an emulator, which does not
    /// report the start of a closed connection, the session is enough.
    pub async fn until_session_ended(&self, user: &str, connection: &str) {
        let has_ended = |session: &Value| {
            let is_known = session["closedAt"].is_u64() && session["durationMs"].is_u64();
            session["connectionId"] == connection && (is_known || self.is_emulated)
        };
        self.until_in_history(user, "sessions", has_ended).await;
    }

    /// Waits until a connection is no longer open.
    pub async fn until_gone(&self, connection: &str) {
        let wait = async {
            while self.is_connected(connection).await {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(TIMEOUT, wait).await.expect("the connection is gone in time");
    }
}
