//! Keeps web pages of others away from a server that asks nobody for a credential.
//!
//! A browser on this machine reaches the server, and so does each page that it shows. Two checks keep strangers' pages
//! out. A page of another origin sends its own `Origin`. A page whose name was made to lead to this machine (DNS
//! rebinding) counts as of the same origin, and sends its own `Host`.

use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode};

use super::problem::Problem;

/// The hosts and origins of a server with settings for development only.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnPages {
    /// The settings that are for development only, for the caller.
    pub because: String,
    /// Host names of the server beside addresses, names without a dot and `*.localhost`, in lower case.
    pub hosts: Vec<String>,
    /// Origins of pages that may call the server beside its own.
    pub allowed_origins: Vec<String>,
}

impl OwnPages {
    /// Refuses a request that a page of somebody else may have caused.
    ///
    /// # Errors
    /// A problem that names the header.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if !self.is_own_host(host) {
            let host: String = host.chars().take(128).collect();
            return Err(self.refuse(&format!(
                "the Host {host:?} is not this server's; use an address or localhost, or set server.public_host"
            )));
        }
        for origin in headers.get_all(ORIGIN) {
            let origin = origin.to_str().unwrap_or_default();
            if !self.is_own_origin(origin, host) {
                let origin: String = origin.chars().take(128).collect();
                return Err(self.refuse(&format!(
                    "the Origin {origin:?} is another page's; list it in handshake.allowed_origins"
                )));
            }
        }
        Ok(())
    }

    fn refuse(&self, problem: &str) -> Problem {
        let detail = format!("{problem}. It is checked because of {}", self.because);
        Problem::new(StatusCode::FORBIDDEN, "foreign-page", detail)
    }

    /// Returns true if no stranger can own the name. Names without a dot are not in the public DNS.
    fn is_own_host(&self, host: &str) -> bool {
        // A client that is no browser may send none.
        if host.is_empty() {
            return true;
        }
        let Some(name) = name(host) else { return false };
        is_address(&name) || !name.contains('.') || name.ends_with(".localhost") || self.hosts.contains(&name)
    }

    fn is_own_origin(&self, origin: &str, host: &str) -> bool {
        if auth_token::is_allowed_origin(&self.allowed_origins, origin) {
            return true;
        }
        let Some((scheme @ ("http" | "https"), authority)) = origin.split_once("://") else { return false };
        let Some(page) = name(authority) else { return false };
        // A page served on this machine, such as by a development server, is the developer's own.
        if is_this_machine(&page) && name(host).is_some_and(|host| is_this_machine(&host)) {
            return true;
        }
        let same = auth_token::is_allowed_origin(&[format!("{scheme}://{host}")], origin);
        same || self.hosts.contains(&page)
    }
}

/// Returns the name or address of a host with or without a port, in lower case, without brackets and final dot.
fn name(host: &str) -> Option<String> {
    let authority: Authority = host.parse().ok().filter(|_| !host.contains('@'))?;
    let name = authority.host().trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    (!name.is_empty()).then(|| name.to_ascii_lowercase())
}

fn is_address(name: &str) -> bool {
    name.parse::<std::net::IpAddr>().is_ok()
}

fn is_this_machine(name: &str) -> bool {
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn is_own(host: &str, origin: Option<&str>) -> bool {
        let pages = OwnPages {
            because: "handshake.open".to_owned(),
            hosts: vec!["push.example.com".to_owned()],
            allowed_origins: vec!["https://app.example.com".to_owned()],
        };
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(host).unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, HeaderValue::from_bytes(origin.as_bytes()).unwrap());
        }
        pages.check(&headers).is_ok()
    }

    #[test]
    fn host_of_a_stranger_is_refused() {
        for own in [
            "127.0.0.1:8080",
            "[::1]:8080",
            "localhost:8080",
            "LOCALHOST",
            "localhost.",
            "a.localhost:1",
            "tidings:80",
            "192.168.1.5",
            "push.example.com:443",
            "PUSH.example.com.",
            "",
        ] {
            assert!(is_own(own, None), "{own}");
        }
        for foreign in [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "1.2.3",
            "x.push.example.com",
            "a@localhost",
        ] {
            assert!(!is_own(foreign, None), "{foreign}");
        }
    }

    #[test]
    fn page_of_a_stranger_is_refused() {
        for (host, origin) in [
            ("localhost:8080", "http://localhost:8080"),
            ("localhost:8080", "http://127.0.0.1:3000"),
            ("127.0.0.1:8080", "http://localhost:3000"),
            ("tidings:8080", "http://tidings:8080"),
            ("192.168.1.5", "http://192.168.1.5:80"),
            ("push.example.com", "https://push.example.com"),
            ("localhost:8080", "https://app.example.com:443"),
        ] {
            assert!(is_own(host, Some(origin)), "{host} {origin}");
        }
        for (host, origin) in [
            ("localhost:8080", "https://evil.example"),
            ("localhost:8080", "https://localhost.evil.example"),
            ("localhost:8080", "null"),
            ("localhost:8080", ""),
            ("localhost:8080", "http://localhöst"),
            ("localhost:8080", "file://localhost"),
            ("192.168.1.5:8080", "http://192.168.1.5:3000"),
            ("192.168.1.5:8080", "http://localhost:3000"),
            ("push.example.com", "https://app.example.com.evil.example"),
        ] {
            assert!(!is_own(host, Some(origin)), "{host} {origin}");
        }
    }

    #[test]
    fn every_origin_of_several_counts() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("localhost"));
        headers.append(ORIGIN, HeaderValue::from_static("http://localhost"));
        assert!(OwnPages::default().check(&headers).is_ok());
        headers.append(ORIGIN, HeaderValue::from_static("https://evil.example"));
        assert!(OwnPages::default().check(&headers).is_err());
    }
}
