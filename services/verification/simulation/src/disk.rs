//! Changes to the data directory between two processes.

use std::path::Path;
use std::{fs, io};

use fjall::{Database, KeyspaceCreateOptions};

use crate::error::SimulationError;
use crate::simulation::user_id;

/// Damages a row of a user on disk and returns its sequence, or `None` if the user has no row. `choose` gets
/// the number of rows and returns the index of the row to damage.
pub(crate) fn damage_row(
    directory: &Path,
    user: usize,
    choose: impl FnOnce(usize) -> usize,
) -> Result<Option<u64>, SimulationError> {
    let Some(user) = user_id(user) else { return Ok(None) };
    // The store's layout: the engine's folder, the keyspace, and rows under the user, a zero byte and the
    // sequence, big-endian.
    let engine = directory.join("engine");
    if !engine.exists() {
        return Ok(None);
    }
    let db = Database::builder(engine).open()?;
    let rows = db.keyspace("notifications", KeyspaceCreateOptions::default)?;
    let prefix = [user.as_str().as_bytes(), &[0]].concat();
    let keys: Vec<_> = rows.prefix(&prefix).map(fjall::Guard::key).collect::<Result<_, _>>()?;
    if keys.is_empty() {
        return Ok(None);
    }
    let key = &keys[choose(keys.len()).min(keys.len() - 1)];
    rows.insert(key.clone(), [0xff])?;
    db.persist(fjall::PersistMode::Buffer)?;
    Ok(key.last_chunk().map(|bytes| u64::from_be_bytes(*bytes)))
}

/// Copies a directory with everything in it. A directory that does not exist counts as empty.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    if !from.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
