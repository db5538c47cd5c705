//! Blocking users, signing them out, and changing their accounts.

use contract_notifications_v1::{Timestamp, UserId};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::dead_letters::escape;
use super::error::ClientError;
use super::gateway::Gateway;

/// A block, a sign-out or a revoked token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revocation {
    /// The user; absent for a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The token's id; absent for a user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
    /// True if the user is blocked or the token is refused.
    #[serde(default)]
    pub refused: bool,
    /// Time until which the user is blocked or the token is refused; absent if for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Time before which the user's credentials must have been issued to be refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Closed {
    #[serde(default)]
    closed: u64,
}

impl Gateway {
    /// Returns all blocks, sign-outs and revoked tokens. Needs the scope `read`.
    pub async fn revocations(&self) -> Result<Vec<Revocation>, ClientError> {
        #[derive(Deserialize)]
        struct List {
            items: Vec<Revocation>,
        }
        let list: List = self.json("the list of revocations", |http| http.get("/v1/revocations")).await?;
        Ok(list.items)
    }

    /// Blocks a user until a time, or for ever, and returns the number of connections that were closed. Needs the scope
    /// `operate`, as the following calls do.
    pub async fn block_user(&self, user: &UserId, until: Option<Timestamp>) -> Result<u64, ClientError> {
        let body = match until {
            Some(until) => json!({ "until": until }),
            None => json!({}),
        };
        let path = path(user, "/block");
        self.closed(|http| http.request(Method::PUT, &path).json(&body)).await
    }

    /// Lifts the block of a user.
    pub async fn unblock_user(&self, user: &UserId) -> Result<(), ClientError> {
        let path = path(user, "/block");
        self.with_retries(|http| http.delete(&path)).await.map(drop)
    }

    /// Refuses all credentials that a user has now, and returns the number of connections that were closed.
    pub async fn sign_out_user(&self, user: &UserId) -> Result<u64, ClientError> {
        let path = path(user, "/sign-out");
        self.closed(|http| http.post(&path)).await
    }

    /// Closes the connections of a user and returns their number.
    pub async fn disconnect_user(&self, user: &UserId) -> Result<u64, ClientError> {
        let path = path(user, "/connections");
        self.closed(|http| http.delete(&path)).await
    }

    /// Refuses a token by its `jti`, until a time or for longer than tokens are valid.
    pub async fn revoke_token(&self, id: &str, until: Option<Timestamp>) -> Result<(), ClientError> {
        let body = match until {
            Some(until) => json!({ "until": until }),
            None => json!({}),
        };
        let path = format!("/v1/revoked-tokens/{}", escape(id));
        self.with_retries(|http| http.request(Method::PUT, &path).json(&body)).await.map(drop)
    }

    /// Changes the password of a user and signs the user out. Needs the scope `admin`.
    pub async fn set_password(&self, user: &UserId, password: &str) -> Result<u64, ClientError> {
        let (path, body) = (path(user, "/password"), json!({ "password": password }));
        self.closed(|http| http.request(Method::PUT, &path).json(&body)).await
    }

    /// Removes a user's account and signs the user out. Needs the scope `admin`.
    pub async fn remove_user(&self, user: &UserId) -> Result<u64, ClientError> {
        let path = path(user, "");
        self.closed(|http| http.delete(&path)).await
    }

    /// Sends a request that closes connections, and returns their number.
    async fn closed(&self, request: impl Fn(&Self) -> reqwest::RequestBuilder) -> Result<u64, ClientError> {
        let closed: Closed = self.json("the number of closed connections", request).await?;
        Ok(closed.closed)
    }
}

/// Returns the path of a user.
fn path(user: &UserId, rest: &str) -> String {
    format!("/v1/users/{}{rest}", escape(user.as_str()))
}
