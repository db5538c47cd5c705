//! The timeline of one notification, put together from the queue, the mailbox, the dead letters, the history and
//! the tracked notifications. It is pure: the caller reads the sources.

use contract_history_v1::{HistoryOutcome, Message};
use contract_notifications_v1::{Notification, NotificationId, Sequence, Timestamp, UserId, written};
use serde::Serialize;
use tidings_store::{DeadLetter, NotificationState, Search, StoredNotification};

use crate::tracking::Tracked;

/// The state of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// In the queue: being delivered, or about to be.
    Queued,
    /// In the mailbox, and pushed to no open connection.
    Held,
    /// Pushed and not acknowledged yet.
    Pushed,
    /// Acknowledged by a client.
    Acknowledged,
    /// Pushed and no longer kept.
    Delivered,
    /// Dropped because the user was offline and it was not to be held.
    Dropped,
    /// Deleted because it expired.
    Expired,
    /// A dead letter.
    DeadLetter,
    /// Not found in any source.
    Unknown,
}

/// One event of a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// The event.
    pub what: DeliveryEvent,
    /// Time of the event, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Details, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// An event in the delivery of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum DeliveryEvent {
    /// The producer sent it. The time is that of the producer.
    Sent,
    /// It is in the queue.
    Queued,
    /// It was put into the mailbox.
    Held,
    /// It was pushed and is not acknowledged.
    Pushed,
    /// A connection accepted it.
    Delivered,
    /// A client acknowledged it.
    Acknowledged,
    /// It was dropped because the user was offline.
    Dropped,
    /// It expired.
    Expired,
    /// It became a dead letter.
    DeadLetter,
}

/// The state and the events of a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// The user.
    #[serde(serialize_with = "written::user_id")]
    pub user_id: UserId,
    /// The notification's id.
    pub id: NotificationId,
    /// The state.
    pub state: State,
    /// The sequence, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,
    /// Time of expiry, if the notification is kept and has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The id of the dead letter, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<Sequence>,
    /// The events, in order as far as times are known.
    pub events: Vec<Event>,
    /// Gaps in the sources, as sentences for operators.
    pub not_known: Vec<String>,
}

/// The sources of a timeline.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The notification, if it is queued or held.
    pub kept: Search<StoredNotification>,
    /// The dead letter, if it is one.
    pub dead: Search<DeadLetter>,
    /// The history's entries, newest first; `None` if no history is kept.
    pub history: Option<Search<Vec<Message>>>,
    /// The events since it is tracked; `None` if it is not.
    pub tracked: Option<Tracked>,
}

fn event(what: DeliveryEvent, at: Option<Timestamp>) -> Event {
    Event { what, at, detail: None }
}

fn from_history(what: HistoryOutcome) -> DeliveryEvent {
    match what {
        HistoryOutcome::Delivered => DeliveryEvent::Delivered,
        HistoryOutcome::Dropped => DeliveryEvent::Dropped,
        HistoryOutcome::Expired => DeliveryEvent::Expired,
        HistoryOutcome::Held => DeliveryEvent::Held,
    }
}

impl Timeline {
    /// Puts the sources together.
    pub fn new(user_id: UserId, id: NotificationId, sources: Sources) -> Self {
        let Sources { kept, dead, history, tracked } = sources;
        let past = past(history.as_ref(), tracked.as_ref());
        let not_known = not_known(&kept, &dead, history.as_ref(), tracked.as_ref());
        let Tracked { sequence: tracked_sequence, acknowledged_at, .. } = tracked.unwrap_or_default();
        let notification = |kept: &StoredNotification| kept.notification.clone();
        let whole: Option<Notification> = kept
            .found
            .as_ref()
            .map(notification)
            .or_else(|| dead.found.as_ref().and_then(|letter| letter.notification.clone()));
        let mut events = Vec::new();
        events.extend(whole.as_ref().map(|whole| event(DeliveryEvent::Sent, Some(whole.sent_at))));
        events.extend(past.iter().map(|(what, at)| event(from_history(*what), Some(*at))));
        events.extend(acknowledged_at.map(|at| event(DeliveryEvent::Acknowledged, Some(at))));
        let state = match (&kept.found, &dead.found) {
            (Some(StoredNotification { state, .. }), _) => kept_state(*state, &mut events),
            (None, Some(letter)) => {
                let detail = Some(letter.reason.clone());
                events.push(Event { what: DeliveryEvent::DeadLetter, at: Some(letter.at), detail });
                State::DeadLetter
            }
            (None, None) if acknowledged_at.is_some() => State::Acknowledged,
            (None, None) => match past.last() {
                Some((HistoryOutcome::Delivered, _)) => State::Delivered,
                Some((HistoryOutcome::Dropped, _)) => State::Dropped,
                Some((HistoryOutcome::Expired, _)) => State::Expired,
                Some((HistoryOutcome::Held, _)) | None => State::Unknown,
            },
        };
        let messages = history.and_then(|history| history.found).unwrap_or_default();
        Self {
            user_id,
            id,
            state,
            sequence: kept
                .found
                .as_ref()
                .map(|kept| kept.sequence)
                .or_else(|| messages.first().map(|message| message.sequence))
                .or(tracked_sequence),
            expires_at: whole.and_then(|whole| whole.expires_at),
            dead_letter: dead.found.filter(|_| state == State::DeadLetter).map(|letter| letter.id),
            events,
            not_known,
        }
    }
}

/// Merges the events of the history and of tracking, oldest first and without duplicates.
fn past(
    history: Option<&Search<Vec<Message>>>,
    tracked: Option<&Tracked>,
) -> Vec<(HistoryOutcome, Timestamp)> {
    let history = history.and_then(|history| history.found.as_deref()).unwrap_or_default();
    let mut past: Vec<_> = history.iter().map(|message| (message.outcome, message.at)).collect();
    past.extend(tracked.into_iter().flat_map(|tracked| tracked.events.iter().copied()));
    past.sort_by_key(|(what, at)| (*at, *what != HistoryOutcome::Held));
    past.dedup();
    past
}

/// Returns the state of a kept notification and adds its event.
fn kept_state(place: NotificationState, events: &mut Vec<Event>) -> State {
    match place {
        NotificationState::Queued { receives } => {
            let detail = match receives {
                0 => None,
                1 => Some("being delivered".to_owned()),
                more => Some(format!("tried {more} times")),
            };
            events.push(Event { what: DeliveryEvent::Queued, at: None, detail });
            State::Queued
        }
        NotificationState::Held { pushed_to: 0 } => {
            if !events.iter().any(|event| event.what == DeliveryEvent::Held) {
                events.push(event(DeliveryEvent::Held, None));
            }
            State::Held
        }
        NotificationState::Held { pushed_to } => {
            let detail = match pushed_to {
                1 => "to one connection, which has not acknowledged it".to_owned(),
                more => format!("to {more} connections, none of which has acknowledged it"),
            };
            events.push(Event { what: DeliveryEvent::Pushed, at: None, detail: Some(detail) });
            State::Pushed
        }
    }
}

/// Lists what the sources can't tell.
fn not_known(
    kept: &Search<StoredNotification>,
    dead: &Search<DeadLetter>,
    history: Option<&Search<Vec<Message>>>,
    tracked: Option<&Tracked>,
) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut say = |sentence: &str| sentences.push(sentence.to_owned());
    if kept.found.is_none() && !kept.complete {
        say("The user has more notifications than are searched. It may be among the older ones.");
    }
    if dead.found.is_none() && !dead.complete {
        say("There are more dead letters than are searched. It may be among the later ones.");
    }
    match history {
        Some(Search { complete: false, .. }) => {
            say(
                "The user's history is longer than is searched. It may have more events of this notification.",
            );
        }
        Some(_) => {}
        None if tracked.is_some() => {
            say("This server keeps no history, so events from before it was tracked are not known.");
        }
        None => say(
            "This server keeps no history (history.enabled), so it is not known when the notification was held or \
             delivered, nor how it ended once it is neither queued, held nor a dead letter.",
        ),
    }
    sentences
}

#[cfg(test)]
mod tests;
