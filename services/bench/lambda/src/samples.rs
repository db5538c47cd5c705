//! Each function with the sample event of its own tests.

use contract_deployment_v1::{
    AUTH_TOKEN_AUTHORIZER, AUTH_TOKEN_ISSUER, DISPATCHER, Function, REPLAYER, WS_EDGE,
};

use crate::scenario::Scenario;

fn sample(
    function: &'static Function,
    event: &str,
    calls: &[&str],
    answer: (&'static str, &'static str),
) -> Scenario {
    let calls = calls.iter().map(|call| (*call).to_owned()).collect();
    Scenario { function, title: "the sample event", units: 1, event: event.to_owned(), calls, answer }
}

/// The issuer issues a token.
pub(crate) fn issue() -> Scenario {
    sample(
        &AUTH_TOKEN_ISSUER,
        include_str!("../../../auth-token/lambda/events/issue-http-api.json"),
        &["dynamodb PutItem tokens", "kms Encrypt key"],
        ("/statusCode", "200"),
    )
}

/// The authorizer allows a handshake.
pub(crate) fn authorize() -> Scenario {
    // The sample has two different tokens, for tests of reading them. A handshake is allowed only if both are
    // the same.
    let event = include_str!("../../../auth-token/lambda/events/authorize.json");
    sample(
        &AUTH_TOKEN_AUTHORIZER,
        &event.replace("AQICAHhvdGhlcg", "AQICAHh0b2tlbg"),
        &["dynamodb DeleteItem tokens", "kms Decrypt key"],
        ("/policyDocument/Statement/0/Effect", r#""Allow""#),
    )
}

/// A client connects.
pub(crate) fn connect() -> Scenario {
    sample(
        &WS_EDGE,
        include_str!("../../../ws-edge/lambda/events/connect.json"),
        &["dynamodb PutItem connections"],
        ("", r#"{"headers":{"Sec-WebSocket-Protocol":"tidings.v1"},"statusCode":200}"#),
    )
}

fn dispatch() -> Scenario {
    sample(
        &DISPATCHER,
        include_str!("../../../dispatcher/lambda/events/sqs-batch.json"),
        &[
            "dynamodb DeleteItem mailbox",
            "dynamodb Query connections",
            "dynamodb Query connections",
            "dynamodb Query mailbox",
            "dynamodb Query mailbox",
            "execute-api PostToConnection alice-1",
            "execute-api PostToConnection bob-1",
        ],
        ("", r#"{"batchItemFailures":[]}"#),
    )
}

fn replay() -> Scenario {
    sample(
        &REPLAYER,
        include_str!("../../../replayer/lambda/events/stream-batch.json"),
        &[
            "dynamodb Query mailbox",
            "dynamodb Query mailbox",
            "sqs SendMessageBatch 10",
            "sqs SendMessageBatch 10",
        ],
        ("", r#"{"batchItemFailures":[]}"#),
    )
}

/// Returns the scenarios of all functions.
pub(crate) fn samples() -> [Scenario; 5] {
    [issue(), authorize(), connect(), dispatch(), replay()]
}
