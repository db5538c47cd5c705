//! A note beside the engine of a commit that was durable, by which a store is recognised that has lost
//! commits: the engine cuts a damaged journal silently (docs/adr/0004-storage-engine.md).

use std::io;
use std::path::Path;

/// The file's name.
const FILE: &str = "mark";

/// Notes that this commit is durable. What comes to the disk later than intended is a lower number.
pub(super) fn write(directory: &Path, commit: u64) -> io::Result<()> {
    let new = directory.join("mark.new");
    std::fs::write(&new, commit.to_string())?;
    std::fs::rename(new, directory.join(FILE))
}

/// The commit noted; none when nothing readable is.
pub(super) fn read(directory: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(directory.join(FILE)).ok()?;
    let commit = text.trim().parse().ok();
    if commit.is_none() {
        tracing::warn!("the mark beside the store can't be read and is ignored");
    }
    commit
}
