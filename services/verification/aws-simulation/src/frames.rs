//! Frames as clients read them.

use contract_connections_v1::FrameFormat;
use contract_notifications_v1::{Payload, Sequence};
use serde_json::Value;

/// Number of the first message to the hub. Those of users are lower.
pub(crate) const FIRST_OF_HUB: u32 = 1_000_000;
/// Numbers of notices of presence are not lower.
pub(crate) const FIRST_NOTICE: u32 = 2_000_000;

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

/// Returns the number of the notification with this payload: of one of [`payload`], of a message to the hub whose text it
/// is, or of a notice of presence, made of its contents.
fn number(payload: &Value) -> Option<u32> {
    if payload["presence"].is_string() {
        let contents = format!("{} {} {}", payload["presence"], payload["userId"], payload["timestamp"]);
        return Some(FIRST_NOTICE + checksum(contents.as_bytes()) % (u32::MAX - FIRST_NOTICE));
    }
    let of_hub = || payload["text"].as_str()?.parse().ok();
    payload["n"].as_u64().and_then(|number| number.try_into().ok()).or_else(of_hub)
}

/// Returns the number of the notification with this payload, as text.
pub(crate) fn number_in(payload: &str) -> Option<u32> {
    number(&serde_json::from_str(payload).ok()?)
}

/// Returns the number of the notification with this payload.
pub(crate) fn number_of(payload: &Payload) -> u32 {
    // Every payload of a plan has one.
    number_in(payload.get()).unwrap_or(u32::MAX)
}

/// A checksum that tells the notices of a simulation apart.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(7, |sum: u32, byte| sum.wrapping_mul(16_777_619) ^ u32::from(*byte))
}
