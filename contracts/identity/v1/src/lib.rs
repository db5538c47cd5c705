//! Version 1 of the identity contract: the claims inside a connect token, the row that makes the token
//! single-use, and the principal the authorizer hands to the edge.
//!
//! All times are milliseconds since the epoch, `exp` and `iat` too: the token is encrypted and opaque to
//! everyone but its issuer, so no JWT library reads it.

use std::collections::BTreeMap;
use std::time::Duration;

use contract_notifications_v1::{Timestamp, UserId, Version1};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long a connect token is good for.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(30);

/// Names of the token table's key and TTL attributes.
pub mod attributes {
    /// Partition key: SHA-256 of the token, in lower-case hex.
    pub const TOKEN_HASH: &str = "tokenHash";
    /// Time to live, in seconds since the epoch.
    pub const TTL: &str = "ttl";
}

/// What a connect token says, encrypted under the issuer's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectClaims {
    /// Of this contract.
    pub version: Version1,
    /// Issuer.
    pub iss: String,
    /// Audience.
    pub aud: String,
    /// Subject: the user the token connects.
    pub sub: UserId,
    /// The user's name for people.
    pub username: String,
    /// Issued at, in milliseconds since the epoch.
    pub iat: Timestamp,
    /// Expires at, in milliseconds since the epoch.
    pub exp: Timestamp,
    /// A number used once, so that no two tokens are equal.
    pub jti: String,
    /// Hubs the connection joins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hubs: Vec<String>,
}

/// The row that stands for an unused token. It holds only the token's hash, so that a leaked table leaks
/// no token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenRow {
    /// Of this contract.
    pub version: Version1,
    /// SHA-256 of the token, in lower-case hex.
    pub token_hash: String,
    /// When DynamoDB may delete the row, in seconds since the epoch.
    pub ttl: u64,
}

/// By which method a handshake proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A single-use connect token.
    Token,
    /// A JSON Web Token.
    Jwt,
    /// HMAC-signed headers.
    Hmac,
    /// Nothing: the client's word. For development only.
    Open,
}

/// Who a handshake proved to be.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Principal {
    /// Of this contract.
    pub version: Version1,
    /// The user.
    pub user_id: UserId,
    /// The user's name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// How that was proved.
    pub method: Method,
    /// Hubs the connection joins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hubs: Vec<String>,
    /// When the credential ends, if it outlives the handshake and ends at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// The one key under which a [`Principal`] travels in API Gateway's authorizer context, whose values can
/// only be strings, numbers and booleans
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html>).
pub const CONTEXT_KEY: &str = "principal";

/// The key under which the status travels by which the edge is to refuse a handshake. An authorizer can make API
/// Gateway answer 401, 403 and 500 itself; for any other status it lets the handshake through to the edge, with
/// this in place of a principal.
pub const REFUSAL_KEY: &str = "refusal";

/// The authorizer context of a handshake that the edge is to refuse with `status`.
pub fn refusal_context(status: u16) -> BTreeMap<String, String> {
    BTreeMap::from([(REFUSAL_KEY.to_owned(), status.to_string())])
}

/// An authorizer context that carries no principal.
#[derive(Debug, thiserror::Error)]
pub enum InvalidContext {
    /// The handshake is to be refused.
    #[error("the authorizer refuses the handshake with {status}")]
    Refused {
        /// With which status: 400 to 499, or 500 when the context says none.
        status: u16,
    },
    /// The key is not there.
    #[error("the authorizer context has no {CONTEXT_KEY:?}")]
    Missing,
    /// The value is no principal of this version.
    #[error("the authorizer context's {CONTEXT_KEY:?} is not a version 1 principal")]
    Json(#[from] serde_json::Error),
}

impl Principal {
    /// The principal as an authorizer context.
    pub fn to_context(&self) -> BTreeMap<String, String> {
        // A struct of strings and numbers always serializes.
        let json = serde_json::to_string(self).unwrap_or_default();
        BTreeMap::from([(CONTEXT_KEY.to_owned(), json)])
    }

    /// Reads what [`Principal::to_context`] wrote.
    ///
    /// # Errors
    /// [`InvalidContext`] when the context holds no principal, or a refusal besides one.
    pub fn from_context(context: &BTreeMap<String, String>) -> Result<Self, InvalidContext> {
        if let Some(refusal) = context.get(REFUSAL_KEY) {
            let status = refusal.parse().ok().filter(|status| (400..500).contains(status));
            return Err(InvalidContext::Refused { status: status.unwrap_or(500) });
        }
        Ok(serde_json::from_str(context.get(CONTEXT_KEY).ok_or(InvalidContext::Missing)?)?)
    }
}
