//! A whole simulation: several processes on one data directory, with faults at first and then without.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract_connections_v1::FrameFormat;
use replayer::ports::MailboxKeys as _;
use tempfile::TempDir;
use tidings_store::LastKey;
use tidings_store::fault_injection::damage_row;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::device::{Behaviour, run_device};
use crate::disk;
use crate::error::SimulationError;
use crate::mutant::Mutant;
use crate::plan::{DevicePlan, Plan, ProcessEnd};
use crate::process::{Process, RunningProcess, start};
use crate::producer::{Progress, produce};
use crate::simulation::{Simulation, user_id, user_index};
use crate::trace::{EventKind, Trace};
use verification_random::SeededRandom;

/// Seconds that the system may take to become quiet after the last fault: longer than the longest visibility
/// timeout and the largest jump of the clock together.
const SECONDS_TO_QUIET: u64 = 450;
/// Most dead letters read at the end.
const DEAD_LETTERS: usize = 10_000;

/// A simulation that has ended.
#[derive(Debug)]
pub struct Finished {
    /// The plan.
    pub plan: Plan,
    /// The trace.
    pub trace: Trace,
}

/// Runs the simulation of a seed, with a mutant or without.
///
/// # Errors
/// [`SimulationError`] if it could not be run.
pub fn run(seed: u64, mutant: Option<Mutant>) -> Result<Finished, SimulationError> {
    let random = SeededRandom::new(seed);
    let mut plan = Plan::draw(&random);
    if mutant == Some(Mutant::TimeOfDayMeasures) {
        // The mutant does harm only when the clock is set back.
        plan.clock_jumps = vec![(plan.faults_until / 2, -3_600_000)];
    }
    let sim = Simulation::new(plan, random, mutant);
    // In memory if possible, because the disk itself is not simulated.
    let memory = Path::new("/dev/shm");
    let directory =
        if memory.is_dir() { TempDir::with_prefix_in("tidings-simulation-", memory) } else { TempDir::new() };
    let directory = directory.map_err(SimulationError::Directory)?;
    let users = sim.plan.users.iter();
    let runner = Runner {
        progress: users.map(|user| user.producers.iter().map(|_| Arc::default()).collect()).collect(),
        sim,
        store: directory.path().join("store"),
        backup: directory.path().join("before"),
    };
    runner.run()?;
    let trace = runner.sim.take_trace();
    let sim = Arc::into_inner(runner.sim).ok_or(SimulationError::Leftover)?;
    Ok(Finished { plan: sim.plan, trace })
}

/// Runs the processes of a simulation.
struct Runner {
    sim: Arc<Simulation>,
    /// The progress of each user's producers.
    progress: Vec<Vec<Arc<Mutex<Progress>>>>,
    /// The data directory.
    store: PathBuf,
    /// A copy of the data directory for [`Mutant::CrashUndoesWrites`].
    backup: PathBuf,
}

impl Runner {
    fn run(&self) -> Result<(), SimulationError> {
        let sim = &self.sim;
        for (at, end) in &sim.plan.process_ends {
            let undoes_writes = sim.has_mutant(Mutant::CrashUndoesWrites) && *end == ProcessEnd::Crash;
            if undoes_writes {
                disk::copy(&self.store, &self.backup).map_err(SimulationError::Directory)?;
            }
            in_runtime(|| self.run_until(*at, *end))?;
            if undoes_writes {
                std::fs::remove_dir_all(&self.store).map_err(SimulationError::Directory)?;
                std::fs::rename(&self.backup, &self.store).map_err(SimulationError::Directory)?;
            }
            if sim.random.chance(300) {
                self.damage_row()?;
            }
        }
        in_runtime(|| self.run_to_the_end())?;
        in_runtime(|| async {
            sim.begin_process();
            let running = start(sim, &self.store)?;
            self.log_held(&running.process, true).await;
            sim.end_process();
            Ok(())
        })
    }

    /// Runs a process that ends at a planned time.
    async fn run_until(&self, at: u64, end: ProcessEnd) -> Result<(), SimulationError> {
        let sim = &self.sim;
        sim.begin_process();
        let running = start(sim, &self.store)?;
        self.populate(&running.process);
        sleep(Duration::from_millis(at.saturating_sub(sim.now()))).await;
        sim.log(None, EventKind::Ended(end));
        if end == ProcessEnd::Stop {
            running.stop().await;
        }
        sim.end_process();
        Ok(())
    }

    /// Runs the last process: faults go on until their planned end, then the system becomes quiet.
    async fn run_to_the_end(&self) -> Result<(), SimulationError> {
        let sim = &self.sim;
        sim.begin_process();
        let running = start(sim, &self.store)?;
        let (unstable, producers) = self.populate(&running.process);
        sleep(Duration::from_millis(sim.plan.faults_until.saturating_sub(sim.now()))).await;
        sim.stop_faults();
        unstable.iter().for_each(JoinHandle::abort);
        for (user, plan) in sim.plan.users.iter().enumerate() {
            let acknowledges = plan.devices.iter().any(|device| device.acknowledges);
            let device = DevicePlan { acknowledges, format: FrameFormat::Batch };
            let process = running.process.clone();
            tokio::spawn(run_device(Arc::clone(sim), process, user, device, Behaviour::Stable));
        }
        for producer in producers {
            // A producer that panicked has sent less.
            let _ = producer.await;
        }
        self.wait_until_quiet(&running).await;
        self.log_held(&running.process, false).await;
        let letters = running.process.store.dead_letters(None, DEAD_LETTERS).await;
        for letter in letters.map_err(SimulationError::Read)?.letters {
            let user = Some(user_index(&letter.user_id));
            let sequence = u64::try_from(letter.id.number()).unwrap_or(u64::MAX);
            sim.log(user, EventKind::DeadLetter { sequence });
        }
        sim.log(None, EventKind::Ended(ProcessEnd::Stop));
        running.stop().await;
        sim.end_process();
        Ok(())
    }

    /// Starts devices, producers and jumps of the clock. Returns the tasks of unstable devices and of
    /// producers.
    fn populate(&self, process: &Process) -> (Vec<JoinHandle<()>>, Vec<JoinHandle<()>>) {
        let sim = &self.sim;
        let (mut unstable, mut producers) = (Vec::new(), Vec::new());
        for (user, plan) in sim.plan.users.iter().enumerate() {
            let behaviour = if plan.is_faulty { Behaviour::Unstable } else { Behaviour::Stable };
            for device in &plan.devices {
                let device = run_device(Arc::clone(sim), process.clone(), user, *device, behaviour);
                let task = tokio::spawn(device);
                if plan.is_faulty {
                    unstable.push(task);
                }
            }
            for (number, progress) in self.progress[user].iter().enumerate() {
                let producer = produce(Arc::clone(sim), process.clone(), user, number, Arc::clone(progress));
                producers.push(tokio::spawn(producer));
            }
        }
        let now = sim.now();
        for (at, by) in sim.plan.clock_jumps.iter().copied().filter(|(at, _)| *at > now) {
            let sim = Arc::clone(sim);
            tokio::spawn(async move {
                sleep(Duration::from_millis(at - now)).await;
                sim.jump_clock(by);
            });
        }
        (unstable, producers)
    }

    /// Waits until nothing is queued or held, at most [`SECONDS_TO_QUIET`].
    async fn wait_until_quiet(&self, running: &RunningProcess) {
        for _ in 0..SECONDS_TO_QUIET {
            sleep(Duration::from_secs(1)).await;
            let store = &running.process.store;
            let stats = store.stats();
            let mut is_quiet = stats.ready_users + stats.leases_in_flight + stats.queued_bytes == 0;
            is_quiet = is_quiet && self.has_nothing_outstanding(&running.process).await;
            for user in 0..self.sim.plan.users.len() {
                is_quiet = is_quiet && self.last_key(&running.process, user).await.is_none();
            }
            if is_quiet {
                break;
            }
        }
        // Frames that are on their way arrive.
        sleep(Duration::from_secs(2)).await;
    }

    /// True if every notification was sent to a socket or is a dead letter. The store's counts don't show
    /// this, because entries that wait for another attempt may be on disk only.
    async fn has_nothing_outstanding(&self, process: &Process) -> bool {
        let mut left = self.sim.outstanding();
        if !left.is_empty() {
            let letters = process.store.dead_letters(None, DEAD_LETTERS).await.unwrap_or_default().letters;
            for letter in letters {
                left.retain(|sequence| u128::from(*sequence) != letter.id.number());
            }
        }
        left.is_empty()
    }

    /// The highest sequence that a user's mailbox holds.
    async fn last_key(&self, process: &Process, user: usize) -> Option<u64> {
        let keys = LastKey(process.store.clone()).keys(&user_id(user)?, None, 1).await;
        // A mailbox that can't be read counts as not empty.
        keys.map_or(Some(u64::MAX), |page| {
            page.sequences.last().map(|last| u64::try_from(last.number()).unwrap_or(u64::MAX))
        })
    }

    /// Logs the rows that are still held.
    async fn log_held(&self, process: &Process, on_disk: bool) {
        for user in 0..self.sim.plan.users.len() {
            if let Some(sequence) = self.last_key(process, user).await {
                self.sim.log(Some(user), EventKind::Held { sequence, on_disk });
            }
        }
    }

    /// Damages a row of the last faulty user.
    fn damage_row(&self) -> Result<(), SimulationError> {
        let (sim, users) = (&self.sim, &self.sim.plan.users);
        let Some(user) = (0..users.len()).rev().find(|user| users[*user].is_faulty) else { return Ok(()) };
        let choose = |of: usize| sim.random.count(0, of as u64 - 1);
        let Some(id) = user_id(user) else { return Ok(()) };
        let damaged = damage_row(&self.store, &id, choose).map_err(SimulationError::Damage)?;
        if let Some(sequence) = damaged {
            sim.log(Some(user), EventKind::RowDamaged { sequence });
        }
        Ok(())
    }
}

/// Runs one process in a runtime of its own, whose clock advances when no task can go on. All tasks of the
/// process end with the runtime.
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
