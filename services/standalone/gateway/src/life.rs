//! The life of one notification, put together from what is known of it.
use contract_history_v1::{HistoryOutcome, Message};
use contract_notifications_v1::{Notification, NotificationId, Sequence, Timestamp, UserId};
use serde::Serialize;
use tidings_store::{DeadLetter, NotificationState, Search, StoredNotification};

use crate::following::Followed;

/// Where a notification is, or what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// In the queue: it is being delivered, or is about to be.
    Queued,
    /// In the mailbox, and no open connection has it.
    Held,
    /// Pushed, and not acknowledged yet.
    Pushed,
    /// Acknowledged by a client.
    Acknowledged,
    /// Pushed, and not kept any more.
    Delivered,
    /// Let go of because nobody was there and it was not to be held.
    Dropped,
    /// Let go of because its time was over.
    Expired,
    /// Given up.
    DeadLetter,
    /// Nothing is known of it.
    Unknown,
}

/// Something that happened to a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// What.
    pub what: Happened,
    /// When, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// More of it, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Happened {
    /// Its producer sent it; the time is the producer's word.
    Sent,
    /// It is in the queue.
    Queued,
    /// It was put into the mailbox.
    Held,
    /// It was pushed, and the push is not acknowledged.
    Pushed,
    /// A connection accepted it.
    Delivered,
    /// A client acknowledged it.
    Acknowledged,
    /// It was let go of because nobody was there.
    Dropped,
    /// It was let go of because its time was over.
    Expired,
    /// It was given up.
    DeadLetter,
}

/// The life of a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Life {
    /// Whose.
    pub user_id: UserId,
    /// Its id.
    pub id: NotificationId,
    /// Where it is.
    pub state: State,
    /// Its place in the user's order, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,
    /// From when on it is not delivered any more, if it is kept and has such a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Its name among the dead letters, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<Sequence>,
    /// What happened, in order as far as times are known.
    pub events: Vec<Event>,
    /// What is not known, in sentences.
    pub not_known: Vec<String>,
}

/// What is known of a notification.
#[derive(Debug, Clone)]
pub struct Sources {
    /// It, if it is queued or held.
    pub kept: Search<StoredNotification>,
    /// It, if it is a dead letter.
    pub dead: Search<DeadLetter>,
    /// What the history says, newest first; `None` when no history is kept.
    pub history: Option<Search<Vec<Message>>>,
    /// What became of it since it is followed; `None` when it is not.
    pub followed: Option<Followed>,
}

fn event(what: Happened, at: Option<Timestamp>) -> Event {
    Event { what, at, detail: None }
}

fn happened(what: HistoryOutcome) -> Happened {
    match what {
        HistoryOutcome::Delivered => Happened::Delivered,
        HistoryOutcome::Dropped => Happened::Dropped,
        HistoryOutcome::Expired => Happened::Expired,
        HistoryOutcome::Held => Happened::Held,
    }
}

impl Life {
    /// Puts together what is known.
    pub fn of(user_id: UserId, id: NotificationId, sources: Sources) -> Self {
        let Sources { kept, dead, history, followed } = sources;
        let past = past(history.as_ref(), followed.as_ref());
        let not_known = not_known(&kept, &dead, history.as_ref(), followed.as_ref());
        let Followed { sequence: followed_as, acknowledged_at, .. } = followed.unwrap_or_default();
        let notification = |kept: &StoredNotification| kept.notification.clone();
        let whole: Option<Notification> = kept
            .found
            .as_ref()
            .map(notification)
            .or_else(|| dead.found.as_ref().and_then(|letter| letter.notification.clone()));
        let mut events = Vec::new();
        events.extend(whole.as_ref().map(|whole| event(Happened::Sent, Some(whole.sent_at))));
        events.extend(past.iter().map(|(what, at)| event(happened(*what), Some(*at))));
        events.extend(acknowledged_at.map(|at| event(Happened::Acknowledged, Some(at))));
        let state = match (&kept.found, &dead.found) {
            (Some(StoredNotification { state, .. }), _) => here(*state, &mut events),
            (None, Some(letter)) => {
                let detail = Some(letter.reason.clone());
                events.push(Event { what: Happened::DeadLetter, at: Some(letter.at), detail });
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
        let from_history = history.and_then(|history| history.found).unwrap_or_default();
        Self {
            user_id,
            id,
            state,
            sequence: kept
                .found
                .as_ref()
                .map(|kept| kept.sequence)
                .or_else(|| from_history.first().map(|message| message.sequence))
                .or(followed_as),
            expires_at: whole.and_then(|whole| whole.expires_at),
            dead_letter: dead.found.filter(|_| state == State::DeadLetter).map(|letter| letter.id),
            events,
            not_known,
        }
    }
}

/// What became of it by the history and since it is followed, oldest first, each once.
fn past(
    history: Option<&Search<Vec<Message>>>,
    followed: Option<&Followed>,
) -> Vec<(HistoryOutcome, Timestamp)> {
    let history = history.and_then(|history| history.found.as_deref()).unwrap_or_default();
    let mut past: Vec<_> = history.iter().map(|message| (message.outcome, message.at)).collect();
    past.extend(followed.into_iter().flat_map(|followed| followed.happened.iter().copied()));
    past.sort_by_key(|(what, at)| (*at, *what != HistoryOutcome::Held));
    past.dedup();
    past
}

/// Where it is now, and the event that says so.
fn here(place: NotificationState, events: &mut Vec<Event>) -> State {
    match place {
        NotificationState::Queued { receives } => {
            let detail = match receives {
                0 => None,
                1 => Some("being delivered".to_owned()),
                more => Some(format!("tried {more} times")),
            };
            events.push(Event { what: Happened::Queued, at: None, detail });
            State::Queued
        }
        NotificationState::Held { pushed_to: 0 } => {
            if !events.iter().any(|event| event.what == Happened::Held) {
                events.push(event(Happened::Held, None));
            }
            State::Held
        }
        NotificationState::Held { pushed_to } => {
            let detail = match pushed_to {
                1 => "to one connection, which has not acknowledged it".to_owned(),
                more => format!("to {more} connections, none of which has acknowledged it"),
            };
            events.push(Event { what: Happened::Pushed, at: None, detail: Some(detail) });
            State::Pushed
        }
    }
}

fn not_known(
    kept: &Search<StoredNotification>,
    dead: &Search<DeadLetter>,
    history: Option<&Search<Vec<Message>>>,
    followed: Option<&Followed>,
) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut say = |sentence: &str| sentences.push(sentence.to_owned());
    if kept.found.is_none() && !kept.complete {
        say("The user has more notifications than are searched; it may be among the older ones.");
    }
    if dead.found.is_none() && !dead.complete {
        say("There are more dead letters than are searched; it may be among the later ones.");
    }
    match history {
        Some(Search { complete: false, .. }) => {
            say("The user's history is longer than is searched; it may have more of this notification.");
        }
        Some(_) => {}
        None if followed.is_some() => {
            say("No history is kept here: what became of it before it was followed is not known.");
        }
        None => say(
            "No history is kept here (history.enabled): when it was held or delivered is not known, nor what \
             became of it once it is neither queued, held nor a dead letter.",
        ),
    }
    sentences
}

#[cfg(test)]
mod tests;
