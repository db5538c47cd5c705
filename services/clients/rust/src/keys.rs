//! Keys of producers and operators.

use std::fmt;
use std::time::Duration;

use contract_notifications_v1::Timestamp;
use serde::{Deserialize, Serialize};

use super::dead_letters::escape;
use super::error::ClientError;
use super::gateway::Gateway;

/// An amount in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Allowance {
    /// The amount.
    pub most: u64,
    /// The time in milliseconds.
    pub per_ms: u64,
}

/// A key to add.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewKey {
    /// The name.
    pub name: String,
    /// Scopes: `send`, `send:<prefix>`, `token`, `read`, `operate`, `admin`.
    pub scopes: Vec<String>,
    /// Time from which on the key is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Notifications in a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Allowance>,
    /// Bytes of payload in a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Allowance>,
    /// True if the key gets a key pair for Signature Version 4 too.
    pub signs: bool,
}

/// The secrets of a key, which the gateway shows once.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeySecrets {
    /// The key's name.
    pub name: String,
    /// The API key.
    pub api_key: String,
    /// The key pair, if the key has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key: Option<AccessKeySecrets>,
}

/// A key pair for Signature Version 4.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessKeySecrets {
    /// The id.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
}

impl fmt::Debug for KeySecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySecrets").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for AccessKeySecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKeySecrets").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// A key, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyInfo {
    /// The name.
    pub name: String,
    /// The scopes.
    pub scopes: Vec<String>,
    /// Notifications in a time, if the key has a limit of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Allowance>,
    /// Bytes of payload in a time, if the key has a limit of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Allowance>,
    /// Time at which the key was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Time from which on the key is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Time of the last use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// Time from which on the secrets before the last rotation are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_secrets_until: Option<Timestamp>,
    /// Ids of the key pairs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access_key_ids: Vec<String>,
}

impl Gateway {
    /// Returns all keys. Needs the scope `admin`, as all calls about keys do.
    pub async fn keys(&self) -> Result<Vec<KeyInfo>, ClientError> {
        #[derive(Deserialize)]
        struct Keys {
            items: Vec<KeyInfo>,
        }
        let keys: Keys = self.json("the list of keys", |http| http.get("/v1/keys")).await?;
        Ok(keys.items)
    }

    /// Adds a key and returns its secrets. Makes one attempt: the secrets of a lost answer are lost.
    pub async fn add_key(&self, key: &NewKey) -> Result<KeySecrets, ClientError> {
        let body = self.once(&|http: &Self| http.post("/v1/keys").json(key)).await?;
        secrets(&body)
    }

    /// Gives a key new secrets and returns them; the older ones count for `overlap`, or for the gateway's default.
    /// Makes one attempt.
    pub async fn rotate_key(&self, name: &str, overlap: Option<Duration>) -> Result<KeySecrets, ClientError> {
        let path = format!("/v1/keys/{}/rotate", escape(name));
        let body = match overlap {
            Some(overlap) => {
                serde_json::json!({ "overlapMs": u64::try_from(overlap.as_millis()).unwrap_or(u64::MAX) })
            }
            None => serde_json::json!({}),
        };
        let body = self.once(&|http: &Self| http.post(&path).json(&body)).await?;
        secrets(&body)
    }

    /// Removes a key, which is refused from now on.
    pub async fn revoke_key(&self, name: &str) -> Result<(), ClientError> {
        let path = format!("/v1/keys/{}", escape(name));
        self.with_retries(|http| http.delete(&path)).await.map(drop)
    }
}

fn secrets(body: &[u8]) -> Result<KeySecrets, ClientError> {
    serde_json::from_slice(body)
        .map_err(|source| ClientError::Answer { what: "the key's secrets", source: source.into() })
}
