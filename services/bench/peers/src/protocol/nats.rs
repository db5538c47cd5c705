//! The protocol of NATS (<https://docs.nats.io/reference/reference-protocols/nats-protocol>) and as much of
//! JetStream's (<https://docs.nats.io/reference/reference-protocols/nats_api_reference>) as one stream with a
//! durable consumer for each user needs.

use std::ops::ControlFlow;

use anyhow::{Context as _, bail};
use bench_load::{Arrivals, Opcode, Protocol, Run, Sink, Template};
use memchr::memmem;
use serde_json::json;

use super::feed;
use super::pipe::Pipe;

const CONNECT: &[u8] =
    b"CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"rust\",\"version\":\"1\"}\r\n";
const STREAM: &str = "notifications";

/// Where a user's notifications are published.
fn subject(user: &str, kept: bool) -> String {
    if kept { format!("kept.{user}") } else { format!("push.{user}") }
}

/// Where a durable consumer sends them.
fn delivery(user: &str) -> String {
    format!("deliver.{user}")
}

/// What the server says.
#[derive(Debug, PartialEq, Eq)]
enum Said<'a> {
    Info,
    Ping,
    Pong,
    /// A message, and where to answer it.
    Message {
        reply: Option<&'a [u8]>,
        payload: &'a [u8],
    },
    Error(String),
    Other,
}

/// What stands at the front, once it is complete, and how many bytes it has.
fn said(bytes: &[u8]) -> Option<(Said<'_>, usize)> {
    let end = memmem::find(bytes, b"\r\n")?;
    let (line, start) = (&bytes[..end], end + 2);
    let said = match line {
        b"PING" => Said::Ping,
        b"PONG" => Said::Pong,
        _ if line.starts_with(b"MSG ") => return message(bytes, line, start),
        _ if line.starts_with(b"INFO ") => Said::Info,
        _ if line.starts_with(b"-ERR") => Said::Error(String::from_utf8_lossy(line).into_owned()),
        _ => Said::Other,
    };
    Some((said, start))
}

/// `MSG subject sid [reply] bytes`
fn message<'a>(bytes: &'a [u8], line: &'a [u8], start: usize) -> Option<(Said<'a>, usize)> {
    let mut words = line.split(|byte| *byte == b' ').skip(3);
    let (third, fourth) = (words.next(), words.next());
    let (reply, length) = if fourth.is_some() { (third, fourth) } else { (None, third) };
    let Some(length) = length.and_then(|length| std::str::from_utf8(length).ok()?.parse::<usize>().ok())
    else {
        return Some((Said::Error("a message has no length".to_owned()), start));
    };
    let payload = bytes.get(start..start + length)?;
    bytes.get(start + length..start + length + 2)?;
    Some((Said::Message { reply, payload }, start + length + 2))
}

/// A subscriber: to what is published, or to what its durable consumer sends.
#[derive(Debug)]
pub(crate) struct Subscriber {
    subject: String,
    kept: bool,
    rest: Vec<u8>,
    open: bool,
}

impl Subscriber {
    pub(crate) fn new(user: &str, kept: bool) -> Self {
        let subject = if kept { delivery(user) } else { subject(user, false) };
        Self { subject, kept, rest: Vec::new(), open: false }
    }
}

impl Protocol for Subscriber {
    fn opcode(&self) -> Opcode {
        Opcode::Binary
    }

    fn open(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(CONNECT);
        out.extend_from_slice(format!("SUB {} 1\r\nPING\r\n", self.subject).as_bytes());
    }

    fn is_open(&self) -> bool {
        self.open
    }

    fn feed(&mut self, bytes: &[u8], arrivals: &mut Arrivals, out: &mut Vec<u8>) -> ControlFlow<()> {
        let Self { rest, open, kept, .. } = self;
        let mut flow = ControlFlow::Continue(());
        feed(rest, bytes, |bytes| {
            let mut at = 0;
            while let Some((said, length)) = said(&bytes[at..]) {
                at += length;
                match said {
                    Said::Message { reply, payload } => {
                        arrivals.take(payload, |_| {});
                        if let Some(reply) = reply.filter(|_| *kept) {
                            out.extend_from_slice(b"PUB ");
                            out.extend_from_slice(reply);
                            out.extend_from_slice(b" 4\r\n+ACK\r\n");
                        }
                    }
                    Said::Ping => out.extend_from_slice(b"PONG\r\n"),
                    Said::Pong => *open = true,
                    Said::Error(_) => flow = ControlFlow::Break(()),
                    Said::Info | Said::Other => {}
                }
            }
            at
        });
        flow
    }
}

/// A publisher for some users. Where messages are kept the server answers each; else a ping after each batch
/// tells that it has it.
#[derive(Debug)]
pub(crate) struct Publisher {
    pipe: Pipe,
    publishes: Vec<Template>,
    kept: bool,
    count: u64,
    /// Notifications before each ping that is not answered.
    pings: std::collections::VecDeque<u64>,
}

/// A connection, with a subject of its own for answers.
fn connect(host: &str) -> anyhow::Result<(Pipe, String)> {
    let inbox = format!("_INBOX.{:016x}", rand::random::<u64>());
    let mut pipe = Pipe::connect(host)?;
    pipe.out.extend_from_slice(CONNECT);
    pipe.out.extend_from_slice(format!("SUB {inbox} 1\r\nPING\r\n").as_bytes());
    pipe.send()?;
    let mut open = false;
    while !open {
        pipe.read(|bytes| {
            let mut used = 0;
            while let Some((said, length)) = said(&bytes[used..]) {
                used += length;
                match said {
                    Said::Pong => open = true,
                    Said::Error(error) => bail!("the server says {error}"),
                    _ => {}
                }
            }
            Ok((used, 0))
        })?;
    }
    Ok((pipe, inbox))
}

impl Publisher {
    pub(crate) fn connect(
        host: &str,
        run: &Run,
        users: &[u32],
        payload_bytes: usize,
        kept: bool,
    ) -> anyhow::Result<Self> {
        let (pipe, inbox) = connect(host)?;
        let publish = |&user: &u32| {
            let payload = Template::payload(run, payload_bytes);
            let subject = subject(&run.user(user), kept);
            let reply = if kept { format!(" {inbox}") } else { String::new() };
            let head = format!("PUB {subject}{reply} {}\r\n", payload.len());
            payload.framed(head.as_bytes(), b"\r\n")
        };
        let publishes = users.iter().map(publish).collect();
        Ok(Self { pipe, publishes, kept, count: 0, pings: std::collections::VecDeque::new() })
    }

    fn answers(bytes: &[u8], pings: &mut std::collections::VecDeque<u64>) -> anyhow::Result<(usize, u64)> {
        let (mut used, mut count) = (0, 0);
        while let Some((said, length)) = said(&bytes[used..]) {
            used += length;
            match said {
                Said::Pong => count += pings.pop_front().context("the server answers what nobody asked")?,
                Said::Message { payload, .. } if memmem::find(payload, b"\"seq\":").is_some() => count += 1,
                Said::Message { payload, .. } => {
                    bail!("a notification was not accepted: {}", String::from_utf8_lossy(payload))
                }
                Said::Error(error) => bail!("the server says {error}"),
                Said::Ping | Said::Info | Said::Other => {}
            }
        }
        Ok((used, count))
    }
}

impl Sink for Publisher {
    fn write(&mut self, user: usize, time: u64, number: u32) {
        self.publishes[user].write(time, number, &mut self.pipe.out);
        self.count += 1;
    }

    fn flush(&mut self) -> anyhow::Result<bool> {
        let count = std::mem::take(&mut self.count);
        if !self.kept {
            self.pipe.out.extend_from_slice(b"PING\r\n");
            self.pings.push_back(count);
        }
        let Self { pipe, pings, .. } = self;
        pipe.flush(count, |bytes| Self::answers(bytes, pings))?;
        Ok(true)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        let Self { pipe, pings, .. } = self;
        pipe.wait(0, |bytes| Self::answers(bytes, pings))
    }
}

/// Makes the stream, unless it is there, and a durable consumer for each user.
pub(crate) fn prepare(host: &str, run: &Run, users: u32) -> anyhow::Result<()> {
    let (mut pipe, inbox) = connect(host)?;
    let mut ask = |api: String, body: serde_json::Value| {
        let body = body.to_string();
        pipe.out
            .extend_from_slice(format!("PUB $JS.API.{api} {inbox} {}\r\n{body}\r\n", body.len()).as_bytes());
        pipe.flush(1, created)
    };
    let stream = json!({ "name": STREAM, "subjects": ["kept.*"], "storage": "file", "retention": "limits" });
    ask(format!("STREAM.CREATE.{STREAM}"), stream)?;
    for user in (0..users).map(|user| run.user(user)) {
        let config = json!({
            "durable_name": user,
            "deliver_subject": delivery(&user),
            "filter_subject": subject(&user, true),
            "deliver_policy": "all",
            "ack_policy": "explicit",
        });
        let body = json!({ "stream_name": STREAM, "config": config });
        ask(format!("CONSUMER.DURABLE.CREATE.{STREAM}.{user}"), body)?;
    }
    pipe.wait(0, created)
}

/// Counts what was made.
fn created(bytes: &[u8]) -> anyhow::Result<(usize, u64)> {
    let (mut used, mut count) = (0, 0);
    while let Some((said, length)) = said(&bytes[used..]) {
        used += length;
        match said {
            Said::Message { payload, .. } if memmem::find(payload, b"\"error\":").is_some() => {
                bail!("JetStream refuses: {}", String::from_utf8_lossy(payload));
            }
            Said::Message { .. } => count += 1,
            Said::Error(error) => bail!("the server says {error}"),
            _ => {}
        }
    }
    Ok((used, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_says_is_understood_once_it_is_complete() {
        let with_reply = b"MSG a.b 1 c.d 5\r\nhello\r\nPING\r\n";
        let message = Said::Message { reply: Some(b"c.d"), payload: b"hello" };
        assert_eq!(said(with_reply), Some((message, 24)));
        assert_eq!(said(&with_reply[24..]), Some((Said::Ping, 6)));
        let without = b"MSG a.b 1 0\r\n\r\n";
        assert_eq!(said(without), Some((Said::Message { reply: None, payload: b"" }, 15)));
        for cut in 0..24 {
            assert_eq!(said(&with_reply[..cut]), None, "{cut}");
        }
        assert_eq!(said(b"-ERR 'x'\r\n"), Some((Said::Error("-ERR 'x'".into()), 10)));
        assert!(matches!(said(b"MSG a 1 x\r\n"), Some((Said::Error(_), 11))));
    }

    #[test]
    fn a_pong_confirms_the_batch_before_its_ping() {
        let mut pings = [3, 4].into();
        assert_eq!(Publisher::answers(b"PONG\r\nPO", &mut pings).unwrap(), (6, 3));
        assert_eq!(Publisher::answers(b"PONG\r\n", &mut pings).unwrap(), (6, 4));
        assert!(Publisher::answers(b"PONG\r\n", &mut pings).is_err());
        let answer = br#"{"stream":"s","seq":1}"#;
        let bytes = [format!("MSG i 1 {}\r\n", answer.len()).as_bytes(), answer, b"\r\n"].concat();
        assert_eq!(Publisher::answers(&bytes, &mut pings).unwrap(), (bytes.len(), 1));
        assert!(Publisher::answers(b"MSG i 1 5\r\n{\"e\":\r\n", &mut pings).is_err());
    }
}
