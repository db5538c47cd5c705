use super::*;

/// A letter with more fields of the message.
fn letter(body: &str, system: &Value, attributes: &Value) -> Letter {
    let mut all = json!({
        "MessageGroupId": "alice",
        "MessageDeduplicationId": "order-1042",
        "SentTimestamp": "1767225600000",
        "SequenceNumber": "18849496460467696128",
    });
    all.as_object_mut().unwrap().extend(system.as_object().unwrap().clone());
    let message = json!({
        "MessageId": "letter-1", "ReceiptHandle": "r", "Body": body, "Attributes": all,
        "MessageAttributes": attributes,
    });
    serde_json::from_value(message).unwrap()
}

fn moved(body: &str) -> Letter {
    letter(body, &json!({ "DeadLetterQueueSourceArn": "arn:aws:sqs:::q.fifo" }), &json!({}))
}

fn text(value: &str) -> Value {
    json!({ "DataType": "String", "StringValue": value })
}

#[test]
fn moved_letter_keeps_id_and_time() {
    let letter = moved(r#"{"userId":"alice","payload":{"b":1,"a":2.50},"extra":[]}"#);
    let redriven = Value::from(letter.redriven());
    assert_eq!(
        redriven["MessageBody"],
        r#"{"extra":[],"id":"order-1042","payload":{"b":1,"a":2.50},"sentAt":1767225600000,"userId":"alice"}"#
    );
    assert_eq!(
        (&redriven["MessageGroupId"], &redriven["MessageDeduplicationId"]),
        (&json!("alice"), &json!("letter-1"))
    );
    assert_eq!((redriven.get("MessageAttributes"), redriven.get("MessageSystemAttributes")), (None, None));
    assert_eq!(letter.reason(300), "received 300 times");
}

#[test]
fn own_id_and_time_are_kept() {
    let body = r#"{"userId":"alice","id":"mine","sentAt":5,"message":"hi"}"#;
    assert_eq!(
        serde_json::from_str::<Value>(&moved(body).entry()).unwrap(),
        serde_json::from_str::<Value>(body).unwrap()
    );
    let nothing = moved(r#"{"userId":"alice","id":null,"message":"hi"}"#).entry();
    assert!(nothing.contains(r#""id":"order-1042""#), "{nothing}");
}

#[test]
fn letter_of_the_dispatcher_has_its_origin() {
    let attributes = json!({ "reason": text("no payload"), "id": text("first"), "sentAt": text("7") });
    let system = json!({ "MessageDeduplicationId": "message-id", "AWSTraceHeader": "Root=1-1" });
    let letter = letter(r#"{"userId":"alice","payload":1}"#, &system, &attributes);
    assert_eq!(letter.reason(300), "no payload");
    assert_eq!(letter.entry(), r#"{"id":"first","payload":1,"sentAt":7,"userId":"alice"}"#);
    let redriven = Value::from(letter.redriven());
    assert_eq!(redriven["MessageAttributes"], attributes);
    assert_eq!(redriven["MessageSystemAttributes"], json!({ "AWSTraceHeader": text("Root=1-1") }));
    let shown = letter.shown(300, false);
    assert_eq!(
        (shown.id.as_str(), shown.since),
        ("letter-1", Some(Timestamp::from_millis(1_767_225_600_000)))
    );
    assert_eq!(shown.more, json!({ "notificationId": "first" }).as_object().unwrap().clone());
    let shown = letter.shown(300, true);
    assert_eq!(shown.more["sentAt"], 7);
    assert_eq!(shown.more["notification"]["payload"], 1);
}

#[test]
fn letter_that_failed_again_has_both_reasons() {
    let system = json!({ "DeadLetterQueueSourceArn": "arn" });
    let letter = letter("{}", &system, &json!({ "reason": text("no payload") }));
    assert_eq!(letter.reason(9), "received 9 times; before that: no payload");
}

#[test]
fn what_is_no_notification_is_unchanged() {
    for body in
        ["", "nonsense", "[1]", r#"{"userId":"alice"}"#, r#"{"version":9,"userId":"alice","payload":1}"#]
    {
        assert_eq!(moved(body).entry(), body);
    }
    let replay = r#"{"version":1,"type":"replay","userId":"alice","sequence":"5"}"#;
    assert_eq!(moved(replay).entry(), replay);
}

#[test]
fn user_is_shown_as_written() {
    let letter = letter("", &json!({ "MessageGroupId": "u8:5p2O6Zu3" }), &json!({}));
    assert_eq!(letter.shown(1, false).user_id.as_deref(), Some("李雷"));
}

#[test]
fn parts_have_one_letter_of_each_group_in_order() {
    let of = |id: &str, group: &str| {
        let mut letter = letter("", &json!({ "MessageGroupId": group }), &json!({}));
        letter.message_id = id.to_owned();
        letter
    };
    let letters = [("1", "a"), ("2", "b"), ("3", "a"), ("4", "a"), ("5", "c"), ("6", "b")];
    let parts = parts(letters.map(|(id, group)| of(id, group)).into());
    let ids: Vec<Vec<_>> =
        parts.iter().map(|part| part.iter().map(|l| l.message_id.as_str()).collect()).collect();
    assert_eq!(ids, [vec!["1", "2", "5"], vec!["3", "6"], vec!["4"]]);
    assert!(super::parts(Vec::new()).is_empty());
}
