//! Argon2id hashing on threads for blocking work, with a limit of concurrent and of waiting hashes.

use std::sync::Arc;
use std::thread::available_parallelism;

use argon2::password_hash::{self, PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use super::{AccountError, Password};

/// OWASP's minimum: 19 MiB of memory, two iterations, one lane
/// (<https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id>).
const MEMORY_KIB: u32 = 19 * 1024;
const ITERATIONS: u32 = 2;
const LANES: u32 = 1;

/// The hash to check if there is no such user. It takes as long as a real hash, and no password matches it.
const NO_USER: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
                      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Most passwords that wait or are being hashed: one or two seconds of work for one core.
const MAX_ADMITTED: usize = 64;

pub(super) struct Hasher {
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
    params: Params,
}

impl Default for Hasher {
    /// Returns a hasher with OWASP's parameters, on all cores but one.
    fn default() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        let params = Params::new(MEMORY_KIB, ITERATIONS, LANES, None).unwrap_or(Params::DEFAULT);
        Self::new(params, MAX_ADMITTED, cores.saturating_sub(1).max(1))
    }
}

impl Hasher {
    pub(super) fn new(params: Params, admitted: usize, running: usize) -> Self {
        Self {
            admitted: Arc::new(Semaphore::new(admitted)),
            running: Arc::new(Semaphore::new(running)),
            params,
        }
    }

    /// Returns a new hash of `password` as a PHC string.
    pub(super) async fn hash(&self, password: Password) -> Result<String, AccountError> {
        let argon2 = self.argon2();
        let hash = move || argon2.hash_password(password.0.as_bytes()).map(|hash| hash.to_string());
        self.run(hash).await?.map_err(|_| AccountError::Hash)
    }

    /// Returns true if `password` matches `hash`. Without a hash, returns false after the same time.
    pub(super) async fn verify(
        &self,
        password: Password,
        hash: Option<String>,
    ) -> Result<bool, AccountError> {
        let argon2 = self.argon2();
        // The hash contains its parameters, which may be older than the current ones.
        let verify = move || {
            let verdict = argon2.verify_password(password.0.as_bytes(), hash.as_deref().unwrap_or(NO_USER));
            verdict.map(|()| hash.is_some())
        };
        match self.run(verify).await? {
            Ok(matches) => Ok(matches),
            Err(password_hash::Error::PasswordInvalid) => Ok(false),
            Err(_) => Err(AccountError::Hash),
        }
    }

    fn argon2(&self) -> Argon2<'static> {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone())
    }

    /// Runs `work` on a thread for blocking work when a core is free.
    ///
    /// Started work counts towards the limits until it is done, even if the caller has been cancelled.
    ///
    /// # Errors
    /// [`AccountError::Busy`] if too much work is waiting.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AccountError> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| AccountError::Busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| AccountError::Busy)?;
        let work = move || {
            let _permits = (admitted, running);
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| AccountError::Hash)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use argon2::password_hash::phc::PasswordHash;

    use super::*;

    fn weak(admitted: usize, running: usize) -> Hasher {
        Hasher::new(Params::new(Params::MIN_M_COST, 1, 1, None).unwrap(), admitted, running)
    }

    #[tokio::test]
    async fn all_hashes_use_owasp_parameters() {
        let password = Password::new("correct horse".to_owned()).unwrap();
        let hash = Hasher::default().hash(password.clone()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(Hasher::default().verify(password.clone(), Some(hash.clone())).await.unwrap());
        assert!(!Hasher::default().verify(password, None).await.unwrap());

        let (real, no_user) = (PasswordHash::new(&hash).unwrap(), PasswordHash::new(NO_USER).unwrap());
        assert_eq!(
            (real.algorithm, real.version, &real.params),
            (no_user.algorithm, no_user.version, &no_user.params)
        );
        assert_eq!(real.salt.unwrap().len(), no_user.salt.unwrap().len());
        assert_eq!(real.hash.unwrap().len(), no_user.hash.unwrap().len());
    }

    #[tokio::test]
    async fn two_hashes_of_one_password_differ() {
        let password = Password::new("correct horse".to_owned()).unwrap();
        let hasher = weak(9, 9);
        assert_ne!(hasher.hash(password.clone()).await.unwrap(), hasher.hash(password).await.unwrap());
    }

    #[tokio::test]
    async fn malformed_hash_is_an_error() {
        let password = Password::new("correct horse".to_owned()).unwrap();
        for broken in ["", "plain", "$argon2id$v=19$m=19456,t=2,p=1$AAAA"] {
            let verdict = weak(9, 9).verify(password.clone(), Some(broken.to_owned())).await;
            assert!(matches!(verdict, Err(AccountError::Hash)), "{broken}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn concurrency_is_limited() {
        let hasher = Arc::new(weak(100, 2));
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let all: Vec<_> = (0..100)
            .map(|_| {
                let (hasher, running, most) = (Arc::clone(&hasher), Arc::clone(&running), Arc::clone(&most));
                let work = move || {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    running.fetch_sub(1, Ordering::SeqCst);
                };
                tokio::spawn(async move { hasher.run(work).await.unwrap() })
            })
            .collect();
        for one in all {
            one.await.unwrap();
        }
        assert!(most.load(Ordering::SeqCst) <= 2);
    }

    #[tokio::test]
    async fn cancelled_work_counts_until_it_is_done() {
        let hasher = Arc::new(weak(1, 1));
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (finish, may_finish) = mpsc::channel::<()>();
        let work = move || {
            let _ = begun.send(());
            let _ = may_finish.recv();
        };
        let first = tokio::spawn({
            let hasher = Arc::clone(&hasher);
            async move { hasher.run(work).await }
        });
        has_begun.await.unwrap();
        assert!(matches!(hasher.run(|| ()).await, Err(AccountError::Busy)));
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        assert!(matches!(hasher.run(|| ()).await, Err(AccountError::Busy)));
        finish.send(()).unwrap();
        let _permit = hasher.admitted.acquire().await.unwrap();
    }
}
