//! From what git says and what the cluster has to what must be done: order, ownership, drift, prune guards.
//!
//! [`plan()`] is pure. For each object it compares what git says with what the cluster has, by two means: the checksum of what was
//! applied last (has git changed?) and the ownership of fields that the API server records (has anyone else changed what we set?).
//! Values are compared only where the cluster keeps them as they were sent, or where nothing of ours is recorded.

mod compare;
mod fields;
pub(crate) mod kinds;
pub(crate) mod lists;
mod mark;
pub(crate) mod object;
mod order;
pub(crate) mod path;
mod plan;
mod prune;
mod report;
mod rollout;
mod scaling;

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    backend::{Revision, Scope, Wanted},
    finding::{Finding, Place},
    manifest::ResourceId,
};

pub use mark::{Owned, owned};
pub use plan::plan;
pub use rollout::rollout_of;

/// The field manager under which objects are applied.
pub const FIELD_MANAGER: &str = "flux";

/// The label that marks what this library manages. Its value is bound to the sync set and to the object's id, so that a copied label counts for nothing.
pub const MARK_LABEL: &str = "fluxcd.io/sync-gc-mark";

/// The annotation that holds the checksum of the object as git has it.
pub const CHECKSUM_ANNOTATION: &str = "fluxcd.io/sync-checksum";

/// The name of what one configuration keeps equal to one cluster: v1's sync set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SyncSet(pub String);

/// An object that git describes. Its `Debug` form blanks the values of a Secret.
#[derive(Clone, PartialEq)]
pub struct DesiredObject {
    /// The object, as Kubernetes reads its document.
    pub object: Arc<Value>,
    /// Where it stands.
    pub place: Place,
}

impl fmt::Debug for DesiredObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DesiredObject")
            .field("object", &object::Shown(&self.object))
            .field("place", &self.place)
            .finish()
    }
}

/// What git says the cluster should have.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// The revision it was read at.
    pub revision: Option<Revision>,
    /// The objects, in no particular order.
    pub objects: Vec<DesiredObject>,
    /// What could not be read. With any error among these, nothing is pruned.
    pub findings: Vec<Finding>,
}

impl Desired {
    /// What the planner wants to know of the cluster about these objects.
    pub fn scope(&self) -> Scope {
        let wanted = self.objects.iter().filter_map(|desired| {
            let id = object::id_of(&desired.object)?;
            let api_version = object::text(&desired.object, "apiVersion")?.to_owned();
            Some(Wanted { api_version, kind: id.kind, namespace: id.namespace, name: id.name })
        });
        Scope { wanted: wanted.collect() }
    }
}

/// How a sync is to be done.
#[derive(Clone, Debug)]
pub struct SyncOptions {
    /// The name of this sync set.
    pub sync_set: SyncSet,
    /// Whether objects that git no longer names are deleted. Off by default.
    pub prune: bool,
    /// Namespaces outside of which nothing is touched; none for all.
    pub namespaces: Option<Vec<String>>,
    /// Whether pruning may delete more than half of what is ours. Off by default; without it, a sync that would delete more than
    /// ten objects and more than half of all prunes nothing.
    pub prune_all: bool,
}

impl SyncOptions {
    /// The options of a sync set that prunes nothing and may touch every namespace.
    pub fn new(sync_set: SyncSet) -> Self {
        Self { sync_set, prune: false, namespaces: None, prune_all: false }
    }
}

/// What a sync is about to do: plain data, made by [`plan()`], carried out by [`Cluster::apply`](crate::backend::Cluster::apply).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncPlan {
    /// The revision it brings the cluster to.
    pub revision: Option<Revision>,
    /// The steps by stage and then by id: the order in which they are to be carried out. Those of one stage may go at the same time.
    pub steps: Vec<Step>,
    /// What could not be read or decided.
    pub findings: Vec<Finding>,
}

/// What is done about one object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The object.
    pub id: ResourceId,
    /// Its `apiVersion`.
    pub api_version: String,
    /// What is done.
    pub action: Action,
    /// Steps of a lower stage come first.
    pub stage: u8,
    /// Why.
    pub reason: Reason,
    /// Why, for people; empty if the action says it all.
    pub message: String,
    /// The fields that differ.
    pub fields: Vec<FieldDiff>,
    /// Where git says it.
    pub place: Option<Place>,
}

/// What is done about an object. Its `Debug` form blanks the values of a Secret; its serialised form holds them, and is to be kept as one keeps secrets.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Action {
    /// Apply an object that is not there.
    Create {
        /// The whole object with mark, checksum and namespace.
        object: Arc<Value>,
    },
    /// Apply an object that differs, or that does not carry this sync set's mark yet.
    Apply {
        /// The whole object with mark, checksum and namespace.
        object: Arc<Value>,
        /// Whether the content is equal and only the mark and the ownership of fields are taken: reported as unchanged.
        content_equal: bool,
    },
    /// Leave it: it is as git says.
    Leave,
    /// Delete it, if it still is what was seen.
    Prune {
        /// The `metadata.uid` seen.
        uid: Option<String>,
        /// The `metadata.resourceVersion` seen.
        resource_version: Option<String>,
    },
    /// Do nothing, for the step's reason.
    Skip,
    /// It cannot be done, for the step's reason.
    Fail,
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { object } => {
                f.debug_struct("Create").field("object", &object::Shown(object)).finish()
            }
            Self::Apply { object, content_equal } => f
                .debug_struct("Apply")
                .field("object", &object::Shown(object))
                .field("content_equal", content_equal)
                .finish(),
            Self::Leave => f.write_str("Leave"),
            Self::Prune { uid, resource_version } => {
                f.debug_struct("Prune").field("uid", uid).field("resource_version", resource_version).finish()
            }
            Self::Skip => f.write_str("Skip"),
            Self::Fail => f.write_str("Fail"),
        }
    }
}

/// Why an object is treated as it is: stable codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// Git names it and the cluster has none.
    NotInCluster,
    /// Git has changed since it was applied.
    ChangedInGit,
    /// Someone changed a field that git decides.
    Drifted,
    /// It was there before this library first applied it.
    Adopted,
    /// It is as git says.
    UpToDate,
    /// Git no longer names it.
    NotInGit,
    /// Git no longer names it, and pruning is off.
    PruneOff,
    /// Git no longer names it, but this library did not create it.
    NotCreatedByFlux,
    /// Git no longer names it, but a guard held pruning back.
    PruneHeldBack,
    /// Its `fluxcd.io/ignore` annotation says to leave it alone.
    Ignored,
    /// It is encrypted with SOPS: what it says cannot be read.
    Encrypted,
    /// Its namespace is not among those that may be touched.
    NamespaceNotAllowed,
    /// Its kind is neither built in nor defined.
    UnknownKind,
    /// Another document describes the same object.
    Duplicate,
    /// The cluster refused it.
    Rejected,
    /// The cluster could not be reached for it.
    Unavailable,
}

/// A field that differs between git and the cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldDiff {
    /// The path, as in `spec.template.spec.containers[name=web].image`.
    pub path: String,
    /// Who owns the field in the cluster, if anyone is known to.
    pub owner: Option<String>,
}

impl fmt::Display for FieldDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

/// What became of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceReport {
    /// The object.
    pub id: ResourceId,
    /// What became of it.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
    /// The paths of the fields that differed.
    pub fields: Vec<String>,
    /// Where git says it.
    pub place: Option<Place>,
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was made.
    Created,
    /// It was changed.
    Changed,
    /// It was left, or only the mark was put on it.
    Unchanged,
    /// It was deleted.
    Pruned,
    /// Nothing was done about it, on purpose.
    Skipped,
    /// What was to be done could not be done.
    Failed,
}

/// What became of a plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SyncReport {
    /// The revision synced.
    pub revision: Option<Revision>,
    /// Every object of the plan, sorted by id.
    pub resources: Vec<ResourceReport>,
    /// What could not be read or decided.
    pub findings: Vec<Finding>,
}
