//! The address to listen on, in the forms that people write.

use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Deserializer, de};

/// Reads an address: `HOST:PORT`, where the host is an IP address or `localhost`, or a port alone.
///
/// Without an IP address the server listens on 127.0.0.1, so that no other machine reaches it by mistake.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| {
        de::Error::custom(format_args!(
            "{text:?} is not an address to listen on; allowed are IP:PORT such as 0.0.0.0:8080 or [::1]:8080, \
             localhost:PORT, and a PORT alone, which is on 127.0.0.1"
        ))
    })
}

/// The address to serve metrics on; `None` if they are served with everything else. It is written as an address to
/// listen on, or empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MetricsListen(pub Option<SocketAddr>);

impl<'de> Deserialize<'de> for MetricsListen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(Self(None));
        }
        parse(&text).map(|address| Self(Some(address))).ok_or_else(|| {
            de::Error::custom(format_args!(
                "{text:?} is not an address to listen on; allowed are IP:PORT such as 127.0.0.1:9090, a PORT alone, which \
                 is on 127.0.0.1, and \"\" for no listener of its own"
            ))
        })
    }
}

fn parse(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    if !(host.is_empty() || host.eq_ignore_ascii_case("localhost")) {
        return None;
    }
    // A sign is not part of a port.
    let port = port.bytes().all(|byte| byte.is_ascii_digit()).then_some(port)?;
    Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_localhost_are_addresses_of_this_machine() {
        for (text, expected) in [
            ("8080", Some("127.0.0.1:8080")),
            (":8080", Some("127.0.0.1:8080")),
            ("localhost:8080", Some("127.0.0.1:8080")),
            ("0", Some("127.0.0.1:0")),
            ("0.0.0.0:1", Some("0.0.0.0:1")),
            ("[::1]:1", Some("[::1]:1")),
            ("", None),
            (":", None),
            ("+1", None),
            ("65536", None),
            ("example.com:80", None),
            ("127.0.0.1", None),
            ("::1", None),
        ] {
            assert_eq!(parse(text).map(|address| address.to_string()).as_deref(), expected, "{text}");
        }
    }
}
