//! Parses the entries of a received batch and groups them by user and hub.

use std::collections::HashMap;
use std::sync::Arc;

use contract_frames_v1::{FrameTooLarge, item_len, require_fits};
use contract_notifications_v1::{
    FanOut, HubName, InvalidNotification, MAX_PAYLOAD_DEPTH, Notification, NotificationId, Payload,
    QueueEntry, Replay, Sequence, Timestamp, UserId, is_nested_deeper,
};

use super::run::{Entry, Item};

/// An entry, as the queue delivered it.
#[derive(Debug, Clone)]
pub struct ReceivedEntry<'a> {
    /// The message group, which names the user or the hub.
    pub group: &'a str,
    /// The body, untrusted.
    pub body: &'a str,
    /// The queue's sequence number.
    pub sequence: Sequence,
    /// The queue's deduplication ID. Becomes the notification's id if the producer gave none.
    pub deduplication_id: &'a str,
    /// Time at which the queue accepted it. Becomes the send time if the producer gave none.
    pub sent_at: Timestamp,
    /// Number of times it was received, including this one.
    pub receive_count: u32,
}

/// Reasons why an entry can never succeed. Such an entry is a poison message and goes to the dead-letter
/// queue.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// The body is not a valid queue entry.
    #[error(transparent)]
    Invalid(#[from] InvalidNotification),
    /// The notification does not fit into a frame.
    #[error(transparent)]
    TooLarge(#[from] FrameTooLarge),
    /// The body names another user or hub than the message group, so the queue would not keep its order.
    #[error("the entry belongs to message group {expected:?} and is in {group:?}; they must be the same")]
    OtherGroup {
        /// The group of the user or hub that the body names.
        expected: String,
        /// The message group, at most 128 characters of it.
        group: String,
    },
}

impl EntryError {
    /// Returns a fixed label for logs and metrics. The error's text may quote what a producer sent.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::TooLarge(_) => "too-large",
            Self::OtherGroup { .. } => "other-group",
        }
    }
}

/// The entries of one user in a received batch that can be dispatched, in the batch's order.
#[derive(Debug, Clone)]
pub struct UserRun {
    /// The user.
    pub user: UserId,
    /// The entries' indexes in the batch, ascending.
    pub indexes: Vec<usize>,
    /// The entries, in the same order.
    pub entries: Vec<Entry<Arc<Notification>>>,
}

/// The fan-outs of one hub in a received batch, in the batch's order.
#[derive(Debug, Clone)]
pub struct HubRun {
    /// The hub.
    pub hub: HubName,
    /// The entries' indexes in the batch, ascending.
    pub indexes: Vec<usize>,
    /// The fan-outs, in the same order.
    pub fan_outs: Vec<FanOut>,
}

/// A batch, grouped by user and hub.
#[derive(Debug, Default)]
pub struct GroupedBatch {
    /// One run for each user, in the order of the users' first entries.
    pub runs: Vec<UserRun>,
    /// One run for each hub, in the order of the hubs' first entries.
    pub hubs: Vec<HubRun>,
    /// The entries that can never succeed, by index in the batch.
    pub poison: Vec<(usize, EntryError)>,
}

/// A parsed entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParsedEntry {
    /// An entry of one user.
    ForUser(UserId, Entry<Arc<Notification>>),
    /// A broadcast to the members of a hub.
    ForHub(FanOut),
}

/// Parses one entry.
///
/// # Errors
/// [`EntryError`] if the entry can never succeed. It must go to the dead-letter queue and delay nobody.
pub fn parse(entry: &ReceivedEntry<'_>) -> Result<ParsedEntry, EntryError> {
    let id = || {
        NotificationId::new(entry.deduplication_id).unwrap_or_else(|_| NotificationId::from(entry.sequence))
    };
    let parsed = QueueEntry::from_json(entry.body, id, entry.sent_at)?;
    let expected = parsed.group();
    if expected != entry.group {
        let group = entry.group.chars().take(128).collect();
        return Err(EntryError::OtherGroup { expected: expected.into_owned(), group });
    }
    Ok(match parsed {
        QueueEntry::Replay(Replay { user_id, sequence }) => {
            // A row with a later sequence may have been put by a failed run whose entry comes again, and must
            // not be pushed before that.
            ParsedEntry::ForUser(user_id, Entry::Replay(sequence.min(entry.sequence)))
        }
        QueueEntry::Notification(notification) => {
            require_fits(&notification)?;
            require_shallow(&notification.payload)?;
            let user = notification.user_id.clone();
            let item = item(Arc::new(notification), entry.sequence);
            ParsedEntry::ForUser(user, Entry::Notification { item, redelivered: entry.receive_count > 1 })
        }
        QueueEntry::FanOut(fan_out) => {
            // The frames of all members have the same size: they do not contain the user's id.
            if let Ok(member) = UserId::new(fan_out.hub.as_str()) {
                require_fits(&fan_out.for_member(member))?;
            }
            require_shallow(&fan_out.payload)?;
            ParsedEntry::ForHub(fan_out)
        }
    })
}

/// Refuses a payload that parsers of clients may not be able to read.
fn require_shallow(payload: &Payload) -> Result<(), InvalidNotification> {
    if is_nested_deeper(payload.get(), MAX_PAYLOAD_DEPTH) {
        return Err(InvalidNotification::TooDeep { levels: MAX_PAYLOAD_DEPTH });
    }
    Ok(())
}

/// Reduces a notification to what decisions need.
pub fn item(notification: Arc<Notification>, sequence: Sequence) -> Item<Arc<Notification>> {
    Item {
        sequence,
        expires_at: notification.expires_at,
        when_offline: notification.when_offline,
        len: item_len(&notification),
        body: notification,
    }
}

/// Groups a batch into one run for each user and hub, and separates the entries that can never succeed.
pub fn group(batch: &[ReceivedEntry<'_>]) -> GroupedBatch {
    let mut grouped = GroupedBatch::default();
    let mut run_of: HashMap<UserId, usize> = HashMap::new();
    for (index, entry) in batch.iter().enumerate() {
        match parse(entry) {
            Err(reason) => grouped.poison.push((index, reason)),
            Ok(ParsedEntry::ForUser(user, entry)) => {
                let runs = &mut grouped.runs;
                let run = *run_of.entry(user).or_insert_with_key(|user| {
                    runs.push(UserRun { user: user.clone(), indexes: Vec::new(), entries: Vec::new() });
                    runs.len() - 1
                });
                runs[run].indexes.push(index);
                runs[run].entries.push(entry);
            }
            Ok(ParsedEntry::ForHub(fan_out)) => {
                let of_hub = grouped.hubs.iter_mut().find(|run| run.hub == fan_out.hub);
                match of_hub {
                    Some(run) => {
                        run.indexes.push(index);
                        run.fan_outs.push(fan_out);
                    }
                    None => grouped.hubs.push(HubRun {
                        hub: fan_out.hub.clone(),
                        indexes: vec![index],
                        fan_outs: vec![fan_out],
                    }),
                }
            }
        }
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry<'a>(group: &'a str, body: &'a str, sequence: u128) -> ReceivedEntry<'a> {
        ReceivedEntry {
            group,
            body,
            sequence: Sequence::new(sequence),
            deduplication_id: "dedup",
            sent_at: Timestamp::from_millis(5),
            receive_count: 1,
        }
    }

    #[test]
    fn batch_is_grouped_by_user_and_poison_set_apart() {
        let replay = r#"{"type":"replay","userId":"a","sequence":"1"}"#;
        let GroupedBatch { runs, hubs, poison } = group(&[
            entry("a", r#"{"userId":"a","message":1}"#, 10),
            entry("b", r#"{"userId":"b","message":2}"#, 11),
            entry("a", "nonsense", 12),
            entry("a", replay, 13),
            entry("a", r#"{"userId":"b","message":3}"#, 14),
            entry("hub/x", r#"{"type":"fan-out","hub":"x","message":4}"#, 15),
            entry("hub/x", r#"{"type":"fan-out","hub":"y","message":5}"#, 16),
            entry("hub/x", r#"{"type":"fan-out","hub":"x","after":"b","message":6}"#, 17),
        ]);
        let shape: Vec<_> = runs.iter().map(|run| (run.user.as_str(), run.indexes.clone())).collect();
        assert_eq!(shape, [("a", vec![0, 3]), ("b", vec![1])]);
        assert_eq!(runs[0].entries[1], Entry::Replay(Sequence::new(1)));
        let reasons: Vec<_> = poison.iter().map(|(index, reason)| (*index, reason.to_string())).collect();
        assert_eq!(reasons[0], (2, "not a valid JSON notification".to_owned()));
        assert_eq!((reasons[1].0, reasons[2].0), (4, 6));
        for (_, reason) in &reasons[1..] {
            assert!(reason.contains("must be the same"), "{reason}");
        }
        let hubs: Vec<_> = hubs.iter().map(|run| (run.hub.as_str(), run.indexes.clone())).collect();
        assert_eq!(hubs, [("x", vec![5, 7])]);
    }

    #[test]
    fn replay_covers_no_later_entry() {
        let body = format!(r#"{{"type":"replay","userId":"a","sequence":"{}"}}"#, Sequence::MAX);
        let parsed = parse(&entry("a", &body, 10)).unwrap();
        let ParsedEntry::ForUser(_, replay) = parsed else { panic!("{parsed:?}") };
        assert_eq!(replay, Entry::Replay(Sequence::new(10)));
    }

    #[test]
    fn missing_id_and_send_time_come_from_the_queue() {
        let parsed = parse(&entry("a", r#"{"userId":"a","message":1}"#, 10)).unwrap();
        let ParsedEntry::ForUser(_, Entry::Notification { item, redelivered: false }) = parsed else {
            panic!("{parsed:?}")
        };
        assert_eq!(item.body.id.as_str(), "dedup");
        assert_eq!(item.body.sent_at.millis(), 5);
        assert_eq!(item.sequence, Sequence::new(10));
    }

    #[test]
    fn oversized_notification_is_poison() {
        let body = format!(r#"{{"userId":"a","message":"{}"}}"#, "x".repeat(131_072));
        let poison = parse(&entry("a", &body, 10)).unwrap_err().to_string();
        assert!(poison.contains("allowed are at most 131072"), "{poison}");
    }
}
