//! What can go wrong.

use std::path::PathBuf;

/// Why a store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("the store in {} is in use by another process", directory.display())]
    InUse {
        /// The store's directory.
        directory: PathBuf,
    },
    /// The directory can't be made or looked at.
    #[error("the directory {} can't be used", directory.display())]
    Directory {
        /// The store's directory.
        directory: PathBuf,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
    /// The engine can't read what is there.
    #[error("the store in {} can't be opened", directory.display())]
    Engine {
        /// The store's directory.
        directory: PathBuf,
        /// The engine's own error.
        #[source]
        source: fjall::Error,
    },
    /// Commits that were durable are missing: the journal was damaged, or the directory is from a backup.
    #[error(
        "the store in {} ends at commit {found}, but commit {expected} was on disk: accepted notifications \
         are missing; restore the directory, or delete the file \"mark\" in it to go on without them",
        directory.display()
    )]
    Behind {
        /// The store's directory.
        directory: PathBuf,
        /// The last commit there.
        found: u64,
        /// A commit that was durable.
        expected: u64,
    },
    /// It was written in a format this build does not know.
    #[error("the store in {} has format {found}, which this version does not know", directory.display())]
    Format {
        /// The store's directory.
        directory: PathBuf,
        /// The format found.
        found: u8,
    },
    /// The committer's thread could not be started.
    #[error("a thread could not be started")]
    Thread(#[source] std::io::Error),
}

/// Why nothing of a submission was accepted, as far as the store knows: a submission that failed with
/// `Unavailable` may be there all the same, and is recognised by its id when it is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// Too little space is left on the disk.
    #[error("the disk is full")]
    DiskFull,
    /// The engine can't write at the moment; it is being reopened.
    #[error("the store can't write at the moment")]
    Unavailable,
    /// The store is being closed.
    #[error("the store is being closed")]
    ShuttingDown,
}

/// Why the store could not do something other than accept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing can be written.
    #[error(transparent)]
    Write(#[from] AcceptError),
    /// The engine is being reopened.
    #[error("the store is being reopened")]
    Reopening,
    /// The engine can't read.
    #[error("the store can't be read")]
    Engine(#[from] fjall::Error),
    /// A sequence beyond those this store can give.
    #[error("the sequence is beyond those of this store")]
    Sequence,
}
