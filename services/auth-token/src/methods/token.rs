//! Single-use connect tokens: `?token=`, or the subprotocol `token.<token>`, which keeps the token out of
//! logs of URLs.

use contract_identity_v1::{ConnectClaims, Method, Principal};
use contract_notifications_v1::Version1;
use shared_ports::Clock;

use crate::config::AuthorizerConfig;
use crate::core::handshake::Handshake;
use crate::core::jwt::is_jwt;
use crate::core::refusal::Reason;
use crate::core::{claims, token};
use crate::ports::{DecryptError, EncryptionContext, TokenCipher, TokenStore};

/// Where a handshake carries tokens. Where JSON Web Tokens are accepted too, what has their form is theirs: no
/// connect token has it.
pub(crate) fn candidates(handshake: &Handshake, jwt: bool) -> impl Iterator<Item = &str> {
    let query = handshake.query("token").filter(move |token| !(jwt && is_jwt(token)));
    query.chain(handshake.subprotocol("token."))
}

/// Uses the token up, then checks it.
///
/// Its row is taken first: that decides among concurrent uses, and no ciphertext that was never issued
/// reaches the cipher. So a token is used up even when the cipher then can't be asked.
pub(crate) async fn authorize(
    token: &str,
    config: &AuthorizerConfig,
    cipher: &impl TokenCipher,
    store: &impl TokenStore,
    clock: &impl Clock,
) -> Result<Principal, Reason> {
    let ciphertext = token::decode(token).ok_or(Reason::Encoding)?;
    store.take(&token::token_hash(token)).await?.ok_or(Reason::UnknownToken)?;
    let context = EncryptionContext::connect(&config.issuer, &config.audience);
    let plaintext = cipher.decrypt(&ciphertext, &context).await.map_err(|error| match error {
        DecryptError::Refused => Reason::Undecryptable,
        DecryptError::Unavailable(error) => Reason::Unavailable(error),
    })?;
    let claims = claims::check(&plaintext, &config.issuer, &config.audience, clock.now())?;
    let ConnectClaims { sub, username, hubs, .. } = claims;
    Ok(Principal {
        version: Version1,
        user_id: sub,
        username: Some(username).filter(|name| !name.is_empty()),
        method: Method::Token,
        hubs,
        // The token ends with its use; the connection outlives it.
        expires_at: None,
    })
}
