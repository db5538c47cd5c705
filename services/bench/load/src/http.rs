//! A minimal blocking HTTP/1.1 client: one request at a time on a connection that is kept open.
//!
//! It reads answers with a `Content-Length` only, and speaks no TLS, so that the generator costs little
//! beside the server.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::{Context as _, bail};
use memchr::memmem;

use crate::target::Target;

/// Limit for connecting, for each read and for each write.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A server's address, taken from its URL.
#[derive(Clone)]
pub struct Address {
    /// Host and port, as the `Host` header has them.
    pub host: String,
    /// Path of the URL, which goes before the path of each request.
    pub prefix: String,
}

impl Address {
    /// Takes the address from a target's URL.
    ///
    /// # Errors
    /// The URL is not `http://`.
    pub fn of(target: &Target) -> anyhow::Result<Self> {
        let url = target.url.trim_end_matches('/');
        let Some(rest) = url.strip_prefix("http://") else {
            bail!("the benchmark speaks http:// only, not {url}");
        };
        let (host, prefix) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let host = if host.rsplit(']').next().unwrap_or(host).contains(':') {
            host.to_owned()
        } else {
            format!("{host}:80")
        };
        Ok(Self { host, prefix: prefix.to_owned() })
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// The server can't be reached.
    pub fn connect(&self) -> anyhow::Result<TcpStream> {
        let unreachable = || format!("{} does not answer", self.host);
        let address = self.host.to_socket_addrs().with_context(unreachable)?.next();
        let address = address.with_context(unreachable)?;
        let stream = TcpStream::connect_timeout(&address, TIMEOUT).with_context(unreachable)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(stream)
    }
}

/// A kept-alive connection for POST requests to one path.
pub struct PostClient {
    connection: Connection,
    head: String,
    request: Vec<u8>,
}

/// A connection, and the answer being read.
struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

/// Sends a GET request with the target's API key, on a connection of its own. Returns the answer's status and
/// body.
///
/// # Errors
/// The server can't be reached or its answer can't be read.
pub fn get(target: &Target, path: &str) -> anyhow::Result<(u16, Vec<u8>)> {
    let address = Address::of(target)?;
    let request = format!(
        "GET {}{path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
        address.prefix, address.host, target.api_key
    );
    let mut connection = Connection { stream: address.connect()?, answer: Vec::new() };
    let (status, body) = connection.exchange(request.as_bytes())?;
    Ok((status, body.to_vec()))
}

impl PostClient {
    /// Connects, for requests with the target's API key.
    ///
    /// # Errors
    /// The server can't be reached.
    pub fn connect(target: &Target, path: &str, content_type: &str) -> anyhow::Result<Self> {
        let address = Address::of(target)?;
        let head = format!(
            "POST {}{path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: \
             {content_type}\r\ncontent-length: ",
            address.prefix, address.host, target.api_key
        );
        let connection = Connection { stream: address.connect()?, answer: Vec::new() };
        Ok(Self { connection, head, request: Vec::new() })
    }

    /// Sends a request with this body. Returns the answer's status and body.
    ///
    /// # Errors
    /// The connection breaks or the answer can't be read.
    pub fn post(&mut self, body: &[u8]) -> anyhow::Result<(u16, &[u8])> {
        self.request.clear();
        self.request.extend_from_slice(self.head.as_bytes());
        write!(self.request, "{}\r\n\r\n", body.len())?;
        self.request.extend_from_slice(body);
        self.connection.exchange(&self.request)
    }
}

impl Connection {
    /// Sends a request and reads the answer. Returns its status and body.
    fn exchange(&mut self, request: &[u8]) -> anyhow::Result<(u16, &[u8])> {
        self.stream.write_all(request).context("the request could not be sent")?;
        self.answer.clear();
        let (status, body, length) = loop {
            if let Some(head) = parse_head(&self.answer)? {
                break head;
            }
            self.read_more()?;
        };
        while self.answer.len() < body + length {
            self.read_more()?;
        }
        Ok((status, &self.answer[body..body + length]))
    }

    fn read_more(&mut self) -> anyhow::Result<()> {
        let before = self.answer.len();
        self.answer.resize(before + 16 * 1024, 0);
        let read = loop {
            match self.stream.read(&mut self.answer[before..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other.context("the answer could not be read")?,
            }
        };
        self.answer.truncate(before + read);
        if read == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}

/// Returns status, offset of the body and its length, once the head is complete.
fn parse_head(answer: &[u8]) -> anyhow::Result<Option<(u16, usize, usize)>> {
    let Some(end) = memmem::find(answer, b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&answer[..end]).context("the answer's head is not text")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let length = lines.filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    match (status, length) {
        (Some(status), Some(length)) => Ok(Some((status, end + 4, length))),
        (Some(204), None) => Ok(Some((204, end + 4, 0))),
        _ => bail!("the answer has no status or no content-length, which the benchmark relies on"),
    }
}

/// Returns the number after the last `"name":` of a JSON body, without parsing the rest.
pub fn last_number(body: &[u8], name: &str) -> Option<u64> {
    let at = memmem::rfind(body, name.as_bytes())? + name.len();
    let digits = body.get(at..)?.strip_prefix(b"\":")?;
    let digits = digits.iter().skip_while(|byte| byte.is_ascii_whitespace());
    let mut digits = digits.take_while(|byte| byte.is_ascii_digit()).peekable();
    digits.peek()?;
    Some(digits.fold(0, |value, digit| value * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_parsed() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nx: y\r\n\r\n{}";
        assert_eq!(parse_head(answer).unwrap(), Some((200, answer.len() - 2, 2)));
        assert_eq!(parse_head(b"HTTP/1.1 200 OK\r\n").unwrap(), None);
        assert!(parse_head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        let body = br#"{"results":[{"id":"a"}],"accepted":12,"refused": 3}"#;
        assert_eq!(last_number(body, "accepted"), Some(12));
        assert_eq!(last_number(body, "refused"), Some(3));
        assert_eq!(last_number(body, "other"), None);
    }

    #[test]
    fn address_has_a_port() {
        let of = |url: &str| {
            let target = Target { url: url.into(), api_key: String::new(), pid: None };
            Address::of(&target).map(|address| (address.host, address.prefix)).ok()
        };
        assert_eq!(of("http://h:1/stage/"), Some(("h:1".into(), "/stage".into())));
        assert_eq!(of("http://h"), Some(("h:80".into(), String::new())));
        assert_eq!(of("http://[::1]"), Some(("[::1]:80".into(), String::new())));
        assert_eq!(of("https://h"), None);
    }
}
