//! What our process may use.

use anyhow::bail;

use crate::open_files::raise_limit;

/// Files the program has open besides sockets.
const OTHER_FILES: u64 = 64;

/// Allows this process as many open files as the connections need.
pub(super) fn raise_open_files(connections: u32) -> anyhow::Result<()> {
    let needed = u64::from(connections) + OTHER_FILES;
    if let Some(limit) = raise_limit().filter(|limit| *limit < needed) {
        bail!("{connections} connections need {needed} open files, and {limit} are allowed; see ulimit -n");
    }
    Ok(())
}
