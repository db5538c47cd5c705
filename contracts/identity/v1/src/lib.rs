//! Version 1 of the identity contract: the claims inside a connect token, the row that makes the token
//! single-use, and the principal that the authorizer hands to the edge.
//!
//! All times are milliseconds since the epoch, even `exp` and `iat`: the token is encrypted, only its issuer
//! can read it, and no JWT library does.

use std::collections::BTreeMap;
use std::time::Duration;

use contract_notifications_v1::{Timestamp, UserId, Version1};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Default lifetime of a connect token.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(30);

/// Names of the key and TTL attributes of the tokens' table.
pub mod attributes {
    /// Partition key: SHA-256 of the token, in lower-case hex.
    pub const TOKEN_HASH: &str = "tokenHash";
    /// Time to live, in seconds since the epoch.
    pub const TTL: &str = "ttl";
}

/// Claims of a connect token, encrypted under the issuer's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectClaims {
    /// Contract version.
    pub version: Version1,
    /// Issuer.
    pub iss: String,
    /// Audience.
    pub aud: String,
    /// Subject: the user that the token connects.
    pub sub: UserId,
    /// The user's display name.
    pub username: String,
    /// Issued at, in milliseconds since the epoch.
    pub iat: Timestamp,
    /// Expires at, in milliseconds since the epoch.
    pub exp: Timestamp,
    /// Random id that makes every token different.
    pub jti: String,
    /// Hubs that the connection joins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hubs: Vec<String>,
    /// Time at which the credential that asked for the token expires, in milliseconds since the epoch; absent if it
    /// never does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_exp: Option<Timestamp>,
    /// Key that asked for the token, by an id that no later key of its name has; absent if another credential did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_key: Option<String>,
    /// Id (`jti`) of the JSON Web Token that asked for the token; absent if another credential did, or it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_token: Option<String>,
}

/// The row of a revocation, in the table of the tokens' rows. Its key begins with [`revocation_key::USER`] or
/// [`revocation_key::TOKEN`], which no hash does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevocationRow {
    /// Contract version.
    pub version: Version1,
    /// Key of the row: that of the user, or of the token's id.
    pub token_hash: String,
    /// Time until which the user is blocked or the token is refused, in milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_until: Option<Timestamp>,
    /// Time before which the user's credentials must have been issued to be refused, in milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<Timestamp>,
    /// Time from which DynamoDB may delete the row, in seconds since the epoch; absent if never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
}

/// Keys of revocations' rows.
pub mod revocation_key {
    use contract_notifications_v1::UserId;

    /// Prefix of the key of a user's row.
    pub const USER: &str = "revoked/user/";
    /// Prefix of the key of a token's row.
    pub const TOKEN: &str = "revoked/token/";

    /// Returns the key of a user's row.
    pub fn of_user(user: &UserId) -> String {
        format!("{USER}{user}")
    }

    /// Returns the key of the row of the token with this id (`jti`).
    pub fn of_token(id: &str) -> String {
        format!("{TOKEN}{id}")
    }
}

/// The row of an unused token. It has only the token's hash, so a leaked table reveals no token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenRow {
    /// Contract version.
    pub version: Version1,
    /// SHA-256 of the token, in lower-case hex.
    pub token_hash: String,
    /// Time from which DynamoDB may delete the row, in seconds since the epoch.
    pub ttl: u64,
}

/// Method that authenticated a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuthenticationMethod {
    /// A single-use connect token.
    Token,
    /// A JSON Web Token.
    Jwt,
    /// HMAC-signed headers.
    Hmac,
    /// The client's claim, without proof. For development only.
    Open,
}

/// The user that a handshake authenticated.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Principal {
    /// Contract version.
    pub version: Version1,
    /// The user.
    pub user_id: UserId,
    /// The user's display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Method that authenticated the user.
    pub method: AuthenticationMethod,
    /// Hubs that the connection joins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hubs: Vec<String>,
    /// Time at which the credential expires; absent if it never does or was used up by the handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Key that asked for the user's connect token, by an id that no later key of its name has; absent if no key did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_key: Option<String>,
    /// Id (`jti`) of the JSON Web Token of the handshake, or of the one that asked for the user's connect token; absent if
    /// there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_token: Option<String>,
}

/// Key of the [`Principal`] in API Gateway's authorizer context. The context's values can only be strings,
/// numbers and booleans
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html>).
pub const CONTEXT_KEY: &str = "principal";

/// Key of a refusal's HTTP status in the authorizer context. An authorizer can make API Gateway itself answer
/// 401, 403 and 500. For any other status it allows the handshake with this key in place of a principal, and
/// the edge refuses it.
pub const REFUSAL_KEY: &str = "refusal";

/// Returns the authorizer context of a handshake that the edge must refuse with `status`.
pub fn refusal_context(status: u16) -> BTreeMap<String, String> {
    BTreeMap::from([(REFUSAL_KEY.to_owned(), status.to_string())])
}

/// Reasons why an authorizer context has no principal.
#[derive(Debug, thiserror::Error)]
pub enum InvalidContext {
    /// The edge must refuse the handshake.
    #[error("the authorizer refuses the handshake with {status}")]
    Refused {
        /// HTTP status of the refusal: 400 to 499, or 500 when the context has none of these.
        status: u16,
    },
    /// The key is missing.
    #[error("the authorizer context has no {CONTEXT_KEY:?}")]
    Missing,
    /// The value is not a principal of this version.
    #[error("the authorizer context's {CONTEXT_KEY:?} is not a version 1 principal")]
    Json(#[from] serde_json::Error),
}

impl Principal {
    /// Returns the authorizer context with this principal.
    pub fn to_context(&self) -> BTreeMap<String, String> {
        // A struct of strings and numbers always serializes.
        let json = serde_json::to_string(self).unwrap_or_default();
        BTreeMap::from([(CONTEXT_KEY.to_owned(), json)])
    }

    /// Parses a context from [`Principal::to_context`].
    ///
    /// # Errors
    /// [`InvalidContext`] if the context has a refusal, with or without a principal, or has neither.
    pub fn from_context(context: &BTreeMap<String, String>) -> Result<Self, InvalidContext> {
        if let Some(refusal) = context.get(REFUSAL_KEY) {
            let status = refusal.parse().ok().filter(|status| (400..500).contains(status));
            return Err(InvalidContext::Refused { status: status.unwrap_or(500) });
        }
        Ok(serde_json::from_str(context.get(CONTEXT_KEY).ok_or(InvalidContext::Missing)?)?)
    }
}
