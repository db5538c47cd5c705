//! What a deployment has to do.

/// The way in which producers send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Door {
    /// Batches to the queue, by the AWS SDK.
    Queue,
    /// Requests to the REST API, one for each notification.
    Rest,
}

/// What a deployment has to do in a month of 30 days.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Load {
    /// Users who are active in the month.
    pub users: f64,
    /// Notifications in a day, for all users.
    pub per_day: f64,
    /// Share of the notifications whose user is connected, from 0 to 1.
    pub online: f64,
    /// Share of the clients that acknowledge, from 0 to 1.
    pub acknowledged: f64,
    /// The way in which producers send.
    pub door: Door,
    /// Notifications in a batch of the queue, from 1 to 10.
    pub batch: f64,
    /// Size of a notification as a client gets it, in bytes.
    pub bytes: f64,
    /// Hours in a day for which a user is connected.
    pub hours: f64,
    /// Connections that a user opens in a day.
    pub connects: f64,
    /// Seconds between heartbeats of a client; 0 for none.
    pub heartbeat: f64,
    /// Bytes that an invocation logs.
    pub log_bytes: f64,
    /// True if X-Ray traces requests.
    pub tracing: bool,
    /// True if users are in the stack's Cognito user pool.
    pub cognito: bool,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            users: 1_000.0,
            per_day: 1_000_000.0,
            online: 0.8,
            acknowledged: 1.0,
            door: Door::Rest,
            batch: 3.0,
            bytes: 600.0,
            hours: 8.0,
            connects: 6.0,
            // As the functions tell it to clients: six sevenths of API Gateway's ten minutes.
            heartbeat: 514.0,
            log_bytes: 1_000.0,
            tracing: true,
            cognito: true,
        }
    }
}

/// A value of a load that makes no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{name} is {value}; expected {expected}")]
pub struct BadLoad {
    /// The option that has the value.
    pub name: &'static str,
    /// The value.
    pub value: f64,
    /// The values that are allowed.
    pub expected: &'static str,
}

/// Hours after which API Gateway ends a connection
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>).
const LONGEST_CONNECTION_HOURS: f64 = 2.0;

impl Load {
    /// Checks the values.
    ///
    /// # Errors
    /// [`BadLoad`] names the first value that is not allowed.
    pub fn check(&self) -> Result<(), BadLoad> {
        let share = |name, value| (name, value, 0.0..=1.0, "a share from 0 to 1");
        let amount = |name, value| (name, value, 0.0..=1e12, "a number from 0 to 10^12");
        let rules = [
            amount("users", self.users),
            amount("per-day", self.per_day),
            share("online", self.online),
            share("acknowledged", self.acknowledged),
            ("batch", self.batch, 1.0..=10.0, "a number from 1 to 10"),
            ("bytes", self.bytes, 1.0..=131_072.0, "a number from 1 to 131072"),
            ("hours", self.hours, 0.0..=24.0, "a number from 0 to 24"),
            ("connects", self.connects, 0.0..=1e6, "a number from 0 to 10^6"),
            ("heartbeat", self.heartbeat, 0.0..=600.0, "seconds from 0 to 600, API Gateway's idle time"),
            amount("log-bytes", self.log_bytes),
        ];
        match rules.into_iter().find(|(_, value, allowed, _)| !allowed.contains(value)) {
            Some((name, value, _, expected)) => Err(BadLoad { name, value, expected }),
            None => Ok(()),
        }
    }

    /// Connections that a user opens in a day: also those that follow one that API Gateway has ended.
    pub fn connections(&self) -> f64 {
        self.connects.max(self.hours / LONGEST_CONNECTION_HOURS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_value_is_named() {
        assert_eq!(Load::default().check(), Ok(()));
        let bad = |load: Load| load.check().unwrap_err().to_string();
        assert_eq!(
            bad(Load { online: 1.5, ..Load::default() }),
            "online is 1.5; expected a share from 0 to 1"
        );
        assert_eq!(bad(Load { batch: 0.0, ..Load::default() }), "batch is 0; expected a number from 1 to 10");
        assert_eq!(
            bad(Load { users: f64::NAN, ..Load::default() }),
            "users is NaN; expected a number from 0 to 10^12"
        );
    }

    #[test]
    fn long_connections_are_opened_again() {
        assert!((Load { hours: 24.0, connects: 1.0, ..Load::default() }.connections() - 12.0).abs() < 1e-9);
        assert!((Load { hours: 1.0, connects: 3.0, ..Load::default() }.connections() - 3.0).abs() < 1e-9);
    }
}
