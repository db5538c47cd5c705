//! A producer of Tidings: newline-delimited notifications in HTTP requests, one request at a time.

use std::fmt;

use anyhow::{Context as _, bail};

use crate::http::{PostClient, last_number};
use crate::notification::{RunId, Template};
use crate::producer::{SendReport, Sink, Workload, send_async};
use crate::target::Target;

/// The form of a producer's requests.
#[derive(Debug, Clone, Copy)]
pub struct Requests {
    /// True if a request may have several notifications.
    pub batched: bool,
    /// True if notifications carry an `id`, by which the server recognises duplicates.
    pub with_ids: bool,
    /// Bytes of each payload.
    pub payload_bytes: usize,
}

/// A producer's connection to a server of Tidings.
pub struct HttpProducer {
    client: PostClient,
    /// The request line of each user.
    lines: Vec<Template>,
    body: Vec<u8>,
    /// Lines in the body.
    count: usize,
    batched: bool,
}

impl fmt::Debug for HttpProducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpProducer").field("count", &self.count).finish_non_exhaustive()
    }
}

impl HttpProducer {
    /// Connects a producer that sends to these users.
    ///
    /// # Errors
    /// The server can't be reached.
    pub fn connect(target: &Target, run: &RunId, users: &[u32], requests: Requests) -> anyhow::Result<Self> {
        let Requests { batched, with_ids, payload_bytes } = requests;
        // A result for each notification would cost the generator more than it tells.
        let (path, content_type) = if batched {
            ("/v1/notifications?ack=summary", "application/x-ndjson")
        } else {
            ("/v1/notifications", "application/json")
        };
        let line = |&user| Template::ndjson_line(run, user, payload_bytes, with_ids);
        Ok(Self {
            client: PostClient::connect(target, path, content_type)?,
            lines: users.iter().map(line).collect(),
            body: Vec::new(),
            count: 0,
            batched,
        })
    }

    /// Runs a workload with one producer a thread, and returns once the server has accepted all of it.
    ///
    /// # Errors
    /// The server can't be reached or refuses a notification.
    pub async fn send(
        target: &Target,
        run: &RunId,
        workload: Workload,
        requests: Requests,
    ) -> anyhow::Result<SendReport> {
        let (target, run) = (target.clone(), run.clone());
        send_async(workload, move |users| Self::connect(&target, &run, users, requests)).await
    }
}

impl Sink for HttpProducer {
    fn write(&mut self, user: usize, time: u64, number: u32) {
        self.lines[user].write(time, number, &mut self.body);
        self.count += 1;
    }

    fn flush(&mut self) -> anyhow::Result<bool> {
        let count = std::mem::take(&mut self.count);
        let (status, answer) = self.client.post(&self.body)?;
        self.body.clear();
        if status == 429 || status == 503 {
            return Ok(false);
        }
        if !(200..300).contains(&status) {
            bail!("refused with status {status}: {}", String::from_utf8_lossy(answer));
        }
        if self.batched {
            let refused = last_number(answer, "refused").context("the summary has no count of refusals")?;
            if refused > 0 {
                // A summary doesn't say which ones, and full results would distort the measurement.
                bail!("{refused} of {count} notifications were refused");
            }
        }
        Ok(true)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}
