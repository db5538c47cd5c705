//! The first look at a request: its `Host`, the proxies it came through, and the path below which the server is
//! reached.

use std::net::IpAddr;

use axum::http::header::{HOST, LOCATION, ORIGIN};
use axum::http::request::Parts;
use axum::http::uri::{Authority, PathAndQuery};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, Version};
use axum::response::{IntoResponse as _, Response};
use ipnet::IpNet;

use super::forwarded::{Forwarded, ForwardedHeader};
use super::own_pages::OwnPages;
use super::problem::Problem;
use super::request::Remote;

/// Settings of a server that is reached through proxies. The default is for a server without one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Front {
    /// Networks of the proxies whose headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The header that is read. Only one is: a proxy that writes one passes the other on as the client wrote it.
    pub forwarded_header: ForwardedHeader,
    /// The path below which the server is reached, such as `/tidings`; empty for the root.
    pub base_path: String,
    /// The host by which clients reach the server, if it is not the `Host` that arrives. Signatures cover it.
    pub public_host: Option<HeaderValue>,
    /// The hosts and pages that may use the server, if it does not ask everybody for a credential.
    pub own_pages: Option<OwnPages>,
}

/// A request as it arrived, as an extension of the request.
#[derive(Debug, Clone)]
struct Arrived {
    /// The hosts that trusted proxies were asked for.
    hosts: Vec<HeaderValue>,
    /// The path, with the base path if it had it.
    path: Option<PathAndQuery>,
}

impl Front {
    /// Returns true for the address of a trusted proxy.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }

    /// Checks the `Host` of a request, finds its client, and takes the base path off its path. Returns the client.
    ///
    /// # Errors
    /// A problem if the request has no `Host` or a malformed one, or several (RFC 9112, section 3.2), a malformed
    /// `Origin`, or if a page of somebody else sent it to a server that asks nobody for a credential.
    pub(super) fn receive<B>(&self, peer: IpAddr, request: &mut Request<B>) -> Result<Remote, Problem> {
        require_host(request.version(), request.headers())?;
        require_legal_origin(request.headers())?;
        if let Some(own_pages) = &self.own_pages {
            own_pages.check(request.headers())?;
        }
        let (mut client, mut hosts) = (peer, Vec::new());
        if self.trusts(peer) {
            let forwarded = Forwarded::read(request.headers(), self.forwarded_header);
            client = forwarded.client(peer, |address| self.trusts(address));
            hosts = forwarded.hosts;
        }
        let path = request.uri().path_and_query().cloned();
        if let Some(below) = self.below_base(request.uri()) {
            *request.uri_mut() = below;
        }
        request.extensions_mut().insert(Remote(client));
        request.extensions_mut().insert(Arrived { hosts, path });
        Ok(Remote(client))
    }

    /// Returns the URI without the base path; `None` if the base path is not in front of it. A proxy may pass the
    /// base path on or take it off, so a path without it is served too.
    fn below_base(&self, uri: &Uri) -> Option<Uri> {
        let rest = uri.path_and_query()?.as_str().strip_prefix(self.base_path.as_str())?;
        if self.base_path.is_empty() || !rest.starts_with('/') {
            return None;
        }
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(rest.parse().ok()?);
        Uri::from_parts(parts).ok()
    }

    /// Returns where the base path itself leads, which is to itself with a slash: addresses in a page are relative. The
    /// answer is relative too, because a proxy may show it at another path.
    pub(super) fn root_of_base(&self, path: &str) -> Option<Response> {
        let last =
            self.base_path.rsplit('/').next().filter(|last| !last.is_empty() && path == self.base_path)?;
        let location = HeaderValue::try_from(format!("{last}/")).ok()?;
        Some((StatusCode::PERMANENT_REDIRECT, [(LOCATION, location)]).into_response())
    }

    /// Returns the forms of a request that its client may have signed, the arrived one first: proxies change the host
    /// and the path.
    pub(super) fn signed_forms(&self, parts: &Parts) -> Vec<Parts> {
        let arrived = parts.extensions.get::<Arrived>();
        let forwarded = arrived.into_iter().flat_map(|arrived| &arrived.hosts);
        let mut hosts = vec![parts.headers.get(HOST)];
        for host in forwarded.chain(&self.public_host).map(Some) {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        let path = arrived.and_then(|arrived| arrived.path.as_ref()).or(parts.uri.path_and_query());
        let path = path.map_or("/", PathAndQuery::as_str);
        let mut paths = vec![path.to_owned()];
        if !self.base_path.is_empty() && !path.starts_with(&format!("{}/", self.base_path)) {
            paths.push(format!("{}{path}", self.base_path));
        }
        let forms = paths.iter().flat_map(|path| hosts.iter().map(move |host| (path, *host)));
        forms
            .filter_map(|(path, host)| {
                let mut form = parts.clone();
                form.uri = path.parse().ok()?;
                if let Some(host) = host {
                    form.headers.insert(HOST, host.clone());
                }
                Some(form)
            })
            .collect()
    }
}

/// Checks that a request has one legal `Host`. Only HTTP/1.0 has requests without.
fn require_host(version: Version, headers: &HeaderMap) -> Result<(), Problem> {
    let mut hosts = headers.get_all(HOST).iter();
    let problem = match (hosts.next(), hosts.next()) {
        (_, Some(_)) => "the request has more than one header Host; it must have one",
        (None, None) if version < Version::HTTP_11 => return Ok(()),
        (None, None) => "the request has no header Host; HTTP/1.1 requires one",
        (Some(host), None) if is_host(host) => return Ok(()),
        (Some(_), None) => {
            "the header Host is not valid; it must be a name or an address, with a port or without"
        }
    };
    Err(Problem::bad_request(problem))
}

/// Refuses an `Origin` that no browser sends: they write a host beyond ASCII in its encoded form (RFC 6454, section 6.2).
fn require_legal_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let is_legal = |origin: &HeaderValue| origin.as_bytes().iter().all(u8::is_ascii_graphic);
    if headers.get_all(ORIGIN).iter().all(is_legal) {
        return Ok(());
    }
    Err(Problem::bad_request("the header Origin is not valid; browsers send one in visible ASCII characters"))
}

/// Returns true for a legal value of `Host`, which may be empty.
fn is_host(value: &HeaderValue) -> bool {
    let Ok(text) = value.to_str() else { return false };
    text.is_empty() || (!text.contains('@') && text.parse::<Authority>().is_ok())
}
