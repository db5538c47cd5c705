//! Faults of the disk, for the simulation: damages what a closed store holds.

use std::path::Path;

use contract_notifications_v1::UserId;
use fjall::{Database, Guard, KeyspaceCreateOptions, PersistMode};

use super::codec::key_seq;
use super::commit_position::Keyspace;
use super::engine;
use super::error::StoreError;

/// Overwrites one row of a user with bytes that can't be decoded, in a store that no process has open.
/// Returns the row's sequence, or `None` when the user has no row. `choose` gets the number of rows and
/// returns the index of one.
///
/// # Errors
/// [`StoreError`] when the engine can't be opened, read or written.
pub fn damage_row(
    directory: &Path,
    user: &UserId,
    choose: impl FnOnce(usize) -> usize,
) -> Result<Option<u64>, StoreError> {
    let engine = engine::directory(directory);
    if !engine.exists() {
        return Ok(None);
    }
    let database = Database::builder(engine).open()?;
    let rows = database.keyspace(Keyspace::Rows.name(), KeyspaceCreateOptions::default)?;
    let keys: Vec<_> =
        rows.prefix([user.as_str().as_bytes(), &[0]].concat()).map(Guard::key).collect::<Result<_, _>>()?;
    let Some(last) = keys.len().checked_sub(1) else { return Ok(None) };
    let key = &keys[choose(keys.len()).min(last)];
    rows.insert(key.clone(), [0xff])?;
    database.persist(PersistMode::Buffer)?;
    Ok(key_seq(key))
}
