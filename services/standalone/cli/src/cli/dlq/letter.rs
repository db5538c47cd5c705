//! A dead letter of a deployment on AWS, and the message that redrives it.

use std::collections::BTreeMap;

use contract_deployment_v1::{DEAD_LETTER_ID, DEAD_LETTER_REASON, DEAD_LETTER_SENT_AT};
use contract_notifications_v1::{NotificationId, QueueEntry, Timestamp, UserId};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tidings_client::DeadLetter;

use crate::aws::BatchEntry;

/// A message of the dead-letter queue
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Message.html>).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Letter {
    /// Identifies the letter.
    pub(super) message_id: String,
    /// Receipt of the latest receive.
    pub(super) receipt_handle: String,
    #[serde(default)]
    body: String,
    #[serde(default)]
    attributes: SystemAttributes,
    #[serde(default)]
    message_attributes: Map<String, Value>,
}

/// The message's attributes of SQS's own.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct SystemAttributes {
    message_group_id: String,
    message_deduplication_id: String,
    /// Milliseconds since the epoch. A FIFO queue sets it when a message is moved to it
    /// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>).
    sent_timestamp: String,
    #[serde(rename = "AWSTraceHeader")]
    trace: Option<String>,
    /// The queue from which SQS moved the message, if SQS did.
    dead_letter_queue_source_arn: Option<String>,
}

impl Letter {
    /// The message group: the user, or `hub:` and the hub.
    pub(super) fn group(&self) -> &str {
        &self.attributes.message_group_id
    }

    /// Time at which it became a dead letter.
    fn since(&self) -> Option<Timestamp> {
        self.attributes.sent_timestamp.parse().ok().map(Timestamp::from_millis)
    }

    /// Bytes that it takes in a batch, about.
    pub(super) fn size(&self) -> usize {
        let attributes = serde_json::to_string(&self.message_attributes).unwrap_or_default();
        self.body.len() + self.attributes.message_deduplication_id.len() + attributes.len()
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.message_attributes.get(name)?.get("StringValue")?.as_str()
    }

    /// Returns the reason. SQS moves a message after `max_receives` receives and gives no reason; a letter that was
    /// redriven before then has an earlier one.
    pub(super) fn reason(&self, max_receives: u64) -> String {
        let was_moved = self.attributes.dead_letter_queue_source_arn.is_some();
        let received = match max_receives {
            1 => "received once".to_owned(),
            count => format!("received {count} times"),
        };
        match (self.text(DEAD_LETTER_REASON), was_moved) {
            (Some(reason), false) => reason.to_owned(),
            (Some(earlier), true) => format!("{received}; before that: {earlier}"),
            (None, _) => received,
        }
    }

    /// Returns the id and the send time that the entry had on the notifications queue.
    fn origin(&self) -> (&str, Option<Timestamp>) {
        let id = self.text(DEAD_LETTER_ID).unwrap_or(&self.attributes.message_deduplication_id);
        let sent_at = self.text(DEAD_LETTER_SENT_AT).and_then(|millis| millis.parse().ok());
        (id, sent_at.map(Timestamp::from_millis).or_else(|| self.since()))
    }

    /// Returns the body with the id and the send time of the entry, if it is an entry that lacks them: the queue's own
    /// would take their place, and are others after the redrive.
    pub(super) fn entry(&self) -> String {
        let (id, sent_at) = self.origin();
        let Ok(id) = NotificationId::new(id) else { return self.body.clone() };
        let sent_at = sent_at.unwrap_or_default();
        let is_replay = |entry: &QueueEntry| matches!(entry, QueueEntry::Replay(_));
        let is_valid =
            QueueEntry::from_json(&self.body, || id.clone(), sent_at).is_ok_and(|entry| !is_replay(&entry));
        let fields = serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(&self.body);
        let (true, Ok(mut fields)) = (is_valid, fields) else { return self.body.clone() };
        for (name, value) in [("id", json!(id)), ("sentAt", json!(sent_at))] {
            let is_missing = fields.get(name).is_none_or(|value| value.get() == "null");
            if is_missing && let Ok(value) = serde_json::value::to_raw_value(&value) {
                fields.insert(name.to_owned(), value);
            }
        }
        serde_json::to_string(&fields).unwrap_or_else(|_| self.body.clone())
    }

    /// Returns the message that redrives the letter: in the same group, with all attributes.
    ///
    /// The deduplication ID is the letter's own id. It is none that the notifications queue has seen, so SQS doesn't
    /// take the message for a repetition of the entry; and the same if the letter is redriven twice, so SQS drops the
    /// second within five minutes.
    pub(super) fn redriven(&self) -> BatchEntry {
        let mut message = Map::from_iter([
            ("MessageBody".to_owned(), json!(self.entry())),
            ("MessageGroupId".to_owned(), json!(self.group())),
            ("MessageDeduplicationId".to_owned(), json!(self.message_id)),
        ]);
        if !self.message_attributes.is_empty() {
            message.insert("MessageAttributes".to_owned(), self.message_attributes.clone().into());
        }
        if let Some(trace) = &self.attributes.trace {
            let header = json!({ "AWSTraceHeader": { "DataType": "String", "StringValue": trace } });
            message.insert("MessageSystemAttributes".to_owned(), header);
        }
        message
    }

    /// Returns the letter as operators see it, with its entry or without.
    pub(super) fn shown(&self, max_receives: u64, with_entry: bool) -> DeadLetter {
        let mut more = Map::new();
        let (id, sent_at) = self.origin();
        let entry = self.entry();
        let parsed = serde_json::from_str::<Value>(&entry).ok();
        let own_id = parsed.as_ref().and_then(|entry| entry.get("id")).and_then(Value::as_str);
        more.insert("notificationId".to_owned(), own_id.unwrap_or(id).into());
        if with_entry {
            more.insert("sentAt".to_owned(), json!(sent_at));
            more.insert("notification".to_owned(), parsed.unwrap_or_else(|| entry.into()));
        }
        let user = UserId::new(self.group())
            .map_or_else(|_| self.group().to_owned(), |user| user.as_written().into());
        DeadLetter {
            id: self.message_id.clone(),
            reason: self.reason(max_receives),
            user_id: Some(user),
            since: self.since(),
            more,
        }
    }
}

/// Splits letters, in their order, into parts that can be sent at once: of each group at most one letter, which is the
/// first of those left. A letter that SQS refuses within a part then has no later one of its group beside it.
pub(super) fn parts(letters: Vec<Letter>) -> Vec<Vec<Letter>> {
    let mut parts: Vec<Vec<Letter>> = Vec::new();
    for letter in letters {
        let before = |part: &Vec<Letter>| part.iter().any(|other| other.group() == letter.group());
        match parts.iter().rposition(before) {
            None if parts.is_empty() => parts.push(vec![letter]),
            None => parts[0].push(letter),
            Some(last) if last + 1 == parts.len() => parts.push(vec![letter]),
            Some(last) => parts[last + 1].push(letter),
        }
    }
    parts
}

#[cfg(test)]
mod tests;
