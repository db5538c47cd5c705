//! Blocks of users, and revoked credentials.
//!
//! Each is a row of a table, and all are in memory. A row is durable before it counts, and it counts before the caller
//! closes connections. So a handshake that was decided before sees by [`Revocations::changed_since`] that it has to be
//! decided anew.
//!
//! Rows that have ended are removed with the next change. The lock is held for look-ups and single changes.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, RwLock};

use auth_token::ports::Revocation;
use contract_identity_v1::{RevocationRow, revocation_key};
use contract_notifications_v1::{Timestamp, UserId, Version1, written};
use serde::Serialize;
use shared_ports::PortError;
use shared_sync::IgnorePoison as _;

use super::records::Records;

/// Largest number of rows, in about 20 MB.
pub const MAX_REVOCATIONS: usize = 100_000;

/// Longest id of a token, in bytes.
const MAX_TOKEN_ID: usize = 512;

/// A revocation as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RevocationInfo {
    /// The user; absent for a token.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_written")]
    pub user_id: Option<UserId>,
    /// The token's id; absent for a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
    /// True if the user is blocked or the token is refused.
    pub refused: bool,
    /// Time until which the user is blocked or the token is refused; absent if for ever, or not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Time before which the user's credentials must have been issued to be refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<Timestamp>,
}

#[expect(clippy::ref_option, reason = "the form that serde calls")]
fn as_written<S: serde::Serializer>(user: &Option<UserId>, serializer: S) -> Result<S::Ok, S::Error> {
    match user {
        Some(user) => written::user_id(user, serializer),
        None => serializer.serialize_none(),
    }
}

/// Errors of a change.
#[derive(Debug, thiserror::Error)]
pub enum RevocationError {
    /// There are as many rows as there may be.
    #[error("there are {MAX_REVOCATIONS} blocks and revocations already; lift some that are not needed")]
    TooMany,
    /// The id of the token is empty or too long.
    #[error("the id of a token must have 1 to {MAX_TOKEN_ID} bytes")]
    TokenId,
    /// A row can't be read or written.
    #[error("a stored revocation is not readable")]
    Corrupt(#[source] serde_json::Error),
    /// The table failed.
    #[error(transparent)]
    Records(#[from] PortError),
}

/// Blocks and revocations in memory.
#[derive(Default)]
struct State {
    rows: HashMap<String, RevocationRow>,
    /// Changes of users so far.
    version: u64,
    /// The version with which each user changed last.
    changed: HashMap<UserId, u64>,
}

/// The blocks and revocations of a server. Clones share them.
pub struct Revocations<R>(Arc<Inner<R>>);

struct Inner<R> {
    records: R,
    state: RwLock<State>,
    /// Held during a change, so that changes exclude each other.
    changing: tokio::sync::Mutex<()>,
}

impl<R> Clone for Revocations<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R> fmt::Debug for Revocations<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations").finish_non_exhaustive()
    }
}

/// A change of a user's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserChange {
    /// Refuse the user until a time; `None` for ever.
    Block(Option<Timestamp>),
    /// Lift a block.
    Unblock,
    /// Refuse credentials that were issued before a time.
    SignOut(Timestamp),
}

/// Stands for a block without an end.
const FOR_EVER: Timestamp = Timestamp::from_millis(u64::MAX);

impl<R: Records> Revocations<R> {
    /// Opens the table `records`, whose values are `stored`.
    ///
    /// # Errors
    /// [`RevocationError::Corrupt`].
    pub fn open(records: R, stored: &[Vec<u8>]) -> Result<Self, RevocationError> {
        let mut rows = HashMap::new();
        for bytes in stored {
            let row: RevocationRow = serde_json::from_slice(bytes).map_err(RevocationError::Corrupt)?;
            rows.insert(row.token_hash.clone(), row);
        }
        let state = RwLock::new(State { rows, ..State::default() });
        Ok(Self(Arc::new(Inner { records, state, changing: tokio::sync::Mutex::default() })))
    }

    /// Returns what is revoked of a user and of a token.
    pub fn find(&self, user: &UserId, token_id: Option<&str>) -> Revocation {
        let state = self.0.state.read().ignore_poison();
        if state.rows.is_empty() {
            return Revocation::default();
        }
        let of_user = state.rows.get(&revocation_key::of_user(user));
        let of_token = token_id.and_then(|id| state.rows.get(&revocation_key::of_token(id)));
        Revocation {
            blocked_until: of_user.and_then(|row| row.refused_until),
            issued_before: of_user.and_then(|row| row.issued_before),
            token_until: of_token.and_then(|row| row.refused_until),
        }
    }

    /// Returns true if the token with this id is refused at `now`.
    pub fn is_refused(&self, token_id: &str, now: Timestamp) -> bool {
        let state = self.0.state.read().ignore_poison();
        let row = state.rows.get(&revocation_key::of_token(token_id));
        row.and_then(|row| row.refused_until).is_some_and(|until| until > now)
    }

    /// Returns a number that grows with each change of a user.
    pub fn version(&self) -> u64 {
        self.0.state.read().ignore_poison().version
    }

    /// Returns true if a user was blocked or signed out since [`Revocations::version`] returned `version`.
    pub fn changed_since(&self, user: &UserId, version: u64) -> bool {
        let state = self.0.state.read().ignore_poison();
        state.changed.get(user).is_some_and(|changed| *changed > version)
    }

    /// Changes what is revoked of a user. It is durable and counts when this returns.
    ///
    /// # Errors
    /// [`RevocationError`].
    pub async fn change_user(
        &self,
        user: &UserId,
        change: UserChange,
        now: Timestamp,
    ) -> Result<(), RevocationError> {
        let _changing = self.0.changing.lock().await;
        let key = revocation_key::of_user(user);
        let mut row = self.row(&key);
        match change {
            UserChange::Block(until) => row.refused_until = Some(until.unwrap_or(FOR_EVER)),
            UserChange::Unblock => row.refused_until = None,
            UserChange::SignOut(before) => {
                // An earlier sign-out is not undone.
                row.issued_before = row.issued_before.max(Some(before));
            }
        }
        self.store(row, now).await?;
        let mut state = self.0.state.write().ignore_poison();
        state.version += 1;
        let version = state.version;
        state.changed.insert(user.clone(), version);
        Ok(())
    }

    /// Refuses a token by its id until a time, or allows it again.
    ///
    /// # Errors
    /// [`RevocationError`].
    pub async fn change_token(
        &self,
        id: &str,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), RevocationError> {
        if !(1..=MAX_TOKEN_ID).contains(&id.len()) {
            return Err(RevocationError::TokenId);
        }
        let _changing = self.0.changing.lock().await;
        let row = RevocationRow { refused_until: until, ..self.row(&revocation_key::of_token(id)) };
        self.store(row, now).await
    }

    /// Returns all blocks and revocations that count at `now`, in the order of their keys.
    pub fn list(&self, now: Timestamp) -> Vec<RevocationInfo> {
        let state = self.0.state.read().ignore_poison();
        let mut rows: Vec<_> = state.rows.values().filter(|row| counts(row, now)).cloned().collect();
        drop(state);
        rows.sort_unstable_by(|a, b| a.token_hash.cmp(&b.token_hash));
        let info = |row: RevocationRow| {
            let user = row.token_hash.strip_prefix(revocation_key::USER).map(UserId::new);
            let until = row.refused_until.filter(|until| *until > now);
            RevocationInfo {
                user_id: user.and_then(Result::ok),
                token_id: row.token_hash.strip_prefix(revocation_key::TOKEN).map(str::to_owned),
                refused: until.is_some(),
                until: until.filter(|until| *until < FOR_EVER),
                issued_before: row.issued_before,
            }
        };
        rows.into_iter().map(info).collect()
    }

    fn row(&self, key: &str) -> RevocationRow {
        let state = self.0.state.read().ignore_poison();
        state.rows.get(key).cloned().unwrap_or_else(|| RevocationRow {
            version: Version1,
            token_hash: key.to_owned(),
            refused_until: None,
            issued_before: None,
            ttl: None,
        })
    }

    /// Stores a row, or removes it if nothing is left of it, and then lets the change count.
    async fn store(&self, row: RevocationRow, now: Timestamp) -> Result<(), RevocationError> {
        self.remove_ended(now).await?;
        let key = row.token_hash.clone();
        let keep = counts(&row, now);
        let is_full = {
            let state = self.0.state.read().ignore_poison();
            state.rows.len() >= MAX_REVOCATIONS && !state.rows.contains_key(&key)
        };
        if keep && is_full {
            metrics::counter!("tidings_full_tables_total", "table" => "revocations").increment(1);
            return Err(RevocationError::TooMany);
        }
        if keep {
            let bytes = serde_json::to_vec(&row).map_err(RevocationError::Corrupt)?;
            self.0.records.put(&key, bytes).await?;
            self.0.state.write().ignore_poison().rows.insert(key, row);
        } else {
            self.0.records.delete(&key).await?;
            self.0.state.write().ignore_poison().rows.remove(&key);
        }
        Ok(())
    }

    async fn remove_ended(&self, now: Timestamp) -> Result<(), PortError> {
        let ended: Vec<_> = {
            let state = self.0.state.read().ignore_poison();
            state.rows.values().filter(|row| !counts(row, now)).map(|row| row.token_hash.clone()).collect()
        };
        for key in ended {
            self.0.records.delete(&key).await?;
            self.0.state.write().ignore_poison().rows.remove(&key);
        }
        Ok(())
    }
}

/// Returns true if a row refuses anything at `now`.
fn counts(row: &RevocationRow, now: Timestamp) -> bool {
    row.issued_before.is_some() || row.refused_until.is_some_and(|until| until > now)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// A table in memory. Clones share it.
    #[derive(Clone, Default)]
    struct MemoryRecords {
        rows: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
        fails: Arc<AtomicBool>,
    }

    impl Records for MemoryRecords {
        async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, PortError> {
            Ok(self.rows.lock().unwrap().get(key).cloned())
        }

        async fn put(&self, key: &str, value: Vec<u8>) -> Result<(), PortError> {
            if self.fails.load(Ordering::SeqCst) {
                return Err(PortError::retryable("writing a record", "the disk is full"));
            }
            self.rows.lock().unwrap().insert(key.to_owned(), value);
            Ok(())
        }

        async fn delete(&self, key: &str) -> Result<(), PortError> {
            self.rows.lock().unwrap().remove(key);
            Ok(())
        }

        async fn list(&self) -> Result<Vec<Vec<u8>>, PortError> {
            Ok(self.rows.lock().unwrap().values().cloned().collect())
        }
    }

    async fn open(records: &MemoryRecords) -> Revocations<MemoryRecords> {
        Revocations::open(records.clone(), &records.list().await.unwrap()).unwrap()
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    #[tokio::test]
    async fn block_counts_across_restarts_until_it_is_lifted() {
        let records = MemoryRecords::default();
        let first = open(&records).await;
        first.change_user(&user("a b"), UserChange::Block(None), at(1)).await.unwrap();
        first.change_user(&user("c"), UserChange::Block(Some(at(9))), at(1)).await.unwrap();
        let again = open(&records).await;
        for revocations in [&first, &again] {
            assert_eq!(revocations.find(&user("a b"), None).blocked_until, Some(FOR_EVER));
            assert_eq!(revocations.find(&user("c"), None).blocked_until, Some(at(9)));
            assert_eq!(revocations.find(&user("d"), None), Revocation::default());
        }
        let listed = serde_json::to_value(again.list(at(2))).unwrap();
        let expected = serde_json::json!([
            {"userId": "c", "refused": true, "until": 9}, {"userId": "a b", "refused": true},
        ]);
        assert_eq!(listed, expected);
        again.change_user(&user("a b"), UserChange::Unblock, at(9)).await.unwrap();
        assert!(again.list(at(9)).is_empty() && records.rows.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn sign_out_outlives_a_block_and_never_goes_back() {
        let revocations = open(&MemoryRecords::default()).await;
        let zoe = user("zoe");
        for change in [
            UserChange::SignOut(at(20)),
            UserChange::Block(Some(at(30))),
            UserChange::SignOut(at(10)),
            UserChange::Unblock,
        ] {
            revocations.change_user(&zoe, change, at(5)).await.unwrap();
        }
        let expected = Revocation { issued_before: Some(at(20)), ..Revocation::default() };
        assert_eq!(revocations.find(&zoe, None), expected);
    }

    #[tokio::test]
    async fn token_is_refused_by_its_id() {
        let revocations = open(&MemoryRecords::default()).await;
        revocations.change_token("j1", Some(at(50)), at(5)).await.unwrap();
        let token_until = |id| revocations.find(&user("zoe"), Some(id)).token_until;
        assert_eq!((token_until("j1"), token_until("j2")), (Some(at(50)), None));
        for id in ["", &"x".repeat(513)] {
            let refused = revocations.change_token(id, Some(at(50)), at(5)).await;
            assert!(matches!(refused, Err(RevocationError::TokenId)));
        }
    }

    #[tokio::test]
    async fn full_table_takes_no_block_until_one_ends() {
        let records = MemoryRecords::default();
        let row = |number: usize| RevocationRow {
            version: Version1,
            token_hash: format!("row-{number}"),
            refused_until: Some(at(if number == 0 { 9 } else { 90 })),
            issued_before: None,
            ttl: None,
        };
        let rows: Vec<_> =
            (0..MAX_REVOCATIONS).map(|number| serde_json::to_vec(&row(number)).unwrap()).collect();
        let revocations = Revocations::open(records, &rows).unwrap();
        let zoe = user("zoe");
        let block = UserChange::Block(Some(at(80)));
        let refused = revocations.change_user(&zoe, block, at(8)).await;
        assert!(matches!(refused, Err(RevocationError::TooMany)));
        assert_eq!(revocations.find(&zoe, None), Revocation::default());
        revocations.change_user(&zoe, block, at(9)).await.unwrap();
        assert_eq!(revocations.find(&zoe, None).blocked_until, Some(at(80)));
    }

    #[tokio::test]
    async fn change_of_a_user_is_seen_by_handshakes_of_that_user_alone() {
        let records = MemoryRecords::default();
        let revocations = open(&records).await;
        let before = revocations.version();
        revocations.change_user(&user("zoe"), UserChange::Block(None), at(1)).await.unwrap();
        assert!(revocations.changed_since(&user("zoe"), before));
        assert!(!revocations.changed_since(&user("ada"), before));
        assert!(!revocations.changed_since(&user("zoe"), revocations.version()));
        // A change that is not durable does not count.
        records.fails.store(true, Ordering::SeqCst);
        assert!(revocations.change_user(&user("ada"), UserChange::Block(None), at(1)).await.is_err());
        assert_eq!(revocations.find(&user("ada"), None), Revocation::default());
    }
}
