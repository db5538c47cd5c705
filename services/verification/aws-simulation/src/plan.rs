//! The plan of a simulation, drawn from its seed or made by hand for a story.

use std::time::Duration;

use contract_connections_v1::FrameFormat;
use dispatcher::core::run::Limits;
use verification_random::SeededRandom;

use crate::fifo::FifoLimits;

/// The plan of a simulation.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The users.
    pub users: Vec<UserPlan>,
    /// Virtual milliseconds after which nothing goes wrong any more.
    pub faults_until: u64,
    /// The limits of each notifications queue.
    pub queue: FifoLimits,
    /// Number of notifications queues.
    pub queues: usize,
    /// Maximum number of batches that the event source of a queue has in progress.
    pub pollers: usize,
    /// Number of invocations that the account runs at a time.
    pub concurrency: usize,
    /// Time within the faults in which all of the account's concurrency is taken by something else.
    pub throttled: Option<(u64, u64)>,
    /// Cold starts of a thousand invocations.
    pub cold_starts: u64,
    /// Crashes of a thousand invocations.
    pub crashes: u64,
    /// Port calls of a thousand that are throttled for all users.
    pub throttles: u64,
    /// Number of shards of the stream of connections.
    pub shards: usize,
    /// Requests to the gateway in a second, by all users together.
    pub quota: u32,
    /// Bytes that the gateway buffers for a client that does not read. AWS documents no number.
    pub client_buffer: usize,
    /// Time after which the gateway closes a connection.
    pub connection_lifetime: Duration,
    /// Time without traffic after which the gateway closes a connection.
    pub idle_timeout: Duration,
    /// The dispatcher's limits.
    pub limits: Limits,
    /// Number of keys that the replayer reads at once.
    pub replay_page: usize,
    /// The hub, if there is one.
    pub hub: Option<HubPlan>,
}

/// The plan of the hub of all users who don't stay out.
#[derive(Debug, Clone)]
pub struct HubPlan {
    /// Messages to the hub, in order.
    pub messages: Vec<HubMessagePlan>,
    /// Members whom one entry of the queue reaches.
    pub fan_out_members: usize,
    /// True if members see who comes and goes.
    pub presence: bool,
    /// Writes in a second that a partition of the table takes.
    pub partition_writes: u32,
}

/// The plan of a message to the hub.
#[derive(Debug, Clone, Copy)]
pub struct HubMessagePlan {
    /// The user who sends it.
    pub sender: usize,
    /// Milliseconds after the one before.
    pub pause: u64,
}

/// The plan of a user.
#[derive(Debug, Clone, Default)]
pub struct UserPlan {
    /// Trouble of the user; none for users who must not notice the others.
    pub trouble: Trouble,
    /// The user's devices.
    pub devices: Vec<DevicePlan>,
    /// Notifications, in order.
    pub sends: Vec<SendPlan>,
    /// Number of notifications held from the start.
    pub held: u32,
    /// True if the producer sends to the first queue, whatever the user's queue is.
    pub plain_door: bool,
    /// Time after which every third of them expires.
    pub held_expire_after: Option<Duration>,
    /// True if the user is not in the hub.
    pub stays_out: bool,
    /// True if the devices stay after the faults. Otherwise another one comes, to which everything is replayed.
    pub keeps_devices: bool,
}

/// The trouble of a user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Port calls of a thousand that fail, with or without effect.
    pub failing: u64,
    /// Port calls of a thousand that take up to three seconds.
    pub slow: u64,
    /// Time for which each connection's client reads nothing, so that its buffer at the gateway is full.
    pub stops_reading: Option<Duration>,
    /// Time that writing a connection's row takes.
    pub slow_handshake: Option<Duration>,
    /// True if devices come and go.
    pub comes_and_goes: bool,
    /// True if calls to postpone the user's entries never return.
    pub hanging_postponement: bool,
}

impl Trouble {
    /// Returns true if something is wrong.
    pub fn is_some(&self) -> bool {
        *self != Self::default()
    }
}

/// The plan of a device.
#[derive(Debug, Clone, Copy)]
pub struct DevicePlan {
    /// True if its client acknowledges.
    pub acknowledges: bool,
    /// The format of its frames.
    pub format: FrameFormat,
    /// Milliseconds before its first handshake.
    pub connects_at: u64,
}

/// The plan of a notification.
#[derive(Debug, Clone, Copy, Default)]
pub struct SendPlan {
    /// Milliseconds after the one before.
    pub pause: u64,
    /// Approximate size in bytes.
    pub size: usize,
    /// Time after which it expires.
    pub expires_after: Option<Duration>,
    /// True if it is dropped for a user without a connection.
    pub drops: bool,
}

/// Limits small enough to be reached.
pub const SMALL_LIMITS: Limits = Limits {
    inline_drain: 3,
    replay_drain: 6,
    page: 4,
    grace: Duration::from_secs(5),
    batch_bytes: 1_000,
    drop_hold: Duration::from_secs(30),
};

impl Default for Plan {
    /// A deployment without users in which nothing goes wrong.
    fn default() -> Self {
        Self {
            users: Vec::new(),
            faults_until: 30_000,
            queue: FifoLimits::default(),
            queues: 1,
            pollers: 5,
            concurrency: 100,
            throttled: None,
            cold_starts: 0,
            crashes: 0,
            throttles: 0,
            shards: 2,
            quota: 10_000,
            client_buffer: 64 * 1024,
            connection_lifetime: Duration::from_hours(2),
            idle_timeout: Duration::from_mins(10),
            limits: Limits::default(),
            replay_page: 1_000,
            hub: None,
        }
    }
}

impl HubPlan {
    fn draw(random: &SeededRandom, users: &[UserPlan], faults_until: u64) -> Self {
        let count = random.between(1, 6);
        // The first user is in the hub.
        let members: Vec<_> = (0..users.len()).filter(|user| !users[*user].stays_out).collect();
        let message = |_| HubMessagePlan {
            sender: members[random.count(0, members.len() as u64 - 1)],
            pause: if random.chance(300) { 0 } else { random.between(1, 2 * faults_until / count) },
        };
        Self {
            messages: (0..count).map(message).collect(),
            fan_out_members: random.pick([1, 2, 1_000]),
            presence: random.chance(500),
            partition_writes: 1_000,
        }
    }
}

impl Plan {
    /// Draws a plan.
    pub fn draw(random: &SeededRandom) -> Self {
        let faults_until = random.between(10_000, 60_000);
        let count = random.count(2, 6);
        // The first user is never in trouble, the last always.
        let users = (0..count)
            .map(|user| {
                let in_trouble = user > 0 && (user + 1 == count || random.chance(500));
                UserPlan::draw(random, in_trouble, faults_until)
            })
            .collect();
        let is_small = random.chance(600);
        let plan = Self {
            users,
            faults_until,
            queues: random.pick([1, 1, 2, 3]),
            pollers: random.count(1, 6),
            cold_starts: random.pick([0, 20, 100]),
            shards: random.count(1, 3),
            client_buffer: random.pick([300, 4_000, 64 * 1024]),
            connection_lifetime: random.pick([Duration::from_hours(2), Duration::from_secs(45)]),
            idle_timeout: random.pick([Duration::from_mins(10), Duration::from_secs(30)]),
            limits: if is_small { SMALL_LIMITS } else { Limits::default() },
            replay_page: if is_small { random.count(1, 6) } else { 1_000 },
            ..Self::default()
        };
        let plan = if random.chance(300) { plan.with_hub(random) } else { plan };
        if random.chance(500) { plan } else { plan.disturbed(random) }
    }

    /// Adds a hub, and some users who stay out.
    fn with_hub(mut self, random: &SeededRandom) -> Self {
        self.users.iter_mut().skip(1).for_each(|user| user.stays_out = random.chance(200));
        self.hub = Some(HubPlan::draw(random, &self.users, self.faults_until));
        self
    }

    /// Adds what goes wrong for everybody.
    fn disturbed(self, random: &SeededRandom) -> Self {
        let throttled = random.chance(200).then(|| {
            let from = random.between(1_000, self.faults_until);
            (from, from + random.between(1_000, 240_000))
        });
        Self {
            queue: FifoLimits {
                window: if random.chance(150) { random.count(40, 200) } else { 120_000 },
                in_flight: if random.chance(100) { random.count(20, 60) } else { 120_000 },
                ..FifoLimits::default()
            },
            concurrency: if random.chance(300) { random.count(3, 10) } else { 1_000 },
            throttled,
            crashes: random.pick([0, 0, 0, 30]),
            throttles: random.pick([0, 0, 5, 30]),
            quota: random.pick([10_000, 2_500, 100]),
            ..self
        }
    }

    /// Returns true if nothing goes wrong for a user.
    pub fn is_quiet_for(&self, user: usize) -> bool {
        !self.disturbs_everybody() && !self.users[user].trouble.is_some()
    }

    /// Returns true if something goes wrong for all users alike, so that nobody's delay is another user's doing.
    pub fn disturbs_everybody(&self) -> bool {
        self.crashes > 0
            || self.throttles > 0
            || self.throttled.is_some()
            || self.concurrency < 100
            || self.quota < 1_000
            || self.queue.window < 1_000
            || self.queue.in_flight < 1_000
    }
}

impl UserPlan {
    fn draw(random: &SeededRandom, in_trouble: bool, faults_until: u64) -> Self {
        let trouble = if in_trouble { Trouble::draw(random) } else { Trouble::default() };
        let devices = if trouble.comes_and_goes { random.between(1, 3) } else { random.between(1, 2) };
        let device = |_| DevicePlan::draw(random, in_trouble);
        let count = random.between(2, 25);
        let gap = faults_until / count;
        let send = |_| SendPlan {
            pause: if random.chance(400) { 0 } else { random.between(1, 2 * gap) },
            size: if random.chance(50) { random.count(500, 40_000) } else { random.count(2, 80) },
            expires_after: random.chance(250).then(|| expiry(random)),
            drops: random.chance(150),
        };
        Self {
            trouble,
            devices: (0..devices).map(device).collect(),
            sends: (0..count).map(send).collect(),
            held: if random.chance(300) { u32::try_from(random.between(1, 80)).unwrap_or(1) } else { 0 },
            plain_door: random.chance(300),
            held_expire_after: random.chance(500).then(|| expiry(random)),
            stays_out: false,
            keeps_devices: random.chance(500),
        }
    }
}

/// Draws the time after which a notification expires: soon, after most faults, or after the simulation.
fn expiry(random: &SeededRandom) -> Duration {
    let millis = random.pick([1_000, 20_000, 100_000, 36_000_000]);
    random.millis(millis / 2, millis)
}

impl Trouble {
    fn draw(random: &SeededRandom) -> Self {
        let mut trouble = Self::default();
        while !trouble.is_some() {
            trouble = Self {
                failing: random.pick([0, 0, 20, 100]),
                slow: random.pick([0, 0, 50]),
                stops_reading: random.chance(300).then(|| random.millis(1_000, 120_000)),
                slow_handshake: random.chance(200).then(|| random.millis(500, 8_000)),
                comes_and_goes: random.chance(600),
                hanging_postponement: random.chance(100),
            };
        }
        trouble
    }
}

impl DevicePlan {
    fn draw(random: &SeededRandom, in_trouble: bool) -> Self {
        let format =
            random.pick([FrameFormat::Single, FrameFormat::Batch, FrameFormat::Batch, FrameFormat::Raw]);
        Self {
            acknowledges: format != FrameFormat::Raw && random.chance(600),
            format,
            connects_at: if in_trouble { random.between(0, 20_000) } else { random.between(0, 500) },
        }
    }
}
