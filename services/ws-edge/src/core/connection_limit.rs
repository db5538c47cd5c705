//! Enforces the limit of a user's open connections.

use contract_connections_v1::{Connection, ConnectionId};
use contract_notifications_v1::Timestamp;

use crate::config::{ConnectionLimit, Excess};

/// The consequence of a new connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LimitDecision {
    /// Keep all connections.
    WithinLimit,
    /// Refuse the new connection.
    RefuseNew,
    /// Close these older connections and keep the new one.
    CloseOldest(Vec<ConnectionId>),
}

/// Decides at `now` about the connection `new`. `open` is the user's connections, the new one included.
///
/// Each connection stores its row before it decides, so the last of several simultaneous connections sees all
/// others: the user never keeps more than the limit. Their times can't tell which of them was last, so more
/// of them may be refused than necessary.
pub(crate) fn decide(
    mut open: Vec<Connection>,
    new: &ConnectionId,
    limit: ConnectionLimit,
    now: Timestamp,
) -> LimitDecision {
    // DynamoDB deletes expired rows late.
    open.retain(|row| row.ttl > now.millis() / 1000);
    let excess = open.len().saturating_sub(limit.most);
    if excess == 0 {
        return LimitDecision::WithinLimit;
    }
    match limit.excess {
        Excess::RefuseNewest => LimitDecision::RefuseNew,
        Excess::CloseOldest => {
            // Among connections of the same millisecond, the new one counts as the newest.
            open.sort_unstable_by_key(|row| (row.connected_at, row.connection_id == *new));
            let oldest: Vec<_> = open.drain(..excess).map(|row| row.connection_id).collect();
            if oldest.contains(new) { LimitDecision::RefuseNew } else { LimitDecision::CloseOldest(oldest) }
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

    fn decide_for(rows: &[Connection], new: &str, most: usize, excess: Excess) -> LimitDecision {
        let limit = ConnectionLimit { most, excess };
        decide(rows.to_vec(), &ConnectionId::new(new), limit, Timestamp::from_millis(50_000))
    }

    #[test]
    fn excess_refuses_the_new_or_closes_the_oldest() {
        let rows = [row("c", 3, 99), row("a", 1, 99), row("b", 2, 99)];
        for excess in [Excess::RefuseNewest, Excess::CloseOldest] {
            assert_eq!(decide_for(&rows, "c", 3, excess), LimitDecision::WithinLimit);
        }
        assert_eq!(decide_for(&rows, "c", 2, Excess::RefuseNewest), LimitDecision::RefuseNew);
        assert_eq!(
            decide_for(&rows, "c", 2, Excess::CloseOldest),
            LimitDecision::CloseOldest(vec![ConnectionId::new("a")])
        );
        // A newer connection opened in the meantime.
        assert_eq!(decide_for(&rows, "a", 2, Excess::CloseOldest), LimitDecision::RefuseNew);
    }

    #[test]
    fn new_is_newest_within_one_millisecond() {
        for (first, second) in [("a", "b"), ("b", "a")] {
            let rows = [row(first, 1, 99), row(second, 1, 99)];
            assert_eq!(decide_for(&rows, second, 1, Excess::RefuseNewest), LimitDecision::RefuseNew);
            let first = LimitDecision::CloseOldest(vec![ConnectionId::new(first)]);
            assert_eq!(decide_for(&rows, second, 1, Excess::CloseOldest), first);
        }
    }

    #[test]
    fn expired_connections_do_not_count() {
        let rows = [row("a", 1, 50), row("b", 2, 51)];
        assert_eq!(decide_for(&rows, "b", 1, Excess::RefuseNewest), LimitDecision::WithinLimit);
    }

    proptest! {
        /// Interleaves the steps of several connections in any order; each stores its row, then decides.
        #[test]
        fn limit_holds_under_any_interleaving(
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
                match decide_for(&open, id.as_str(), most, excess) {
                    LimitDecision::WithinLimit => {}
                    LimitDecision::RefuseNew => open.retain(|row| row.connection_id != *id),
                    LimitDecision::CloseOldest(oldest) => {
                        open.retain(|row| !oldest.contains(&row.connection_id));
                    }
                }
            }
            prop_assert!(open.len() <= most, "{open:?}");
        }

        /// Connections that open one after the other fill the limit with the first or the last of them.
        #[test]
        fn sequential_connections_fill_the_limit(
            mut times in prop::collection::vec(0_u64..4, 1..8),
            most in 1_usize..5,
            excess in prop::sample::select(vec![Excess::RefuseNewest, Excess::CloseOldest]),
        ) {
            times.sort_unstable();
            let mut open = Vec::new();
            for (at, time) in times.iter().enumerate() {
                let id = at.to_string();
                open.push(row(&id, *time, 99));
                match decide_for(&open, &id, most, excess) {
                    LimitDecision::WithinLimit => {}
                    LimitDecision::RefuseNew => { open.pop(); }
                    LimitDecision::CloseOldest(oldest) => {
                        open.retain(|row| !oldest.contains(&row.connection_id));
                    }
                }
            }
            let stay = most.min(times.len());
            let first = if excess == Excess::RefuseNewest { 0 } else { times.len() - stay };
            let stayed: Vec<_> = open.iter().map(|row| row.connection_id.as_str().to_owned()).collect();
            let expected: Vec<_> = (first..first + stay).map(|at| at.to_string()).collect();
            // Among older connections of the same millisecond, any may be closed.
            prop_assert_eq!(stayed.len(), stay);
            if excess == Excess::RefuseNewest || times.windows(2).all(|pair| pair[0] < pair[1]) {
                prop_assert_eq!(stayed, expected);
            }
        }
    }
}
