//! Dead letters: queue entries that could not be delivered.

use std::fmt;

use contract_notifications_v1::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::ClientError;
use super::gateway::Gateway;

/// A queue entry that could not be delivered.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// Identifier of the dead letter.
    pub id: String,
    /// Reason for the failure.
    #[serde(default)]
    pub reason: String,
    /// The user, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Time at which delivery was given up, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Further fields that the gateway sends, such as the entry itself.
    #[serde(flatten)]
    pub more: serde_json::Map<String, Value>,
}

impl fmt::Debug for DeadLetter {
    /// Omits the entry, which contains a payload.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetter").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A page of dead letters, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterPage {
    /// The dead letters.
    pub items: Vec<DeadLetter>,
    /// Start of the next page. Absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Gateway {
    /// Returns a page of at most `limit` dead letters: the first page, or the one that starts at `after`.
    pub async fn dead_letters(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<DeadLetterPage, ClientError> {
        let mut path = format!("/v1/dead-letters?limit={limit}");
        if let Some(after) = after {
            path.push_str("&after=");
            path.push_str(&escape(after));
        }
        self.json("the list of dead letters", |gateway| gateway.get(&path)).await
    }

    /// Returns one dead letter with all its fields.
    pub async fn dead_letter(&self, id: &str) -> Result<Value, ClientError> {
        let path = format!("/v1/dead-letters/{}", escape(id));
        self.json("the dead letter", |gateway| gateway.get(&path)).await
    }

    /// Redrives one dead letter.
    pub async fn redrive(&self, id: &str) -> Result<(), ClientError> {
        let path = format!("/v1/dead-letters/{}/redrive", escape(id));
        self.with_retries(|gateway| gateway.post(&path)).await.map(drop)
    }

    /// Redrives all dead letters and returns their number, if the gateway reports it.
    pub async fn redrive_all(&self) -> Result<Option<u64>, ClientError> {
        let body = self.with_retries(|gateway| gateway.post("/v1/dead-letters/redrive")).await?;
        Ok(count(&body, "redriven"))
    }

    /// Deletes one dead letter.
    pub async fn purge(&self, id: &str) -> Result<(), ClientError> {
        let path = format!("/v1/dead-letters/{}", escape(id));
        self.with_retries(|gateway| gateway.delete(&path)).await.map(drop)
    }

    /// Deletes all dead letters and returns their number, if the gateway reports it.
    pub async fn purge_all(&self) -> Result<Option<u64>, ClientError> {
        let body = self.with_retries(|gateway| gateway.delete("/v1/dead-letters")).await?;
        Ok(count(&body, "purged"))
    }
}

/// Returns the number `name` of an answer.
fn count(body: &[u8], name: &str) -> Option<u64> {
    serde_json::from_slice::<Value>(body).ok()?.get(name)?.as_u64()
}

/// Percent-encodes all characters but RFC 3986's unreserved ones.
pub(super) fn escape(text: &str) -> String {
    use std::fmt::Write as _;
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string can't fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_counts_found() {
        assert_eq!(escape("a/b?c d%é"), "a%2Fb%3Fc%20d%25%C3%A9");
        assert_eq!(count(br#"{"redriven":3}"#, "redriven"), Some(3));
        assert_eq!(count(b"", "redriven"), None);
    }
}
