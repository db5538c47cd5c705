//! What tests of the functions on AWS need: an endpoint, and tables and queues on it as the deployment's
//! contract says. Only for tests; everything reports by panicking.
//!
//! The endpoint is `AWS_ENDPOINT_URL` (LocalStack, or any other), or an emulator started for this process
//! with `scripts/local-aws`. Every [`World`] has names of its own, so tests don't see each other.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]
#![allow(clippy::missing_panics_doc, reason = "a test reports by panicking")]

mod endpoint;
mod queue;
mod stand_in;
mod table;
mod world;

pub use aws_config::SdkConfig;
pub use endpoint::{REGION, endpoint, enforcing_endpoint, sdk_config, sdk_config_for};
pub use queue::{ReplayDeliveries, TestQueue};
pub use stand_in::{Asked, StandIn};
pub use table::{ConnectionsTable, HistoryTable, HubsTable, MailboxTable, RatesTable};
pub use world::World;
