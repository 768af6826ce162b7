//! Waits until objects are healthy: of a sync, or of a release that others sync.
//!
//! Driven by what the cluster reports: with nothing changed, a wait makes no request to it but for
//! the pods of workloads that are not healthy.

mod evidence;
mod targets;
#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use serde_json::Value;

use crate::{
    backend::{Error, Revision, Wanted, layers::Sleeper},
    deployer::{DeployError, Deployer, ReleaseReport},
    health::{Health, HealthStatus, WaitOutcome, WaitState, verdict},
    manifest::{CLUSTER, Resource, ResourceId},
    sync::{self, SyncOptions, SyncReport},
};
use evidence::PodEvidence;
use targets::{Expected, Released, Targets};

/// How long changes in the cluster wait for others before they are looked at.
const GATHER: Duration = Duration::from_millis(100);
/// How long a cluster that cannot be looked at is left alone.
const AWAY: Duration = Duration::from_secs(2);

/// The options of a wait.
///
/// Exhaustive: callers write it with `..WaitOptions::default()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitOptions {
    /// How long is waited at most.
    ///
    /// Default 5 minutes.
    pub timeout: Duration,
    /// Ends the wait as soon as one object has failed, instead of when nothing is in progress any
    /// more.
    ///
    /// On by default.
    pub fail_fast: bool,
    /// The time between two questions for the tip of the branch: a newer revision ends the wait;
    /// `None` not to ask.
    ///
    /// Default 30 seconds.
    pub head_interval: Option<Duration>,
    /// The time between two looks at the pods of workloads that are not healthy.
    ///
    /// Default 5 seconds. They are looked at once more when the wait ends otherwise than healthy.
    pub pod_interval: Duration,
    /// How many workloads' pods are looked at each time, those first that were not for longest.
    ///
    /// Default 16; each is a request.
    pub pod_queries: usize,
}

impl Default for WaitOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(300),
            fail_fast: true,
            head_interval: Some(Duration::from_secs(30)),
            pod_interval: Duration::from_secs(5),
            pod_queries: 16,
        }
    }
}

/// Is given the health of each object when it is first known, and whenever it changes.
///
/// Calls must not block.
pub trait HealthProgress: Send + Sync {
    /// Takes note of the health of an object.
    fn health(&self, id: &ResourceId, health: &Health);
}

impl HealthProgress for () {
    fn health(&self, _: &ResourceId, _: &Health) {}
}

/// The result of a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitReport {
    /// The revision that was waited for; `None` if there is none.
    pub revision: Option<Revision>,
    /// How the wait ended.
    pub outcome: WaitOutcome,
    /// The last health of each object.
    pub healths: BTreeMap<ResourceId, Health>,
}

impl WaitReport {
    /// Returns the objects that are not current, with their health.
    pub fn unhealthy(&self) -> impl Iterator<Item = (&ResourceId, &Health)> {
        self.healths.iter().filter(|(_, health)| health.status != HealthStatus::Current)
    }
}

/// The events that a wait wakes up by.
enum Wake {
    Changed(u64),
    Again,
    Pods,
    Head,
    Overdue,
}

impl Deployer {
    /// Waits until all objects of a sync are healthy, and those that it pruned are gone.
    ///
    /// `report` is that of the sync, which was made with the options `sync`. The wait ends when all
    /// are current, when one has failed, at the timeout, or when the branch has a newer revision.
    /// Objects that the sync left to others (`ignore`, another namespace) are not waited for; one
    /// that could not be applied has failed.
    ///
    /// Of a cluster that [reports no changes](crate::backend::Cluster::status_changed) the objects
    /// are looked at as often as the pods.
    ///
    /// ```
    /// use std::{sync::Arc, time::Duration};
    ///
    /// use flux_core::{
    ///     backend::layers::Sleeper,
    ///     deployer::{Deployer, WaitOptions},
    ///     health::WaitOutcome,
    ///     memory::{MemoryCluster, MemoryRegistry, MemoryRepo},
    ///     sync::{SyncOptions, SyncSet},
    /// };
    ///
    /// /// Sleeps on tokio's timers.
    /// #[derive(Debug)]
    /// struct Tokio;
    ///
    /// #[async_trait::async_trait]
    /// impl Sleeper for Tokio {
    ///     async fn sleep(&self, duration: Duration) {
    ///         tokio::time::sleep(duration).await;
    ///     }
    /// }
    ///
    /// # let mut runtime = tokio::runtime::Builder::new_current_thread();
    /// # let runtime = runtime.enable_time().start_paused(true).build()?;
    /// # runtime.block_on(async {
    /// let settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n";
    /// let deployer = Deployer::new(
    ///     Arc::new(MemoryRepo::new([("settings.yaml", settings)])),
    ///     Arc::new(MemoryRegistry::new()),
    ///     Arc::new(MemoryCluster::new()),
    /// );
    /// let sync = SyncOptions::new(SyncSet::new("shop"));
    /// let report = deployer.sync(&sync, &()).await?;
    /// let options = WaitOptions { timeout: Duration::from_secs(60), ..WaitOptions::default() };
    /// let waited = deployer.wait_for_sync(&report, &sync, &options, &Tokio, &()).await?;
    /// assert_eq!(waited.outcome, WaitOutcome::Healthy);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`DeployError`] if the repository cannot be read, or if the cluster as a whole cannot be
    /// looked at, once or until the timeout.
    pub async fn wait_for_sync(
        &self,
        report: &SyncReport,
        sync: &SyncOptions,
        options: &WaitOptions,
        sleeper: &dyn Sleeper,
        progress: &dyn HealthProgress,
    ) -> Result<WaitReport, DeployError> {
        let scope = match &report.revision {
            Some(revision) => self.load_at(revision).await?.desired().scope_within(sync),
            None => self.load().await?.desired().scope_within(sync),
        };
        let targets = Targets::of_sync(report, scope);
        let wait = Wait { deployer: self, targets, revision: report.revision.clone(), options, progress };
        wait.run(sleeper).await
    }

    /// Waits until the cluster has the images of a release and its workloads are healthy.
    ///
    /// Somebody else syncs meanwhile: a daemon, mostly. The wait ends as that of
    /// [`wait_for_sync`](Self::wait_for_sync). A release that changed nothing is healthy at once.
    ///
    /// # Errors
    /// As [`wait_for_sync`](Self::wait_for_sync).
    pub async fn wait_for_release(
        &self,
        report: &ReleaseReport,
        options: &WaitOptions,
        sleeper: &dyn Sleeper,
        progress: &dyn HealthProgress,
    ) -> Result<WaitReport, DeployError> {
        let targets = match &report.revision {
            Some(revision) => self.released(report, revision).await?,
            None => Targets::default(),
        };
        let wait = Wait { deployer: self, targets, revision: report.revision.clone(), options, progress };
        wait.run(sleeper).await
    }

    /// Returns the workloads that get images by a release, with these.
    async fn released(&self, report: &ReleaseReport, revision: &Revision) -> Result<Targets, DeployError> {
        let loaded = self.load_at(revision).await?;
        let mut targets = Targets::default();
        let all_suspended = loaded.desired().suspended.clone();
        for located in loaded.manifests.workloads() {
            let workload = located.workload_id();
            let Some(verdict) = report.plan.workloads.get(&workload) else { continue };
            let images = verdict.containers.iter();
            let resource = located.resource;
            let images = images.filter_map(|container| {
                let image = container.target.clone()?;
                let written = written(resource, &container.container);
                Some((container.container.clone(), Released { image, written }))
            });
            let images: BTreeMap<_, _> = images.collect();
            if images.is_empty() {
                continue;
            }
            let namespace = Some(workload.namespace()).filter(|namespace| *namespace != CLUSTER);
            let id = ResourceId::new(namespace, &resource.kind, &resource.name, resource.group());
            targets.scope.wanted.insert(Wanted { api_version: resource.api_version.clone(), id: id.clone() });
            let suspended = all_suspended.clone().or_else(|| sync::suspension(&resource.object.value()));
            let expected = match suspended {
                Some(suspension) => Expected::Known(Health::new(
                    HealthStatus::Failed,
                    format!("the release stays in git until syncs are resumed: {suspension}"),
                )),
                None => Expected::Current(images),
            };
            targets.expected.insert(id, expected);
        }
        Ok(targets)
    }
}

/// Returns the scalars that hold the image of a container in an object of git.
fn written(resource: &Resource, container: &str) -> Vec<(String, Value)> {
    let containers = resource.workload.iter().flatten();
    let own = containers.filter(|known| known.name == container && known.origin.is_none());
    let pointers = own.flat_map(|container| &container.sites).map(|site| &site.pointer);
    let object = resource.object.value();
    pointers.filter_map(|at| Some((at.clone(), object.pointer(at)?.clone()))).collect()
}

/// One wait.
struct Wait<'a> {
    deployer: &'a Deployer,
    targets: Targets,
    revision: Option<Revision>,
    options: &'a WaitOptions,
    progress: &'a dyn HealthProgress,
}

impl Wait<'_> {
    async fn run(&self, sleeper: &dyn Sleeper) -> Result<WaitReport, DeployError> {
        let mut state = WaitState { fail_fast: self.options.fail_fast, ..WaitState::default() };
        let mut healths = BTreeMap::new();
        let mut pods = PodEvidence::default();
        let mut wakes: FuturesUnordered<BoxFuture<'_, Wake>> = FuturesUnordered::new();
        let timer = |after: Duration, wake: fn() -> Wake| sleeper.sleep(after).map(move |()| wake()).boxed();
        wakes.push(timer(self.options.timeout, || Wake::Overdue));
        wakes.push(timer(self.options.pod_interval, || Wake::Pods));
        wakes.extend(self.head_timer(sleeper));
        wakes.push(self.changed(0, sleeper));
        let (mut queries, mut is_away) = (None, false);
        loop {
            match self.look(&mut healths, &mut pods, queries.take()).await {
                Ok(()) => {
                    if let Some(outcome) = verdict(&healths, &state) {
                        if matches!(outcome, WaitOutcome::Failed | WaitOutcome::TimedOut) {
                            // If this last look at the pods fails, what is known has to do.
                            let _ = self.look(&mut healths, &mut pods, Some(self.options.pod_queries)).await;
                        }
                        let outcome = verdict(&healths, &state).unwrap_or(outcome);
                        return Ok(WaitReport { revision: self.revision.clone(), outcome, healths });
                    }
                }
                Err(error) if error.is_retryable() && !state.is_overdue => {
                    tracing::debug!(%error, "the cluster cannot be looked at; the wait goes on");
                    if !is_away {
                        wakes.push(timer(AWAY, || Wake::Again));
                    }
                    is_away = true;
                }
                Err(error) => return Err(DeployError::Cluster(error)),
            }
            match wakes.next().await {
                None => {}
                Some(Wake::Again) => is_away = false,
                Some(Wake::Changed(since)) => wakes.push(self.changed(since, sleeper)),
                Some(Wake::Pods) => {
                    queries = Some(self.options.pod_queries);
                    wakes.push(timer(self.options.pod_interval, || Wake::Pods));
                }
                Some(Wake::Head) => {
                    state.newer = self.newer().await;
                    wakes.extend(self.head_timer(sleeper));
                }
                Some(Wake::Overdue) => state.is_overdue = true,
            }
        }
    }

    /// Waits for a change in the cluster, and a moment for others that come with it.
    fn changed<'a>(&'a self, since: u64, sleeper: &'a dyn Sleeper) -> BoxFuture<'a, Wake> {
        let changed = async move {
            let now = self.deployer.cluster.status_changed(since).await;
            if since != 0 {
                sleeper.sleep(GATHER).await;
            }
            Wake::Changed(now)
        };
        changed.boxed()
    }

    fn head_timer<'a>(&self, sleeper: &'a dyn Sleeper) -> Option<BoxFuture<'a, Wake>> {
        let interval = self.options.head_interval.filter(|_| self.revision.is_some())?;
        Some(sleeper.sleep(interval).map(|()| Wake::Head).boxed())
    }

    /// Returns the tip of the branch if it is another revision; a branch that cannot be asked has
    /// none.
    async fn newer(&self) -> Option<Revision> {
        match self.deployer.head().await {
            Ok(head) => Some(head).filter(|head| Some(head) != self.revision.as_ref()),
            Err(error) => {
                tracing::debug!(%error, "the branch cannot be asked for its tip; the wait goes on");
                None
            }
        }
    }

    /// Looks at all objects, and at the pods of so many workloads that are not healthy; reports
    /// what has changed.
    async fn look(
        &self,
        healths: &mut BTreeMap<ResourceId, Health>,
        pods: &mut PodEvidence,
        queries: Option<usize>,
    ) -> Result<(), Error> {
        if self.targets.expected.is_empty() {
            return Ok(());
        }
        let cluster = &*self.deployer.cluster;
        let seen = cluster.observe(&self.targets.scope).await?;
        let judged = self.targets.judge(&seen, healths);
        if let Some(queries) = queries {
            let unhealthy = judged.iter().filter(|(_, (health, _))| {
                matches!(health.status, HealthStatus::InProgress | HealthStatus::Failed)
            });
            let objects: Vec<(&ResourceId, &Value)> =
                unhealthy.filter_map(|(id, (_, object))| Some((id, object.as_ref()?))).collect();
            pods.ask(cluster, objects, queries).await;
        }
        for (id, (health, object)) in judged {
            let health = pods.add_to(&id, health, object.as_ref());
            if healths.get(&id) != Some(&health) {
                self.progress.health(&id, &health);
                healths.insert(id, health);
            }
        }
        Ok(())
    }
}
