//! A kit for tests on AWS: an endpoint, and tables and queues made as the deployment's contract says. Only
//! for tests; everything reports by panicking.
//!
//! The endpoint is `AWS_ENDPOINT_URL` (LocalStack or any other), or an emulator that `scripts/local-aws`
//! starts for the process. `AWS_ENDPOINT_URL_SQS` and the like are the endpoints of single services. [`TestResources`] have names of their own, so tests don't see each other's rows
//! and messages.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]
#![allow(clippy::missing_panics_doc, reason = "a test reports by panicking")]

mod endpoint;
mod fake_endpoint;
mod queue;
mod resources;
mod table;

pub use aws_config::SdkConfig;
pub use endpoint::{REGION, endpoint, enforcing_endpoint, sdk_config, sdk_config_for, sdk_config_on};
pub use fake_endpoint::{FakeEndpoint, RecordedRequest};
pub use queue::{ReplayDeliveries, TestQueue};
pub use resources::TestResources;
pub use table::{ConnectionsTable, HistoryTable, HubsTable, MailboxTable, RatesTable};
