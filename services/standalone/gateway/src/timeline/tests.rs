use contract_notifications_v1::{Payload, WhenOffline};

use super::*;

fn notification() -> Notification {
    Notification {
        id: NotificationId::new("n").unwrap(),
        user_id: UserId::new("jo").unwrap(),
        payload: Payload::from_json("1").unwrap(),
        sent_at: Timestamp::from_millis(10),
        expires_at: Some(Timestamp::from_millis(99)),
        when_offline: WhenOffline::Hold,
        kind: None,
        source: None,
    }
}

fn nothing() -> Sources {
    let (kept, dead) = (Search { found: None, complete: true }, Search { found: None, complete: true });
    Sources { kept, dead, history: None, tracked: None }
}

fn kept(state: NotificationState) -> Sources {
    let found = Some(StoredNotification { sequence: Sequence::new(3), notification: notification(), state });
    Sources { kept: Search { found, complete: true }, ..nothing() }
}

fn message(what: HistoryOutcome, at: u64) -> Message {
    Message {
        id: NotificationId::new("n").unwrap(),
        sequence: Sequence::new(3),
        outcome: what,
        at: Timestamp::from_millis(at),
        kind: None,
        source: None,
        payload: None,
    }
}

fn timeline(sources: Sources) -> Timeline {
    Timeline::new(UserId::new("jo").unwrap(), NotificationId::new("n").unwrap(), sources)
}

fn shown(timeline: &Timeline) -> Vec<(DeliveryEvent, Option<u64>)> {
    timeline.events.iter().map(|event| (event.what, event.at.map(Timestamp::millis))).collect()
}

#[test]
fn kept_notification_has_its_state() {
    for (place, state, last) in [
        (NotificationState::Queued { receives: 0 }, State::Queued, (DeliveryEvent::Queued, None)),
        (NotificationState::Held { pushed_to: 0 }, State::Held, (DeliveryEvent::Held, None)),
        (NotificationState::Held { pushed_to: 2 }, State::Pushed, (DeliveryEvent::Pushed, None)),
    ] {
        let timeline = timeline(kept(place));
        assert_eq!((timeline.state, timeline.sequence), (state, Some(Sequence::new(3))));
        assert_eq!(timeline.expires_at, Some(Timestamp::from_millis(99)));
        assert_eq!(shown(&timeline), [(DeliveryEvent::Sent, Some(10)), last]);
        assert!(timeline.not_known[0].contains("history.enabled"), "{:?}", timeline.not_known);
    }
    let timeline = timeline(kept(NotificationState::Queued { receives: 4 }));
    assert_eq!(timeline.events[1].detail.as_deref(), Some("tried 4 times"));
}

#[test]
fn history_and_tracking_are_merged_in_order() {
    let found = Some(vec![message(HistoryOutcome::Delivered, 30), message(HistoryOutcome::Held, 20)]);
    let events = vec![(HistoryOutcome::Delivered, Timestamp::from_millis(30))];
    let acknowledged_at = Some(Timestamp::from_millis(40));
    let sources = Sources {
        history: Some(Search { found, complete: true }),
        tracked: Some(Tracked { sequence: None, events, acknowledged_at }),
        ..nothing()
    };
    let first = timeline(Sources { tracked: None, ..sources.clone() });
    assert_eq!((first.state, first.sequence), (State::Delivered, Some(Sequence::new(3))));
    let acknowledged = timeline(sources);
    assert_eq!(acknowledged.state, State::Acknowledged);
    assert_eq!(
        shown(&acknowledged),
        [
            (DeliveryEvent::Held, Some(20)),
            (DeliveryEvent::Delivered, Some(30)),
            (DeliveryEvent::Acknowledged, Some(40))
        ]
    );
    assert!(acknowledged.not_known.is_empty());
}

#[test]
fn dead_letter_has_its_reason_until_redriven() {
    let letter = DeadLetter {
        id: Sequence::new(3),
        user_id: UserId::new("jo").unwrap(),
        reason: "received 10 times".to_owned(),
        at: Timestamp::from_millis(50),
        notification: Some(notification()),
        body: bytes::Bytes::new(),
    };
    let dead = Search { found: Some(letter), complete: true };
    let given_up = timeline(Sources { dead: dead.clone(), ..nothing() });
    assert_eq!((given_up.state, given_up.dead_letter), (State::DeadLetter, Some(Sequence::new(3))));
    assert_eq!(shown(&given_up), [(DeliveryEvent::Sent, Some(10)), (DeliveryEvent::DeadLetter, Some(50))]);
    assert_eq!(given_up.events[1].detail.as_deref(), Some("received 10 times"));
    let redriven = timeline(Sources { dead, ..kept(NotificationState::Held { pushed_to: 0 }) });
    assert_eq!((redriven.state, redriven.dead_letter), (State::Held, None));
}

#[test]
fn missing_sources_are_named() {
    let nowhere = timeline(nothing());
    assert_eq!((nowhere.state, nowhere.events.len()), (State::Unknown, 0));
    let partly = Sources {
        kept: Search { found: None, complete: false },
        dead: Search { found: None, complete: false },
        history: Some(Search { found: Some(Vec::new()), complete: false }),
        tracked: None,
    };
    assert_eq!(timeline(partly).not_known.len(), 3);
}
