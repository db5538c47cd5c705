//! Fault injection: the ports of the services with faults and mutants.

use std::sync::Arc;

use contract_connections_v1::{Connection, ConnectionId, ConnectionKey};
use contract_notifications_v1::{Replay, Sequence, Timestamp, UserId};
use dispatcher::core::ConnectionSet;
use dispatcher::ports::{MailboxRow, Page, PageQuery, PushError, PushFrame, Pushed};
use replayer::ports::{KeyPage, ReplayEntry};
use shared_ports::PortError;

use crate::mutant::Mutant;
use crate::simulation::{Simulation, connection_index, lock, user_index};
use crate::trace::{EventKind, FaultKind};

/// Milliseconds for which [`Mutant::StaleList`] hides a new connection.
const STALE: u64 = 2_000;

/// A port whose calls may have faults, as the simulation decides.
#[derive(Debug, Clone)]
pub(crate) struct Faulty<P> {
    pub(crate) inner: P,
    pub(crate) sim: Arc<Simulation>,
}

impl<P> Faulty<P> {
    pub(crate) fn new(inner: P, sim: &Arc<Simulation>) -> Self {
        Self { inner, sim: Arc::clone(sim) }
    }

    /// Decides on the fault of a call for this user, if it has one.
    fn fault(&self, user: &UserId) -> Option<FaultKind> {
        let sim = &*self.sim;
        let plan = sim.plan.users.get(user_index(user));
        let plan = plan.filter(|user| user.is_faulty && !sim.faults_stopped())?;
        let now = sim.now();
        if plan.outages.iter().any(|(from, to)| (*from..*to).contains(&now)) {
            return Some(FaultKind::Before);
        }
        let kinds = [FaultKind::Before, FaultKind::After, FaultKind::Partly, FaultKind::Slow];
        sim.random.chance(sim.plan.port_faults).then(|| sim.random.pick(kinds))
    }

    /// Makes a call. `partly` is the call with a part of its effect.
    async fn call<T>(
        &self,
        user: &UserId,
        port: &'static str,
        call: impl Future<Output = Result<T, PortError>>,
        partly: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        let fault = self.fault(user);
        let kind = fault.map_or(EventKind::Called(port), |kind| EventKind::Fault { port, kind });
        if fault == Some(FaultKind::Slow) {
            // Logged at the beginning, because the call may outlast the process.
            self.sim.log(Some(user_index(user)), kind.clone());
        }
        self.sim.pause().await;
        let result = match fault {
            None => call.await,
            Some(FaultKind::Before) => Err(failed(port)),
            Some(FaultKind::After) => call.await.and(Err(failed(port))),
            Some(FaultKind::Partly) => partly.await.and(Err(failed(port))),
            Some(FaultKind::Slow) => {
                tokio::time::sleep(self.sim.random.millis(500, 12_000)).await;
                call.await
            }
        };
        if fault != Some(FaultKind::Slow) {
            self.sim.log(Some(user_index(user)), kind);
        }
        self.sim.pause().await;
        result
    }

    /// Number of items, of `of`, that a call with a part of its effect handles.
    fn part(&self, of: usize) -> usize {
        self.sim.random.count(0, of as u64)
    }
}

fn failed(port: &'static str) -> PortError {
    PortError::retryable(port, "an injected fault")
}

impl<P: dispatcher::ports::Connections> dispatcher::ports::Connections for Faulty<P> {
    async fn list(&self, user: &UserId) -> Result<Vec<Connection>, PortError> {
        let list = || self.inner.list(user);
        let mut rows = self.call(user, "list connections", list(), list()).await?;
        if self.sim.has_mutant(Mutant::StaleList) && !self.sim.faults_stopped() {
            let inserted = lock(&self.sim.inserted);
            let now = self.sim.now();
            rows.retain(|row| inserted.get(&row.connection_id).is_none_or(|at| at + STALE < now));
        }
        Ok(rows)
    }

    async fn forget(
        &self,
        user: &UserId,
        connection: &ConnectionId,
        connected_at: Timestamp,
    ) -> Result<(), PortError> {
        let forget = || self.inner.forget(user, connection, connected_at);
        self.call(user, "forget a connection", forget(), forget()).await
    }
}

impl<P: ws_edge::ports::Connections> ws_edge::ports::Connections for Faulty<P> {
    async fn put(&self, row: &Connection) -> Result<(), PortError> {
        let put = || async {
            lock(&self.sim.inserted).insert(row.connection_id.clone(), self.sim.now());
            self.inner.put(row).await
        };
        self.call(&row.user_id, "insert a connection", put(), put()).await
    }

    async fn delete(&self, key: &ConnectionKey) -> Result<(), PortError> {
        let delete = || self.inner.delete(key);
        self.call(&key.user_id, "delete a connection", delete(), delete()).await
    }

    async fn list(&self, user: &UserId) -> Result<Vec<Connection>, PortError> {
        let list = || self.inner.list(user);
        self.call(user, "list connections", list(), list()).await
    }

    async fn close(&self, key: &ConnectionKey) -> Result<(), PortError> {
        let close = || self.inner.close(key);
        self.call(&key.user_id, "close a connection", close(), close()).await
    }
}

impl<P: dispatcher::ports::Mailbox> dispatcher::ports::Mailbox for Faulty<P> {
    async fn page(&self, user: &UserId, query: PageQuery) -> Result<Page, PortError> {
        let page = || self.inner.page(user, query.clone());
        let mut page = self.call(user, "read a page", page(), page()).await?;
        if self.sim.has_mutant(Mutant::SkipsRow) && page.rows.len() > 1 && !self.sim.faults_stopped() {
            page.rows.remove(0);
        }
        if self.sim.has_mutant(Mutant::ForgetsExpiry) {
            for row in &mut page.rows {
                Arc::make_mut(&mut row.notification).expires_at = None;
            }
        }
        Ok(page)
    }

    async fn put(&self, user: &UserId, rows: Vec<MailboxRow>) -> Result<(), PortError> {
        if self.sim.has_mutant(Mutant::LosesPut) {
            return Ok(());
        }
        let part = rows[..self.part(rows.len())].to_vec();
        self.call(user, "put rows", self.inner.put(user, rows), self.inner.put(user, part)).await
    }

    async fn delete(&self, user: &UserId, sequences: &[Sequence]) -> Result<(), PortError> {
        if self.sim.has_mutant(Mutant::LosesDelete) {
            return Ok(());
        }
        let part = &sequences[..self.part(sequences.len())];
        self.call(user, "delete rows", self.inner.delete(user, sequences), self.inner.delete(user, part))
            .await
    }

    async fn mark(&self, user: &UserId, marks: &[(Sequence, ConnectionSet)]) -> Result<(), PortError> {
        if self.sim.has_mutant(Mutant::LosesMark) {
            return Ok(());
        }
        let part = &marks[..self.part(marks.len())];
        self.call(user, "mark rows", self.inner.mark(user, marks), self.inner.mark(user, part)).await
    }
}

impl<P: ws_edge::ports::Mailbox> ws_edge::ports::Mailbox for Faulty<P> {
    async fn acknowledge(&self, user: &UserId, sequences: &[Sequence]) -> Result<(), PortError> {
        if self.sim.has_mutant(Mutant::LosesAck) {
            return Ok(());
        }
        let part = &sequences[..self.part(sequences.len())];
        let whole = self.inner.acknowledge(user, sequences);
        self.call(user, "clear acknowledged rows", whole, self.inner.acknowledge(user, part)).await
    }
}

impl<P: dispatcher::ports::Push> dispatcher::ports::Push for Faulty<P> {
    /// Pushes frames and logs the number reported and the number that the socket took. If the connection ends
    /// between the two, the frames in the difference are pushed again.
    async fn push(&self, user: &UserId, connection: &ConnectionId, frames: Vec<PushFrame>) -> Pushed {
        let (sim, index) = (&self.sim, connection_index(connection));
        let sent = || lock(&sim.frames_sent).get(connection).copied().unwrap_or(0);
        let (before, count) = (sent(), frames.len());
        let fault = self.fault(user);
        sim.log(Some(user_index(user)), EventKind::Pushing { connection: index, frames: count });
        sim.pause().await;
        let unavailable = || Some(PushError::Unavailable("an injected fault".into()));
        let mut pushed = match fault {
            _ if sim.has_mutant(Mutant::SwallowsPush) => Pushed { accepted: count, error: None },
            None => self.inner.push(user, connection, frames).await,
            Some(FaultKind::Before) => Pushed { accepted: 0, error: unavailable() },
            Some(FaultKind::After | FaultKind::Partly) => {
                let mut pushed = self.inner.push(user, connection, frames).await;
                if fault == Some(FaultKind::After) || pushed.accepted > 0 {
                    pushed.accepted = self.part(pushed.accepted.saturating_sub(1));
                    pushed.error = pushed.error.or_else(unavailable);
                }
                pushed
            }
            Some(FaultKind::Slow) => {
                tokio::time::sleep(sim.random.millis(500, 12_000)).await;
                self.inner.push(user, connection, frames).await
            }
        };
        let mut reported = pushed.accepted;
        if sim.has_mutant(Mutant::DeniesPush) && fault.is_none() && reported > 0 && !sim.faults_stopped() {
            pushed = Pushed { accepted: 0, error: unavailable() };
            // The trace must not show it, or the check would take it for the cause of a repeat.
            reported = count;
        }
        if let Some(kind) = fault {
            sim.log(Some(user_index(user)), EventKind::Fault { port: "push", kind });
        }
        let sent = sent() - before;
        let kind = EventKind::Pushed { connection: index, frames: count, sent, reported };
        sim.log(Some(user_index(user)), kind);
        sim.pause().await;
        pushed
    }
}

impl<P: dispatcher::ports::ReplayQueue> dispatcher::ports::ReplayQueue for Faulty<P> {
    async fn enqueue(&self, replay: Replay) -> Result<(), PortError> {
        if self.sim.has_mutant(Mutant::LosesReplayEntry) {
            return Ok(());
        }
        let user = replay.user_id.clone();
        let enqueue = || self.inner.enqueue(replay.clone());
        self.call(&user, "enqueue a replay", enqueue(), enqueue()).await
    }
}

impl<P: replayer::ports::MailboxKeys> replayer::ports::MailboxKeys for Faulty<P> {
    async fn keys(&self, user: &UserId, after: Option<Sequence>, limit: usize) -> Result<KeyPage, PortError> {
        let keys = || self.inner.keys(user, after, limit);
        self.call(user, "read a mailbox's keys", keys(), keys()).await
    }
}

impl<P: replayer::ports::ReplayQueue> replayer::ports::ReplayQueue for Faulty<P> {
    async fn send(&self, batch: &[ReplayEntry]) -> Result<Vec<usize>, PortError> {
        let Some(first) = batch.first() else { return Ok(Vec::new()) };
        let part = self.part(batch.len());
        let partly = async {
            self.inner.send(&batch[..part]).await?;
            Ok((part..batch.len()).collect())
        };
        self.call(&first.replay.user_id, "send replay entries", self.inner.send(batch), partly).await
    }
}
