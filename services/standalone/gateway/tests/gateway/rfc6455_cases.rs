//! The frames of RFC 6455: what clients send on an open connection, and the answers.

use std::fmt;

/// An expected frame.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A pong with this payload.
    Pong(Vec<u8>),
    /// A text that contains this.
    Text(&'static str),
    /// A close frame with this payload, and the end of the connection.
    Close(Vec<u8>),
    /// A close frame with this code, whatever its reason, and the end of the connection.
    Fail(u16),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pong(payload) => write!(f, "pong, {} bytes", payload.len()),
            Self::Text(part) => write!(f, "text `{part}`"),
            Self::Close(payload) => match payload[..] {
                [] => f.write_str("close"),
                [high, low, ..] => write!(f, "close {}, the same reason", u16::from_be_bytes([high, low])),
                [_] => f.write_str("close, 1 byte"),
            },
            Self::Fail(code) => write!(f, "close {code}"),
        }
    }
}

/// What a client sends on an open connection, and every frame that it gets.
pub(crate) struct Case {
    /// Section of the RFC.
    pub(crate) section: &'static str,
    pub(crate) name: String,
    pub(crate) sent: Vec<u8>,
    pub(crate) answers: Vec<Answer>,
}

const FINAL: u8 = 0x80;
const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = FINAL | 0x8;
const PONG: u8 = FINAL | 0xa;
/// The first byte of a ping.
pub(crate) const PING: u8 = FINAL | 0x9;

/// The mask of the RFC's examples.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The default of `max_frame_bytes`, and that of a message.
const MAX_BYTES: usize = 128 * 1024;

fn masked(payload: &[u8]) -> impl Iterator<Item = u8> {
    payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask)
}

/// Form of a frame's length.
#[derive(Clone, Copy)]
enum Form {
    Bits7,
    Bits16,
    Bits64,
}

/// Makes the head of a masked frame.
fn head(first: u8, len: u64, form: Form) -> Vec<u8> {
    let mut bytes = vec![first];
    match form {
        Form::Bits7 => bytes.push(0x80 | u8::try_from(len).unwrap()),
        Form::Bits16 => {
            bytes.push(0x80 | 0x7e);
            bytes.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        Form::Bits64 => {
            bytes.push(0x80 | 0x7f);
            bytes.extend(len.to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes
}

fn frame_in(first: u8, payload: &[u8], form: Form) -> Vec<u8> {
    let mut bytes = head(first, payload.len() as u64, form);
    bytes.extend(masked(payload));
    bytes
}

/// Makes a client's frame with the shortest form of its length.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let form = match payload.len() {
        0..126 => Form::Bits7,
        126..65_536 => Form::Bits16,
        _ => Form::Bits64,
    };
    frame_in(first, payload, form)
}

/// Makes the payload of a close frame.
fn closing(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

/// An action that is answered with a text.
const ACTION: &[u8] = br#"{"action":"ping"}"#;
const ACTION_ANSWER: &str = r#"{"type":"pong"}"#;

/// Makes an action of this length.
fn action(len: usize) -> Vec<u8> {
    let mut action = ACTION.to_vec();
    action.resize(len, b' ');
    action
}

/// Collects cases.
#[derive(Default)]
struct Table(Vec<Case>);

impl Table {
    fn add(
        &mut self,
        section: &'static str,
        name: impl Into<String>,
        sent: impl Into<Vec<u8>>,
        answers: Vec<Answer>,
    ) {
        self.0.push(Case { section, name: name.into(), sent: sent.into(), answers });
    }

    fn fails(&mut self, section: &'static str, name: impl Into<String>, sent: impl Into<Vec<u8>>, code: u16) {
        self.add(section, name, sent, vec![Answer::Fail(code)]);
    }

    fn acts(&mut self, section: &'static str, name: impl Into<String>, sent: impl Into<Vec<u8>>) {
        self.add(section, name, sent, vec![Answer::Text(ACTION_ANSWER)]);
    }
}

/// Returns all cases of an open connection.
pub(crate) fn cases() -> Vec<Case> {
    let mut table = Table::default();
    base_framing(&mut table);
    lengths(&mut table);
    fragments(&mut table);
    control_frames(&mut table);
    close_codes(&mut table);
    text_encoding(&mut table);
    table.0
}

fn base_framing(table: &mut Table) {
    table.acts("5.6", "text", frame(FINAL | TEXT, ACTION));
    table.add("5.6", "empty text", frame(FINAL | TEXT, b""), vec![Answer::Text("error")]);
    table.add("5.6", "binary", frame(FINAL | BINARY, &[0, 0xff]), vec![Answer::Text("text frames")]);
    table.add("5.6", "empty binary", frame(FINAL | BINARY, b""), vec![Answer::Text("text frames")]);

    table.fails("5.1", "text without mask", [&[FINAL | TEXT, 2], &b"{}"[..]].concat(), 1002);
    table.fails("5.1", "ping without mask", [PING, 0], 1002);
    table.fails("5.1", "close without mask", [CLOSE, 2, 0x03, 0xe8], 1002);
    let second = [frame(FINAL | TEXT, ACTION), vec![FINAL | TEXT, 2, b'{', b'}']].concat();
    table.add(
        "5.1",
        "text without mask after a masked one",
        second,
        vec![Answer::Text(ACTION_ANSWER), Answer::Fail(1002)],
    );
    let unmasked_continuation = [frame(TEXT, b"{"), vec![FINAL | CONTINUATION, 1, b'}']].concat();
    table.fails("5.1", "continuation without mask", unmasked_continuation, 1002);
    let mut zeros = vec![FINAL | TEXT, 0x80 | u8::try_from(ACTION.len()).unwrap(), 0, 0, 0, 0];
    zeros.extend(ACTION);
    table.acts("5.3", "mask of zeros", zeros);

    for bits in 1..8u8 {
        let name = format!("reserved bits {bits:03b}");
        table.fails("5.2", format!("{name}, text"), frame(FINAL | bits << 4 | TEXT, b"{}"), 1002);
        table.fails("5.2", format!("{name}, ping"), frame(PING | bits << 4, b"x"), 1002);
    }
    table.fails("5.2", "reserved bit 100, close", frame(CLOSE | 0x40, &closing(1000, "")), 1002);
    let continuation = [frame(TEXT, b"{"), frame(FINAL | 0x40, b"}")].concat();
    table.fails("5.2", "reserved bit 100, continuation", continuation, 1002);
    for opcode in (0x3..0x8).chain(0xb..0x10) {
        let name = format!("reserved opcode {opcode:x}");
        table.fails("5.2", format!("{name}, empty"), frame(FINAL | opcode, b""), 1002);
        table.fails("5.2", format!("{name}, with payload"), frame(FINAL | opcode, b"x"), 1002);
    }
}

fn lengths(table: &mut Table) {
    for len in [ACTION.len(), 125, 126, 127, 128, 65_535, 65_536, MAX_BYTES] {
        table.acts("5.2", format!("text of {len} bytes"), frame(FINAL | TEXT, &action(len)));
    }
    table.fails("7.4.1", "text above the limit", frame(FINAL | TEXT, &action(MAX_BYTES + 1)), 1009);
    let fragment = |first| frame(first, &action(MAX_BYTES / 2 + 1));
    let both = [fragment(TEXT), fragment(FINAL | CONTINUATION)].concat();
    table.fails("7.4.1", "fragments above the limit", both, 1009);
    for (name, len) in [
        ("2^32", 1 << 32),
        ("2^63 - 1", (1 << 63) - 1),
        ("2^63: the highest bit must be 0", 1 << 63),
        ("2^64 - 1: the highest bit must be 0", u64::MAX),
    ] {
        table.fails(
            "5.2",
            format!("length {name}, nothing follows"),
            head(FINAL | TEXT, len, Form::Bits64),
            1009,
        );
    }
    // Senders must not use them. What a receiver does with them is left open.
    table.acts("5.2", "16-bit length of a short text", frame_in(FINAL | TEXT, ACTION, Form::Bits16));
    table.acts("5.2", "64-bit length of a short text", frame_in(FINAL | TEXT, ACTION, Form::Bits64));
    table.acts("5.2", "64-bit length of 300 bytes", frame_in(FINAL | TEXT, &action(300), Form::Bits64));
    let ping = frame_in(PING, b"x", Form::Bits16);
    table.add("5.5", "16-bit length of a ping of 1 byte", ping, vec![Answer::Pong(b"x".to_vec())]);
}

fn fragments(table: &mut Table) {
    let (front, back) = ACTION.split_at(5);
    let two = [frame(TEXT, front), frame(FINAL | CONTINUATION, back)].concat();
    table.acts("5.4", "text in two fragments", two.clone());
    let mut bytes = frame(TEXT, b"");
    for byte in ACTION {
        bytes.extend(frame(CONTINUATION, &[*byte]));
    }
    bytes.extend(frame(FINAL | CONTINUATION, b""));
    table.acts("5.4", "text in fragments of one byte and empty ones", bytes);
    let empty = [frame(TEXT, b""), frame(CONTINUATION, b""), frame(FINAL | CONTINUATION, b"")].concat();
    table.add("5.4", "three empty fragments", empty, vec![Answer::Text("error")]);
    let binary = [frame(BINARY, b"a"), frame(FINAL | CONTINUATION, b"b")].concat();
    table.add("5.4", "binary in two fragments", binary, vec![Answer::Text("text frames")]);
    table.add(
        "5.4",
        "two fragmented texts",
        [two.clone(), two].concat(),
        vec![Answer::Text(ACTION_ANSWER), Answer::Text(ACTION_ANSWER)],
    );
    table.add("5.4", "a fragment that nothing follows", frame(TEXT, front), vec![]);

    for payload in [&b"x"[..], b"", &[0xff; 125]] {
        let len = payload.len();
        let between = [frame(TEXT, front), frame(PING, payload), frame(FINAL | CONTINUATION, back)].concat();
        let answers = vec![Answer::Pong(payload.to_vec()), Answer::Text(ACTION_ANSWER)];
        table.add("5.4", format!("ping of {len} bytes between fragments"), between, answers);
    }
    let between = [frame(TEXT, front), frame(PONG, b"x"), frame(FINAL | CONTINUATION, back)].concat();
    table.acts("5.4", "pong between fragments", between);
    let close = closing(1000, "bye");
    let between = [frame(TEXT, front), frame(CLOSE, &close), frame(FINAL | CONTINUATION, back)].concat();
    table.add("5.4", "close between fragments", between, vec![Answer::Close(close)]);

    for (name, first) in [("last", FINAL | CONTINUATION), ("first", CONTINUATION)] {
        table.fails("5.4", format!("continuation of nothing, {name}"), frame(first, b"x"), 1002);
    }
    let after = [frame(FINAL | TEXT, ACTION), frame(FINAL | CONTINUATION, b"x")].concat();
    table.add(
        "5.4",
        "continuation after a whole text",
        after,
        vec![Answer::Text(ACTION_ANSWER), Answer::Fail(1002)],
    );
    for (name, first) in [
        ("text", FINAL | TEXT),
        ("binary", FINAL | BINARY),
        ("fragment of a text", TEXT),
        ("fragment of a binary", BINARY),
    ] {
        let sent = [frame(TEXT, front), frame(first, back)].concat();
        table.fails("5.4", format!("{name} inside a fragmented text"), sent, 1002);
    }
}

fn control_frames(table: &mut Table) {
    for len in [0, 1, 124, 125] {
        let payload = vec![0xfe; len];
        let sent = frame(PING, &payload);
        table.add("5.5.2", format!("ping of {len} bytes"), sent, vec![Answer::Pong(payload)]);
    }
    let pings: Vec<_> = (0..10).map(|n| vec![b'0' + n]).collect();
    let sent = pings.iter().flat_map(|payload| frame(PING, payload)).collect::<Vec<_>>();
    // An endpoint may answer the latest ping alone. This one answers each.
    table.add("5.5.3", "ten pings at once", sent, pings.into_iter().map(Answer::Pong).collect());
    table.add("5.5.3", "pong that nobody asked for", frame(PONG, b"unasked"), vec![]);
    table.add("5.5.3", "empty pong that nobody asked for", frame(PONG, b""), vec![]);
    let forged = u64::MAX.to_be_bytes();
    table.add("5.5.3", "pong with a number never sent", frame(PONG, &forged), vec![]);

    for (name, first) in [("ping", PING), ("pong", PONG), ("close", CLOSE)] {
        for len in [126, 65_536] {
            let sent = frame(first, &vec![b'x'; len]);
            table.fails("5.5", format!("{name} of {len} bytes"), sent, 1002);
        }
        let fragment = frame(first & !FINAL, &closing(1000, ""));
        table.fails("5.5", format!("{name} as a first fragment"), fragment, 1002);
    }
    let fragmented = [frame(PING & !FINAL, b"x"), frame(FINAL | CONTINUATION, b"y")].concat();
    table.fails("5.5", "ping in two fragments", fragmented, 1002);
    let inside = [frame(TEXT, b"{"), frame(PING & !FINAL, b"x")].concat();
    table.fails("5.5", "fragment of a ping inside a fragmented text", inside, 1002);
}

fn close_codes(table: &mut Table) {
    table.add("5.5.1", "close without code", frame(CLOSE, b""), vec![Answer::Close(vec![])]);
    table.fails("5.5.1", "close with 1 byte", frame(CLOSE, &[3]), 1002);
    let longest = "x".repeat(123);
    for (name, reason) in
        [("without reason", ""), ("with a reason", "bye, κόσμε"), ("with 123 bytes", longest.as_str())]
    {
        let payload = closing(1000, reason);
        table.add(
            "5.5.1",
            format!("close 1000 {name}"),
            frame(CLOSE, &payload),
            vec![Answer::Close(payload)],
        );
    }
    table.fails("5.5.1", "close 1000 with 124 bytes", frame(CLOSE, &closing(1000, &"x".repeat(124))), 1002);
    // 1012 and 1013 are in IANA's registry.
    let legal = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999];
    for code in legal {
        for reason in ["", "reason"] {
            let payload = closing(code, reason);
            let name = format!("close {code}{}", if reason.is_empty() { "" } else { " with a reason" });
            table.add("7.4", name, frame(CLOSE, &payload), vec![Answer::Close(payload)]);
        }
    }
    // Registered with IANA later, for gateways. Tungstenite does not know it yet.
    table.fails("7.4", "close 1014", frame(CLOSE, &closing(1014, "")), 1002);
    for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        for reason in ["", "reason"] {
            let name = format!("close {code}{}", if reason.is_empty() { "" } else { " with a reason" });
            table.fails("7.4", name, frame(CLOSE, &closing(code, reason)), 1002);
        }
    }
    for (name, reason) in [
        ("a reason of invalid UTF-8", &b"\xce\xba\xff"[..]),
        ("a reason that ends inside a character", b"\xce\xba\xe1\xbd"),
        ("a surrogate as its reason", b"\xed\xa0\x80"),
    ] {
        let payload = [&1000_u16.to_be_bytes()[..], reason].concat();
        table.fails("5.5.1", format!("close with {name}"), frame(CLOSE, &payload), 1007);
    }
    let close = closing(1000, "");
    for (name, more) in [
        ("a text", frame(FINAL | TEXT, ACTION)),
        ("a ping", frame(PING, b"x")),
        ("another close", frame(CLOSE, &closing(1001, ""))),
        ("100,000 bytes", frame(FINAL | TEXT, &action(100_000))),
        ("a text without mask", vec![FINAL | TEXT, 2, b'{', b'}']),
    ] {
        let sent = [frame(CLOSE, &close), more].concat();
        table.add("5.5.1", format!("close, then {name}"), sent, vec![Answer::Close(close.clone())]);
    }
    let before = [frame(PING, b"x"), frame(CLOSE, &close)].concat();
    table.add("5.5.1", "ping, then close", before, vec![Answer::Pong(b"x".to_vec()), Answer::Close(close)]);
}

fn text_encoding(table: &mut Table) {
    let quoted = "{\"action\":\"κόσμε 😀\"}".as_bytes();
    let unknown = || vec![Answer::Text("κόσμε 😀")];
    table.add("5.6", "text with characters of 2 to 4 bytes", frame(FINAL | TEXT, quoted), unknown());
    let mut split = frame(TEXT, b"");
    for byte in quoted {
        split.extend(frame(CONTINUATION, &[*byte]));
    }
    split.extend(frame(FINAL | CONTINUATION, b""));
    table.add("5.6", "every character split over fragments", split, unknown());
    let mut pinged = frame(TEXT, &quoted[..12]);
    pinged.extend(frame(PING, b"x"));
    pinged.extend(frame(FINAL | CONTINUATION, &quoted[12..]));
    let mut answers = unknown();
    answers.insert(0, Answer::Pong(b"x".to_vec()));
    table.add("5.6", "a ping inside a character", pinged, answers);

    let invalid: [(&str, &[u8]); 12] = [
        ("a byte that never occurs", b"\xff"),
        ("a lone continuation byte", b"\x80"),
        ("a character cut off at the end", b"\xce\xba\xe1\xbd"),
        ("a character cut off by another", b"\xe1\xbdx"),
        ("an overlong slash of 2 bytes", b"\xc0\xaf"),
        ("an overlong slash of 3 bytes", b"\xe0\x80\xaf"),
        ("an overlong slash of 4 bytes", b"\xf0\x80\x80\xaf"),
        ("a lone surrogate, high", b"\xed\xa0\x80"),
        ("a pair of surrogates", b"\xed\xa0\x80\xed\xb0\x80"),
        ("U+110000", b"\xf4\x90\x80\x80"),
        ("5 bytes", b"\xf8\x88\x80\x80\x80"),
        ("6 bytes", b"\xfc\x84\x80\x80\x80\x80"),
    ];
    for (name, bytes) in invalid {
        table.fails("8.1", name, frame(FINAL | TEXT, bytes), 1007);
        let (front, back) = bytes.split_at(bytes.len() / 2);
        let split = [frame(TEXT, front), frame(FINAL | CONTINUATION, back)].concat();
        table.fails("8.1", format!("{name}, in two fragments"), split, 1007);
    }
    table.fails("8.1", "invalid in the first fragment, and no other", frame(TEXT, b"\xce\xff"), 1007);
    let later = [frame(TEXT, b"\xce"), frame(CONTINUATION, b"\xce")].concat();
    table.fails("8.1", "invalid across fragments, and no last one", later, 1007);
    let empty_last = [frame(TEXT, b"\xce"), frame(FINAL | CONTINUATION, b"")].concat();
    table.fails("8.1", "cut off, and an empty last fragment", empty_last, 1007);
}
