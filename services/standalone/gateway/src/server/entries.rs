//! Parses producers' bodies and writes the answers, entry by entry.

use std::error::Error;
use std::fmt;
use std::io::Write as _;
use std::time::Duration;

use axum::http::StatusCode;
use contract_frames_v1::require_fits;
use contract_notifications_v1::{
    InvalidNotification, NotificationId, NotificationRequest, Sequence, Timestamp, UnknownFields,
    is_nested_deeper,
};
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tidings_store::{AcceptError, Accepted, Submission};

use super::problem::Problem;
use super::request::uuid_v7;

/// Maximum number of entries in one body. An entry may have two bytes, but its refusal has hundreds.
const MAX_ENTRIES: usize = 100_000;

/// Number of refused entries after which the rest of a body is not read.
const MAX_REFUSED: usize = 1_000;

/// Furthest `sentAt` in the future: clocks differ by hours at most.
const SENT_AHEAD: Duration = Duration::from_hours(24);

/// Furthest `sentAt` in the past, as long as the history is kept at most.
const SENT_AGO: Duration = Duration::from_hours(24 * 3_653);

/// The byte order mark with which some editors begin a file.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Rules for producers' notifications.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Treatment of unknown fields.
    pub(super) unknown_fields: UnknownFields,
    /// Maximum number of levels of arrays and objects in a payload.
    pub(super) payload_depth: usize,
}

/// Parses one notification. One without an id gets one and is not deduplicated.
pub(super) fn submission(
    json: &str,
    Rules { unknown_fields, payload_depth }: Rules,
    now: Timestamp,
) -> Result<Submission, Problem> {
    let invalid = |error: InvalidNotification| {
        let detail = match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        Problem::bad_request(detail)
    };
    let request = NotificationRequest::from_json_with(json, unknown_fields).map_err(invalid)?;
    request.check_expiry(now).map_err(invalid)?;
    check_sent_at(request.sent_at, now)?;
    if is_nested_deeper(request.payload.get(), payload_depth) {
        return Err(invalid(InvalidNotification::TooDeep { levels: payload_depth }));
    }
    let deduplicate = request.id.is_some();
    // A UUID is always a legal id.
    let new_id = || NotificationId::new(uuid_v7(now)).unwrap_or_else(|_| Sequence::ZERO.into());
    let notification = request.complete(new_id, now);
    require_fits(&notification).map_err(|error| Problem::too_large(error.to_string()))?;
    Ok(Submission { notification, deduplicate })
}

/// Refuses a `sentAt` that is no time of a notification, such as one in seconds or in microseconds.
fn check_sent_at(sent_at: Option<Timestamp>, now: Timestamp) -> Result<(), Problem> {
    let Some(sent_at) = sent_at else { return Ok(()) };
    if sent_at > now.plus(SENT_AHEAD) || now.since(sent_at) > SENT_AGO {
        return Err(Problem::bad_request(format!(
            "sentAt is {}, but now is {}: allowed are times from ten years ago to a day ahead, in milliseconds since 1970",
            sent_at.millis(),
            now.millis()
        )));
    }
    Ok(())
}

/// Returns a body without the byte order mark before it.
pub(super) fn without_mark(body: &str) -> &str {
    body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body)
}

/// Number of entries submitted at once. One write of the store serves them all.
const CHUNK: usize = 1_000;

/// The entries of a body with many notifications.
pub(super) struct Entries<'a> {
    texts: Texts<'a>,
    rules: Rules,
    /// Number of entries read so far.
    taken: usize,
}

enum Texts<'a> {
    Array(std::vec::IntoIter<&'a RawValue>),
    /// The lines left, and an upper bound of their number.
    Lines(std::str::Lines<'a>, usize),
}

/// The first entries of an array, one more than is allowed. To keep all of them, of two bytes each, would take eight
/// times the memory of the body.
struct Array<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Array<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct First;

        impl<'de> Visitor<'de> for First {
            type Value = Array<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while entries.len() <= MAX_ENTRIES {
                    let Some(entry) = array.next_element()? else { return Ok(Array(entries)) };
                    entries.push(entry);
                }
                while array.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Array(entries))
            }
        }

        deserializer.deserialize_seq(First)
    }
}

/// Consecutive entries, in the body's order.
pub(super) struct Chunk {
    /// The parsed entries.
    pub(super) slots: Vec<Slot>,
    /// The submissions among them.
    pub(super) submissions: Vec<Submission>,
}

impl<'a> Entries<'a> {
    /// The entries of a JSON array.
    pub(super) fn array(body: &'a str, rules: Rules) -> Result<Self, Problem> {
        let Array(entries) = serde_json::from_str(body)
            .map_err(|error| Problem::bad_request(format!("the body is not a JSON array: {error}")))?;
        Ok(Self { texts: Texts::Array(entries.into_iter()), rules, taken: 0 })
    }

    /// The entries of a body with one JSON value a line.
    pub(super) fn lines(body: &'a str, rules: Rules) -> Self {
        let count = memchr::memchr_iter(b'\n', body.as_bytes()).count() + 1;
        Self { texts: Texts::Lines(body.lines(), count), rules, taken: 0 }
    }

    /// Parses the next entries; those that `check` refuses are refused. Returns `None` if there are no more. The first
    /// entry beyond [`MAX_ENTRIES`] is refused and ends the body.
    pub(super) fn chunk(
        &mut self,
        now: impl Fn() -> Timestamp,
        check: impl Fn(&Submission) -> Result<(), Problem>,
    ) -> Option<Chunk> {
        let count = self.texts.at_most().min(CHUNK);
        let mut chunk = Chunk { slots: Vec::with_capacity(count), submissions: Vec::with_capacity(count) };
        while chunk.slots.len() < CHUNK && self.taken <= MAX_ENTRIES {
            let Some(text) = self.texts.next() else { break };
            self.taken += 1;
            if self.taken > MAX_ENTRIES {
                let detail = format!("there are more than {MAX_ENTRIES} entries; those before it were taken");
                chunk.slots.push(Slot::Refused(Problem::too_large(detail).into()));
                break;
            }
            let parsed = submission(text, self.rules, now());
            match parsed.and_then(|submission| check(&submission).map(|()| submission)) {
                Ok(submission) => {
                    chunk.slots.push(Slot::Submitted(submission.notification.id.clone()));
                    chunk.submissions.push(submission);
                }
                Err(problem) => chunk.slots.push(Slot::Refused(problem.into())),
            }
        }
        (!chunk.slots.is_empty()).then_some(chunk)
    }
}

impl Texts<'_> {
    /// Returns an upper bound of the number of entries left.
    fn at_most(&self) -> usize {
        match self {
            Self::Array(entries) => entries.len(),
            Self::Lines(_, count) => *count,
        }
    }
}

impl<'a> Iterator for Texts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        match self {
            Self::Array(entries) => entries.next().map(RawValue::get),
            Self::Lines(lines, count) => {
                *count = count.saturating_sub(1);
                // Files that were joined have a mark in the middle.
                lines
                    .map(|line| line.trim_start_matches(BYTE_ORDER_MARK))
                    .find(|line| !line.trim().is_empty())
            }
        }
    }
}

/// A parsed entry.
pub(super) enum Slot {
    Submitted(NotificationId),
    Refused(Box<Problem>),
}

/// The answer to a body with many notifications, written entry by entry.
pub(super) struct Answer<'a> {
    body: Vec<u8>,
    summary: bool,
    request_id: &'a str,
    first: bool,
    /// Number of entries answered so far.
    index: usize,
    pub(super) accepted: usize,
    duplicates: usize,
    pub(super) refused: usize,
}

impl<'a> Answer<'a> {
    /// Begins an answer. With `summary` it lists only the refused entries, each with its index.
    pub(super) fn new(summary: bool, request_id: &'a str) -> Self {
        let body = if summary { br#"{"errors":["#.to_vec() } else { br#"{"results":["#.to_vec() };
        Self { body, summary, request_id, first: true, index: 0, accepted: 0, duplicates: 0, refused: 0 }
    }

    /// Adds the results of consecutive entries. `accepted` has one result for each submission.
    pub(super) fn add(&mut self, slots: Vec<Slot>, accepted: &Result<Vec<Accepted>, Problem>) {
        let (mut accepted, failure) = match accepted {
            Ok(accepted) => (accepted.iter(), None),
            Err(problem) => ([].iter(), Some(problem)),
        };
        for slot in slots {
            match (slot, failure) {
                (Slot::Refused(problem), _) => self.refuse(&problem),
                (Slot::Submitted(_), Some(problem)) => self.refuse(problem),
                (Slot::Submitted(id), None) => match accepted.next() {
                    Some(accepted) => self.accept(&id, accepted),
                    None => self.refuse(&Problem::unavailable("the entry was not answered; send it again")),
                },
            }
            self.index += 1;
        }
    }

    /// Returns true if so many entries are refused that no further ones are read: their refusals would take far more
    /// memory and time than they.
    pub(super) fn has_enough_refusals(&self) -> bool {
        self.refused >= MAX_REFUSED
    }

    /// Adds a refusal of all further entries.
    pub(super) fn refuse_rest(&mut self) {
        let detail = format!(
            "{} entries are refused; those before this one were taken or refused as it says, this one and those after it \
             were not read",
            self.refused
        );
        self.refuse(&Problem::too_large(detail));
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.body.push(b',');
        }
    }

    fn accept(&mut self, id: &NotificationId, accepted: &Accepted) {
        self.accepted += 1;
        self.duplicates += usize::from(accepted.duplicate);
        if !self.summary {
            self.separate();
            write_accepted(&mut self.body, id, accepted);
        }
    }

    fn refuse(&mut self, problem: &Problem) {
        self.refused += 1;
        self.separate();
        if self.summary {
            let _ = write!(self.body, r#"{{"index":{},"error":"#, self.index);
        } else {
            self.body.extend_from_slice(br#"{"error":"#);
        }
        problem.write(&mut self.body, self.request_id);
        self.body.push(b'}');
    }

    /// Returns the complete answer.
    pub(super) fn finish(self) -> Vec<u8> {
        let Self { mut body, accepted, duplicates, refused, .. } = self;
        let counts =
            format_args!(r#"],"accepted":{accepted},"duplicates":{duplicates},"refused":{refused}}}"#);
        let _ = write!(body, "{counts}");
        body
    }
}

/// Appends `{"id":…,"sequence":…,"duplicate":…}`.
pub(super) fn write_accepted(into: &mut Vec<u8>, id: &NotificationId, accepted: &Accepted) {
    into.extend_from_slice(br#"{"id":"#);
    // A string always serializes, and a buffer in memory takes every write.
    let _ = serde_json::to_writer(&mut *into, id);
    into.extend_from_slice(br#","sequence":""#);
    into.extend_from_slice(&accepted.sequence.digits());
    into.extend_from_slice(br#"","duplicate":"#);
    into.extend_from_slice(if accepted.duplicate { b"true}" } else { b"false}" });
}

/// The problem that tells the producer why the store did not accept.
pub(super) fn not_accepted(error: AcceptError) -> Problem {
    match error {
        AcceptError::DiskFull => {
            let detail = "the disk is full: less is free than store.reserve_bytes and what the store has still to write \
                          out; nothing is accepted until more is free";
            Problem::new(StatusCode::INSUFFICIENT_STORAGE, "disk-full", detail)
        }
        AcceptError::Unavailable => {
            Problem::unavailable("the store can't write at the moment; send it again")
        }
        AcceptError::ShuttingDown => Problem::unavailable("the server is shutting down; send it again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_away_sent_at_is_refused() {
        const NOW: u64 = 1_772_366_400_000;
        const DAY: u64 = 86_400_000;
        let submit = |sent_at: u64| {
            let json = format!(r#"{{"userId":"zoe","payload":1,"sentAt":{sent_at}}}"#);
            submission(
                &json,
                Rules { unknown_fields: UnknownFields::Refuse, payload_depth: 128 },
                Timestamp::from_millis(NOW),
            )
        };
        for good in [NOW, NOW + DAY, NOW - 3_653 * DAY] {
            assert_eq!(submit(good).ok().unwrap().notification.sent_at.millis(), good);
        }
        for bad in [0, NOW / 1_000, NOW * 1_000, NOW + DAY + 1, NOW - 3_653 * DAY - 1, u64::MAX] {
            let problem = submit(bad).err().unwrap();
            assert!(problem.status == StatusCode::BAD_REQUEST && problem.detail.contains("sentAt"), "{bad}");
        }
    }

    #[test]
    fn array_is_kept_up_to_the_limit() {
        let body = format!("[{}1]", "1,".repeat(MAX_ENTRIES + 1_000));
        let rules = Rules { unknown_fields: UnknownFields::Refuse, payload_depth: 128 };
        let mut entries = Entries::array(&body, rules).unwrap();
        let Texts::Array(kept) = &entries.texts else { panic!("an array") };
        assert_eq!(kept.len(), MAX_ENTRIES + 1);
        let mut slots = 0;
        while let Some(chunk) = entries.chunk(Timestamp::default, |_| Ok(())) {
            slots += chunk.slots.len();
        }
        assert_eq!(slots, MAX_ENTRIES + 1);
        // The entries beyond the limit are parsed all the same.
        assert!(Entries::array(&body.replace("1]", "1,]"), rules).is_err());
        assert!(Entries::array("{}", rules).is_err());
    }
}
