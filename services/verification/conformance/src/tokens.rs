//! Suites of connect tokens: the table of unused tokens and the cipher.

use auth_token::ports::{DecryptError, EncryptionContext, TokenCipher, TokenStore};
use contract_identity_v1::TokenRow;
use contract_notifications_v1::Version1;
use futures_util::future::join_all;

/// Runs the suite of the table. `now_seconds` is a time at which no row has expired, in seconds since the
/// epoch.
pub async fn store<S: TokenStore>(store: &S, now_seconds: u64, prefix: &str) {
    let row =
        |n: u32| TokenRow { version: Version1, token_hash: format!("{prefix}-{n}"), ttl: now_seconds + 30 };
    assert_eq!(store.take(&row(0).token_hash).await.unwrap(), None);
    for n in 0..3 {
        store.put(row(n)).await.unwrap();
    }
    assert_eq!(store.take(&row(1).token_hash).await.unwrap(), Some(row(1)));
    assert_eq!(store.take(&row(1).token_hash).await.unwrap(), None);
    assert_eq!(store.take(&row(0).token_hash).await.unwrap(), Some(row(0)));
    // Exactly one of several concurrent takers gets the row.
    let hash = row(2).token_hash;
    let takers = (0..20).map(|_| store.take(&hash));
    let taken: Vec<_> = join_all(takers).await.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(taken, [row(2)]);
}

/// Runs the suite of the table for signatures that may be used once.
pub async fn claims<S: TokenStore>(store: &S, now_seconds: u64, prefix: &str) {
    let row = |n: u32, ttl: u64| TokenRow {
        version: Version1,
        token_hash: format!("hmac-{prefix}-{n}"),
        ttl: now_seconds + ttl,
    };
    assert!(store.claim(row(0, 300)).await.unwrap());
    // Only the hash counts, and the first row stays unchanged.
    assert!(!store.claim(row(0, 300)).await.unwrap());
    assert!(!store.claim(row(0, 600)).await.unwrap());
    assert!(store.claim(row(1, 300)).await.unwrap());
    // Exactly one of several concurrent claims succeeds.
    let claims = (0..20).map(|_| store.claim(row(2, 300)));
    let won = join_all(claims).await.into_iter().filter(|claimed| *claimed.as_ref().unwrap()).count();
    assert_eq!(won, 1);
    // A claim is not a token.
    assert_eq!(store.take(&format!("{prefix}-0")).await.unwrap(), None);
    assert!(!store.claim(row(0, 300)).await.unwrap());
}

/// Runs the suite of the cipher.
pub async fn cipher<C: TokenCipher>(cipher: &C) {
    let context = EncryptionContext::for_connect_tokens("issuer", "audience");
    for plaintext in [b"x".to_vec(), (0..=255).cycle().take(4_096).collect()] {
        let ciphertext = cipher.encrypt(&plaintext, &context).await.unwrap();
        assert_eq!(cipher.decrypt(&ciphertext, &context).await.unwrap(), plaintext);
        assert_ne!(cipher.encrypt(&plaintext, &context).await.unwrap(), ciphertext);
    }
    let ciphertext = cipher.encrypt(b"secret", &context).await.unwrap();
    assert!(!ciphertext.windows(6).any(|window| window == b"secret"));
    for other in [
        EncryptionContext::for_connect_tokens("issuer", "another audience"),
        EncryptionContext::for_connect_tokens("another issuer", "audience"),
        EncryptionContext::default(),
    ] {
        refused(cipher, &ciphertext, &other).await;
    }
    refused(cipher, b"not a ciphertext", &context).await;
}

/// Checks that the cipher is authenticated: an altered ciphertext is refused. KMS guarantees that, its
/// emulators may not, and the adapter of KMS has no part in it.
pub async fn cipher_is_authenticated<C: TokenCipher>(cipher: &C) {
    let context = EncryptionContext::for_connect_tokens("issuer", "audience");
    let ciphertext = cipher.encrypt(b"secret", &context).await.unwrap();
    for at in 0..ciphertext.len() {
        let mut altered = ciphertext.clone();
        altered[at] ^= 1;
        refused(cipher, &altered, &context).await;
        refused(cipher, &ciphertext[..at], &context).await;
    }
}

async fn refused<C: TokenCipher>(cipher: &C, ciphertext: &[u8], context: &EncryptionContext) {
    let result = cipher.decrypt(ciphertext, context).await;
    assert!(matches!(result, Err(DecryptError::Refused)), "{result:?}");
}
