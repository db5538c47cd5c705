//! Checks the headers of a signed handshake: session, time and signature.

use std::fmt;
use std::time::Duration;

use contract_notifications_v1::{InvalidIdentifier, Timestamp, UserId};
use ring::hmac;

use super::date_time;
use crate::ports::Secret;

/// Largest difference between a signature's time and the gateway's, in either direction.
pub const SIGNATURE_WINDOW: Duration = Duration::from_mins(5);

/// The three headers. `Debug` shows no values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SignedHeaders<'a> {
    pub(crate) session: &'a str,
    pub(crate) date_time: &'a str,
    pub(crate) signature: &'a str,
}

impl fmt::Debug for SignedHeaders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedHeaders").finish_non_exhaustive()
    }
}

/// Reasons for refusing signed headers. They contain no part of the headers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSignature {
    /// The session is not a legal user id.
    #[error("the session is not a user id: {0}")]
    Session(InvalidIdentifier),
    /// The time does not have an accepted form.
    #[error("the date-time is not of the form 2026-01-02T03:04:05.678Z")]
    DateTime,
    /// The signature is too old.
    #[error("it was signed {seconds} s ago; allowed are at most {}", SIGNATURE_WINDOW.as_secs())]
    Stale {
        /// Age of the signature, in seconds.
        seconds: u64,
    },
    /// The signature's time is in the future.
    #[error("its time is {seconds} s in the future; allowed are at most {}", SIGNATURE_WINDOW.as_secs())]
    Future {
        /// Time from now to the signature's time, in seconds.
        seconds: u64,
    },
    /// The signature is not 64 lower-case hexadecimal digits.
    #[error("the signature is not 64 lower-case hexadecimal digits")]
    Form,
    /// Another secret signed the headers, or they were altered.
    #[error("the signature does not match the headers")]
    Mismatch,
    /// The signature was accepted before.
    #[error("the signature was used before")]
    Replayed,
}

impl InvalidSignature {
    /// Returns a short fixed name, the label in metrics.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::Session(_) => "hmac-session",
            Self::DateTime => "hmac-date-time",
            Self::Stale { .. } => "hmac-stale",
            Self::Future { .. } => "hmac-future",
            Self::Form => "hmac-form",
            Self::Mismatch => "hmac-mismatch",
            Self::Replayed => "hmac-replayed",
        }
    }
}

/// Headers with a valid form and time. The signature is not verified yet.
pub(crate) struct UnverifiedSignature {
    pub(crate) user_id: UserId,
    /// Last time at which the signature is valid.
    pub(crate) valid_until: Timestamp,
    message: String,
    signature: [u8; 32],
}

impl UnverifiedSignature {
    /// Parses the headers and checks their time.
    ///
    /// The signed message `{session}:{date-time}` is unambiguous although both parts may have colons: the
    /// text after a colon of a date-time is too short to be a date-time.
    pub(crate) fn parse(headers: SignedHeaders<'_>, now: Timestamp) -> Result<Self, InvalidSignature> {
        let SignedHeaders { session, date_time, signature } = headers;
        let user_id = UserId::new(session).map_err(InvalidSignature::Session)?;
        let signed_at = date_time::parse(date_time).ok_or(InvalidSignature::DateTime)?;
        let valid_until = signed_at.plus(SIGNATURE_WINDOW);
        if now > valid_until {
            return Err(InvalidSignature::Stale { seconds: now.since(signed_at).as_secs() });
        }
        if signed_at > now.plus(SIGNATURE_WINDOW) {
            return Err(InvalidSignature::Future { seconds: signed_at.since(now).as_secs() });
        }
        let mut bytes = [0; 32];
        let is_lower_hex = signature.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_lower_hex || hex::decode_to_slice(signature, &mut bytes).is_err() {
            return Err(InvalidSignature::Form);
        }
        Ok(Self { user_id, valid_until, message: format!("{session}:{date_time}"), signature: bytes })
    }

    /// Returns true if this secret made the signature. Compares in constant time.
    pub(crate) fn is_made_with(&self, secret: &Secret) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal());
        hmac::verify(&key, self.message.as_bytes(), &self.signature).is_ok()
    }
}
