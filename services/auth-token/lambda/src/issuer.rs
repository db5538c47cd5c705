//! The issuer's function. It answers `GET` and `POST` requests of an HTTP API with a JWT authorizer, or of a REST API
//! with a Cognito authorizer
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html>,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-integrate-with-cognito.html>).

use std::collections::BTreeMap;

use auth_token::{IssueError, Issuer, Subject, hubs_from_claims, with_prefix};
use aws_config::SdkConfig;
use contract_notifications_v1::{InvalidIdentifier, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared_aws::Invocation;
use shared_ports::SystemClock;

use crate::cipher::KmsCipher;
use crate::config::IssuerConfig;
use crate::tokens::DynamoTokens;

/// The part of a request that the issuer needs: the caller, as the API's own authorizer identified it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    request_context: Context,
}

#[derive(Deserialize)]
struct Context {
    #[serde(default)]
    authorizer: Option<Authorizer>,
}

/// The caller's claims. An HTTP API has them in `jwt`, a REST API in `claims`.
#[derive(Deserialize)]
struct Authorizer {
    #[serde(default)]
    jwt: Option<Jwt>,
    #[serde(default)]
    claims: Option<Claims>,
}

#[derive(Deserialize)]
struct Jwt {
    claims: Claims,
}

type Claims = BTreeMap<String, Value>;

/// Reasons for refusing a request.
#[derive(Debug, thiserror::Error)]
enum RequestError {
    /// 401: the caller is not authenticated.
    #[error("the request has no claims of an ID token; send it with an Authorization header")]
    Unauthenticated,
    /// 403: the subject is not a legal user id.
    #[error("the ID token's subject is not a user id: {0}")]
    Subject(#[from] InvalidIdentifier),
    /// 400 or 500: the token could not be issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

impl RequestError {
    const fn status(&self) -> u16 {
        match self {
            Self::Unauthenticated => 401,
            Self::Subject(_) => 403,
            Self::Issue(IssueError::TooLarge { .. }) => 400,
            Self::Issue(_) => 500,
        }
    }
}

/// The answer: a status and a JSON document that must not be cached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    status_code: u16,
    headers: BTreeMap<&'static str, &'static str>,
    body: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Token {
    token: String,
    expires_at: Timestamp,
}

/// A problem document (RFC 9457).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Problem<'a> {
    status: u16,
    detail: String,
    request_id: &'a str,
}

/// The issuer on AWS.
pub struct Function {
    service: Issuer<KmsCipher, DynamoTokens, SystemClock>,
    hubs_claims: Vec<String>,
    user_prefix: String,
}

impl Function {
    /// Creates the function.
    pub fn new(config: &IssuerConfig, sdk: &SdkConfig) -> Self {
        let cipher = KmsCipher::new(sdk, &config.key);
        let tokens = DynamoTokens::new(sdk, &config.tokens_table);
        let service = Issuer::new(cipher, tokens, SystemClock, config.issuer.clone());
        Self { service, hubs_claims: config.hubs_claims.clone(), user_prefix: config.user_prefix.clone() }
    }

    /// Answers one request with a token or a problem document.
    pub async fn invoke(&self, invocation: Invocation<Request>) -> Response {
        let Invocation { event, request_id, .. } = invocation;
        match self.issue(event).await {
            Ok(token) => response(200, "application/json", &token),
            Err(error) => {
                let status = error.status();
                let detail = if status >= 500 {
                    let error = shared_telemetry::chain(&error);
                    tracing::error!(error, "token not issued");
                    "the token could not be issued; try again".to_owned()
                } else {
                    error.to_string()
                };
                let problem = Problem { status, detail, request_id: &request_id };
                response(status, "application/problem+json", &problem)
            }
        }
    }

    async fn issue(&self, request: Request) -> Result<Token, RequestError> {
        let issued = self.service.issue(subject(request, &self.hubs_claims, &self.user_prefix)?).await?;
        Ok(Token { token: issued.token, expires_at: issued.expires_at })
    }
}

fn response(status_code: u16, content_type: &'static str, body: &impl Serialize) -> Response {
    let headers = BTreeMap::from([("cache-control", "no-store"), ("content-type", content_type)]);
    // Strings and numbers only: nothing here can fail to serialize.
    Response { status_code, headers, body: serde_json::to_string(body).unwrap_or_default() }
}

/// Returns the caller that the API's authorizer identified.
fn subject(request: Request, hubs_claims: &[String], user_prefix: &str) -> Result<Subject, RequestError> {
    let authorizer = request.request_context.authorizer.ok_or(RequestError::Unauthenticated)?;
    let claims =
        authorizer.jwt.map(|jwt| jwt.claims).or(authorizer.claims).ok_or(RequestError::Unauthenticated)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let sub = text("sub").ok_or(RequestError::Unauthenticated)?;
    let user_id = with_prefix(user_prefix, sub.to_owned())?;
    let username = ["preferred_username", "cognito:username", "username"].into_iter().find_map(text);
    Ok(Subject {
        user_id,
        username: username.unwrap_or_default().to_owned(),
        hubs: hubs_from_claims(hubs_claims, |name| claims.get(name)),
        credential_expires_at: claims.get("exp").and_then(expiry),
        source_key: None,
        source_token: text("jti").map(str::to_owned),
    })
}

/// Returns the expiry of an ID token, in seconds since the epoch: an HTTP API passes it on as a text of digits. A REST
/// API passes on a date in words, which is not read.
fn expiry(claim: &Value) -> Option<Timestamp> {
    let seconds = claim.as_u64().or_else(|| claim.as_str()?.parse().ok())?;
    Some(Timestamp::from_millis(seconds.saturating_mul(1_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTTP_API: &str = include_str!("../events/issue-http-api.json");
    const REST_API: &str = include_str!("../events/issue-rest-api.json");

    #[test]
    fn caller_is_taken_from_the_authorizers_claims() {
        let names = ["hubs".to_owned()];
        for event in [HTTP_API, REST_API] {
            let of = |prefix| subject(serde_json::from_str(event).unwrap(), &names, prefix).unwrap();
            assert_eq!(of("pool:").user_id.as_str(), "pool:f4b8c4d8-9041-70c7-0a1b-2c3d4e5f6071");
            let subject = of("");
            assert_eq!(subject.user_id.as_str(), "f4b8c4d8-9041-70c7-0a1b-2c3d4e5f6071");
            assert_eq!(subject.username, "alice");
        }
    }

    #[test]
    fn unauthenticated_caller_gets_no_token() {
        let names = [];
        for event in [
            r#"{"requestContext":{}}"#,
            r#"{"requestContext":{"authorizer":{}}}"#,
            r#"{"requestContext":{"authorizer":{"claims":{"aud":"x"}}}}"#,
        ] {
            let error = subject(serde_json::from_str(event).unwrap(), &names, "").unwrap_err();
            assert_eq!(error.status(), 401, "{event}");
        }
        let control = r#"{"requestContext":{"authorizer":{"claims":{"sub":"two\nwords"}}}}"#;
        assert_eq!(subject(serde_json::from_str(control).unwrap(), &names, "").unwrap_err().status(), 403);
    }

    #[test]
    fn hubs_are_read_from_the_claims() {
        let event = r#"{"requestContext":{"authorizer":{"jwt":{"claims":{"sub":"u","cognito:groups":"[ops team]"}}}}}"#;
        let names = ["hubs".to_owned(), "cognito:groups".to_owned()];
        assert_eq!(subject(serde_json::from_str(event).unwrap(), &names, "").unwrap().hubs, ["ops", "team"]);
    }
}
