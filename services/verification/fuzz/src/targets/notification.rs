//! A producer's request, and an entry of the notifications queue.

use contract_notifications_v1::{
    InvalidNotification, MAX_LABEL_BYTES, NotificationId, NotificationRequest, QueueEntry, Timestamp,
};
use shared_telemetry::chain;

use crate::input::Verdict;
use crate::text::{json_members, require_bounded, require_hidden};

const SENT_AT: Timestamp = Timestamp::from_millis(1_767_225_600_000);

fn id() -> NotificationId {
    NotificationId::new("given-by-the-queue").expect("the id is valid")
}

/// Reads a producer's request and a queue entry: both keep the limits and agree, and errors show no payload.
pub fn notification(bytes: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Reject };
    let request = NotificationRequest::from_json(text);
    let entry = QueueEntry::from_json(text, id, SENT_AT);
    match &request {
        Ok(request) => check_accepted(text, request),
        Err(error) => check_refused(text, error, |text| NotificationRequest::from_json(text).err()),
    }
    match &entry {
        Ok(entry) => {
            let again = QueueEntry::from_json(&entry.to_json(), || unreachable!(), Timestamp::default());
            assert_eq!(again.expect("a written entry can be read"), *entry);
        }
        Err(error) => check_refused(text, error, |text| QueueEntry::from_json(text, id, SENT_AT).err()),
    }
    // The API and the queue accept the same notifications.
    match (request, entry) {
        (Ok(request), Ok(QueueEntry::Notification(notification))) => {
            assert_eq!(request.complete(id, SENT_AT), notification);
        }
        (Err(error), Ok(QueueEntry::Notification(_))) => {
            panic!("the queue accepts a notification that the API refuses: {error}")
        }
        _ => {}
    }
    Verdict::Keep
}

fn check_accepted(text: &str, request: &NotificationRequest) {
    let is_valid =
        |text: &str| (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    assert!(is_valid(request.user_id.as_str()));
    assert!(request.id.as_ref().is_none_or(|id| is_valid(id.as_str())));
    for label in [&request.kind, &request.source].into_iter().flatten() {
        assert!(label.len() <= MAX_LABEL_BYTES);
    }
    let members = json_members(text).expect("an accepted request is an object");
    let payload =
        members.get("payload").or(members.get("message")).expect("an accepted request has a payload");
    assert_eq!(request.payload.get(), payload.get(), "the payload's bytes are kept");
}

fn check_refused(
    text: &str,
    error: &InvalidNotification,
    refuse: impl Fn(&str) -> Option<InvalidNotification>,
) {
    let shown = chain(error);
    require_bounded(&shown);
    let members = json_members(text).unwrap_or_default();
    for payload in [members.get("payload"), members.get("message")].into_iter().flatten() {
        let payload = payload.get().trim_matches('"');
        // A payload that is part of another text too may be shown.
        if payload.is_empty() || text.matches(payload).count() != 1 {
            continue;
        }
        // So may one that is a word of the error itself, which says the same of another payload.
        let other = text.replacen(payload, &"x".repeat(payload.len()), 1);
        if refuse(&other).is_none_or(|error| chain(&error) != shown) {
            require_hidden(&shown, payload);
        }
    }
}
