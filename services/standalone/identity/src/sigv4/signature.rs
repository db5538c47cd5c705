//! Parses a request's signature, in the `Authorization` header or in the query. Does not verify it.

use std::time::Duration;

use contract_notifications_v1::Timestamp;
use percent_encoding::percent_decode_str;

use super::{ALGORITHM, MAX_SKEW, RequestParts, SigV4Error, amz_date};

/// Last part of every credential scope.
pub(super) const TERMINATOR: &str = "aws4_request";

/// Location of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignatureLocation {
    /// The `Authorization` header.
    Header,
    /// The query, with the lifetime of the signature.
    Query(Duration),
}

impl SignatureLocation {
    /// Returns the duration for which a signature is valid after its time.
    pub(super) const fn lifetime(self) -> Duration {
        match self {
            Self::Header => MAX_SKEW,
            Self::Query(lifetime) => lifetime,
        }
    }
}

/// The credential scope: the key, and the purpose for which it signed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) access_key_id: String,
    pub(super) date: String,
    pub(super) region: String,
    pub(super) service: String,
}

impl Scope {
    /// Returns the scope without the key, as it is signed.
    pub(super) fn path(&self) -> String {
        format!("{}/{}/{}/{TERMINATOR}", self.date, self.region, self.service)
    }
}

/// A signature that is not verified yet.
#[derive(Debug)]
pub(super) struct PresentedSignature {
    pub(super) location: SignatureLocation,
    pub(super) scope: Scope,
    /// Names in lower case and ascending order.
    pub(super) signed_headers: Vec<String>,
    pub(super) signature: [u8; 32],
    /// The text of `signed_at`.
    pub(super) time: String,
    pub(super) signed_at: Timestamp,
}

/// Names of query parameters.
mod query {
    pub(super) const ALGORITHM: &str = "X-Amz-Algorithm";
    pub(super) const CREDENTIAL: &str = "X-Amz-Credential";
    pub(super) const DATE: &str = "X-Amz-Date";
    pub(super) const EXPIRES: &str = "X-Amz-Expires";
    pub(super) const SIGNED_HEADERS: &str = "X-Amz-SignedHeaders";
    pub(super) const SIGNATURE: &str = "X-Amz-Signature";
    pub(super) const SESSION_TOKEN: &str = "X-Amz-Security-Token";
}

/// Returns true for the query parameter with the signature, which is the only unsigned one.
pub(super) fn is_signature(name: &str) -> bool {
    name == query::SIGNATURE
}

/// Returns the header with the signature, or `None` if the signature is in the query.
pub(super) fn locate<'a>(request: &RequestParts<'a>) -> Result<Option<&'a str>, SigV4Error> {
    let header = request
        .value("authorization")?
        .and_then(|value| std::str::from_utf8(value).ok())
        .filter(|value| value.starts_with("AWS4-"));
    let in_query = pairs(request).any(|(name, _)| name == query::ALGORITHM || is_signature(name));
    match (header, in_query) {
        (Some(_), true) => Err(SigV4Error::SignedTwice),
        (None, false) => Err(SigV4Error::NotSigned),
        (header, _) => Ok(header),
    }
}

impl PresentedSignature {
    pub(super) fn of(request: &RequestParts<'_>) -> Result<Self, SigV4Error> {
        let presented = match locate(request)? {
            Some(header) => Self::of_header(header, request)?,
            None => Self::of_query(request)?,
        };
        if request.value("x-amz-security-token")?.is_some() {
            return Err(SigV4Error::SessionToken);
        }
        if presented.time.get(..8) != Some(&presented.scope.date) {
            return Err(SigV4Error::ScopeDate);
        }
        Ok(presented)
    }

    /// Parses `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`, with the parts in any order.
    fn of_header(header: &str, request: &RequestParts<'_>) -> Result<Self, SigV4Error> {
        let parts = header.strip_prefix(ALGORITHM).and_then(|rest| rest.strip_prefix(' '));
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for part in parts.ok_or(SigV4Error::Algorithm)?.split(',') {
            let (name, value) = part.trim().split_once('=').ok_or(SigV4Error::UnknownPart)?;
            let (name, found) = match name {
                "Credential" => ("Credential", &mut credential),
                "SignedHeaders" => ("SignedHeaders", &mut signed_headers),
                "Signature" => ("Signature", &mut signature),
                _ => return Err(SigV4Error::UnknownPart),
            };
            if found.replace(value).is_some() {
                return Err(SigV4Error::Repeated { name });
            }
        }
        let time = request
            .value("x-amz-date")?
            .ok_or_else(|| SigV4Error::Absent { name: "x-amz-date".to_owned() })?;
        let time = String::from_utf8_lossy(time);
        let some = |part: Option<_>, name| part.ok_or(SigV4Error::Missing { name });
        Ok(Self {
            location: SignatureLocation::Header,
            scope: scope(some(credential, "Credential")?)?,
            signed_headers: headers(some(signed_headers, "SignedHeaders")?)?,
            signature: bytes(some(signature, "Signature")?)?,
            signed_at: signed_at(time.trim())?,
            time: time.trim().to_owned(),
        })
    }

    fn of_query(request: &RequestParts<'_>) -> Result<Self, SigV4Error> {
        let part = |name| {
            let mut found = pairs(request).filter(|(found, _)| *found == name).map(|(_, value)| value);
            match (found.next(), found.next()) {
                (None, _) => Err(SigV4Error::Missing { name }),
                (Some(value), None) => Ok(percent_decode_str(value).decode_utf8_lossy().into_owned()),
                (Some(_), Some(_)) => Err(SigV4Error::Repeated { name }),
            }
        };
        if part(query::ALGORITHM)? != ALGORITHM {
            return Err(SigV4Error::Algorithm);
        }
        if pairs(request).any(|(name, _)| name == query::SESSION_TOKEN) {
            return Err(SigV4Error::SessionToken);
        }
        let time = part(query::DATE)?;
        Ok(Self {
            location: SignatureLocation::Query(lifetime(&part(query::EXPIRES)?)?),
            scope: scope(&part(query::CREDENTIAL)?)?,
            signed_headers: headers(&part(query::SIGNED_HEADERS)?)?,
            signature: bytes(&part(query::SIGNATURE)?)?,
            signed_at: signed_at(&time)?,
            time,
        })
    }
}

/// Returns names and values of the query, still encoded.
fn pairs<'a>(request: &RequestParts<'a>) -> impl Iterator<Item = (&'a str, &'a str)> {
    request.query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn scope(text: &str) -> Result<Scope, SigV4Error> {
    let form = SigV4Error::Form {
        name: "Credential",
        expected: "an access key id, a date, a region, a service and aws4_request, joined by slashes",
    };
    let word = |text: &str| {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=128).contains(&text.len()) && text.bytes().all(legal)
    };
    let parts: Vec<_> = text.split('/').collect();
    let [access_key_id, date, region, service, TERMINATOR] = parts[..] else { return Err(form) };
    if ![access_key_id, date, region, service].into_iter().all(word) {
        return Err(form);
    }
    Ok(Scope {
        access_key_id: access_key_id.to_owned(),
        date: date.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
    })
}

fn headers(text: &str) -> Result<Vec<String>, SigV4Error> {
    let names: Vec<_> = text.split(';').map(str::to_owned).collect();
    let legal = |name: &String| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase())
    };
    // Strictly ascending order excludes repeated names.
    if names.iter().all(legal) && names.is_sorted_by(|one, next| one < next) {
        return Ok(names);
    }
    Err(SigV4Error::Form {
        name: "SignedHeaders",
        expected: "the names of headers in lower case and ascending order, joined by semicolons",
    })
}

fn bytes(signature: &str) -> Result<[u8; 32], SigV4Error> {
    let mut bytes = [0; 32];
    let lower = !signature.bytes().any(|byte| byte.is_ascii_uppercase());
    match hex::decode_to_slice(signature, &mut bytes) {
        Ok(()) if lower => Ok(bytes),
        _ => Err(SigV4Error::Form { name: "Signature", expected: "64 lower-case hex digits" }),
    }
}

fn signed_at(text: &str) -> Result<Timestamp, SigV4Error> {
    let form = SigV4Error::Form { name: "X-Amz-Date", expected: "a time in UTC like 20260301T120000Z" };
    amz_date::parse(text).ok_or(form)
}

/// Parses a lifetime of at most a week, as with AWS
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>).
fn lifetime(text: &str) -> Result<Duration, SigV4Error> {
    let form = SigV4Error::Form { name: query::EXPIRES, expected: "1 to 604800 seconds" };
    let seconds = text.parse().ok().filter(|seconds| (1..=604_800).contains(seconds)).ok_or(form)?;
    Ok(Duration::from_secs(seconds))
}
