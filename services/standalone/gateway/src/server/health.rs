//! Whether the server is alive and ready, and its metrics.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use super::problem::Problem;
use super::{App, Services};
use crate::figures::{Recorder, Tally};

/// Bounds of histograms of seconds: from a push within the machine to a notification that was held for a
/// while.
const SECONDS: [f64; 15] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 300.0];

/// Why no metrics are recorded.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The buckets of the histograms.
    #[error("the histograms can't be made")]
    Histograms(#[from] BuildError),
    /// There is a recorder.
    #[error("the process records metrics already")]
    Twice,
}

/// What the process records.
#[derive(Clone)]
pub struct Metrics {
    /// What `/metrics` shows. Its `run_upkeep` is to be called now and then.
    pub exposition: PrometheusHandle,
    /// What the figures are made of.
    pub tally: Arc<Tally>,
}

/// Makes the process record metrics.
///
/// # Errors
/// When the process records metrics already.
pub fn prometheus() -> Result<Metrics, MetricsError> {
    let inner = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .build_recorder();
    let exposition = inner.handle();
    let recorder = Recorder::new(inner);
    let tally = recorder.tally();
    metrics::set_global_recorder(recorder).map_err(|_| MetricsError::Twice)?;
    Ok(Metrics { exposition, tally })
}

pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

pub(super) async fn readyz<S: Services>(State(app): State<Arc<App<S>>>) -> Result<&'static str, Problem> {
    app.services.ready().map(|()| "ready\n").map_err(Problem::unavailable)
}

pub(super) async fn metrics<S: Services>(State(app): State<Arc<App<S>>>) -> Result<Response, Problem> {
    let Metrics { exposition, .. } =
        app.metrics.as_ref().ok_or_else(|| Problem::unavailable("metrics are not recorded"))?;
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    metrics::gauge!("tidings_open_connections").set(app.registry.open_sockets() as f64);
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(CONTENT_TYPE, content_type)], exposition.render()).into_response())
}
