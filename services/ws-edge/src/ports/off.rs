//! The ports of a gateway whose clients don't send.

use std::time::Duration;

use contract_connections_v1::HubMember;
use contract_notifications_v1::{FanOut, HubName, Notification, Timestamp, UserId};
use shared_ports::PortError;

use super::{HubPage, Hubs, Outbox, RateKey, RateLimits};
use crate::RateLimit;

/// Hubs without members, an outbox that takes nothing, and limits that nobody reaches: what an edge has
/// whose configuration lets no client send.
#[derive(Debug, Clone, Copy, Default)]
pub struct Off;

/// A port that is asked for what the gateway does not do.
#[derive(Debug, thiserror::Error)]
#[error("this gateway has no port for it")]
struct NotHere;

impl Hubs for Off {
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

impl Outbox for Off {
    async fn send(&self, notifications: Vec<Notification>) -> Vec<Result<(), PortError>> {
        notifications.iter().map(|_| Err(PortError::permanent("sending", NotHere))).collect()
    }

    async fn broadcast(&self, _: FanOut) -> Result<(), PortError> {
        Err(PortError::permanent("broadcasting", NotHere))
    }
}

impl RateLimits for Off {
    async fn take(&self, _: RateKey<'_>, _: RateLimit, _: Timestamp) -> Result<Option<Duration>, PortError> {
        Ok(None)
    }
}
