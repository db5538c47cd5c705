//! The settings of `[server]` about proxies in front of the server.

use std::net::Ipv6Addr;

use axum::http::HeaderValue;
use axum::http::uri::Authority;
use ipnet::IpNet;

use super::{ConfigError, ServerConfig};
use crate::server::Front;

impl ServerConfig {
    /// Returns the settings about proxies.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with the key and what is allowed.
    pub(super) fn front(&self) -> Result<Front, ConfigError> {
        let trusted_proxies =
            self.trusted_proxies.iter().map(|text| network(text)).collect::<Result<_, _>>()?;
        let base_path = self.base_path.strip_suffix('/').unwrap_or(&self.base_path);
        if !(base_path.is_empty() || is_path(base_path)) {
            let problem = format!(
                "it is {:?}; allowed are a path such as \"/tidings\", of letters, digits and -._~ between slashes, and \
                 \"\" for none",
                self.base_path
            );
            return Err(ConfigError::invalid("server.base_path", problem));
        }
        let public_host = match self.public_host.as_str() {
            "" => None,
            text => Some(host(text)?),
        };
        let forwarded_header = self.forwarded_header;
        let base_path = base_path.to_owned();
        Ok(Front { trusted_proxies, forwarded_header, base_path, public_host, own_pages: None })
    }
}

/// Parses a network, or an address alone.
fn network(text: &str) -> Result<IpNet, ConfigError> {
    let address = || text.parse().ok().map(|address: std::net::IpAddr| IpNet::from(address.to_canonical()));
    text.parse().ok().or_else(address).ok_or_else(|| {
        let problem = format!(
            "{text:?} is not a network; write an address or a network: \"127.0.0.1\", \"10.0.0.0/8\", \"fd00::/8\""
        );
        ConfigError::invalid("server.trusted_proxies", problem)
    })
}

fn is_path(text: &str) -> bool {
    let is_segment = |segment: &str| {
        let is_dots = matches!(segment, "." | "..");
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        !segment.is_empty() && !is_dots && segment.bytes().all(is_legal)
    };
    text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_segment))
}

fn host(text: &str) -> Result<HeaderValue, ConfigError> {
    // `Authority` takes anything for a port, and empty names.
    let is_port = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
    };
    let is_label = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let is_name = |text: &str| match text.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => text.strip_suffix('.').unwrap_or(text).split('.').all(is_label),
    };
    let is_authority = |host: Authority| {
        let port = text.strip_prefix(host.host()).unwrap_or_default();
        is_name(host.host()) && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
    };
    let is_host = !text.contains('@') && text.parse().is_ok_and(is_authority);
    HeaderValue::try_from(text).ok().filter(|_| is_host).ok_or_else(|| {
        let problem = format!(
            "it is {text:?}; allowed is a host as in a URL, with a port only if it is not the default"
        );
        ConfigError::invalid("server.public_host", problem)
    })
}
