//! Settings of a listener.

use std::time::Duration;

use contract_connections_v1::FrameFormat;
use shared_retry::RetryPolicy;

use super::certificates::CertificateAuthorities;

/// Settings of a [`Listener`](super::Listener).
#[derive(Debug, Clone)]
pub struct ListenerConfig {
    /// True if the gateway keeps each notification until the application has handled it.
    pub acknowledge: bool,
    /// Frame format to request; the gateway's default is batches. Raw payloads can't be acknowledged.
    pub format: Option<FrameFormat>,
    /// Number of acknowledgements that fill a frame.
    pub ack_batch: usize,
    /// Longest delay of an acknowledgement.
    pub ack_delay: Duration,
    /// Interval of pings. The listener closes a connection that is silent for two intervals.
    pub ping_interval: Duration,
    /// Longest duration of a handshake.
    pub connect_timeout: Duration,
    /// Certificate authorities to trust; `None` for those of the operating system.
    pub certificate_authorities: Option<CertificateAuthorities>,
    /// Delays between attempts to connect.
    pub retry: RetryPolicy,
    /// Number of failed attempts after which a listener that never connected stops with an error. After the
    /// first connection the number of attempts is unlimited.
    pub first_attempts: u32,
    /// Number of notification ids to remember, to recognise duplicates.
    pub remember: usize,
    /// Number of events that may wait for the application. The listener stops reading from the gateway when
    /// that many wait.
    pub buffer: usize,
}

impl Default for ListenerConfig {
    fn default() -> Self {
        Self {
            acknowledge: true,
            format: None,
            ack_batch: 25,
            ack_delay: Duration::from_secs(1),
            ping_interval: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            certificate_authorities: None,
            retry: RetryPolicy { initial: Duration::from_millis(200), max: Duration::from_secs(15) },
            first_attempts: 5,
            remember: 10_000,
            buffer: 256,
        }
    }
}
