//! The cost of a notification on AWS: the calls of the real binaries, counted at the endpoint, at list
//! prices. The resulting table must be that of docs/explanation/cost.md.

use std::fmt::Write as _;

use contract_notifications_v1::UserId;
use serde_json::{Value, json};
use shared_ports::{Clock as _, SystemClock};
use tidings_cost::paths::{self, Calls};
use tidings_cost::prices;
use verification_acceptance_aws::{Deployment, Device, Meter, Usage};
use verification_conformance::user;
use verification_test_kit::{TestQueue, endpoint, sdk_config};

use crate::alone;

/// Notifications on each path: the most that SQS hands over at once.
const COUNT: usize = 10;

/// Dollars for an invocation, assumed to take 256 MiB for 50 ms.
fn invocation() -> f64 {
    prices::LAMBDA_REQUEST.first() + prices::LAMBDA_GIBIBYTE_SECOND.first() * 0.25 * 0.05
}

/// A path to a client, with the usage of all of its notifications.
struct Path {
    name: &'static str,
    /// Number of notifications.
    count: usize,
    usage: Usage,
    /// Requests of producers, and of Lambda for the queue: one receives and one deletes each batch
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>).
    queue_requests: usize,
    rest_requests: usize,
    /// Frames from clients, and answers to them.
    frames: usize,
    invocations: usize,
    /// The target for a million notifications in dollars, which is not enforced.
    target: Option<f64>,
}

impl Path {
    fn messages(&self) -> usize {
        self.usage.messages + self.frames
    }

    fn sqs(&self) -> usize {
        self.usage.calls_to("sqs") + self.queue_requests
    }

    /// Dollars for a million notifications.
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    fn million(&self) -> f64 {
        let of = |count: usize, price: f64| count as f64 * price;
        let all = of(self.messages(), prices::WEB_SOCKET_MESSAGE.first())
            + of(self.rest_requests, prices::REST_REQUEST.first())
            + of(self.sqs(), prices::SQS_REQUEST.first())
            + of(self.usage.half_reads, prices::READ_UNIT.first() / 2.0)
            + of(self.usage.writes, prices::WRITE_UNIT.first())
            + of(self.invocations, invocation());
        all / self.count as f64 * 1e6
    }

    /// Row of the table: quantities for ten notifications.
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    fn row(&self) -> String {
        let target = self.target.map_or_else(|| "–".to_owned(), |target| format!("{target:.2}"));
        let ten = |quantity: f64| {
            let text = format!("{:.1}", quantity * 10.0 / self.count as f64);
            text.strip_suffix(".0").unwrap_or(&text).to_owned()
        };
        format!(
            "| {} | {} | {} | {} | {} | {} | {} | {:.2} | {target} |",
            self.name,
            ten(self.messages() as f64),
            ten(self.usage.half_reads as f64 / 2.0),
            ten(self.usage.writes as f64),
            ten(self.sqs() as f64),
            ten(self.rest_requests as f64),
            ten(self.invocations as f64),
            self.million(),
        )
    }
}

/// A deployment whose functions are invoked by the test and whose calls are counted.
struct Bench {
    deployment: Deployment,
    meter: Meter,
    queue: TestQueue,
    /// The last sequence used.
    sequence: u64,
}

impl Bench {
    async fn new() -> Self {
        let meter = Meter::before(&endpoint()).await;
        let methods = r#"tidings:handshakeMethods=["open","token"]"#;
        let arguments = ["--without-sources", "--through", &meter.url, "--config", methods];
        let deployment = Deployment::with(&endpoint(), &arguments, &[]).await;
        let urls = [deployment.output("queueUrl"), deployment.output("deadLetterUrl")];
        let queue = TestQueue::existing(&sdk_config().await, urls[0], urls[1]);
        Self { deployment, meter, queue, sequence: 1 << 40 }
    }

    async fn connect(&self, user: &UserId, options: &str) -> Device {
        self.deployment.try_open(&format!("client_id={user}{options}")).await.expect("the user connects")
    }

    /// Makes a batch of the queue with a notification for each user.
    fn batch(&mut self, users: &[UserId]) -> Vec<Value> {
        let mut record = |user: &UserId| {
            self.sequence += 1;
            let id = uuid::Uuid::now_v7().to_string();
            let payload =
                json!({ "order": self.sequence, "state": "shipped", "carrier": "a van, as always" });
            let body = json!({ "userId": user, "id": id, "payload": payload }).to_string();
            record(&body, user.as_str(), &id, &self.sequence.to_string())
        };
        users.iter().map(&mut record).collect()
    }

    /// Invokes the dispatcher with a batch.
    async fn dispatch(&self, records: Vec<Value>) {
        let answer = self.deployment.invoke("dispatcher", &json!({ "Records": records })).await;
        assert_eq!(answer.unwrap(), json!({ "batchItemFailures": [] }));
    }

    /// Invokes the replayer for a new connection of a user, and returns the messages that it queued.
    async fn replay(&self, user: &UserId) -> Vec<Value> {
        let sample = include_str!("../../../../../replayer/lambda/events/stream-batch.json");
        let mut event: Value = serde_json::from_str(sample).unwrap();
        let records = event["Records"].as_array_mut().unwrap();
        records.truncate(1);
        records[0]["dynamodb"]["Keys"]["userId"]["S"] = user.as_str().into();
        let answer = self.deployment.invoke("replayer", &event).await;
        assert_eq!(answer.unwrap(), json!({ "batchItemFailures": [] }));
        let messages = self.queue.drain().await;
        let message = |message: &aws_sdk_sqs::types::Message| {
            let attribute = |name: &str| {
                let attributes = message.attributes().unwrap();
                let found = attributes.iter().find(|(key, _)| key.as_str() == name);
                found.unwrap().1.clone()
            };
            let (group, id) = (attribute("MessageGroupId"), attribute("MessageDeduplicationId"));
            // As in the queue, it comes after the notifications, whose sequences this test makes up.
            record(message.body().unwrap(), &group, &id, &u64::MAX.to_string())
        };
        messages.iter().map(message).collect()
    }
}

/// A message of the queue in the form in which Lambda hands it over.
fn record(body: &str, group: &str, id: &str, sequence: &str) -> Value {
    let attributes = json!({
        "ApproximateReceiveCount": "1",
        "SentTimestamp": SystemClock.now().millis().to_string(),
        "SequenceNumber": sequence,
        "MessageGroupId": group,
        "MessageDeduplicationId": id,
    });
    json!({ "messageId": id, "receiptHandle": id, "body": body, "attributes": attributes, "eventSource": "aws:sqs" })
}

fn users(prefix: &str, count: usize) -> Vec<UserId> {
    (0..count).map(|n| user(&format!("{prefix}-{n}"))).collect()
}

async fn paths() -> Vec<Path> {
    let mut bench = Bench::new().await;
    let mut paths = Vec::new();
    // Kept to the end, because the calls for closing a connection are not counted.
    let mut devices = Vec::new();

    // Ten users are online, and each batch has a notification for each.
    let ten = users("online", COUNT);
    for user in &ten {
        devices.push(bench.connect(user, "").await);
    }
    bench.meter.take();
    let batch = bench.batch(&ten);
    bench.dispatch(batch).await;
    let usage = bench.meter.take();
    let online = |name, count, usage: &Usage, queue_requests, rest_requests, target| Path {
        name,
        count,
        usage: usage.clone(),
        queue_requests,
        rest_requests,
        frames: 0,
        invocations: 1,
        target,
    };
    paths.push(online("online, sent in batches, ten users", COUNT, &usage, 3, 0, Some(1.6)));
    paths.push(online("online, through the REST API, ten users", COUNT, &usage, COUNT + 2, COUNT, Some(5.5)));
    for (batched, single, count) in [
        ("online, sent in batches of 3", "online, through the REST API, received 3 at a time", 3),
        ("online, sent one by one", "online, through the REST API, received one by one", 1),
    ] {
        let batch = bench.batch(&ten[..count]);
        bench.dispatch(batch).await;
        let usage = bench.meter.take();
        paths.push(online(batched, count, &usage, 3, 0, None));
        paths.push(online(single, count, &usage, count + 2, count, None));
    }
    let alone = vec![ten[0].clone(); COUNT];
    let batch = bench.batch(&alone);
    bench.dispatch(batch).await;
    let usage = bench.meter.take();
    paths.push(online("online, sent in batches, one user", COUNT, &usage, 3, 0, Some(1.6)));

    // A user who acknowledges ten notifications at once.
    let recipient = user("acknowledges");
    let mut device = bench.connect(&recipient, "&acknowledge=true").await;
    bench.meter.take();
    let batch = bench.batch(&vec![recipient; COUNT]);
    bench.dispatch(batch).await;
    let mut sequences = Vec::new();
    for _ in 0..COUNT {
        sequences.push(device.next().await.sequence);
    }
    device.send(&json!({ "action": "ack", "sequences": sequences })).await;
    device.frame().await;
    devices.push(device);
    let usage = bench.meter.take();
    paths.push(Path {
        name: "online, acknowledged ten at a time",
        count: COUNT,
        usage,
        queue_requests: 3,
        rest_requests: 0,
        frames: 2,
        invocations: 2,
        target: Some(3.2),
    });

    // Ten notifications held for one user, who comes back.
    for (name, options, target) in
        [("held and replayed", "", 4.5), ("held and replayed, frames of many", "&format=batch", 3.5)]
    {
        let recipient = user(&format!("returns{}", options.len()));
        let batch = bench.batch(&vec![recipient.clone(); COUNT]);
        bench.meter.take();
        bench.dispatch(batch).await;
        let mut usage = bench.meter.take();
        let mut device = bench.connect(&recipient, options).await;
        bench.meter.take();
        let replay = bench.replay(&recipient).await;
        assert_eq!(replay.len(), 1, "one entry for a page");
        bench.dispatch(replay).await;
        for _ in 0..COUNT {
            device.next().await;
        }
        devices.push(device);
        usage.merge(bench.meter.take());
        // Two batches go over the queue. The replayer's requests are counted as its calls.
        let queue_requests = 3 + 2;
        paths.push(Path {
            name,
            count: COUNT,
            usage,
            queue_requests,
            rest_requests: 0,
            frames: 0,
            invocations: 3,
            target: Some(target),
        });
    }
    paths
}

#[tokio::test]
async fn notification_cost_matches_docs_cost_md() {
    let _alone = alone().await;
    let paths = paths().await;
    let mut table = String::from(
        "| path | WebSocket messages | read units | write units | SQS requests | REST API requests | \
         invocations | $ per million | target |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for path in &paths {
        writeln!(table, "{}", path.row()).unwrap();
    }
    let calls: Vec<_> = paths.iter().map(|path| (path.name, &path.usage.calls)).collect();
    let documented = include_str!("../../../../../../docs/explanation/cost.md");
    assert!(
        documented.contains(&table),
        "docs/explanation/cost.md should have\n{table}\nfor the calls {calls:#?}"
    );
}

/// Calls of a path, with what the endpoint does not see.
#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn calls(usage: &Usage, frames: usize, invocations: usize, batches: usize) -> Calls {
    Calls {
        messages: (usage.messages + frames) as f64,
        reads: usage.half_reads as f64 / 2.0,
        writes: usage.writes as f64,
        queue: usage.calls_to("sqs") as f64,
        keys: usage.calls_to("kms") as f64,
        invocations: invocations as f64,
        batches: batches as f64,
    }
}

/// Takes the usage until the functions have called nothing for some seconds, after at least one call.
async fn until_quiet(meter: &Meter) -> Usage {
    let mut usage = Usage::default();
    let mut quiet = 0;
    while quiet < 3 || usage == Usage::default() {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let more = meter.take();
        quiet = if more == Usage::default() { quiet + 1 } else { 0 };
        usage.merge(more);
    }
    usage
}

#[tokio::test]
async fn calculator_counts_what_the_functions_call() {
    let _alone = alone().await;
    let mut bench = Bench::new().await;
    let mut counted = Vec::new();

    let recipient = user("pushed");
    let mut device = bench.connect(&recipient, "").await;
    bench.meter.take();
    let batch = bench.batch(std::slice::from_ref(&recipient));
    bench.dispatch(batch).await;
    device.next().await;
    counted.push(("pushed", calls(&bench.meter.take(), 0, 0, 0), paths::PUSHED));

    device.send(&json!({ "action": "ping" })).await;
    device.frame().await;
    counted.push(("heartbeat", calls(&bench.meter.take(), 2, 1, 0), paths::HEARTBEAT));

    let recipient = user("acknowledges-one");
    let mut device = bench.connect(&recipient, "&acknowledge=true").await;
    bench.meter.take();
    let batch = bench.batch(std::slice::from_ref(&recipient));
    bench.dispatch(batch).await;
    let sequence = device.next().await.sequence;
    device.send(&json!({ "action": "ack", "sequences": [sequence] })).await;
    device.frame().await;
    counted.push(("acknowledged", calls(&bench.meter.take(), 2, 1, 0), paths::ACKNOWLEDGED));

    for (name, acknowledges, calculated) in
        [("held", false, paths::HELD), ("held-acknowledged", true, paths::HELD_ACKNOWLEDGED)]
    {
        let recipient = user(name);
        let batch = bench.batch(std::slice::from_ref(&recipient));
        bench.dispatch(batch).await;
        let mut usage = bench.meter.take();
        let mut device = bench.connect(&recipient, &format!("&acknowledge={acknowledges}")).await;
        bench.meter.take();
        let replay = bench.replay(&recipient).await;
        // The connection pays for the replayer's invocation and its read.
        let mut replayed = bench.meter.take();
        replayed.half_reads = 0;
        usage.merge(replayed);
        bench.dispatch(replay).await;
        let sequence = device.next().await.sequence;
        let (mut frames, mut invocations) = (0, 0);
        if acknowledges {
            device.send(&json!({ "action": "ack", "sequences": [sequence] })).await;
            device.frame().await;
            (frames, invocations) = (2, 1);
        }
        usage.merge(bench.meter.take());
        counted.push((name, calls(&usage, frames, invocations, 1), calculated));
    }

    // The first token makes the data key that the others use.
    drop(bench.deployment.open(&user("connects-first"), "").await);
    until_quiet(&bench.meter).await;
    let recipient = user("connects");
    let device = bench.deployment.open(&recipient, "").await;
    assert!(bench.replay(&recipient).await.is_empty(), "nothing is held");
    let mut usage = until_quiet(&bench.meter).await;
    drop(device);
    usage.merge(until_quiet(&bench.meter).await);
    counted.push(("connection", calls(&usage, 0, 5, 0), paths::CONNECTION));

    let differ: Vec<_> =
        counted.into_iter().filter(|(_, counted, calculated)| counted != calculated).collect();
    assert!(differ.is_empty(), "counted, and then calculated: {differ:#?}\nfor a connection {usage:?}");
}
