//! Deployments on AWS: credentials, and calls to SQS.
//!
//! There is no AWS SDK in the program: it would take more time to build, and more space, than the five calls that
//! the program makes. A call is a signed `POST` of JSON.

mod credentials;
mod queue;

pub(crate) use credentials::{CredentialsError, find_credentials};
pub(crate) use queue::{BatchEntry, Queue, QueueError, Sqs};
