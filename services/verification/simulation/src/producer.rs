//! Producers: they send requests, and repeat one with the same ids until they learn that it was accepted.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract_notifications_v1::{Notification, NotificationId, Payload, Timestamp, WhenOffline};
use shared_ports::Clock as _;
use tidings_store::Submission;

use crate::mutant::Mutant;
use crate::plan::SendPlan;
use crate::process::Process;
use crate::simulation::{SimulatedClock, Simulation, lock, user_id};
use crate::trace::{EventKind, FaultKind};
use crate::vanishing::vanishing;

/// Attempts before a producer gives a request up.
const ATTEMPTS: u32 = 8;
/// Time for which a producer waits for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The progress of a producer, which outlives the server's process.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Index of the next notification.
    next: usize,
    /// Failed attempts to send it.
    attempt: u32,
    /// True once the pause before it is over.
    paused: bool,
}

/// Sends the notifications that are left to a producer.
pub(crate) async fn produce(
    sim: Arc<Simulation>,
    process: Process,
    user: usize,
    producer: usize,
    progress: Arc<Mutex<Progress>>,
) {
    let sends = &sim.plan.users[user].producers[producer];
    loop {
        let (next, attempt, paused) = {
            let progress = lock(&progress);
            (progress.next, progress.attempt, progress.paused)
        };
        let Some(first) = sends.get(next) else { return };
        if !paused {
            tokio::time::sleep(Duration::from_millis(first.pause)).await;
            lock(&progress).paused = true;
        }
        let together = sends[next + 1..].iter().take_while(|send| send.pause == 0).count();
        let request = &sends[next..=next + together];
        let accepted = send(&sim, &process, user, request, attempt).await;
        if accepted || attempt + 1 >= ATTEMPTS {
            *lock(&progress) = Progress { next: next + request.len(), attempt: 0, paused: false };
        } else {
            lock(&progress).attempt += 1;
            tokio::time::sleep(sim.random.millis(20, 800)).await;
        }
    }
}

/// Sends one request. Returns true if the producer learns that it is accepted.
async fn send(
    sim: &Arc<Simulation>,
    process: &Process,
    user: usize,
    request: &[SendPlan],
    attempt: u32,
) -> bool {
    let numbers: Vec<_> = request.iter().map(|send| send.number).collect();
    sim.log(Some(user), EventKind::Submitted { numbers: numbers.clone(), attempt });
    let notifications: Option<Vec<_>> = request
        .iter()
        .map(|send| {
            let made = notification(sim, user, send)?;
            Some((*sim.submitted_or_make(send.number, || made)).clone())
        })
        .collect();
    let Some(notifications) = notifications else { return false };
    let accepting = vanishing(sim, user, accept(sim, process, user, request, notifications));
    let accepted = tokio::time::timeout(ANSWER_TIMEOUT, accepting).await;
    let Some(sequences) = accepted.ok().flatten().flatten() else {
        sim.log(Some(user), EventKind::NotAccepted);
        return false;
    };
    for (number, sequence) in numbers.into_iter().zip(sequences) {
        sim.log(Some(user), EventKind::Accepted { number, sequence });
    }
    true
}

/// Takes a request to the store and its answer back. Either may be lost.
async fn accept(
    sim: &Arc<Simulation>,
    process: &Process,
    user: usize,
    request: &[SendPlan],
    notifications: Vec<Notification>,
) -> Option<Vec<u64>> {
    let is_faulty = sim.plan.users[user].is_faulty && !sim.faults_stopped();
    let fault = (is_faulty && sim.random.chance(sim.plan.port_faults))
        .then(|| sim.random.pick([FaultKind::Before, FaultKind::After]));
    if let Some(kind) = fault {
        // Not logged as a fault, because it explains no repeat.
        let lost = if kind == FaultKind::Before { "request lost" } else { "answer lost" };
        sim.log(Some(user), EventKind::Called(lost));
    }
    sim.pause().await;
    if fault == Some(FaultKind::Before) || !process.is_listening() {
        return None;
    }
    if sim.has_mutant(Mutant::AcceptNotStored) && sim.random.chance(50) {
        return Some(vec![u64::MAX >> 1; request.len()]);
    }
    let deduplicate = !sim.has_mutant(Mutant::RetryAcceptedTwice);
    let expiries: Vec<_> = notifications.iter().map(|n| n.expires_at.map(Timestamp::millis)).collect();
    let submissions =
        notifications.into_iter().map(|notification| Submission { notification, deduplicate }).collect();
    let accepted = process.store.accept(submissions).await.ok()?;
    let mut sequences = Vec::with_capacity(request.len());
    for ((send, accepted), expires_at) in request.iter().zip(accepted).zip(expiries) {
        let sequence = u64::try_from(accepted.sequence.number()).unwrap_or(u64::MAX);
        let (number, duplicate) = (send.number, accepted.duplicate);
        if !duplicate && !send.drop && send.lifetime.is_none() {
            sim.expect(number, sequence);
        }
        sim.log(Some(user), EventKind::Stored { number, sequence, duplicate, expires_at });
        sequences.push(sequence);
    }
    sim.pause().await;
    (fault.is_none()).then_some(sequences)
}

fn notification(sim: &Arc<Simulation>, user: usize, send: &SendPlan) -> Option<Notification> {
    let now = SimulatedClock(Arc::clone(sim)).now();
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
