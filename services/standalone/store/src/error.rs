//! What can go wrong.

use std::path::PathBuf;

use super::integrity::Damage;

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
    /// Something that was durable is missing or can't be read: a file was damaged, or the directory is from a
    /// backup, or in part.
    #[error(
        "the store in {} is damaged or incomplete: {}; see \"tidings store check\" and \"tidings store repair\"",
        directory.display(),
        summary(damage)
    )]
    Damaged {
        /// The store's directory.
        directory: PathBuf,
        /// What is wrong with it.
        damage: Vec<Damage>,
    },
    /// The committer's thread could not be started.
    #[error("a thread could not be started")]
    Thread(#[source] std::io::Error),
}

/// The first of it, and how much there is besides.
fn summary(damage: &[Damage]) -> String {
    let first = damage.first().map_or_else(String::new, ToString::to_string);
    match damage.len() {
        0 | 1 => first,
        count => format!("{first} (and {} more)", count - 1),
    }
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
    Engine(#[source] fjall::Error),
    /// A sequence beyond those this store can give.
    #[error("the sequence is beyond those of this store")]
    Sequence,
}

/// What can't be read is never taken for what is not there; whoever watches is told besides.
impl From<fjall::Error> for StoreError {
    fn from(error: fjall::Error) -> Self {
        let source = shared_telemetry::chain(&error);
        tracing::error!(error = source, "the store can't be read; see \"tidings store check\"");
        metrics::counter!("tidings_store_read_failures_total").increment(1);
        Self::Engine(error)
    }
}
