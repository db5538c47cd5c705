//! The sections about the server, its connections, the dispatcher, the store, the history and logs: their keys, the
//! bounds of the values, and the settings they make.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use auth_token::IssuerConfig;
use contract_frames_v1::MAX_MESSAGE_BYTES;
use contract_notifications_v1::UnknownFields;
use dispatcher::core::run;
use dispatcher::ports::HistoryPolicy;
use serde::Deserialize;
use shared_telemetry::Format;
use tidings_sockets::Limits;
use tidings_store::{Durability, StorageSettings};

use super::ConfigError;
use super::bounds::{SECOND, at_least, at_most, optional_at_least};
use super::client_messages::{Confirm, DefaultFormat, TooMany};
use super::duration::{DurationSetting, OptionalDuration};
use super::keys::OptionalAllowance;
use super::listen_address::{self, MetricsListen};
use crate::server::{ForwardedHeader, TlsFiles};

/// The section `[server]`: the HTTP surface.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml says what each key does")]
pub struct ServerConfig {
    #[serde(deserialize_with = "listen_address::deserialize")]
    pub listen: SocketAddr,
    pub tls_certificate: PathBuf,
    pub tls_key: PathBuf,
    pub authenticate: bool,
    pub expose_development: bool,
    pub metrics_listen: MetricsListen,
    pub hsts_max_age: OptionalDuration,
    pub unknown_fields: UnknownFields,
    pub base_path: String,
    pub trusted_proxies: Vec<String>,
    pub forwarded_header: ForwardedHeader,
    pub public_host: String,
    pub header_timeout: DurationSetting,
    pub body_timeout: DurationSetting,
    pub write_timeout: DurationSetting,
    pub keep_alive: DurationSetting,
    pub max_http_connections: usize,
    pub max_body_bytes: usize,
    pub max_bulk_body_bytes: usize,
    pub shutdown_timeout: DurationSetting,
}

/// The section `[pages]`: the web pages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml says what each key does")]
pub struct PagesConfig {
    pub enabled: bool,
}

/// The section `[tokens]`: connect tokens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml says what each key does")]
pub struct TokensConfig {
    pub issuer: String,
    pub audience: String,
    pub lifetime: DurationSetting,
    pub max_unused: usize,
    pub rate_per_user: OptionalAllowance,
    pub rate_per_key: OptionalAllowance,
}

/// The section `[connections]`: limits of connections.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml says what each key does")]
pub struct ConnectionsConfig {
    pub like_aws: bool,
    pub max_message_bytes: usize,
    pub default_format: DefaultFormat,
    pub confirm: Confirm,
    pub keepalive: OptionalDuration,
    pub idle_timeout: OptionalDuration,
    pub max_age: OptionalDuration,
    pub close_when_expired: bool,
    pub buffer_bytes: usize,
    pub write_timeout: DurationSetting,
    pub connects_per_second: u32,
    pub max_per_user: usize,
    pub too_many: TooMany,
}

/// The section `[dispatcher]`: limits of runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml says what each key does")]
pub struct DispatcherConfig {
    pub inline_drain: usize,
    pub replay_drain: usize,
    pub page: usize,
    pub grace: DurationSetting,
    pub run_budget: DurationSetting,
}

/// The section `[store]`: the store.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml says what each key does")]
pub struct StoreConfig {
    pub durability: Durability,
    pub reserve_bytes: u64,
    pub client_reserve_bytes: u64,
    pub cache_bytes: u64,
    pub dedup_window: DurationSetting,
    pub max_receive_count: u32,
}

/// The section `[history]`: the history.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml says what each key does")]
pub struct HistoryConfig {
    pub enabled: bool,
    pub lifetime: DurationSetting,
    pub payloads: bool,
    pub payload_bytes_per_client: OptionalAllowance,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text for people.
    Human,
    /// One JSON object a line.
    Json,
}

/// The section `[log]`: logs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml says what each key does")]
pub struct LogConfig {
    pub format: LogFormat,
    pub level: String,
    pub security_lines_per_second: u32,
}

impl ServerConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        match (self.tls_certificate.as_os_str().is_empty(), self.tls_key.as_os_str().is_empty()) {
            (true, false) => {
                return Err(ConfigError::invalid(
                    "server.tls_certificate",
                    "it is empty, but server.tls_key is not; set both or none",
                ));
            }
            (false, true) => {
                return Err(ConfigError::invalid(
                    "server.tls_key",
                    "it is empty, but server.tls_certificate is not; set both or none",
                ));
            }
            _ => {}
        }
        self.front()?;
        optional_at_least("server.hsts_max_age", self.hsts_max_age, SECOND)?;
        at_least("server.keep_alive", self.keep_alive.0, SECOND)?;
        at_least("server.header_timeout", self.header_timeout.0, Duration::from_millis(100))?;
        at_least("server.body_timeout", self.body_timeout.0, Duration::from_millis(100))?;
        at_least("server.write_timeout", self.write_timeout.0, SECOND)?;
        at_least("server.max_http_connections", self.max_http_connections, 1)?;
        at_least("server.max_body_bytes", self.max_body_bytes, 1_024)?;
        at_least("server.max_bulk_body_bytes", self.max_bulk_body_bytes, self.max_body_bytes)
    }

    /// Returns the paths of certificate and key; `None` without TLS.
    pub fn tls(&self) -> Option<TlsFiles> {
        let Self { tls_certificate: certificate, tls_key: key, .. } = self;
        (!key.as_os_str().is_empty()).then(|| TlsFiles { certificate: certificate.clone(), key: key.clone() })
    }
}

impl TokensConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        for (key, value) in [("tokens.issuer", &self.issuer), ("tokens.audience", &self.audience)] {
            if value.is_empty() || value.len() > 256 {
                return Err(ConfigError::invalid(key, "it must have 1 to 256 characters"));
            }
        }
        at_least("tokens.lifetime", self.lifetime.0, SECOND)?;
        at_most("tokens.lifetime", self.lifetime.0, Duration::from_hours(1))?;
        at_least("tokens.max_unused", self.max_unused, 100)
    }

    /// Returns the settings of the issuer of connect tokens.
    pub fn issuer(&self) -> IssuerConfig {
        IssuerConfig { lifetime: self.lifetime.0, ..IssuerConfig::new(&self.issuer, &self.audience) }
    }
}

impl ConnectionsConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        at_least("connections.max_message_bytes", self.max_message_bytes, 1_024)?;
        at_most("connections.max_message_bytes", self.max_message_bytes, MAX_MESSAGE_BYTES)?;
        optional_at_least("connections.keepalive", self.keepalive, SECOND)?;
        optional_at_least("connections.idle_timeout", self.idle_timeout, SECOND)?;
        optional_at_least("connections.max_age", self.max_age, SECOND)?;
        at_least("connections.buffer_bytes", self.buffer_bytes, 1_024)?;
        at_least("connections.write_timeout", self.write_timeout.0, SECOND)
    }

    /// Returns the limits of each connection.
    pub fn limits(&self) -> Limits {
        let limits = Limits {
            confirm: self.confirm.into(),
            buffer_bytes: self.buffer_bytes,
            write_timeout: self.write_timeout.0,
            keepalive: self.keepalive.0,
            idle_timeout: self.idle_timeout.0,
            max_age: self.max_age.0,
            close_when_expired: self.close_when_expired,
            max_message_bytes: self.max_message_bytes,
            max_frame_bytes: MAX_MESSAGE_BYTES,
            ..Limits::default()
        };
        if self.like_aws { limits.like_aws() } else { limits }
    }
}

impl DispatcherConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        at_least("dispatcher.replay_drain", self.replay_drain, 1)?;
        at_least("dispatcher.page", self.page, 1)?;
        at_most("dispatcher.page", self.page, 10_000)?;
        at_most("dispatcher.grace", self.grace.0, Duration::from_mins(1))?;
        at_least("dispatcher.run_budget", self.run_budget.0, Duration::from_millis(100))
    }

    /// Returns the settings of the dispatcher.
    pub fn settings(&self) -> dispatcher::Settings {
        let limits = run::Limits {
            inline_drain: self.inline_drain,
            replay_drain: self.replay_drain,
            page: self.page,
            grace: self.grace.0,
            ..run::Limits::default()
        };
        dispatcher::Settings { limits, ..dispatcher::Settings::default() }
    }
}

impl StoreConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        at_least("store.cache_bytes", self.cache_bytes, 1024 * 1024)?;
        at_most("store.dedup_window", self.dedup_window.0, Duration::from_hours(24))?;
        at_least("store.max_receive_count", self.max_receive_count, 1)
    }

    /// Returns the settings of the store.
    pub fn settings(&self) -> StorageSettings {
        let Self { durability, reserve_bytes, client_reserve_bytes, cache_bytes, .. } = *self;
        let Self { dedup_window, max_receive_count, .. } = *self;
        StorageSettings {
            durability,
            reserve_bytes,
            client_reserve_bytes,
            cache_bytes,
            dedup_window: dedup_window.0,
            max_receive_count,
            ..StorageSettings::default()
        }
    }
}

impl HistoryConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        at_least("history.lifetime", self.lifetime.0, Duration::from_mins(1))?;
        at_most("history.lifetime", self.lifetime.0, Duration::from_hours(24 * 3_653))
    }

    /// Returns the policy of the history; `None` if none is kept.
    pub fn policy(&self) -> Option<HistoryPolicy> {
        let Self { enabled, lifetime, payloads, .. } = *self;
        enabled.then_some(HistoryPolicy { lifetime: lifetime.0, payloads })
    }
}

impl LogConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        shared_telemetry::parse_filter(&self.level)
            .map(drop)
            .map_err(|error| ConfigError::invalid("log.level", error.to_string()))
    }

    /// Returns the format of log lines.
    pub const fn format(&self) -> Format {
        match self.format {
            LogFormat::Human => Format::Human,
            LogFormat::Json => Format::Json,
        }
    }
}
