//! A producer that sends without waiting for each answer.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, bail};

/// Notifications that may be on their way to the server without an answer.
const UNANSWERED: u64 = 2_000;
/// A server that says nothing for that long won't.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A connection of a producer.
#[derive(Debug)]
pub(crate) struct Pipe {
    stream: TcpStream,
    /// What is sent next.
    pub(crate) out: Vec<u8>,
    /// What came and is not understood yet.
    rest: Vec<u8>,
    scratch: Vec<u8>,
    unanswered: u64,
}

impl Pipe {
    pub(crate) fn connect(host: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(host).with_context(|| format!("{host} does not answer"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let scratch = vec![0; 64 * 1024];
        Ok(Self { stream, out: Vec::new(), rest: Vec::new(), scratch, unanswered: 0 })
    }

    /// Sends what was written.
    pub(crate) fn send(&mut self) -> anyhow::Result<()> {
        self.stream.write_all(&self.out).context("the server does not take more")?;
        self.out.clear();
        Ok(())
    }

    /// Sends what was written, which has so many notifications, and waits while too many are unanswered.
    /// `answers` counts the notifications that what came confirms, and the bytes it has used for that.
    pub(crate) fn flush(
        &mut self,
        notifications: u64,
        answers: impl FnMut(&[u8]) -> anyhow::Result<(usize, u64)>,
    ) -> anyhow::Result<()> {
        self.send()?;
        self.unanswered += notifications;
        self.wait(UNANSWERED, answers)
    }

    /// Waits until no more than that are unanswered.
    pub(crate) fn wait(
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

    /// Reads once.
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
