//! What a seed's world is like: who is in it, what they will do, and what will go wrong.

use std::time::Duration;

use contract_connections_v1::FrameFormat;
use dispatcher::core::run;
use shared_retry::RetryPolicy;
use tidings_store::{Durability, StorageSettings};

use crate::dice::Dice;

const MIB: u64 = 1024 * 1024;

/// A world before anything has happened in it. Times are virtual milliseconds since its beginning.
#[derive(Debug)]
pub struct Plan {
    /// Who gets notifications.
    pub users: Vec<UserPlan>,
    /// When the trouble is over.
    pub storm: u64,
    /// When the process ends in the meantime, and how.
    pub ends: Vec<(u64, End)>,
    /// When the server's clock jumps, and by how many milliseconds.
    pub jumps: Vec<(u64, i64)>,
    /// In how many commits of a thousand the disk is slow.
    pub slow_disk: u64,
    /// How many port calls of a thousand fail for a user in trouble.
    pub faults: u64,
    /// Bytes that a socket's buffers take.
    pub pipe: usize,
    /// The store's settings.
    pub storage: StorageSettings,
    /// The dispatcher's settings.
    pub dispatcher: dispatcher::Settings,
    /// The connections' limits.
    pub limits: tidings_sockets::Limits,
}

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// At once, as by `kill -9`.
    Crash,
    /// As by SIGTERM.
    Stop,
}

/// A user.
#[derive(Debug)]
pub struct UserPlan {
    /// Whether ports fail for this user, and devices come and go. The others must not notice (promise e).
    pub troubled: bool,
    /// The devices; each is connected once at a time.
    pub devices: Vec<DevicePlan>,
    /// What is sent, one producer after the other.
    pub producers: Vec<Vec<SendPlan>>,
    /// When every port call for this user fails.
    pub outages: Vec<(u64, u64)>,
}

/// A device.
#[derive(Debug, Clone, Copy)]
pub struct DevicePlan {
    /// Whether its client acknowledges.
    pub acknowledges: bool,
    /// How it wants its notifications.
    pub format: FrameFormat,
}

/// A notification to be sent.
#[derive(Debug, Clone, Copy)]
pub struct SendPlan {
    /// Which, counted over all users.
    pub number: u32,
    /// Pause before it; none sends it in one request with the one before.
    pub after: u64,
    /// When it expires, from when it is sent.
    pub lifetime: Option<u64>,
    /// Whether it is let go when nobody is there.
    pub drop: bool,
    /// Bytes of its payload, about.
    pub size: usize,
}

impl Plan {
    /// Draws a world.
    pub fn draw(dice: &Dice) -> Self {
        let storm = dice.between(8_000, 45_000);
        let mut number = 0;
        // The first user never is in trouble, the last always.
        let count = dice.count(2, 6);
        let users = (0..count)
            .map(|user| {
                let troubled = user > 0 && (user + 1 == count || dice.hits(600));
                UserPlan::draw(dice, troubled, storm, &mut number)
            })
            .collect();
        let times = |most: u64| {
            let mut times: Vec<_> = (0..dice.between(0, most)).map(|_| dice.between(500, storm)).collect();
            times.sort_unstable();
            times
        };
        let ends = times(2).into_iter().map(|at| (at, dice.pick([End::Crash, End::Crash, End::Stop])));
        let ends = ends.collect();
        let jumps = if dice.hits(200) { times(2) } else { Vec::new() };
        let jump = |at| {
            let by = i64::try_from(dice.between(0, 80_000)).unwrap_or(0) - 40_000;
            (at, by)
        };
        Self {
            users,
            storm,
            ends,
            jumps: jumps.into_iter().map(jump).collect(),
            slow_disk: dice.pick([0, 0, 20, 100]),
            faults: dice.pick([0, 5, 20, 60, 150]),
            pipe: dice.pick([64, 400, 4_096, 65_536]),
            storage: storage(dice),
            dispatcher: dispatcher_settings(dice),
            limits: limits(dice),
        }
    }

    /// How many notifications are sent.
    pub fn notifications(&self) -> usize {
        self.users.iter().flat_map(|user| &user.producers).map(Vec::len).sum()
    }
}

impl UserPlan {
    fn draw(dice: &Dice, troubled: bool, storm: u64, number: &mut u32) -> Self {
        let devices = if troubled { dice.between(1, 3) } else { dice.between(1, 2) };
        let devices = (0..devices).map(|_| DevicePlan::draw(dice)).collect();
        let producers = (0..dice.between(1, 2))
            .map(|_| {
                let count = dice.between(2, 18);
                let gap = storm / count;
                let send = |_| {
                    *number += 1;
                    SendPlan {
                        number: *number - 1,
                        after: if dice.hits(300) { 0 } else { dice.between(1, 2 * gap) },
                        lifetime: dice.hits(120).then(|| dice.between(300, 25_000)),
                        drop: dice.hits(120),
                        size: if dice.hits(60) { dice.count(500, 9_000) } else { dice.count(2, 60) },
                    }
                };
                (0..count).map(send).collect()
            })
            .collect();
        let outage = |_| {
            let from = dice.between(0, storm);
            (from, from + dice.between(200, 15_000))
        };
        let outages = if troubled { (0..dice.between(0, 1)).map(outage).collect() } else { Vec::new() };
        Self { troubled, devices, producers, outages }
    }
}

impl DevicePlan {
    fn draw(dice: &Dice) -> Self {
        let format =
            dice.pick([FrameFormat::Single, FrameFormat::Batch, FrameFormat::Batch, FrameFormat::Raw]);
        Self { acknowledges: format != FrameFormat::Raw && dice.hits(550), format }
    }
}

/// Small limits where large ones would never be reached, and often the defaults.
fn storage(dice: &Dice) -> StorageSettings {
    let small = dice.hits(600);
    let size = |low, high, default| if small { dice.count(low, high) } else { default };
    let default = StorageSettings::default();
    StorageSettings {
        durability: dice.pick([Durability::Synced, Durability::Buffered]),
        cache_bytes: MIB,
        memtable_bytes: MIB,
        journal_bytes: 64 * MIB,
        reserve_bytes: 0,
        run_entries: size(1, 8, default.run_entries),
        run_bytes: size(400, 4_000, default.run_bytes),
        hot_entries: size(1, 6, default.hot_entries),
        hot_bytes: size(500, 10_000, default.hot_bytes),
        commit_entries: size(1, 4, default.commit_entries),
        max_receive_count: if dice.hits(150) { 3 } else { default.max_receive_count },
        ..default
    }
}

fn dispatcher_settings(dice: &Dice) -> dispatcher::Settings {
    let small = dice.hits(600);
    let size = |low, high, default| if small { dice.count(low, high) } else { default };
    let default = run::Limits::default();
    let limits = run::Limits {
        inline_drain: size(1, 6, default.inline_drain),
        replay_drain: size(1, 10, default.replay_drain),
        page: size(1, 6, default.page),
        batch_bytes: size(150, 4_000, default.batch_bytes),
        ..default
    };
    let retry = RetryPolicy { initial: Duration::from_millis(50), max: Duration::from_secs(2) };
    dispatcher::Settings { limits, retry }
}

fn limits(dice: &Dice) -> tidings_sockets::Limits {
    let seconds = |low, high| Duration::from_secs(dice.between(low, high));
    tidings_sockets::Limits {
        buffer_bytes: dice.pick([200, 2_000, 1024 * 1024]),
        write_timeout: seconds(3, 15),
        keepalive: dice.hits(800).then(|| seconds(5, 30)),
        max_age: dice.hits(150).then(|| seconds(10, 60)),
        idle_timeout: dice.hits(150).then(|| seconds(10, 60)),
        // An ack has to fit into a frame.
        max_frame_bytes: dice.pick([2_048, 32 * 1024, 128 * 1024]),
        ..tidings_sockets::Limits::default()
    }
}
