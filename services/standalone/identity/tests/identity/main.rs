//! Conformance of the ports' adapters, and connect tokens across a restart.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod connect_token;

use std::time::Duration;

use shared_ports::Clock as _;
use tidings_identity::cipher::LocalCipher;
use tidings_identity::key_sets::HttpKeySets;
use tidings_identity::secrets::Key256;
use tidings_identity::shared_secrets::LocalSecrets;
use tidings_identity::single_use::SingleUseTokens;
use tidings_identity::tokens::MemoryTokens;
use tidings_store::{StorageSettings, Store};
use verification_conformance::{ManualClock, key_sets, secrets, tokens};

#[tokio::test]
async fn tokens_conform() {
    let clock = ManualClock::default();
    let memory = MemoryTokens::new(100, clock.clone());
    tokens::store(&memory, clock.now().ttl_seconds(), "t").await;
    tokens::claims(&memory, clock.now().ttl_seconds(), "t").await;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), StorageSettings::default(), clock.clone()).unwrap();
    let local = SingleUseTokens::open(memory, store.table("used"), clock.clone()).unwrap();
    tokens::store(&local, clock.now().ttl_seconds(), "l").await;
    tokens::claims(&local, clock.now().ttl_seconds(), "l").await;
    let cipher = LocalCipher::new(&Key256::from_bytes([7; 32]));
    tokens::cipher(&cipher).await;
    tokens::cipher_is_authenticated(&cipher).await;
}

#[tokio::test]
async fn key_sets_conform() {
    key_sets::all(&HttpKeySets::default()).await;
    key_sets::gives_up(&HttpKeySets::with_timeout(Duration::from_millis(50))).await;
}

#[tokio::test]
async fn secrets_conform() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    let rotate = async |value: &str| {
        let former = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(&path, format!("{value}\n{former}")).unwrap();
    };
    secrets::all(&LocalSecrets, path.to_str().unwrap(), "/nowhere/secret", rotate).await;
}
