//! A batch as the dispatcher receives it: notifications, replays and invalid entries of several users and
//! hubs.

use std::collections::BTreeSet;

use arbitrary::Arbitrary;
use contract_notifications_v1::{FanOut, HubName, QueueEntry, Replay, Sequence, Timestamp, UserId};
use dispatcher::core::batch::{GroupedBatch, ParsedEntry, ReceivedEntry, UserRun, group, parse};
use dispatcher::core::run::Entry;
use shared_telemetry::chain;

use crate::any_notification::AnyNotification;
use crate::input::{Verdict, decode};
use crate::text::require_bounded;

#[derive(Debug, Arbitrary)]
struct Input {
    group: Group,
    body: Body,
    sequence: u128,
    deduplication_id: String,
    sent_at: u64,
    receive_count: u32,
}

#[derive(Debug, Arbitrary)]
enum Group {
    /// One of three users, so that each has several entries.
    Known(u8),
    /// One of three hubs.
    Hub(u8),
    Other(String),
}

#[derive(Debug, Arbitrary)]
enum Body {
    Notification { user: u8, notification: AnyNotification },
    Replay { user: u8, sequence: u128 },
    FanOut { hub: u8, after: Option<u8>, notification: AnyNotification },
    Text(String),
}

fn user(number: u8) -> UserId {
    UserId::new(format!("user-{}", number % 3)).expect("the name is valid")
}

fn hub(number: u8) -> HubName {
    HubName::new(format!("hub-{}", number % 3)).expect("the name is valid")
}

impl Input {
    fn group(&self) -> String {
        match &self.group {
            Group::Known(number) => user(*number).as_str().to_owned(),
            Group::Hub(number) => hub(*number).group(),
            Group::Other(text) => text.clone(),
        }
    }

    fn body(&self) -> String {
        match &self.body {
            Body::Notification { user: number, notification } => {
                QueueEntry::Notification(notification.build_for(user(*number))).to_json()
            }
            Body::Replay { user: number, sequence } => {
                QueueEntry::Replay(Replay { user_id: user(*number), sequence: Sequence::new(*sequence) })
                    .to_json()
            }
            Body::FanOut { hub: number, after, notification } => {
                let n = notification.build_for(user(0));
                QueueEntry::FanOut(FanOut {
                    hub: hub(*number),
                    after: after.map(user),
                    except: None,
                    id: n.id,
                    payload: n.payload,
                    sent_at: n.sent_at,
                    expires_at: n.expires_at,
                    when_offline: n.when_offline,
                    kind: n.kind,
                    source: n.source,
                })
                .to_json()
            }
            Body::Text(text) => text.clone(),
        }
    }

    /// True if the entry must be accepted.
    fn is_valid(&self) -> bool {
        match (&self.group, &self.body) {
            // A fuzzer's notifications are far below the limit of a frame.
            (
                Group::Known(group),
                Body::Notification { user: number, .. } | Body::Replay { user: number, .. },
            )
            | (Group::Hub(group), Body::FanOut { hub: number, .. }) => group % 3 == number % 3,
            _ => false,
        }
    }
}

/// Groups a batch into runs: every entry comes out once and in order, in its user's or hub's run or as
/// poison.
pub fn batch(bytes: &[u8]) -> Verdict {
    decode(bytes, |inputs: Vec<Input>| check_batch(&inputs))
}

fn check_batch(inputs: &[Input]) {
    let texts: Vec<_> = inputs.iter().map(|input| (input.group(), input.body())).collect();
    let batch: Vec<_> = inputs
        .iter()
        .zip(&texts)
        .map(|(input, (group, body))| ReceivedEntry {
            group,
            body,
            sequence: Sequence::new(input.sequence),
            deduplication_id: &input.deduplication_id,
            sent_at: Timestamp::from_millis(input.sent_at),
            receive_count: input.receive_count,
        })
        .collect();
    let GroupedBatch { runs, hubs, poison } = group(&batch);

    let mut indexes: Vec<usize> = poison.iter().map(|(index, _)| *index).collect();
    indexes.extend(runs.iter().flat_map(|run| &run.indexes));
    indexes.extend(hubs.iter().flat_map(|run| &run.indexes));
    indexes.sort_unstable();
    assert!(indexes.into_iter().eq(0..batch.len()), "every entry comes out once");

    let users: BTreeSet<_> = runs.iter().map(|run| &run.user).collect();
    assert_eq!(users.len(), runs.len(), "a user has one run");
    assert!(runs.is_sorted_by_key(|run| run.indexes[0]), "runs begin in the batch's order");
    for run in &runs {
        check_run(run, &batch);
    }
    for run in &hubs {
        assert!(run.indexes.is_sorted(), "a hub's entries stay in order");
        for (&index, fan_out) in run.indexes.iter().zip(&run.fan_outs) {
            assert_eq!(batch[index].group, run.hub.group());
            assert_eq!(fan_out.hub, run.hub);
        }
    }
    for (index, reason) in &poison {
        assert!(!inputs[*index].is_valid(), "a valid entry is taken for poison: {reason}");
        assert!(parse(&batch[*index]).is_err());
        require_bounded(&chain(reason));
    }
}

fn check_run(run: &UserRun, batch: &[ReceivedEntry<'_>]) {
    assert_eq!(run.indexes.len(), run.entries.len());
    assert!(run.indexes.is_sorted(), "a user's entries stay in order");
    for (&index, entry) in run.indexes.iter().zip(&run.entries) {
        let received = &batch[index];
        assert_eq!(received.group, run.user.as_str(), "an entry is in its message group's run");
        let alone = parse(received).expect("an entry of a run can be read");
        assert_eq!(
            alone,
            ParsedEntry::ForUser(run.user.clone(), entry.clone()),
            "an entry does not depend on its neighbours"
        );
        if let Entry::Notification { item, redelivered } = entry {
            assert_eq!(item.sequence, received.sequence);
            assert_eq!(*redelivered, received.receive_count > 1);
        }
    }
}
