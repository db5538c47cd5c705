//! Liveness, readiness and the metrics in Prometheus's text format.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tidings_identity::keys::Access;

use super::problem::Problem;
use super::{App, Ports, Readiness as _};
use crate::live_metrics::{Recorder, Tally};

/// Bucket bounds of histograms in seconds: from a push within the machine to a notification that was held for
/// minutes.
const SECONDS: [f64; 15] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 300.0];

/// Errors of installing the metrics recorder.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The buckets of the histograms are not valid.
    #[error("the histograms can't be made")]
    Histograms(#[from] BuildError),
    /// The process has a recorder already.
    #[error("the process records metrics already")]
    Twice,
}

/// The metrics that the process records.
#[derive(Clone)]
pub struct Metrics {
    /// Renders `/metrics`. Its `run_upkeep` must be called every few seconds, or histograms grow.
    pub exposition: PrometheusHandle,
    /// The counts of the live metrics.
    pub tally: Arc<Tally>,
}

/// Installs the process's metrics recorder and describes all metrics of [`METRICS`](crate::metric_table::METRICS).
///
/// # Errors
/// [`MetricsError::Twice`] if the process has a recorder already.
pub fn prometheus() -> Result<Metrics, MetricsError> {
    let inner = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .build_recorder();
    let exposition = inner.handle();
    let recorder = Recorder::new(inner);
    let tally = recorder.tally();
    metrics::set_global_recorder(recorder).map_err(|_| MetricsError::Twice)?;
    crate::metric_table::describe();
    Ok(Metrics { exposition, tally })
}

/// Answers `GET /healthz`: the process is alive.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Answers `GET /readyz`.
pub(super) async fn readyz<P: Ports>(State(app): State<Arc<App<P>>>) -> Result<&'static str, Problem> {
    app.ports.readiness.ready().map(|()| "ready\n").map_err(Problem::unavailable)
}

/// Answers `GET /metrics`, for operators.
pub(super) async fn metrics<P: Ports>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    app.admit(request, 0, Access::Read).await?;
    render(&app)
}

/// Answers `GET /metrics` on a listener of its own.
pub(super) async fn metrics_alone<P: Ports>(State(app): State<Arc<App<P>>>) -> Result<Response, Problem> {
    render(&app)
}

fn render<P: Ports>(app: &App<P>) -> Result<Response, Problem> {
    let Metrics { exposition, .. } =
        app.metrics.as_ref().ok_or_else(|| Problem::unavailable("metrics are not recorded"))?;
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    metrics::gauge!("tidings_open_connections").set(app.registry.open_sockets() as f64);
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(CONTENT_TYPE, content_type)], exposition.render()).into_response())
}
