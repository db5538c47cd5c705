//! The gateway of one process: its HTTP surface, hubs, history and live metrics, and the wiring of the four services
//! to the embedded store and the sockets.
//!
//! [`app::App`] is the whole server, made from a [`config::Config`]. Requests come in through [`server`], which
//! reaches everything behind HTTP through its [ports](server::Ports); [`runtime`] has the adapters. [`workers`] run
//! the dispatcher and the replayer.

pub mod app;
pub mod config;
pub mod live_metrics;
pub mod metric_table;
pub mod rates;
pub mod reference;
pub mod runtime;
pub mod server;
pub mod timeline;
pub mod tracking;
pub mod workers;
