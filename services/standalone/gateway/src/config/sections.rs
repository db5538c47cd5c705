//! The sections of the configuration, what is allowed in them, and what they mean to the parts of the
//! server.
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use auth_token::IssuerConfig;
use contract_frames_v1::MAX_MESSAGE_BYTES;
use contract_identity_v1::AuthenticationMethod;
use dispatcher::core::run;
use dispatcher::ports::HistoryPolicy;
use serde::Deserialize;
use shared_telemetry::Format;
use tidings_sockets::Limits;
use tidings_store::{Durability, StorageSettings};
use ws_edge::{ConnectionLimit, EdgeConfig};

use super::{
    Config, ConfigError, DefaultFormat, HandshakeConfig, HubsConfig, LoginConfig, OptionalRate, OptionalSpan,
    SendingConfig, Span, TooMany,
};
use crate::server::{About, ClientMessagePolicy, Settings, TlsFiles};

/// The HTTP surface.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml says what each key does")]
pub struct ServerConfig {
    pub listen: SocketAddr,
    pub tls_certificate: PathBuf,
    pub tls_key: PathBuf,
    pub authenticate: bool,
    pub header_timeout: Span,
    pub body_timeout: Span,
    pub max_http_connections: usize,
    pub max_body_bytes: usize,
    pub max_bulk_body_bytes: usize,
    pub shutdown_timeout: Span,
}

/// The web pages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml says what each key does")]
pub struct PagesConfig {
    pub enabled: bool,
}

/// Connect tokens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml says what each key does")]
pub struct TokensConfig {
    pub issuer: String,
    pub audience: String,
    pub lifetime: Span,
}

/// The limits of connections.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml says what each key does")]
pub struct ConnectionsConfig {
    pub like_aws: bool,
    pub max_message_bytes: usize,
    pub default_format: DefaultFormat,
    pub keepalive: OptionalSpan,
    pub idle_timeout: OptionalSpan,
    pub max_age: OptionalSpan,
    pub close_when_expired: bool,
    pub buffer_bytes: usize,
    pub write_timeout: Span,
    pub connects_per_second: u32,
    pub max_per_user: usize,
    pub too_many: TooMany,
}

/// The limits of runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml says what each key does")]
pub struct DispatcherConfig {
    pub inline_drain: usize,
    pub replay_drain: usize,
    pub page: usize,
    pub grace: Span,
    pub run_budget: Span,
}

/// The store.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml says what each key does")]
pub struct StoreConfig {
    pub durability: Durability,
    pub reserve_bytes: u64,
    pub cache_bytes: u64,
    pub dedup_window: Span,
    pub max_receive_count: u32,
}

/// The history.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml says what each key does")]
pub struct HistoryConfig {
    pub enabled: bool,
    pub lifetime: Span,
    pub payloads: bool,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Logs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml says what each key does")]
pub struct LogConfig {
    pub format: LogFormat,
    pub level: String,
}

fn at_least<T: Copy + PartialOrd + std::fmt::Debug>(
    key: &'static str,
    value: T,
    least: T,
) -> Result<(), ConfigError> {
    if value < least {
        return Err(ConfigError::invalid(key, format!("it is {value:?}; allowed are at least {least:?}")));
    }
    Ok(())
}

fn at_most<T: Copy + PartialOrd + std::fmt::Debug>(
    key: &'static str,
    value: T,
    most: T,
) -> Result<(), ConfigError> {
    if value > most {
        return Err(ConfigError::invalid(key, format!("it is {value:?}; allowed are at most {most:?}")));
    }
    Ok(())
}

fn optional_at_least(key: &'static str, value: OptionalSpan, least: Duration) -> Result<(), ConfigError> {
    value.0.map_or(Ok(()), |value| at_least(key, value, least))
}

pub(super) const SECOND: Duration = Duration::from_secs(1);

impl ServerConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        match (self.tls_certificate.as_os_str().is_empty(), self.tls_key.as_os_str().is_empty()) {
            (true, false) => {
                return Err(ConfigError::invalid(
                    "server.tls_certificate",
                    "it is empty, and server.tls_key is not; give both or none",
                ));
            }
            (false, true) => {
                return Err(ConfigError::invalid(
                    "server.tls_key",
                    "it is empty, and server.tls_certificate is not; give both or none",
                ));
            }
            _ => {}
        }
        at_least("server.header_timeout", self.header_timeout.0, Duration::from_millis(100))?;
        at_least("server.body_timeout", self.body_timeout.0, Duration::from_millis(100))?;
        at_least("server.max_http_connections", self.max_http_connections, 1)?;
        at_least("server.max_body_bytes", self.max_body_bytes, 1_024)?;
        at_least("server.max_bulk_body_bytes", self.max_bulk_body_bytes, self.max_body_bytes)
    }

    /// The certificate's files, if there is to be TLS.
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
        at_most("tokens.lifetime", self.lifetime.0, Duration::from_hours(1))
    }

    /// How tokens are issued.
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

    /// The limits each connection has.
    pub fn limits(&self) -> Limits {
        let limits = Limits {
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

    /// How the dispatcher works.
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

    /// The settings of the store.
    pub fn settings(&self) -> StorageSettings {
        let Self { durability, reserve_bytes, cache_bytes, dedup_window, max_receive_count } = *self;
        StorageSettings {
            durability,
            reserve_bytes,
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

    /// What is recorded; `None` for nothing.
    pub fn policy(&self) -> Option<HistoryPolicy> {
        let Self { enabled, lifetime, payloads } = *self;
        enabled.then_some(HistoryPolicy { lifetime: lifetime.0, payloads })
    }
}

impl LogConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        shared_telemetry::parse_filter(&self.level).map(drop).map_err(|_| {
            let problem = format!(
                "{:?} is no level; allowed are error, warn, info, debug, trace and off, or levels by module: \
                 \"info,tidings=debug\"",
                self.level
            );
            ConfigError::invalid("log.level", problem)
        })
    }

    /// How log lines look.
    pub const fn format(&self) -> Format {
        match self.format {
            LogFormat::Human => Format::Human,
            LogFormat::Json => Format::Json,
        }
    }
}

impl Config {
    /// How the server serves.
    pub fn server(&self) -> Settings {
        let ServerConfig { listen, authenticate, max_http_connections, .. } = self.server;
        let configured =
            (self.connections.connects_per_second > 0).then_some(self.connections.connects_per_second);
        Settings {
            listen,
            authenticate,
            pages: self.pages.enabled,
            about: self.about(),
            header_timeout: self.server.header_timeout.0,
            body_timeout: self.server.body_timeout.0,
            max_http_connections,
            connects_per_second: if self.connections.like_aws { Some(500) } else { configured },
            max_body_bytes: self.server.max_body_bytes,
            max_bulk_body_bytes: self.server.max_bulk_body_bytes,
            shutdown_timeout: self.server.shutdown_timeout.0,
        }
    }

    /// What the server says about itself.
    pub fn about(&self) -> About {
        let HandshakeConfig { token, jwt, hmac, open, .. } = self.handshake;
        let methods = [
            (token, AuthenticationMethod::Token),
            (jwt, AuthenticationMethod::Jwt),
            (hmac, AuthenticationMethod::Hmac),
            (open, AuthenticationMethod::Open),
        ];
        About {
            handshake: methods.into_iter().filter_map(|(on, method)| on.then_some(method)).collect(),
            login: self.login.offer(),
            sending: self.sending.policy,
            everyone: self.hubs.everyone(),
            presence: self.hubs.presence,
            history: self.history.enabled,
            max_message_bytes: self.connections.limits().max_message_bytes,
        }
    }

    /// The edge's limits and policies.
    pub fn edge(&self) -> EdgeConfig {
        let ConnectionsConfig { max_per_user, too_many, close_when_expired, .. } = self.connections;
        let limit = ConnectionLimit { most: max_per_user, excess: too_many.into() };
        EdgeConfig {
            max_message_bytes: self.connections.limits().max_message_bytes,
            default_format: self.connections.default_format.into(),
            client_messages: self.sending.policy(),
            everyone: self.hubs.everyone(),
            presence: self.hubs.presence,
            connection_rate: self.sending.rate_per_connection.0,
            user_rate: self.sending.rate_per_user.0,
            max_connections: (max_per_user > 0).then_some(limit),
            close_when_expired,
            ..EdgeConfig::default()
        }
    }
}

impl Default for Config {
    /// As in `default.toml`.
    fn default() -> Self {
        let off = OptionalSpan(None);
        let Settings { listen, authenticate, header_timeout, body_timeout, max_http_connections, .. } =
            Settings::default();
        let Settings { max_body_bytes, max_bulk_body_bytes, shutdown_timeout, .. } = Settings::default();
        let Limits { buffer_bytes, write_timeout, keepalive, max_message_bytes, .. } = Limits::default();
        let run::Limits { inline_drain, replay_drain, page, .. } = run::Limits::default();
        let StorageSettings {
            durability, reserve_bytes, cache_bytes, dedup_window, max_receive_count, ..
        } = StorageSettings::default();
        Self {
            data_dir: "tidings-data".into(),
            server: ServerConfig {
                listen,
                tls_certificate: PathBuf::new(),
                tls_key: PathBuf::new(),
                authenticate,
                header_timeout: Span(header_timeout),
                body_timeout: Span(body_timeout),
                max_http_connections,
                max_body_bytes,
                max_bulk_body_bytes,
                shutdown_timeout: Span(shutdown_timeout),
            },
            pages: PagesConfig { enabled: true },
            login: LoginConfig::default(),
            handshake: HandshakeConfig::default(),
            tokens: TokensConfig {
                issuer: "tidings".to_owned(),
                audience: "tidings".to_owned(),
                lifetime: Span(contract_identity_v1::TOKEN_LIFETIME),
            },
            connections: ConnectionsConfig {
                like_aws: false,
                max_message_bytes,
                default_format: DefaultFormat::Single,
                keepalive: OptionalSpan(keepalive),
                idle_timeout: off,
                max_age: off,
                close_when_expired: false,
                buffer_bytes,
                write_timeout: Span(write_timeout),
                connects_per_second: 0,
                max_per_user: 0,
                too_many: TooMany::RefuseNewest,
            },
            sending: SendingConfig {
                policy: ClientMessagePolicy::Off,
                rate_per_connection: OptionalRate(None),
                rate_per_user: OptionalRate(None),
            },
            hubs: HubsConfig { everyone: String::new(), presence: false, members: Vec::new() },
            dispatcher: DispatcherConfig {
                inline_drain,
                replay_drain,
                page,
                grace: Span(Duration::ZERO),
                run_budget: Span(Duration::from_secs(10)),
            },
            store: StoreConfig {
                durability,
                reserve_bytes,
                cache_bytes,
                dedup_window: Span(dedup_window),
                max_receive_count,
            },
            history: HistoryConfig {
                enabled: false,
                lifetime: Span(Duration::from_hours(24 * 30)),
                payloads: false,
            },
            log: LogConfig { format: LogFormat::Human, level: "info".to_owned() },
        }
    }
}
