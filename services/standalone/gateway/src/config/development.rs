//! Settings for development only: with them the server does not ask everybody who they are.

use super::{Config, ConfigError};
use crate::server::OwnPages;

impl Config {
    /// Returns the settings for development only that are in force, in the order of the configuration.
    pub fn development_settings(&self) -> Vec<&'static str> {
        let settings = [
            (self.development, "--development"),
            (!self.server.authenticate, "server.authenticate = false"),
            (!self.login.shown_users.is_empty(), "login.shown_users"),
            (self.handshake.open, "handshake.open = true"),
        ];
        settings.into_iter().filter_map(|(is_on, name)| is_on.then_some(name)).collect()
    }

    /// Refuses settings for development only where other machines may reach the server.
    pub(super) fn validate_development(&self) -> Result<(), ConfigError> {
        let settings = self.development_settings();
        let is_local = self.server.listen.ip().to_canonical().is_loopback();
        let Some(first) = settings.first().filter(|_| !is_local && !self.server.expose_development) else {
            return Ok(());
        };
        let key = match *first {
            "server.authenticate = false" => "server.authenticate",
            "login.shown_users" => "login.shown_users",
            "handshake.open = true" => "handshake.open",
            _ => "server.listen",
        };
        let problem = format!(
            "{} is for development only, and other machines may reach server.listen, which is {}; remove it or listen on \
             127.0.0.1; if nobody but you can reach that address, set server.expose_development = true",
            settings.join(", "),
            self.server.listen
        );
        Err(ConfigError::invalid(key, problem))
    }

    /// Returns the hosts and pages that may use the server; `None` if everybody has to prove who they are.
    pub(super) fn own_pages(&self) -> Option<OwnPages> {
        let settings = self.development_settings();
        let host = self.server.public_host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
        let host = host.map_or(self.server.public_host.as_str(), |(host, _)| host);
        let hosts = (!host.is_empty()).then(|| host.trim_end_matches('.').to_ascii_lowercase());
        (!settings.is_empty()).then(|| OwnPages {
            because: settings.join(", "),
            hosts: hosts.into_iter().collect(),
            allowed_origins: self.handshake.allowed_origins.clone(),
        })
    }
}
