//! Whether a token's claims are good.

use contract_identity_v1::ConnectClaims;
use contract_notifications_v1::{Timestamp, UnknownVersion, Version1};
use serde::Deserialize;

/// Why a token's claims prove nothing.
#[derive(Debug, thiserror::Error)]
pub enum InvalidClaims {
    /// Not the JSON of claims.
    #[error("the claims are not of the expected form")]
    Form(#[source] serde_json::Error),
    /// Another version of the contract.
    #[error(transparent)]
    Version(#[from] UnknownVersion),
    /// Issued by someone else.
    #[error("the claims have another issuer")]
    Issuer,
    /// Issued for another gateway.
    #[error("the claims are for another audience")]
    Audience,
    /// Presented too late.
    #[error("the claims ended {} ms ago", .by_millis)]
    Expired {
        /// How long ago they ended, in milliseconds.
        by_millis: u64,
    },
}

/// Reads a token's plaintext and checks it. Claims end at the very millisecond of `exp`.
pub(crate) fn check(
    plaintext: &[u8],
    issuer: &str,
    audience: &str,
    now: Timestamp,
) -> Result<ConnectClaims, InvalidClaims> {
    /// Read first: another version may have other fields.
    #[derive(Deserialize)]
    struct Head {
        version: u32,
    }
    let head: Head = serde_json::from_slice(plaintext).map_err(InvalidClaims::Form)?;
    Version1::try_from(head.version)?;
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
    fn good_claims_pass_until_the_last_millisecond() {
        assert_eq!(at(CLAIMS, 29).unwrap().sub.as_str(), "u");
        assert!(matches!(at(CLAIMS, 30), Err(InvalidClaims::Expired { by_millis: 0 })));
        assert!(matches!(at(CLAIMS, 35), Err(InvalidClaims::Expired { by_millis: 5 })));
    }

    #[test]
    fn each_refusal_has_its_reason() {
        let claims = |from, to| at(&CLAIMS.replace(from, to), 0).unwrap_err();
        assert!(matches!(claims(r#""iss":"i""#, r#""iss":"x""#), InvalidClaims::Issuer));
        assert!(matches!(claims(r#""aud":"a""#, r#""aud":"x""#), InvalidClaims::Audience));
        assert!(matches!(claims(r#""sub":"u""#, r#""sub":"""#), InvalidClaims::Form(_)));
        let UnknownVersion { found } = match claims(r#""version":1"#, r#""version":2"#) {
            InvalidClaims::Version(version) => version,
            other => panic!("{other:?}"),
        };
        assert_eq!(found, 2);
        // Another version is told as such even where its fields are others.
        assert!(matches!(at(r#"{"version":9}"#, 0), Err(InvalidClaims::Version(_))));
        assert!(matches!(at("no claims", 0), Err(InvalidClaims::Form(_))));
    }
}
