//! What is measured: a function on an event, the calls it then makes, and what it answers.

use std::collections::BTreeMap;
use std::path::Path;

use contract_deployment_v1::{Function, variables};

use crate::aws::{Call, Endpoint};

/// The table of connections.
pub(crate) const CONNECTIONS_TABLE: &str = "connections";
/// The table of mailboxes.
pub(crate) const MAILBOX_TABLE: &str = "mailbox";

/// One function on one event.
pub(crate) struct Scenario {
    /// Which.
    pub function: &'static Function,
    /// What the event is.
    pub title: &'static str,
    /// How many of what the function is about are in it.
    pub units: u32,
    /// What the function is given.
    pub event: String,
    /// The calls of one invocation.
    pub calls: Vec<Call>,
    /// A place in its answer (RFC 6901), and what must stand there, as JSON.
    pub answer: (&'static str, &'static str),
}

impl Scenario {
    /// How often each call is made by so many invocations.
    pub(crate) fn calls_of(&self, invocations: usize) -> BTreeMap<Call, usize> {
        let mut calls = BTreeMap::new();
        for call in &self.calls {
            *calls.entry(call.clone()).or_default() += invocations;
        }
        calls
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
