//! The outcome of measuring a point, and the limit of connections.

use bench_kit::{Metrics, open_files};

/// Files that are open in addition to connections: the generator's few, and the server's tables and journals.
const OTHER_FILES: u64 = 1_024;
/// Largest number of connections. With more, the generator is busy with its sockets alone.
const MAX_CONNECTIONS: u64 = 15_000;

/// The metrics of a point, and the parts that could not be measured.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) metrics: Metrics,
    /// The parts that could not be measured, each with the reason.
    pub(crate) not_measured: Vec<String>,
}

/// Returns the reason why this machine can't have that many connections at once, if there is one.
///
/// # Errors
/// The limit of open files is unknown.
pub(crate) fn connection_limit(connections: u32) -> anyhow::Result<Option<String>> {
    let (connections, files) = (u64::from(connections), open_files::limit()?);
    let limit = files.saturating_sub(OTHER_FILES).clamp(1, MAX_CONNECTIONS);
    let reason =
        || format!("{connections} connections at once, and the limit is {limit} with {files} open files");
    Ok((connections > limit).then(reason))
}
