//! A function with an event, the calls that it must make, and its expected answer.

use std::collections::BTreeMap;
use std::path::Path;

use contract_deployment_v1::{Function, variables};

/// Name of the table of connections.
pub(crate) const CONNECTIONS_TABLE: &str = "connections";
/// Name of the table of mailboxes.
pub(crate) const MAILBOX_TABLE: &str = "mailbox";

/// A call of an AWS service, as `service operation subject`.
pub(crate) type Call = String;

/// A function with an event.
pub(crate) struct Scenario {
    pub function: &'static Function,
    /// Description of the event.
    pub title: &'static str,
    /// Number of items in the event, such as notifications.
    pub units: u32,
    /// The event as JSON.
    pub event: String,
    /// The calls of one invocation.
    pub calls: Vec<Call>,
    /// A JSON Pointer (RFC 6901) into the answer, and the JSON expected there.
    pub answer: (&'static str, &'static str),
}

impl Scenario {
    /// Returns the number of each call in `invocations`.
    pub(crate) fn calls_in(&self, invocations: usize) -> BTreeMap<Call, usize> {
        let mut calls = BTreeMap::new();
        for call in &self.calls {
            *calls.entry(call.clone()).or_default() += invocations;
        }
        calls
    }

    /// Returns the environment variables of a process, as Lambda sets them
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>). They are the same for all
    /// peers.
    ///
    /// `endpoint` is the URL of the AWS endpoint, and `authorities` the folder with its certificate
    /// authorities.
    pub(crate) fn environment(
        &self,
        endpoint: &str,
        authorities: &Path,
        runtime_api: &str,
    ) -> Vec<(&'static str, String)> {
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
            ("AWS_ENDPOINT_URL", endpoint.to_owned()),
            ("SSL_CERT_FILE", path("all.pem")),
            ("NODE_EXTRA_CA_CERTS", path("own.pem")),
            // The SDK's warning about an old version of Node would cost time.
            ("AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED", "true".to_owned()),
            (variables::CONNECTIONS_TABLE.name, CONNECTIONS_TABLE.to_owned()),
            (variables::MAILBOX_TABLE.name, MAILBOX_TABLE.to_owned()),
            (variables::HUBS_TABLE.name, "hubs".to_owned()),
            (variables::RATES_TABLE.name, "rates".to_owned()),
            (variables::TOKENS_TABLE.name, "tokens".to_owned()),
            (variables::TOKEN_KEY.name, "key".to_owned()),
            (variables::NOTIFICATIONS_QUEUE.name, format!("{endpoint}/123456789012/notifications.fifo")),
            (variables::DEAD_LETTER_QUEUE.name, format!("{endpoint}/123456789012/dead-letters.fifo")),
            (variables::MANAGEMENT_ENDPOINT.name, format!("{endpoint}/prod")),
        ]
    }
}
