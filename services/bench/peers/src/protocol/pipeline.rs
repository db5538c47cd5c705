//! A producer's connection that sends on without waiting for each answer.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bench_load::Template;

/// Largest number of notifications without an answer.
const MAX_UNANSWERED: u64 = 2_000;
/// Limit for each read and write.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A pipelined TCP connection. Blocks.
///
/// Methods take a decoder of the server's answers. It is given all bytes that are not decoded yet, and
/// returns how many bytes it has decoded and how many notifications they confirm.
#[derive(Debug)]
pub(crate) struct Pipeline {
    stream: TcpStream,
    /// Bytes to send next.
    pub(crate) out: Vec<u8>,
    /// Notifications in `out`.
    pending: u64,
    /// Received bytes that are not decoded yet.
    rest: Vec<u8>,
    scratch: Vec<u8>,
    unanswered: u64,
}

impl Pipeline {
    pub(crate) fn connect(host: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(host).with_context(|| format!("{host} does not answer"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let scratch = vec![0; 64 * 1024];
        Ok(Self { stream, out: Vec::new(), pending: 0, rest: Vec::new(), scratch, unanswered: 0 })
    }

    /// Adds a notification to the bytes to send, and returns its offset in them.
    pub(crate) fn add(&mut self, template: &Template, time: u64, number: u32) -> usize {
        let offset = self.out.len();
        template.write(time, number, &mut self.out);
        self.pending += 1;
        offset
    }

    /// Returns the number of notifications that the next flush sends.
    pub(crate) const fn pending(&self) -> u64 {
        self.pending
    }

    /// Sends bytes that the server does not answer.
    pub(crate) fn send(&mut self) -> anyhow::Result<()> {
        self.stream.write_all(&self.out).context("the server accepts no more data")?;
        self.out.clear();
        Ok(())
    }

    /// Sends a request that the server answers like a notification.
    pub(crate) fn send_request(
        &mut self,
        answers: impl FnMut(&[u8]) -> anyhow::Result<(usize, u64)>,
    ) -> anyhow::Result<()> {
        self.pending += 1;
        self.flush(answers)
    }

    /// Sends the notifications, and waits while too many are unanswered.
    pub(crate) fn flush(
        &mut self,
        answers: impl FnMut(&[u8]) -> anyhow::Result<(usize, u64)>,
    ) -> anyhow::Result<()> {
        self.send()?;
        self.unanswered += std::mem::take(&mut self.pending);
        self.wait(MAX_UNANSWERED, answers)
    }

    /// Waits until all notifications are answered.
    pub(crate) fn finish(
        &mut self,
        answers: impl FnMut(&[u8]) -> anyhow::Result<(usize, u64)>,
    ) -> anyhow::Result<()> {
        self.wait(0, answers)
    }

    fn wait(
        &mut self,
        unanswered: u64,
        mut answers: impl FnMut(&[u8]) -> anyhow::Result<(usize, u64)>,
    ) -> anyhow::Result<()> {
        while self.unanswered > unanswered {
            let confirmed = self.read(&mut answers)?;
            self.unanswered = self.unanswered.saturating_sub(confirmed);
        }
        Ok(())
    }

    /// Reads once, and returns the number of notifications that were confirmed.
    pub(crate) fn read(
        &mut self,
        mut answers: impl FnMut(&[u8]) -> anyhow::Result<(usize, u64)>,
    ) -> anyhow::Result<u64> {
        let read = self.stream.read(&mut self.scratch).context("the server does not answer")?;
        if read == 0 {
            bail!("the server closed the producer's connection");
        }
        self.rest.extend_from_slice(&self.scratch[..read]);
        let (used, confirmed) = answers(&self.rest)?;
        self.rest.drain(..used);
        Ok(confirmed)
    }
}
