//! The defaults in code. A test keeps them equal to those in `default.toml`.

use std::path::PathBuf;
use std::time::Duration;

use dispatcher::core::run;
use tidings_budget::Allowance;
use tidings_identity::tokens::DEFAULT_CAPACITY;
use tidings_sockets::Limits;
use tidings_store::StorageSettings;

use super::{
    ClientMessagesConfig, Config, Confirm, ConnectionsConfig, DefaultFormat, DispatcherConfig,
    DurationSetting, HandshakeConfig, HistoryConfig, HubsConfig, KeysConfig, LimitsConfig, LogConfig,
    LogFormat, LoginConfig, MetricsListen, OptionalAllowance, OptionalDuration, PagesConfig, ServerConfig,
    StoreConfig, TokensConfig, TooMany,
};
use crate::server::{ForwardedHeader, Settings};

impl Default for Config {
    /// Returns the defaults of `default.toml`.
    #[expect(clippy::too_many_lines, reason = "one line for each setting")]
    fn default() -> Self {
        let off = OptionalDuration(None);
        let allow = |most, per| OptionalAllowance(Allowance::new(most, per).ok());
        let Settings { listen, authenticate, header_timeout, body_timeout, max_http_connections, .. } =
            Settings::default();
        let Settings { max_body_bytes, max_bulk_body_bytes, shutdown_timeout, .. } = Settings::default();
        let Settings { unknown_fields, keep_alive, write_timeout: answer_timeout, .. } = Settings::default();
        let Settings { hsts_max_age, .. } = Settings::default();
        let Limits { buffer_bytes, write_timeout, keepalive, max_message_bytes, .. } = Limits::default();
        let run::Limits { inline_drain, replay_drain, page, .. } = run::Limits::default();
        let StorageSettings {
            durability,
            reserve_bytes,
            client_reserve_bytes,
            cache_bytes,
            dedup_window,
            max_receive_count,
            ..
        } = StorageSettings::default();
        Self {
            deprecated: Vec::new(),
            development: false,
            data_dir: "tidings-data".into(),
            server: ServerConfig {
                listen,
                tls_certificate: PathBuf::new(),
                tls_key: PathBuf::new(),
                authenticate,
                expose_development: false,
                metrics_listen: MetricsListen::default(),
                hsts_max_age: OptionalDuration(hsts_max_age),
                unknown_fields,
                base_path: String::new(),
                trusted_proxies: Vec::new(),
                forwarded_header: ForwardedHeader::default(),
                public_host: String::new(),
                header_timeout: DurationSetting(header_timeout),
                body_timeout: DurationSetting(body_timeout),
                write_timeout: DurationSetting(answer_timeout),
                keep_alive: DurationSetting(keep_alive),
                max_http_connections,
                max_body_bytes,
                max_bulk_body_bytes,
                shutdown_timeout: DurationSetting(shutdown_timeout),
            },
            limits: LimitsConfig::default(),
            pages: PagesConfig { enabled: true },
            keys: KeysConfig { rate: allow(100_000, Duration::from_secs(1)), bytes: OptionalAllowance(None) },
            login: LoginConfig {
                guests: false,
                shown_users: Vec::new(),
                attempts_per_address: allow(600, Duration::from_mins(10)),
                failures_per_account: allow(10, Duration::from_mins(5)),
                guest_rate: allow(20, Duration::from_secs(1)),
                guests_per_address: allow(60, Duration::from_mins(1)),
            },
            handshake: HandshakeConfig::default(),
            tokens: TokensConfig {
                issuer: "tidings".to_owned(),
                audience: "tidings".to_owned(),
                lifetime: DurationSetting(contract_identity_v1::TOKEN_LIFETIME),
                max_unused: DEFAULT_CAPACITY,
                rate_per_user: allow(120, Duration::from_mins(1)),
                rate_per_key: allow(25_000, Duration::from_secs(30)),
            },
            connections: ConnectionsConfig {
                like_aws: false,
                max_message_bytes,
                default_format: DefaultFormat::Single,
                confirm: Confirm::Pong,
                keepalive: OptionalDuration(keepalive),
                idle_timeout: off,
                max_age: off,
                close_when_expired: false,
                buffer_bytes,
                write_timeout: DurationSetting(write_timeout),
                connects_per_second: 0,
                max_per_user: 0,
                too_many: TooMany::RefuseNewest,
            },
            client_messages: ClientMessagesConfig::default(),
            hubs: HubsConfig::default(),
            dispatcher: DispatcherConfig {
                inline_drain,
                replay_drain,
                page,
                grace: DurationSetting(Duration::ZERO),
                run_budget: DurationSetting(Duration::from_secs(10)),
            },
            store: StoreConfig {
                durability,
                reserve_bytes,
                client_reserve_bytes,
                cache_bytes,
                dedup_window: DurationSetting(dedup_window),
                max_receive_count,
            },
            history: HistoryConfig {
                enabled: false,
                lifetime: DurationSetting(Duration::from_hours(24 * 30)),
                payloads: false,
                payload_bytes_per_client: allow(256 * 1024 * 1024, Duration::from_hours(24)),
            },
            log: LogConfig {
                format: LogFormat::Human,
                level: "info".to_owned(),
                security_lines_per_second: 20,
            },
        }
    }
}
