//! The adapters against the suites of the ports they implement, on an AWS endpoint.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use std::time::Duration;

use auth_token::ports::{DecryptError, EncryptionContext, TokenCipher as _};
use auth_token_lambda::{DynamoTokens, HttpKeySets, KmsCipher, ManagedSecrets};
use contract_deployment_v1::TOKENS;
use shared_ports::{Clock as _, SystemClock};
use verification_conformance::{key_sets, secrets, tokens};
use verification_test_kit::TestResources;

#[tokio::test]
async fn token_table_conforms() {
    let world = TestResources::new().await;
    let table = world.table(&TOKENS).await;
    let store = DynamoTokens::new(&world.sdk, &table);
    tokens::store(&store, SystemClock.now().ttl_seconds(), "t").await;
    tokens::claims(&store, SystemClock.now().ttl_seconds(), "t").await;
}

#[tokio::test]
async fn cipher_conforms() {
    let world = TestResources::new().await;
    let made = aws_sdk_kms::Client::new(&world.sdk).create_key().send().await.unwrap();
    let key = made.key_metadata.unwrap().key_id;
    tokens::cipher(&KmsCipher::new(&world.sdk, &key)).await;
}

#[tokio::test]
async fn handshakes_of_one_data_key_ask_kms_once() {
    let world = TestResources::new().await;
    let client = aws_sdk_kms::Client::new(&world.sdk);
    let key = client.create_key().send().await.unwrap().key_metadata.unwrap().key_id;
    let cipher = || KmsCipher::new(&world.sdk, &key);
    let (issuer, authorizer, context) = (cipher(), cipher(), EncryptionContext::default());
    let first = issuer.encrypt(b"first", &context).await.unwrap();
    assert_eq!(authorizer.decrypt(&first, &context).await.unwrap(), b"first");
    client.disable_key().key_id(&key).send().await.unwrap();
    // KMS refuses everything now.
    assert!(matches!(cipher().decrypt(&first, &context).await, Err(DecryptError::Unavailable(_))));
    let second = issuer.encrypt(b"second", &context).await.unwrap();
    assert_eq!(authorizer.decrypt(&second, &context).await.unwrap(), b"second");
}

#[tokio::test]
async fn key_sets_conform() {
    key_sets::all(&HttpKeySets::new()).await;
    key_sets::gives_up(&HttpKeySets::with_timeout(Duration::from_millis(50))).await;
}

#[tokio::test]
async fn secrets_conform() {
    let world = TestResources::new().await;
    let client = aws_sdk_secretsmanager::Client::new(&world.sdk);
    let name = format!("{}-secret", world.prefix);
    let rotate = async |value: &str| {
        let put = client.put_secret_value().secret_id(&name).secret_string(value).send().await;
        if put.is_err() {
            client.create_secret().name(&name).secret_string(value).send().await.unwrap();
        }
    };
    secrets::all(&ManagedSecrets::new(&world.sdk), &name, &format!("{name}-unknown"), rotate).await;
}
