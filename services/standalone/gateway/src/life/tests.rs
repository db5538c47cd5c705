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
    Sources { kept, dead, history: None, followed: None }
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

fn life(sources: Sources) -> Life {
    Life::of(UserId::new("jo").unwrap(), NotificationId::new("n").unwrap(), sources)
}

fn told(life: &Life) -> Vec<(Happened, Option<u64>)> {
    life.events.iter().map(|event| (event.what, event.at.map(Timestamp::millis))).collect()
}

#[test]
fn one_that_is_kept_says_where_it_is() {
    for (place, state, last) in [
        (NotificationState::Queued { receives: 0 }, State::Queued, (Happened::Queued, None)),
        (NotificationState::Held { pushed_to: 0 }, State::Held, (Happened::Held, None)),
        (NotificationState::Held { pushed_to: 2 }, State::Pushed, (Happened::Pushed, None)),
    ] {
        let life = life(kept(place));
        assert_eq!((life.state, life.sequence), (state, Some(Sequence::new(3))));
        assert_eq!(life.expires_at, Some(Timestamp::from_millis(99)));
        assert_eq!(told(&life), [(Happened::Sent, Some(10)), last]);
        assert!(life.not_known[0].contains("history.enabled"), "{:?}", life.not_known);
    }
    let life = life(kept(NotificationState::Queued { receives: 4 }));
    assert_eq!(life.events[1].detail.as_deref(), Some("tried 4 times"));
}

#[test]
fn what_the_history_and_the_followers_know_is_told_once_and_in_order() {
    let found = Some(vec![message(HistoryOutcome::Delivered, 30), message(HistoryOutcome::Held, 20)]);
    let happened = vec![(HistoryOutcome::Delivered, Timestamp::from_millis(30))];
    let acknowledged_at = Some(Timestamp::from_millis(40));
    let sources = Sources {
        history: Some(Search { found, complete: true }),
        followed: Some(Followed { sequence: None, happened, acknowledged_at }),
        ..nothing()
    };
    let first = life(Sources { followed: None, ..sources.clone() });
    assert_eq!((first.state, first.sequence), (State::Delivered, Some(Sequence::new(3))));
    let acknowledged = life(sources);
    assert_eq!(acknowledged.state, State::Acknowledged);
    assert_eq!(
        told(&acknowledged),
        [(Happened::Held, Some(20)), (Happened::Delivered, Some(30)), (Happened::Acknowledged, Some(40))]
    );
    assert!(acknowledged.not_known.is_empty());
}

#[test]
fn a_dead_letter_says_why_unless_it_was_redriven() {
    let letter = DeadLetter {
        id: Sequence::new(3),
        user_id: UserId::new("jo").unwrap(),
        reason: "received 10 times".to_owned(),
        at: Timestamp::from_millis(50),
        notification: Some(notification()),
        body: bytes::Bytes::new(),
    };
    let dead = Search { found: Some(letter), complete: true };
    let given_up = life(Sources { dead: dead.clone(), ..nothing() });
    assert_eq!((given_up.state, given_up.dead_letter), (State::DeadLetter, Some(Sequence::new(3))));
    assert_eq!(told(&given_up), [(Happened::Sent, Some(10)), (Happened::DeadLetter, Some(50))]);
    assert_eq!(given_up.events[1].detail.as_deref(), Some("received 10 times"));
    let redriven = life(Sources { dead, ..kept(NotificationState::Held { pushed_to: 0 }) });
    assert_eq!((redriven.state, redriven.dead_letter), (State::Held, None));
}

#[test]
fn what_is_not_found_says_what_that_means() {
    let nowhere = life(nothing());
    assert_eq!((nowhere.state, nowhere.events.len()), (State::Unknown, 0));
    let partly = Sources {
        kept: Search { found: None, complete: false },
        dead: Search { found: None, complete: false },
        history: Some(Search { found: Some(Vec::new()), complete: false }),
        followed: None,
    };
    assert_eq!(life(partly).not_known.len(), 3);
}
