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

/// Decides about `open`, the user's connections with the new one among them. Of several that are added at
/// the same time each decision is about the same order, so that together they leave as many as may be.
pub(crate) fn crowd(
    mut open: Vec<Connection>,
    new: &ConnectionId,
    limit: ConnectionLimit,
    now: Timestamp,
) -> Crowd {
    // DynamoDB deletes late what has expired.
    open.retain(|row| row.ttl > now.millis() / 1000);
    open.sort_unstable_by(|a, b| (a.connected_at, &a.connection_id).cmp(&(b.connected_at, &b.connection_id)));
    let excess = open.len().saturating_sub(limit.most);
    if excess == 0 {
        return Crowd::Fits;
    }
    match limit.excess {
        Excess::RefuseNewest if open[limit.most..].iter().any(|row| row.connection_id == *new) => {
            Crowd::Refuse
        }
        Excess::RefuseNewest => Crowd::Fits,
        Excess::CloseOldest => {
            Crowd::Close(open.drain(..excess).map(|row| row.connection_id).filter(|id| id != new).collect())
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
        assert_eq!(decide(&rows, "b", 2, Excess::RefuseNewest), Crowd::Fits);
        assert_eq!(decide(&rows, "c", 2, Excess::CloseOldest), Crowd::Close(vec![ConnectionId::new("a")]));
    }

    #[test]
    fn what_has_expired_does_not_count() {
        let rows = [row("a", 1, 50), row("b", 2, 51)];
        assert_eq!(decide(&rows, "b", 1, Excess::RefuseNewest), Crowd::Fits);
    }

    proptest! {
        /// Each of several connections that appear together decides by itself.
        #[test]
        fn as_many_stay_as_may(times in prop::collection::vec(0_u64..4, 1..8), most in 1_usize..5) {
            let rows: Vec<_> =
                times.iter().enumerate().map(|(at, time)| row(&at.to_string(), *time, 99)).collect();
            let refused = rows
                .iter()
                .filter(|row| decide(&rows, row.connection_id.as_str(), most, Excess::RefuseNewest) == Crowd::Refuse)
                .count();
            prop_assert_eq!(rows.len() - refused, most.min(rows.len()));
        }
    }
}
