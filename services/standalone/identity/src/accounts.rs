//! Accounts with username and password, a small substitute for Cognito. The username is the user id.
//!
//! Passwords are stored as Argon2id hashes. Hashing takes tens of milliseconds of a core and 19 MiB, so it
//! runs on threads for blocking work, on all cores but one, and with a bounded queue in which accounts take
//! turns. However many users log in, one core is left for delivery. Logins from one address are throttled before
//! anything is hashed.
//!
//! The table belongs to this process. Changes of one account exclude each other, and a second concurrent
//! change fails at once.

mod argon2id;
mod fair_queue;
mod hasher;
mod password;
mod throttle;

use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract_notifications_v1::{Timestamp, UserId, Version1};
use serde::{Deserialize, Serialize};
use shared_ports::Moment;
use shared_ports::PortError;
use shared_sync::IgnorePoison as _;

use self::fair_queue::Lane;
use self::hasher::Hasher;
pub use self::password::{InvalidPassword, Password};
pub use self::throttle::LoginLimits;
use self::throttle::{Attempt, Throttle};
pub use super::records::Records;

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The user id, which is the username.
    pub user_id: UserId,
    /// Time at which the account was added.
    pub created_at: Timestamp,
}

/// Errors of using or changing an account.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The user exists already.
    #[error("the user {user_id} exists already")]
    UserAlreadyExists {
        /// The user.
        user_id: UserId,
    },
    /// There is no such user.
    #[error("there is no user {user_id}")]
    NoSuchUser {
        /// The user.
        user_id: UserId,
    },
    /// Another request is changing the account.
    #[error("the user {user_id} is being changed by another request; try again")]
    BeingChanged {
        /// The user.
        user_id: UserId,
    },
    /// Too many passwords wait for hashing.
    #[error("too many users are logging in; try again in {} s", .wait.as_secs())]
    Busy {
        /// Time after which there is probably a place.
        wait: Duration,
    },
    /// A password could not be hashed.
    #[error("the password could not be hashed")]
    Hash,
    /// The stored account can't be read or written.
    #[error("the stored account is not readable")]
    Corrupt(#[source] serde_json::Error),
    /// The table failed.
    #[error(transparent)]
    Records(#[from] PortError),
}

/// Errors of a login.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The user does not exist or the password is wrong. The error does not reveal which.
    #[error("username or password is wrong")]
    Refused,
    /// Too many logins came from the address. Nothing was checked.
    #[error("too many logins from this address; try again in {} s", .wait.as_secs_f64().ceil())]
    Throttled {
        /// Time after which another may succeed.
        wait: Duration,
    },
    /// The login could not be checked.
    #[error(transparent)]
    Undecided(#[from] AccountError),
}

/// A stored account.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    version: Version1,
    user_id: UserId,
    created_at: Timestamp,
    /// PHC string: algorithm, parameters, salt and hash.
    password: String,
}

impl Record {
    fn read(bytes: &[u8]) -> Result<Self, AccountError> {
        serde_json::from_slice(bytes).map_err(AccountError::Corrupt)
    }

    fn account(self) -> Account {
        Account { user_id: self.user_id, created_at: self.created_at }
    }
}

/// Accounts in a table. Clones share them.
#[derive(Debug)]
pub struct Accounts<R> {
    inner: Arc<Inner<R>>,
}

impl<R> Clone for Accounts<R> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

struct Inner<R> {
    records: R,
    hasher: Hasher,
    throttle: Mutex<Throttle>,
    /// Users being changed. Makes reading and writing a record one step.
    changing: Mutex<HashSet<UserId>>,
}

impl<R> fmt::Debug for Inner<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").finish_non_exhaustive()
    }
}

/// Excludes other changes of the same user until it is dropped.
struct ChangeGuard<'a> {
    changing: &'a Mutex<HashSet<UserId>>,
    user_id: &'a UserId,
}

impl<'a> ChangeGuard<'a> {
    fn acquire(changing: &'a Mutex<HashSet<UserId>>, user_id: &'a UserId) -> Result<Self, AccountError> {
        if changing.lock().ignore_poison().insert(user_id.clone()) {
            Ok(Self { changing, user_id })
        } else {
            Err(AccountError::BeingChanged { user_id: user_id.clone() })
        }
    }
}

impl Drop for ChangeGuard<'_> {
    fn drop(&mut self) {
        self.changing.lock().ignore_poison().remove(self.user_id);
    }
}

impl<R: Records> Accounts<R> {
    /// Returns the accounts in `records`.
    pub fn new(records: R, limits: LoginLimits) -> Self {
        Self::with_hasher(records, limits, Hasher::default())
    }

    fn with_hasher(records: R, limits: LoginLimits, hasher: Hasher) -> Self {
        let throttle = Mutex::new(Throttle::new(limits));
        Self { inner: Arc::new(Inner { records, hasher, throttle, changing: Mutex::default() }) }
    }

    /// Adds an account.
    ///
    /// # Errors
    /// [`AccountError::UserAlreadyExists`] if the user exists, or another [`AccountError`].
    pub async fn add(
        &self,
        user_id: &UserId,
        password: Password,
        now: Timestamp,
    ) -> Result<Account, AccountError> {
        let _guard = ChangeGuard::acquire(&self.inner.changing, user_id)?;
        if self.inner.records.get(user_id.as_str()).await?.is_some() {
            return Err(AccountError::UserAlreadyExists { user_id: user_id.clone() });
        }
        self.put(user_id, password, now).await
    }

    /// Changes the password of an account.
    ///
    /// # Errors
    /// [`AccountError::NoSuchUser`] if there is no such user, or another [`AccountError`].
    pub async fn set_password(&self, user_id: &UserId, password: Password) -> Result<Account, AccountError> {
        let _guard = ChangeGuard::acquire(&self.inner.changing, user_id)?;
        let record = Record::read(&self.existing(user_id).await?)?;
        self.put(user_id, password, record.created_at).await
    }

    /// Removes an account. ID tokens of the account stay valid until they expire.
    ///
    /// # Errors
    /// [`AccountError::NoSuchUser`] if there is no such user, or another [`AccountError`].
    pub async fn remove(&self, user_id: &UserId) -> Result<(), AccountError> {
        let _guard = ChangeGuard::acquire(&self.inner.changing, user_id)?;
        self.existing(user_id).await?;
        Ok(self.inner.records.delete(user_id.as_str()).await?)
    }

    /// Returns all accounts, in the order of their names.
    ///
    /// # Errors
    /// [`AccountError::Corrupt`] or [`AccountError::Records`].
    pub async fn list(&self) -> Result<Vec<Account>, AccountError> {
        let records = self.inner.records.list().await?;
        records.iter().map(|bytes| Record::read(bytes).map(Record::account)).collect()
    }

    /// Checks a password and returns the account. Takes the same time if there is no such user.
    ///
    /// `from` is the client's address, by which logins are limited; `None` for a client that is not limited.
    ///
    /// A login that its client gives up counts as a failure.
    ///
    /// # Errors
    /// [`LoginError::Refused`] if the user does not exist or the password is wrong, [`LoginError::Throttled`] if too
    /// many logins came from the address, [`LoginError::Undecided`] if the login could not be checked.
    pub async fn verify(
        &self,
        username: &str,
        password: Password,
        from: Option<IpAddr>,
        now: Moment,
    ) -> Result<Account, LoginError> {
        let attempt = self.throttle(|throttle| throttle.admit(from, username, now));
        let attempt = attempt.map_err(|wait| LoginError::Throttled { wait })?;
        let outcome = self.check(username, password, attempt).await;
        self.throttle(|throttle| match &outcome {
            Ok(_) => throttle.succeeded(attempt, now),
            Err(LoginError::Undecided(_)) => throttle.undecided(attempt, now),
            Err(LoginError::Refused | LoginError::Throttled { .. }) => {}
        });
        outcome
    }

    fn throttle<T>(&self, decide: impl FnOnce(&mut Throttle) -> T) -> T {
        decide(&mut self.inner.throttle.lock().ignore_poison())
    }

    async fn check(
        &self,
        username: &str,
        password: Password,
        attempt: Attempt,
    ) -> Result<Account, LoginError> {
        // A name that is no user id has no account, and the table may not accept it as a key.
        let found = match UserId::new(username) {
            Ok(user_id) => self.inner.records.get(user_id.as_str()).await.map_err(AccountError::from)?,
            Err(_) => None,
        };
        let record = found.map(|bytes| Record::read(&bytes)).transpose()?;
        let hash = record.as_ref().map(|record| record.password.clone());
        let lane = if attempt.known { Lane::Known(attempt.account) } else { Lane::Account(attempt.account) };
        let matches = self.inner.hasher.verify(password, hash, lane).await?;
        record.filter(|_| matches).map(Record::account).ok_or(LoginError::Refused)
    }

    async fn existing(&self, user_id: &UserId) -> Result<Vec<u8>, AccountError> {
        let found = self.inner.records.get(user_id.as_str()).await?;
        found.ok_or_else(|| AccountError::NoSuchUser { user_id: user_id.clone() })
    }

    async fn put(
        &self,
        user_id: &UserId,
        password: Password,
        created_at: Timestamp,
    ) -> Result<Account, AccountError> {
        let password = self.inner.hasher.hash(password, Lane::Operator).await?;
        let record = Record { version: Version1, user_id: user_id.clone(), created_at, password };
        let bytes = serde_json::to_vec(&record).map_err(AccountError::Corrupt)?;
        self.inner.records.put(user_id.as_str(), bytes).await?;
        Ok(record.account())
    }
}

#[cfg(test)]
mod tests;
