//! The id and the remote address of a request.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{SystemTime, UNIX_EPOCH};

use contract_notifications_v1::Timestamp;

/// The address a request came from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remote(pub(super) IpAddr);

impl Default for Remote {
    fn default() -> Self {
        Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }
}

/// The id of a request, as an extension of the request.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) std::sync::Arc<str>);

/// Makes a request id: a `UUIDv7`.
pub(super) fn request_id() -> String {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    uuid_v7(Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)))
}

/// Makes a `UUIDv7` of the given time. Its random part comes from the thread's generator, because the system's
/// would cost a system call for each notification.
pub(super) fn uuid_v7(now: Timestamp) -> String {
    let uuid = uuid::Builder::from_unix_timestamp_millis(now.millis(), &rand::random()).into_uuid();
    let mut buffer = uuid::Uuid::encode_buffer();
    uuid.hyphenated().encode_lower(&mut buffer).to_owned()
}
