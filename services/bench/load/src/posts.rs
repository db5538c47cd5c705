//! A producer of Tidings: lines in HTTP requests, one request at a time.

use anyhow::{Context as _, bail};

use crate::Target;
use crate::http::{Poster, last_number};
use crate::message::{Run, Template};
use crate::producer::Sink;

/// Posts lines.
pub struct Posts {
    poster: Poster,
    lines: Vec<Template>,
    body: Vec<u8>,
    /// Lines in the body.
    count: usize,
    /// Whether the answers count refusals.
    summary: bool,
}

impl std::fmt::Debug for Posts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Posts").field("count", &self.count).finish_non_exhaustive()
    }
}

impl Posts {
    /// To a server, for these users: one notification in a request, or as many as are written.
    pub fn connect(
        target: &Target,
        run: &Run,
        users: &[u32],
        payload_bytes: usize,
        (several, ids): (bool, bool),
    ) -> anyhow::Result<Self> {
        // An answer for each notification would cost the generator more than it tells.
        let (path, kind) = if several {
            ("/v1/notifications?ack=summary", "application/x-ndjson")
        } else {
            ("/v1/notifications", "application/json")
        };
        Ok(Self {
            poster: Poster::connect(target, path, kind)?,
            lines: users.iter().map(|&user| Template::line(run, user, payload_bytes, ids)).collect(),
            body: Vec::new(),
            count: 0,
            summary: several,
        })
    }
}

impl Sink for Posts {
    fn write(&mut self, user: usize, time: u64, number: u32) {
        self.lines[user].write(time, number, &mut self.body);
        self.count += 1;
    }

    fn flush(&mut self) -> anyhow::Result<bool> {
        let count = std::mem::take(&mut self.count);
        let (status, answer) = self.poster.post(&self.body)?;
        self.body.clear();
        if status == 429 || status == 503 {
            return Ok(false);
        }
        if !(200..300).contains(&status) {
            bail!("refused with status {status}: {}", String::from_utf8_lossy(answer));
        }
        if self.summary {
            let refused = last_number(answer, "refused").context("the answer counts no refusals")?;
            if refused > 0 {
                // Which ones can't be told without reading it all, and then nothing could be measured.
                bail!("{refused} of {count} were refused");
            }
        }
        Ok(true)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}
