//! The settings that several sections make together.

use std::time::Duration;

use contract_identity_v1::AuthenticationMethod;
use ws_edge::{ConnectionLimit, EdgeConfig, heartbeat_within};

use super::{Config, ConnectionsConfig, HandshakeConfig, ServerConfig};
use crate::server::{About, Front, QuotaLimits, Settings};

/// Handshakes per second with `connections.like_aws`: API Gateway's default quota.
const AWS_CONNECTS_PER_SECOND: u32 = 500;

/// Lifetime of a connection's row. Rows are in memory and end with their connections, however long those last.
const ROW_LIFETIME: Duration = Duration::from_hours(24 * 36_525);

impl Config {
    /// Returns the settings of the HTTP surface.
    pub fn server(&self) -> Settings {
        let ServerConfig { listen, authenticate, max_http_connections, .. } = self.server;
        let configured =
            (self.connections.connects_per_second > 0).then_some(self.connections.connects_per_second);
        Settings {
            listen,
            authenticate,
            pages: self.pages.enabled,
            about: self.about(),
            unknown_fields: self.server.unknown_fields,
            // The constructors have refused what is not valid.
            front: Front { own_pages: self.own_pages(), ..self.server.front().unwrap_or_default() },
            metrics_listen: self.server.metrics_listen.0,
            hsts_max_age: self.server.hsts_max_age.0,
            security_lines_per_second: Some(self.log.security_lines_per_second).filter(|lines| *lines > 0),
            allowed_origins: self.handshake.allowed_origins.clone(),
            header_timeout: self.server.header_timeout.0,
            body_timeout: self.server.body_timeout.0,
            write_timeout: self.server.write_timeout.0,
            keep_alive: self.server.keep_alive.0,
            max_http_connections,
            // The process has the limit, not its configuration.
            open_files: None,
            addresses: self.address_limits(),
            unknown_body_bytes: self.limits.unknown_body_bytes,
            key_body_bytes: self.limits.key_body_bytes,
            payload_depth: self.limits.payload_depth,
            connects_per_second: if self.connections.like_aws {
                Some(AWS_CONNECTS_PER_SECOND)
            } else {
                configured
            },
            quotas: QuotaLimits {
                tokens_per_user: self.tokens.rate_per_user.0,
                tokens_per_key: self.tokens.rate_per_key.0,
                guests: self.login.guest_rate.0,
                guests_per_address: self.login.guests_per_address.0,
            },
            max_body_bytes: self.server.max_body_bytes,
            max_bulk_body_bytes: self.server.max_bulk_body_bytes,
            shutdown_timeout: self.server.shutdown_timeout.0,
        }
    }

    /// Returns the answer to `GET /v1/info`.
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
            client_messages: self.client_messages.policy,
            everyone: self.hubs.everyone(),
            presence: self.hubs.presence,
            history: self.history.enabled,
            max_message_bytes: self.connections.limits().max_message_bytes,
        }
    }

    /// Returns the edge's limits and policies.
    pub fn edge(&self) -> EdgeConfig {
        let ConnectionsConfig { max_per_user, too_many, close_when_expired, .. } = self.connections;
        let limit = ConnectionLimit { most: max_per_user, excess: too_many.into() };
        EdgeConfig {
            row_lifetime: ROW_LIFETIME,
            max_message_bytes: self.connections.limits().max_message_bytes,
            default_format: self.connections.default_format.into(),
            client_messages: self.client_messages.policy(),
            everyone: self.hubs.everyone(),
            presence: self.hubs.presence,
            connection_rate: self.client_messages.rate_per_connection.0,
            user_rate: self.client_messages.rate_per_user.0,
            acknowledgement_rate: self.limits.acknowledgements_per_user.0,
            recipient_rate: self.client_messages.recipients_per_user.0,
            byte_rate: self.client_messages.bytes_per_user.0,
            sender_quota: self.client_messages.quota_per_user.0,
            hub_member_rate: self.client_messages.hub_members_per_user.0,
            arrival_rate: self.hubs.arrivals_per_user.0,
            mailbox_quota: self.client_messages.quota_per_mailbox.0,
            client_message_lifetime: self.client_messages.lifetime.0,
            max_payload_depth: self.limits.payload_depth,
            max_connections: (max_per_user > 0).then_some(limit),
            close_when_expired,
            heartbeat: self.connections.limits().idle_timeout.map(heartbeat_within),
            ..EdgeConfig::default()
        }
    }
}
