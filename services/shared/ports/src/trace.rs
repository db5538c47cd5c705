//! The current trace, a task-local value, so that ports need no parameter for it.

use std::future::Future;
use std::sync::Arc;

tokio::task_local! {
    static TRACE: Arc<str>;
}

/// Runs `work` as part of a trace, given as its X-Ray tracing header
/// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>).
pub async fn scope<F: Future>(trace: Option<Arc<str>>, work: F) -> F::Output {
    match trace {
        Some(trace) => TRACE.scope(trace, work).await,
        None => work.await,
    }
}

/// Returns the tracing header of the current trace, if there is one.
pub fn current() -> Option<Arc<str>> {
    TRACE.try_with(Arc::clone).ok()
}
