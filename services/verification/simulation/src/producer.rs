//! The producers: they send, and send again with the same id until they learn that it was accepted.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract_notifications_v1::{Notification, NotificationId, Payload, Timestamp, WhenOffline};
use shared_ports::Clock as _;
use tidings_store::Submission;

use crate::mutant::Mutant;
use crate::plan::SendPlan;
use crate::process::Process;
use crate::trace::{FaultKind, What};
use crate::world::{World, WorldClock, lock, user_id};

/// Attempts before a producer gives up.
const ATTEMPTS: u32 = 8;
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far a producer has come; it outlives the server's process.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The next of its notifications.
    next: usize,
    /// Failed attempts to send it.
    attempt: u32,
    /// Whether the pause before it is over.
    paused: bool,
}

/// Sends what is left to be sent.
pub(crate) async fn produce(
    world: Arc<World>,
    process: Process,
    user: usize,
    producer: usize,
    progress: Arc<Mutex<Progress>>,
) {
    let sends = &world.plan.users[user].producers[producer];
    loop {
        let (next, attempt, paused) = {
            let progress = lock(&progress);
            (progress.next, progress.attempt, progress.paused)
        };
        let Some(first) = sends.get(next) else { return };
        if !paused {
            tokio::time::sleep(Duration::from_millis(first.after)).await;
            lock(&progress).paused = true;
        }
        let together = sends[next + 1..].iter().take_while(|send| send.after == 0).count();
        let request = &sends[next..=next + together];
        let accepted = send(&world, &process, user, request, attempt).await;
        if accepted || attempt + 1 >= ATTEMPTS {
            *lock(&progress) = Progress { next: next + request.len(), attempt: 0, paused: false };
        } else {
            lock(&progress).attempt += 1;
            tokio::time::sleep(world.dice.millis(20, 800)).await;
        }
    }
}

/// Sends one request; true when the producer learns that it is accepted.
async fn send(
    world: &Arc<World>,
    process: &Process,
    user: usize,
    request: &[SendPlan],
    attempt: u32,
) -> bool {
    let numbers: Vec<_> = request.iter().map(|send| send.number).collect();
    world.log(Some(user), What::Sent { numbers: numbers.clone(), attempt });
    let notifications: Option<Vec<_>> = request
        .iter()
        .map(|send| {
            let made = notification(world, user, send)?;
            Some((*world.remember(send.number, || made)).clone())
        })
        .collect();
    let Some(notifications) = notifications else { return false };
    let accepted = tokio::time::timeout(PATIENCE, accept(world, process, user, request, notifications)).await;
    let Some(sequences) = accepted.ok().flatten() else {
        world.log(Some(user), What::NotAccepted);
        return false;
    };
    for (number, sequence) in numbers.into_iter().zip(sequences) {
        world.log(Some(user), What::Accepted { number, sequence });
    }
    true
}

/// The way to the store and back, on which a request or its answer may get lost.
async fn accept(
    world: &Arc<World>,
    process: &Process,
    user: usize,
    request: &[SendPlan],
    notifications: Vec<Notification>,
) -> Option<Vec<u64>> {
    let troubled = world.plan.users[user].troubled && !world.is_calm();
    let fault = (troubled && world.dice.hits(world.plan.faults))
        .then(|| world.dice.pick([FaultKind::Before, FaultKind::After]));
    if let Some(kind) = fault {
        // Not logged as a fault: it excuses nothing.
        world.log(
            Some(user),
            What::Called(if kind == FaultKind::Before { "request lost" } else { "answer lost" }),
        );
    }
    world.pause().await;
    if fault == Some(FaultKind::Before) || !process.listens() {
        return None;
    }
    if world.has(Mutant::AcceptNotStored) && world.dice.hits(50) {
        return Some(vec![u64::MAX >> 1; request.len()]);
    }
    let deduplicate = !world.has(Mutant::RetryAcceptedTwice);
    let expiries: Vec<_> = notifications.iter().map(|n| n.expires_at.map(Timestamp::millis)).collect();
    let submissions =
        notifications.into_iter().map(|notification| Submission { notification, deduplicate }).collect();
    let accepted = process.store.accept(submissions).await.ok()?;
    let mut sequences = Vec::with_capacity(request.len());
    for ((send, accepted), expires_at) in request.iter().zip(accepted).zip(expiries) {
        let sequence = u64::try_from(accepted.sequence.number()).unwrap_or(u64::MAX);
        let (number, duplicate) = (send.number, accepted.duplicate);
        if !duplicate && !send.drop && send.lifetime.is_none() {
            world.expect(number, sequence);
        }
        world.log(Some(user), What::Stored { number, sequence, duplicate, expires_at });
        sequences.push(sequence);
    }
    world.pause().await;
    (fault.is_none()).then_some(sequences)
}

fn notification(world: &Arc<World>, user: usize, send: &SendPlan) -> Option<Notification> {
    let now = WorldClock(Arc::clone(world)).now();
    let payload = format!(r#"{{"n":{},"text":"{}"}}"#, send.number, "x".repeat(send.size));
    Some(Notification {
        id: NotificationId::new(format!("n{}", send.number)).ok()?,
        user_id: user_id(user)?,
        payload: Payload::from_json(&payload).ok()?,
        sent_at: now,
        expires_at: send.lifetime.map(|lifetime| now.plus(Duration::from_millis(lifetime))),
        when_offline: if send.drop { WhenOffline::Drop } else { WhenOffline::Hold },
        kind: None,
        source: None,
    })
}
