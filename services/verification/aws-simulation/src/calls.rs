//! Calls of services and clients to the gateway.

use std::sync::Arc;

use dispatcher::ports::PushError;
use tokio::time::{Instant, sleep};

use crate::gateway::SocketState;
use crate::log::EventKind;
use crate::mutant::Mutant;
use crate::world::{INVOCATION, World};

/// Largest message to a client, in bytes.
const MAX_MESSAGE: usize = 128 * 1024;

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(&'static str);

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
