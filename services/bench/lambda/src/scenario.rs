//! What is measured: each function on a sample event, the calls it then makes, and what it answers.

use std::path::Path;

use contract_deployment_v1::{
    AUTH_TOKEN_AUTHORIZER, AUTH_TOKEN_ISSUER, DISPATCHER, Function, REPLAYER, WS_EDGE, variables,
};

use crate::aws::{Call, Endpoint};

/// The table of connections.
pub(crate) const CONNECTIONS_TABLE: &str = "connections";
/// The table of mailboxes.
pub(crate) const MAILBOX_TABLE: &str = "mailbox";

/// One function on one event.
pub(crate) struct Scenario {
    /// Which.
    pub function: &'static Function,
    /// The sample event of its own tests.
    pub sample: &'static str,
    /// The calls of one invocation, sorted.
    pub calls: &'static [&'static str],
    /// A place in its answer (RFC 6901), and what must stand there, as JSON.
    pub answer: (&'static str, &'static str),
}

/// All of them.
pub(crate) const SCENARIOS: [Scenario; 5] = [
    Scenario {
        function: &AUTH_TOKEN_ISSUER,
        sample: include_str!("../../../auth-token/lambda/events/issue-http-api.json"),
        calls: &["dynamodb PutItem tokens", "kms Encrypt key"],
        answer: ("/statusCode", "200"),
    },
    Scenario {
        function: &AUTH_TOKEN_AUTHORIZER,
        sample: include_str!("../../../auth-token/lambda/events/authorize.json"),
        calls: &["dynamodb DeleteItem tokens", "kms Decrypt key"],
        answer: ("/policyDocument/Statement/0/Effect", r#""Allow""#),
    },
    Scenario {
        function: &WS_EDGE,
        sample: include_str!("../../../ws-edge/lambda/events/connect.json"),
        calls: &["dynamodb PutItem connections"],
        answer: ("", r#"{"headers":{"Sec-WebSocket-Protocol":"tidings.v1"},"statusCode":200}"#),
    },
    Scenario {
        function: &DISPATCHER,
        sample: include_str!("../../../dispatcher/lambda/events/sqs-batch.json"),
        calls: &[
            "dynamodb DeleteItem mailbox",
            "dynamodb Query connections",
            "dynamodb Query connections",
            "dynamodb Query mailbox",
            "dynamodb Query mailbox",
            "execute-api PostToConnection alice-1",
            "execute-api PostToConnection bob-1",
        ],
        answer: ("", r#"{"batchItemFailures":[]}"#),
    },
    Scenario {
        function: &REPLAYER,
        sample: include_str!("../../../replayer/lambda/events/stream-batch.json"),
        calls: &[
            "dynamodb Query mailbox",
            "dynamodb Query mailbox",
            "sqs SendMessageBatch 10",
            "sqs SendMessageBatch 10",
        ],
        answer: ("", r#"{"batchItemFailures":[]}"#),
    },
];

impl Scenario {
    /// What the function is given. The sample of a handshake has two tokens, as what is read from it is tested
    /// with; to be let in, both must be the same.
    pub(crate) fn event(&self) -> String {
        self.sample.replace("AQICAHhvdGhlcg", "AQICAHh0b2tlbg")
    }

    /// The calls of `invocations`, sorted.
    pub(crate) fn calls_of(&self, invocations: usize) -> Vec<Call> {
        self.calls.iter().flat_map(|call| std::iter::repeat_n((*call).to_owned(), invocations)).collect()
    }

    /// The environment of a process, as Lambda sets it
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>); the same for all peers.
    /// `authorities` is what [`Endpoint::write_authorities`] wrote.
    pub(crate) fn environment(
        &self,
        endpoint: &Endpoint,
        authorities: &Path,
        runtime_api: &str,
    ) -> Vec<(&'static str, String)> {
        let url = endpoint.url();
        let path = |file: &str| authorities.join(file).display().to_string();
        vec![
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ("AWS_SESSION_TOKEN", "session".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_LAMBDA_FUNCTION_NAME", self.function.name.to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769".to_owned()),
            ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_owned()),
            ("AWS_ENDPOINT_URL", url.clone()),
            ("SSL_CERT_FILE", path("all.pem")),
            ("NODE_EXTRA_CA_CERTS", path("own.pem")),
            // To print a warning that this version of Node is old would cost it time.
            ("AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED", "true".to_owned()),
            (variables::CONNECTIONS_TABLE.name, CONNECTIONS_TABLE.to_owned()),
            (variables::MAILBOX_TABLE.name, MAILBOX_TABLE.to_owned()),
            (variables::HUBS_TABLE.name, "hubs".to_owned()),
            (variables::RATES_TABLE.name, "rates".to_owned()),
            (variables::TOKENS_TABLE.name, "tokens".to_owned()),
            (variables::TOKEN_KEY.name, "key".to_owned()),
            (variables::NOTIFICATIONS_QUEUE.name, format!("{url}/123456789012/notifications.fifo")),
            (variables::DEAD_LETTER_QUEUE.name, format!("{url}/123456789012/dead-letters.fifo")),
            (variables::MANAGEMENT_ENDPOINT.name, format!("{url}/prod")),
        ]
    }
}
