//! A deployment on an AWS endpoint for end-to-end tests: the functions' real binaries, deployed by the Pulumi
//! program, with its producers, clients, users and operator. Only for tests.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]
#![allow(clippy::missing_panics_doc, reason = "a test reports by panicking")]

mod deployment;
mod device;
mod http;
mod meter;
mod operator;
mod stack_queues;
mod users;

pub use deployment::{Deployment, OPEN, Processes, binary};
pub use device::Device;
pub use meter::{Meter, Usage};
pub use stack_queues::{Ran, StackQueues};
pub use users::Login;
