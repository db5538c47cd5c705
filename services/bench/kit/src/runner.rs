//! Running measurements until the process is asked to end.

use std::fmt;
use std::io;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::LocalSet;

/// The user interrupted the benchmark with Ctrl-C or SIGTERM.
#[derive(Debug, Clone, Copy)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted before a run was complete")
    }
}

impl std::error::Error for Interrupted {}

/// Runs measurements on this thread, with local tasks.
///
/// It listens for signals from its creation on, so one that comes between two measurements ends the second.
#[derive(Debug)]
pub struct Runner {
    runtime: Runtime,
    interrupt: Signal,
    terminate: Signal,
}

impl Runner {
    /// Creates a runner.
    ///
    /// # Errors
    /// The system refuses the event loop or the signal handlers.
    pub fn new() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let context = runtime.enter();
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        drop(context);
        Ok(Self { runtime, interrupt, terminate })
    }

    /// Runs one measurement. An interruption drops its future, which ends its server.
    ///
    /// # Errors
    /// [`Interrupted`]. The measurement's own error is in the inner result.
    pub fn run<T>(
        &mut self,
        measurement: impl Future<Output = anyhow::Result<T>>,
    ) -> Result<anyhow::Result<T>, Interrupted> {
        let Self { runtime, interrupt, terminate } = self;
        LocalSet::new().block_on(runtime, async {
            tokio::select! {
                outcome = measurement => Ok(outcome),
                _ = interrupt.recv() => Err(Interrupted),
                _ = terminate.recv() => Err(Interrupted),
            }
        })
    }
}

/// Prints a line about progress on standard error.
#[allow(clippy::print_stderr, reason = "progress, for the user")]
pub fn progress(text: &str) {
    eprintln!("{text}");
}
