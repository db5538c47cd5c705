//! What surrounds an invocation.

use std::future::Future;
use std::time::Duration;

use contract_deployment_v1::{Function, variables};
use contract_notifications_v1::Timestamp;
use lambda_runtime::{LambdaEvent, service_fn};
use metrics_cloudwatch_embedded::Builder;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared_telemetry::Format;

use crate::Environment;

/// What every function needs to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunConfig {
    function: &'static Function,
    log: String,
    namespace: String,
}

impl RunConfig {
    /// Reads the variables all functions have.
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
    /// What the function was invoked with.
    pub event: T,
    /// When its time is over.
    pub deadline: Timestamp,
    /// Names the invocation in logs.
    pub request_id: String,
}

impl<T> Invocation<T> {
    /// Until when to try, so that `reserve` is left to answer.
    pub fn try_until(&self, reserve: Duration) -> Timestamp {
        let reserve = u64::try_from(reserve.as_millis()).unwrap_or(u64::MAX);
        Timestamp::from_millis(self.deadline.millis().saturating_sub(reserve))
    }
}

/// Why a function does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Logging can't begin.
    #[error(transparent)]
    Log(#[from] shared_telemetry::InitError),
    /// Metrics can't be recorded.
    #[error("metrics can't be recorded")]
    Metrics(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The runtime of Lambda failed.
    #[error("the runtime failed")]
    Runtime(#[source] lambda_runtime::Error),
}

/// Answers invocations with `handle` until the environment is shut down.
///
/// Logs in JSON to standard error, each line with the invocation's request id. What was measured during an
/// invocation is written to standard output at its end, in CloudWatch's embedded metric format
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
///
/// # Errors
/// [`RunError`] when it can't begin, or the runtime fails.
pub async fn run<T, R, E, F>(config: RunConfig, handle: impl Fn(Invocation<T>) -> F) -> Result<(), RunError>
where
    T: DeserializeOwned,
    R: Serialize,
    E: Into<Box<dyn std::error::Error + Send + Sync>> + std::fmt::Debug,
    F: Future<Output = Result<R, E>>,
{
    shared_telemetry::init(Format::Json, &config.log)?;
    let metrics = Builder::new()
        .cloudwatch_namespace(config.namespace)
        .with_dimension("service", config.function.name)
        .init()
        .map_err(|error| RunError::Metrics(error.into()))?;
    let handle = &handle;
    let invoke = async move |event: LambdaEvent<T>| {
        let LambdaEvent { payload, context } = event;
        metrics.set_property("requestId", context.request_id.as_str());
        let deadline = Timestamp::from_millis(context.deadline);
        let result = handle(Invocation { event: payload, deadline, request_id: context.request_id }).await;
        if let Err(error) = metrics.flush(std::io::stdout()) {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "metrics could not be written");
        }
        result.map_err(Into::into)
    };
    lambda_runtime::run(service_fn(invoke)).await.map_err(RunError::Runtime)
}
