//! Fakes of the ports, in memory.

pub(crate) mod gateway;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_token::ports::{
    DecryptError, EncryptionContext, KeySets, Revocation, Secret, SecretVersions, Secrets, TokenCipher,
    TokenStore,
};
use auth_token::{Adapters, Ports};
use contract_identity_v1::TokenRow;
use contract_notifications_v1::{Timestamp, UserId};
use sha2::{Digest as _, Sha256};
use shared_ports::{Clock, PortError};

/// A clock that a test sets.
#[derive(Debug, Clone, Default)]
pub(crate) struct TestClock(Arc<AtomicU64>);

impl TestClock {
    pub(crate) fn set(&self, seconds: u64) {
        self.0.store(seconds * 1000, Ordering::SeqCst);
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }
}

/// A cipher that behaves as KMS: random-looking, authenticated, bound to its context. Not secret.
#[derive(Debug, Clone, Default)]
pub(crate) struct TestCipher {
    next_nonce: Arc<AtomicU64>,
    pub(crate) decryptions: Arc<AtomicUsize>,
    pub(crate) down: Arc<AtomicBool>,
}

const NONCE: usize = 8;
const TAG: usize = 32;

fn tag(nonce: &[u8], text: &[u8], context: &EncryptionContext) -> Vec<u8> {
    let mut hash = Sha256::new_with_prefix(nonce);
    for (key, value) in context.iter() {
        hash.update(format!("{}:{key}{}:{value}", key.len(), value.len()));
    }
    hash.update(text);
    hash.finalize().to_vec()
}

fn mask(nonce: &[u8], text: &[u8]) -> Vec<u8> {
    text.iter().zip(Sha256::digest(nonce).iter().cycle()).map(|(a, b)| a ^ b).collect()
}

impl TokenCipher for TestCipher {
    async fn encrypt(&self, plaintext: &[u8], context: &EncryptionContext) -> Result<Vec<u8>, PortError> {
        let nonce = self.next_nonce.fetch_add(1, Ordering::SeqCst).to_be_bytes();
        Ok([nonce.as_slice(), &mask(&nonce, plaintext), &tag(&nonce, plaintext, context)].concat())
    }

    async fn decrypt(&self, ciphertext: &[u8], context: &EncryptionContext) -> Result<Vec<u8>, DecryptError> {
        self.decryptions.fetch_add(1, Ordering::SeqCst);
        if self.down.load(Ordering::SeqCst) {
            return Err(PortError::retryable("decrypting", "down").into());
        }
        if ciphertext.len() < NONCE + TAG {
            return Err(DecryptError::Refused);
        }
        let (nonce, rest) = ciphertext.split_at(NONCE);
        let (masked, found) = rest.split_at(rest.len() - TAG);
        let plaintext = mask(nonce, masked);
        if found == tag(nonce, &plaintext, context) { Ok(plaintext) } else { Err(DecryptError::Refused) }
    }
}

/// A table of tokens. Taking and claiming fail while `down` is set.
#[derive(Debug, Clone, Default)]
pub(crate) struct TestStore {
    pub(crate) rows: Arc<Mutex<HashMap<String, TokenRow>>>,
    pub(crate) takes: Arc<AtomicUsize>,
    pub(crate) down: Arc<AtomicBool>,
    pub(crate) revocations_down: Arc<AtomicBool>,
    /// The revocations of every user, and the ids of revoked tokens.
    pub(crate) revoked: Arc<Mutex<(Revocation, Vec<String>)>>,
}

impl TokenStore for TestStore {
    async fn revocation(&self, _: &UserId, token_id: Option<&str>) -> Result<Revocation, PortError> {
        if self.revocations_down.load(Ordering::SeqCst) {
            return Err(PortError::retryable("reading revocations", "down"));
        }
        let (of_users, tokens) = self.revoked.lock().unwrap().clone();
        let is_revoked = token_id.is_some_and(|id| tokens.iter().any(|revoked| revoked == id));
        let end = is_revoked.then_some(Timestamp::from_millis(u64::MAX));
        Ok(Revocation { token_until: end, ..of_users })
    }

    async fn put(&self, row: TokenRow) -> Result<(), PortError> {
        self.rows.lock().unwrap().insert(row.token_hash.clone(), row);
        Ok(())
    }

    async fn take(&self, token_hash: &str) -> Result<Option<TokenRow>, PortError> {
        self.takes.fetch_add(1, Ordering::SeqCst);
        // Let every other use in flight reach this point.
        tokio::task::yield_now().await;
        if self.down.load(Ordering::SeqCst) {
            return Err(PortError::retryable("taking a token", "down"));
        }
        Ok(self.rows.lock().unwrap().remove(token_hash))
    }

    async fn claim(&self, row: TokenRow) -> Result<bool, PortError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(PortError::retryable("claiming a signature", "down"));
        }
        let mut rows = self.rows.lock().unwrap();
        let is_new = !rows.contains_key(&row.token_hash);
        rows.entry(row.token_hash.clone()).or_insert(row);
        Ok(is_new)
    }
}

/// Documents by URL, and the number of fetches. A fetch waits while `held` is locked.
#[derive(Debug, Clone, Default)]
pub(crate) struct TestKeySets {
    pub(crate) documents: Arc<Mutex<HashMap<String, String>>>,
    pub(crate) fetches: Arc<AtomicUsize>,
    pub(crate) down: Arc<AtomicBool>,
    pub(crate) held: Arc<tokio::sync::Mutex<()>>,
}

impl KeySets for TestKeySets {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, PortError> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        drop(self.held.lock().await);
        let document = self.documents.lock().unwrap().get(url).cloned();
        let document = document.filter(|_| !self.down.load(Ordering::SeqCst));
        document.map(String::into_bytes).ok_or_else(|| PortError::retryable("fetching", "down"))
    }
}

/// Secrets by name, the current value first, and the number of reads.
#[derive(Clone, Default)]
pub(crate) struct TestSecrets {
    pub(crate) values: Arc<Mutex<HashMap<String, Vec<Vec<u8>>>>>,
    pub(crate) reads: Arc<AtomicUsize>,
}

impl fmt::Debug for TestSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TestSecrets")
    }
}

impl TestSecrets {
    pub(crate) fn set(&self, name: &str, values: &[&[u8]]) {
        let values = values.iter().map(|value| value.to_vec()).collect();
        self.values.lock().unwrap().insert(name.to_owned(), values);
    }
}

impl Secrets for TestSecrets {
    async fn read(&self, name: &str) -> Result<SecretVersions, PortError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let values = self.values.lock().unwrap().get(name).cloned().unwrap_or_default();
        let mut values = values.into_iter().map(|value| Secret::new(value).unwrap());
        let current = values.next().ok_or_else(|| PortError::permanent("reading a secret", "none"))?;
        Ok(SecretVersions { current, previous: values.next() })
    }
}

/// The types of these fakes.
#[derive(Debug, Clone)]
pub(crate) struct Fakes;

impl Adapters for Fakes {
    type Cipher = TestCipher;
    type Store = TestStore;
    type KeySets = TestKeySets;
    type Secrets = TestSecrets;
    type Clock = TestClock;
}

/// All ports of an authorizer, in memory. Clones share their state.
pub(crate) type TestPorts = Ports<Fakes>;

/// An authorizer over [`TestPorts`].
pub(crate) type TestAuthorizer = auth_token::Authorizer<Fakes>;
