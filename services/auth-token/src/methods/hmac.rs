//! Signed headers: `X-Session` is the user, `X-Date-Time` the time, and `X-Signature` the HMAC-SHA256 of
//! `{session}:{date-time}` under a shared secret, in lower-case hexadecimal digits.

use contract_identity_v1::{AuthenticationMethod, Principal, TokenRow};
use contract_notifications_v1::Version1;
use shared_ports::Clock;

use crate::cached::Cached;
use crate::config::HmacConfig;
use crate::core::handshake::Handshake;
use crate::core::refusal::Reason;
use crate::core::signature::{InvalidSignature, SignedHeaders, UnverifiedSignature};
use crate::core::single_value::single_value;
use crate::core::token::used_signature_key;
use crate::methods::Proven;
use crate::ports::{SecretVersions, Secrets, TokenStore};

/// Longest accepted value of one of the headers, in bytes: twice the longest valid one.
const MAX_HEADER_BYTES: usize = 256;

/// Returns the signed headers of a handshake, or `None` if it has none of the three.
pub(crate) fn find(handshake: &Handshake) -> Result<Option<SignedHeaders<'_>>, Reason> {
    let header =
        |name| single_value(handshake.header(name).filter(|value| !value.is_empty()), MAX_HEADER_BYTES);
    match (header("x-session")?, header("x-date-time")?, header("x-signature")?) {
        (None, None, None) => Ok(None),
        (Some(session), Some(date_time), Some(signature)) => {
            Ok(Some(SignedHeaders { session, date_time, signature }))
        }
        _ => Err(Reason::Incomplete),
    }
}

/// Verifies signed handshakes with a cached secret.
#[derive(Debug)]
pub(crate) struct Hmac {
    config: HmacConfig,
    secret: Cached<SecretVersions>,
}

impl Hmac {
    pub(crate) fn new(config: HmacConfig) -> Self {
        let secret = Cached::new("reading the secret of signed handshakes", config.cache);
        Self { config, secret }
    }

    /// Verifies the signature, then stores its row, so that it can't be used again. A client that can't sign
    /// causes no row.
    pub(crate) async fn authorize(
        &self,
        headers: SignedHeaders<'_>,
        secrets: &impl Secrets,
        store: &impl TokenStore,
        clock: &impl Clock,
    ) -> Result<Proven, Reason> {
        let signature = UnverifiedSignature::parse(headers, clock.now())?;
        let read = || async {
            let versions = secrets.read(&self.config.secret).await?;
            if let Err(error) = versions.require_long() {
                tracing::warn!(%error, "the secret of signed handshakes can be guessed from one of them");
            }
            Ok(versions)
        };
        let versions = self.secret.get(clock, read).await?;
        if !is_made_with_any(&signature, &versions) {
            // The secret may have been rotated since it was read.
            let newer = self.secret.get_newer_than(&versions, clock, read).await?;
            if !newer.is_some_and(|versions| is_made_with_any(&signature, &versions)) {
                return Err(InvalidSignature::Mismatch.into());
            }
        }
        if !self.config.allow_replay {
            let row = TokenRow {
                version: Version1,
                token_hash: used_signature_key(headers.signature),
                // The signature is still valid in the second in which it expires.
                ttl: signature.valid_until.ttl_seconds() + 1,
            };
            if !store.claim(row).await? {
                return Err(InvalidSignature::Replayed.into());
            }
        }
        let principal = Principal {
            version: Version1,
            user_id: signature.user_id,
            username: None,
            method: AuthenticationMethod::Hmac,
            hubs: Vec::new(),
            expires_at: None,
            source_key: None,
            source_token: None,
        };
        // It is as new as the handshake.
        Ok(Proven { principal, issued_at: Some(clock.now()), token_id: None })
    }
}

/// Returns true if one of the secret's versions made the signature. It tries all of them, so that the time
/// reveals nothing.
fn is_made_with_any(signature: &UnverifiedSignature, versions: &SecretVersions) -> bool {
    versions.iter().fold(false, |found, secret| signature.is_made_with(secret) | found)
}
