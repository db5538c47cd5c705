//! Stories: what went wrong on AWS, without its correction and with it.

use std::time::Duration;

use contract_connections_v1::FrameFormat;
use verification_aws_simulation::fifo::FifoLimits;
use verification_aws_simulation::log::EventKind;
use verification_aws_simulation::mutant::Mutant;
use verification_aws_simulation::plan::{
    DevicePlan, HubPlan, Plan, SMALL_LIMITS, SendPlan, Trouble, UserPlan,
};
use verification_aws_simulation::{Finished, Promise, check, run_plan};
use verification_random::SeededRandom;

fn device(acknowledges: bool, connects_at: u64) -> DevicePlan {
    let format = if acknowledges { FrameFormat::Batch } else { FrameFormat::Raw };
    DevicePlan { acknowledges, format, connects_at }
}

fn sends(count: usize, pause: u64) -> Vec<SendPlan> {
    vec![SendPlan { pause, size: 20, ..SendPlan::default() }; count]
}

/// Runs a plan from several seeds with a mutant, and returns the promises that are broken.
fn broken(plan: &Plan, mutant: Option<Mutant>) -> Vec<Promise> {
    let run = |seed| run_plan(plan.clone(), SeededRandom::new(seed), mutant).unwrap();
    let mut found: Vec<_> = (0..10).filter_map(|seed| check(&run(seed))).map(|found| found.promise).collect();
    found.sort();
    found.dedup();
    found
}

/// Asserts that a story goes well, and ends with this broken promise in the deployment of before.
#[track_caller]
fn tell(plan: &Plan, without: Mutant, breaks: Promise) {
    assert_eq!(broken(plan, None), [], "with the correction");
    let found = broken(plan, Some(without));
    assert!(found.contains(&breaks), "without the correction: {found:?}");
}

fn entries_of(finished: &Finished, user: usize) -> usize {
    let own = finished.log.iter().filter(|event| event.user == Some(user));
    own.map(|event| if let EventKind::Replayed { entries, .. } = event.kind { entries } else { 0 }).sum()
}

/// A user with a large mailbox connects. Before, the replayer queued an entry for each row, from the start at each
/// attempt.
#[test]
fn replay_of_a_large_mailbox_is_bounded() {
    let user = UserPlan { devices: vec![device(true, 100)], held: 2_000, ..UserPlan::default() };
    let plan = Plan { users: vec![user], limits: SMALL_LIMITS, replay_page: 5, ..Plan::default() };
    tell(&plan, Mutant::ReplaysEveryRow, Promise::BoundedReplay);
    tell(&plan, Mutant::ForgetsTheRest, Promise::EverythingEmpties);
    let finished = run_plan(plan, SeededRandom::new(1), None).unwrap();
    assert_eq!(entries_of(&finished, 0), 10);
}

/// A phone is connected and reads nothing. Before, its entries stayed in the queue, and hid those of others behind
/// the messages that the queue looks at.
#[test]
fn failing_user_hides_nobody_behind_the_window() {
    let stuck = UserPlan {
        trouble: Trouble { stops_reading: Some(Duration::from_mins(3)), ..Trouble::default() },
        devices: vec![device(false, 0)],
        sends: vec![SendPlan { pause: 1_000, size: 30_000, ..SendPlan::default() }; 100],
        keeps_devices: true,
        ..UserPlan::default()
    };
    let other = UserPlan { devices: vec![device(true, 0)], sends: sends(100, 1_000), ..UserPlan::default() };
    let plan = Plan {
        users: vec![other, stuck],
        queue: FifoLimits { window: 30, ..FifoLimits::default() },
        faults_until: 120_000,
        ..Plan::default()
    };
    let slowest = |mutant| {
        let finished = run_plan(plan.clone(), SeededRandom::new(1), mutant).unwrap();
        assert_eq!(check(&finished), None);
        longest_delivery(&finished, 0)
    };
    let (before, now) = (slowest(Some(Mutant::NeverSetsAside)), slowest(None));
    assert!(before > 20_000 && now < 15_000, "{before} ms before, {now} ms now");
    tell(&plan, Mutant::NeverSweeps, Promise::EverythingEmpties);
}

/// Returns the longest time from the acceptance of one of the user's notifications to its first push.
fn longest_delivery(finished: &Finished, user: usize) -> u64 {
    let own = || finished.log.iter().filter(|event| event.user == Some(user));
    let pushed = |number: u32| {
        let has =
            |kind: &EventKind| matches!(kind, EventKind::Pushed { numbers, .. } if numbers.contains(&number));
        own().find(|event| has(&event.kind)).map_or(u64::MAX, |event| event.at)
    };
    let accepted = own().filter_map(|event| match event.kind {
        EventKind::Accepted { number, .. } => Some(pushed(number).saturating_sub(event.at)),
        _ => None,
    });
    accepted.max().unwrap_or(0)
}

/// Users share a batch with a phone that does not read. Before, they waited until the invocation ended.
#[test]
fn batch_does_not_wait_for_its_slowest_run() {
    let slow = UserPlan {
        trouble: Trouble { stops_reading: Some(Duration::from_mins(3)), ..Trouble::default() },
        devices: vec![device(false, 0)],
        sends: vec![SendPlan { pause: 100, size: 30_000, ..SendPlan::default() }; 30],
        ..UserPlan::default()
    };
    let other = UserPlan { devices: vec![device(true, 0)], sends: sends(60, 100), ..UserPlan::default() };
    let plan = Plan { users: vec![other.clone(), other, slow], pollers: 1, ..Plan::default() };
    tell(&plan, Mutant::WaitsForSlowest, Promise::NobodyDelayed);
}

/// Writing a connection's row takes longer than the grace. Before, the time of the handshake was taken ahead of it,
/// so that a push forgot a connection that then opened.
#[test]
fn handshake_does_not_outlast_its_grace() {
    let slow = UserPlan {
        trouble: Trouble { slow_handshake: Some(Duration::from_secs(7)), ..Trouble::default() },
        devices: vec![device(true, 0)],
        sends: sends(400, 70),
        held: 5,
        keeps_devices: true,
        ..UserPlan::default()
    };
    let plan = Plan { users: vec![slow], ..Plan::default() };
    tell(&plan, Mutant::HandshakeWithoutLimit, Promise::EverythingEmpties);
}

/// The account's concurrency is used up until shortly before the visibility timeout of a batch ends. Before, two
/// invocations had a run of the same user at the same time.
#[test]
fn throttled_batch_overlaps_no_other() {
    let users = (0..4)
        .map(|_| UserPlan {
            trouble: Trouble { slow: 700, ..Trouble::default() },
            devices: vec![device(false, 0)],
            sends: sends(80, 40),
            ..UserPlan::default()
        })
        .collect();
    let plan =
        Plan { users, throttled: Some((700, 176_000)), faults_until: 260_000, pollers: 4, ..Plan::default() };
    tell(&plan, Mutant::IgnoresVisibility, Promise::OneRunAtATime);
}

/// A call to postpone failed entries does not return. Before, the whole invocation timed out, and everybody's
/// entries were dispatched again after the visibility timeout.
#[test]
fn hanging_postponement_fails_no_other_entry() {
    let hanging = UserPlan {
        trouble: Trouble {
            hanging_postponement: true,
            stops_reading: Some(Duration::from_mins(3)),
            ..Trouble::default()
        },
        devices: vec![device(false, 0)],
        sends: vec![SendPlan { pause: 100, size: 30_000, ..SendPlan::default() }; 30],
        ..UserPlan::default()
    };
    let other = UserPlan { devices: vec![device(true, 0)], sends: sends(60, 100), ..UserPlan::default() };
    let plan = Plan { users: vec![other.clone(), other, hanging], pollers: 1, ..Plan::default() };
    tell(&plan, Mutant::UnboundedPostponement, Promise::InvocationsEnd);
}

/// The users of two queues: u0 to u3 belong to the first, u4 to u7 to the second.
const OF_SECOND_QUEUE: usize = 4;

/// A producer sends to one user in a loop. With one queue, everybody waits behind the messages that the queue looks
/// at. With two, only the users of the same queue do.
#[test]
fn loop_to_one_user_is_bounded_to_its_queue() {
    let mut users = vec![UserPlan::default(); OF_SECOND_QUEUE + 1];
    users[0] = UserPlan { devices: vec![device(false, 0)], sends: sends(1_000, 0), ..UserPlan::default() };
    for other in [1, OF_SECOND_QUEUE] {
        users[other] =
            UserPlan { devices: vec![device(true, 0)], sends: sends(20, 200), ..UserPlan::default() };
    }
    let queue = FifoLimits { window: 30, ..FifoLimits::default() };
    let slowest = |queues: usize, user: usize| {
        let plan = Plan { users: users.clone(), queues, queue, ..Plan::default() };
        let finished = run_plan(plan, SeededRandom::new(1), None).unwrap();
        assert_eq!(check(&finished), None);
        longest_delivery(&finished, user)
    };
    let (hidden, same, other) = (slowest(1, OF_SECOND_QUEUE), slowest(2, 1), slowest(2, OF_SECOND_QUEUE));
    assert!(hidden > 1_500 && same > 1_500, "{hidden} ms with one queue, {same} ms in the same queue");
    assert!(other < 500, "{other} ms in the other queue");
}

/// A producer that does not hash sends to the first queue. What belongs to another one is forwarded, in order.
#[test]
fn stranger_is_forwarded_to_its_queue() {
    let mut users = vec![UserPlan::default(); OF_SECOND_QUEUE + 1];
    users[OF_SECOND_QUEUE] = UserPlan {
        trouble: Trouble { comes_and_goes: true, ..Trouble::default() },
        devices: vec![device(true, 100), device(false, 2_000)],
        sends: sends(100, 100),
        held: 20,
        plain_door: true,
        ..UserPlan::default()
    };
    let plan = Plan { users, queues: 2, limits: SMALL_LIMITS, replay_page: 3, ..Plan::default() };
    assert_eq!(broken(&plan, None), []);
    assert_ne!(broken(&plan, Some(Mutant::NeverForwards)), []);
    assert_ne!(broken(&plan, Some(Mutant::SendsToAnotherQueue)), []);
    let finished = run_plan(plan, SeededRandom::new(1), None).unwrap();
    let count = |is: fn(&EventKind) -> bool| finished.log.iter().filter(|event| is(&event.kind)).count();
    assert_eq!(count(|kind| matches!(kind, EventKind::Misplaced { .. })), 100);
    assert_eq!(count(|kind| matches!(kind, EventKind::Forwarded { .. })), 100);
}

/// Everybody comes at once. Before, all rows of the hub were in one partition, which throttled most handshakes.
#[test]
fn crowd_joins_its_hub_at_once() {
    let user = UserPlan { devices: vec![device(false, 0)], ..UserPlan::default() };
    let hub = HubPlan { messages: Vec::new(), fan_out_members: 1_000, presence: false, partition_writes: 10 };
    let plan = Plan { users: vec![user; 40], hub: Some(hub), ..Plan::default() };
    let last_opened = |mutant| {
        let finished = run_plan(plan.clone(), SeededRandom::new(1), mutant).unwrap();
        assert_eq!(check(&finished), None);
        let opened = finished.log.iter().filter(|event| matches!(event.kind, EventKind::Opened { .. }));
        let times: Vec<_> = opened.map(|event| event.at).collect();
        assert!(times.len() >= 40, "{}", times.len());
        *times.iter().take(40).max().unwrap()
    };
    let (before, now) = (last_opened(Some(Mutant::OnePartition)), last_opened(None));
    assert!(before > 2_500 && now < 1_500, "{before} ms before, {now} ms now");
}
