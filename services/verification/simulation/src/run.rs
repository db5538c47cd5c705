//! A world from its beginning to its end.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract_connections_v1::FrameFormat;
use replayer::ports::MailboxKeys as _;
use tempfile::TempDir;
use tidings_store::LastKey;
use tidings_store::fault_injection::damage_row;
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

use crate::SimulationError;
use crate::device::{Temper, live};
use crate::dice::Dice;
use crate::disk;
use crate::mutant::Mutant;
use crate::plan::{DevicePlan, End, Plan};
use crate::process::{Process, Running, start};
use crate::producer::{Progress, produce};
use crate::trace::{Trace, What};
use crate::world::{World, user_id};

/// How long the calm world may take to come to rest, in seconds: longer than the longest visibility, and a
/// clock that jumped.
const REST: u64 = 450;
/// Dead letters looked at in the end.
const DEAD_LETTERS: usize = 10_000;

/// A world that has come to its end.
#[derive(Debug)]
pub struct Finished {
    /// What it was to be like.
    pub plan: Plan,
    /// What happened.
    pub trace: Trace,
}

/// Runs the world of a seed, perhaps with a defect.
///
/// # Errors
/// [`SimulationError`]: the world could not be run; nothing is said about the promises.
pub fn run(seed: u64, mutant: Option<Mutant>) -> Result<Finished, SimulationError> {
    let dice = Dice::new(seed);
    let plan = Plan::draw(&dice);
    let world = World::new(plan, dice, mutant);
    // In memory where there is such a place: nothing here is about the disk itself.
    let memory = Path::new("/dev/shm");
    let directory =
        if memory.is_dir() { TempDir::with_prefix_in("tidings-simulation-", memory) } else { TempDir::new() };
    let directory = directory.map_err(SimulationError::Directory)?;
    let whole = Whole {
        progress: world
            .plan
            .users
            .iter()
            .map(|user| user.producers.iter().map(|_| Arc::default()).collect())
            .collect(),
        world,
        store: directory.path().join("store"),
        before: directory.path().join("before"),
    };
    whole.run()?;
    let trace = whole.world.take_trace();
    let world = Arc::into_inner(whole.world).ok_or(SimulationError::Leftover)?;
    Ok(Finished { plan: world.plan, trace })
}

struct Whole {
    world: Arc<World>,
    progress: Vec<Vec<Arc<Mutex<Progress>>>>,
    store: std::path::PathBuf,
    before: std::path::PathBuf,
}

impl Whole {
    fn run(&self) -> Result<(), SimulationError> {
        let world = &self.world;
        for (at, end) in &world.plan.ends {
            let takes_back = world.has(Mutant::CrashTakesBack) && *end == End::Crash;
            if takes_back {
                disk::copy(&self.store, &self.before).map_err(SimulationError::Directory)?;
            }
            in_runtime(|| self.until(*at, *end))?;
            if takes_back {
                std::fs::remove_dir_all(&self.store).map_err(SimulationError::Directory)?;
                std::fs::rename(&self.before, &self.store).map_err(SimulationError::Directory)?;
            }
            if world.dice.hits(300) {
                self.poison()?;
            }
        }
        in_runtime(|| self.to_the_end())?;
        in_runtime(|| async {
            world.begin();
            let running = start(world, &self.store)?;
            self.report(&running.process, true).await;
            world.end();
            Ok(())
        })
    }

    /// One process that ends before its time.
    async fn until(&self, at: u64, end: End) -> Result<(), SimulationError> {
        let world = &self.world;
        world.begin();
        let running = start(world, &self.store)?;
        self.populate(&running.process);
        sleep(Duration::from_millis(at.saturating_sub(world.now()))).await;
        world.log(None, What::Ended(end));
        if end == End::Stop {
            running.stop().await;
        }
        world.end();
        Ok(())
    }

    /// The last process: first more trouble, then none.
    async fn to_the_end(&self) -> Result<(), SimulationError> {
        let world = &self.world;
        world.begin();
        let running = start(world, &self.store)?;
        let (flighty, producers) = self.populate(&running.process);
        sleep(Duration::from_millis(world.plan.storm.saturating_sub(world.now()))).await;
        world.calm_down();
        flighty.iter().for_each(tokio::task::JoinHandle::abort);
        for (user, plan) in world.plan.users.iter().enumerate() {
            let acknowledges = plan.devices.iter().any(|device| device.acknowledges);
            let device = DevicePlan { acknowledges, format: FrameFormat::Batch };
            tokio::spawn(live(Arc::clone(world), running.process.clone(), user, device, Temper::Steady));
        }
        for producer in producers {
            // One that panicked has sent less.
            let _ = producer.await;
        }
        self.rest(&running).await;
        self.report(&running.process, false).await;
        let letters = running.process.store.dead_letters(None, DEAD_LETTERS).await;
        for letter in letters.map_err(SimulationError::Read)?.letters {
            let user = Some(crate::world::user_index(&letter.user_id));
            let sequence = u64::try_from(letter.id.number()).unwrap_or(u64::MAX);
            world.log(user, What::Dead { sequence });
        }
        world.log(None, What::Ended(End::Stop));
        running.stop().await;
        world.end();
        Ok(())
    }

    /// Devices and producers, and jumps of the clock. Gives the tasks of the flighty devices and those of
    /// the producers.
    fn populate(
        &self,
        process: &Process,
    ) -> (Vec<tokio::task::JoinHandle<()>>, Vec<tokio::task::JoinHandle<()>>) {
        let world = &self.world;
        let (mut flighty, mut producers) = (Vec::new(), Vec::new());
        for (user, plan) in world.plan.users.iter().enumerate() {
            let temper = if plan.troubled { Temper::Flighty } else { Temper::Steady };
            for device in &plan.devices {
                let task = tokio::spawn(live(Arc::clone(world), process.clone(), user, *device, temper));
                if plan.troubled {
                    flighty.push(task);
                }
            }
            for (number, progress) in self.progress[user].iter().enumerate() {
                let progress = Arc::clone(progress);
                producers.push(tokio::spawn(produce(
                    Arc::clone(world),
                    process.clone(),
                    user,
                    number,
                    progress,
                )));
            }
        }
        let now = world.now();
        for (at, by) in world.plan.jumps.iter().copied().filter(|(at, _)| *at > now) {
            let world = Arc::clone(world);
            tokio::spawn(async move {
                sleep(Duration::from_millis(at - now)).await;
                world.jump(by);
            });
        }
        (flighty, producers)
    }

    /// Waits until nothing is queued or held, or for as long as that may take.
    async fn rest(&self, running: &Running) {
        for _ in 0..REST {
            sleep(Duration::from_secs(1)).await;
            let store = &running.process.store;
            let stats = store.stats();
            let mut quiet = stats.ready_users + stats.runs_in_flight + stats.queued_bytes == 0;
            quiet = quiet && self.nothing_outstanding(&running.process).await;
            for user in 0..self.world.plan.users.len() {
                quiet = quiet && self.last_key(&running.process, user).await.is_none();
            }
            if quiet {
                break;
            }
        }
        // What is on the way arrives.
        sleep(Duration::from_secs(2)).await;
    }

    /// Whether everything was taken by a socket or is a dead letter: what waits for another attempt may be
    /// on disk alone.
    async fn nothing_outstanding(&self, process: &Process) -> bool {
        let mut left = self.world.outstanding();
        if !left.is_empty() {
            let letters = process.store.dead_letters(None, DEAD_LETTERS).await.unwrap_or_default().letters;
            for letter in letters {
                left.retain(|sequence| u128::from(*sequence) != letter.id.number());
            }
        }
        left.is_empty()
    }

    async fn last_key(&self, process: &Process, user: usize) -> Option<u64> {
        let keys = LastKey(process.store.clone()).keys(&user_id(user)?, None, 1).await;
        // What can't be read can't be said to be gone.
        keys.map_or(Some(u64::MAX), |page| {
            page.sequences.last().map(|last| u64::try_from(last.number()).unwrap_or(u64::MAX))
        })
    }

    /// Logs what is still held.
    async fn report(&self, process: &Process, on_disk: bool) {
        for user in 0..self.world.plan.users.len() {
            if let Some(sequence) = self.last_key(process, user).await {
                self.world.log(Some(user), What::Held { sequence, on_disk });
            }
        }
    }

    /// Damages a row of a user in trouble.
    fn poison(&self) -> Result<(), SimulationError> {
        let (world, users) = (&self.world, &self.world.plan.users);
        let Some(user) = (0..users.len()).rev().find(|user| users[*user].troubled) else { return Ok(()) };
        let choose = |of: usize| world.dice.count(0, of as u64 - 1);
        let Some(id) = user_id(user) else { return Ok(()) };
        let damaged = damage_row(&self.store, &id, choose).map_err(SimulationError::Damage)?;
        if let Some(sequence) = damaged {
            world.log(Some(user), What::Poisoned { sequence });
        }
        Ok(())
    }
}

/// Runs one process in a runtime of its own, whose clock goes on when nothing else is to be done. All of
/// its tasks end with it, wherever they are.
fn in_runtime<F>(work: impl FnOnce() -> F) -> Result<(), SimulationError>
where
    F: Future<Output = Result<(), SimulationError>>,
{
    let runtime: Runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(SimulationError::Runtime)?;
    runtime.block_on(work())
}
