//! People who log in with username and password: a small stand-in for Cognito. A user's id is its username.
//!
//! Passwords are kept as Argon2id hashes. Making one takes tens of milliseconds of a core and 19 MiB, so it
//! happens on threads for blocking work, on all cores but one at a time, and with a bounded number waiting:
//! however many log in, delivery has a core left.

mod hasher;
mod table;

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use contract_notifications_v1::{Timestamp, UserId, Version1};
use serde::{Deserialize, Serialize};
use shared_ports::PortError;
use zeroize::Zeroizing;

use self::hasher::Hasher;

/// A durable table of bytes by name.
pub trait Records: Send + Sync {
    /// The value under `key`.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Vec<u8>>, PortError>> + Send;

    /// Puts `value` under `key`, in place of a former one; durable when it returns.
    fn put(&self, key: &str, value: Vec<u8>) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Deletes what is under `key`; durable when it returns. Nothing there is no error.
    fn delete(&self, key: &str) -> impl Future<Output = Result<(), PortError>> + Send;

    /// All values, in the order of their keys.
    fn list(&self) -> impl Future<Output = Result<Vec<Vec<u8>>, PortError>> + Send;
}

/// A password, wiped when dropped and never shown.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Password(Zeroizing<String>);

/// A password breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a password must have {} to {} bytes", Password::MIN_BYTES, Password::MAX_BYTES)]
pub struct InvalidPassword;

impl Password {
    /// Fewest bytes.
    pub const MIN_BYTES: usize = 8;
    /// Most bytes.
    pub const MAX_BYTES: usize = 1024;

    /// Takes a password.
    ///
    /// # Errors
    /// [`InvalidPassword`] unless it has [`Self::MIN_BYTES`] to [`Self::MAX_BYTES`] bytes.
    pub fn new(text: String) -> Result<Self, InvalidPassword> {
        let text = Zeroizing::new(text);
        if (Self::MIN_BYTES..=Self::MAX_BYTES).contains(&text.len()) {
            Ok(Self(text))
        } else {
            Err(InvalidPassword)
        }
    }
}

impl TryFrom<String> for Password {
    type Error = InvalidPassword;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Someone who can log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The user's id and name.
    pub user_id: UserId,
    /// Since when.
    pub created_at: Timestamp,
}

/// Why an account could not be used or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The name is taken.
    #[error("the user {user_id} exists already")]
    UserAlreadyExists {
        /// The name.
        user_id: UserId,
    },
    /// Nobody has the name.
    #[error("there is no user {user_id}")]
    NoSuchUser {
        /// The name.
        user_id: UserId,
    },
    /// Two change the same account at once.
    #[error("the user {user_id} is being changed by another request; try again")]
    BeingChanged {
        /// The name.
        user_id: UserId,
    },
    /// Too many passwords wait to be hashed.
    #[error("too many log in at the moment; try again")]
    Busy,
    /// A password could not be hashed.
    #[error("the password could not be hashed")]
    Hash,
    /// What is stored is no account.
    #[error("what is stored of a user is not readable")]
    Corrupt(#[source] serde_json::Error),
    /// The table failed.
    #[error(transparent)]
    Records(#[from] PortError),
}

/// Why someone could not log in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// No such user, or another password: which of them is not told.
    #[error("username or password is wrong")]
    Refused,
    /// It could not be decided.
    #[error(transparent)]
    Undecided(#[from] AccountError),
}

/// An account as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    version: Version1,
    user_id: UserId,
    created_at: Timestamp,
    /// A PHC string: algorithm, parameters, salt and hash.
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

/// The accounts in a table. Clones share them.
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
    /// Users being changed, so that looking and putting are one step: the table belongs to this process.
    changing: Mutex<HashSet<UserId>>,
}

impl<R> fmt::Debug for Inner<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").finish_non_exhaustive()
    }
}

/// While it lives nobody else changes the user.
struct Change<'a> {
    changing: &'a Mutex<HashSet<UserId>>,
    user_id: &'a UserId,
}

impl<'a> Change<'a> {
    fn begin(changing: &'a Mutex<HashSet<UserId>>, user_id: &'a UserId) -> Result<Self, AccountError> {
        if changing.lock().unwrap_or_else(PoisonError::into_inner).insert(user_id.clone()) {
            Ok(Self { changing, user_id })
        } else {
            Err(AccountError::BeingChanged { user_id: user_id.clone() })
        }
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner).remove(self.user_id);
    }
}

impl<R: Records> Accounts<R> {
    /// The accounts in `records`.
    pub fn new(records: R) -> Self {
        Self::with_hasher(records, Hasher::default())
    }

    fn with_hasher(records: R, hasher: Hasher) -> Self {
        Self { inner: Arc::new(Inner { records, hasher, changing: Mutex::default() }) }
    }

    /// Adds an account.
    ///
    /// # Errors
    /// [`AccountError::UserAlreadyExists`], or why it could not be added.
    pub async fn add(
        &self,
        user_id: &UserId,
        password: Password,
        now: Timestamp,
    ) -> Result<Account, AccountError> {
        let _change = Change::begin(&self.inner.changing, user_id)?;
        if self.inner.records.get(user_id.as_str()).await?.is_some() {
            return Err(AccountError::UserAlreadyExists { user_id: user_id.clone() });
        }
        self.put(user_id, password, now).await
    }

    /// Gives an account another password.
    ///
    /// # Errors
    /// [`AccountError::NoSuchUser`], or why it could not be changed.
    pub async fn set_password(&self, user_id: &UserId, password: Password) -> Result<Account, AccountError> {
        let _change = Change::begin(&self.inner.changing, user_id)?;
        let record = Record::read(&self.existing(user_id).await?)?;
        self.put(user_id, password, record.created_at).await
    }

    /// Removes an account. ID tokens it got stay good until they end.
    ///
    /// # Errors
    /// [`AccountError::NoSuchUser`], or why it could not be removed.
    pub async fn remove(&self, user_id: &UserId) -> Result<(), AccountError> {
        let _change = Change::begin(&self.inner.changing, user_id)?;
        self.existing(user_id).await?;
        Ok(self.inner.records.delete(user_id.as_str()).await?)
    }

    /// All accounts, in the order of their names.
    ///
    /// # Errors
    /// [`AccountError::Corrupt`] or [`AccountError::Records`].
    pub async fn list(&self) -> Result<Vec<Account>, AccountError> {
        let records = self.inner.records.list().await?;
        records.iter().map(|bytes| Record::read(bytes).map(Record::account)).collect()
    }

    /// Checks a password. It takes the same time whether or not there is such a user.
    ///
    /// # Errors
    /// [`LoginError::Refused`], or why it could not be decided.
    pub async fn verify(&self, username: &str, password: Password) -> Result<Account, LoginError> {
        // The table need not take keys that no user can have.
        let found = match UserId::new(username) {
            Ok(user_id) => self.inner.records.get(user_id.as_str()).await.map_err(AccountError::from)?,
            Err(_) => None,
        };
        let record = found.map(|bytes| Record::read(&bytes)).transpose()?;
        let hash = record.as_ref().map(|record| record.password.clone());
        let right = self.inner.hasher.verify(password, hash).await?;
        record.filter(|_| right).map(Record::account).ok_or(LoginError::Refused)
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
        let password = self.inner.hasher.hash(password).await?;
        let record = Record { version: Version1, user_id: user_id.clone(), created_at, password };
        let bytes = serde_json::to_vec(&record).map_err(AccountError::Corrupt)?;
        self.inner.records.put(user_id.as_str(), bytes).await?;
        Ok(record.account())
    }
}

#[cfg(test)]
mod tests;
