//! The ports of an edge whose configuration lets no client send: notifications go out and acknowledgements
//! come in, and nothing else is stored.

use std::marker::PhantomData;
use std::time::Duration;

use contract_connections_v1::HubMember;
use contract_notifications_v1::{FanOut, HubName, Notification, Timestamp, UserId};
use shared_ports::{Clock, PortError};

use crate::config::RateLimit;
use crate::ports::{
    Connections, HubPage, Hubs, Mailbox, MessageQueue, NoHistory, Ports, RateKey, RateLimits,
};

/// The ports of an edge without hubs, client messages, rate limits and history.
#[derive(Debug)]
pub struct DeliveryOnly<C, M, K>(PhantomData<(C, M, K)>);

impl<C: Connections, M: Mailbox, K: Clock> Ports for DeliveryOnly<C, M, K> {
    type Connections = C;
    type Mailbox = M;
    type Clock = K;
    type Hubs = Disabled;
    type MessageQueue = Disabled;
    type RateLimits = Disabled;
    type History = NoHistory;
}

/// Hubs without members, a queue that refuses every message, and rate limits that are never reached.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disabled;

/// A message was queued on a gateway whose clients don't send.
#[derive(Debug, thiserror::Error)]
#[error("this gateway has no queue for client messages")]
struct NoMessageQueue;

impl Hubs for Disabled {
    async fn join(&self, _: &[HubMember]) -> Result<(), PortError> {
        Ok(())
    }

    async fn leave(&self, _: &[HubMember]) -> Result<(), PortError> {
        Ok(())
    }

    async fn members(
        &self,
        _: &HubName,
        _: Option<&UserId>,
        _: usize,
        _: Timestamp,
    ) -> Result<HubPage, PortError> {
        Ok(HubPage::default())
    }

    async fn has(&self, _: &HubName, _: &UserId) -> Result<bool, PortError> {
        Ok(false)
    }
}

impl MessageQueue for Disabled {
    async fn send(&self, notifications: Vec<Notification>) -> Vec<Result<(), PortError>> {
        notifications.iter().map(|_| Err(PortError::permanent("queueing messages", NoMessageQueue))).collect()
    }

    async fn broadcast(&self, _: FanOut) -> Result<(), PortError> {
        Err(PortError::permanent("queueing a broadcast", NoMessageQueue))
    }
}

impl RateLimits for Disabled {
    async fn take(
        &self,
        _: RateKey<'_>,
        _: RateLimit,
        _: u32,
        _: Timestamp,
    ) -> Result<Option<Duration>, PortError> {
        Ok(None)
    }
}
