//! Reads the live metrics.

use contract_notifications_v1::Timestamp;

use crate::live_metrics::{LiveMetrics, Snapshot};
use crate::server::LiveMetricsReader;

/// The live metrics, if the process records metrics.
pub struct RecordedMetrics(pub(super) Option<LiveMetrics>);

impl LiveMetricsReader for RecordedMetrics {
    fn since(&self, after: Option<Timestamp>) -> Option<Vec<Snapshot>> {
        self.0.as_ref().map(|live_metrics| live_metrics.since(after))
    }
}
