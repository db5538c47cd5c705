//! A producer's body, and an entry of the notifications queue, new or replay.

#![no_main]

use contract_notifications_v1::{
    InvalidNotification, MAX_LABEL_BYTES, NotificationId, NotificationRequest, QueueEntry, Timestamp,
};
use fuzz::{chain, json_members, require_bounded, require_hidden};
use libfuzzer_sys::{Corpus, fuzz_target};

const SENT_AT: Timestamp = Timestamp::from_millis(1_767_225_600_000);

fn id() -> NotificationId {
    NotificationId::new("given-by-the-queue").expect("it is legal")
}

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(data) else { return Corpus::Reject };
    let request = NotificationRequest::from_json(text);
    let entry = QueueEntry::from_json(text, id, SENT_AT);
    match &request {
        Ok(request) => accepted(text, request),
        Err(error) => refused(text, error),
    }
    match &entry {
        Ok(entry) => {
            let again = QueueEntry::from_json(&entry.to_json(), || unreachable!(), Timestamp::default());
            assert_eq!(again.expect("what is written can be read"), *entry);
        }
        Err(error) => refused(text, error),
    }
    // The door and the queue agree on what a notification is.
    match (request, entry) {
        (Ok(request), Ok(QueueEntry::Notification(notification))) => {
            assert_eq!(request.complete(id, SENT_AT), notification);
        }
        (Err(error), Ok(QueueEntry::Notification(_))) => {
            panic!("the queue takes what the door refused: {error}")
        }
        _ => {}
    }
    Corpus::Keep
});

fn accepted(text: &str, request: &NotificationRequest) {
    let legal =
        |text: &str| (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    assert!(legal(request.user_id.as_str()));
    assert!(request.id.as_ref().is_none_or(|id| legal(id.as_str())));
    for label in [&request.kind, &request.source].into_iter().flatten() {
        assert!(label.len() <= MAX_LABEL_BYTES);
    }
    let members = json_members(text).expect("what is accepted is an object");
    let payload = members.get("payload").or(members.get("message")).expect("it has a payload");
    assert_eq!(request.payload.get(), payload.get(), "the payload's bytes are kept");
}

fn refused(text: &str, error: &InvalidNotification) {
    let shown = chain(error);
    require_bounded(&shown);
    let members = json_members(text).unwrap_or_default();
    for payload in [members.get("payload"), members.get("message")].into_iter().flatten() {
        let payload = payload.get().trim_matches('"');
        // Unless it stands elsewhere too.
        if !payload.is_empty() && text.matches(payload).count() == 1 {
            require_hidden(&shown, payload);
        }
    }
}
