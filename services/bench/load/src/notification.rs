//! The generator's notifications: written from templates, found again in frames without parsing JSON.
//!
//! A payload begins with a marker of its run, then its intended send time and its number, all at fixed
//! offsets. Servers deliver payloads byte for byte, so a search for the marker finds them in any frame.

use contract_notifications_v1::Sequence;
use memchr::memmem::{self, Finder};

/// Digits of a time in nanoseconds.
const TIME_DIGITS: usize = 20;
/// Digits of a notification's number.
const NUMBER_DIGITS: usize = 10;
/// The field that fills a payload up to its size.
const PAD: &str = r#"","pad":""#;
/// Size of the smallest payload. Sizes up to nine bytes above it give a payload of this size, too.
pub const MIN_PAYLOAD_BYTES: usize = 64;
/// The text between time and number.
const BETWEEN: &[u8] = br#"","n":""#;
const SEQUENCE: &[u8] = br#""sequence":""#;

/// Identifies the users and notifications of one run by a random name.
#[derive(Debug, Clone)]
pub struct RunId {
    name: String,
}

impl RunId {
    /// Creates a random ID.
    #[allow(clippy::new_without_default, reason = "no two are equal")]
    pub fn new() -> Self {
        Self { name: format!("{:08x}", rand::random::<u32>()) }
    }

    /// Returns a user's ID: letters, digits and hyphens, which every protocol allows.
    pub fn user(&self, user: u32) -> String {
        format!("bench-{}-{user}", self.name)
    }

    fn marker(&self) -> String {
        format!(r#"{{"bench":"{}","t":""#, self.name)
    }
}

/// One user's notification as bytes on the wire. Only time and number change from one to the next.
#[derive(Debug)]
pub struct Template {
    text: Vec<u8>,
    /// Offset of the number within the notification's `id`, if it has one.
    id: Option<usize>,
    /// Offset of the time.
    time: usize,
    /// Offset of the number.
    number: usize,
}

impl Template {
    /// Creates a payload alone: a JSON object of `payload_bytes`, but at least [`MIN_PAYLOAD_BYTES`].
    pub fn payload(run: &RunId, payload_bytes: usize) -> Self {
        let mut text = run.marker();
        let time = text.len();
        text.push_str(&"0".repeat(TIME_DIGITS));
        text.push_str(r#"","n":""#);
        let number = text.len();
        text.push_str(&"0".repeat(NUMBER_DIGITS));
        if let Some(pad) = payload_bytes.checked_sub(text.len() + PAD.len() + 2) {
            text.push_str(PAD);
            text.push_str(&"x".repeat(pad));
        }
        text.push_str(r#""}"#);
        Self { text: text.into_bytes(), id: None, time, number }
    }

    /// Adds the bytes that a protocol puts before and after it.
    #[must_use]
    pub fn framed(mut self, before: &[u8], after: &[u8]) -> Self {
        self.text.splice(0..0, before.iter().copied());
        self.text.extend_from_slice(after);
        self.time += before.len();
        self.number += before.len();
        self.id = self.id.map(|id| id + before.len());
        self
    }

    /// Creates a line of a newline-delimited request to Tidings.
    pub fn ndjson_line(run: &RunId, user: u32, payload_bytes: usize, with_ids: bool) -> Self {
        let user_id = run.user(user);
        let mut before = format!(r#"{{"userId":"{user_id}","#);
        let id = with_ids.then(|| {
            before.extend([r#""id":""#, &user_id, "-"]);
            let at = before.len();
            before.push_str(&"0".repeat(NUMBER_DIGITS));
            before.push_str(r#"","#);
            at
        });
        before.push_str(r#""payload":"#);
        Self { id, ..Self::payload(run, payload_bytes).framed(before.as_bytes(), b"}\n") }
    }

    /// Appends the user's notification `number` with the intended send time `time`.
    pub fn write(&self, time: u64, number: u32, into: &mut Vec<u8>) {
        let start = into.len();
        into.extend_from_slice(&self.text);
        let line = &mut into[start..];
        digits(time, &mut line[self.time..self.time + TIME_DIGITS]);
        digits(number.into(), &mut line[self.number..self.number + NUMBER_DIGITS]);
        if let Some(id) = self.id {
            digits(number.into(), &mut line[id..id + NUMBER_DIGITS]);
        }
    }

    /// Returns the size of a notification in bytes.
    #[allow(clippy::len_without_is_empty, reason = "it is never empty")]
    pub const fn len(&self) -> usize {
        self.text.len()
    }
}

fn digits(mut value: u64, into: &mut [u8]) {
    for digit in into.iter_mut().rev() {
        // A remainder of a division by ten fits.
        *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
}

fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit.wrapping_sub(b'0')))
}

/// A notification of the run, found in a frame.
#[derive(Debug, PartialEq, Eq)]
pub struct FoundNotification<'a> {
    /// Its padded sequence; absent in bare frames.
    pub sequence: Option<&'a [u8; Sequence::DIGITS]>,
    /// Its intended send time, by the generator's clock.
    pub time: u64,
    /// Its number among the notifications of its user.
    pub number: u32,
}

/// Finds a run's notifications in frames.
#[derive(Debug)]
pub struct Scanner {
    marker: Finder<'static>,
}

impl Scanner {
    /// Creates a scanner for the notifications of this run. It ignores those of other runs.
    pub fn new(run: &RunId) -> Self {
        Self { marker: Finder::new(run.marker().as_bytes()).into_owned() }
    }

    /// Calls `found` for each notification in a frame.
    pub fn scan<'a>(&self, frame: &'a [u8], mut found: impl FnMut(FoundNotification<'a>)) {
        let mut at = 0;
        while let Some(marker) = self.marker.find(&frame[at..]) {
            let envelope = &frame[at..at + marker];
            let time = at + marker + self.marker.needle().len();
            let count = time + TIME_DIGITS + BETWEEN.len();
            at = count + NUMBER_DIGITS;
            if at > frame.len() {
                return;
            }
            let sequence = memmem::rfind(envelope, SEQUENCE).and_then(|start| {
                let start = start + SEQUENCE.len();
                envelope.get(start..start + Sequence::DIGITS)?.try_into().ok()
            });
            found(FoundNotification {
                sequence,
                time: number(&frame[time..time + TIME_DIGITS]),
                number: u32::try_from(number(&frame[count..at])).unwrap_or(u32::MAX),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use contract_frames_v1::{encode_batch, encode_single};
    use contract_notifications_v1::{Notification, NotificationId, NotificationRequest, Timestamp};
    use proptest::prelude::*;

    use super::*;

    fn notifications(run: &RunId, times: &[u64], bytes: usize) -> Vec<Notification> {
        let template = Template::ndjson_line(run, 7, bytes, true);
        let mut lines = Vec::new();
        for (number, &time) in (0..).zip(times) {
            template.write(time, number, &mut lines);
        }
        assert_eq!(lines.len(), template.len() * times.len());
        std::str::from_utf8(&lines)
            .unwrap()
            .lines()
            .map(|line| {
                NotificationRequest::from_json(line)
                    .unwrap()
                    .complete(|| NotificationId::new("none").unwrap(), Timestamp::from_millis(5))
            })
            .collect()
    }

    proptest! {
        #[test]
        fn scanner_finds_notifications_in_server_frames(
            times in prop::collection::vec(any::<u64>(), 1..20),
            bytes in 0_usize..600,
            first: u64,
        ) {
            let run = RunId::new();
            let scanner = Scanner::new(&run);
            let notifications = notifications(&run, &times, bytes);
            let sequence = |index: usize| Sequence::new(u128::from(first) + index as u128);
            let expected: Vec<_> = (0..)
                .zip(&times)
                .map(|(index, &time)| (sequence(index as usize).to_string(), time, index))
                .collect();
            let mut batch = Vec::new();
            encode_batch(&mut batch, notifications.iter().enumerate().map(|(i, n)| (n, sequence(i), true)));
            let mut found = Vec::new();
            let mut keep = |f: FoundNotification<'_>| {
                let sequence = std::str::from_utf8(f.sequence.unwrap()).unwrap().to_owned();
                found.push((sequence, f.time, f.number));
            };
            scanner.scan(&batch, &mut keep);
            let mut single = Vec::new();
            encode_single(&mut single, &notifications[0], sequence(0), false);
            scanner.scan(&single, &mut keep);
            prop_assert_eq!(&found[..times.len()], &expected[..]);
            prop_assert_eq!(&found[times.len()..], &expected[..1]);
            // A bare frame has no sequence.
            let mut bare = Vec::new();
            scanner.scan(notifications[0].payload.get().as_bytes(), |f| bare.push((f.sequence, f.time)));
            prop_assert_eq!(bare, [(None, times[0])]);
        }
    }

    #[test]
    fn payload_has_the_requested_size() {
        let run = RunId::new();
        for bytes in [MIN_PAYLOAD_BYTES, 73, 100, 256, 4_000] {
            assert_eq!(notifications(&run, &[1], bytes)[0].payload.get().len(), bytes);
        }
        for bytes in [0, 72] {
            assert_eq!(notifications(&run, &[1], bytes)[0].payload.get().len(), MIN_PAYLOAD_BYTES);
        }
        assert_eq!(notifications(&run, &[1], 256)[0].id.as_str(), format!("{}-0000000000", run.user(7)));
    }

    #[test]
    fn notifications_of_other_runs_are_ignored() {
        let (run, other) = (RunId { name: "00000001".into() }, RunId { name: "00000002".into() });
        let notification = &notifications(&other, &[1], 100)[0];
        Scanner::new(&run).scan(notification.payload.get().as_bytes(), |_| panic!("found"));
    }
}
