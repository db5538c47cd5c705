//! Signed handshakes: who signed, when, and whether it is so.

use std::fmt;
use std::time::Duration;

use contract_notifications_v1::{Timestamp, UserId};
use ring::hmac;

use super::date_time;
use crate::ports::Secret;

/// How far a signature's time may be from ours, either way.
pub const SIGNATURE_WINDOW: Duration = Duration::from_mins(5);

/// The three headers. Its `Debug` shows nothing of them.
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

/// Why signed headers prove nothing. Shows nothing of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSignature {
    /// The session can't be a user.
    #[error("the session is no user id")]
    Session,
    /// The time is of no form that is read.
    #[error("the date-time is not of the form 2026-01-02T03:04:05.678Z")]
    DateTime,
    /// Signed too long ago.
    #[error("it was signed {seconds} s ago; allowed are {}", SIGNATURE_WINDOW.as_secs())]
    Stale {
        /// How long ago.
        seconds: u64,
    },
    /// Signed in the future.
    #[error("it is signed {seconds} s ahead; allowed are {}", SIGNATURE_WINDOW.as_secs())]
    Future {
        /// How far ahead.
        seconds: u64,
    },
    /// Not 64 lower-case hexadecimal digits.
    #[error("the signature is not 64 lower-case hexadecimal digits")]
    Form,
    /// Another secret signed it, or it was altered.
    #[error("the signature is another one")]
    Mismatch,
    /// Accepted before.
    #[error("the signature was used before")]
    Replayed,
}

impl InvalidSignature {
    /// A short fixed word for it, as a metric's label.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Session => "hmac-session",
            Self::DateTime => "hmac-date-time",
            Self::Stale { .. } => "hmac-stale",
            Self::Future { .. } => "hmac-future",
            Self::Form => "hmac-form",
            Self::Mismatch => "hmac-mismatch",
            Self::Replayed => "hmac-replayed",
        }
    }
}

/// Headers of the right form and time, whose signature is not yet checked.
pub(crate) struct Signed {
    pub(crate) user_id: UserId,
    /// Until when the signature would be good.
    pub(crate) good_until: Timestamp,
    message: String,
    signature: [u8; 32],
}

impl Signed {
    /// Reads the headers.
    ///
    /// A message `{session}:{date-time}` has one reading although a session may have colons: what follows a
    /// colon within a date-time is too short to be one.
    pub(crate) fn read(headers: SignedHeaders<'_>, now: Timestamp) -> Result<Self, InvalidSignature> {
        let SignedHeaders { session, date_time, signature } = headers;
        let user_id = UserId::new(session).map_err(|_| InvalidSignature::Session)?;
        let signed_at = date_time::parse(date_time).ok_or(InvalidSignature::DateTime)?;
        let good_until = signed_at.plus(SIGNATURE_WINDOW);
        if now > good_until {
            return Err(InvalidSignature::Stale { seconds: now.since(signed_at).as_secs() });
        }
        if signed_at > now.plus(SIGNATURE_WINDOW) {
            return Err(InvalidSignature::Future { seconds: signed_at.since(now).as_secs() });
        }
        let mut bytes = [0; 32];
        let lower = signature.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !lower || hex::decode_to_slice(signature, &mut bytes).is_err() {
            return Err(InvalidSignature::Form);
        }
        Ok(Self { user_id, good_until, message: format!("{session}:{date_time}"), signature: bytes })
    }

    /// Whether this secret signed; takes the same time whatever the signature is.
    pub(crate) fn is_by(&self, secret: &Secret) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal());
        hmac::verify(&key, self.message.as_bytes(), &self.signature).is_ok()
    }
}
