//! A minimal blocking HTTP/1.1 client: one request at a time on a connection that is kept open.
//!
//! It speaks no TLS, so that the generator costs little beside the server.

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
    /// Head of each request, up to the value of `content-length`.
    head: String,
    request: Vec<u8>,
}

/// A connection, and the answer being read.
struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
    /// Body of an answer that came in chunks.
    joined: Vec<u8>,
}

/// How the end of a body is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BodyEnd {
    /// The body has this length.
    Length(usize),
    /// The body is in chunks, of which the last is empty.
    LastChunk,
}

/// The head of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Offset of the body.
    body: usize,
    end: BodyEnd,
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
    let mut connection = Connection::open(&address)?;
    let (status, body) = connection.exchange(request.as_bytes())?;
    Ok((status, body.to_vec()))
}

impl PostClient {
    /// Connects, for requests with the target's API key.
    ///
    /// # Errors
    /// The server can't be reached.
    pub fn connect(target: &Target, path: &str, content_type: &str) -> anyhow::Result<Self> {
        let authorization =
            format!("authorization: Bearer {}\r\ncontent-type: {content_type}\r\n", target.api_key);
        Self::with_headers(&Address::of(target)?, path, &authorization)
    }

    /// Connects, for requests with these header lines, each ended by CRLF.
    ///
    /// # Errors
    /// The server can't be reached.
    pub fn with_headers(address: &Address, path: &str, headers: &str) -> anyhow::Result<Self> {
        Ok(Self {
            connection: Connection::open(address)?,
            head: format!(
                "POST {}{path} HTTP/1.1\r\nhost: {}\r\n{headers}content-length: ",
                address.prefix, address.host
            ),
            request: Vec::new(),
        })
    }

    /// Sends a request with this body. Returns the answer's status and body.
    ///
    /// # Errors
    /// The connection breaks or the answer can't be read.
    pub fn post(&mut self, body: &[u8]) -> anyhow::Result<(u16, &[u8])> {
        self.request.clear();
        write!(self.request, "{}{}\r\n\r\n", self.head, body.len())?;
        self.request.extend_from_slice(body);
        self.connection.exchange(&self.request)
    }
}

impl Connection {
    fn open(address: &Address) -> anyhow::Result<Self> {
        Ok(Self { stream: address.connect()?, answer: Vec::new(), joined: Vec::new() })
    }

    /// Sends a request and reads the answer. Returns its status and body.
    fn exchange(&mut self, request: &[u8]) -> anyhow::Result<(u16, &[u8])> {
        self.stream.write_all(request).context("the request could not be sent")?;
        self.answer.clear();
        let Head { status, body, end } = loop {
            if let Some(head) = parse_head(&self.answer)? {
                break head;
            }
            self.read_more()?;
        };
        match end {
            BodyEnd::Length(length) => {
                while self.answer.len() < body + length {
                    self.read_more()?;
                }
                Ok((status, &self.answer[body..body + length]))
            }
            BodyEnd::LastChunk => {
                while !join_chunks(&self.answer[body..], &mut self.joined)? {
                    self.read_more()?;
                }
                Ok((status, &self.joined))
            }
        }
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

/// Parses the head of an answer. Returns `None` until it is complete.
fn parse_head(answer: &[u8]) -> anyhow::Result<Option<Head>> {
    let Some(end) = memmem::find(answer, b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&answer[..end]).context("the answer's head is not text")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let status: u16 = status.context("the answer has no status")?;
    let end_of_body = lines.filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        if name.eq_ignore_ascii_case("content-length") {
            return Some(BodyEnd::Length(value.trim().parse().ok()?));
        }
        let is_chunked =
            name.eq_ignore_ascii_case("transfer-encoding") && value.trim().eq_ignore_ascii_case("chunked");
        is_chunked.then_some(BodyEnd::LastChunk)
    });
    let end_of_body = match (status, end_of_body) {
        (_, Some(end)) => end,
        (204, None) => BodyEnd::Length(0),
        _ => bail!("the answer does not say where it ends"),
    };
    Ok(Some(Head { status, body: end + 4, end: end_of_body }))
}

/// Joins the chunks of a body into `joined`. Returns false until the last one is complete.
fn join_chunks(mut chunks: &[u8], joined: &mut Vec<u8>) -> anyhow::Result<bool> {
    joined.clear();
    loop {
        let Some(line) = memmem::find(chunks, b"\r\n") else { return Ok(false) };
        let size = chunks[..line].split(|byte| *byte == b';').next().unwrap_or_default();
        let size =
            std::str::from_utf8(size).ok().and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
        let size = size.context("a chunk of the answer has no size")?;
        let (start, end) = (line + 2, size.saturating_add(line + 4));
        let Some(chunk) = chunks.get(start..end) else { return Ok(false) };
        if size == 0 {
            return Ok(true);
        }
        joined.extend_from_slice(&chunk[..size]);
        chunks = &chunks[end..];
    }
}

/// Returns the status and the size of the answer at the front, for pipelined requests, or `None` until it is complete.
///
/// # Errors
/// It has no status or no `Content-Length`.
pub fn complete_answer(bytes: &[u8]) -> anyhow::Result<Option<(u16, usize)>> {
    match parse_head(bytes)? {
        Some(Head { status, body, end: BodyEnd::Length(length) }) => {
            Ok((bytes.len() >= body + length).then_some((status, body + length)))
        }
        Some(_) => bail!("the answer has no content-length"),
        None => Ok(None),
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
        let head = Head { status: 200, body: answer.len() - 2, end: BodyEnd::Length(2) };
        assert_eq!(parse_head(answer).unwrap(), Some(head));
        assert_eq!(parse_head(b"HTTP/1.1 200 OK\r\n").unwrap(), None);
        assert!(parse_head(b"HTTP/1.1 200 OK\r\nx: y\r\n\r\n").is_err());
        let pipelined = [&answer[..], b"HTTP/1.1 202"].concat();
        assert_eq!(complete_answer(&pipelined).unwrap(), Some((200, answer.len())));
        assert_eq!(complete_answer(&answer[..answer.len() - 1]).unwrap(), None);
        let body = br#"{"results":[{"id":"a"}],"accepted":12,"refused": 3}"#;
        assert_eq!(last_number(body, "accepted"), Some(12));
        assert_eq!(last_number(body, "refused"), Some(3));
        assert_eq!(last_number(body, "other"), None);
    }

    #[test]
    fn chunks_are_joined_once_complete() {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(parse_head(head).unwrap().map(|head| head.end), Some(BodyEnd::LastChunk));
        let (chunks, mut joined) = (b"A\r\n0123456789\r\n2;x=y\r\nab\r\n0\r\n\r\n", Vec::new());
        for cut in 0..chunks.len() {
            assert!(!join_chunks(&chunks[..cut], &mut joined).unwrap(), "{cut}");
        }
        assert!(join_chunks(chunks, &mut joined).unwrap());
        assert_eq!(joined, b"0123456789ab");
        assert!(join_chunks(b"x\r\n", &mut joined).is_err());
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
