//! The least length of shared secrets.

use crate::ports::SecretVersions;

/// Smallest length of a shared secret, in bytes: that of the hash
/// (<https://datatracker.ietf.org/doc/html/rfc7518#section-3.2>).
pub const MIN_SECRET_BYTES: usize = 32;

/// A shared secret is short enough to be guessed from what is signed with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret has {bytes} bytes; use at least {MIN_SECRET_BYTES} random bytes (RFC 7518, section 3.2)")]
pub struct ShortSecret {
    /// Its length, in bytes.
    pub bytes: usize,
}

impl SecretVersions {
    /// Checks the length of the current value.
    ///
    /// # Errors
    /// [`ShortSecret`] if it has fewer than [`MIN_SECRET_BYTES`].
    pub fn require_long(&self) -> Result<(), ShortSecret> {
        let bytes = self.current.reveal().len();
        if bytes < MIN_SECRET_BYTES { Err(ShortSecret { bytes }) } else { Ok(()) }
    }

    /// Checks the length of the current value, and drops a previous value that is too short.
    pub(crate) fn into_long(self) -> Result<Self, ShortSecret> {
        self.require_long()?;
        let previous = self.previous.filter(|previous| previous.reveal().len() >= MIN_SECRET_BYTES);
        Ok(Self { previous, ..self })
    }
}
