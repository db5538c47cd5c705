//! `tidings serve`: runs the server in this process.

use anyhow::Context as _;
use clap::Args;
use contract_notifications_v1::UserId;
use serde_json::json;
use tidings_gateway::app::App;
use tidings_gateway::config::Config;
use tidings_gateway::server::{self, ReloadRequest};
use tidings_identity::credentials::API_KEY_FILE;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::server_options::{ServerOptions, unknown_server_variables};
use super::{Exit, Globals, Output, Tone};
use crate::open_files::raise_limit;
use crate::private_files;

/// Run the server
///
/// Runs until SIGTERM or SIGINT. SIGHUP reads the TLS certificate and its key again, as a change of their files does. The configuration file can contain every setting; see `tidings config default`.
#[derive(Debug, Default, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    options: ServerOptions,
}

impl Serve {
    pub(super) fn run(self, globals: &Globals, output: &mut Output) -> anyhow::Result<Exit> {
        let config = self.options.load(globals.data_dir.as_deref())?;
        shared_telemetry::init(config.log.format(), &config.log.level)?;
        private_files::make_new_files_private();
        let mended = private_files::close_to_others(&config.data_dir)?;
        if mended > 0 {
            let data_dir = config.data_dir.display();
            tracing::warn!(%data_dir, mended, "other users could read or change files of the data directory; no longer");
        }
        if let Some(owner) = private_files::other_owner(&config.data_dir) {
            let data_dir = config.data_dir.display();
            tracing::warn!(%data_dir, owner, "the data directory belongs to another user, who can read and change all in it");
        }
        for unknown in unknown_server_variables(&config) {
            tracing::warn!("{unknown}");
        }
        if let Some(limit) = raise_limit() {
            tracing::info!(
                limit,
                "the number of open files, and so of connections, is limited; see ulimit -n"
            );
        }
        let metrics = server::prometheus().context("the metrics recorder could not be installed")?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("the asynchronous runtime could not be started")?;
        runtime.block_on(async {
            let mut terminate =
                signal(SignalKind::terminate()).context("the handler of SIGTERM could not be installed")?;
            // From here on, SIGHUP does not end the process.
            let hang_up =
                signal(SignalKind::hangup()).context("the handler of SIGHUP could not be installed")?;
            let app = App::build(&config, Some(metrics))?;
            announce(&app.url(), &config, output)?;
            if let Some(address) = app.metrics_addr() {
                tracing::info!(%address, "metrics are served here without a credential");
            }
            tokio::spawn(reload_on(hang_up, app.reload_request(), config.server.tls().is_some()));
            app.run(async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = tokio::signal::ctrl_c() => {}
                }
                tracing::info!("shutting down");
            })
            .await;
            Ok(Exit::Ok)
        })
    }
}

/// Asks for a reload of certificate and key at each SIGHUP.
async fn reload_on(mut hang_up: Signal, reload: ReloadRequest, has_certificate: bool) {
    while hang_up.recv().await.is_some() {
        if has_certificate {
            reload.send();
        } else {
            tracing::info!("SIGHUP has no effect: the server has no certificate to read again");
        }
    }
}

/// Prints the server's addresses. From then on the server can be used.
fn announce(url: &str, config: &Config, output: &mut Output) -> anyhow::Result<()> {
    if config.handshake.open {
        tracing::warn!("handshake.open is on: anyone can connect as any user; use it for development only");
    }
    if !config.server.authenticate {
        tracing::warn!("server.authenticate is off: anyone can send notifications and read dead letters");
    }
    if config.server.expose_development && !config.development_settings().is_empty() {
        let settings = config.development_settings().join(", ");
        tracing::warn!(settings, "settings for development only are exposed to other machines");
    }
    let key = config.data_dir.join(API_KEY_FILE);
    let pages = config.pages.enabled && server::pages::are_built();
    output.result(&json!({ "ready": true, "url": url, "apiKeyFile": key, "pages": pages }), |output| {
        let title = output.paint(Tone::Strong, &format!("Tidings is ready at {url}"));
        let mut lines = vec![title];
        if pages {
            let users: Vec<_> = config.login.shown_users.iter().map(UserId::as_written).collect();
            let login =
                if users.is_empty() { String::new() } else { format!(", log in as {}", users.join(", ")) };
            lines.push(format!("  chat     {url}/{login}"));
            lines.push(format!("  console  {url}/console/"));
        } else if config.pages.enabled {
            lines.push(
                "  pages    not built; run scripts/build-pages, which needs Node.js 20.19 or later"
                    .to_owned(),
            );
        }
        lines.push(format!("  API key  {}", key.display()));
        lines.push("  stop     Ctrl-C".to_owned());
        lines.join("\n")
    })?;
    Ok(())
}
