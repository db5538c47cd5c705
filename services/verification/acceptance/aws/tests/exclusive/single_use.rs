//! A connect token that is used many times at once.

use futures_util::future::join_all;
use verification_acceptance_aws::Deployment;
use verification_conformance::user;
use verification_test_kit::endpoint;

use crate::alone;

#[tokio::test]
async fn token_opens_one_of_100_concurrent_connections() {
    let _alone = alone().await;
    // The emulator takes minutes for so many handshakes.
    let deployment = Deployment::with(&endpoint(), &[], &["TIDINGS_TOKEN_LIFETIME_MS=600000"]).await;
    let token = deployment.token(&user("alice")).await;
    let query = format!("token={token}");
    let uses = join_all((0..100).map(|_| deployment.try_open(&query))).await;
    assert_eq!(uses.iter().filter(|used| used.is_ok()).count(), 1);
    assert!(deployment.try_open("token=AQICAHh0b2tlbg").await.is_err());
    assert!(deployment.try_open("").await.is_err());
}
