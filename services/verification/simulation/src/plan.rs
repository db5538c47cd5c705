//! The plan of a simulation, drawn from its seed: users, their devices and notifications, faults and
//! settings.

use std::time::Duration;

use contract_connections_v1::FrameFormat;
use dispatcher::core::run;
use shared_retry::RetryPolicy;
use tidings_sockets::Confirm;
use tidings_store::{Durability, StorageSettings};

use verification_random::SeededRandom;

const MIB: u64 = 1024 * 1024;

/// The plan of a simulation. Times are virtual milliseconds since its start.
#[derive(Debug)]
pub struct Plan {
    /// The users who get notifications.
    pub users: Vec<UserPlan>,
    /// Time at which faults stop.
    pub faults_until: u64,
    /// Times before that at which the process ends, and how.
    pub process_ends: Vec<(u64, ProcessEnd)>,
    /// Times at which the server's clock jumps, and by how many milliseconds.
    pub clock_jumps: Vec<(u64, i64)>,
    /// Commits of a thousand for which the disk is slow.
    pub slow_commits: u64,
    /// Port calls of a thousand that fail for a faulty user.
    pub port_faults: u64,
    /// Calls of a thousand whose caller goes away before they are done, for a faulty user.
    pub vanishing_callers: u64,
    /// Size of a socket's buffers in bytes.
    pub socket_buffer_bytes: usize,
    /// The store's settings.
    pub storage: StorageSettings,
    /// The dispatcher's settings.
    pub dispatcher: dispatcher::Settings,
    /// The connections' limits.
    pub limits: tidings_sockets::Limits,
}

/// The end of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProcessEnd {
    /// At once, as by `kill -9`.
    Crash,
    /// In order, as by SIGTERM.
    Stop,
}

/// The plan of a user.
#[derive(Debug)]
pub struct UserPlan {
    /// True if ports fail for this user and devices come and go. Other users must not notice (promise e).
    pub is_faulty: bool,
    /// The user's devices. Each has one connection at a time.
    pub devices: Vec<DevicePlan>,
    /// The notifications of each producer, in order.
    pub producers: Vec<Vec<SendPlan>>,
    /// Periods in which every port call for this user fails.
    pub outages: Vec<(u64, u64)>,
}

/// The plan of a device.
#[derive(Debug, Clone, Copy)]
pub struct DevicePlan {
    /// True if its client acknowledges.
    pub acknowledges: bool,
    /// The format of its frames.
    pub format: FrameFormat,
}

/// The plan of a notification.
#[derive(Debug, Clone, Copy)]
pub struct SendPlan {
    /// The notification's number, counted over all users.
    pub number: u32,
    /// Pause before it, in milliseconds. Without one it is sent in a request with the notification before.
    pub pause: u64,
    /// Milliseconds from sending to expiry.
    pub lifetime: Option<u64>,
    /// True if it is dropped while the user is offline.
    pub drop: bool,
    /// Approximate size of its payload in bytes.
    pub size: usize,
}

impl Plan {
    /// Draws a plan.
    pub fn draw(random: &SeededRandom) -> Self {
        let faults_until = random.between(8_000, 45_000);
        let mut number = 0;
        // The first user is never faulty, the last always.
        let count = random.count(2, 6);
        let users = (0..count)
            .map(|user| {
                let is_faulty = user > 0 && (user + 1 == count || random.chance(600));
                UserPlan::draw(random, is_faulty, faults_until, &mut number)
            })
            .collect();
        let times = |most: u64| {
            let mut times: Vec<_> =
                (0..random.between(0, most)).map(|_| random.between(500, faults_until)).collect();
            times.sort_unstable();
            times
        };
        let ends = times(2).into_iter();
        let ends = ends.map(|at| (at, random.pick([ProcessEnd::Crash, ProcessEnd::Crash, ProcessEnd::Stop])));
        let process_ends = ends.collect();
        let jumps = if random.chance(200) { times(2) } else { Vec::new() };
        let jump = |at| {
            // Seconds, or an hour, as somebody corrects a clock.
            let most = random.pick([40_000, 3_600_000]);
            let by =
                i64::try_from(random.between(0, 2 * most)).unwrap_or(0) - i64::try_from(most).unwrap_or(0);
            (at, by)
        };
        Self {
            users,
            faults_until,
            process_ends,
            clock_jumps: jumps.into_iter().map(jump).collect(),
            slow_commits: random.pick([0, 0, 20, 100]),
            port_faults: random.pick([0, 5, 20, 60, 150]),
            vanishing_callers: random.pick([0, 0, 10, 50]),
            socket_buffer_bytes: random.pick([64, 400, 4_096, 65_536]),
            storage: storage(random),
            dispatcher: dispatcher_settings(random),
            limits: limits(random),
        }
    }

    /// Number of notifications.
    pub fn notifications(&self) -> usize {
        self.users.iter().flat_map(|user| &user.producers).map(Vec::len).sum()
    }
}

impl UserPlan {
    fn draw(random: &SeededRandom, is_faulty: bool, faults_until: u64, number: &mut u32) -> Self {
        let devices = if is_faulty { random.between(1, 3) } else { random.between(1, 2) };
        let devices = (0..devices).map(|_| DevicePlan::draw(random)).collect();
        let producers = (0..random.between(1, 2))
            .map(|_| {
                let count = random.between(2, 18);
                let gap = faults_until / count;
                let send = |_| {
                    *number += 1;
                    SendPlan {
                        number: *number - 1,
                        pause: if random.chance(300) { 0 } else { random.between(1, 2 * gap) },
                        lifetime: random.chance(120).then(|| random.between(300, 25_000)),
                        drop: random.chance(120),
                        size: if random.chance(60) { random.count(500, 9_000) } else { random.count(2, 60) },
                    }
                };
                (0..count).map(send).collect()
            })
            .collect();
        let outage = |_| {
            let from = random.between(0, faults_until);
            (from, from + random.between(200, 15_000))
        };
        let outages = if is_faulty { (0..random.between(0, 1)).map(outage).collect() } else { Vec::new() };
        Self { is_faulty, devices, producers, outages }
    }
}

impl DevicePlan {
    fn draw(random: &SeededRandom) -> Self {
        let format =
            random.pick([FrameFormat::Single, FrameFormat::Batch, FrameFormat::Batch, FrameFormat::Raw]);
        Self { acknowledges: format != FrameFormat::Raw && random.chance(550), format }
    }
}

/// Draws the store's settings: often limits that are small enough to be reached, else the defaults.
fn storage(random: &SeededRandom) -> StorageSettings {
    let is_small = random.chance(600);
    let size = |low, high, default| if is_small { random.count(low, high) } else { default };
    let default = StorageSettings::default();
    StorageSettings {
        durability: random.pick([Durability::Synced, Durability::Buffered]),
        cache_bytes: MIB,
        memtable_bytes: MIB,
        journal_bytes: 64 * MIB,
        reserve_bytes: 0,
        run_entries: size(1, 8, default.run_entries),
        run_bytes: size(400, 4_000, default.run_bytes),
        hot_entries: size(1, 6, default.hot_entries),
        hot_bytes: size(500, 10_000, default.hot_bytes),
        commit_entries: size(1, 4, default.commit_entries),
        max_receive_count: if random.chance(150) { 3 } else { default.max_receive_count },
        ..default
    }
}

fn dispatcher_settings(random: &SeededRandom) -> dispatcher::Settings {
    let is_small = random.chance(600);
    let size = |low, high, default| if is_small { random.count(low, high) } else { default };
    let default = run::Limits::default();
    let limits = run::Limits {
        inline_drain: size(1, 6, default.inline_drain),
        replay_drain: size(1, 10, default.replay_drain),
        page: size(1, 6, default.page),
        batch_bytes: size(150, 4_000, default.batch_bytes),
        // None is what the program uses: its sockets know for certain that a connection is gone.
        grace: random.pick([Duration::ZERO, Duration::ZERO, default.grace]),
        ..default
    };
    let retry = RetryPolicy { initial: Duration::from_millis(50), max: Duration::from_secs(2) };
    dispatcher::Settings { limits, retry, ..dispatcher::Settings::default() }
}

fn limits(random: &SeededRandom) -> tidings_sockets::Limits {
    let seconds = |low, high| Duration::from_secs(random.between(low, high));
    tidings_sockets::Limits {
        confirm: if random.chance(900) { Confirm::Pong } else { Confirm::Written },
        buffer_bytes: random.pick([200, 2_000, 1024 * 1024]),
        write_timeout: seconds(3, 15),
        keepalive: random.chance(800).then(|| seconds(5, 30)),
        max_age: random.chance(150).then(|| seconds(10, 60)),
        idle_timeout: random.chance(150).then(|| seconds(10, 60)),
        // Large enough for an ack.
        max_frame_bytes: random.pick([2_048, 32 * 1024, 128 * 1024]),
        ..tidings_sockets::Limits::default()
    }
}
