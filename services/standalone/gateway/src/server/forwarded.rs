//! Reads the headers in which proxies hand on where a request came from.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::header::FORWARDED;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The header in which a proxy hands on the addresses that a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, with the host in `X-Forwarded-Host`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Maximum number of forwarded hosts that are kept.
const MAX_HOSTS: usize = 4;

/// The headers of a request that came through a proxy.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Forwarded {
    /// The address from which each proxy was called, the nearest proxy's last; `None` where a proxy does not say.
    addresses: Vec<Option<IpAddr>>,
    /// The hosts that the proxies were asked for.
    pub(super) hosts: Vec<HeaderValue>,
}

impl Forwarded {
    /// Reads the headers that the proxies write.
    pub(super) fn read(headers: &HeaderMap, header: ForwardedHeader) -> Self {
        let (addresses, hosts): (_, Vec<&str>) = match header {
            ForwardedHeader::XForwardedFor => (
                elements(headers, &X_FORWARDED_FOR).map(address).collect(),
                elements(headers, &X_FORWARDED_HOST).collect(),
            ),
            ForwardedHeader::Forwarded => {
                let elements: Vec<_> = values(headers, &FORWARDED).flat_map(rfc7239::parse).collect();
                let each = elements.iter().map(|element| element.as_ref().ok());
                let address = |element: &rfc7239::Forwarded<'_>| {
                    element.forwarded_for.as_ref()?.ip().map(IpAddr::to_canonical)
                };
                let addresses = each.clone().map(|element| element.and_then(address)).collect();
                (addresses, each.filter_map(|element| element?.host).collect())
            }
        };
        let hosts = hosts.into_iter().map(|host| host.trim_matches('"')).take(MAX_HOSTS);
        Self { addresses, hosts: hosts.filter_map(|host| host.parse().ok()).collect() }
    }

    /// Returns the address of the client: the first, from the nearest proxy on, that is not a trusted proxy's. What
    /// stands before it in the header may be the client's own invention.
    pub(super) fn client(&self, peer: IpAddr, is_trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
        let mut client = peer;
        for address in self.addresses.iter().rev() {
            match address {
                Some(address) if is_trusted(client) => client = *address,
                _ => break,
            }
        }
        client
    }
}

fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default())
}

fn elements<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    values(headers, name).flat_map(|value| value.split(',')).map(str::trim)
}

/// Parses an address, which some proxies write with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.parse().ok().or_else(with_port).or_else(bracketed).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "10.0.0.9";

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let parse = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        lines.iter().map(parse).collect()
    }

    /// Returns the client of a request from [`PROXY`]. All addresses in 10.0.0.0/8 are proxies.
    fn client(header: ForwardedHeader, lines: &[(&'static str, &'static str)]) -> String {
        let is_trusted = |address: IpAddr| address.to_string().starts_with("10.");
        let forwarded = Forwarded::read(&headers(lines), header);
        forwarded.client(PROXY.parse().unwrap(), is_trusted).to_string()
    }

    #[test]
    fn client_is_the_last_address_that_is_no_proxy() {
        for (value, expected) in [
            ("203.0.113.5", "203.0.113.5"),
            ("1.2.3.4, 203.0.113.5", "203.0.113.5"),
            ("1.2.3.4, 203.0.113.5, 10.0.0.1", "203.0.113.5"),
            ("10.0.0.2,10.0.0.1", "10.0.0.2"),
            ("203.0.113.5:5123", "203.0.113.5"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("::ffff:203.0.113.5", "203.0.113.5"),
            ("203.0.113.5, unknown", PROXY),
            ("", PROXY),
            ("203.0.113.5, 10.0.0.1 x", PROXY),
        ] {
            let found = client(ForwardedHeader::XForwardedFor, &[("x-forwarded-for", value)]);
            assert_eq!(found, expected, "{value:?}");
        }
        let lines = [("x-forwarded-for", "1.2.3.4"), ("x-forwarded-for", "203.0.113.5")];
        assert_eq!(client(ForwardedHeader::XForwardedFor, &lines), "203.0.113.5");
        assert_eq!(client(ForwardedHeader::XForwardedFor, &[]), PROXY);
    }

    #[test]
    fn forwarded_elements_are_read() {
        for (value, expected) in [
            ("for=203.0.113.5", "203.0.113.5"),
            ("for=1.2.3.4, For=203.0.113.5;proto=https;by=10.0.0.9", "203.0.113.5"),
            ("proto=https;for=\"[2001:db8::1]:4711\"", "2001:db8::1"),
            ("for=203.0.113.5, for=10.0.0.1", "203.0.113.5"),
            ("for=203.0.113.5, for=_hidden", PROXY),
            ("for=203.0.113.5, proto=http", PROXY),
            ("for=203.0.113.5, nonsense", PROXY),
            // A client that leaves a quotation open doesn't hide what the proxy writes.
            ("for=\"1.2.3.4, for=203.0.113.5", "203.0.113.5"),
        ] {
            let found = client(ForwardedHeader::Forwarded, &[("forwarded", value)]);
            assert_eq!(found, expected, "{value:?}");
        }
    }

    #[test]
    fn only_the_chosen_header_counts() {
        let lines = [("x-forwarded-for", "203.0.113.5"), ("forwarded", "for=203.0.113.6")];
        assert_eq!(client(ForwardedHeader::XForwardedFor, &lines), "203.0.113.5");
        assert_eq!(client(ForwardedHeader::Forwarded, &lines), "203.0.113.6");
    }

    #[test]
    fn hosts_are_kept() {
        let read = |header, lines: &[_]| Forwarded::read(&headers(lines), header).hosts;
        let found =
            read(ForwardedHeader::XForwardedFor, &[("x-forwarded-host", "a.example, b.example:8443")]);
        assert_eq!(found, ["a.example", "b.example:8443"]);
        let found = read(ForwardedHeader::Forwarded, &[("forwarded", "for=1.2.3.4;host=\"a.example:8443\"")]);
        assert_eq!(found, ["a.example:8443"]);
    }
}
