//! Where a gateway is.

use reqwest::{StatusCode, Url};
use serde_json::Value;

use crate::PATIENCE;

/// With which statuses a gateway refuses handshakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statuses {
    /// With the one that says why.
    Exact,
    /// With 403 whatever the reason is, as emulators of API Gateway do.
    Forbidden,
}

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
    /// How it refuses handshakes.
    pub statuses: Statuses,
}

impl Gateway {
    /// The status that a handshake is refused with for which `exact` is the right one.
    pub const fn status(&self, exact: u16) -> u16 {
        match self.statuses {
            Statuses::Exact => exact,
            Statuses::Forbidden => 403,
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
        let wait = async {
            loop {
                if let Some(entry) = self.history(user, kind).await.into_iter().find(&wanted) {
                    return entry;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("it is in the history in time")
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
