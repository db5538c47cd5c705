//! Frames as clients read them.

use contract_connections_v1::FrameFormat;
use contract_notifications_v1::Sequence;
use serde_json::Value;

/// Returns the payload of a notification: its number, and text of about this size.
pub(crate) fn payload(number: u32, size: usize) -> String {
    format!(r#"{{"n":{number},"text":"{}"}}"#, "x".repeat(size))
}

/// Returns the numbers of the notifications in a frame, in order.
pub(crate) fn numbers(format: FrameFormat, text: &str) -> Vec<u32> {
    items(format, text).into_iter().map(|(number, _)| number).collect()
}

/// Returns the notifications in a frame: their numbers and, if the format has them, their sequences.
pub(crate) fn items(format: FrameFormat, text: &str) -> Vec<(u32, Option<Sequence>)> {
    let Ok(frame) = serde_json::from_str::<Value>(text) else { return Vec::new() };
    if format == FrameFormat::Raw {
        return number(&frame).map(|number| (number, None)).into_iter().collect();
    }
    let item = |item: &Value| {
        let sequence = item["sequence"].as_str().and_then(|sequence| sequence.parse().ok());
        number(&item["payload"]).map(|number| (number, sequence))
    };
    match frame["items"].as_array() {
        Some(items) => items.iter().filter_map(item).collect(),
        None => item(&frame).into_iter().collect(),
    }
}

fn number(payload: &Value) -> Option<u32> {
    payload["n"].as_u64().and_then(|number| number.try_into().ok())
}
