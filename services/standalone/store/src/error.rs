//! Errors of the store.

use std::path::PathBuf;

use super::integrity::Damage;

/// Errors of opening a store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the store open.
    #[error("the store in {} is in use by another process", directory.display())]
    InUse {
        /// The store's directory.
        directory: PathBuf,
    },
    /// The directory can't be created or read.
    #[error("the directory {} can't be used", directory.display())]
    Directory {
        /// The store's directory.
        directory: PathBuf,
        /// The operating system's error.
        #[source]
        source: std::io::Error,
    },
    /// The engine can't read its files.
    #[error("the store in {} can't be opened", directory.display())]
    Engine {
        /// The store's directory.
        directory: PathBuf,
        /// The engine's own error.
        #[source]
        source: fjall::Error,
    },
    /// Something that was durable is missing or unreadable: a file was damaged, or the directory is part of a
    /// backup or an old one.
    #[error(
        "the store in {} is damaged or incomplete: {}; see \"tidings store check\" and \"tidings store repair\"",
        directory.display(),
        summary(damage)
    )]
    Damaged {
        /// The store's directory.
        directory: PathBuf,
        /// The damage found.
        damage: Vec<Damage>,
    },
    /// A thread could not be started.
    #[error("a thread could not be started")]
    Thread(#[source] std::io::Error),
}

/// Formats the first item of damage and the number of others.
fn summary(damage: &[Damage]) -> String {
    let first = damage.first().map_or_else(String::new, ToString::to_string);
    match damage.len() {
        0 | 1 => first,
        count => format!("{first} (and {} more)", count - 1),
    }
}

/// Errors of accepting notifications: all of a request are refused.
///
/// A commit whose write fails may be on disk all the same, which shows when the engine is reopened. So after
/// `Unavailable`, and after `DiskFull` if the disk filled up during the write, the notifications may be
/// accepted. If they are sent again with the same ids, they are recognised. After `ShuttingDown` none is
/// accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// The disk has too little room.
    #[error("the disk is full")]
    DiskFull,
    /// A write failed and the engine is being reopened, or the committer has ended.
    #[error("the store can't write at the moment")]
    Unavailable,
    /// The store is being closed.
    #[error("the store is being closed")]
    ShuttingDown,
}

/// Errors of other operations.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The write failed.
    #[error(transparent)]
    Write(#[from] AcceptError),
    /// The engine is being reopened.
    #[error("the store is being reopened")]
    Reopening,
    /// The engine can't read.
    #[error("the store can't be read")]
    Engine(#[source] fjall::Error),
    /// The sequence is beyond those that this store can assign.
    #[error("the sequence is beyond those of this store")]
    Sequence,
}

/// A read error is never taken for absence. It is counted and logged for operators.
impl From<fjall::Error> for StoreError {
    fn from(error: fjall::Error) -> Self {
        let source = shared_telemetry::chain(&error);
        tracing::error!(error = source, "the store can't be read; see \"tidings store check\"");
        metrics::counter!("tidings_store_read_failures_total").increment(1);
        Self::Engine(error)
    }
}
