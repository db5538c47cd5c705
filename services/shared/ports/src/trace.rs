//! Which trace the work under way belongs to, carried along without standing in every port.

use std::future::Future;
use std::sync::Arc;

tokio::task_local! {
    static TRACE: Arc<str>;
}

/// Does `work` as part of a trace, named by its X-Ray tracing header
/// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>).
pub async fn scope<F: Future>(trace: Option<Arc<str>>, work: F) -> F::Output {
    match trace {
        Some(trace) => TRACE.scope(trace, work).await,
        None => work.await,
    }
}

/// The tracing header of the work under way, if it has one.
pub fn current() -> Option<Arc<str>> {
    TRACE.try_with(Arc::clone).ok()
}
