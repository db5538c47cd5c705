//! Errors of a configuration as a whole.

/// Reasons for refusing a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// No method is enabled.
    #[error("no method is on, so nobody could connect")]
    NoMethod,
    /// No browser sends this origin.
    #[error("{found:?} is not an origin; write it as https://app.example.com, without a path")]
    Origin {
        /// The origin found.
        found: String,
    },
    /// No cookie can have this name.
    #[error("{found:?} is not a valid cookie name")]
    CookieName {
        /// The name found.
        found: String,
    },
    /// JSON Web Tokens are enabled, but no issuer is trusted.
    #[error("the method jwt is on, but no issuer is trusted")]
    NoIssuer,
    /// Two issuers have the same `iss`, so their tokens can't be told apart.
    #[error("two issuers have the same `iss`, {}", .issuer.as_deref().unwrap_or("none"))]
    SameIssuer {
        /// Their `iss`.
        issuer: Option<String>,
    },
    /// Signed handshakes are enabled, but no secret is named.
    #[error("the method hmac is on, but no secret is named to verify signatures")]
    NoSecret,
}
