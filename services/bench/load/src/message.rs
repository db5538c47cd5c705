//! What the generator's notifications look like, and how they are found again in what a server sends without
//! parsing it.

use std::sync::OnceLock;
use std::time::Instant;

use contract_notifications_v1::Sequence;
use memchr::memmem::{self, Finder};

/// Digits of a time in nanoseconds.
const TIME_DIGITS: usize = 20;
/// Digits of a notification's number.
const NUMBER_DIGITS: usize = 10;
/// What a payload that is to be larger has more.
const PAD: &str = r#"","pad":""#;
/// No payload is smaller; up to nine bytes more are not possible either.
pub const LEAST_BYTES: usize = 64;
const BETWEEN: &[u8] = br#"","n":""#;
const SEQUENCE: &[u8] = br#""sequence":""#;

/// Nanoseconds since the generator's clock was first asked: the same clock for all its threads.
pub fn now() -> u64 {
    nanos(Instant::now())
}

/// A moment on the generator's clock.
pub fn nanos(at: Instant) -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(Instant::now);
    u64::try_from(at.saturating_duration_since(start).as_nanos()).unwrap_or(u64::MAX)
}

/// One run's users and notifications, told from another run's by a random name.
#[derive(Debug, Clone)]
pub struct Run {
    name: String,
}

impl Run {
    /// A run with a new name.
    #[allow(clippy::new_without_default, reason = "no two are equal")]
    pub fn new() -> Self {
        Self { name: format!("{:08x}", rand::random::<u32>()) }
    }

    /// What a user is called: letters, digits and hyphens, which every protocol allows.
    pub fn user(&self, user: u32) -> String {
        format!("bench-{}-{user}", self.name)
    }

    fn marker(&self) -> String {
        format!(r#"{{"bench":"{}","t":""#, self.name)
    }
}

/// One user's notification as bytes on the wire: all but time and number stays the same.
#[derive(Debug)]
pub struct Template {
    text: Vec<u8>,
    id: Option<usize>,
    time: usize,
    number: usize,
}

impl Template {
    /// The payload alone: a JSON object of so many bytes, or of [`LEAST_BYTES`] when that is more.
    pub fn payload(run: &Run, payload_bytes: usize) -> Self {
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

    /// The same with bytes around it, as a protocol has them.
    #[must_use]
    pub fn framed(mut self, before: &[u8], after: &[u8]) -> Self {
        self.text.splice(0..0, before.iter().copied());
        self.text.extend_from_slice(after);
        self.time += before.len();
        self.number += before.len();
        self.id = self.id.map(|id| id + before.len());
        self
    }

    /// A line of a request to Tidings.
    pub fn line(run: &Run, user: u32, payload_bytes: usize, with_ids: bool) -> Self {
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

    /// Appends the user's notification `number`, meant to be sent at `time`.
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

    /// Bytes of each.
    #[allow(clippy::len_without_is_empty, reason = "it never is")]
    pub const fn len(&self) -> usize {
        self.text.len()
    }
}

fn digits(mut value: u64, into: &mut [u8]) {
    for digit in into.iter_mut().rev() {
        // A remainder of ten fits.
        *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
}

fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit.wrapping_sub(b'0')))
}

/// One of the run's notifications in a frame.
#[derive(Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// Its padded sequence; absent in bare frames.
    pub sequence: Option<&'a [u8; Sequence::DIGITS]>,
    /// When it was meant to be sent.
    pub time: u64,
    /// Its number for its user.
    pub number: u32,
}

/// Finds a run's notifications in frames.
#[derive(Debug)]
pub struct Scanner {
    marker: Finder<'static>,
}

impl Scanner {
    /// Finds this run's, and no other's.
    pub fn new(run: &Run) -> Self {
        Self { marker: Finder::new(run.marker().as_bytes()).into_owned() }
    }

    /// Calls `found` for each of a frame's notifications. Payloads are delivered byte for byte, so they are
    /// where they were written.
    pub fn scan<'a>(&self, frame: &'a [u8], mut found: impl FnMut(Found<'a>)) {
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
            found(Found {
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

    fn notifications(run: &Run, times: &[u64], bytes: usize) -> Vec<Notification> {
        let template = Template::line(run, 7, bytes, true);
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
        fn what_is_written_is_found_in_the_frames_servers_send(
            times in prop::collection::vec(any::<u64>(), 1..20),
            bytes in 0_usize..600,
            first: u64,
        ) {
            let run = Run::new();
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
            let mut keep = |f: Found<'_>| {
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
    fn payloads_have_the_size_asked_for() {
        let run = Run::new();
        for bytes in [LEAST_BYTES, 73, 100, 256, 4_000] {
            assert_eq!(notifications(&run, &[1], bytes)[0].payload.get().len(), bytes);
        }
        for bytes in [0, 72] {
            assert_eq!(notifications(&run, &[1], bytes)[0].payload.get().len(), LEAST_BYTES);
        }
        assert_eq!(notifications(&run, &[1], 256)[0].id.as_str(), format!("{}-0000000000", run.user(7)));
    }

    #[test]
    fn another_runs_notifications_are_passed_over() {
        let (run, other) = (Run { name: "00000001".into() }, Run { name: "00000002".into() });
        let notification = &notifications(&other, &[1], 100)[0];
        Scanner::new(&run).scan(notification.payload.get().as_bytes(), |_| panic!("found"));
    }
}
