//! The handshakes of RFC 6455, and their answers.

/// A handshake and its answer.
#[derive(Debug)]
pub(crate) struct Handshake {
    pub(crate) section: &'static str,
    pub(crate) name: &'static str,
    pub(crate) request: String,
    pub(crate) status: u16,
    /// Parts of the answer's head, in lower case.
    pub(crate) head: &'static [&'static str],
}

/// The valid handshake of the RFC's example.
const VALID: [&str; 6] = [
    "GET /ws?client_id=raw HTTP/1.1",
    "Host: server.example.com",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];

/// The head of the answer that accepts it.
const ACCEPTED: &[&str] =
    &["upgrade: websocket", "connection: upgrade", "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="];

/// Returns the valid handshake with the lines that begin with `line` replaced.
fn with(line: &str, instead: &[&str]) -> String {
    let kept = VALID.iter().filter(|known| !known.starts_with(line));
    let (first, others) = if line == "GET" { (instead, &[][..]) } else { (&[][..], instead) };
    let lines: Vec<&str> = first.iter().chain(kept).chain(others).copied().collect();
    format!("{}\r\n\r\n", lines.join("\r\n"))
}

/// Returns the valid handshake with more lines.
fn and(lines: &[&str]) -> String {
    with("no such line", lines)
}

/// Returns all handshakes.
pub(crate) fn handshakes() -> Vec<Handshake> {
    let mut all = accepted();
    all.extend(requests());
    all.extend(keys());
    all.extend(versions());
    all
}

fn accepted() -> Vec<Handshake> {
    let row = |section, name, request| Handshake { section, name, request, status: 101, head: ACCEPTED };
    let other_cases = "GET /ws?client_id=raw HTTP/1.1\r\nHOST: x\r\nuPGRADE: WebSocket\r\nCONNECTION: uPgRaDe\r\n\
        sec-websocket-KEY: dGhlIHNhbXBsZSBub25jZQ==\r\nSEC-WEBSOCKET-version: 13\r\n\r\n";
    let absolute = "GET http://server.example.com/ws?client_id=raw HTTP/1.1";
    let in_two_lines = ["Sec-WebSocket-Extensions: a", "Sec-WebSocket-Extensions: b; c=1, d"];
    let deflate = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits";
    let tidings = &["sec-websocket-protocol: tidings.v1"];
    let protocols = ["Sec-WebSocket-Protocol: my-app.v2", "Sec-WebSocket-Protocol: tidings.v1"];
    let protocol_row = |name, lines: &[&str]| Handshake { head: tidings, ..row("4.2.2", name, and(lines)) };
    vec![
        row("1.3", "the RFC's example", and(&[])),
        row("4.2.1", "names and values in other cases", other_cases.to_owned()),
        row("4.2.1", "no space after a colon", with("Upgrade", &["Upgrade:websocket"])),
        row("4.2.1", "Connection with two values", with("Connection", &["Connection: keep-alive, Upgrade"])),
        row(
            "4.2.1",
            "Connection in two lines",
            with("Connection", &["Connection: keep-alive", "Connection: Upgrade"]),
        ),
        row("4.2.1", "Upgrade with two values", with("Upgrade", &["Upgrade: h2c, websocket"])),
        row("4.2.1", "an absolute URI", with("GET", &[absolute])),
        row("4.2.1", "an Origin", and(&["Origin: http://example.com"])),
        row("4.2.1", "unknown headers", and(&["X-Unknown: 1", "Sec-WebSocket-Unknown: 2"])),
        row("9.1", "an extension, which is declined", and(&[deflate])),
        row("9.1", "unknown extensions in two lines", and(&in_two_lines)),
        protocol_row("the subprotocol tidings.v1", &protocols[1..]),
        protocol_row("subprotocols in two lines", &protocols),
    ]
}

/// Methods, versions of HTTP, and the headers Host, Upgrade and Connection.
fn requests() -> Vec<Handshake> {
    let row = |name, request, status, head| Handshake { section: "4.2.1", name, request, status, head };
    let line = |line| with("GET", &[line]);
    let get = &["allow: get"][..];
    let websocket = &["upgrade: websocket"][..];
    vec![
        row("POST", line("POST /ws?client_id=raw HTTP/1.1"), 405, get),
        row("PUT", line("PUT /ws?client_id=raw HTTP/1.1"), 405, get),
        row("HEAD", line("HEAD /ws?client_id=raw HTTP/1.1"), 405, get),
        row("query beyond UTF-8", line("GET /ws?client_id=%ff HTTP/1.1"), 400, &[]),
        row("HTTP/1.0", line("GET /ws?client_id=raw HTTP/1.0"), 400, &[]),
        row("HTTP/0.9", line("GET /ws?client_id=raw"), 400, &[]),
        row("no HTTP", "\u{16}\u{3}\u{1}hello\r\n\r\n".to_owned(), 400, &[]),
        row("no Host", with("Host", &[]), 400, &[]),
        row("two Hosts", and(&["Host: other.example.com"]), 400, &[]),
        row("no Upgrade", with("Upgrade", &[]), 426, websocket),
        row("Upgrade to something else", with("Upgrade", &["Upgrade: h2c"]), 426, websocket),
        row("Upgrade that begins with websocket", with("Upgrade", &["Upgrade: websocket2"]), 426, websocket),
        row("no Connection", with("Connection", &[]), 400, &[]),
        row("Connection without Upgrade", with("Connection", &["Connection: keep-alive"]), 400, &[]),
        Handshake {
            section: "4.2.2",
            ..row("an unknown subprotocol", and(&["Sec-WebSocket-Protocol: my-app.v2"]), 400, &[])
        },
    ]
}

fn keys() -> Vec<Handshake> {
    let row = |section, name, request| Handshake { section, name, request, status: 400, head: &[] };
    let key = |value: &str| with("Sec-WebSocket-Key", &[&format!("Sec-WebSocket-Key: {value}")]);
    vec![
        row("4.2.1", "no key", with("Sec-WebSocket-Key", &[])),
        row("4.2.1", "an empty key", key("")),
        row("4.2.1", "a key of 15 bytes", key("AAAAAAAAAAAAAAAAAAAA")),
        row("4.2.1", "a key of 17 bytes", key("AAAAAAAAAAAAAAAAAAAAAAA=")),
        row("4.2.1", "a key without padding", key("dGhlIHNhbXBsZSBub25jZQ")),
        row("4.2.1", "a key that is no base64", key("!!!!!!!!!!!!!!!!!!!!!!==")),
        row("11.3.1", "the key twice", and(&["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="])),
    ]
}

fn versions() -> Vec<Handshake> {
    let supported = &["sec-websocket-version: 13"];
    let row = |section, name, request| Handshake { section, name, request, status: 426, head: supported };
    let version = |value: &str| with("Sec-WebSocket-Version", &[&format!("Sec-WebSocket-Version: {value}")]);
    let twice = and(&["Sec-WebSocket-Version: 8"]);
    vec![
        row("4.2.1", "no version", with("Sec-WebSocket-Version", &[])),
        row("4.4", "version 8", version("8")),
        row("4.4", "version 14", version("14")),
        row("4.4", "version 013", version("013")),
        row("4.4", "no number as version", version("x")),
        row("4.4", "versions 13 and 8 as a list", version("13, 8")),
        Handshake { status: 400, head: &[], ..row("11.3.5", "the version twice", twice) },
    ]
}
