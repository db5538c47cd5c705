//! The section `[limits]`: what a client may take before it is known, and the depth of payloads.

use std::time::Duration;

use serde::Deserialize;
use ws_edge::RateLimit;

use super::bounds::at_least;
use super::client_messages::OptionalRate;
use super::{Config, ConfigError};
use crate::server::{AddressLimits, Settings};

/// The section `[limits]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml says what each key does")]
pub struct LimitsConfig {
    pub connections_per_address: usize,
    pub web_sockets_per_address: usize,
    pub handshakes_per_address: OptionalRate,
    pub requests_per_address: OptionalRate,
    pub exempt_loopback: bool,
    pub unknown_body_bytes: usize,
    pub key_body_bytes: usize,
    pub payload_depth: usize,
    pub acknowledgements_per_user: OptionalRate,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        let AddressLimits { connections, web_sockets, handshakes, requests, exempt_loopback } =
            AddressLimits::default();
        let acknowledgements = RateLimit { most: 100_000, per: Duration::from_secs(1) };
        Self {
            connections_per_address: connections,
            web_sockets_per_address: web_sockets,
            handshakes_per_address: OptionalRate(handshakes),
            requests_per_address: OptionalRate(requests),
            exempt_loopback,
            unknown_body_bytes: Settings::default().unknown_body_bytes,
            key_body_bytes: Settings::default().key_body_bytes,
            payload_depth: Settings::default().payload_depth,
            acknowledgements_per_user: OptionalRate(Some(acknowledgements)),
        }
    }
}

impl Config {
    pub(super) fn validate_limits(&self) -> Result<(), ConfigError> {
        let Self { server, limits, .. } = self;
        for (key, bytes, largest_key, largest) in [
            (
                "limits.unknown_body_bytes",
                limits.unknown_body_bytes,
                "server.max_body_bytes",
                server.max_body_bytes,
            ),
            (
                "limits.key_body_bytes",
                limits.key_body_bytes,
                "server.max_bulk_body_bytes",
                server.max_bulk_body_bytes,
            ),
        ] {
            // One owner has a quarter.
            if bytes / 4 < largest {
                let problem = format!(
                    "it is {bytes}; allowed is at least four times {largest_key}, which is {largest}"
                );
                return Err(ConfigError::invalid(key, problem));
            }
        }
        at_least("limits.payload_depth", self.limits.payload_depth, 1)
    }

    /// Returns the limits of each client address. Behind proxies, an address of this machine is a client as any other.
    pub fn address_limits(&self) -> AddressLimits {
        let LimitsConfig { connections_per_address, web_sockets_per_address, exempt_loopback, .. } =
            self.limits;
        AddressLimits {
            connections: connections_per_address,
            web_sockets: web_sockets_per_address,
            handshakes: self.limits.handshakes_per_address.0,
            requests: self.limits.requests_per_address.0,
            exempt_loopback: exempt_loopback && self.server.trusted_proxies.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_end_the_exemption_of_loopback() {
        let config = |text: &str| Config::from_text(text, []).unwrap();
        assert!(config("").address_limits().exempt_loopback);
        assert!(!config("[limits]\nexempt_loopback = false").address_limits().exempt_loopback);
        let behind = config("[server]\ntrusted_proxies = [\"127.0.0.1\"]");
        assert!(!behind.address_limits().exempt_loopback);
    }

    #[test]
    fn bounds_of_bodies_have_room_for_the_largest() {
        for key in ["unknown_body_bytes", "key_body_bytes"] {
            let error = Config::from_text(&format!("[limits]\n{key} = 1000"), []).unwrap_err();
            assert!(error.to_string().contains(&format!("limits.{key}")), "{error}");
        }
        let off = Config::from_text("[limits]\nrequests_per_address = \"off\"", []).unwrap();
        assert_eq!(off.address_limits().requests, None);
    }
}
