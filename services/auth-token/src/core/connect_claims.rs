//! Checks the claims of a connect token.

use contract_identity_v1::ConnectClaims;
use contract_notifications_v1::{Timestamp, UnknownVersion, Version1};
use serde::Deserialize;

/// Reasons for refusing the claims of a connect token.
#[derive(Debug, thiserror::Error)]
pub enum InvalidClaims {
    /// The plaintext is not the JSON of claims.
    #[error("the claims are not of the expected form")]
    Form(#[source] serde_json::Error),
    /// The claims have another version of the contract.
    #[error(transparent)]
    Version(#[from] UnknownVersion),
    /// Another issuer issued the token.
    #[error("the claims have another issuer")]
    Issuer,
    /// The token is for another gateway.
    #[error("the claims are for another audience")]
    Audience,
    /// The token has expired.
    #[error("the claims expired {by_millis} ms ago")]
    Expired {
        /// Time since the expiry, in milliseconds.
        by_millis: u64,
    },
}

/// Parses a token's plaintext and checks the claims. They expire at the millisecond of `exp`.
pub(crate) fn check(
    plaintext: &[u8],
    issuer: &str,
    audience: &str,
    now: Timestamp,
) -> Result<ConnectClaims, InvalidClaims> {
    // The version is read first, because another version may have other fields.
    #[derive(Deserialize)]
    struct VersionField {
        version: u32,
    }
    let field: VersionField = serde_json::from_slice(plaintext).map_err(InvalidClaims::Form)?;
    Version1::try_from(field.version)?;
    let claims: ConnectClaims = serde_json::from_slice(plaintext).map_err(InvalidClaims::Form)?;
    if claims.iss != issuer {
        return Err(InvalidClaims::Issuer);
    }
    if claims.aud != audience {
        return Err(InvalidClaims::Audience);
    }
    if now >= claims.exp {
        return Err(InvalidClaims::Expired { by_millis: now.millis() - claims.exp.millis() });
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIMS: &str =
        r#"{"version":1,"iss":"i","aud":"a","sub":"u","username":"U","iat":0,"exp":30,"jti":"j"}"#;

    fn at(text: &str, now: u64) -> Result<ConnectClaims, InvalidClaims> {
        check(text.as_bytes(), "i", "a", Timestamp::from_millis(now))
    }

    #[test]
    fn claims_are_valid_until_the_last_millisecond() {
        assert_eq!(at(CLAIMS, 29).unwrap().sub.as_str(), "u");
        assert!(matches!(at(CLAIMS, 30), Err(InvalidClaims::Expired { by_millis: 0 })));
        assert!(matches!(at(CLAIMS, 35), Err(InvalidClaims::Expired { by_millis: 5 })));
    }

    #[test]
    fn each_invalid_claim_has_its_error() {
        let claims = |from, to| at(&CLAIMS.replace(from, to), 0).unwrap_err();
        assert!(matches!(claims(r#""iss":"i""#, r#""iss":"x""#), InvalidClaims::Issuer));
        assert!(matches!(claims(r#""aud":"a""#, r#""aud":"x""#), InvalidClaims::Audience));
        assert!(matches!(claims(r#""sub":"u""#, r#""sub":"""#), InvalidClaims::Form(_)));
        let UnknownVersion { found } = match claims(r#""version":1"#, r#""version":2"#) {
            InvalidClaims::Version(version) => version,
            other => panic!("{other:?}"),
        };
        assert_eq!(found, 2);
        // The version is reported even if the other fields are unknown.
        assert!(matches!(at(r#"{"version":9}"#, 0), Err(InvalidClaims::Version(_))));
        assert!(matches!(at("no claims", 0), Err(InvalidClaims::Form(_))));
    }
}
