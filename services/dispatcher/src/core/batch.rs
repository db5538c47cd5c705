//! From what a queue delivered to runs of users and fan-outs of hubs.

use std::collections::HashMap;
use std::sync::Arc;

use contract_frames_v1::{FrameTooLarge, item_len, require_fits};
use contract_notifications_v1::{
    FanOut, HubName, InvalidNotification, Notification, NotificationId, QueueEntry, Replay, Sequence,
    Timestamp, UserId,
};

use super::run::{Entry, Item};

/// An entry as the queue delivered it.
#[derive(Debug, Clone)]
pub struct Received<'a> {
    /// The message group: which user's or hub's entry it is.
    pub group: &'a str,
    /// The body, untrusted.
    pub body: &'a str,
    /// The queue's sequence number.
    pub sequence: Sequence,
    /// The queue's deduplication ID; stands in for an id the producer left out.
    pub deduplication_id: &'a str,
    /// When the queue accepted it; stands in for a send time the producer left out.
    pub sent_at: Timestamp,
    /// How often it was received, this time included.
    pub receive_count: u32,
}

/// Why an entry can never succeed.
#[derive(Debug, thiserror::Error)]
pub enum Poison {
    /// The body is no queue entry.
    #[error(transparent)]
    Invalid(#[from] InvalidNotification),
    /// No frame can carry it.
    #[error(transparent)]
    TooLarge(#[from] FrameTooLarge),
    /// The body names another user or hub than the message group does, so its order would not be kept.
    #[error("the entry belongs to message group {expected:?} and is in {group:?}; they must be the same")]
    OtherGroup {
        /// The group of whom the body names.
        expected: String,
        /// The message group.
        group: String,
    },
}

impl Poison {
    /// A short fixed word for it, for logs and metrics: the texts may quote what a producer sent.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::TooLarge(_) => "too-large",
            Self::OtherGroup { .. } => "other-group",
        }
    }
}

/// The consecutive entries of one user in a received batch.
#[derive(Debug, Clone)]
pub struct UserRun {
    /// Whose.
    pub user: UserId,
    /// Their places in the batch, in order.
    pub indexes: Vec<usize>,
    /// The entries, in the same order.
    pub entries: Vec<Entry<Arc<Notification>>>,
}

/// The consecutive fan-outs of one hub in a received batch.
#[derive(Debug, Clone)]
pub struct HubRun {
    /// Whose members.
    pub hub: HubName,
    /// Their places in the batch, in order.
    pub indexes: Vec<usize>,
    /// The fan-outs, in the same order.
    pub fan_outs: Vec<FanOut>,
}

/// A batch by who the entries are for.
#[derive(Debug, Default)]
pub struct Grouped {
    /// One run per user, in the order in which the users first appear.
    pub runs: Vec<UserRun>,
    /// One run per hub, in the order in which the hubs first appear.
    pub hubs: Vec<HubRun>,
    /// What can never succeed, by its place in the batch.
    pub poison: Vec<(usize, Poison)>,
}

/// An entry that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// For one user.
    ForUser(UserId, Entry<Arc<Notification>>),
    /// For the members of a hub.
    ForHub(FanOut),
}

/// Reads one entry.
///
/// # Errors
/// [`Poison`]: it must go to the dead-letter queue and must not hold up anybody.
pub fn read(received: &Received<'_>) -> Result<Read, Poison> {
    let id = || {
        NotificationId::new(received.deduplication_id)
            .unwrap_or_else(|_| NotificationId::from(received.sequence))
    };
    let entry = QueueEntry::from_json(received.body, id, received.sent_at)?;
    let expected = entry.group();
    if expected != received.group {
        let group = received.group.chars().take(128).collect();
        return Err(Poison::OtherGroup { expected: expected.into_owned(), group });
    }
    Ok(match entry {
        QueueEntry::Replay(Replay { user_id, sequence }) => Read::ForUser(user_id, Entry::Replay(sequence)),
        QueueEntry::Notification(notification) => {
            require_fits(&notification)?;
            let user = notification.user_id.clone();
            let item = item(Arc::new(notification), received.sequence);
            Read::ForUser(user, Entry::Notification { item, redelivered: received.receive_count > 1 })
        }
        QueueEntry::FanOut(fan_out) => {
            // Every member's notification is as large.
            if let Ok(member) = UserId::new(fan_out.hub.as_str()) {
                require_fits(&fan_out.for_member(member))?;
            }
            Read::ForHub(fan_out)
        }
    })
}

/// What decisions need to know of a notification.
pub fn item(notification: Arc<Notification>, sequence: Sequence) -> Item<Arc<Notification>> {
    Item {
        sequence,
        expires_at: notification.expires_at,
        when_offline: notification.when_offline,
        len: item_len(&notification),
        body: notification,
    }
}

/// Groups a batch into one run per user and hub, and sorts out what can never succeed.
pub fn group(batch: &[Received<'_>]) -> Grouped {
    let mut grouped = Grouped::default();
    let mut run_of: HashMap<UserId, usize> = HashMap::new();
    for (index, received) in batch.iter().enumerate() {
        match read(received) {
            Err(reason) => grouped.poison.push((index, reason)),
            Ok(Read::ForUser(user, entry)) => {
                let runs = &mut grouped.runs;
                let run = *run_of.entry(user).or_insert_with_key(|user| {
                    runs.push(UserRun { user: user.clone(), indexes: Vec::new(), entries: Vec::new() });
                    runs.len() - 1
                });
                runs[run].indexes.push(index);
                runs[run].entries.push(entry);
            }
            Ok(Read::ForHub(fan_out)) => {
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

    fn received<'a>(group: &'a str, body: &'a str, sequence: u128) -> Received<'a> {
        Received {
            group,
            body,
            sequence: Sequence::new(sequence),
            deduplication_id: "dedup",
            sent_at: Timestamp::from_millis(5),
            receive_count: 1,
        }
    }

    #[test]
    fn users_are_kept_apart_and_in_order_and_poison_blocks_nobody() {
        let replay = r#"{"type":"replay","userId":"a","sequence":"1"}"#;
        let Grouped { runs, hubs, poison } = group(&[
            received("a", r#"{"userId":"a","message":1}"#, 10),
            received("b", r#"{"userId":"b","message":2}"#, 11),
            received("a", "nonsense", 12),
            received("a", replay, 13),
            received("a", r#"{"userId":"b","message":3}"#, 14),
            received("hub/x", r#"{"type":"fan-out","hub":"x","message":4}"#, 15),
            received("hub/x", r#"{"type":"fan-out","hub":"y","message":5}"#, 16),
            received("hub/x", r#"{"type":"fan-out","hub":"x","after":"b","message":6}"#, 17),
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
    fn what_the_producer_left_out_comes_from_the_queue() {
        let read = read(&received("a", r#"{"userId":"a","message":1}"#, 10)).unwrap();
        let Read::ForUser(_, Entry::Notification { item, redelivered: false }) = read else {
            panic!("{read:?}")
        };
        assert_eq!(item.body.id.as_str(), "dedup");
        assert_eq!(item.body.sent_at.millis(), 5);
        assert_eq!(item.sequence, Sequence::new(10));
    }

    #[test]
    fn what_no_frame_can_carry_is_poison() {
        let body = format!(r#"{{"userId":"a","message":"{}"}}"#, "x".repeat(131_072));
        let poison = read(&received("a", &body, 10)).unwrap_err().to_string();
        assert!(poison.contains("allowed are 131072"), "{poison}");
    }
}
