//! The address of the server under test.

use std::fmt;

/// A server of Tidings to measure.
#[derive(Clone)]
pub struct Target {
    /// Base URL, `http://…`.
    pub url: String,
    /// API key for producers.
    pub api_key: String,
    /// Process ID, if the server runs on this machine.
    pub pid: Option<u32>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("url", &self.url).field("pid", &self.pid).finish_non_exhaustive()
    }
}
