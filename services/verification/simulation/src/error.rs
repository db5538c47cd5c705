//! Errors of the simulation itself.

/// Reasons for which a simulation could not be run. They say nothing about the promises.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// The data directory can't be made, copied or removed.
    #[error("the simulation's directory can't be used")]
    Directory(#[source] std::io::Error),
    /// The async runtime can't be made.
    #[error("the runtime can't be made")]
    Runtime(#[source] std::io::Error),
    /// The store does not open.
    #[error("the simulation's store can't be opened")]
    Open(#[from] tidings_store::OpenError),
    /// The store can't be read at the end.
    #[error("the simulation's store can't be read")]
    Read(#[source] tidings_store::StoreError),
    /// A row can't be damaged between two processes.
    #[error("a row can't be damaged")]
    Damage(#[source] tidings_store::StoreError),
    /// A task has outlived its process.
    #[error("a task has outlived its process")]
    Leftover,
}
