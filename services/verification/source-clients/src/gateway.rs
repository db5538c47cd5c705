//! Where a gateway is.

use reqwest::{StatusCode, Url};
use serde_json::Value;

use crate::PATIENCE;

/// A gateway, as its clients and its operator see it.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// Where its WebSockets are, without a query.
    pub web_socket_url: String,
    /// What comes before `/@connections/` in the management API.
    pub management_url: String,
    /// What comes before a user in the history.
    pub history_url: String,
    /// The operator's `Authorization`.
    pub authorization: String,
    /// Whether it runs on an emulator of API Gateway, which refuses handshakes with 500 where there is no
    /// credential and else with 403, and gives the end of a connection for its beginning.
    pub is_emulated: bool,
}

impl Gateway {
    /// The status that a handshake is refused with for which `exact` is the right one.
    pub const fn status(&self, exact: u16) -> u16 {
        match (self.is_emulated, exact) {
            (false, _) => exact,
            (true, 401) => 500,
            (true, _) => 403,
        }
    }

    async fn get(&self, base: &str, path: &[&str]) -> reqwest::Response {
        // Plain HTTP is all that it speaks, but a client wants to know. Another may have said it before.
        _ = rustls::crypto::ring::default_provider().install_default();
        let mut url = Url::parse(base).unwrap();
        url.path_segments_mut().unwrap().pop_if_empty().extend(path);
        let request = reqwest::Client::new().get(url).header("authorization", &self.authorization);
        request.send().await.unwrap()
    }

    /// Whether a connection is open, as the management API says.
    pub async fn is_connected(&self, connection: &str) -> bool {
        let answer = self.get(&self.management_url, &["@connections", connection]).await;
        match answer.status() {
            StatusCode::OK => true,
            StatusCode::GONE => false,
            other => panic!("{other}: {}", answer.text().await.unwrap()),
        }
    }

    /// A page of a user's history of a kind, newest first.
    pub async fn history(&self, user: &str, kind: &str) -> Vec<Value> {
        let answer = self.get(&self.history_url, &[user, kind]).await;
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{status}: {text}");
        let mut page: Value = serde_json::from_str(&text).unwrap();
        serde_json::from_value(page["items"].take()).unwrap()
    }

    /// Waits until an entry of a user's history is as wanted: it is written when there is time.
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
        let found = tokio::time::timeout(PATIENCE, wait).await.ok();
        found.unwrap_or_else(|| panic!("it is not in the history in time: {page:?}"))
    }

    /// Waits until it is in the history how long the session of a connection lasted. Where the beginning of a
    /// connection that has ended is not known, it is enough that there was a session.
    pub async fn until_session_ended(&self, user: &str, connection: &str) {
        let is_over = |session: &Value| {
            let is_known = session["closedAt"].is_u64() && session["durationMs"].is_u64();
            session["connectionId"] == connection && (is_known || self.is_emulated)
        };
        self.until_in_history(user, "sessions", is_over).await;
    }

    /// Waits until a connection is gone.
    pub async fn until_gone(&self, connection: &str) {
        let wait = async {
            while self.is_connected(connection).await {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("the connection goes in time");
    }
}
