//! The section `[limits]`: what a client may take before it is known, and the depth of payloads.

use serde::Deserialize;

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
}

impl Default for LimitsConfig {
    fn default() -> Self {
        let AddressLimits { connections, web_sockets, handshakes, requests, exempt_loopback } =
            AddressLimits::default();
        Self {
            connections_per_address: connections,
            web_sockets_per_address: web_sockets,
            handshakes_per_address: OptionalRate(handshakes),
            requests_per_address: OptionalRate(requests),
            exempt_loopback,
            unknown_body_bytes: Settings::default().unknown_body_bytes,
            key_body_bytes: Settings::default().key_body_bytes,
            payload_depth: Settings::default().payload_depth,
        }
    }
}

impl Config {
    pub(super) fn validate_limits(&self) -> Result<(), ConfigError> {
        let least = 4 * self.server.max_body_bytes;
        at_least("limits.unknown_body_bytes", self.limits.unknown_body_bytes, least)?;
        let least = 4 * self.server.max_bulk_body_bytes;
        at_least("limits.key_body_bytes", self.limits.key_body_bytes, least)?;
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
