//! The gateway of one process: its HTTP surface, hubs, history and live metrics, and the wiring of the four services
//! to the embedded store and the sockets.
//!
//! [`app::App`] is the whole server, made from a [`config::Config`]. Requests come in by [`server`], which asks
//! [`runtime::Runtime`] for everything behind HTTP; [`workers`] run the dispatcher and the replayer.

pub mod app;
pub mod config;
pub mod figures;
pub mod following;
pub mod history;
pub mod hubs;
pub mod life;
pub mod rates;
pub mod runtime;
pub mod server;
pub mod workers;
