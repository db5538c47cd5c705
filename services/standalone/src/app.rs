//! The program: from its configuration to a server that runs until it is told to stop.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use dispatcher::Dispatcher;
use replayer::{Replayer, ReplayerConfig};
use shared_ports::SystemClock;
use tokio::sync::{mpsc, watch};

use crate::config::Config;
use crate::connections::{Registry, run_sweeper};
use crate::identity::credentials::Credentials;
use crate::runtime::{Runtime, RuntimeConfig};
use crate::server::{self, Server, TlsKeys};
use crate::storage::{LastKey, Store};
use crate::workers::{run_dispatcher, run_replayer};
