//! [`Cluster`]: what runs, and how it is made to be what git says.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{LabelSelector, Observation, Pod, PodQuery, Result};
use crate::{
    footprint::Footprint,
    manifest::{ApiVersion, ResourceId, WorkloadId},
    object::Object,
    plan::{
        contest::Contest,
        sync::SyncPlan,
        sync_report::{ResourceReport, SyncReport},
    },
};

/// The objects that a sync wants to know of.
///
/// Exhaustive: callers of a cluster make it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The objects that git names.
    pub wanted: BTreeSet<Wanted>,
    /// The namespace of namespaced objects that name none; `None` for `default`.
    pub default_namespace: Option<String>,
}

impl Scope {
    /// Returns the namespace of namespaced objects that name none.
    pub fn default_namespace(&self) -> &str {
        self.default_namespace.as_deref().unwrap_or("default")
    }
}

/// An object that git names.
///
/// Those of one `apiVersion` and kind stand together in their order.
///
/// Exhaustive: callers of a cluster make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// `apiVersion` as written.
    pub api_version: ApiVersion,
    /// The id, with kind and namespace as they are written.
    pub id: ResourceId,
}

impl Ord for Wanted {
    fn cmp(&self, other: &Self) -> Ordering {
        let kind = self.id.kind().cmp(other.id.kind());
        self.api_version.cmp(&other.api_version).then(kind).then_with(|| self.id.cmp(&other.id))
    }
}

impl PartialOrd for Wanted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// How the cluster keeps the values that it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fidelity {
    /// Values come back as sent: a value that differs was changed by someone.
    Exact,
    /// Values may come back in another spelling (`1000m` as `1`), so a field that its manager still
    /// owns is taken as unchanged.
    Normalised,
}

/// The facts about a kind that the cluster tells.
///
/// Exhaustive: implementors of a cluster make it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindInfo {
    /// `true` if its objects live in namespaces.
    pub namespaced: bool,
}

/// The objects and kinds that a cluster has for a [`Scope`].
///
/// Its `Debug` form names the objects without their content.
///
/// Exhaustive: backends write it with `..Observed::default()`.
#[derive(Clone)]
pub struct Observed {
    /// Every object that carries this library's mark (of any sync set), those of the wanted ones
    /// that exist, and every autoscaler (HorizontalPodAutoscaler, KEDA's ScaledObject).
    ///
    /// Objects are whole, with `metadata.managedFields`. One that has not changed since the last
    /// observation is best the [same](Object::is_same) in memory: then nothing about it is decided
    /// anew.
    pub objects: BTreeMap<ResourceId, Object>,
    /// The kinds among the wanted that the cluster knows, by (`apiVersion`, `kind`).
    pub kinds: BTreeMap<(String, String), KindInfo>,
    /// The values of `apiVersion` under which the cluster serves the wanted kinds, by (group,
    /// kind); a kind that is missing here is not known so well.
    pub versions: BTreeMap<(String, String), BTreeSet<String>>,
    /// The kinds (group, kind) of which some or all objects could not be seen, or not lately; an
    /// empty kind stands for all of its group.
    ///
    /// If it is empty though the observation is not complete, any object may have been missed.
    pub unseen: BTreeSet<(String, String)>,
    /// The fields that are to be left, since something sets them again and again.
    ///
    /// The deployer remembers them; a backend leaves this empty.
    pub contests: BTreeMap<ResourceId, Contest>,
    /// The namespace of namespaced objects that name none.
    pub default_namespace: String,
    /// How values come back.
    pub fidelity: Fidelity,
    /// The number that [`Cluster::has_changed_since`] takes; `None` if the cluster has none, or has
    /// to be asked again though nothing changes.
    ///
    /// It is that from before the look: what happens during it makes another.
    pub version: Option<u64>,
    /// `true` if controllers report on objects in their status.
    ///
    /// Otherwise an object without a status is as healthy as it will ever be.
    pub has_controllers: bool,
}

/// An empty cluster with controllers, whose default namespace is `default` and in which values are
/// normalised.
impl Default for Observed {
    fn default() -> Self {
        Self {
            objects: BTreeMap::new(),
            kinds: BTreeMap::new(),
            versions: BTreeMap::new(),
            unseen: BTreeSet::new(),
            contests: BTreeMap::new(),
            default_namespace: "default".to_owned(),
            fidelity: Fidelity::Normalised,
            version: None,
            has_controllers: true,
        }
    }
}

impl Observation<Observed> {
    /// Returns `true` if every object of a kind was seen, as it is now: one that is missing does
    /// not exist.
    pub fn has_seen(&self, group: &str, kind: &str) -> bool {
        let unseen = &self.value.unseen;
        let is_unseen = |kind: &str| unseen.contains(&(group.to_owned(), kind.to_owned()));
        (self.completeness.is_complete() || !unseen.is_empty()) && !is_unseen(kind) && !is_unseen("")
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed")
            .field("objects", &self.objects.keys())
            .field("kinds", &self.kinds)
            .field("versions", &self.versions)
            .field("unseen", &self.unseen)
            .field("contests", &self.contests)
            .field("default_namespace", &self.default_namespace)
            .field("fidelity", &self.fidelity)
            .field("version", &self.version)
            .field("has_controllers", &self.has_controllers)
            .finish()
    }
}

/// Is given the outcome of each object as soon as it is known.
///
/// ```
/// use std::sync::Mutex;
///
/// use flux_core::{backend::Progress, sync::ResourceReport};
///
/// struct Names(Mutex<Vec<String>>);
///
/// impl Progress for Names {
///     fn resource(&self, report: &ResourceReport) {
///         self.0.lock().unwrap().push(report.id.to_string());
///     }
/// }
/// ```
pub trait Progress: Send + Sync {
    /// The outcome of one object.
    fn resource(&self, report: &ResourceReport);
}

impl Progress for () {
    fn resource(&self, _: &ResourceReport) {}
}

/// A workload as it runs.
///
/// Exhaustive: implementors of a cluster make it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterWorkload {
    /// Its id.
    pub id: WorkloadId,
    /// Its containers with the images of the pod template, as [`RunningContainer::of_pod`] has
    /// them.
    pub containers: Vec<RunningContainer>,
    /// The labels of its pods; `None` for a CronJob, whose Jobs have the pods.
    #[serde(default)]
    pub selector: Option<LabelSelector>,
    /// How far its rollout is.
    pub rollout: Rollout,
}

/// A container of a running workload.
///
/// Exhaustive: implementors of a cluster make it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningContainer {
    /// The container's name.
    pub name: String,
    /// The image as the cluster has it.
    pub image: String,
}

impl RunningContainer {
    /// The lists of a pod's specification that have containers, in the order in which these are
    /// reported.
    pub const LISTS: [&'static str; 3] = ["containers", "initContainers", "ephemeralContainers"];

    /// Returns the containers of a pod's specification: then its init containers, then the
    /// ephemeral ones.
    ///
    /// A missing name or image is read as an empty one.
    pub fn of_pod(spec: &Value) -> Vec<Self> {
        let list = |list| spec.get(list).and_then(Value::as_array).into_iter().flatten();
        let text = |container: &Value, key: &str| {
            container.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let containers = Self::LISTS.into_iter().flat_map(list);
        containers.map(|c| Self { name: text(c, "name"), image: text(c, "image") }).collect()
    }
}

/// How far a rollout is, in pods.
///
/// Exhaustive: implementors of a cluster make it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// The state in one word.
    pub state: RolloutState,
    /// Pods wanted.
    pub desired: i64,
    /// Pods of the newest template.
    pub updated: i64,
    /// Pods that are ready.
    pub ready: i64,
    /// Pods that are available.
    pub available: i64,
    /// Pods of older templates.
    pub outdated: i64,
    /// The words of the cluster about a rollout that is stuck.
    pub messages: Vec<String>,
}

/// The state of a rollout, in the words of Flux v1, which are all that there are.
///
/// Exhaustive: a reader that waits for a rollout must know every state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RolloutState {
    /// All pods are of the newest template and available.
    Ready,
    /// The controller is at it.
    Updating,
    /// The controller has not seen the newest template yet.
    Started,
    /// The rollout is stuck; the messages say why.
    Error,
    /// Nothing is known.
    #[default]
    Unknown,
}

impl fmt::Display for RolloutState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "ready",
            Self::Updating => "updating",
            Self::Started => "started",
            Self::Error => "error",
            Self::Unknown => "unknown",
        })
    }
}

/// A cluster.
///
/// To bring one of your own, implement the six methods and run
/// `flux_core::testing::cluster_conformance!` (feature `testing`) over it.
///
/// ```
/// # futures::executor::block_on(async {
/// use flux_core::{backend::Cluster, memory::MemoryCluster};
///
/// let cluster = MemoryCluster::new();
/// assert!(cluster.workloads(None).await?.value.is_empty());
/// # Ok::<_, flux_core::backend::Error>(()) }).unwrap();
/// ```
///
/// # Contract
/// - [`observe`](Self::observe) comes from watches where the API has them: asked again with nothing
///   changed, it costs no request. It sees what an earlier [`apply`](Self::apply) of the same value
///   did.
/// - A [`version`](Observed::version) promises that nothing else would be seen until
///   [`has_changed_since`](Self::has_changed_since) says so: neither objects, be it by others or by
///   an [`apply`](Self::apply), nor how well they can be seen. A deployer looks no more while it
///   holds. Whoever cannot promise that gives none.
/// - A kind that could not be read (a forbidden one) makes the observation partial, never empty.
/// - [`apply`](Self::apply) carries out the steps stage by stage, each object on its own: the
///   failure of one is its outcome and does not stop the others. Objects are sent with server-side
///   apply under [`sync::FIELD_MANAGER`](crate::sync::FIELD_MANAGER), exactly as the plan has them.
///   Deletions have the uid and resource version of the plan as preconditions; where only the
///   status has changed since, those of the object as it is.
/// - [`pods`](Self::pods) is asked on demand, of few workloads: each call is a request, and neither
///   watches nor keeps anything. Without the right to list pods it fails; nothing else does.
#[async_trait]
pub trait Cluster: fmt::Debug + Send + Sync {
    /// Returns the objects of a scope that exist.
    async fn observe(&self, scope: &Scope) -> Result<Observation<Observed>>;

    /// Returns `true` if an observation may show something else than one that had this
    /// [`version`](Observed::version), asked with the same scope.
    ///
    /// It takes next to no time. By default it is always `true`.
    fn has_changed_since(&self, version: u64) -> bool {
        let _ = version;
        true
    }

    /// Returns what it keeps in memory, part by part.
    ///
    /// By default it tells of nothing.
    fn footprint(&self) -> Vec<Footprint> {
        Vec::new()
    }

    /// Carries out a plan, and returns what became of each object.
    async fn apply(&self, plan: &SyncPlan, progress: &dyn Progress) -> Result<SyncReport>;

    /// Waits until something that an earlier [`observe`](Self::observe) showed was changed by
    /// somebody else.
    ///
    /// It may be ready when nothing has changed that matters. Of a cluster that reports no changes
    /// it never is.
    async fn changed(&self);

    /// Waits until anything that an earlier [`observe`](Self::observe) showed has changed, be it
    /// only its status, and returns the number to wait with the next time.
    ///
    /// `since` is the number that an earlier call returned, and 0 the first time: then it is ready
    /// at once. So no change is missed between two calls, and many may wait at the same time. Of a
    /// cluster that reports no changes it never is ready.
    async fn status_changed(&self, since: u64) -> u64;

    /// Returns the workloads of a namespace, or of all, with their images and rollouts.
    async fn workloads(&self, namespace: Option<&str>) -> Result<Observation<Vec<ClusterWorkload>>>;

    /// Returns the pods that a query takes, as they are now, sorted by name.
    async fn pods(&self, query: &PodQuery) -> Result<Observation<Vec<Pod>>>;
}
