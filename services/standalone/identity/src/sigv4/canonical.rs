//! The canonical request: the one form in which signer and verifier write the same request.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::RequestParts;
use super::presented::{Place, is_signature};

/// All but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

pub(super) fn request(
    request: &RequestParts<'_>,
    signed_headers: &[String],
    place: Place,
    body_hash: &str,
) -> Vec<u8> {
    let mut canonical = Vec::with_capacity(1024);
    let mut line = |parts: &[&[u8]]| {
        for part in parts {
            canonical.extend_from_slice(part);
        }
        canonical.push(b'\n');
    };
    line(&[request.method.as_bytes()]);
    line(&[path(request.path).as_bytes()]);
    line(&[query(request.query, place).as_bytes()]);
    for name in signed_headers {
        let values: Vec<_> = request.values(name).map(trimmed).collect();
        line(&[name.as_bytes(), b":", &values.join(&b',')]);
    }
    line(&[]);
    line(&[signed_headers.join(";").as_bytes()]);
    canonical.extend_from_slice(body_hash.as_bytes());
    canonical
}

/// The path without empty and dot segments, each octet encoded once more than it came (S3 alone does not).
fn path(raw: &str) -> String {
    let mut segments = Vec::new();
    for segment in raw.split('/') {
        match segment {
            "" | "." => {}
            ".." => _ = segments.pop(),
            segment => segments.push(segment),
        }
    }
    let end = if raw.ends_with('/') && !segments.is_empty() { "/" } else { "" };
    let path = format!("/{}{end}", segments.join("/"));
    percent_encode(path.as_bytes(), RESERVED_IN_PATH).to_string()
}

/// The query's names and values, encoded alike and sorted. A plus is a plus: only forms mean a space by it.
fn query(raw: &str, place: Place) -> String {
    let encoded = |text| percent_encode(&Cow::from(percent_decode_str(text)), RESERVED).to_string();
    let mut pairs: Vec<_> = raw
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(name, _)| place == Place::Header || !is_signature(name))
        .map(|(name, value)| (encoded(name), encoded(value)))
        .collect();
    pairs.sort_unstable();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// A header's value without white space around it and with single spaces in it.
fn trimmed(value: &[u8]) -> Vec<u8> {
    let words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(&b' ')
}
