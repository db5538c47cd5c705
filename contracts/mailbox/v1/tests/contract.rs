//! Checks that version 1 keeps its published form: reading and writing a fixture gives the same bytes, and
//! the types generate the JSON Schema in `schema/`.

use contract_mailbox_v1::{HeldNotification, scheduled};
use contract_notifications_v1::UserId;

const HELD: &str = include_str!("../fixtures/held-notification.json");

#[test]
fn fixture_round_trips_through_a_notification() {
    let row: HeldNotification = serde_json::from_str(HELD).unwrap();
    assert_eq!(serde_json::to_string(&row).unwrap(), HELD.trim_end());
    let notification = row.clone().into_notification().unwrap();
    assert_eq!(notification.payload.get(), r#"{"orderId":1042,"weight":1.50e0}"#);
    assert_eq!(HeldNotification::new(notification, row.sequence, row.pushed_to.clone()), row);
}

#[test]
fn payload_that_is_not_json_is_an_error() {
    let mut row: HeldNotification = serde_json::from_str(HELD).unwrap();
    row.payload = "{".to_owned();
    assert_eq!(
        row.into_notification().unwrap_err().to_string(),
        "the payload of a held notification is not JSON"
    );
}

#[test]
fn schema_is_current() {
    contract_schema::assert_current(
        concat!(env!("CARGO_MANIFEST_DIR"), "/schema/held-notification.json"),
        &contract_schema::schema_for!(HeldNotification),
    );
}

#[test]
fn scheduled_replays_share_no_partition_with_users() {
    for number in 0..scheduled::PARTITIONS {
        assert!(UserId::new(scheduled::partition(number)).is_err());
    }
    let user = UserId::new("alice").unwrap();
    assert_eq!(scheduled::partition_of(&user), scheduled::partition_of(&user));
    let partitions: std::collections::BTreeSet<_> =
        (0..100).map(|n| scheduled::partition_of(&UserId::new(format!("user-{n}")).unwrap())).collect();
    assert_eq!(partitions.len(), usize::from(scheduled::PARTITIONS));
}
