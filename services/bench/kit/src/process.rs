//! The process of a server under test.

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

/// Time within which a server with little data is to be ready.
pub const START_TIMEOUT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);

/// A running server. Dropping it kills the process.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its data is deleted with its folder, so a failure has no effect.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The sign by which a server shows that it is ready.
#[derive(Debug, Clone, Copy)]
pub enum ReadySignal {
    /// It writes a line to its standard output.
    Line,
    /// It accepts connections on these ports of the loopback.
    Ports([u16; 2]),
}

impl Process {
    /// Starts a server and waits until it is ready. Blocks.
    ///
    /// Its standard error goes to the file `log` in `folder`. Returns the line that [`ReadySignal::Line`]
    /// waits for, else an empty string.
    ///
    /// # Errors
    /// The server can't be started, ends, or is not ready within `timeout`. The error has the last line of its log.
    pub fn start(
        mut command: Command,
        ready: ReadySignal,
        folder: &Path,
        timeout: Duration,
    ) -> anyhow::Result<(Self, String)> {
        let log = folder.join("log");
        let program = command.get_program().to_string_lossy().into_owned();
        // Settings in the environment are for the user's own server.
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TIDINGS_"))
        {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stderr(File::options().create(true).append(true).open(&log)?);
        let child = match ready {
            ReadySignal::Line => command.stdout(Stdio::piped()).spawn(),
            ReadySignal::Ports(_) => command.stdout(Stdio::null()).spawn(),
        };
        let mut process = Self { child: child.with_context(|| format!("can't start {program}"))? };
        let line = match ready {
            ReadySignal::Line => process.first_line(timeout),
            ReadySignal::Ports(ports) => {
                let mut ports = ports.into_iter();
                ports.all(|port| process.accepts_connections(port, timeout)).then(String::new)
            }
        };
        let Some(line) = line else {
            let problem = match process.child.try_wait()? {
                Some(status) => format!("ended with {status}"),
                None => format!("is not ready after {} s", timeout.as_secs()),
            };
            let log = fs::read_to_string(log).unwrap_or_default();
            bail!("{program} {problem}: {}", log.lines().last().unwrap_or("its log is empty"));
        };
        Ok((process, line))
    }

    /// Returns the process ID.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the processor time and memory that the process has used. Both are zero if there is no `/proc`.
    pub fn usage(&self) -> Usage {
        usage(Some(self.pid())).unwrap_or_default()
    }

    /// Sends SIGTERM and waits until the process has ended. Blocks.
    ///
    /// # Errors
    /// The process does not end within `timeout`, or its exit code is not 0.
    pub fn stop(&mut self, timeout: Duration) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).context("not a process ID")?;
        kill_process(pid, Signal::TERM).context("can't send SIGTERM to the server")?;
        let began = Instant::now();
        while began.elapsed() < timeout {
            if let Some(status) = self.child.try_wait()? {
                anyhow::ensure!(status.success(), "the server ended with {status}");
                return Ok(());
            }
            thread::sleep(POLL);
        }
        bail!("the server still runs {} s after SIGTERM", timeout.as_secs())
    }

    /// Sends SIGKILL and waits until the process has ended.
    ///
    /// # Errors
    /// The system refuses.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().context("can't kill the server")?;
        self.child.wait().context("can't wait for the killed server")?;
        Ok(())
    }

    fn accepts_connections(&mut self, port: u16, timeout: Duration) -> bool {
        let began = Instant::now();
        while began.elapsed() < timeout && matches!(self.child.try_wait(), Ok(None)) {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return true;
            }
            thread::sleep(POLL);
        }
        false
    }

    /// Waits for the first line of output. A thread discards the rest, so that the server never blocks on it.
    fn first_line(&mut self, timeout: Duration) -> Option<String> {
        let stdout = self.child.stdout.take()?;
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            let mut line = String::new();
            if reader.read_line(&mut line).is_ok_and(|read| read > 0) {
                // The receiver is gone after the timeout.
                let _ = sender.send(line);
            }
            io::copy(&mut reader, &mut io::sink())
        });
        receiver.recv_timeout(timeout).ok()
    }
}

/// Returns a port of the loopback that was free a moment ago, for servers that can't choose one themselves.
///
/// # Errors
/// No port is free.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0)).context("can't open a port")?.local_addr()?.port())
}
