//! The roles of functions, on an endpoint that enforces them.

use serde_json::{Value, json};
use verification_acceptance_aws::Deployment;
use verification_conformance::user;
use verification_test_kit::enforcing_endpoint;

use crate::support::{numbered, take};

/// Invokes a function with a sample event.
///
/// # Errors
/// The answer of a function that does not do its work.
async fn work(deployment: &Deployment, function: &str, token: &str) -> Result<(), String> {
    let sample = |json: &str| serde_json::from_str::<Value>(json).unwrap();
    let (event, succeeded): (Value, fn(&Value) -> bool) = match function {
        "auth-token-issuer" => {
            (Deployment::token_request(&user("bob")), |answer| answer["statusCode"] == 200)
        }
        "auth-token-authorizer" => {
            let mut event = sample(include_str!("../../../../../auth-token/lambda/events/authorize.json"));
            event["queryStringParameters"]["token"] = token.into();
            event["multiValueQueryStringParameters"]["token"] = json!([token]);
            (event, |answer| answer["policyDocument"]["Statement"][0]["Effect"] == "Allow")
        }
        "ws-edge" => {
            let mut event = sample(include_str!("../../../../../ws-edge/lambda/events/connect.json"));
            // Nobody opens the connection, and the dispatcher would wait for its handshake with the user's
            // notifications, also with that of its sample.
            let principal =
                json!({ "version": 1, "userId": user("carol"), "username": "Carol", "method": "token" });
            event["requestContext"]["authorizer"]["principal"] = principal.to_string().into();
            (event, |answer| answer["statusCode"] == 200)
        }
        "dispatcher" => {
            (sample(include_str!("../../../../../dispatcher/lambda/events/sqs-batch.json")), nothing_failed)
        }
        _ => {
            (sample(include_str!("../../../../../replayer/lambda/events/stream-batch.json")), nothing_failed)
        }
    };
    let answer = deployment.invoke(function, &event).await?;
    if succeeded(&answer) { Ok(()) } else { Err(answer.to_string()) }
}

fn nothing_failed(answer: &Value) -> bool {
    answer["batchItemFailures"].as_array().is_some_and(Vec::is_empty)
}

/// On an endpoint that enforces roles, every function works with its own role and fails if the role lacks an
/// action.
#[tokio::test]
async fn roles_are_sufficient_and_necessary() {
    let endpoint = enforcing_endpoint();
    let deployment = Deployment::with(&endpoint, &[], &[]).await;
    let alice = user("alice");
    let held = deployment.send(&numbered(&alice, 0..3)).await;
    let mut device = deployment.open(&alice, "").await;
    take(&mut device, &held).await;
    let online = deployment.send(&numbered(&alice, 3..5)).await;
    take(&mut device, &online).await;
    let token = deployment.token(&user("bob")).await;
    for function in contract_deployment_v1::FUNCTIONS {
        let worked = work(&deployment, function.name, &token).await;
        assert_eq!(worked, Ok(()), "{} with its own role", function.name);
    }
    let lacking = [
        ("auth-token-authorizer", "dynamodb:DeleteItem"),
        ("ws-edge", "dynamodb:PutItem"),
        ("dispatcher", "dynamodb:Query"),
        ("replayer", "dynamodb:Query"),
    ];
    let without = lacking.map(|(function, action)| format!("--without={function}:{action}"));
    let deployment = Deployment::with(&endpoint, &without.each_ref().map(String::as_str), &[]).await;
    let token = deployment.token(&user("bob")).await;
    for (function, action) in lacking {
        assert!(work(&deployment, function, &token).await.is_err(), "{function} without {action}");
    }
    let deployment =
        Deployment::with(&endpoint, &["--without=auth-token-issuer:kms:GenerateDataKey"], &[]).await;
    let worked = work(&deployment, "auth-token-issuer", "").await;
    assert!(worked.is_err(), "auth-token-issuer without kms:GenerateDataKey");
}

/// A user at the limit gets a connection in place of the oldest, which takes the edge's permission to close it.
#[tokio::test]
async fn edge_may_close_the_oldest_connection() {
    let settings = ["TIDINGS_MAX_CONNECTIONS=1", "TIDINGS_TOO_MANY_CONNECTIONS=close-oldest"];
    let deployment = Deployment::with(&enforcing_endpoint(), &[], &settings).await;
    let alice = user("alice");
    let _oldest = deployment.open(&alice, "").await;
    let mut newest = deployment.open(&alice, "").await;
    let sequences = deployment.send(&numbered(&alice, 0..1)).await;
    take(&mut newest, &sequences).await;
}
