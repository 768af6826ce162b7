//! [`Fault`]: a backend whose calls fail by a script or by a seed, to see what others make of it.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;

use crate::{
    backend::{
        Change, Cluster, ClusterWorkload, Commit, ConfigRepo, ContentId, Error, FileBody, Images,
        Observation, Observed, Pod, PodQuery, Progress, Range, Registry, Result, Revision, Scope, Tags, Tree,
    },
    footprint::Footprint,
    image::{ImageName, Tag},
    plan::{sync::SyncPlan, sync_report::SyncReport},
};

/// A failure that is made to happen to one call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Injected {
    /// The call does not reach the backend and fails.
    Refused(Error),
    /// The backend carries the call out, and its answer is lost: the caller sees the error.
    AnswerLost(Error),
}

/// Which calls fail, and how.
#[derive(Debug)]
pub struct FaultPlan(Mutex<Source>);

#[derive(Debug)]
enum Source {
    Script(VecDeque<Option<Injected>>),
    Seed { state: u64, percent: u8, faults: Vec<Injected> },
}

impl FaultPlan {
    /// No call fails.
    pub fn none() -> Self {
        Self::script([])
    }

    /// Injects these faults into the calls, in order.
    ///
    /// `None` stands for a call that is left alone; later calls are left alone.
    pub fn script(faults: impl IntoIterator<Item = Option<Injected>>) -> Self {
        Self(Mutex::new(Source::Script(faults.into_iter().collect())))
    }

    /// Of a hundred calls about `percent` meet one of these faults.
    ///
    /// The same seed makes the same calls fail.
    pub fn seeded(seed: u64, percent: u8, faults: impl IntoIterator<Item = Injected>) -> Self {
        Self(Mutex::new(Source::Seed { state: seed, percent, faults: faults.into_iter().collect() }))
    }

    fn next(&self) -> Option<Injected> {
        let mut source = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *source {
            Source::Script(faults) => faults.pop_front().flatten(),
            Source::Seed { state, percent, faults } => {
                let (strikes, which) = (random(state) % 100, random(state));
                let index = usize::try_from(which % faults.len().max(1) as u64).unwrap_or_default();
                faults.get(index).filter(|_| strikes < u64::from(*percent)).cloned()
            }
        }
    }
}

/// Returns the next number of a sequence: the generator of Steele, Lea and Flood (SplitMix64).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A backend around another whose calls fail as a [`FaultPlan`] says.
///
/// It is a [`ConfigRepo`], a [`Registry`] or a [`Cluster`] if the other one is.
///
/// ```
/// # futures::executor::block_on(async {
/// use flux_core::{
///     backend::{
///         Error, Registry as _,
///         layers::{Fault, FaultPlan, Injected},
///     },
///     memory::MemoryRegistry,
/// };
///
/// let away = Error::unavailable("registry.example.com", "registry.example.com does not answer");
/// let plan = FaultPlan::script([Some(Injected::Refused(away.clone()))]);
/// let registry = Fault::new(MemoryRegistry::new(), plan);
/// assert_eq!(registry.tags(&"registry.example.com/web".parse()?).await, Err(away));
/// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Fault<T> {
    inner: T,
    plan: FaultPlan,
}

impl<T> Fault<T> {
    /// Wraps a backend.
    pub fn new(inner: T, plan: FaultPlan) -> Self {
        Self { inner, plan }
    }

    async fn struck<A>(&self, call: impl Future<Output = Result<A>>) -> Result<A> {
        match self.plan.next() {
            None => call.await,
            Some(Injected::Refused(error)) => Err(error),
            Some(Injected::AnswerLost(error)) => {
                call.await?;
                Err(error)
            }
        }
    }
}

#[async_trait]
impl<T: ConfigRepo> ConfigRepo for Fault<T> {
    async fn head(&self) -> Result<Revision> {
        self.struck(self.inner.head()).await
    }

    async fn tree(&self, at: &Revision) -> Result<Tree> {
        self.struck(self.inner.tree(at)).await
    }

    async fn read(&self, ids: &[ContentId], limit: u64) -> Result<Vec<FileBody>> {
        self.struck(self.inner.read(ids, limit)).await
    }

    async fn commit(&self, base: &Revision, change: &Change) -> Result<Revision> {
        self.struck(self.inner.commit(base, change)).await
    }

    async fn history(&self, range: &Range) -> Result<Vec<Commit>> {
        self.struck(self.inner.history(range)).await
    }
}

#[async_trait]
impl<T: Registry> Registry for Fault<T> {
    async fn tags(&self, name: &ImageName) -> Result<Observation<Tags>> {
        self.struck(self.inner.tags(name)).await
    }

    async fn inspect(&self, name: &ImageName, tags: &[Tag]) -> Result<Observation<Images>> {
        self.struck(self.inner.inspect(name, tags)).await
    }
}

#[async_trait]
impl<T: Cluster> Cluster for Fault<T> {
    async fn observe(&self, scope: &Scope) -> Result<Observation<Observed>> {
        self.struck(self.inner.observe(scope)).await
    }

    async fn apply(&self, plan: &SyncPlan, progress: &dyn Progress) -> Result<SyncReport> {
        self.struck(self.inner.apply(plan, progress)).await
    }

    fn has_changed_since(&self, version: u64) -> bool {
        self.inner.has_changed_since(version)
    }

    fn footprint(&self) -> Vec<Footprint> {
        self.inner.footprint()
    }

    async fn changed(&self) {
        self.inner.changed().await;
    }

    async fn workloads(&self, namespace: Option<&str>) -> Result<Observation<Vec<ClusterWorkload>>> {
        self.struck(self.inner.workloads(namespace)).await
    }

    async fn status_changed(&self, since: u64) -> u64 {
        self.inner.status_changed(since).await
    }

    async fn pods(&self, query: &PodQuery) -> Result<Observation<Vec<Pod>>> {
        self.struck(self.inner.pods(query)).await
    }
}
