//! Checks a credential against what was revoked.

use contract_notifications_v1::Timestamp;

use crate::ports::Revocation;

/// Reasons for refusing a credential that is valid but for a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Revoked {
    /// The user is blocked.
    #[error("the user is blocked")]
    Blocked,
    /// The credential was issued before the user's credentials were revoked, or does not say when.
    #[error("the credential was issued before the user was signed out")]
    SignedOut,
    /// The token itself is revoked.
    #[error("the token is revoked")]
    Token,
}

/// Checks a credential that was issued at `issued_at`, if it says so.
pub(crate) fn check(
    revocation: &Revocation,
    issued_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), Revoked> {
    let Revocation { blocked_until, issued_before, token_until } = *revocation;
    if blocked_until.is_some_and(|until| now < until) {
        return Err(Revoked::Blocked);
    }
    if token_until.is_some_and(|until| now < until) {
        return Err(Revoked::Token);
    }
    match issued_before {
        Some(before) if issued_at.is_none_or(|issued_at| issued_at < before) => Err(Revoked::SignedOut),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn block_and_revoked_token_end_at_their_times() {
        let blocked = Revocation { blocked_until: Some(at(10)), ..Revocation::default() };
        assert_eq!(check(&blocked, Some(at(9)), at(9)), Err(Revoked::Blocked));
        assert_eq!(check(&blocked, None, at(10)), Ok(()));
        let token = Revocation { token_until: Some(at(10)), ..Revocation::default() };
        assert_eq!(check(&token, Some(at(9)), at(9)), Err(Revoked::Token));
        assert_eq!(check(&token, Some(at(9)), at(10)), Ok(()));
        assert_eq!(check(&Revocation::default(), None, at(0)), Ok(()));
    }

    #[test]
    fn credential_of_before_or_without_a_time_is_refused() {
        let signed_out = Revocation { issued_before: Some(at(10)), ..Revocation::default() };
        for issued_at in [None, Some(at(9))] {
            assert_eq!(check(&signed_out, issued_at, at(99)), Err(Revoked::SignedOut));
        }
        assert_eq!(check(&signed_out, Some(at(10)), at(99)), Ok(()));
    }
}
