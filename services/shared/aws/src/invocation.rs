//! The run loop of a function: logs, metrics, trace and deadline of each invocation.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use contract_deployment_v1::{Function, variables};
use contract_notifications_v1::Timestamp;
use lambda_runtime::{LambdaEvent, Runtime, service_fn};
use metrics_cloudwatch_embedded::Builder;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared_ports::trace;
use shared_telemetry::Format;
use tracing::Instrument as _;

use crate::environment::Environment;

/// Log and metrics settings of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunConfig {
    function: &'static Function,
    log: String,
    namespace: String,
}

impl RunConfig {
    /// Reads the variables that all functions have.
    pub fn read(function: &'static Function, environment: &mut Environment<'_>) -> Self {
        let log = environment.get_with(&variables::LOG, "a level, or levels by module", |filter| {
            shared_telemetry::parse_filter(filter).is_ok().then(|| filter.to_owned())
        });
        Self { function, log, namespace: environment.get(&variables::METRICS_NAMESPACE) }
    }
}

/// One invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation<T> {
    /// The event.
    pub event: T,
    /// Time at which Lambda ends the invocation.
    pub deadline: Timestamp,
    /// The request id, which is in every log line of the invocation.
    pub request_id: String,
}

/// Crates that log requests and events, and with them payloads, at levels below `warn`. Only their warnings
/// and errors are logged, at any configured level.
const QUIET: [&str; 11] = [
    "aws_config",
    "aws_runtime",
    "aws_sdk_apigatewaymanagement",
    "aws_sdk_dynamodb",
    "aws_sdk_kms",
    "aws_sdk_sqs",
    "aws_smithy_http_client",
    "aws_smithy_runtime",
    "hyper",
    "hyper_util",
    "lambda_runtime",
];

/// Returns the filter with the [`QUIET`] crates limited to warnings.
fn quiet(filter: &str) -> String {
    QUIET.iter().fold(filter.to_owned(), |filter, name| format!("{filter},{name}=warn"))
}

impl<T> Invocation<T> {
    /// Returns the deadline less `reserve`, the time that is left for the response.
    pub fn try_until(&self, reserve: Duration) -> Timestamp {
        let reserve = u64::try_from(reserve.as_millis()).unwrap_or(u64::MAX);
        Timestamp::from_millis(self.deadline.millis().saturating_sub(reserve))
    }
}

/// Errors of [`run`].
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Logging can't be set up.
    #[error(transparent)]
    Log(#[from] shared_telemetry::InitError),
    /// The metrics recorder can't be set up.
    #[error("metrics can't be recorded")]
    Metrics(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The Lambda runtime failed.
    #[error("the Lambda runtime failed")]
    Runtime(#[source] lambda_runtime::Error),
}

/// Handles invocations with `handle` until the environment is shut down. `describe` registers the service's
/// metrics.
///
/// - Logs go to standard error as JSON, each line with the invocation's request id.
/// - The work of an invocation is part of the trace that it came with ([`trace`]).
/// - Metrics go to standard output at the end of each invocation, in CloudWatch's embedded metric format
///   (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
///
/// # Errors
/// [`RunError`] if logs or metrics can't be set up, or the runtime fails.
pub async fn run<T, R, E, F>(
    config: RunConfig,
    describe: fn(),
    handle: impl Fn(Invocation<T>) -> F,
) -> Result<(), RunError>
where
    T: DeserializeOwned,
    R: Serialize,
    E: Into<Box<dyn std::error::Error + Send + Sync>> + std::fmt::Debug,
    F: Future<Output = Result<R, E>>,
{
    shared_telemetry::init(Format::Json, &quiet(&config.log))?;
    let metrics = Builder::new()
        .cloudwatch_namespace(config.namespace)
        .with_dimension("service", config.function.name)
        .init()
        .map_err(RunError::Metrics)?;
    describe();
    let handle = &handle;
    let invoke = async move |event: LambdaEvent<T>| {
        let LambdaEvent { payload, context } = event;
        metrics.set_property("requestId", context.request_id.as_str());
        // The span has the highest level, so that no filter removes the request id from the log.
        let span = tracing::error_span!("invocation", requestId = context.request_id);
        let trace = context.xray_trace_id.map(Arc::from);
        let deadline = Timestamp::from_millis(context.deadline);
        let invocation = Invocation { event: payload, deadline, request_id: context.request_id };
        let result = trace::scope(trace, Box::pin(handle(invocation))).instrument(span).await;
        if let Err(error) = metrics.flush(std::io::stdout()) {
            let error = shared_telemetry::chain(&error);
            tracing::warn!(error, "metrics could not be written");
        }
        result.map_err(Into::into)
    };
    // Boxed, as is the future above, because the compiler refuses types that are nested too deeply.
    Box::pin(Runtime::new(service_fn(invoke)).run()).await.map_err(RunError::Runtime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_that_log_payloads_are_quiet() {
        let filter = quiet("trace,aws_smithy_runtime=trace");
        let parsed = shared_telemetry::parse_filter(&filter).unwrap().to_string();
        for name in QUIET {
            assert!(parsed.contains(&format!("{name}=warn")), "{parsed}");
        }
        assert!(!parsed.contains("aws_smithy_runtime=trace"), "{parsed}");
    }

    #[test]
    fn try_until_leaves_the_reserve() {
        let deadline = Timestamp::from_millis(10_000);
        let invocation = Invocation { event: (), deadline, request_id: String::new() };
        assert_eq!(invocation.try_until(Duration::from_secs(2)).millis(), 8_000);
        assert_eq!(invocation.try_until(Duration::from_secs(20)).millis(), 0);
    }
}
