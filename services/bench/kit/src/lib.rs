//! Shared parts of the benchmarks `bench-peers` and `bench-scaling`.
//!
//! A benchmark measures *points* (a case on a system, an input of a sweep) in one or more *runs*. Each point
//! has a server process of its own ([`process`], [`tidings`]) and gives [`Metrics`] by name. [`Results`]
//! collects them, keeps them through an interruption and is stored as JSON. [`report`] turns them into tables, a
//! page and plots. [`options`] has the command line.

#![allow(clippy::cast_precision_loss, reason = "measurements are never near 2^52")]

pub mod machine;
pub mod markdown;
pub mod metrics;
pub mod number;
pub mod open_files;
pub mod options;
pub mod plot;
pub mod process;
pub mod report;
pub mod results;
pub mod runner;
pub mod spread;
pub mod steal;
pub mod tidings;
pub mod version;

pub use machine::Machine;
pub use metrics::{Metrics, Recorder};
pub use number::number;
pub use options::Options;
pub use plot::Plot;
pub use process::{Process, ReadySignal};
pub use report::Benchmark;
pub use results::{Measurement, NotMeasured, Results};
pub use runner::{Interrupted, Runner, progress};
pub use spread::Spread;
