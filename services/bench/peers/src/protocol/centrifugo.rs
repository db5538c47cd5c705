//! Centrifugo: its client protocol in JSON over WebSocket
//! (<https://centrifugal.dev/docs/transports/client_protocol>) and its HTTP API
//! (<https://centrifugal.dev/docs/server/server_api>).
//!
//! Each user is a channel. A subscriber to a channel with history recovers from the beginning of it, as a device does
//! that has nothing yet.

use std::fmt;
use std::ops::ControlFlow;

use anyhow::bail;
use bench_load::http::{Address, PostClient};
use bench_load::{ArrivalCounter, Opcode, Protocol, RunId, Sink, Template};
use memchr::memmem;

/// The key for the HTTP API, as the configuration has it.
const API_KEY: &str = "bench-key";
/// The message that is a ping, and its answer.
const PING: &[u8] = b"{}";
const BATCH_START: &[u8] = br#"{"commands":["#;
const BATCH_END: &[u8] = b"]}";
const PUBLISH_START: &str = r#"{"publish":"#;
const PUBLISH_END: &[u8] = b"}";

/// A subscriber to a user's channel.
#[derive(Debug)]
pub(crate) struct Subscriber {
    channel: String,
    recover: bool,
    open: bool,
}

impl Subscriber {
    /// Creates a subscriber. With `recover` it gets the channel's history first.
    pub(crate) const fn new(channel: String, recover: bool) -> Self {
        Self { channel, recover, open: false }
    }
}

impl Protocol for Subscriber {
    fn opcode(&self) -> Opcode {
        Opcode::Text
    }

    fn open(&mut self, out: &mut Vec<u8>) {
        let recover = if self.recover { r#","recover":true,"offset":0"# } else { "" };
        let subscribe = format!(r#"{{"id":2,"subscribe":{{"channel":"{}"{recover}}}}}"#, self.channel);
        // A frame may have several commands, each on a line.
        out.extend_from_slice(format!("{{\"id\":1,\"connect\":{{}}}}\n{subscribe}").as_bytes());
    }

    fn is_open(&self) -> bool {
        self.open
    }

    fn feed(&mut self, bytes: &[u8], arrivals: &mut ArrivalCounter, out: &mut Vec<u8>) -> ControlFlow<()> {
        if !self.open {
            for line in bytes.split(|byte| *byte == b'\n') {
                if line.starts_with(br#"{"id":"#) && memmem::find(line, br#""error":{"#).is_some() {
                    return ControlFlow::Break(());
                }
                self.open |= line.starts_with(br#"{"id":2,"subscribe":"#);
            }
        }
        arrivals.count(bytes, |_| {});
        if has_ping(bytes) {
            out.extend_from_slice(PING);
        }
        ControlFlow::Continue(())
    }
}

/// Returns true if one of the lines is a ping.
fn has_ping(lines: &[u8]) -> bool {
    lines == PING
        || lines.starts_with(b"{}\n")
        || lines.ends_with(b"\n{}")
        || memmem::find(lines, b"\n{}\n").is_some()
}

/// A publisher for some users: `/api/batch` for several notifications, `/api/publish` for one.
pub(crate) struct Publisher {
    batch: PostClient,
    single: PostClient,
    /// The command that publishes to each user.
    commands: Vec<Template>,
    body: Vec<u8>,
    /// Commands in the body.
    count: usize,
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("count", &self.count).finish_non_exhaustive()
    }
}

impl Publisher {
    pub(crate) fn connect(
        address: &Address,
        run: &RunId,
        users: &[u32],
        payload_bytes: usize,
    ) -> anyhow::Result<Self> {
        let headers = format!("content-type: application/json\r\nx-api-key: {API_KEY}\r\n");
        Ok(Self {
            batch: PostClient::with_headers(address, "/api/batch", &headers)?,
            single: PostClient::with_headers(address, "/api/publish", &headers)?,
            commands: users.iter().map(|&user| command(run, user, payload_bytes)).collect(),
            body: BATCH_START.to_vec(),
            count: 0,
        })
    }
}

fn command(run: &RunId, user: u32, payload_bytes: usize) -> Template {
    let head = format!(r#"{PUBLISH_START}{{"channel":"{}","data":"#, run.user(user));
    Template::payload(run, payload_bytes).framed(head.as_bytes(), b"}}")
}

/// Returns the request for `/api/publish` from a body with one command.
fn single_request(body: &[u8]) -> &[u8] {
    let command = body.get(BATCH_START.len()..).unwrap_or_default();
    let request = command.strip_prefix(PUBLISH_START.as_bytes()).unwrap_or_default();
    request.strip_suffix(PUBLISH_END).unwrap_or_default()
}

impl Sink for Publisher {
    fn write(&mut self, user: usize, time: u64, number: u32) {
        if self.count > 0 {
            self.body.push(b',');
        }
        self.commands[user].write(time, number, &mut self.body);
        self.count += 1;
    }

    fn flush(&mut self) -> anyhow::Result<bool> {
        let (status, answer) = if std::mem::take(&mut self.count) == 1 {
            self.single.post(single_request(&self.body))?
        } else {
            self.body.extend_from_slice(BATCH_END);
            self.batch.post(&self.body)?
        };
        self.body.truncate(BATCH_START.len());
        if status != 200 || memmem::find(answer, br#""error":"#).is_some() {
            bail!("refused with status {status}: {}", String::from_utf8_lossy(answer));
        }
        Ok(true)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connect_and_subscribe_share_a_frame() {
        let mut out = Vec::new();
        Subscriber::new("a".into(), true).open(&mut out);
        let expected = "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"a\",\"recover\":true,\"offset\":0}}";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn ping_is_found_in_any_line() {
        for text in ["{}", "{}\n{\"push\":{}}", "{\"push\":{}}\n{}", "{\"a\":1}\n{}\n{\"b\":2}"] {
            assert!(has_ping(text.as_bytes()), "{text}");
        }
        assert!(!has_ping(br#"{"push":{}}"#));
    }

    #[test]
    fn commands_are_valid_json() {
        let run = RunId::new();
        let mut body = BATCH_START.to_vec();
        command(&run, 3, 200).write(5, 6, &mut body);
        let mut payload = Vec::new();
        Template::payload(&run, 200).write(5, 6, &mut payload);
        let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        let expected = serde_json::json!({ "channel": run.user(3), "data": payload });
        let single: serde_json::Value = serde_json::from_slice(single_request(&body)).unwrap();
        assert_eq!(single, expected);
        body.extend_from_slice(BATCH_END);
        let batch: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(batch, serde_json::json!({ "commands": [{ "publish": expected }] }));
    }
}
