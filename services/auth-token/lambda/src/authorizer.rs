//! The authorizer's function: the `REQUEST` authorizer of the WebSocket API
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html>).

use std::collections::BTreeMap;

use auth_token::{Adapters, Authorizer, Handshake, Ports, Refusal, Status};
use aws_config::SdkConfig;
use contract_identity_v1::{Principal, refusal_context};
use serde::{Deserialize, Serialize};
use shared_aws::Invocation;
use shared_ports::SystemClock;

use crate::cipher::KmsCipher;
use crate::config::AuthorizerConfig;
use crate::key_sets::HttpKeySets;
use crate::secrets::ManagedSecrets;
use crate::tokens::DynamoTokens;

type MultiValues = BTreeMap<String, Vec<String>>;

/// API Gateway's event for a handshake. The multi-value maps have all headers and parameters; the maps of
/// single values are used only if a gateway leaves those out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    method_arn: String,
    #[serde(default)]
    headers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    multi_value_headers: Option<MultiValues>,
    #[serde(default)]
    query_string_parameters: Option<BTreeMap<String, String>>,
    #[serde(default)]
    multi_value_query_string_parameters: Option<MultiValues>,
    #[serde(rename = "requestContext", default)]
    context: RequestContext,
}

/// The part of the request's context that the log has.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RequestContext {
    /// API Gateway's id of the handshake, which a refused client gets.
    request_id: String,
    identity: Identity,
}

/// The client, as API Gateway knows it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Identity {
    /// The client's IP address.
    source_ip: String,
}

/// Returns all pairs of a multi-value map, or those of the single-value map if there is no other.
fn values(single: Option<BTreeMap<String, String>>, multi: Option<MultiValues>) -> Vec<(String, String)> {
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

/// The answer to API Gateway: a policy, and the context that it adds to later events of the connection.
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

/// Converts the authorizer's decision to an answer. API Gateway can't answer 400 for an authorizer. Such a
/// handshake is allowed, without a principal, and the edge refuses it.
///
/// # Errors
/// The refusals with status 401 and 500. API Gateway answers 401 if the function fails with the text
/// «Unauthorized», and 500 if it fails with any other.
pub fn respond(method_arn: String, decision: Result<Principal, Refusal>) -> Result<Response, Refusal> {
    match decision {
        Ok(principal) => Ok(Response {
            principal_id: principal.user_id.to_string(),
            policy_document: policy("Allow", method_arn),
            context: principal.to_context(),
        }),
        Err(refusal) => match refusal.status() {
            Status::Forbidden => Ok(without_principal("Deny", method_arn, BTreeMap::new())),
            Status::BadRequest => {
                Ok(without_principal("Allow", method_arn, refusal_context(refusal.status().code())))
            }
            Status::Unauthorized | Status::InternalServerError => Err(refusal),
        },
    }
}

fn without_principal(effect: &'static str, resource: String, context: BTreeMap<String, String>) -> Response {
    Response { principal_id: "nobody".to_owned(), policy_document: policy(effect, resource), context }
}

/// The adapters for AWS.
#[derive(Debug)]
struct Aws;

impl Adapters for Aws {
    type Cipher = KmsCipher;
    type Store = DynamoTokens;
    type KeySets = HttpKeySets;
    type Secrets = ManagedSecrets;
    type Clock = SystemClock;
}

/// The authorizer on AWS.
pub struct Function {
    service: Authorizer<Aws>,
}

impl Function {
    /// Creates the function.
    pub fn new(config: &AuthorizerConfig, sdk: &SdkConfig) -> Self {
        let ports = Ports {
            cipher: KmsCipher::new(sdk, &config.key),
            store: DynamoTokens::new(sdk, &config.tokens_table),
            key_sets: HttpKeySets::new(),
            secrets: ManagedSecrets::new(sdk),
            clock: SystemClock,
        };
        Self { service: Authorizer::new(ports, config.authorizer.clone()) }
    }

    /// Authorizes one handshake.
    ///
    /// # Errors
    /// As [`respond`].
    pub async fn invoke(&self, invocation: Invocation<Request>) -> Result<Response, Refusal> {
        let request = invocation.event;
        let query = values(request.query_string_parameters, request.multi_value_query_string_parameters);
        let headers = values(request.headers, request.multi_value_headers);
        let decision = self.service.authorize(&Handshake::new(query, headers)).await;
        if let Err(refusal) = &decision {
            refusal.log(&request.context.request_id, &request.context.identity.source_ip);
        }
        respond(request.method_arn, decision)
    }
}

#[cfg(test)]
mod tests {
    use contract_identity_v1::AuthenticationMethod;
    use contract_notifications_v1::{UserId, Version1};

    use super::*;

    const EVENT: &str = include_str!("../events/authorize.json");
    const ARN: &str = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/prod/$connect";

    #[test]
    fn all_query_values_and_headers_are_read() {
        let request: Request = serde_json::from_str(EVENT).unwrap();
        assert_eq!(request.method_arn, ARN);
        let RequestContext { request_id, identity } = request.context;
        assert_eq!((request_id.as_str(), identity.source_ip.as_str()), ("L0SM9EHGvHcFsYg=", "203.0.113.7"));
        let query = values(request.query_string_parameters, request.multi_value_query_string_parameters);
        let pair = |value: &str| ("token".to_owned(), value.to_owned());
        assert_eq!(query, [pair("AQICAHh0b2tlbg"), pair("AQICAHhvdGhlcg")]);
        let headers = values(request.headers, None);
        assert!(
            headers.iter().any(|(name, value)| name == "Sec-WebSocket-Protocol" && value == "tidings.v1")
        );
    }

    /// API Gateway passes header names in the client's case.
    #[test]
    fn header_names_keep_their_case() {
        let event = EVENT.replace("Sec-WebSocket-Key", "x-SESSION");
        let request: Request = serde_json::from_str(&event).unwrap();
        let headers = values(request.headers, request.multi_value_headers);
        assert!(
            headers.iter().any(|(name, value)| name == "x-SESSION" && value == "dGhlIHNhbXBsZSBub25jZQ==")
        );
    }

    #[test]
    fn principal_gets_an_allow_policy() {
        let principal = Principal {
            version: Version1,
            user_id: UserId::new("alice").unwrap(),
            username: None,
            method: AuthenticationMethod::Token,
            hubs: Vec::new(),
            expires_at: None,
            source_key: None,
            source_token: None,
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
    fn refusal_reasons_map_to_answers() {
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
