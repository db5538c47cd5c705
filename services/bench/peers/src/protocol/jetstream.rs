//! The part of JetStream's protocol (<https://docs.nats.io/reference/reference-protocols/nats_api_reference>) for one
//! stream with a durable consumer for each user.
//!
//! From version 2.12 on, nats-server takes several messages as one atomic batch, which it answers once and syncs once
//! (<https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-50.md>).

use std::io::Write as _;

use anyhow::{Context as _, bail};
use bench_load::http::last_number;
use bench_load::{RunId, Sink, Template};
use memchr::memmem;
use serde_json::json;

use super::nats::{Operation, Subscriber, connect, operation};
use super::pipeline::Pipeline;

/// The name of the stream.
const STREAM: &str = "notifications";
/// Largest number of consumers. nats-server 2.15 allows 1,000 unless told otherwise.
const MAX_CONSUMERS: u32 = 1_000_000;
/// Digits of a message's number within its batch. nats-server allows 1,000 messages.
const SEQUENCE_DIGITS: usize = 4;
/// Digits of a batch's ID.
const ID_DIGITS: usize = 16;
/// The header that ends a batch.
const COMMIT: &str = "Nats-Batch-Commit:1\r\n";

/// Returns the subject that a user's notifications are published to.
fn subject(user: &str) -> String {
    format!("kept.{user}")
}

/// Returns the subject that a user's durable consumer delivers to.
fn delivery_subject(user: &str) -> String {
    format!("deliver.{user}")
}

/// Creates a subscriber to a user's durable consumer.
pub(crate) fn subscriber(user: &str) -> Subscriber {
    Subscriber::acknowledging(delivery_subject(user))
}

/// How a publisher sends several notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Batches {
    /// As messages of their own, each answered.
    None,
    /// As an atomic batch, answered once.
    Atomic,
}

/// A publisher for some users.
#[derive(Debug)]
pub(crate) struct Publisher {
    pipeline: Pipeline,
    /// The publisher of each user.
    users: Vec<Operations>,
    batches: Batches,
    /// The last notification that was written, and its offset in the bytes to send.
    last: Option<(Written, usize)>,
    /// ID of the next batch.
    batch_id: u64,
}

/// A notification, as the producer gave it.
#[derive(Debug, Clone, Copy)]
struct Written {
    user: usize,
    time: u64,
    number: u32,
}

/// The operations that publish to a user.
#[derive(Debug)]
struct Operations {
    /// A message of its own.
    single: Template,
    /// A message of a batch.
    member: Template,
    /// The message that ends a batch.
    commit: Template,
    /// Offset of the batch's ID in `member`. The message's number follows it.
    member_id: usize,
    /// The same in `commit`.
    commit_id: usize,
}

impl Operations {
    fn new(run: &RunId, user: u32, payload_bytes: usize, inbox: &str) -> Self {
        let payload = || Template::payload(run, payload_bytes);
        let (subject, size) = (subject(&run.user(user)), payload().len());
        let head = format!("PUB {subject} {inbox} {size}\r\n");
        let single = payload().framed(head.as_bytes(), b"\r\n");
        let batched = |reply: &str, last_header: &str| {
            let start = "NATS/1.0\r\nNats-Batch-Id:";
            let rest = format!(
                "{}\r\nNats-Batch-Sequence:{}\r\n{last_header}\r\n",
                "0".repeat(ID_DIGITS),
                "0".repeat(SEQUENCE_DIGITS)
            );
            let headers = start.len() + rest.len();
            let line = format!("HPUB {subject}{reply} {headers} {}\r\n{start}", headers + size);
            (payload().framed(format!("{line}{rest}").as_bytes(), b"\r\n"), line.len())
        };
        let (member, member_id) = batched("", "");
        let (commit, commit_id) = batched(&format!(" {inbox}"), COMMIT);
        Self { single, member, commit, member_id, commit_id }
    }
}

/// Writes the batch's ID and the message's number, which are at `at`.
fn write_position(bytes: &mut [u8], at: usize, id: u64, sequence: u64) {
    const BETWEEN: usize = "\r\nNats-Batch-Sequence:".len();
    let number = at + ID_DIGITS + BETWEEN;
    // Both fit: a batch has fewer messages than the digits allow.
    let _ = write!(&mut bytes[at..at + ID_DIGITS], "{id:016x}");
    let _ = write!(&mut bytes[number..number + SEQUENCE_DIGITS], "{sequence:04}");
}

impl Publisher {
    pub(crate) fn connect(
        host: &str,
        run: &RunId,
        users: &[u32],
        payload_bytes: usize,
        batches: Batches,
    ) -> anyhow::Result<Self> {
        let (pipeline, inbox) = connect(host)?;
        let users = users.iter().map(|&user| Operations::new(run, user, payload_bytes, &inbox)).collect();
        Ok(Self { pipeline, users, batches, last: None, batch_id: rand::random() })
    }

    /// Makes the last notification the end of its batch, or a message of its own if there is no other.
    fn end_batch(&mut self) {
        let Some((Written { user, time, number }, start)) = self.last.take() else { return };
        let Self { pipeline, users, batch_id, .. } = self;
        let (count, operations) = (pipeline.pending(), &users[user]);
        pipeline.out.truncate(start);
        if count == 1 {
            operations.single.write(time, number, &mut pipeline.out);
        } else {
            operations.commit.write(time, number, &mut pipeline.out);
            write_position(&mut pipeline.out[start..], operations.commit_id, *batch_id, count);
        }
        *batch_id = batch_id.wrapping_add(1);
    }
}

/// Counts the notifications that answers confirm.
fn stored(bytes: &[u8]) -> anyhow::Result<(usize, u64)> {
    let (mut used, mut count) = (0, 0);
    while let Some((operation, length)) = operation(&bytes[used..]) {
        used += length;
        match operation {
            Operation::Message { payload, .. } if memmem::find(payload, br#""error":"#).is_none() => {
                last_number(payload, "seq").context("an answer has no sequence")?;
                count += last_number(payload, "count").unwrap_or(1);
            }
            Operation::Message { payload, .. } => {
                bail!("notifications were not accepted: {}", String::from_utf8_lossy(payload))
            }
            Operation::Error(error) => bail!("the server reports {error}"),
            _ => {}
        }
    }
    Ok((used, count))
}

impl Sink for Publisher {
    fn write(&mut self, user: usize, time: u64, number: u32) {
        let Self { pipeline, users, batches, .. } = self;
        let operations = &users[user];
        if *batches == Batches::None {
            pipeline.add(&operations.single, time, number);
            return;
        }
        let start = pipeline.add(&operations.member, time, number);
        let sequence = pipeline.pending();
        write_position(&mut pipeline.out[start..], operations.member_id, self.batch_id, sequence);
        self.last = Some((Written { user, time, number }, start));
    }

    fn flush(&mut self) -> anyhow::Result<bool> {
        self.end_batch();
        self.pipeline.flush(stored)?;
        Ok(true)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.pipeline.finish(stored)
    }
}

/// Creates the stream, unless it exists, and a durable consumer for each user.
pub(crate) fn create_consumers(host: &str, run: &RunId, users: u32, batches: Batches) -> anyhow::Result<()> {
    let (mut pipeline, inbox) = connect(host)?;
    let request = |pipeline: &mut Pipeline, api: String, body: serde_json::Value| {
        let body = body.to_string();
        let operation = format!("PUB $JS.API.{api} {inbox} {}\r\n{body}\r\n", body.len());
        pipeline.out.extend_from_slice(operation.as_bytes());
        pipeline.send_request(created)
    };
    let mut stream = json!({
        "name": STREAM,
        "subjects": ["kept.*"],
        "storage": "file",
        "retention": "limits",
        "max_consumers": MAX_CONSUMERS,
    });
    if batches == Batches::Atomic {
        stream["allow_atomic"] = true.into();
    }
    request(&mut pipeline, format!("STREAM.CREATE.{STREAM}"), stream)?;
    // The server may take a request before it has answered the one before.
    pipeline.finish(created)?;
    for user in (0..users).map(|user| run.user(user)) {
        let config = json!({
            "durable_name": user,
            "deliver_subject": delivery_subject(&user),
            "filter_subject": subject(&user),
            "deliver_policy": "all",
            "ack_policy": "explicit",
            // The stream is a file. The place of each consumer in it would be written to a file of its own for each
            // notification.
            "mem_storage": true,
        });
        let body = json!({ "stream_name": STREAM, "config": config });
        request(&mut pipeline, format!("CONSUMER.DURABLE.CREATE.{STREAM}.{user}"), body)?;
    }
    pipeline.finish(created)
}

/// Counts confirmed requests.
fn created(bytes: &[u8]) -> anyhow::Result<(usize, u64)> {
    let (mut used, mut count) = (0, 0);
    while let Some((operation, length)) = operation(&bytes[used..]) {
        used += length;
        match operation {
            Operation::Message { payload, .. } if memmem::find(payload, b"\"error\":").is_some() => {
                bail!("JetStream refuses a request: {}", String::from_utf8_lossy(payload));
            }
            Operation::Message { .. } => count += 1,
            Operation::Error(error) => bail!("the server reports {error}"),
            _ => {}
        }
    }
    Ok((used, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_headers_have_the_announced_size() {
        let run = RunId::new();
        let operations = Operations::new(&run, 3, 100, "_INBOX.1");
        let mut payload = Vec::new();
        Template::payload(&run, 100).write(5, 6, &mut payload);
        for (template, at, reply, last_header) in [
            (&operations.member, operations.member_id, "", ""),
            (&operations.commit, operations.commit_id, " _INBOX.1", COMMIT),
        ] {
            let mut bytes = Vec::new();
            template.write(5, 6, &mut bytes);
            write_position(&mut bytes, at, 0xab, 12);
            let headers = format!(
                "NATS/1.0\r\nNats-Batch-Id:00000000000000ab\r\nNats-Batch-Sequence:0012\r\n{last_header}\r\n"
            );
            let line = format!(
                "HPUB kept.{}{reply} {} {}\r\n",
                run.user(3),
                headers.len(),
                headers.len() + payload.len()
            );
            assert_eq!(bytes, [line.as_bytes(), headers.as_bytes(), &payload, b"\r\n"].concat());
        }
    }

    #[test]
    fn answers_confirm_messages_and_batches() {
        let message = |text: &str| format!("MSG i 1 {}\r\n{text}\r\n", text.len());
        let both = message(r#"{"stream":"s","seq":1}"#)
            + &message(r#"{"stream":"s","seq":501,"batch":"a","count":500}"#);
        assert_eq!(stored(both.as_bytes()).unwrap(), (both.len(), 501));
        assert_eq!(stored(b"MSG i 1 5\r\n{}").unwrap(), (0, 0));
        let refused = message(r#"{"error":{"code":400},"stream":"s","seq":0}"#);
        assert!(stored(refused.as_bytes()).is_err());
        assert!(stored(message("").as_bytes()).is_err());
    }
}
