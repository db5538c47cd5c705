//! Shared parts of the Lambda functions.
//!
//! A function's `main` reads a typed configuration with [`Environment`], makes its clients from
//! [`sdk_config`], which sets timeouts and retries, and passes its service to [`run`], which adds logs,
//! metrics, trace and deadline to each invocation. Adapters convert SDK errors with [`port_error`], and share
//! requests that need batching or paging.

mod authorities;
mod batch_write;
mod clients;
mod environment;
mod error;
#[cfg(feature = "sqs")]
mod fifo;
#[cfg(feature = "hubs")]
mod hub_rows;
mod invocation;
#[cfg(feature = "management")]
mod management;
#[cfg(feature = "sqs")]
mod message_trace;
mod partition;
mod queues;

pub use batch_write::{Unprocessed, batch_write};
pub use clients::{AttemptLimits, http_client, http_connector, sdk_config};
pub use environment::{ConfigError, Environment, Problem, Value};
pub use error::port_error;
#[cfg(feature = "sqs")]
pub use fifo::{FifoMessage, send_fifo};
#[cfg(feature = "hubs")]
pub use hub_rows::{HubMemberRow, HubQuery, HubRows, hub_rows};
pub use invocation::{Invocation, RunConfig, RunError, run};
#[cfg(feature = "management")]
pub use management::management_client;
#[cfg(feature = "sqs")]
pub use message_trace::trace_attributes;
pub use partition::{Item, partition};
pub use queues::Queues;
