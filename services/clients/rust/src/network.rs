//! Failures of the network, explained to people.

use std::error::Error;
use std::{fmt, io};

use rustls::{CertificateError, InvalidMessage};
use tokio_tungstenite::tungstenite;

/// A failure of the network. Its text says what happened and what to do, without the terms of the libraries
/// below; its `Debug` has their error.
#[derive(Debug)]
pub struct NetworkFailure {
    explanation: String,
    #[expect(dead_code, reason = "read by Debug")]
    error: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for NetworkFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.explanation)
    }
}

/// Has no source, because the text of the source would repeat the failure in other words.
impl Error for NetworkFailure {}

impl NetworkFailure {
    /// Explains an error.
    pub(super) fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let error = error.into();
        let explanation = causes(&*error).find_map(explain).map_or_else(|| last(&*error), str::to_owned);
        Self { explanation, error }
    }
}

const IN_TIME: &str = "there was no answer in time";
const NOT_HTTP: &str = "the answer is not HTTP; if the server uses TLS, its address begins with https://";
const NOT_TLS: &str =
    "the server does not use TLS at this address; its address begins with http://, or has another port";

/// Returns the explanation of one cause of an error, if the cause has one.
fn explain(cause: &(dyn Error + 'static)) -> Option<&'static str> {
    if let Some(error) = cause.downcast_ref::<io::Error>() {
        // The source of such an error is the source of what it contains.
        return error.get_ref().and_then(|inner| explain(inner)).or_else(|| io_error(error));
    }
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        return Some(tls_error(error));
    }
    if cause.is::<tokio::time::error::Elapsed>()
        || cause.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_timeout)
    {
        return Some(IN_TIME);
    }
    if cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
        return Some(NOT_HTTP);
    }
    match cause.downcast_ref::<tungstenite::Error>()? {
        tungstenite::Error::Tls(tungstenite::error::TlsError::Rustls(error)) => Some(tls_error(error)),
        tungstenite::Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
            Some("the server ended the connection without closing it")
        }
        tungstenite::Error::Protocol(_) => Some("the server does not keep to the WebSocket protocol"),
        tungstenite::Error::Capacity(_) => Some("the server sent a frame that is too large"),
        _ => None,
    }
}

fn io_error(error: &io::Error) -> Option<&'static str> {
    use io::ErrorKind as Kind;
    Some(match error.kind() {
        Kind::ConnectionRefused => {
            "nothing listens at this address; start the server, or correct the address"
        }
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::UnexpectedEof => {
            "the connection broke"
        }
        Kind::TimedOut => IN_TIME,
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => {
            "the network has no way to this address; check the network and the address"
        }
        Kind::PermissionDenied => "this machine does not allow the connection; check its firewall",
        // The standard library has no kind for names that are not found.
        _ if error.to_string().starts_with("failed to lookup address information") => {
            "the host name is not known; correct the address, or check the network"
        }
        _ => return None,
    })
}

fn tls_error(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => NOT_TLS,
        rustls::Error::InvalidCertificate(problem) => match problem {
            CertificateError::UnknownIssuer => {
                "the server's certificate is signed by an unknown authority; to trust that authority, pass its \
                 certificate (--ca-file)"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the server's certificate has expired"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the server's certificate is not valid yet; check the clock"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the server's certificate is for another host name; correct the address"
            }
            _ => "the server's certificate is not valid",
        },
        _ => "the TLS handshake failed",
    }
}

/// Returns an error and its causes.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause: &&'a (dyn Error + 'static)| (*cause).source())
}

/// Returns the text of the last cause, without the system's number for it.
fn last(error: &(dyn Error + 'static)) -> String {
    let text = causes(error).last().map(ToString::to_string).unwrap_or_default();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(error: impl Into<Box<dyn Error + Send + Sync>>) -> String {
        NetworkFailure::new(error).to_string()
    }

    #[test]
    fn terms_of_libraries_are_replaced() {
        let refused = || io::Error::from_raw_os_error(111);
        assert!(explained(refused()).starts_with("nothing listens"), "{}", explained(refused()));
        assert!(explained(tungstenite::Error::Io(refused())).starts_with("nothing listens"));
        let tls = rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType);
        assert_eq!(explained(io::Error::other(tls.clone())), NOT_TLS);
        assert_eq!(
            explained(tungstenite::Error::Tls(tungstenite::error::TlsError::Rustls(Box::new(tls)))),
            NOT_TLS
        );
        let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        assert!(explained(io::Error::other(unknown)).contains("--ca-file"));
    }

    #[test]
    fn other_errors_lose_their_number() {
        let error = io::Error::from_raw_os_error(5);
        assert!(error.to_string().contains("os error"));
        assert!(!explained(error).contains("os error"));
    }
}
