//! Signed headers: `X-Session` says who, `X-Date-Time` when, and `X-Signature` is the HMAC-SHA256 of
//! `{session}:{date-time}` under a shared secret, in lower-case hexadecimal digits.

use contract_identity_v1::{Method, Principal, TokenRow};
use contract_notifications_v1::Version1;
use shared_ports::Clock;

use crate::cached::Cached;
use crate::config::HmacConfig;
use crate::core::credential::agreed;
use crate::core::handshake::Handshake;
use crate::core::refusal::Reason;
use crate::core::signature::{InvalidSignature, Signed, SignedHeaders};
use crate::core::token;
use crate::ports::{SecretVersions, Secrets, TokenStore};

/// Longest value of one of the headers that is looked at, in bytes: twice what the longest good one has.
const MAX_HEADER_BYTES: usize = 256;

/// The signed headers of a handshake: all three or none.
pub(crate) fn find(handshake: &Handshake) -> Result<Option<SignedHeaders<'_>>, Reason> {
    let header = |name| agreed(handshake.header(name).filter(|value| !value.is_empty()), MAX_HEADER_BYTES);
    match (header("x-session")?, header("x-date-time")?, header("x-signature")?) {
        (None, None, None) => Ok(None),
        (Some(session), Some(date_time), Some(signature)) => {
            Ok(Some(SignedHeaders { session, date_time, signature }))
        }
        _ => Err(Reason::Incomplete),
    }
}

/// The secret by which handshakes are signed.
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

    /// Checks the signature, then uses it up: who can't sign leaves no row.
    pub(crate) async fn authorize(
        &self,
        headers: SignedHeaders<'_>,
        secrets: &impl Secrets,
        store: &impl TokenStore,
        clock: &impl Clock,
    ) -> Result<Principal, Reason> {
        let signed = Signed::read(headers, clock.now())?;
        let read = || secrets.read(&self.config.secret);
        let versions = self.secret.get(clock, read).await?;
        if !is_by_any(&signed, &versions) {
            // It may have been rotated since it was read.
            let newer = self.secret.newer(&versions, clock, read).await?;
            if !newer.is_some_and(|versions| is_by_any(&signed, &versions)) {
                return Err(InvalidSignature::Mismatch.into());
            }
        }
        if !self.config.allow_replay {
            let row = TokenRow {
                version: Version1,
                token_hash: token::used_signature(headers.signature),
                // The second in which the signature ends is still its own.
                ttl: signed.good_until.ttl_seconds() + 1,
            };
            if !store.claim(row).await? {
                return Err(InvalidSignature::Replayed.into());
            }
        }
        Ok(Principal {
            version: Version1,
            user_id: signed.user_id,
            username: None,
            method: Method::Hmac,
            hubs: Vec::new(),
            expires_at: None,
        })
    }
}

/// All are tried, so that the time tells nothing of which it was.
fn is_by_any(signed: &Signed, versions: &SecretVersions) -> bool {
    versions.iter().fold(false, |found, secret| signed.is_by(secret) | found)
}
