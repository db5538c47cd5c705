//! A connect token that is used many times at once.

use futures_util::{StreamExt as _, stream};
use verification_acceptance_aws::Deployment;
use verification_conformance::user;
use verification_test_kit::endpoint;

use crate::alone;

/// Number of handshakes with the same token.
const USES: usize = 100;

/// Number of handshakes at the same time.
///
/// The endpoint starts a process for each, whose start counts towards its time limit. A hundred that start at
/// once on a busy machine use up that limit, also that of the handshake that has taken the token: then no
/// connection opens. The races of more takers are left to the conformance suite of the tokens' table.
const AT_ONCE: usize = 10;

#[tokio::test]
async fn token_opens_one_of_100_connections() {
    let _alone = alone().await;
    // The emulator takes a minute for so many handshakes, and more on a busy machine.
    let deployment = Deployment::with(&endpoint(), &[], &["TIDINGS_TOKEN_LIFETIME_MS=600000"]).await;
    let token = deployment.token(&user("alice")).await;
    let query = format!("token={token}");
    let uses = stream::iter(0..USES).map(|_| deployment.try_open(&query)).buffer_unordered(AT_ONCE);
    let uses: Vec<_> = uses.collect().await;
    assert_eq!(uses.iter().filter(|used| used.is_ok()).count(), 1);
    assert!(deployment.try_open("token=AQICAHh0b2tlbg").await.is_err());
    assert!(deployment.try_open("").await.is_err());
}
