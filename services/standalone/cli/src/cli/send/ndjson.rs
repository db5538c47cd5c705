//! Reads notifications from NDJSON: one JSON object on each line.

use std::io::BufRead;

use anyhow::Context as _;
use contract_frames_v1::require_fits;
use contract_notifications_v1::{Notification, NotificationRequest};
use indicatif::ProgressBar;
use shared_ports::{Clock as _, SystemClock};
use tidings_client::{CHUNK_BYTES, CHUNK_ENTRIES, Problem};

use super::new_id;

/// Longest line in bytes. A notification is far shorter.
const MAX_LINE_BYTES: u64 = 1024 * 1024;

/// Lines of a file that fit one request.
#[derive(Default)]
pub(super) struct Chunk {
    /// The notifications.
    pub(super) notifications: Vec<Notification>,
    /// Line number of each notification.
    pub(super) lines: Vec<u64>,
    /// Line numbers of invalid lines, with their problems.
    pub(super) refused: Vec<(u64, Problem)>,
}

/// Reads a file in chunks that fit one request.
pub(super) struct NdjsonReader<R> {
    reader: R,
    number: u64,
}

impl<R: BufRead> NdjsonReader<R> {
    pub(super) const fn new(reader: R) -> Self {
        Self { reader, number: 0 }
    }

    /// Returns the next chunk, `None` at the end of the file. Skips blank lines.
    pub(super) fn chunk(&mut self, bar: &ProgressBar) -> anyhow::Result<Option<Chunk>> {
        let mut chunk = Chunk::default();
        let mut bytes = 0;
        let mut line = Vec::new();
        while chunk.lines.len() < CHUNK_ENTRIES && chunk.refused.len() < CHUNK_ENTRIES && bytes < CHUNK_BYTES
        {
            line.clear();
            let mut limited = std::io::Read::take(&mut self.reader, MAX_LINE_BYTES);
            let read = limited.read_until(b'\n', &mut line).context("the file could not be read")?;
            if read == 0 {
                break;
            }
            self.number += 1;
            if !line.ends_with(b"\n") && read as u64 == MAX_LINE_BYTES {
                anyhow::bail!("line {} is longer than {MAX_LINE_BYTES} bytes", self.number);
            }
            bytes += read;
            bar.inc(read as u64);
            match parse(&line) {
                None => {}
                Some(Ok(notification)) => {
                    chunk.notifications.push(notification);
                    chunk.lines.push(self.number);
                }
                Some(Err(problem)) => chunk.refused.push((self.number, problem)),
            }
        }
        Ok((bytes > 0).then_some(chunk))
    }
}

/// Parses a line. Returns `None` for a blank line.
fn parse(line: &[u8]) -> Option<Result<Notification, Problem>> {
    let result = match std::str::from_utf8(line).map(str::trim) {
        Ok("") => return None,
        Ok(text) => notification(text),
        Err(error) => Err(error.into()),
    };
    Some(result.map_err(|error| Problem {
        status: 400,
        title: "Bad Request".to_owned(),
        detail: Some(shared_telemetry::join(error.chain())),
        request_id: None,
    }))
}

fn notification(text: &str) -> anyhow::Result<Notification> {
    let request = NotificationRequest::from_json(text)?;
    let id = new_id()?;
    let notification = request.complete(|| id, SystemClock.now());
    require_fits(&notification)?;
    Ok(notification)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_lines_do_not_stop_the_others() {
        let file = "{\"userId\":\"a\",\"payload\":1}\n\n{\"userId\":\"b\"}\r\nnonsense\n\
                    {\"userId\":\"c\",\"message\":\"x\",\"id\":\"i\"}";
        let mut lines = NdjsonReader::new(file.as_bytes());
        let chunk = lines.chunk(&ProgressBar::hidden()).unwrap().unwrap();
        assert_eq!(chunk.lines, [1, 5]);
        assert_eq!(chunk.notifications[1].id.as_str(), "i");
        let refused: Vec<_> = chunk.refused.iter().map(|(line, p)| format!("{line} {p}")).collect();
        assert_eq!(refused[0], "3 the field \"payload\" is missing");
        assert!(refused[1].starts_with("4 not a valid JSON notification: expected"), "{}", refused[1]);
        assert!(lines.chunk(&ProgressBar::hidden()).unwrap().is_none());
    }

    #[test]
    fn large_file_is_read_in_chunks() {
        let file = "{\"userId\":\"a\",\"payload\":1}\n".repeat(CHUNK_ENTRIES + 1);
        let mut lines = NdjsonReader::new(file.as_bytes());
        let mut next = || lines.chunk(&ProgressBar::hidden()).unwrap().map(|chunk| chunk.lines.len());
        assert_eq!((next(), next(), next()), (Some(CHUNK_ENTRIES), Some(1), None));
    }
}
