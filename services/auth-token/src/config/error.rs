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
    /// Two issuers of other parties could name the same user.
    #[error(
        "there are several issuers, and {} has no `user_prefix`, so it could name the users of another; give each \
         issuer its own prefix, or set `shared_user_ids = true` if they have the same users",
        .issuer.as_deref().unwrap_or("the one without `issuer`")
    )]
    NoPrefix {
        /// Its `iss`.
        issuer: Option<String>,
    },
    /// The users of one issuer could be those of another.
    #[error(
        "the `user_prefix` {prefix:?} of an issuer is the beginning of another issuer's; make them differ"
    )]
    SamePrefix {
        /// The shorter prefix.
        prefix: String,
    },
    /// Signed handshakes are enabled, but no secret is named.
    #[error("the method hmac is on, but no secret is named to verify signatures")]
    NoSecret,
}
