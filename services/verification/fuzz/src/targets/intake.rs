//! A producer's request with several notifications, as lines or as an array, and the path of a request to the
//! management API.

use arbitrary::Arbitrary;
use contract_frames_v1::require_fits;
use contract_notifications_v1::{
    MAX_PAYLOAD_DEPTH, NotificationId, NotificationRequest, Timestamp, UnknownFields, is_nested_deeper,
};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;
use serde_json::value::RawValue;
use tidings_gateway::server::fuzz_api::{self, Intake, connection_id};

use crate::input::{Verdict, decode};
use crate::text::require_bounded;

#[derive(Debug, Arbitrary)]
enum Input {
    Text { lines: bool, summary: bool, body: String },
    Entries { lines: bool, summary: bool, entries: Vec<Entry> },
    Path(String),
    Id(String),
}

#[derive(Debug, Arbitrary)]
enum Entry {
    Good {
        user: u8,
        number: u32,
    },
    /// Up to twice the size that fits a frame.
    Large {
        kib: u8,
    },
    Text(String),
}

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// Reads a body of several notifications: every entry gets the answer that it would get alone. Or reads a
/// path: a connection id is decoded exactly or refused.
pub fn intake(bytes: &[u8]) -> Verdict {
    decode(bytes, check)
}

fn check(input: Input) {
    match input {
        Input::Text { lines, summary, body } => {
            check_body(&body, lines, summary, None);
        }
        Input::Entries { lines, summary, entries } => {
            let texts: Vec<_> = entries.iter().map(Entry::text).collect();
            let body = if lines { texts.join("\n") } else { format!("[{}]", texts.join(",")) };
            check_body(&body, lines, summary, Some(&entries));
        }
        Input::Path(path) => {
            let last = path.rsplit('/').next().unwrap_or_default();
            match connection_id(&path) {
                Ok(id) => {
                    assert!((1..=128).contains(&id.len()));
                    assert_eq!(percent_decode_str(last).decode_utf8().expect("the id is UTF-8"), id);
                }
                Err(detail) => require_bounded(&detail),
            }
        }
        Input::Id(id) => {
            let path = format!("/stage/@connections/{}", utf8_percent_encode(&id, NON_ALPHANUMERIC));
            let is_valid = (1..=128).contains(&id.len());
            assert_eq!(connection_id(&path).ok(), is_valid.then_some(id));
        }
    }
}

impl Entry {
    fn text(&self) -> String {
        match self {
            Self::Good { user, number } => {
                format!(r#"{{"userId":"u{user}","id":"n{number}","payload":{number}}}"#)
            }
            Self::Large { kib } => {
                let text = "x".repeat(usize::from(*kib) * 1_024);
                format!(r#"{{"userId":"u","payload":"{text}"}}"#)
            }
            // An array needs JSON, and lines need one line.
            Self::Text(text) => serde_json::to_string(text).unwrap_or_default(),
        }
    }
}

/// The entries of the body, read without the code under test.
fn expected(body: &str, lines: bool) -> Option<Vec<String>> {
    if lines {
        let lines = body.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let lines = lines.map(|line| line.trim_start_matches('\u{feff}'));
        return Some(lines.filter(|line| !line.trim().is_empty()).map(str::to_owned).collect());
    }
    let values: Vec<Box<RawValue>> = serde_json::from_str(body).ok()?;
    Some(values.iter().map(|value| value.get().to_owned()).collect())
}

fn check_body(body: &str, lines: bool, summary: bool, entries: Option<&[Entry]>) {
    let expected = expected(body, lines);
    let found = match fuzz_api::intake(body, lines, summary, NOW) {
        Ok(found) => found,
        Err(detail) => {
            require_bounded(&detail);
            assert!(expected.is_none(), "an array is refused: {detail}");
            return;
        }
    };
    let expected = expected.expect("a body that is not an array is refused");
    assert_eq!(found.entries.len(), expected.len(), "every entry has an outcome");
    for (text, outcome) in expected.iter().zip(&found.entries) {
        let request = NotificationRequest::from_json_with(text, UnknownFields::Refuse);
        let request = request.and_then(|request| request.check_expiry(NOW).map(|()| request));
        match outcome {
            Ok(submission) => {
                let request = request.expect("an entry refused alone is refused among others");
                assert!(
                    require_fits(&submission.notification).is_ok(),
                    "an entry too large for a frame is refused"
                );
                assert_eq!(submission.deduplicate, request.id.is_some());
                let id = submission.notification.id.clone();
                assert_eq!(request.complete(|| id, NOW), submission.notification);
            }
            Err(detail) => {
                require_bounded(detail);
                // An entry without an id gets one of 36 characters.
                let id = || NotificationId::new("0".repeat(36)).expect("the id is valid");
                let is_valid = |request: NotificationRequest| {
                    !is_nested_deeper(request.payload.get(), MAX_PAYLOAD_DEPTH)
                        && require_fits(&request.complete(id, NOW)).is_ok()
                };
                assert!(!request.is_ok_and(is_valid), "a valid entry is refused: {detail}");
            }
        }
    }
    if let Some(entries) = entries {
        for (entry, outcome) in entries.iter().zip(&found.entries) {
            let is_valid = match entry {
                Entry::Good { .. } => true,
                // The limit is 128 KiB with the envelope.
                Entry::Large { kib } => *kib < 128,
                Entry::Text(_) => false,
            };
            assert_eq!(outcome.is_ok(), is_valid, "{entry:?}: {outcome:?}");
        }
    }
    check_answer(&found, summary);
}

/// The answer has every entry in its place.
fn check_answer(found: &Intake, summary: bool) {
    let answer: Value = serde_json::from_slice(&found.answer).expect("the answer is JSON");
    let accepted = found.entries.iter().filter(|entry| entry.is_ok()).count();
    let refused = found.entries.len() - accepted;
    assert_eq!((&answer["accepted"], &answer["refused"]), (&accepted.into(), &refused.into()));
    if summary {
        let errors = answer["errors"].as_array().expect("errors are listed");
        let indexes = errors.iter().map(|error| error["index"].as_u64().expect("an error has its index"));
        let refused =
            (0_u64..).zip(&found.entries).filter(|(_, entry)| entry.is_err()).map(|(index, _)| index);
        assert!(indexes.eq(refused));
        return;
    }
    let results = answer["results"].as_array().expect("results are listed");
    assert_eq!(results.len(), found.entries.len());
    let mut sequence = 0_u128;
    for (result, entry) in results.iter().zip(&found.entries) {
        match entry {
            Ok(submission) => {
                sequence += 1;
                assert_eq!(result["id"], submission.notification.id.as_str());
                assert_eq!(result["sequence"], format!("{sequence:039}"));
            }
            Err(detail) => assert_eq!(result["error"]["detail"], detail.as_str()),
        }
    }
}
