//! Symmetry of runs, for the model checker: a run with its connections renamed.

use contract_connections_v1::ConnectionId;
use contract_notifications_v1::Timestamp;

use super::state::{PushState, Row, Run};
use super::types::{Command, HeldItem, OpenConnection, PushRequest, Stats};
use crate::core::ConnectionSet;

impl<B: Clone> Run<B> {
    /// Returns this run and its last command as they would be if the connections had other ids and had
    /// connected at other times.
    ///
    /// A run's decisions depend on ids only through the order in which connections are served, and on times
    /// only through the end of the grace period. So a model checker needs to explore only one of all runs
    /// that differ in nothing else.
    ///
    /// `rename` maps a connection's id to its new id, and must map different ids to different ones.
    /// `connected_at` returns the time of a new id.
    #[must_use]
    pub fn renamed(
        &self,
        command: &Command<B>,
        rename: impl Fn(&ConnectionId) -> ConnectionId,
        connected_at: impl Fn(&ConnectionId) -> Timestamp,
    ) -> (Self, Command<B>) {
        let renamed = |old: &OpenConnection| {
            let id = rename(&old.id);
            OpenConnection { connected_at: connected_at(&id), id, ..old.clone() }
        };
        let mut run = self.clone();
        rename_all(&mut run.open, renamed);
        rename_all(&mut run.serving, renamed);
        run.listed = names(&run.listed, &rename);
        for row in run.fresh.iter_mut().chain(&mut run.rows) {
            row.rename(&rename);
        }
        for PushState { connection, .. } in &mut run.pushes {
            *connection = renamed(connection);
        }
        run.pushes.sort_by(|a, b| a.connection.id.cmp(&b.connection.id));
        for (_, connections) in &mut run.marks {
            *connections = names(connections, &rename);
        }
        (run, command.renamed(&rename, renamed))
    }
}

impl<B> Run<B> {
    /// Returns this run with all counts at zero. No decision depends on the counts.
    #[must_use]
    pub fn without_stats(mut self) -> Self {
        self.stats = Stats::default();
        self
    }
}

impl<B: Clone> Command<B> {
    fn renamed(
        &self,
        rename: &impl Fn(&ConnectionId) -> ConnectionId,
        renamed: impl Fn(&OpenConnection) -> OpenConnection,
    ) -> Self {
        let mut command = self.clone();
        match &mut command {
            Self::ReadPage { due_for, .. } => {
                *due_for = due_for.iter().map(rename).collect();
                due_for.sort();
            }
            Self::Put(rows) => {
                for HeldItem { pushed_to, .. } in rows {
                    *pushed_to = names(pushed_to, rename);
                }
            }
            Self::Mark(rows) => {
                for (_, connections) in rows {
                    *connections = names(connections, rename);
                }
            }
            Self::Forget(gone) => rename_all(gone, renamed),
            Self::Push(requests) => {
                for PushRequest { connection, .. } in requests.iter_mut() {
                    *connection = rename(connection);
                }
                requests.sort_by(|a, b| a.connection.cmp(&b.connection));
            }
            Self::ListConnections
            | Self::Delete(_)
            | Self::Wait { .. }
            | Self::EnqueueReplay(_)
            | Self::ScheduleReplay
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

fn names(old: &ConnectionSet, rename: &impl Fn(&ConnectionId) -> ConnectionId) -> ConnectionSet {
    old.iter().map(rename).collect()
}

fn rename_all(connections: &mut [OpenConnection], renamed: impl Fn(&OpenConnection) -> OpenConnection) {
    for connection in connections.iter_mut() {
        *connection = renamed(connection);
    }
    connections.sort_by(|a, b| a.id.cmp(&b.id));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use contract_connections_v1::FrameFormat;
    use contract_notifications_v1::{Sequence, WhenOffline};
    use proptest::prelude::*;

    use super::*;
    use crate::core::run::{Entry, Event, Item, Limits, PushReport, Refusal};

    const LIMITS: Limits = Limits {
        inline_drain: 1,
        replay_drain: 2,
        page: 2,
        grace: Duration::from_secs(5),
        batch_bytes: 2,
        drop_hold: Duration::from_secs(30),
    };

    fn item(number: u128) -> Item<()> {
        let sequence = Sequence::new(number);
        Item { sequence, expires_at: None, when_offline: WhenOffline::Hold, len: 1, body: () }
    }

    fn name(index: usize) -> ConnectionId {
        ConnectionId::new(format!("c{index}"))
    }

    /// Renames three connections so that their order changes.
    fn turned(id: &ConnectionId) -> ConnectionId {
        name((0..3).position(|index| name(index) == *id).map_or(0, |index| (index + 1) % 3))
    }

    /// All connections are made at the same time, so that only their names differ.
    fn connection(index: usize, acknowledges: bool) -> OpenConnection {
        let connected_at = Timestamp::from_millis(1_000);
        OpenConnection { id: name(index), connected_at, acknowledges, format: FrameFormat::Batch }
    }

    /// Returns an answer to a command, chosen by the bits of `choice`.
    fn answer(command: &Command<()>, choice: u8, acknowledges: bool) -> Event<()> {
        let chosen = |index: usize| choice >> index & 1 == 1;
        let some = || (0..3).filter(|index| chosen(*index));
        match command {
            _ if choice > 240 => Event::Failed,
            Command::ListConnections => {
                Event::Listed(some().map(|index| connection(index, acknowledges)).collect())
            }
            Command::ReadPage { .. } => {
                let held = |number| HeldItem { item: item(number), pushed_to: some().map(name).collect() };
                let rows = (1..=u128::from(choice >> 3 & 3)).map(held).collect();
                Event::Page { rows, more: choice >> 5 & 1 == 1 }
            }
            Command::Push(requests) => {
                let refusal = if choice >> 6 == 0 { Refusal::Gone } else { Refusal::Unavailable };
                let report = |request: &PushRequest<()>| match (0..3)
                    .find(|index| name(*index) == request.connection)
                {
                    Some(index) if chosen(index) => {
                        PushReport { accepted: usize::from(choice >> 3 & 1), refusal: Some(refusal) }
                    }
                    _ => PushReport { accepted: request.frames.len(), refusal: None },
                };
                Event::Pushed(requests.iter().map(report).collect())
            }
            Command::Wait { .. } if choice > 200 => Event::OutOfTime,
            Command::Wait { .. } => Event::Waited,
            _ => Event::Done,
        }
    }

    /// Renames the connections of an answer, and puts them into the order of the renamed run.
    fn turn(event: Event<()>, command: &Command<()>, turned_command: &Command<()>) -> Event<()> {
        match event {
            Event::Listed(mut connections) => {
                for connection in &mut connections {
                    connection.id = turned(&connection.id);
                }
                connections.sort_by(|a, b| a.id.cmp(&b.id));
                Event::Listed(connections)
            }
            Event::Page { mut rows, more } => {
                for row in &mut rows {
                    row.pushed_to = names(&row.pushed_to, &turned);
                }
                Event::Page { rows, more }
            }
            Event::Pushed(reports) => {
                let (Command::Push(requests), Command::Push(turned_requests)) = (command, turned_command)
                else {
                    panic!("{turned_command:?} is not {command:?} renamed");
                };
                let of = |request: &PushRequest<()>| {
                    let same = |old: &PushRequest<()>| turned(&old.connection) == request.connection;
                    reports[requests.iter().position(same).unwrap_or_default()]
                };
                Event::Pushed(turned_requests.iter().map(of).collect())
            }
            other => other,
        }
    }

    proptest! {
        #[test]
        fn decisions_do_not_depend_on_connection_ids(
            replay in any::<bool>(),
            redelivered in any::<bool>(),
            acknowledges in any::<bool>(),
            choices in prop::collection::vec((any::<u8>(), 0_u64..10_000), 1..25),
        ) {
            let mut entries = vec![Entry::Notification { item: item(3), redelivered }];
            entries.extend(replay.then(|| Entry::Replay(Sequence::new(2))));
            let (mut run, mut command) = Run::start(LIMITS, entries.clone());
            let (mut other, mut other_command) = Run::start(LIMITS, entries);
            let at = |_: &ConnectionId| Timestamp::from_millis(1_000);
            let mut now = Timestamp::from_millis(1_000);
            for (choice, millis) in choices {
                if matches!(command, Command::Finish(_)) {
                    break;
                }
                now = now.plus(Duration::from_millis(millis));
                let event = answer(&command, choice, acknowledges);
                other_command = other.on(turn(event.clone(), &command, &other_command), now);
                command = run.on(event, now);
                let renamed = run.renamed(&command, turned, at);
                prop_assert_eq!(renamed, other.renamed(&other_command, Clone::clone, at));
            }
        }
    }

    #[test]
    fn renamed_connection_gets_its_new_time() {
        let (mut run, _) =
            Run::start(LIMITS, vec![Entry::Notification { item: item(1), redelivered: false }]);
        let now = Timestamp::from_millis(1_000);
        let command = run.on(Event::Listed(vec![connection(0, false)]), now);
        let later = |id: &ConnectionId| Timestamp::from_millis(if *id == name(1) { 9_000 } else { 0 });
        let (mut renamed, _) = run.renamed(&command, turned, later);
        // The grace period is over for the old time, not for the new one.
        let now = Timestamp::from_millis(7_000);
        for run in [&mut run, &mut renamed] {
            run.on(Event::Page { rows: Vec::new(), more: false }, now);
        }
        let gone = || Event::Pushed(vec![PushReport { accepted: 0, refusal: Some(Refusal::Gone) }]);
        assert!(matches!(run.on(gone(), now), Command::Forget(_)));
        assert!(matches!(renamed.on(gone(), now), Command::Wait { .. }));
    }
}
