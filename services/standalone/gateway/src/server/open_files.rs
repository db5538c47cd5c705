//! Shares of the files that the process may have open: each connection takes one, and so do the store's files.
//!
//! WebSockets may take all but a reserve. It is there for producers and operators, and a part of it for the store, so
//! that clients can't keep them out by opening connections.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Divisor of the number of open files: the reserve's share of them.
const RESERVE: usize = 16;

/// Smallest reserve, unless it is half of the number of open files.
const LEAST_RESERVE: usize = 256;

/// A limited number of open files.
#[derive(Debug)]
pub(super) struct OpenFiles {
    /// Number of connections for which there are files, and which WebSockets can't take.
    reserved: usize,
    web_sockets: Arc<Semaphore>,
}

impl OpenFiles {
    pub(super) fn new(limit: usize) -> Self {
        let reserve = (limit / RESERVE).max(LEAST_RESERVE.min(limit / 2));
        let of_store = reserve / 4;
        let web_sockets = (limit - reserve).min(Semaphore::MAX_PERMITS);
        Self { reserved: reserve - of_store, web_sockets: Arc::new(Semaphore::new(web_sockets)) }
    }

    /// Returns the number of WebSockets that one address may have open, so that it leaves half to others.
    pub(super) fn web_sockets_per_address(&self) -> usize {
        self.web_sockets.available_permits().div_ceil(2)
    }

    /// Takes the place of a WebSocket; `None` if all are taken.
    pub(super) fn open_web_socket(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.web_sockets).try_acquire_owned().ok()
    }

    /// Returns the number of further connections beside `http` connections that are not WebSockets.
    pub(super) fn free(&self, http: usize) -> usize {
        let free_for_web_sockets = self.web_sockets.available_permits();
        (free_for_web_sockets + self.reserved).saturating_sub(http)
    }

    /// Returns true if so few are free that idle connections keep others out.
    pub(super) fn is_scarce(&self, http: usize) -> bool {
        self.free(http) < self.reserved.div_ceil(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_sockets_leave_a_reserve() {
        let files = OpenFiles::new(20_000);
        assert_eq!(files.free(0), 20_000 - 312);
        let open: Vec<_> = std::iter::from_fn(|| files.open_web_socket()).collect();
        assert_eq!(open.len(), 20_000 - 1_250);
        assert_eq!((files.free(0), files.free(938), files.free(1_000)), (938, 0, 0));
        assert!(!files.is_scarce(0) && files.is_scarce(500));
        drop(open);
        assert!(files.open_web_socket().is_some());
    }

    #[test]
    fn reserve_of_few_files_is_at_most_half() {
        let web_sockets =
            |limit| std::iter::from_fn(|| OpenFiles::new(limit).open_web_socket()).take(1).count();
        assert_eq!(OpenFiles::new(1_024).web_sockets.available_permits(), 768);
        assert_eq!(OpenFiles::new(100).web_sockets.available_permits(), 50);
        assert_eq!((web_sockets(1), web_sockets(0)), (1, 0));
    }
}
