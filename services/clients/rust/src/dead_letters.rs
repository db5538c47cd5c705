//! Dead letters: queue entries that could not be delivered.

use std::fmt;

use contract_notifications_v1::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::ClientError;
use super::gateway::Gateway;

/// A queue entry that was put aside, and why.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// Names the dead letter.
    pub id: String,
    /// Why it is one.
    #[serde(default)]
    pub reason: String,
    /// Whom it was for, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// When it was put aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Whatever else the gateway says of it, such as the entry itself.
    #[serde(flatten)]
    pub more: serde_json::Map<String, Value>,
}

impl fmt::Debug for DeadLetter {
    /// Without the entry, which has a payload.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetter").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Some dead letters, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterPage {
    /// The dead letters.
    pub items: Vec<DeadLetter>,
    /// Where the next page starts; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Gateway {
    /// A page of dead letters: the first, or the one after `after`.
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

    /// One dead letter with everything the gateway knows of it.
    pub async fn dead_letter(&self, id: &str) -> Result<Value, ClientError> {
        let path = format!("/v1/dead-letters/{}", escape(id));
        self.json("the dead letter", |gateway| gateway.get(&path)).await
    }

    /// Has one dead letter accepted anew.
    pub async fn redrive(&self, id: &str) -> Result<(), ClientError> {
        let path = format!("/v1/dead-letters/{}/redrive", escape(id));
        self.retried(|gateway| gateway.post(&path)).await.map(drop)
    }

    /// Has all dead letters accepted anew; gives how many, if the gateway says so.
    pub async fn redrive_all(&self) -> Result<Option<u64>, ClientError> {
        let body = self.retried(|gateway| gateway.post("/v1/dead-letters/redrive")).await?;
        Ok(count(&body, "redriven"))
    }

    /// Forgets one dead letter for good.
    pub async fn purge(&self, id: &str) -> Result<(), ClientError> {
        let path = format!("/v1/dead-letters/{}", escape(id));
        self.retried(|gateway| gateway.delete(&path)).await.map(drop)
    }

    /// Forgets all dead letters for good; gives how many, if the gateway says so.
    pub async fn purge_all(&self) -> Result<Option<u64>, ClientError> {
        let body = self.retried(|gateway| gateway.delete("/v1/dead-letters")).await?;
        Ok(count(&body, "purged"))
    }
}

/// A number in an answer.
fn count(body: &[u8], name: &str) -> Option<u64> {
    serde_json::from_slice::<Value>(body).ok()?.get(name)?.as_u64()
}

/// Percent-encodes all but the characters that stand for themselves everywhere.
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
    fn names_are_escaped_and_counts_are_found() {
        assert_eq!(escape("a/b?c d%é"), "a%2Fb%3Fc%20d%25%C3%A9");
        assert_eq!(count(br#"{"redriven":3}"#, "redriven"), Some(3));
        assert_eq!(count(b"", "redriven"), None);
    }
}
