//! API Gateway's WebSocket connections.
//!
//! | behaviour | source |
//! |---|---|
//! | 410 until `$connect` has returned, and after the end | <https://repost.aws/knowledge-center/410-gone-api-gateway> |
//! | 429 beyond the account's requests a second, and when the client's buffer is full | <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html>, `LimitExceededException` |
//! | two hours, ten minutes without traffic, 128 KiB | <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html> |
//! | `$disconnect` is sent as well as can be, late or never | <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-keys-connect-disconnect.html> |

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use contract_connections_v1::{ConnectionId, FrameFormat};
use shared_sync::IgnorePoison as _;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The connections.
#[derive(Debug, Default)]
pub(crate) struct Gateway {
    sockets: Mutex<Vec<Socket>>,
    requests: Mutex<(u64, u32)>,
}

/// A connection at the gateway.
#[derive(Debug)]
pub(crate) struct Socket {
    /// The user.
    pub(crate) user: usize,
    /// Format of its frames.
    pub(crate) format: FrameFormat,
    /// Its state.
    pub(crate) state: SocketState,
    /// True if the client is gone and the gateway has not noticed.
    pub(crate) is_half_open: bool,
    /// Time at which the handshake began.
    pub(crate) began: Instant,
    /// Time of the last frame in either direction.
    pub(crate) used: Instant,
    /// The frames that the client has not read.
    pub(crate) frames: VecDeque<String>,
    /// Their size, in bytes.
    pub(crate) buffered: usize,
    /// Notified of each frame, and of the end.
    pub(crate) changed: Arc<Notify>,
}

/// The state of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SocketState {
    /// `$connect` has not returned.
    Connecting,
    /// The client and the gateway exchange frames.
    Open,
    /// It has ended.
    Closed,
}

impl Gateway {
    /// Locks the connections.
    pub(crate) fn sockets(&self) -> MutexGuard<'_, Vec<Socket>> {
        self.sockets.lock().ignore_poison()
    }

    /// Begins a handshake and returns the connection's number.
    pub(crate) fn begin(&self, user: usize, format: FrameFormat) -> u32 {
        let now = Instant::now();
        let mut sockets = self.sockets();
        sockets.push(Socket {
            user,
            format,
            state: SocketState::Connecting,
            is_half_open: false,
            began: now,
            used: now,
            frames: VecDeque::new(),
            buffered: 0,
            changed: Arc::default(),
        });
        u32::try_from(sockets.len() - 1).unwrap_or(u32::MAX)
    }

    /// Counts a request to the gateway, or refuses it.
    pub(crate) fn admits(&self, second: u64, quota: u32) -> bool {
        let mut requests = self.requests.lock().ignore_poison();
        if requests.0 != second {
            *requests = (second, 0);
        }
        requests.1 += 1;
        requests.1 <= quota
    }
}

/// Returns the id of a connection.
pub(crate) fn connection_id(connection: u32) -> ConnectionId {
    ConnectionId::new(format!("c{connection}"))
}

/// Returns the number of the connection with this id.
pub(crate) fn connection_number(id: &ConnectionId) -> u32 {
    id.as_str().trim_start_matches('c').parse().unwrap_or(u32::MAX)
}
