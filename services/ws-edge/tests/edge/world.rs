//! All ports of the edge, in memory, with switches for failures.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contract_connections_v1::{Connection, ConnectionId, ConnectionKey, HubMember, MemberKey};
use contract_history_v1::{MessageKey, MessageRow, PageRequest, SessionKey, SessionRow};
use contract_notifications_v1::{FanOut, HubName, Notification, Sequence, Timestamp, UserId};
use shared_ports::{Clock, PortError};
use ws_edge::RateLimit;
use ws_edge::ports::{
    Connections, History, HistoryPage, HubPage, Hubs, Mailbox, Member, MessageQueue, Ports, RateKey,
    RateLimits,
};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Queued {
    Notification(Notification),
    Broadcast(FanOut),
}

#[derive(Default)]
pub(crate) struct World {
    pub(crate) connections: Mutex<HashMap<ConnectionKey, Connection>>,
    pub(crate) held: Mutex<BTreeSet<(UserId, Sequence)>>,
    pub(crate) closed: Mutex<Vec<String>>,
    pub(crate) members: Mutex<BTreeSet<(HubName, MemberKey)>>,
    pub(crate) queued: Mutex<Vec<Queued>>,
    pub(crate) counts: Mutex<HashMap<String, u32>>,
    /// The recorded sessions; `None` if the history is off.
    pub(crate) sessions: Option<Mutex<Vec<SessionRow>>>,
    /// Makes the recording of a session wait for ever.
    pub(crate) history_hangs: bool,
    /// Makes most ports fail.
    pub(crate) down: AtomicBool,
}

impl World {
    /// Fails while the world is down.
    fn up(&self) -> Result<(), PortError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(PortError::retryable("writing", "down"));
        }
        Ok(())
    }
}

impl<'a> Ports for &'a World {
    type Connections = &'a World;
    type Mailbox = &'a World;
    type Clock = Noon;
    type Hubs = &'a World;
    type MessageQueue = &'a World;
    type RateLimits = &'a World;
    type History = &'a World;
}

impl Connections for &World {
    async fn put(&self, row: &Connection) -> Result<(), PortError> {
        self.up()?;
        self.connections.lock().unwrap().insert(row.into(), row.clone());
        Ok(())
    }

    async fn delete(&self, key: &ConnectionKey) -> Result<(), PortError> {
        self.up()?;
        self.connections.lock().unwrap().remove(key);
        Ok(())
    }

    async fn list(&self, user: &UserId) -> Result<Vec<Connection>, PortError> {
        self.up()?;
        let connections = self.connections.lock().unwrap();
        Ok(connections.values().filter(|row| row.user_id == *user).cloned().collect())
    }

    async fn close(&self, key: &ConnectionKey) -> Result<(), PortError> {
        self.closed.lock().unwrap().push(key.connection_id.to_string());
        self.delete(key).await
    }
}

impl Mailbox for &World {
    async fn acknowledge(&self, user: &UserId, sequences: &[Sequence]) -> Result<(), PortError> {
        self.up()?;
        let mut held = self.held.lock().unwrap();
        for sequence in sequences {
            held.remove(&(user.clone(), *sequence));
        }
        Ok(())
    }
}

impl Hubs for &World {
    async fn join(&self, members: &[HubMember]) -> Result<(), PortError> {
        self.up()?;
        let rows = members.iter().map(|row| (row.hub.clone(), row.member.clone()));
        self.members.lock().unwrap().extend(rows);
        Ok(())
    }

    async fn leave(&self, members: &[HubMember]) -> Result<(), PortError> {
        self.up()?;
        for row in members {
            self.members.lock().unwrap().remove(&(row.hub.clone(), row.member.clone()));
        }
        Ok(())
    }

    async fn members(
        &self,
        hub: &HubName,
        after: Option<&UserId>,
        limit: usize,
        _: Timestamp,
    ) -> Result<HubPage, PortError> {
        self.up()?;
        let mut users: BTreeMap<UserId, bool> = BTreeMap::new();
        for (_, key) in self.members.lock().unwrap().iter().filter(|(of, _)| of == hub) {
            *users.entry(key.user_id.clone()).or_default() |= key.connection_id.is_some();
        }
        users.retain(|user, _| after.is_none_or(|after| user > after));
        let more = users.len() > limit;
        let member = |(user_id, joined)| Member { user_id, joined };
        Ok(HubPage { members: users.into_iter().map(member).take(limit).collect(), more })
    }

    async fn size(&self, hub: &HubName) -> Option<usize> {
        Some(self.members.lock().unwrap().iter().filter(|(of, _)| of == hub).count())
    }

    async fn has(&self, hub: &HubName, user: &UserId) -> Result<bool, PortError> {
        self.up()?;
        Ok(self.members.lock().unwrap().iter().any(|(h, member)| h == hub && member.user_id == *user))
    }
}

impl MessageQueue for &World {
    async fn send(&self, notifications: Vec<Notification>) -> Vec<Result<(), PortError>> {
        let mut queued = self.queued.lock().unwrap();
        notifications
            .into_iter()
            .map(|notification| {
                self.up()?;
                queued.push(Queued::Notification(notification));
                Ok(())
            })
            .collect()
    }

    async fn broadcast(&self, fan_out: FanOut) -> Result<(), PortError> {
        self.up()?;
        self.queued.lock().unwrap().push(Queued::Broadcast(fan_out));
        Ok(())
    }
}

impl RateLimits for &World {
    async fn take(
        &self,
        key: RateKey<'_>,
        limit: RateLimit,
        amount: u32,
        _: Timestamp,
    ) -> Result<Option<Duration>, PortError> {
        let mut counts = self.counts.lock().unwrap();
        let count = counts.entry(format!("{key:?}")).or_default();
        *count += amount;
        Ok((*count > limit.most).then_some(limit.per))
    }
}

impl History for &World {
    fn lifetime(&self) -> Option<Duration> {
        self.sessions.as_ref().map(|_| Duration::from_hours(1))
    }

    async fn session_opened(&self, row: &SessionRow) -> Result<(), PortError> {
        if self.history_hangs {
            std::future::pending::<()>().await;
        }
        self.sessions.as_ref().unwrap().lock().unwrap().push(row.clone());
        Ok(())
    }

    async fn session_closed(
        &self,
        user: &UserId,
        opened_at: Timestamp,
        connection: &ConnectionId,
        closed_at: Timestamp,
    ) -> Result<(), PortError> {
        for row in self.sessions.as_ref().unwrap().lock().unwrap().iter_mut() {
            if (&row.user_id, row.opened_at, &row.connection_id) == (user, opened_at, connection) {
                row.close(closed_at);
            }
        }
        Ok(())
    }

    async fn sessions(
        &self,
        user: &UserId,
        page: &PageRequest<SessionKey>,
    ) -> Result<HistoryPage<SessionRow>, PortError> {
        self.up()?;
        let sessions = self.sessions.as_ref().unwrap().lock().unwrap();
        let of_user = sessions.iter().filter(|row| row.user_id == *user);
        Ok(HistoryPage { rows: of_user.take(page.limit).cloned().collect(), more: true })
    }

    async fn messages(
        &self,
        _: &UserId,
        _: &PageRequest<MessageKey>,
    ) -> Result<HistoryPage<MessageRow>, PortError> {
        self.up()?;
        Ok(HistoryPage::default())
    }
}

/// A clock that stands still at noon of the first day. Its sleeps end at once.
pub(crate) struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(43_200_000)
    }

    async fn sleep(&self, _: Duration) {}
}
