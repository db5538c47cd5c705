//! The edge: its ports and its configuration.

use crate::config::EdgeConfig;
use crate::delivery_only::{DeliveryOnly, Disabled};
use crate::ports::{Connections, Mailbox, NoHistory, Ports};

/// Answers the routes of the WebSocket API.
///
/// It keeps no state of its own: any number of edges may share the same tables, and calls on one edge may
/// overlap. A call that is dropped half-way leaves rows that expire.
///
/// Counters: `tidings_connections_opened_total`, `tidings_connections_closed_total`,
/// `tidings_connections_refused_total`, `tidings_notifications_acknowledged_total`,
/// `tidings_messages_sent_total` by `action`, `tidings_frames_refused_total` by `code`, and
/// `tidings_history_failed_total`.
#[derive(Debug)]
pub struct Edge<P: Ports> {
    /// The Connections table and the connections themselves.
    pub connections: P::Connections,
    /// The mailboxes.
    pub mailbox: P::Mailbox,
    /// The time.
    pub clock: P::Clock,
    /// The hubs' members.
    pub hubs: P::Hubs,
    /// The notifications queue.
    pub message_queue: P::MessageQueue,
    /// The counters of clients' actions.
    pub rate_limits: P::RateLimits,
    /// The history of sessions and messages.
    pub history: P::History,
    /// Limits and policies.
    pub config: EdgeConfig,
}

impl<C: Connections, M: Mailbox, K: shared_ports::Clock> Edge<DeliveryOnly<C, M, K>> {
    /// Creates an edge without hubs, client messages, rate limits and history. `config` must leave them off.
    pub const fn new(connections: C, mailbox: M, clock: K, config: EdgeConfig) -> Self {
        Self {
            connections,
            mailbox,
            clock,
            hubs: Disabled,
            message_queue: Disabled,
            rate_limits: Disabled,
            history: NoHistory,
            config,
        }
    }
}
