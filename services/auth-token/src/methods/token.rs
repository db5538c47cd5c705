//! Single-use connect tokens: `?token=`, or the subprotocol `token.<token>`, which keeps the token out of URL
//! logs.

use contract_frames_v1::TOKEN_SUBPROTOCOL;
use contract_identity_v1::{AuthenticationMethod, ConnectClaims, Principal};
use contract_notifications_v1::Version1;
use shared_ports::Clock;

use crate::config::AuthorizerConfig;
use crate::core::handshake::Handshake;
use crate::core::jwt::is_jwt;
use crate::core::refusal::Reason;
use crate::core::{connect_claims, token};
use crate::methods::Proven;
use crate::ports::{DecryptError, EncryptionContext, TokenCipher, TokenStore};

/// Returns the connect tokens in a handshake. If JSON Web Tokens are accepted too, values of their form are
/// left to that method; no connect token has that form.
pub(crate) fn candidates(handshake: &Handshake, accepts_jwt: bool) -> impl Iterator<Item = &str> {
    let query = handshake.query("token").filter(move |token| !(accepts_jwt && is_jwt(token)));
    query.chain(handshake.subprotocol(TOKEN_SUBPROTOCOL))
}

/// Takes the token's row, then verifies the token.
///
/// Taking the row first decides between concurrent uses, and keeps ciphertexts that were never issued from
/// the cipher. The token is used up even if the cipher then fails.
pub(crate) async fn authorize(
    token: &str,
    config: &AuthorizerConfig,
    cipher: &impl TokenCipher,
    store: &impl TokenStore,
    clock: &impl Clock,
) -> Result<Proven, Reason> {
    let ciphertext = token::decode(token).ok_or(Reason::Encoding)?;
    store.take(&token::token_hash(token)).await?.ok_or(Reason::UnknownToken)?;
    let context = EncryptionContext::for_connect_tokens(&config.issuer, &config.audience);
    let plaintext = cipher.decrypt(&ciphertext, &context).await.map_err(|error| match error {
        DecryptError::Refused => Reason::Undecryptable,
        DecryptError::Unavailable(error) => Reason::Unavailable(error),
    })?;
    let claims = connect_claims::check(&plaintext, &config.issuer, &config.audience, clock.now())?;
    let ConnectClaims { sub, username, hubs, iat, jti, source_exp, source_key, source_token, .. } = claims;
    let principal = Principal {
        version: Version1,
        user_id: sub,
        username: Some(username).filter(|name| !name.is_empty()),
        method: AuthenticationMethod::Token,
        hubs,
        // The token is used up. The connection outlives it, but not the credential that asked for it.
        expires_at: source_exp,
        source_key,
        source_token: source_token.clone(),
    };
    // Nobody outside knows the connect token's own id.
    Ok(Proven { principal, issued_at: Some(iat), token_id: Some(source_token.unwrap_or(jti)) })
}
