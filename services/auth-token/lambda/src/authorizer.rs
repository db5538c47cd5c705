//! The authorizer: the `REQUEST` authorizer of the WebSocket API
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html>).

use std::collections::BTreeMap;

use auth_token::{Authorizer, Handshake, Ports, Refusal, Status};
use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use contract_identity_v1::{Principal, refusal_context};
use serde::{Deserialize, Serialize};
use shared_aws::Invocation;
use shared_ports::SystemClock;

use crate::{AuthorizerConfig, DynamoTokens, HttpKeySets, KmsCipher, ManagedSecrets};

type Multi = BTreeMap<String, Vec<String>>;

/// A handshake, as API Gateway asks about it. Values of all headers and parameters are there several
/// times over; the maps of single values are for gateways that leave out the others.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    method_arn: String,
    #[serde(default)]
    headers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    multi_value_headers: Option<Multi>,
    #[serde(default)]
    query_string_parameters: Option<BTreeMap<String, String>>,
    #[serde(default)]
    multi_value_query_string_parameters: Option<Multi>,
}

/// All values of several maps of one thing.
fn values(single: Option<BTreeMap<String, String>>, multi: Option<Multi>) -> Vec<(String, String)> {
    match multi {
        Some(multi) => {
            let each = |(name, values): (String, Vec<String>)| {
                values.into_iter().map(move |value| (name.clone(), value))
            };
            multi.into_iter().flat_map(each).collect()
        }
        None => single.into_iter().flatten().collect(),
    }
}

/// The answer to API Gateway: a policy, and what later events are told of the principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    principal_id: String,
    policy_document: Policy,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    context: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    version: &'static str,
    statement: [Statement; 1],
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    action: &'static str,
    effect: &'static str,
    resource: String,
}

fn policy(effect: &'static str, resource: String) -> Policy {
    let statement = Statement { action: "execute-api:Invoke", effect, resource };
    // The version of the policy language
    // (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html>).
    Policy { version: "2012-10-17", statement: [statement] }
}

/// The answer to a decision. A refusal whose status API Gateway can't be made to answer with goes on to the
/// edge, which answers it; no principal goes with it.
///
/// # Errors
/// The refusals that API Gateway answers with another status than 403: 401 when the function fails with the
/// text «Unauthorized», 500 with any other.
pub fn respond(method_arn: String, decision: Result<Principal, Refusal>) -> Result<Response, Refusal> {
    match decision {
        Ok(principal) => Ok(Response {
            principal_id: principal.user_id.to_string(),
            policy_document: policy("Allow", method_arn),
            context: principal.to_context(),
        }),
        Err(refusal) => match refusal.status() {
            Status::Forbidden => Ok(nobody("Deny", method_arn, BTreeMap::new())),
            Status::BadRequest => Ok(nobody("Allow", method_arn, refusal_context(refusal.status().code()))),
            Status::Unauthorized | Status::InternalServerError => Err(refusal),
        },
    }
}

fn nobody(effect: &'static str, resource: String, context: BTreeMap<String, String>) -> Response {
    Response { principal_id: "nobody".to_owned(), policy_document: policy(effect, resource), context }
}

/// The authorizer over AWS.
pub struct Function {
    service: Authorizer<KmsCipher, DynamoTokens, HttpKeySets, ManagedSecrets, SystemClock>,
}

impl Function {
    /// Puts the authorizer together; issuers' keys are fetched over `connector`.
    pub fn new(config: &AuthorizerConfig, sdk: &SdkConfig, connector: SharedHttpConnector) -> Self {
        let ports = Ports {
            cipher: KmsCipher::new(sdk, &config.key),
            store: DynamoTokens::new(sdk, &config.tokens_table),
            key_sets: HttpKeySets::new(connector),
            secrets: ManagedSecrets::new(sdk),
            clock: SystemClock,
        };
        Self { service: Authorizer::new(ports, config.authorizer.clone()) }
    }

    /// Decides one handshake.
    ///
    /// # Errors
    /// See [`respond`].
    pub async fn invoke(&self, invocation: Invocation<Request>) -> Result<Response, Refusal> {
        let request = invocation.event;
        let query = values(request.query_string_parameters, request.multi_value_query_string_parameters);
        let headers = values(request.headers, request.multi_value_headers);
        let decision = self.service.authorize(&Handshake::new(query, headers)).await;
        respond(request.method_arn, decision)
    }
}

#[cfg(test)]
mod tests {
    use contract_identity_v1::Method;
    use contract_notifications_v1::{UserId, Version1};

    use super::*;

    const EVENT: &str = include_str!("../events/authorize.json");
    const ARN: &str = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/prod/$connect";

    #[test]
    fn a_handshake_is_read_with_all_its_values() {
        let request: Request = serde_json::from_str(EVENT).unwrap();
        assert_eq!(request.method_arn, ARN);
        let query = values(request.query_string_parameters, request.multi_value_query_string_parameters);
        let pair = |value: &str| ("token".to_owned(), value.to_owned());
        assert_eq!(query, [pair("AQICAHh0b2tlbg"), pair("AQICAHhvdGhlcg")]);
        let headers = values(request.headers, None);
        assert!(
            headers.iter().any(|(name, value)| name == "Sec-WebSocket-Protocol" && value == "tidings.v1")
        );
    }

    /// API Gateway keeps the case in which the client wrote a header's name.
    #[test]
    fn a_signed_handshake_is_read_with_its_headers() {
        let event = EVENT.replace("Sec-WebSocket-Key", "x-SESSION");
        let request: Request = serde_json::from_str(&event).unwrap();
        let headers = values(request.headers, request.multi_value_headers);
        assert!(
            headers.iter().any(|(name, value)| name == "x-SESSION" && value == "dGhlIHNhbXBsZSBub25jZQ==")
        );
    }

    #[test]
    fn a_principal_is_allowed_and_named() {
        let principal = Principal {
            version: Version1,
            user_id: UserId::new("alice").unwrap(),
            username: None,
            method: Method::Token,
            hubs: Vec::new(),
            expires_at: None,
        };
        let response = respond(ARN.to_owned(), Ok(principal)).unwrap();
        let json = serde_json::to_value(&response).unwrap();
        assert_eq!(json["principalId"], "alice");
        assert_eq!(json["policyDocument"]["Version"], "2012-10-17");
        assert_eq!(json["policyDocument"]["Statement"][0]["Effect"], "Allow");
        assert_eq!(json["policyDocument"]["Statement"][0]["Resource"], ARN);
        assert_eq!(json["context"]["principal"], r#"{"version":1,"userId":"alice","method":"token"}"#);
    }

    #[test]
    fn refusals_have_the_status_they_are_to_have() {
        use auth_token::Reason;
        let refuse = |reason: Reason| respond(ARN.to_owned(), Err(reason.into()));
        assert_eq!(refuse(Reason::NoCredential).unwrap_err().to_string(), "Unauthorized");
        let denied = serde_json::to_value(refuse(Reason::UnknownToken).unwrap()).unwrap();
        assert_eq!(denied["policyDocument"]["Statement"][0]["Effect"], "Deny");
        assert!(denied.get("context").is_none());
        let half = serde_json::to_value(refuse(Reason::Incomplete).unwrap()).unwrap();
        assert_eq!(half["policyDocument"]["Statement"][0]["Effect"], "Allow");
        assert_eq!(half["policyDocument"]["Statement"][0]["Resource"], ARN);
        assert_eq!(half["context"], serde_json::json!({"refusal": "400"}));
        let ours = refuse(shared_ports::PortError::retryable("taking a token", "down").into()).unwrap_err();
        assert_eq!(ours.to_string(), "Internal Server Error");
    }
}
