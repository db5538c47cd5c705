//! A server's process.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use shared_telemetry::process::{Usage, usage};

/// How long a server may take to start that has little to read.
pub const START: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);

/// A process that ends when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It keeps nothing anybody wants.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// When a server is ready.
#[derive(Debug, Clone, Copy)]
pub enum Ready {
    /// When it has written a line to its standard output.
    Line,
    /// When this port of the loopback answers.
    Port(u16),
}

impl Process {
    /// Starts it, with what it says on standard error in the folder's `log`; gives the first line of its output
    /// where that tells that it is ready, for which it has so long. Blocks.
    ///
    /// # Errors
    /// It can't be started, ends, or does not get ready; with the last line of its log.
    pub fn start(
        mut command: Command,
        ready: Ready,
        folder: &Path,
        patience: Duration,
    ) -> anyhow::Result<(Self, String)> {
        let log = folder.join("log");
        let program = command.get_program().to_string_lossy().into_owned();
        // What the environment says of a server is not meant for this one.
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TIDINGS_"))
        {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stderr(File::options().create(true).append(true).open(&log)?);
        let child = match ready {
            Ready::Line => command.stdout(Stdio::piped()).spawn(),
            Ready::Port(_) => command.stdout(Stdio::null()).spawn(),
        };
        let mut process = Self { child: child.with_context(|| format!("{program} could not be started"))? };
        let line = match ready {
            Ready::Line => process.first_line(patience),
            Ready::Port(port) => process.answers(port, patience).then(String::new),
        };
        let Some(line) = line else {
            let ended = match process.child.try_wait()? {
                Some(status) => format!("ended with {status}"),
                None => "does not get ready".to_owned(),
            };
            let log = fs::read_to_string(log).unwrap_or_default();
            bail!("{program} {ended}: {}", log.lines().last().unwrap_or("it said nothing"));
        };
        Ok((process, line))
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has used; nothing where there is no `/proc`.
    pub fn usage(&self) -> Usage {
        usage(Some(self.pid())).unwrap_or_default()
    }

    /// Asks it to end, and waits until it has, for which it has so long. Blocks.
    ///
    /// # Errors
    /// It does not end, or says that something went wrong.
    pub fn stop(&mut self, patience: Duration) -> anyhow::Result<()> {
        let pid =
            i32::try_from(self.pid()).ok().and_then(Pid::from_raw).context("the process has no number")?;
        kill_process(pid, Signal::TERM).context("the server could not be asked to end")?;
        let began = Instant::now();
        while began.elapsed() < patience {
            if let Some(status) = self.child.try_wait()? {
                anyhow::ensure!(status.success(), "the server ended with {status}");
                return Ok(());
            }
            thread::sleep(POLL);
        }
        bail!("the server does not end")
    }

    /// Ends it as a crash does.
    ///
    /// # Errors
    /// The system does not let it.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().context("the server could not be killed")?;
        self.child.wait().context("the server did not end")?;
        Ok(())
    }

    fn answers(&mut self, port: u16, patience: Duration) -> bool {
        let began = Instant::now();
        while began.elapsed() < patience && matches!(self.child.try_wait(), Ok(None)) {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return true;
            }
            thread::sleep(POLL);
        }
        false
    }

    /// The first line of its output; what follows is read and forgotten, so that it never blocks.
    fn first_line(&mut self, patience: Duration) -> Option<String> {
        let stdout = self.child.stdout.take()?;
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            let mut line = String::new();
            if reader.read_line(&mut line).is_ok_and(|read| read > 0) {
                // Nobody waits any more when it took too long.
                let _ = sender.send(line);
            }
            io::copy(&mut reader, &mut io::sink())
        });
        receiver.recv_timeout(patience).ok()
    }
}

/// A port of the loopback that nobody had a moment ago, for servers that can't say which they took.
///
/// # Errors
/// There is none.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0)).context("no port can be opened")?.local_addr()?.port())
}
