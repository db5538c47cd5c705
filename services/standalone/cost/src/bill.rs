//! The bill of a month.

use serde::Serialize;

use crate::load::{Door, Load};
use crate::paths::{self, Calls};
use crate::prices;

const DAYS: f64 = 30.0;
const SECONDS: f64 = DAYS * 86_400.0;
/// Memory of a function and the time that an invocation takes: assumed, not measured.
const GIBIBYTE_SECONDS: f64 = 0.25 * 0.05;
/// Notifications in a batch that a producer sends to the queue.
const SENT_AT_ONCE: f64 = 10.0;
const GIGABYTE: f64 = 1024.0 * 1024.0 * 1024.0;
/// Bytes that a message to a client, a request to the queue, and a write unit cover.
const MESSAGE_UNIT: f64 = 32.0 * 1024.0;
const QUEUE_UNIT: f64 = 64.0 * 1024.0;
const WRITE_UNIT: f64 = 1024.0;
/// Bytes of a row besides the notification.
const ROW_BYTES: f64 = 200.0;
/// Share of the requests beyond one in each second that X-Ray records by default
/// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html>).
const TRACED: f64 = 0.05;
/// Customer managed keys, and metrics of the alarms, of a stack for production with one queue. A test of the Pulumi program
/// compares the alarms.
const KEYS: f64 = 2.0;
const ALARMS: f64 = 22.0;
/// Requests to the key of connect tokens, if there are connections: in each hour, one by each instance of the issuer for
/// a data key, and one by each instance of the authorizer for each data key. Ten instances of both are assumed.
const DATA_KEYS: f64 = 720.0 * (10.0 + 10.0 * 10.0);
/// Invocations of the schedule that replays what was set aside: one in each minute.
const SCHEDULED: f64 = SECONDS / 60.0;

/// A service's part of a bill.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The service and its unit.
    pub service: &'static str,
    /// Units in a month.
    pub quantity: f64,
    /// US dollars in a month.
    pub dollars: f64,
}

/// The bill of a month.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bill {
    /// All services, also those that cost nothing.
    pub lines: Vec<Line>,
    /// US dollars in a month.
    pub dollars: f64,
    /// US dollars for a million notifications, connections included; absent without notifications.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dollars_per_million: Option<f64>,
}

/// Sums of calls in a month.
struct Sum(Calls);

impl Sum {
    fn add(&mut self, times: f64, calls: Calls) {
        let Self(sum) = self;
        sum.messages += times * calls.messages;
        sum.reads += times * calls.reads;
        sum.writes += times * calls.writes;
        sum.queue += times * calls.queue;
        sum.keys += times * calls.keys;
        sum.invocations += times * calls.invocations;
        sum.batches += times * calls.batches;
    }
}

/// Traces that X-Ray records of requests that are spread evenly.
fn traced(requests: f64) -> f64 {
    requests.min(SECONDS) + TRACED * (requests - SECONDS).max(0.0)
}

/// Calls for a notification of this size instead of a small one: a push, and a row's way in and out, in more units.
fn sized(calls: Calls, load: &Load) -> Calls {
    let pushes = (load.bytes / MESSAGE_UNIT).ceil() - 1.0;
    let row = ((load.bytes + ROW_BYTES) / WRITE_UNIT).ceil();
    Calls { messages: calls.messages + pushes, writes: calls.writes * row, ..calls }
}

/// Returns the bill of a load, which must have passed [`Load::check`].
pub fn bill(load: &Load) -> Bill {
    let notifications = load.per_day * DAYS;
    let connections = load.users * load.connections() * DAYS;
    let minutes = load.users * load.hours * 60.0 * DAYS;
    let heartbeats = if load.heartbeat > 0.0 { minutes * 60.0 / load.heartbeat } else { 0.0 };
    let online = notifications * load.online;
    let held = notifications - online;

    let mut sum = Sum(Calls {
        messages: 0.0,
        reads: 0.0,
        writes: 0.0,
        queue: 0.0,
        keys: 0.0,
        invocations: 0.0,
        batches: 0.0,
    });
    sum.add(online * (1.0 - load.acknowledged), sized(paths::PUSHED, load));
    sum.add(online * load.acknowledged, sized(paths::ACKNOWLEDGED, load));
    sum.add(held * (1.0 - load.acknowledged), sized(paths::HELD, load));
    sum.add(held * load.acknowledged, sized(paths::HELD_ACKNOWLEDGED, load));
    sum.add(connections, paths::CONNECTION);
    sum.add(heartbeats, paths::HEARTBEAT);
    let Sum(calls) = sum;

    // Each batch is received and deleted, by two requests and one invocation.
    let batches = (notifications + calls.batches) / load.batch;
    let invocations = calls.invocations + batches + SCHEDULED;
    let sent = match load.door {
        Door::Rest => notifications * (load.bytes / QUEUE_UNIT).ceil(),
        Door::Queue => notifications * (load.bytes / QUEUE_UNIT).max(1.0 / SENT_AT_ONCE),
    };
    let received = batches * (load.bytes * load.batch / QUEUE_UNIT).ceil();
    let rest = if load.door == Door::Rest { notifications } else { 0.0 };
    let traces = if load.tracing { traced(rest) + traced(invocations) } else { 0.0 };
    let pool = if load.cognito { load.users } else { 0.0 };

    let line =
        |service, quantity, price: &prices::Price| Line { service, quantity, dollars: price.of(quantity) };
    let mut lambda = line("Lambda: invocations", invocations, &prices::LAMBDA_REQUEST);
    lambda.dollars += prices::LAMBDA_GIBIBYTE_SECOND.of(invocations * GIBIBYTE_SECONDS);
    let lines = vec![
        line("API Gateway: WebSocket messages", calls.messages, &prices::WEB_SOCKET_MESSAGE),
        line("API Gateway: connection minutes", minutes, &prices::CONNECTION_MINUTE),
        line("API Gateway: producer API requests", rest, &prices::REST_REQUEST),
        line("API Gateway: token API requests", connections, &prices::HTTP_REQUEST),
        line("SQS: requests", sent + received + batches + calls.queue, &prices::SQS_REQUEST),
        lambda,
        line("DynamoDB: read units", calls.reads, &prices::READ_UNIT),
        line("DynamoDB: write units", calls.writes, &prices::WRITE_UNIT),
        line(
            "KMS: requests",
            calls.keys + if connections > 0.0 { DATA_KEYS } else { 0.0 },
            &prices::KMS_REQUEST,
        ),
        line("Cognito: active users, tier Lite", pool, &prices::COGNITO_LITE),
        line("CloudWatch: logs, GB", invocations * load.log_bytes / GIGABYTE, &prices::LOG_GIGABYTE),
        line("X-Ray: traces", traces, &prices::TRACE),
        line("Data transfer, GB", notifications * load.bytes / GIGABYTE, &prices::TRANSFER_GIGABYTE),
        Line {
            service: "Keys and alarms",
            quantity: KEYS + ALARMS,
            dollars: prices::KMS_KEY.of(KEYS) + prices::ALARM.of(ALARMS),
        },
    ];
    let dollars = lines.iter().map(|line| line.dollars).sum();
    let dollars_per_million = (notifications > 0.0).then(|| dollars / notifications * 1e6);
    Bill { lines, dollars, dollars_per_million }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Load = Load {
        users: 0.0,
        per_day: 0.0,
        online: 1.0,
        acknowledged: 0.0,
        door: Door::Queue,
        batch: 10.0,
        bytes: 600.0,
        hours: 0.0,
        connects: 0.0,
        heartbeat: 0.0,
        log_bytes: 0.0,
        tracing: false,
        cognito: false,
    };

    #[track_caller]
    fn assert_near(one: f64, other: f64) {
        assert!((one - other).abs() < 0.01, "{one} is not {other}");
    }

    fn dollars(load: &Load, service: &str) -> f64 {
        let bill = bill(load);
        let found: Vec<_> = bill.lines.iter().filter(|line| line.service.starts_with(service)).collect();
        assert!(!found.is_empty(), "no {service}");
        found.iter().map(|line| line.dollars).sum()
    }

    #[test]
    fn an_idle_stack_costs_keys_alarms_and_its_schedule() {
        assert_near(bill(&QUIET).dollars, 2.0 + 2.2 + 0.02);
        assert_eq!(bill(&QUIET).dollars_per_million, None);
    }

    #[test]
    fn a_million_pushes_cost_what_the_table_of_paths_says() {
        let load = Load { per_day: 1e6 / 30.0, bytes: 1.0, ..QUIET };
        // A push, two reads, a tenth of three requests to the queue, and a tenth of an invocation.
        assert_near(bill(&load).dollars - bill(&QUIET).dollars, 1.0 + 0.25 + 0.15 + 0.037);
    }

    #[test]
    fn the_rest_api_costs_more_than_all_else() {
        let load = Load { per_day: 1e6 / 30.0, door: Door::Rest, ..QUIET };
        assert_near(dollars(&load, "API Gateway: producer API"), 3.5);
        assert_near(dollars(&load, "SQS"), 0.5 + 0.1);
    }

    #[test]
    fn small_batches_cost_more() {
        let of = |batch| bill(&Load { per_day: 1e6 / 30.0, batch, ..QUIET }).dollars;
        assert_near(of(1.0) - of(10.0), 0.9 * (1.0 + 0.367));
    }

    #[test]
    fn rare_heartbeats_cost_in_proportion() {
        let tabs = Load { users: 100_000.0, hours: 24.0, heartbeat: 60.0, ..QUIET };
        let often = dollars(&tabs, "API Gateway: WebSocket");
        assert!(often > 7_000.0, "{often}");
        assert!(
            (often / 9.0 - dollars(&Load { heartbeat: 540.0, ..tabs }, "API Gateway: WebSocket")).abs()
                < 200.0
        );
        assert_near(dollars(&Load { heartbeat: 0.0, ..tabs }, "API Gateway: WebSocket"), 0.0);
    }

    #[test]
    fn large_notifications_cost_by_their_units() {
        let of = |bytes| Load { per_day: 1e6 / 30.0, bytes, acknowledged: 1.0, ..QUIET };
        assert_near(
            dollars(&of(40_000.0), "API Gateway: WebSocket") - dollars(&of(600.0), "API Gateway: WebSocket"),
            1.0,
        );
        assert_near(dollars(&of(2_000.0), "DynamoDB: write") / dollars(&of(600.0), "DynamoDB: write"), 3.0);
    }

    #[test]
    fn acknowledgements_cost_whether_held_or_not() {
        let of = |online, acknowledged| Load { per_day: 1e6 / 30.0, online, acknowledged, ..QUIET };
        for online in [0.0, 1.0] {
            let more = bill(&of(online, 1.0)).dollars - bill(&of(online, 0.0)).dollars;
            // Two messages and an invocation, and at least the write that marks a row.
            assert!(more > 2.0 + 0.367 + 0.6, "{online}: {more}");
        }
    }

    #[test]
    fn traces_are_sampled() {
        assert_near(traced(1_000.0), 1_000.0);
        assert_near(traced(SECONDS + 100.0), SECONDS + 5.0);
    }
}
