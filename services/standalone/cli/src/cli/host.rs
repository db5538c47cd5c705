//! The only place where the command line touches the server.
use std::ffi::OsString;
use std::path::Path;

use anyhow::Context as _;
use contract_notifications_v1::UserId;
use serde_json::json;
use tidings_gateway::app::{App, STORE};
use tidings_gateway::config::{Config, ConfigError, DEFAULT};
use tidings_gateway::server;
use tokio::signal::unix::{SignalKind, signal};

use super::serve::Settings;
use super::{BadConfiguration, Output, Tone};
use crate::open_files::raise_limit;

/// Runs the server until it is told to stop (SIGTERM or SIGINT).
pub(super) fn serve(settings: &Settings, data_dir: Option<&Path>, output: &mut Output) -> anyhow::Result<()> {
    let config = load(settings, data_dir)?;
    shared_telemetry::init(config.log.format(), &config.log.level)?;
    if let Some(limit) = raise_limit() {
        tracing::info!(limit, "open files, and so connections, are limited; see ulimit -n");
    }
    let metrics = server::prometheus().context("metrics can't be recorded")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the asynchronous runtime could not be started")?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("SIGTERM can't be waited for")?;
        let app = App::build(&config, Some(metrics))?;
        welcome(&app.url(), &config, output)?;
        app.run(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            tracing::info!("shutting down");
        })
        .await;
        Ok(())
    })
}

/// Says where the server is, which is when it can be used.
fn welcome(url: &str, config: &Config, output: &mut Output) -> anyhow::Result<()> {
    if config.handshake.open {
        tracing::warn!("handshake.open is on: anyone may connect as any user; for development only");
    }
    if !config.server.authenticate {
        tracing::warn!("server.authenticate is off: anyone may send notifications and read dead letters");
    }
    let key = config.data_dir.join(tidings_identity::credentials::API_KEY_FILE);
    let pages = config.pages.enabled && server::pages::are_built();
    output.result(&json!({ "ready": true, "url": url, "apiKeyFile": key, "pages": pages }), |output| {
        let title = output.paint(Tone::Strong, &format!("Tidings is ready at {url}"));
        let mut lines = vec![title];
        if pages {
            let users: Vec<_> = config.login.shown_users.iter().map(UserId::as_str).collect();
            let who =
                if users.is_empty() { String::new() } else { format!(", log in as {}", users.join(", ")) };
            lines.push(format!("  chat     {url}/{who}"));
            lines.push(format!("  console  {url}/console/"));
        } else if config.pages.enabled {
            lines.push(
                "  pages    none: they are built with Node.js 20.19 or later; see scripts/build-pages"
                    .to_owned(),
            );
        }
        lines.push(format!("  API key  {}", key.display()));
        lines.push("  stop it  Ctrl-C".to_owned());
        lines.join("\n")
    })?;
    Ok(())
}

/// Reads the configuration as the server would.
pub(super) fn check_config(settings: &Settings, data_dir: Option<&Path>) -> anyhow::Result<()> {
    load(settings, data_dir).map(drop)
}

/// The commented default configuration file.
pub(super) const fn default_config() -> &'static str {
    DEFAULT
}

/// The configuration as the server would use it, in TOML or JSON.
pub(super) fn show_config(
    settings: &Settings,
    data_dir: Option<&Path>,
    json: bool,
) -> anyhow::Result<String> {
    let environment = environment(settings, data_dir);
    let table =
        Config::effective(settings.defaults(), settings.config.as_deref(), environment).map_err(bad)?;
    Ok(if json { serde_json::to_string(&table)? } else { toml::to_string(&table)? })
}

/// Says what the store of a server that does not run holds, and what is wrong with it.
pub(super) fn check_store(
    settings: &Settings,
    data_dir: Option<&Path>,
) -> anyhow::Result<tidings_store::Check> {
    let config = load(settings, data_dir)?;
    Ok(tidings_store::check(&config.data_dir.join(STORE))?)
}

/// Makes a store that can be opened of what can be read.
pub(super) fn repair_store(
    settings: &Settings,
    data_dir: Option<&Path>,
) -> anyhow::Result<tidings_store::Repaired> {
    let config = load(settings, data_dir)?;
    Ok(tidings_store::repair(&config.data_dir.join(STORE), &config.store.settings())?)
}

/// The configuration: the file, then the environment, then the flags.
fn load(settings: &Settings, data_dir: Option<&Path>) -> anyhow::Result<Config> {
    let environment = environment(settings, data_dir);
    Ok(Config::load(settings.defaults(), settings.config.as_deref(), environment).map_err(bad)?)
}

fn bad(error: ConfigError) -> BadConfiguration {
    BadConfiguration(Box::new(error))
}

/// The environment, and the flags as if they were the last of it.
fn environment(settings: &Settings, data_dir: Option<&Path>) -> impl Iterator<Item = (String, String)> {
    let flags = [
        ("TIDINGS_DATA_DIR", data_dir.map(|path| path.display().to_string())),
        ("TIDINGS_SERVER__LISTEN", settings.listen.clone()),
        ("TIDINGS_STORE__DURABILITY", settings.durability.clone()),
        ("TIDINGS_CONNECTIONS__LIKE_AWS", settings.like_aws.then(|| "true".to_owned())),
    ];
    // A variable that is not text can be no setting.
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let flags = flags.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    std::env::vars_os().filter_map(text).chain(flags)
}
