//! The same run, with other names for its connections.

use std::collections::BTreeSet;

use contract_connections_v1::ConnectionId;
use contract_notifications_v1::Timestamp;

use super::state::{PushState, Row, Run};
use super::types::{Command, Held, Live, PushOrder, Stats};

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

impl<B> Run<B> {
    /// The run with nothing counted so far. Nothing is decided by the counts.
    #[must_use]
    pub fn uncounted(mut self) -> Self {
        self.stats = Stats::default();
        self
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

fn names(
    old: &BTreeSet<ConnectionId>,
    rename: &impl Fn(&ConnectionId) -> ConnectionId,
) -> BTreeSet<ConnectionId> {
    old.iter().map(rename).collect()
}

fn rename_all(connections: &mut [Live], live: impl Fn(&Live) -> Live) {
    for connection in connections.iter_mut() {
        *connection = live(connection);
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

    /// The names of three connections, in another order.
    fn turned(id: &ConnectionId) -> ConnectionId {
        name((0..3).position(|index| name(index) == *id).map_or(0, |index| (index + 1) % 3))
    }

    /// All connected at the same time, so names are all that differs.
    fn live(index: usize, acknowledges: bool) -> Live {
        let connected_at = Timestamp::from_millis(1_000);
        Live { id: name(index), connected_at, acknowledges, format: FrameFormat::Batch }
    }

    /// Some answer to a command.
    fn answer(command: &Command<()>, choice: u8, acknowledges: bool) -> Event<()> {
        let chosen = |index: usize| choice >> index & 1 == 1;
        let some = || (0..3).filter(|index| chosen(*index));
        match command {
            _ if choice > 240 => Event::Failed,
            Command::ListConnections => {
                Event::Listed(some().map(|index| live(index, acknowledges)).collect())
            }
            Command::ReadPage { .. } => {
                let held = |number| Held { item: item(number), pushed_to: some().map(name).collect() };
                let rows = (1..=u128::from(choice >> 3 & 3)).map(held).collect();
                Event::Page { rows, more: choice >> 5 & 1 == 1 }
            }
            Command::Push(orders) => {
                let refusal = if choice >> 6 == 0 { Refusal::Gone } else { Refusal::Unavailable };
                let report =
                    |order: &PushOrder<()>| match (0..3).find(|index| name(*index) == order.connection) {
                        Some(index) if chosen(index) => {
                            PushReport { accepted: usize::from(choice >> 3 & 1), refusal: Some(refusal) }
                        }
                        _ => PushReport { accepted: order.frames.len(), refusal: None },
                    };
                Event::Pushed(orders.iter().map(report).collect())
            }
            Command::Wait { .. } if choice > 200 => Event::OutOfTime,
            Command::Wait { .. } => Event::Waited,
            _ => Event::Done,
        }
    }

    /// The same answer where connections have other names: in the order in which they are listed, or asked
    /// for, there.
    fn turn(event: Event<()>, command: &Command<()>, turned_command: &Command<()>) -> Event<()> {
        match event {
            Event::Listed(mut lives) => {
                for live in &mut lives {
                    live.id = turned(&live.id);
                }
                lives.sort_by(|a, b| a.id.cmp(&b.id));
                Event::Listed(lives)
            }
            Event::Page { mut rows, more } => {
                for row in &mut rows {
                    row.pushed_to = names(&row.pushed_to, &turned);
                }
                Event::Page { rows, more }
            }
            Event::Pushed(reports) => {
                let (Command::Push(orders), Command::Push(turned_orders)) = (command, turned_command) else {
                    panic!("{turned_command:?} is not {command:?} renamed");
                };
                let of = |order: &PushOrder<()>| {
                    let same = |old: &PushOrder<()>| turned(&old.connection) == order.connection;
                    reports[orders.iter().position(same).unwrap_or_default()]
                };
                Event::Pushed(turned_orders.iter().map(of).collect())
            }
            other => other,
        }
    }

    proptest! {
        /// Nothing that is decided depends on names.
        #[test]
        fn a_renamed_run_goes_the_same_way(
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
    fn when_a_connection_connected_goes_with_its_new_name() {
        let (mut run, _) =
            Run::start(LIMITS, vec![Entry::Notification { item: item(1), redelivered: false }]);
        let now = Timestamp::from_millis(1_000);
        let command = run.on(Event::Listed(vec![live(0, false)]), now);
        let later = |id: &ConnectionId| Timestamp::from_millis(if *id == name(1) { 9_000 } else { 0 });
        let (mut renamed, _) = run.renamed(&command, turned, later);
        // Over for the old time, not for the new one.
        let now = Timestamp::from_millis(7_000);
        for run in [&mut run, &mut renamed] {
            run.on(Event::Page { rows: Vec::new(), more: false }, now);
        }
        let gone = || Event::Pushed(vec![PushReport { accepted: 0, refusal: Some(Refusal::Gone) }]);
        assert!(matches!(run.on(gone(), now), Command::Forget(_)));
        assert!(matches!(renamed.on(gone(), now), Command::Wait { .. }));
    }
}
