//! Timers and triggers around the [`Deployer`]: calls it, decides nothing.
//!
//! Three things happen on their own: the branch is polled for its tip, the cluster is made equal to
//! git, and automated workloads are released. A sync also follows at once when the tip moved, a
//! release landed, or the cluster reports that somebody changed what git decides. Only polls ask
//! the git server: while it is away, repairs go on. They take turns: each works on what the one
//! before it left. A failure is an [`Event`], and is tried again at its next turn.

#[cfg(test)]
mod tests;

use std::{
    fmt,
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    backend::Revision,
    deployer::{DeployError, Deployer, ReleaseReport},
    policy::Suspension,
    release::Request,
    sync::{SyncOptions, SyncReport},
};

/// The intervals of a daemon, and the options of its syncs.
///
/// Exhaustive: those who want other intervals write `Settings { sync_interval,
/// ..Settings::new(sync) }`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The time between two polls of the branch for its tip.
    ///
    /// Polling an unmoved branch transfers nothing.
    pub git_poll_interval: Duration,
    /// The time between two syncs.
    ///
    /// With nothing changed, a sync makes no request beyond the watches of the cluster.
    pub sync_interval: Duration,
    /// Repairs what others change as soon as the cluster reports it, and not at the next sync.
    pub repair_at_once: bool,
    /// The time between two runs of automation, which ask the registries for newer images; `None`
    /// to release nothing.
    pub automation_interval: Option<Duration>,
    /// The options of the syncs.
    pub sync: SyncOptions,
}

impl Settings {
    /// Returns the defaults: a poll every minute, a sync every 30 seconds, repairs at once,
    /// automation every 5 minutes.
    pub fn new(sync: SyncOptions) -> Self {
        Self {
            git_poll_interval: Duration::from_secs(60),
            sync_interval: Duration::from_secs(30),
            repair_at_once: true,
            automation_interval: Some(Duration::from_secs(300)),
            sync,
        }
    }
}

/// How long a change in the cluster waits for others, before they are repaired.
const GATHER: Duration = Duration::from_millis(100);

/// An event in the life of a daemon.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A sync was done.
    Synced(&'a SyncReport),
    /// A sync could not be done; it is tried again at its next turn.
    SyncFailed(&'a DeployError),
    /// Automation ran; the report has a revision if it committed anything.
    Released(&'a ReleaseReport),
    /// Automation could not be done; it is tried again at its next turn.
    ReleaseFailed(&'a DeployError),
    /// The branch could not be asked for its tip; it is tried again at its next turn.
    PollFailed(&'a DeployError),
}

/// An observer of a daemon: it logs, counts or notifies.
///
/// Calls must not block.
pub trait Observer: fmt::Debug + Send + Sync {
    /// Takes note of an event.
    ///
    /// Called after each sync, each run of automation and each poll that failed.
    fn event(&self, event: &Event<'_>);
}

/// A daemon over a deployer.
///
/// ```
/// use std::{sync::{Arc, Mutex}, time::Duration};
///
/// use flux_core::{
///     daemon::{Daemon, Event, Observer, Settings},
///     deployer::Deployer,
///     memory::{MemoryCluster, MemoryRegistry, MemoryRepo},
///     sync::{SyncOptions, SyncSet},
/// };
///
/// /// Keeps the reports of all syncs.
/// #[derive(Debug, Default)]
/// struct Log(Mutex<Vec<String>>);
///
/// impl Observer for Log {
///     fn event(&self, event: &Event<'_>) {
///         if let Event::Synced(report) = event {
///             self.0.lock().unwrap().push(report.to_string());
///         }
///     }
/// }
///
/// # let mut runtime = tokio::runtime::Builder::new_current_thread();
/// # let runtime = runtime.enable_time().start_paused(true).build()?;
/// # runtime.block_on(async {
/// let settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n";
/// let repo = Arc::new(MemoryRepo::new([("settings.yaml", settings)]));
/// let cluster = Arc::new(MemoryCluster::new());
/// let deployer = Deployer::new(repo, Arc::new(MemoryRegistry::new()), cluster);
///
/// let log = Arc::new(Log::default());
/// let options = SyncOptions::new(SyncSet::new("shop"));
/// let daemon = Daemon::new(deployer, Settings::new(options), log.clone());
/// daemon.run(tokio::time::sleep(Duration::from_secs(45))).await;
///
/// assert_eq!(
///     *log.0.lock().unwrap(),
///     [
///         "created default:configmap/settings (not-in-cluster)\n",
///         "unchanged default:configmap/settings (up-to-date)\n",
///     ]
/// );
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Daemon {
    deployer: Deployer,
    settings: Settings,
    observer: Arc<dyn Observer>,
    suspended: Arc<Mutex<Option<Suspension>>>,
    resumed: Arc<Notify>,
}

impl Daemon {
    /// Returns a daemon that is watched by `observer`. It does nothing until it [runs](Self::run).
    pub fn new(deployer: Deployer, settings: Settings, observer: Arc<dyn Observer>) -> Self {
        let suspended = Arc::new(Mutex::new(settings.sync.suspended.clone()));
        Self { deployer, settings, observer, suspended, resumed: Arc::default() }
    }

    /// Suspends its syncs from the next one on: every object is left as it is, and the reports say
    /// who asked for that, and why. Automation goes on.
    ///
    /// Clones of a daemon are suspended together. It is forgotten when the process ends: what is to
    /// last is written into git.
    pub fn suspend(&self, suspension: Suspension) {
        *self.suspended.lock().unwrap_or_else(PoisonError::into_inner) = Some(suspension);
    }

    /// Resumes its syncs, and has one follow at once.
    pub fn resume(&self) {
        *self.suspended.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.resumed.notify_one();
    }

    /// Returns who has suspended its syncs, and why; `None` if they go on.
    pub fn suspended(&self) -> Option<Suspension> {
        self.suspended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs until `stop` is ready.
    ///
    /// The operation under way then is dropped at its next step. Every step leaves things so that
    /// the next run converges.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        tokio::select! {
            () = &mut stop => {}
            () = self.turns() => {}
        }
    }

    async fn turns(&self) {
        let start = Instant::now();
        let (mut poll, mut sync) = (start, start);
        let mut automation = self.settings.automation_interval.map(|_| start);
        let mut synced: Option<Revision> = None;
        // The branch is asked for its tip by the polls; in between, the cluster is held against
        // what was loaded last.
        let mut has_moved = true;
        loop {
            let next = [Some(poll), Some(sync), automation].into_iter().flatten().min().unwrap_or(sync);
            if self.until(next).await {
                sync = Instant::now();
            }
            if poll <= Instant::now() {
                match self.deployer.head().await {
                    Ok(head) if synced.as_ref() != Some(&head) => {
                        has_moved = true;
                        sync = Instant::now();
                    }
                    Ok(_) => {}
                    Err(error) => self.observer.event(&Event::PollFailed(&error)),
                }
                poll = Instant::now() + self.settings.git_poll_interval;
            }
            if sync <= Instant::now() {
                if let Some(revision) = self.sync(has_moved).await {
                    has_moved = false;
                    synced = Some(revision);
                }
                sync = Instant::now() + self.settings.sync_interval;
            }
            if automation.is_some_and(|at| at <= Instant::now()) {
                if self.release().await {
                    has_moved = true;
                    sync = Instant::now();
                }
                automation = self.settings.automation_interval.map(|interval| Instant::now() + interval);
            }
        }
    }

    /// Waits until it is time, or until a sync is to follow at once: the cluster reports a change
    /// that is to be repaired, or the syncs are resumed. Returns `true` for the latter.
    async fn until(&self, time: Instant) -> bool {
        let repairs = self.settings.repair_at_once && self.suspended().is_none();
        tokio::select! {
            () = sleep_until(time) => false,
            () = self.resumed.notified() => true,
            () = self.deployer.cluster_changed(), if repairs => {
                // What comes together is repaired together.
                sleep(GATHER).await;
                true
            }
        }
    }

    /// Syncs, or repairs if the branch has not moved; returns the revision.
    async fn sync(&self, has_moved: bool) -> Option<Revision> {
        let options = SyncOptions { suspended: self.suspended(), ..self.settings.sync.clone() };
        let done = match has_moved {
            true => self.deployer.sync(&options, &()).await,
            false => self.deployer.repair(&options, &()).await,
        };
        match done {
            Ok(report) => {
                self.observer.event(&Event::Synced(&report));
                report.revision
            }
            Err(error) => {
                self.observer.event(&Event::SyncFailed(&error));
                None
            }
        }
    }

    /// Runs automation; returns whether a commit landed.
    async fn release(&self) -> bool {
        match self.deployer.release(&Request::automation()).await {
            Ok(report) => {
                self.observer.event(&Event::Released(&report));
                report.revision.is_some()
            }
            Err(error) => {
                self.observer.event(&Event::ReleaseFailed(&error));
                false
            }
        }
    }
}
