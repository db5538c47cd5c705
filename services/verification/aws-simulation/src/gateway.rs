//! API Gateway's WebSocket connections.
//!
//! | behaviour | source |
//! |---|---|
//! | 410 until `$connect` has returned, and after the end | <https://repost.aws/knowledge-center/410-gone-api-gateway> |
//! | 429 beyond the account's requests a second, and when the client's buffer is full | <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html>, `LimitExceededException` |
//! | two hours, ten minutes without traffic, 128 KiB | <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html> |
//! | `$disconnect` is sent as well as can be, late or never | <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-keys-connect-disconnect.html> |

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contract_connections_v1::{ConnectionId, FrameFormat};
use dispatcher::ports::PushError;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::log::EventKind;
use crate::mutant::Mutant;
use crate::world::{INVOCATION, World};

/// Largest message to a client, in bytes.
const MAX_MESSAGE: usize = 128 * 1024;

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
    frames: VecDeque<String>,
    buffered: usize,
    changed: Arc<Notify>,
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

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(&'static str);

impl Gateway {
    /// Locks the connections.
    pub(crate) fn sockets(&self) -> MutexGuard<'_, Vec<Socket>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn admits(&self, second: u64, quota: u32) -> bool {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
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

impl World {
    /// Sends a message to a connection.
    ///
    /// # Errors
    /// [`PushError`] if the gateway does not take it.
    pub(crate) async fn post(&self, connection: u32, text: String) -> Result<(), PushError> {
        let Some(user) = self.gateway.sockets().get(connection as usize).map(|socket| socket.user) else {
            return Err(PushError::Gone);
        };
        let refused = |reason| {
            self.log(user, EventKind::Fault(reason));
            PushError::Unavailable(Refused(reason).into())
        };
        let taken = self.call(user, "push", || self.take(connection, text)).await;
        match taken {
            Err(_) => Err(refused("the push is reported failed")),
            Ok(Taken::Yes) => Ok(()),
            Ok(Taken::Gone) => Err(PushError::Gone),
            Ok(Taken::Refused(reason)) => Err(refused(reason)),
        }
    }

    fn take(&self, connection: u32, text: String) -> Taken {
        if !self.gateway.admits(self.elapsed() / 1_000, self.plan.quota) {
            return Taken::Refused("429 for the account");
        }
        let mut sockets = self.gateway.sockets();
        let socket = &mut sockets[connection as usize];
        if socket.state != SocketState::Open {
            return Taken::Gone;
        }
        if text.len() > MAX_MESSAGE {
            return Taken::Refused("413");
        }
        if socket.buffered > 0 && socket.buffered + text.len() > self.plan.client_buffer {
            return Taken::Refused("429 for the connection");
        }
        let user = socket.user;
        socket.used = Instant::now();
        let numbers = crate::frames::numbers(socket.format, &text);
        if !socket.is_half_open && !self.has(Mutant::SwallowsPush) {
            socket.buffered += text.len();
            socket.frames.push_back(text);
            socket.changed.notify_waiters();
        }
        drop(sockets);
        let invocation = INVOCATION.try_with(|invocation| *invocation).unwrap_or(u64::MAX);
        self.log(user, EventKind::Pushed { connection, invocation, numbers });
        Taken::Yes
    }

    /// Reads the next frame of a connection; `None` once it has ended.
    pub(crate) async fn read(&self, connection: u32) -> Option<String> {
        loop {
            let changed = {
                let mut sockets = self.gateway.sockets();
                let socket = &mut sockets[connection as usize];
                if let Some(frame) = socket.frames.pop_front() {
                    socket.buffered -= frame.len();
                    return Some(frame);
                }
                if socket.state == SocketState::Closed {
                    return None;
                }
                Arc::clone(&socket.changed)
            };
            // Nothing happens between the look and the wait, because the runtime has one thread.
            changed.notified().await;
        }
    }

    /// Completes a handshake. Returns false if the client has gone meanwhile.
    pub(crate) fn open(&self, connection: u32, acknowledges: bool) -> bool {
        let mut sockets = self.gateway.sockets();
        let socket = &mut sockets[connection as usize];
        if socket.state != SocketState::Connecting {
            return false;
        }
        socket.state = SocketState::Open;
        socket.used = Instant::now();
        let user = socket.user;
        drop(sockets);
        self.log(user, EventKind::Opened { connection, acknowledges });
        true
    }

    /// Ends a connection. Returns true if it had not ended before.
    pub(crate) fn close(&self, connection: u32) -> bool {
        let mut sockets = self.gateway.sockets();
        let socket = &mut sockets[connection as usize];
        let was_open = std::mem::replace(&mut socket.state, SocketState::Closed) != SocketState::Closed;
        let user = socket.user;
        if was_open {
            socket.changed.notify_waiters();
            drop(sockets);
            self.log(user, EventKind::Closed { connection });
        }
        was_open
    }

    /// Waits until the gateway ends a connection because of its age or because it is idle. After the faults it lasts, so
    /// that no new connection makes good what was missed.
    pub(crate) async fn limits_of(&self, connection: u32) {
        loop {
            let (began, used) = {
                let sockets = self.gateway.sockets();
                let socket = &sockets[connection as usize];
                (socket.began, socket.used)
            };
            let end = (began + self.plan.connection_lifetime).min(used + self.plan.idle_timeout);
            if !self.faults() {
                return std::future::pending().await;
            }
            if end <= Instant::now() {
                return;
            }
            sleep(end.saturating_duration_since(Instant::now())).await;
        }
    }
}

/// The gateway's answer to a push.
enum Taken {
    Yes,
    Gone,
    Refused(&'static str),
}
