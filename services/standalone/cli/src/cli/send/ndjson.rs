//! Reads notifications from NDJSON: one JSON object on each line.

use std::io::{self, BufRead, Read as _};

use contract_frames_v1::require_fits;
use contract_notifications_v1::{Notification, NotificationRequest};
use indicatif::ProgressBar;
use shared_ports::{Clock as _, SystemClock};
use tidings_client::{CHUNK_BYTES, CHUNK_ENTRIES, Problem};

use super::new_id;

/// Longest line in bytes, without its end. A notification is far shorter.
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
    /// The error that ended the reading, until it is returned.
    failure: Option<io::Error>,
}

impl<R: BufRead> NdjsonReader<R> {
    pub(super) const fn new(reader: R) -> Self {
        Self { reader, number: 0, failure: None }
    }

    /// Returns the number of lines that were read.
    pub(super) const fn lines(&self) -> u64 {
        self.number
    }

    /// Returns the next chunk, `None` at the end of the file. Skips blank lines.
    ///
    /// # Errors
    /// The error of reading, after the chunks with all lines before it.
    pub(super) fn chunk(&mut self, bar: &ProgressBar) -> io::Result<Option<Chunk>> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        let mut chunk = Chunk::default();
        let mut bytes = 0;
        let mut line = Vec::new();
        while chunk.lines.len() < CHUNK_ENTRIES && chunk.refused.len() < CHUNK_ENTRIES && bytes < CHUNK_BYTES
        {
            line.clear();
            let (read, is_whole) = match self.line(&mut line) {
                Ok(read) => read,
                Err(error) if bytes == 0 => return Err(error),
                Err(error) => {
                    self.failure = Some(error);
                    break;
                }
            };
            if read == 0 {
                break;
            }
            self.number += 1;
            bytes += read;
            bar.inc(read as u64);
            if !is_whole {
                chunk.refused.push((self.number, too_long()));
                continue;
            }
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

    /// Reads a line into `line`. Returns its length in bytes, and false if the line was too long and is cut off.
    fn line(&mut self, line: &mut Vec<u8>) -> io::Result<(usize, bool)> {
        let read = (&mut self.reader).take(MAX_LINE_BYTES + 1).read_until(b'\n', line)?;
        let is_whole = line.ends_with(b"\n") || read as u64 <= MAX_LINE_BYTES;
        let rest = if is_whole { 0 } else { self.reader.skip_until(b'\n')? };
        Ok((read + rest, is_whole))
    }
}

fn too_long() -> Problem {
    Problem {
        status: 413,
        title: "Content Too Large".to_owned(),
        detail: Some(format!("the line is longer than {MAX_LINE_BYTES} bytes")),
        request_id: None,
    }
}

/// Parses a line. Returns `None` for a blank line.
fn parse(line: &[u8]) -> Option<Result<Notification, Problem>> {
    // Some editors begin a file with a byte order mark.
    let result = match std::str::from_utf8(line).map(|text| text.trim_start_matches('\u{feff}').trim()) {
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
    fn line_that_is_too_long_is_refused_alone() {
        let good = "{\"userId\":\"a\",\"payload\":1}";
        let limit = usize::try_from(MAX_LINE_BYTES).unwrap();
        for (length, refused) in [(limit, "expected"), (limit + 1, "longer"), (3 * limit, "longer")] {
            let file = format!("\u{feff}{good}\n{}\n{good}", "x".repeat(length));
            let mut lines = NdjsonReader::new(file.as_bytes());
            let mut chunks = Vec::new();
            while let Some(chunk) = lines.chunk(&ProgressBar::hidden()).unwrap() {
                chunks.push(chunk);
            }
            assert_eq!(chunks.iter().flat_map(|chunk| chunk.lines.clone()).collect::<Vec<_>>(), [1, 3]);
            let problems: Vec<_> = chunks.into_iter().flat_map(|chunk| chunk.refused).collect();
            assert_eq!((problems.len(), problems[0].0), (1, 2));
            assert!(problems[0].1.to_string().contains(refused), "{length}: {}", problems[0].1);
        }
    }

    #[test]
    fn lines_before_a_failure_are_returned() {
        struct Failing;
        impl io::Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("unplugged"))
            }
        }
        let file = "{\"userId\":\"a\",\"payload\":1}\n".as_bytes().chain(Failing);
        let mut lines = NdjsonReader::new(io::BufReader::new(file));
        assert_eq!(lines.chunk(&ProgressBar::hidden()).unwrap().unwrap().lines, [1]);
        assert!(lines.chunk(&ProgressBar::hidden()).is_err());
    }

    #[test]
    fn large_file_is_read_in_chunks() {
        let file = "{\"userId\":\"a\",\"payload\":1}\n".repeat(CHUNK_ENTRIES + 1);
        let mut lines = NdjsonReader::new(file.as_bytes());
        let mut next = || lines.chunk(&ProgressBar::hidden()).unwrap().map(|chunk| chunk.lines.len());
        assert_eq!((next(), next(), next()), (Some(CHUNK_ENTRIES), Some(1), None));
    }
}
