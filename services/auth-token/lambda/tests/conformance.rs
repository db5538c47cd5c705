//! The adapters against the suites of the ports they implement, on an AWS endpoint.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use auth_token_lambda::{DynamoTokens, KmsCipher};
use contract_deployment_v1::TOKENS;
use shared_conformance::tokens;
use shared_ports::{Clock as _, SystemClock};
use shared_test_kit::World;

#[tokio::test]
async fn the_tokens_conform() {
    let world = World::new().await;
    let table = world.table(&TOKENS).await;
    tokens::store(&DynamoTokens::new(&world.sdk, &table), SystemClock.now().ttl_seconds(), "t").await;
}

#[tokio::test]
async fn the_cipher_conforms() {
    let world = World::new().await;
    let made = aws_sdk_kms::Client::new(&world.sdk).create_key().send().await.unwrap();
    let key = made.key_metadata.unwrap().key_id;
    tokens::cipher(&KmsCipher::new(&world.sdk, &key)).await;
}
