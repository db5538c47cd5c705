//! Making and opening a store's engine, for one process at a time, and only if nothing is missing.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use fjall::PersistMode;

use super::commit_position::{CommitPosition, Keyspace};
use super::durable_marker::DurableMarker;
use super::engine::{self, Batch, Engine};
use super::error::OpenError;
use super::integrity::{self, Found};
use super::pending_records;
use super::settings::StorageSettings;

/// The right to a store's directory. It is let go of when the process ends, however it does.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Takes the directory for this process, and makes it if it is not there.
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

/// Makes a store: the engine beside its location, the mark, and then the engine into its location, so that a store
/// that is half made is known as such.
pub(super) fn create(directory: &Path, settings: &StorageSettings) -> Result<(), OpenError> {
    let unusable = |source| OpenError::Directory { directory: directory.to_owned(), source };
    let new = directory.join(engine::NEW);
    remove(&new).map_err(unusable)?;
    let engine = Engine::open(&new, settings).map_err(|source| engine_error(directory, source))?;
    let position =
        finish(&engine, &CommitPosition::EMPTY).map_err(|source| engine_error(directory, source))?;
    drop(engine);
    DurableMarker::create(directory, &position).map_err(unusable)?;
    put_in_place(directory, engine::NEW).map_err(unusable)
}

/// Writes the first numbered commit, to every space.
pub(super) fn finish(engine: &Engine, before: &CommitPosition) -> fjall::Result<CommitPosition> {
    let mut batch = Batch::new(0, PersistMode::SyncAll);
    for keyspace in Keyspace::ALL {
        batch.touch(keyspace);
    }
    engine.commit(batch, before, before.next)
}

/// Makes the engine under another name the store's.
pub(super) fn put_in_place(directory: &Path, name: &str) -> io::Result<()> {
    std::fs::rename(directory.join(name), engine::directory(directory))?;
    File::open(directory)?.sync_all()
}

/// Removes a folder that may not be there.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Opens the engine of a store that is there, unless something is missing.
pub(super) fn open(
    directory: &Path,
    settings: &StorageSettings,
) -> Result<(Engine, CommitPosition), OpenError> {
    let Found { mut damage, position: expected, unfinished, .. } = integrity::look(directory);
    let engine = engine::directory(directory);
    if damage.is_empty() {
        // The engine wants its lock file to be there, and nothing in it.
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

/// Gives rows to all that was about to be delivered when an earlier process stopped: whoever was there is so no more.
pub(super) fn give_rows(
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

/// Something that is read at the start can't be.
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
