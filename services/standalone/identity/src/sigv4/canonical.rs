//! The canonical request: the form of a request that signer and verifier both compute.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::RequestParts;
use super::signature::{SignatureLocation, is_signature};

/// All characters but RFC 3986's unreserved ones.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// Returns the canonical request.
pub(super) fn request(
    request: &RequestParts<'_>,
    signed_headers: &[String],
    location: SignatureLocation,
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
    line(&[query(request.query, location).as_bytes()]);
    for name in signed_headers {
        let values: Vec<_> = request.values(name).map(trimmed).collect();
        line(&[name.as_bytes(), b":", &values.join(&b',')]);
    }
    line(&[]);
    line(&[signed_headers.join(";").as_bytes()]);
    canonical.extend_from_slice(body_hash.as_bytes());
    canonical
}

/// Returns the path without empty and dot segments, encoded once more than received. (S3 does not encode it
/// again.)
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

/// Returns the query's names and values, uniformly encoded and sorted. A plus stays a plus: it means a space
/// in forms only.
fn query(raw: &str, location: SignatureLocation) -> String {
    let encoded = |text| percent_encode(&Cow::from(percent_decode_str(text)), RESERVED).to_string();
    let mut pairs: Vec<_> = raw
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(name, _)| location == SignatureLocation::Header || !is_signature(name))
        .map(|(name, value)| (encoded(name), encoded(value)))
        .collect();
    pairs.sort_unstable();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Returns a header's value without surrounding white space and with single spaces.
fn trimmed(value: &[u8]) -> Vec<u8> {
    let words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(&b' ')
}
