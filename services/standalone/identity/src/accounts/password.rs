//! Passwords, and which are refused for new accounts.

use std::fmt;

use serde::Deserialize;
use zeroize::Zeroizing;

/// Number of guesses from which on a new password is accepted: enough to refuse the 30,000 most common ones, with the
/// usual changes of letters. Throttled guesses at one account from one address are 10 in five minutes.
const MIN_GUESSES: u64 = 100_000;
/// Number of characters that are looked at; a longer password is not a common one.
const ESTIMATED_CHARACTERS: usize = 64;

/// A password. It is wiped when dropped, and `Debug` does not show it.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Password(pub(super) Zeroizing<String>);

/// Reasons for refusing a password. They contain nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPassword {
    /// The password is too short or too long.
    #[error("a password must have {} to {} bytes", Password::MIN_BYTES, Password::MAX_BYTES)]
    Length,
    /// The password is among those that are guessed first.
    #[error(
        "this password is too common: it is a well-known one, or nearly one, or made of the user's name; choose another, \
         such as several words"
    )]
    Common,
}

impl Password {
    /// Smallest number of bytes.
    pub const MIN_BYTES: usize = 8;
    /// Largest number of bytes.
    pub const MAX_BYTES: usize = 1024;

    /// Checks the length of a password.
    ///
    /// # Errors
    /// [`InvalidPassword::Length`] unless it has [`Self::MIN_BYTES`] to [`Self::MAX_BYTES`] bytes.
    pub fn new(text: String) -> Result<Self, InvalidPassword> {
        let text = Zeroizing::new(text);
        if (Self::MIN_BYTES..=Self::MAX_BYTES).contains(&text.len()) {
            Ok(Self(text))
        } else {
            Err(InvalidPassword::Length)
        }
    }

    /// Checks a password that somebody has chosen for an account of this name. Takes up to some milliseconds.
    ///
    /// # Errors
    /// [`InvalidPassword`] if it has another length, or is one that is guessed first.
    pub fn chosen(text: String, username: &str) -> Result<Self, InvalidPassword> {
        let password = Self::new(text)?;
        let start: Zeroizing<String> =
            Zeroizing::new(password.0.chars().take(ESTIMATED_CHARACTERS).collect());
        if zxcvbn::zxcvbn(&start, &[username, "tidings"]).guesses() < MIN_GUESSES {
            return Err(InvalidPassword::Common);
        }
        Ok(password)
    }
}

impl TryFrom<String> for Password {
    type Error = InvalidPassword;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_passwords_are_refused_for_new_accounts() {
        let chosen = |text: &str| Password::chosen(text.to_owned(), "zoe-miller").map(drop);
        for common in
            ["password", "Passw0rd", "12345678", "qwertyuiop", "iloveyou1", "zoe-miller", "aaaaaaaaaa"]
        {
            assert_eq!(chosen(common), Err(InvalidPassword::Common), "{common}");
        }
        for good in ["correct horse", "long enough", "Tr0ub4dour&3", "x7#kQp2!", &"x y".repeat(300)] {
            assert_eq!(chosen(good), Ok(()), "{good}");
        }
        assert_eq!(chosen("short"), Err(InvalidPassword::Length));
    }
}
