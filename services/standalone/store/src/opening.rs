//! Creates and opens a store's engine, for one process at a time, and only if nothing durable is missing.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use fjall::PersistMode;
use shared_ports::Clock;

use super::commit_position::{CommitPosition, Keyspace};
use super::dedup::{self, Dedup};
use super::durable_marker::DurableMarker;
use super::engine::{self, Batch, Engine};
use super::error::OpenError;
use super::integrity::{self, Found};
use super::pending_records;
use super::settings::StorageSettings;

/// The exclusive lock of a store's directory. The system releases it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Locks the directory for this process, and creates it if necessary.
pub(super) fn lock(directory: &Path) -> Result<Lock, OpenError> {
    let unusable = |source| OpenError::Directory { directory: directory.to_owned(), source };
    std::fs::create_dir_all(directory).map_err(unusable)?;
    let file = File::options().create(true).truncate(false).write(true).open(directory.join("lock"));
    let file = file.map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { directory: directory.to_owned() }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

/// Creates a store: makes the engine in the folder [`engine::NEW`], then the marker, and then renames the
/// folder. So a store whose creation was interrupted is recognised.
pub(super) fn create(directory: &Path, settings: &StorageSettings) -> Result<(), OpenError> {
    let unusable = |source| OpenError::Directory { directory: directory.to_owned(), source };
    let new = directory.join(engine::NEW);
    remove(&new).map_err(unusable)?;
    let engine = Engine::open(&new, settings).map_err(|source| engine_error(directory, source))?;
    let position = write_first_commit(&engine, &CommitPosition::EMPTY)
        .map_err(|source| engine_error(directory, source))?;
    drop(engine);
    DurableMarker::create(directory, &position).map_err(unusable)?;
    put_in_place(directory, engine::NEW).map_err(unusable)
}

/// Writes the first numbered commit of a new engine, to every keyspace, and returns its position.
pub(super) fn write_first_commit(engine: &Engine, before: &CommitPosition) -> fjall::Result<CommitPosition> {
    let mut batch = Batch::new(0, PersistMode::SyncAll);
    for keyspace in Keyspace::ALL {
        batch.touch(keyspace);
    }
    engine.commit(batch, before, before.next)
}

/// Gives the engine in the folder `name` the name of the store's engine.
pub(super) fn put_in_place(directory: &Path, name: &str) -> io::Result<()> {
    std::fs::rename(directory.join(name), engine::directory(directory))?;
    File::open(directory)?.sync_all()
}

/// Removes a folder that may not exist.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Opens the engine of an existing store, unless something durable is missing.
pub(super) fn open(
    directory: &Path,
    settings: &StorageSettings,
) -> Result<(Engine, CommitPosition), OpenError> {
    let Found { mut damage, position: expected, unfinished, .. } = integrity::look(directory);
    let engine = engine::directory(directory);
    if damage.is_empty() {
        // The engine expects its lock file, empty.
        _ = File::options().create(true).truncate(false).write(true).open(engine.join("lock"));
        if let Some((journal, bytes)) = unfinished {
            tracing::info!(?journal, bytes, "a commit that was not finished is dropped");
        }
        let engine = Engine::open(&engine, settings).map_err(|source| engine_error(directory, source))?;
        let position = engine.position().map_err(|error| unreadable(directory, &error))?;
        match position {
            Some(position) if position.commit >= expected.commit => return Ok((engine, position)),
            position => damage.push(integrity::Damage::Commits {
                first: position.map_or(0, |position| position.commit) + 1,
                last: expected.commit,
                notifications: expected.next - position.map_or(1, |position| position.next),
            }),
        }
    }
    Err(OpenError::Damaged { directory: directory.to_owned(), damage })
}

/// Creates rows for all notifications that an earlier process left in pending records: its connections are
/// gone, so they are held now.
pub(super) fn convert_pending_records(
    directory: &Path,
    engine: &Engine,
    position: CommitPosition,
) -> Result<CommitPosition, OpenError> {
    let mut position = position;
    let commits = pending_records::commits(engine).map_err(|error| unreadable(directory, &error))?;
    for commit in commits {
        let pending_records =
            pending_records::incomplete(engine, commit).map_err(|error| unreadable(directory, &error))?;
        let pending_records = pending_records
            .map_err(|error| damaged(directory, format!("the notifications of commit {commit}: {error}")))?;
        let next = position.next_after_rows(pending_records.len());
        let mut batch = Batch::new(pending_records.len() + 2, PersistMode::SyncData);
        for pending in pending_records {
            pending.write_row(&mut batch);
        }
        pending_records::remove(&mut batch, commit);
        position = engine.commit(batch, &position, next).map_err(|source| engine_error(directory, source))?;
    }
    Ok(position)
}

/// Converts an error of reading during the start to damage.
pub(super) fn unreadable(directory: &Path, error: &fjall::Error) -> OpenError {
    damaged(directory, error.to_string())
}

fn damaged(directory: &Path, why: String) -> OpenError {
    let damage = vec![integrity::Damage::File { path: engine::directory(directory), why }];
    OpenError::Damaged { directory: directory.to_owned(), damage }
}

fn engine_error(directory: &Path, source: fjall::Error) -> OpenError {
    match source {
        fjall::Error::Locked => OpenError::InUse { directory: directory.to_owned() },
        source => OpenError::Engine { directory: directory.to_owned(), source },
    }
}

/// Loads the ids of the deduplication window, and returns the keys of older records.
pub(super) fn load_ids<K: Clock>(
    engine: &Engine,
    dedup: &mut Dedup,
    clock: &K,
    settings: &StorageSettings,
) -> fjall::Result<Vec<[u8; 16]>> {
    let (now, moment) = (clock.now(), clock.moment());
    let mut stale = Vec::new();
    for guard in engine.dedup.iter() {
        let (key, value) = guard.into_inner()?;
        match dedup::AcceptedIds::read(&key, &value, now, moment, settings.dedup_window) {
            Some(commit) => dedup.load(commit),
            None => stale.extend(key.first_chunk().copied()),
        }
    }
    Ok(stale)
}
