//! Checks of the hub: whom its messages reach, who is a member, and what members see of each other.

use std::collections::BTreeMap;

use contract_frames_v1::PresenceEvent;

use crate::frames::FIRST_OF_HUB;
use crate::log::{Event, EventKind};
use crate::plan::HubPlan;
use crate::promise::{Promise, Violation};
use crate::run::Finished;

/// Milliseconds for which a broadcast may not see a new member: the age of a stale read, and the write before it.
const STALE: u64 = 2_000;
/// Milliseconds in which a broadcast reaches all members where nothing goes wrong.
const TIME_TO_REACH: u64 = 40_000;
/// Milliseconds between the look at a user's connections and the notice, where calls are slow.
const NOTICE: u64 = 15_000;

/// A connection of a user.
#[derive(Debug, Clone, Copy)]
struct Connection {
    user: usize,
    opened: u64,
    /// End of the connection, if it has one.
    closed: Option<u64>,
    /// True if the edge handled its end.
    left: bool,
    /// True if it is a member at the end.
    is_member: bool,
}

impl Connection {
    fn is_open(&self, from: u64, to: u64) -> bool {
        self.opened <= from && self.closed.is_none_or(|closed| closed > to)
    }
}

/// A message to the hub, or a notice, that the queue accepted.
#[derive(Debug, Clone, Copy)]
struct Accepted {
    at: u64,
    number: u32,
    sequence: u64,
    /// The sender, or the user of the notice.
    user: usize,
    presence: Option<PresenceEvent>,
}

/// What a log says of the hub.
#[derive(Debug, Default)]
struct Hub {
    connections: BTreeMap<u32, Connection>,
    broadcasts: Vec<Accepted>,
    /// Messages of which the sender was told that they are accepted.
    sent: Vec<(u64, u32)>,
    /// The first sequence of each notification, by user and number.
    reached: BTreeMap<(usize, u32), u64>,
    left_in_queue: Option<u64>,
}

/// Checks the promises of the hub, if the plan has one.
pub(crate) fn check_hub(finished: &Finished) -> Option<Violation> {
    let plan = finished.plan.hub.as_ref()?;
    let hub = Hub::read(&finished.log);
    let violation = |(promise, user, at, details): (Promise, Option<usize>, u64, String)| Violation {
        promise,
        user,
        at,
        details,
    };
    let found = hub
        .check_acceptance()
        .or_else(|| hub.check_reach(finished))
        .or_else(|| hub.check_order(finished, plan))
        .or_else(|| hub.check_rows(finished))
        .or_else(|| if plan.presence { hub.check_presence(finished) } else { None });
    found.map(violation)
}

type Broken = (Promise, Option<usize>, u64, String);

impl Hub {
    fn read(log: &[Event]) -> Self {
        let mut hub = Self::default();
        for Event { at, user, kind } in log {
            let user = user.unwrap_or(usize::MAX);
            match kind {
                EventKind::Opened { connection, .. } => {
                    let opened =
                        Connection { user, opened: *at, closed: None, left: false, is_member: false };
                    hub.connections.insert(*connection, opened);
                }
                EventKind::Closed { connection } => hub.change(*connection, |it| it.closed = Some(*at)),
                EventKind::Left { connection } => hub.change(*connection, |it| it.left = true),
                EventKind::Member { connection } => hub.change(*connection, |it| it.is_member = true),
                EventKind::Sent { number } => hub.sent.push((*at, *number)),
                EventKind::Broadcast { number, sequence, presence } => {
                    let (number, sequence, presence) = (*number, *sequence, *presence);
                    // A retry is ignored by the queue.
                    if hub.broadcasts.iter().all(|other| other.number != number) {
                        hub.broadcasts.push(Accepted { at: *at, number, sequence, user, presence });
                    }
                }
                EventKind::Accepted { number, sequence } if *number >= FIRST_OF_HUB => {
                    hub.reached.entry((user, *number)).or_insert(*sequence);
                }
                EventKind::Queued { .. } if user == usize::MAX => hub.left_in_queue = Some(*at),
                _ => {}
            }
        }
        hub
    }

    fn change(&mut self, connection: u32, change: impl FnOnce(&mut Connection)) {
        if let Some(connection) = self.connections.get_mut(&connection) {
            change(connection);
        }
    }

    fn connections_of(&self, user: usize) -> impl Iterator<Item = &Connection> {
        self.connections.values().filter(move |connection| connection.user == user)
    }

    /// What is accepted is queued, and the queue empties.
    fn check_acceptance(&self) -> Option<Broken> {
        let is_queued = |number: u32| self.broadcasts.iter().any(|accepted| accepted.number == number);
        let lost = self.sent.iter().find(|(_, number)| !is_queued(*number));
        let lost = lost.map(|(at, number)| {
            (Promise::NothingLost, None, *at, format!("n{number} is accepted and not queued"))
        });
        let left = || {
            let at = self.left_in_queue?;
            Some((Promise::EverythingEmpties, None, at, "broadcasts are still queued".to_owned()))
        };
        lost.or_else(left)
    }

    /// A message reaches every member who is there before and after, and nobody who is not in the hub.
    fn check_reach(&self, finished: &Finished) -> Option<Broken> {
        let users = &finished.plan.users;
        let stranger = self.reached.keys().find(|(user, _)| users[*user].stays_out);
        if let Some((user, number)) = stranger {
            return Some((Promise::ReachesMembers, Some(*user), 0, format!("n{number} reaches a stranger")));
        }
        let members =
            (0..users.len()).filter(|user| finished.plan.is_quiet_for(*user) && !users[*user].stays_out);
        members.into_iter().find_map(|user| {
            let missed = self.broadcasts.iter().find(|broadcast| {
                let is_for = broadcast.presence.is_none() || broadcast.user != user;
                let (from, to) = (broadcast.at.saturating_sub(STALE), broadcast.at + TIME_TO_REACH);
                let is_there = self.connections_of(user).any(|connection| connection.is_open(from, to));
                is_for && is_there && !self.reached.contains_key(&(user, broadcast.number))
            })?;
            let details = format!("n{} does not reach a member", missed.number);
            Some((Promise::ReachesMembers, Some(user), missed.at, details))
        })
    }

    /// Messages that reach all members in one step have the same order for everybody.
    fn check_order(&self, finished: &Finished, plan: &HubPlan) -> Option<Broken> {
        if plan.fan_out_members < finished.plan.users.len() {
            return None;
        }
        let mut broadcasts = self.broadcasts.clone();
        broadcasts.sort_by_key(|broadcast| broadcast.sequence);
        (0..finished.plan.users.len()).find_map(|user| {
            let sequences: Vec<_> = broadcasts
                .iter()
                .filter_map(|broadcast| Some((broadcast, self.reached.get(&(user, broadcast.number))?)))
                .collect();
            let [_, (late, _)] = sequences.windows(2).find(|pair| pair[0].1 > pair[1].1)? else {
                return None;
            };
            let details = format!("n{} comes in another order", late.number);
            Some((Promise::ReachesMembers, Some(user), late.at, details))
        })
    }

    /// Connections are members until they have left.
    fn check_rows(&self, finished: &Finished) -> Option<Broken> {
        self.connections.iter().find_map(|(number, connection)| {
            let Connection { user, opened, closed, left, is_member } = *connection;
            if left && is_member {
                return Some((
                    Promise::LeavesTheHub,
                    Some(user),
                    closed.unwrap_or(0),
                    format!("c{number} is still a member"),
                ));
            }
            let lacks = closed.is_none() && !is_member && !finished.plan.users[user].stays_out;
            lacks.then(|| (Promise::ReachesMembers, Some(user), opened, format!("c{number} is no member")))
        })
    }

    /// A user who comes is reported, and nobody is reported gone who is there.
    fn check_presence(&self, finished: &Finished) -> Option<Broken> {
        let notices =
            |presence| self.broadcasts.iter().filter(move |notice| notice.presence == Some(presence));
        let wrong = notices(PresenceEvent::Left).find(|notice| {
            let from = notice.at.saturating_sub(NOTICE);
            self.connections_of(notice.user).any(|connection| connection.is_open(from, notice.at))
        });
        if let Some(notice) = wrong {
            let details = format!("n{} reports a user gone who is there", notice.number);
            return Some((Promise::TruePresence, Some(notice.user), notice.at, details));
        }
        let users = &finished.plan.users;
        let mut members =
            (0..users.len()).filter(|user| finished.plan.is_quiet_for(*user) && !users[*user].stays_out);
        members.find_map(|user| {
            let first = self.connections_of(user).map(|connection| connection.opened).min()?;
            let is_reported = notices(PresenceEvent::Joined)
                .any(|notice| notice.user == user && notice.at <= first + STALE);
            (!is_reported)
                .then(|| (Promise::TruePresence, Some(user), first, "nobody is told who comes".to_owned()))
        })
    }
}
