//! The same run, with other names for its connections.

use std::collections::BTreeSet;

use contract_connections_v1::ConnectionId;
use contract_notifications_v1::Timestamp;

use super::state::{PushState, Row, Run};
use super::types::{Command, Held, Live, PushOrder};

impl<B: Clone> Run<B> {
    /// The run as it would be if its connections had other names and had connected at other times, with
    /// its last command. What a run decides depends on names only in the order in which connections are
    /// served, and on times only in which grace is over; so a model checker needs to look at one of all
    /// runs that differ in this alone.
    ///
    /// `rename` gets a connection's name and gives the new one, which must be different for different
    /// connections; `connected_at` gives the time for the new name.
    #[must_use]
    pub fn renamed(
        &self,
        command: &Command<B>,
        rename: impl Fn(&ConnectionId) -> ConnectionId,
        connected_at: impl Fn(&ConnectionId) -> Timestamp,
    ) -> (Self, Command<B>) {
        let live = |old: &Live| {
            let id = rename(&old.id);
            Live { connected_at: connected_at(&id), id, ..old.clone() }
        };
        let mut run = self.clone();
        rename_all(&mut run.live, live);
        rename_all(&mut run.serving, live);
        run.listed = names(&run.listed, &rename);
        for row in run.fresh.iter_mut().chain(&mut run.rows) {
            row.rename(&rename);
        }
        for PushState { connection, .. } in &mut run.pushes {
            *connection = live(connection);
        }
        run.pushes.sort_by(|a, b| a.connection.id.cmp(&b.connection.id));
        for (_, connections) in &mut run.marks {
            *connections = names(connections, &rename);
        }
        (run, command.renamed(&rename, live))
    }
}

impl<B: Clone> Command<B> {
    fn renamed(&self, rename: &impl Fn(&ConnectionId) -> ConnectionId, live: impl Fn(&Live) -> Live) -> Self {
        let mut command = self.clone();
        match &mut command {
            Self::ReadPage { due_for, .. } => {
                *due_for = due_for.iter().map(rename).collect();
                due_for.sort();
            }
            Self::Put(rows) => {
                for Held { pushed_to, .. } in rows {
                    *pushed_to = names(pushed_to, rename);
                }
            }
            Self::Mark(rows) => {
                for (_, connections) in rows {
                    *connections = names(connections, rename);
                }
            }
            Self::Forget(gone) => rename_all(gone, live),
            Self::Push(orders) => {
                for PushOrder { connection, .. } in orders.iter_mut() {
                    *connection = rename(connection);
                }
                orders.sort_by(|a, b| a.connection.cmp(&b.connection));
            }
            Self::ListConnections
            | Self::Delete(_)
            | Self::Wait { .. }
            | Self::EnqueueReplay(_)
            | Self::Finish(_) => {}
        }
        command
    }
}

impl<B> Row<B> {
    fn rename(&mut self, rename: &impl Fn(&ConnectionId) -> ConnectionId) {
        self.pushed_to = names(&self.pushed_to, rename);
        self.accepted_by = names(&self.accepted_by, rename);
    }
}

fn names(old: &BTreeSet<ConnectionId>, rename: &impl Fn(&ConnectionId) -> ConnectionId) -> BTreeSet<ConnectionId> {
    old.iter().map(rename).collect()
}

fn rename_all(connections: &mut [Live], live: impl Fn(&Live) -> Live) {
    for connection in connections.iter_mut() {
        *connection = live(connection);
    }
    connections.sort_by(|a, b| a.id.cmp(&b.id));
}
