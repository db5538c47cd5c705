//! A whole simulation: faults at first, and then none until all is quiet.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use contract_connections_v1::FrameFormat;
use contract_notifications_v1::{
    Notification, NotificationId, Payload, QueueEntry, Sequence, Timestamp, WhenOffline,
};
use dispatcher::core::ConnectionSet;
use dispatcher::ports::MailboxRow;
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep};
use verification_random::SeededRandom;

use crate::device::{run_device, send_to_hub};
use crate::fifo::Outgoing;
use crate::frames::{FIRST_OF_HUB, payload};
use crate::hub_ports::log_members;
use crate::log::{Event, EventKind};
use crate::mapping::{poll_queue, read_stream, sweep};
use crate::mutant::Mutant;
use crate::plan::{DevicePlan, HubMessagePlan, Plan, SendPlan, UserPlan};
use crate::ports::Aws;
use crate::world::{World, millis_of, user_id, user_of};

/// Time that the deployment may take to become quiet after the last fault: a few of the longest delays before
/// a failed entry is delivered again, and of visibility timeouts.
const TIME_TO_QUIET: Duration = Duration::from_mins(20);

/// A simulation that has ended.
#[derive(Debug)]
pub struct Finished {
    /// The plan.
    pub plan: Plan,
    /// The events, in order.
    pub log: Vec<Event>,
}

/// Runs the simulation of a seed, with a mutant or without.
///
/// # Errors
/// The runtime can't be made.
pub fn run(seed: u64, mutant: Option<Mutant>) -> anyhow::Result<Finished> {
    let random = SeededRandom::new(seed);
    let plan = Plan::draw(&random);
    run_plan(plan, random, mutant)
}

/// Runs the simulation of a plan.
///
/// # Errors
/// The runtime can't be made.
pub fn run_plan(plan: Plan, random: SeededRandom, mutant: Option<Mutant>) -> anyhow::Result<Finished> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let log = runtime.block_on(simulate(plan.clone(), random, mutant));
    Ok(Finished { plan, log })
}

async fn simulate(plan: Plan, random: SeededRandom, mutant: Option<Mutant>) -> Vec<Event> {
    let world = World::new(plan, random, mutant);
    let mut number = 0;
    for user in 0..world.plan.users.len() {
        hold(&world, user, &mut number);
    }
    for poller in 0..u32::try_from(world.plan.pollers.max(1)).unwrap_or(1) {
        for source in 0..world.queues.len() {
            tokio::spawn(poll_queue(Arc::clone(&world), source, poller));
        }
    }
    for shard in 0..world.shards.len() {
        tokio::spawn(read_stream(Arc::clone(&world), shard));
    }
    tokio::spawn(sweep(Arc::clone(&world)));
    let (mut producers, mut unstable) = (Vec::new(), Vec::new());
    for (user, plan) in world.plan.users.iter().enumerate() {
        let is_stable = !plan.trouble.is_some();
        for device in &plan.devices {
            let task = tokio::spawn(run_device(Arc::clone(&world), user, *device, is_stable));
            if !is_stable && !plan.keeps_devices {
                unstable.push(task);
            }
        }
        producers.push(tokio::spawn(produce(Arc::clone(&world), user, number)));
        number += u32::try_from(plan.sends.len()).unwrap_or(0);
    }
    if world.plan.hub.is_some() {
        producers.push(tokio::spawn(talk(Arc::clone(&world))));
    }
    sleep(Duration::from_millis(world.plan.faults_until)).await;
    world.end_faults();
    unstable.iter().for_each(tokio::task::JoinHandle::abort);
    let is_replaced = |plan: &UserPlan| plan.trouble.is_some() && !plan.keeps_devices;
    for (user, plan) in world.plan.users.iter().enumerate().filter(|(_, plan)| is_replaced(plan)) {
        let sockets: Vec<_> = {
            let sockets = world.gateway.sockets();
            (0..).zip(&*sockets).filter(|(_, socket)| socket.user == user).map(|(number, _)| number).collect()
        };
        for connection in sockets {
            world.close(connection);
        }
        let acknowledges = plan.devices.iter().any(|device| device.acknowledges);
        let device = DevicePlan { acknowledges, format: FrameFormat::Batch, connects_at: 0 };
        tokio::spawn(run_device(Arc::clone(&world), user, device, true));
    }
    for producer in producers {
        // A producer that panicked has sent less.
        let _ = producer.await;
    }
    wait_until_quiet(&world).await;
    log_leftovers(&world);
    world.take_log()
}

/// Puts a user's notifications into the mailbox, as if they had been held for a while.
fn hold(world: &World, user: usize, number: &mut u32) {
    for _ in 0..world.plan.users[user].held {
        let home = world.home(user_id(user).as_str());
        let sequence = world.queues[home].skip();
        let expires_after = world.plan.users[user].held_expire_after.filter(|_| number.is_multiple_of(3));
        let send = SendPlan { size: 10, expires_after, ..SendPlan::default() };
        let Some(notification) = notification(world, user, *number, &send) else { continue };
        world.log(user, EventKind::Accepted { number: *number, sequence });
        let row = MailboxRow {
            sequence: Sequence::new(sequence.into()),
            notification: Arc::new(notification),
            pushed_to: ConnectionSet::new(),
        };
        let mut tables = world.tables();
        tables.mailboxes.entry(user).or_default().insert(sequence, (row, Instant::now()));
        *number += 1;
    }
}

fn notification(world: &World, user: usize, number: u32, send: &SendPlan) -> Option<Notification> {
    let SendPlan { size, expires_after, drops, .. } = *send;
    let now = world.time_at(Instant::now());
    let mut expires_at = expires_after.map(|after| now.plus(after));
    if drops || expires_at.is_some() {
        let expires_at = expires_at.map(millis_of);
        world.log(user, EventKind::Terms { number, expires_at, drops });
    }
    expires_at = expires_at.filter(|_| !world.has(Mutant::QueuesWithoutExpiry));
    let drops = (drops || world.has(Mutant::DropsAll)) && !world.has(Mutant::HoldsAll);
    Some(Notification {
        id: NotificationId::new(format!("n{number}")).ok()?,
        user_id: user_id(user),
        payload: Payload::from_json(&payload(number, size)).ok()?,
        sent_at: now,
        expires_at,
        when_offline: if drops { WhenOffline::Drop } else { WhenOffline::Hold },
        kind: None,
        source: None,
    })
}

/// Sends a user's notifications, each again until the answer arrives.
async fn produce(world: Arc<World>, user: usize, first: u32) {
    for (number, send) in (first..).zip(&world.plan.users[user].sends) {
        sleep(Duration::from_millis(send.pause)).await;
        let Some(notification) = notification(&world, user, number, send) else { continue };
        let body = QueueEntry::Notification(notification).to_json();
        for attempt in 0.. {
            let id = if world.has(Mutant::ForgetsIds) { attempt } else { 0 };
            let message = Outgoing {
                group: user_id(user).to_string(),
                deduplication_id: format!("n{number}-{id}"),
                body: body.clone(),
            };
            let send = || {
                let home = world.home(&message.group);
                let queue = if world.plan.users[user].plain_door { 0 } else { home };
                let sequence = world.queues[queue].send(message);
                let accepted = if queue == home {
                    EventKind::Accepted { number, sequence }
                } else {
                    EventKind::Misplaced { number }
                };
                world.log(user, accepted);
            };
            if world.call(user, "sending", send).await.is_ok() {
                break;
            }
            sleep(world.random.millis(50, 500)).await;
        }
    }
}

/// Sends the messages to the hub, each when the one before is accepted.
async fn talk(world: Arc<World>) {
    let messages = world.plan.hub.iter().flat_map(|hub| &hub.messages);
    for (number, HubMessagePlan { sender, pause }) in (FIRST_OF_HUB..).zip(messages) {
        sleep(Duration::from_millis(*pause)).await;
        send_to_hub(Arc::clone(&world), *sender, number).await;
    }
}

async fn wait_until_quiet(world: &World) {
    let ends = Instant::now() + TIME_TO_QUIET;
    while Instant::now() < ends {
        sleep(Duration::from_secs(5)).await;
        let is_empty = {
            let now = world.time_at(Instant::now());
            let tables = world.tables();
            let mut rows = tables.mailboxes.values().flat_map(BTreeMap::values);
            tables.due.is_empty() && rows.all(|(row, _)| has_expired(row, now))
        };
        if is_empty && world.queued().is_empty() {
            break;
        }
    }
    // Frames that are on their way arrive.
    sleep(Duration::from_secs(3)).await;
}

fn has_expired(row: &MailboxRow, now: Timestamp) -> bool {
    row.notification.expires_at.is_some_and(|at| at <= now)
}

fn log_leftovers(world: &Arc<World>) {
    // The table deletes what has expired at some time.
    let now = world.time_at(Instant::now());
    let held: Vec<_> = {
        let tables = world.tables();
        let last = |rows: &BTreeMap<u64, (MailboxRow, Instant)>| {
            rows.iter().rev().find(|(_, (row, _))| !has_expired(row, now)).map(|(sequence, _)| *sequence)
        };
        tables.mailboxes.iter().filter_map(|(user, rows)| Some((*user, last(rows)?))).collect()
    };
    for (user, sequence) in held {
        world.log(user, EventKind::Held { sequence });
    }
    for (group, entries) in world.queued() {
        match user_of(&group) {
            Some(user) => world.log(user, EventKind::Queued { entries }),
            None => world.log_batch(EventKind::Queued { entries }),
        }
    }
    log_members(&Aws(Arc::clone(world)));
}
