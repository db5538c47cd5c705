//! nchan: publishing by HTTP (<https://nchan.io/#publisher-endpoints>). Each user is a channel.
//!
//! A request has one message, so requests are pipelined. Subscribers need no protocol: each message is a text frame.

use anyhow::bail;
use bench_load::http::complete_answer;
use bench_load::{RunId, Sink, Template};

use super::pipeline::Pipeline;

/// Returns the path at which a user subscribes.
pub(crate) fn subscriber_path(user: &str) -> String {
    format!("/sub?id={user}")
}

/// A publisher for some users. The server answers each notification.
#[derive(Debug)]
pub(crate) struct Publisher {
    pipeline: Pipeline,
    /// The request of each user.
    requests: Vec<Template>,
}

impl Publisher {
    pub(crate) fn connect(
        host: &str,
        run: &RunId,
        users: &[u32],
        payload_bytes: usize,
    ) -> anyhow::Result<Self> {
        let requests = users.iter().map(|&user| request(host, run, user, payload_bytes)).collect();
        Ok(Self { pipeline: Pipeline::connect(host)?, requests })
    }
}

fn request(host: &str, run: &RunId, user: u32, payload_bytes: usize) -> Template {
    let payload = Template::payload(run, payload_bytes);
    let head = format!(
        "POST /pub?id={} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\n\r\n",
        run.user(user),
        payload.len()
    );
    payload.framed(head.as_bytes(), b"")
}

/// Counts answers: 201 with a subscriber present, 202 without one.
fn accepted(bytes: &[u8]) -> anyhow::Result<(usize, u64)> {
    let (mut used, mut count) = (0, 0);
    while let Some((status, size)) = complete_answer(&bytes[used..])? {
        if !matches!(status, 201 | 202) {
            bail!("a notification was refused with status {status}");
        }
        used += size;
        count += 1;
    }
    Ok((used, count))
}

impl Sink for Publisher {
    fn write(&mut self, user: usize, time: u64, number: u32) {
        self.pipeline.add(&self.requests[user], time, number);
    }

    fn flush(&mut self) -> anyhow::Result<bool> {
        self.pipeline.flush(accepted)?;
        Ok(true)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.pipeline.finish(accepted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_has_the_payload_as_its_body() {
        let run = RunId::new();
        let (mut written, mut payload) = (Vec::new(), Vec::new());
        request("h:1", &run, 3, 200).write(5, 6, &mut written);
        Template::payload(&run, 200).write(5, 6, &mut payload);
        let head = format!(
            "POST /pub?id={} HTTP/1.1\r\nhost: h:1\r\ncontent-length: {}\r\n\r\n",
            run.user(3),
            payload.len()
        );
        assert_eq!(written, [head.as_bytes(), &payload].concat());
    }

    #[test]
    fn complete_answers_are_counted() {
        let answer = |status: u16| format!("HTTP/1.1 {status} x\r\nContent-Length: 2\r\n\r\nok");
        let bytes = answer(201) + &answer(202);
        assert_eq!(accepted(bytes.as_bytes()).unwrap(), (bytes.len(), 2));
        assert_eq!(accepted(&bytes.as_bytes()[..bytes.len() - 1]).unwrap(), (answer(201).len(), 1));
        assert!(accepted(answer(413).as_bytes()).is_err());
    }
}
