//! Keys in memory.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::secrets::ApiKey;
use tidings_budget::Allowance;

/// A table in memory. Clones share it.
#[derive(Clone, Default)]
struct MemoryRecords {
    rows: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    fails: Arc<AtomicBool>,
}

impl MemoryRecords {
    fn check(&self) -> Result<(), PortError> {
        let fails = self.fails.load(Ordering::SeqCst);
        if fails { Err(PortError::retryable("writing a record", "the disk is full")) } else { Ok(()) }
    }

    fn text(&self) -> String {
        let rows = self.rows.lock().unwrap();
        rows.values().map(|row| String::from_utf8(row.clone()).unwrap()).collect()
    }
}

impl Records for MemoryRecords {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, PortError> {
        Ok(self.rows.lock().unwrap().get(key).cloned())
    }

    async fn put(&self, key: &str, value: Vec<u8>) -> Result<(), PortError> {
        self.check()?;
        self.rows.lock().unwrap().insert(key.to_owned(), value);
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        self.check()?;
        self.rows.lock().unwrap().remove(key);
        Ok(())
    }

    async fn list(&self) -> Result<Vec<Vec<u8>>, PortError> {
        Ok(self.rows.lock().unwrap().values().cloned().collect())
    }
}

/// The tables, which survive a restart.
struct Server {
    records: MemoryRecords,
    uses: MemoryRecords,
    api_key: ApiKey,
    access_key: AccessKey,
    defaults: Limits,
}

impl Server {
    fn new() -> Self {
        Self {
            records: MemoryRecords::default(),
            uses: MemoryRecords::default(),
            api_key: ApiKey::generate().unwrap(),
            access_key: AccessKey::generate().unwrap(),
            defaults: Limits::default(),
        }
    }

    async fn open(&self) -> Keys<MemoryRecords> {
        self.open_sealed_with([9; 32]).await
    }

    async fn open_sealed_with(&self, sealing_key: [u8; 32]) -> Keys<MemoryRecords> {
        let config = KeysConfig {
            api_key: self.api_key.clone(),
            access_key: self.access_key.clone(),
            sealing_key: Key256::from_bytes(sealing_key),
            defaults: self.defaults,
        };
        let (records, uses) = (self.records.clone(), self.uses.clone());
        let stored = StoredKeys { keys: records.list().await.unwrap(), uses: uses.list().await.unwrap() };
        Keys::open(records, uses, &stored, config, Moment::default()).unwrap()
    }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn name(text: &str) -> KeyName {
    KeyName::new(text).unwrap()
}

#[test]
fn names_are_parts_of_a_path() {
    for good in ["ci", "a.b", "...", "x".repeat(64).as_str()] {
        assert_eq!(name(good).as_str(), good);
    }
    for bad in ["", ".", "..", "a/b", "a b", "x".repeat(65).as_str()] {
        assert!(KeyName::new(bad).is_err(), "{bad:?}");
    }
}

fn new(key: &str, scope: &str) -> NewKey {
    NewKey {
        name: name(key),
        scopes: Scopes::try_from(vec![scope.parse().unwrap()]).unwrap(),
        limits: Limits::default(),
        expires_at: None,
        signs: false,
    }
}

async fn add(keys: &Keys<MemoryRecords>, new: NewKey) -> NewSecrets {
    keys.add(new, at(1), Moment::default()).await.unwrap()
}

fn holder(keys: &Keys<MemoryRecords>, secret: &ApiKey, now: Timestamp) -> Result<String, KeyRefusal> {
    keys.authenticate(secret.reveal(), now).map(|key| key.name().to_string())
}

#[tokio::test]
async fn each_key_is_found_by_its_secret_across_restarts() {
    let server = Server::new();
    let keys = server.open().await;
    let ci = add(&keys, new("ci", "send")).await;
    for keys in [keys, server.open().await] {
        assert_eq!(holder(&keys, &ci.api_key, at(2)).unwrap(), "ci");
        assert_eq!(holder(&keys, &server.api_key, at(2)).unwrap(), KeyName::FIRST);
        assert_eq!(holder(&keys, &ApiKey::generate().unwrap(), at(2)), Err(KeyRefusal::Unknown));
        assert_eq!(keys.authenticate("", at(2)).err(), Some(KeyRefusal::Unknown));
        let key = keys.authenticate(ci.api_key.reveal(), at(2)).unwrap();
        assert!(key.scopes().allow(Access::Send) && !key.scopes().allow(Access::Read));
    }
}

#[tokio::test]
async fn stored_key_has_no_secret() {
    let server = Server::new();
    let keys = server.open().await;
    let secrets = add(&keys, NewKey { signs: true, ..new("ci", "send") }).await;
    let pair = secrets.access_key.clone().unwrap();
    let stored = server.records.text();
    assert!(stored.contains(pair.id().as_str()), "{stored}");
    for secret in [secrets.api_key.reveal(), pair.reveal()] {
        assert!(!stored.contains(secret) && !stored.contains(&secret[8..]), "{stored}");
    }
    let found = server.open().await.access_key(pair.id().as_str(), at(2)).unwrap();
    assert_eq!((found.0.name().as_str(), found.1.reveal()), ("ci", pair.reveal()));
    // A copy of the table alone verifies no signature.
    let stranger = server.open_sealed_with([8; 32]).await;
    assert_eq!(stranger.access_key(pair.id().as_str(), at(2)).err(), Some(KeyRefusal::Unknown));
}

#[tokio::test]
async fn key_is_refused_from_its_expiry_on() {
    let keys = Server::new().open().await;
    let brief = NewKey { expires_at: Some(at(10)), signs: true, ..new("brief", "send") };
    let secrets = add(&keys, brief.clone()).await;
    assert!(holder(&keys, &secrets.api_key, Timestamp::from_millis(9_999)).is_ok());
    let expired = Err(KeyRefusal::Expired { name: name("brief") });
    assert_eq!(holder(&keys, &secrets.api_key, at(10)), expired);
    let id = secrets.access_key.unwrap();
    assert_eq!(keys.access_key(id.id().as_str(), at(10)).map(drop), expired.map(drop));
    let again = keys.add(NewKey { name: name("late"), ..brief }, at(10), Moment::default()).await;
    assert!(matches!(again, Err(KeyError::Past)));
}

#[tokio::test]
async fn rotation_lets_both_secrets_count_for_a_while() {
    let server = Server::new();
    let keys = server.open().await;
    let old = add(&keys, NewKey { signs: true, ..new("ci", "send") }).await;
    let new = keys.rotate(&name("ci"), Duration::from_mins(1), at(100)).await.unwrap();
    assert_eq!(keys.list()[1].older_secrets_until, Some(at(160)));
    for keys in [keys, server.open().await] {
        for (now, expected) in [(at(159), true), (at(160), false)] {
            assert_eq!(holder(&keys, &old.api_key, now).is_ok(), expected);
            let old = old.access_key.as_ref().unwrap();
            assert_eq!(keys.access_key(old.id().as_str(), now).is_ok(), expected);
            assert!(holder(&keys, &new.api_key, now).is_ok());
            assert!(keys.access_key(new.access_key.as_ref().unwrap().id().as_str(), now).is_ok());
        }
    }
}

#[tokio::test]
async fn rotation_without_overlap_ends_the_older_secret() {
    let keys = Server::new().open().await;
    let mut secrets = vec![add(&keys, new("ci", "send")).await];
    for n in 0..6 {
        secrets.push(keys.rotate(&name("ci"), Duration::from_mins(5), at(100 + n)).await.unwrap());
    }
    // The oldest are gone although their overlap lasts.
    let live = |keys: &Keys<_>| {
        secrets.iter().map(|s| holder(keys, &s.api_key, at(107)).is_ok()).collect::<Vec<_>>()
    };
    assert_eq!(live(&keys), [false, false, false, true, true, true, true]);
    keys.rotate(&name("ci"), Duration::ZERO, at(107)).await.unwrap();
    assert_eq!(live(&keys), [false; 7]);
}

#[tokio::test]
async fn revoked_key_is_refused_at_once_and_after_a_restart() {
    let server = Server::new();
    let keys = server.open().await;
    let (ci, other) = (add(&keys, new("ci", "send")).await, add(&keys, new("other", "send")).await);
    keys.revoke(&name("ci")).await.unwrap();
    for keys in [keys, server.open().await] {
        assert_eq!(holder(&keys, &ci.api_key, at(2)), Err(KeyRefusal::Unknown));
        assert!(holder(&keys, &other.api_key, at(2)).is_ok());
        assert!(matches!(keys.revoke(&name("ci")).await, Err(KeyError::NoSuchKey { .. })));
    }
}

#[tokio::test]
async fn first_key_is_changed_in_its_file_only() {
    let keys = Server::new().open().await;
    let first = name(KeyName::FIRST);
    assert!(matches!(keys.revoke(&first).await, Err(KeyError::First)));
    assert!(matches!(keys.rotate(&first, Duration::ZERO, at(1)).await, Err(KeyError::First)));
    let taken = keys.add(new(KeyName::FIRST, "send"), at(1), Moment::default()).await;
    assert!(matches!(taken, Err(KeyError::Exists { .. })));
    assert_eq!(keys.list()[0].scopes.to_string(), "admin");
}

#[tokio::test]
async fn failed_change_leaves_the_keys_as_they_were() {
    let server = Server::new();
    let keys = server.open().await;
    let ci = add(&keys, new("ci", "send")).await;
    server.records.fails.store(true, Ordering::SeqCst);
    assert!(keys.add(new("other", "send"), at(1), Moment::default()).await.is_err());
    assert!(keys.rotate(&name("ci"), Duration::ZERO, at(1)).await.is_err());
    assert!(keys.revoke(&name("ci")).await.is_err());
    assert!(holder(&keys, &ci.api_key, at(2)).is_ok());
    assert_eq!(keys.list().len(), 2);
}

#[tokio::test]
async fn last_use_is_kept_to_the_second() {
    let server = Server::new();
    let keys = server.open().await;
    let ci = add(&keys, new("ci", "send")).await;
    assert_eq!(keys.list()[1].last_used_at, None);
    holder(&keys, &ci.api_key, Timestamp::from_millis(5_900)).unwrap();
    assert_eq!(keys.list()[1].last_used_at, Some(at(5)));
    keys.store_uses().await.unwrap();
    let written = server.uses.text();
    keys.store_uses().await.unwrap();
    assert_eq!(server.uses.text(), written);
    assert_eq!(server.open().await.list()[1].last_used_at, Some(at(5)));
}

#[tokio::test]
async fn key_over_its_budget_takes_nothing_from_another() {
    let mut server = Server::new();
    let allow = |most| Some(Allowance::new(most, Duration::from_secs(1)).unwrap());
    server.defaults = Limits { rate: allow(5), bytes: None };
    let keys = server.open().await;
    let limits = Limits { rate: allow(100), bytes: allow(1_000) };
    let (greedy, modest) = (
        add(&keys, NewKey { limits, ..new("greedy", "send") }).await,
        add(&keys, new("modest", "send")).await,
    );
    let now = Moment::from_millis(10);
    let greedy = keys.authenticate(greedy.api_key.reveal(), at(2)).unwrap();
    let accepted = (0..1_000).filter(|_| greedy.take(1, 100, now).is_ok()).count();
    assert_eq!(accepted, 10);
    let over = greedy.take(1, 100, now).unwrap_err();
    assert_eq!((over.unit, over.wait), ("bytes of payload", Duration::from_millis(100)));
    assert!(over.to_string().contains("\"greedy\""), "{over}");
    // Refused bytes took no notifications: 90 of them are left.
    assert!(greedy.take(90, 0, now).is_ok() && greedy.take(1, 0, now).is_err());
    // The other has the default, and all of it.
    let modest = keys.authenticate(modest.api_key.reveal(), at(2)).unwrap();
    assert_eq!((0..9).filter(|_| modest.take(1, 1, now).is_ok()).count(), 5);
    // The first key has no limits.
    let first = keys.authenticate(server.api_key.reveal(), at(2)).unwrap();
    assert!((0..1_000).all(|_| first.take(1_000, 1_000_000, now).is_ok()));
}

#[test]
fn key_name_has_few_characters() {
    for legal in ["a", "ci-1.main_2", &"x".repeat(64)] {
        assert!(KeyName::new(legal).is_ok(), "{legal}");
    }
    for wrong in ["", "two words", "a/b", "é", &"x".repeat(65)] {
        assert!(KeyName::new(wrong).unwrap_err().to_string().contains("1 to 64"), "{wrong}");
    }
}
