//! Whether a user has too many connections.

use contract_connections_v1::{Connection, ConnectionId};
use contract_notifications_v1::Timestamp;

use crate::{ConnectionLimit, Excess};

/// What is to be done about a user's connections after one was added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Crowd {
    /// Nothing: there are no more than there may be.
    Fits,
    /// The new one is one too many.
    Refuse,
    /// These have to go.
    Close(Vec<ConnectionId>),
}

/// Decides about `open`, the user's connections with the new one among them.
///
/// A row is stored before its decision, so of several that are added at the same time the last one stored
/// sees all that stay: they are never more than may be. Times can't tell which of them came last, so it may
/// be that more of them are refused than had to be.
pub(crate) fn crowd(
    mut open: Vec<Connection>,
    new: &ConnectionId,
    limit: ConnectionLimit,
    now: Timestamp,
) -> Crowd {
    // DynamoDB deletes late what has expired.
    open.retain(|row| row.ttl > now.millis() / 1000);
    let excess = open.len().saturating_sub(limit.most);
    if excess == 0 {
        return Crowd::Fits;
    }
    match limit.excess {
        Excess::RefuseNewest => Crowd::Refuse,
        Excess::CloseOldest => {
            // Of one millisecond, the new one is the newest.
            open.sort_unstable_by_key(|row| (row.connected_at, row.connection_id == *new));
            let oldest: Vec<_> = open.drain(..excess).map(|row| row.connection_id).collect();
            if oldest.contains(new) { Crowd::Refuse } else { Crowd::Close(oldest) }
        }
    }
}

#[cfg(test)]
mod tests {
    use contract_connections_v1::FrameFormat;
    use contract_notifications_v1::{UserId, Version1};
    use proptest::prelude::*;

    use super::*;

    fn row(id: &str, connected_at: u64, ttl: u64) -> Connection {
        Connection {
            version: Version1,
            user_id: UserId::new("jo").unwrap(),
            connection_id: ConnectionId::new(id),
            connected_at: Timestamp::from_millis(connected_at),
            acknowledges: false,
            format: FrameFormat::Single,
            expires_at: None,
            ttl,
        }
    }

    fn decide(rows: &[Connection], new: &str, most: usize, excess: Excess) -> Crowd {
        let limit = ConnectionLimit { most, excess };
        crowd(rows.to_vec(), &ConnectionId::new(new), limit, Timestamp::from_millis(50_000))
    }

    #[test]
    fn one_too_many_is_refused_or_takes_the_place_of_the_oldest() {
        let rows = [row("c", 3, 99), row("a", 1, 99), row("b", 2, 99)];
        for excess in [Excess::RefuseNewest, Excess::CloseOldest] {
            assert_eq!(decide(&rows, "c", 3, excess), Crowd::Fits);
        }
        assert_eq!(decide(&rows, "c", 2, Excess::RefuseNewest), Crowd::Refuse);
        assert_eq!(decide(&rows, "c", 2, Excess::CloseOldest), Crowd::Close(vec![ConnectionId::new("a")]));
        // Another one was opened meanwhile.
        assert_eq!(decide(&rows, "a", 2, Excess::CloseOldest), Crowd::Refuse);
    }

    #[test]
    fn two_of_one_millisecond_are_one_after_the_other() {
        for (first, second) in [("a", "b"), ("b", "a")] {
            let rows = [row(first, 1, 99), row(second, 1, 99)];
            assert_eq!(decide(&rows, second, 1, Excess::RefuseNewest), Crowd::Refuse);
            let first = Crowd::Close(vec![ConnectionId::new(first)]);
            assert_eq!(decide(&rows, second, 1, Excess::CloseOldest), first);
        }
    }

    #[test]
    fn what_has_expired_does_not_count() {
        let rows = [row("a", 1, 50), row("b", 2, 51)];
        assert_eq!(decide(&rows, "b", 1, Excess::RefuseNewest), Crowd::Fits);
    }

    proptest! {
        /// Whichever way the steps of several connections fall among each other: one stores its row, then
        /// decides.
        #[test]
        fn no_more_stay_than_may(
            times in prop::collection::vec(0_u64..4, 1..8),
            steps in prop::collection::vec(any::<prop::sample::Index>(), 16),
            most in 1_usize..5,
            excess in prop::sample::select(vec![Excess::RefuseNewest, Excess::CloseOldest]),
        ) {
            let rows: Vec<_> =
                times.iter().enumerate().map(|(at, time)| row(&at.to_string(), *time, 99)).collect();
            let mut todo: Vec<_> = rows.iter().flat_map(|row| [row; 2]).collect();
            let mut stored = Vec::new();
            let mut open: Vec<Connection> = Vec::new();
            for step in steps {
                let Some(at) = (!todo.is_empty()).then(|| step.index(todo.len())) else { break };
                let row = todo.remove(at);
                let id = &row.connection_id;
                if !stored.contains(&id) {
                    stored.push(id);
                    open.push(row.clone());
                    continue;
                }
                match decide(&open, id.as_str(), most, excess) {
                    Crowd::Fits => {}
                    Crowd::Refuse => open.retain(|row| row.connection_id != *id),
                    Crowd::Close(oldest) => open.retain(|row| !oldest.contains(&row.connection_id)),
                }
            }
            prop_assert!(open.len() <= most, "{open:?}");
        }

        /// One after the other, as many stay as may: the first ones, or the last ones.
        #[test]
        fn as_many_stay_as_may(
            mut times in prop::collection::vec(0_u64..4, 1..8),
            most in 1_usize..5,
            excess in prop::sample::select(vec![Excess::RefuseNewest, Excess::CloseOldest]),
        ) {
            times.sort_unstable();
            let mut open = Vec::new();
            for (at, time) in times.iter().enumerate() {
                let id = at.to_string();
                open.push(row(&id, *time, 99));
                match decide(&open, &id, most, excess) {
                    Crowd::Fits => {}
                    Crowd::Refuse => { open.pop(); }
                    Crowd::Close(oldest) => open.retain(|row| !oldest.contains(&row.connection_id)),
                }
            }
            let stay = most.min(times.len());
            let first = if excess == Excess::RefuseNewest { 0 } else { times.len() - stay };
            let stayed: Vec<_> = open.iter().map(|row| row.connection_id.as_str().to_owned()).collect();
            let expected: Vec<_> = (first..first + stay).map(|at| at.to_string()).collect();
            // Of one millisecond, any of the older ones may go.
            prop_assert_eq!(stayed.len(), stay);
            if excess == Excess::RefuseNewest || times.windows(2).all(|pair| pair[0] < pair[1]) {
                prop_assert_eq!(stayed, expected);
            }
        }
    }
}
