//! The inputs of the planner: what git describes, and how it is to be synced.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{SyncSet, job, mark::Sets, object};
use crate::{
    backend::{Revision, Scope, Wanted},
    finding::{Finding, Place},
    manifest::{self, ApiVersion, ResourceId, scope_of},
    object::Object,
    plan::redacted::Redacted,
    policy::Suspension,
};

/// An object that git describes.
///
/// Its `Debug` form blanks the values of a Secret.
///
/// Exhaustive: callers make it of whatever they read.
#[derive(Clone, PartialEq)]
pub struct DesiredObject {
    /// The object, as Kubernetes reads its document.
    pub object: Object,
    /// The place that describes it.
    pub place: Place,
}

impl fmt::Debug for DesiredObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DesiredObject")
            .field("object", &Redacted(&self.object.value()))
            .field("place", &self.place)
            .finish()
    }
}

/// The objects that the cluster should have, as git describes them.
///
/// Exhaustive: callers write it with `..Desired::default()`.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// The revision it was read at.
    pub revision: Option<Revision>,
    /// The objects, in no particular order.
    pub objects: Vec<DesiredObject>,
    /// The problems with what was read.
    ///
    /// With any error among these, nothing is pruned.
    pub findings: Vec<Finding>,
    /// Set if git says that nothing is to be synced.
    pub suspended: Option<Suspension>,
    /// The namespace of namespaced objects that name none; `None` for `default`.
    pub default_namespace: Option<String>,
}

impl Desired {
    /// Returns the scope of the observation that the planner needs for these objects.
    pub fn scope(&self) -> Scope {
        self.scope_if(|_, _| true)
    }

    /// Returns the same for those objects alone that the options let be touched.
    ///
    /// So nobody needs rights in the namespaces of the others.
    pub fn scope_within(&self, options: &SyncOptions) -> Scope {
        self.scope_if(|api_version, id| !options.excludes(api_version, id))
    }

    fn scope_if(&self, is_wanted: impl Fn(&str, &ResourceId) -> bool) -> Scope {
        // Few versions are many objects'.
        let mut versions: BTreeMap<&str, ApiVersion> = BTreeMap::new();
        let wanted = self.objects.iter().filter_map(|desired| {
            let id = object::written_id(&desired.object)?;
            let api_version = desired.object.api_version();
            if !is_wanted(api_version, id) {
                return None;
            }
            let record = job::record_id_of(id, &desired.object);
            let record = record.map(|id| Wanted { api_version: "v1".into(), id });
            let api_version = versions.entry(api_version).or_insert_with(|| api_version.into()).clone();
            let wanted = Wanted { api_version, id: id.clone() };
            Some(std::iter::once(wanted).chain(record))
        });
        Scope { wanted: wanted.flatten().collect(), default_namespace: self.default_namespace.clone() }
    }
}

/// The options of a sync.
///
/// Exhaustive: callers write it with `..SyncOptions::new(sync_set)`.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncOptions {
    /// The name of this sync set.
    pub sync_set: SyncSet,
    /// Former names of this sync set, or sets that it takes the place of.
    ///
    /// The objects that they created count as created by this set: they are marked anew, and pruned
    /// when git no longer names them. None by default.
    pub takes_over: Vec<SyncSet>,
    /// Sets that go on, and from which objects have moved to this one.
    ///
    /// The objects that they created count as created by this set once git names them here; nothing
    /// else of theirs is touched. None by default.
    pub moved_from: Vec<SyncSet>,
    /// Deletes objects that git no longer names.
    ///
    /// Off by default.
    pub prune: bool,
    /// Only says what pruning would delete, and deletes nothing.
    ///
    /// Off by default; it wins over `prune`.
    pub prune_dry_run: bool,
    /// Only reports the changes of others, and leaves them as they are, unless the annotation
    /// `fluxcd.io/drift: repair` in git says otherwise for an object.
    ///
    /// Off by default; `fluxcd.io/drift: report` turns it on for an object.
    pub report_drift: bool,
    /// The ids of objects, as `shop:job/migrate`, that may be deleted and created anew if the API
    /// server does not let a field be changed: as if git had the annotation `fluxcd.io/force` on
    /// them.
    ///
    /// None by default.
    pub force: BTreeSet<String>,
    /// The namespaces that may be touched; `None` for all.
    pub namespaces: Option<Vec<String>>,
    /// Lets pruning delete more than half of what is ours.
    ///
    /// Off by default: a sync that would delete more than ten objects and more than half of all
    /// prunes nothing.
    pub prune_all: bool,
    /// Set if nothing is to be synced: every object is left as it is.
    ///
    /// None by default.
    pub suspended: Option<Suspension>,
}

impl SyncOptions {
    /// Returns the options of a sync set that prunes nothing and may touch every namespace.
    pub fn new(sync_set: SyncSet) -> Self {
        Self {
            sync_set,
            takes_over: Vec::new(),
            moved_from: Vec::new(),
            prune: false,
            prune_dry_run: false,
            report_drift: false,
            force: BTreeSet::new(),
            namespaces: None,
            prune_all: false,
            suspended: None,
        }
    }

    /// Returns the sync sets whose marks are heeded.
    pub(super) fn sets(&self) -> Sets<'_> {
        Sets { own: &self.sync_set, takes_over: &self.takes_over, moved_from: &self.moved_from }
    }

    /// Returns `true` if an object says itself that it is in a namespace that must not be touched.
    pub(super) fn excludes(&self, api_version: &str, written: &ResourceId) -> bool {
        let is_elsewhere = self
            .namespaces
            .as_ref()
            .zip(written.namespace())
            .is_some_and(|(all, one)| !all.iter().any(|namespace| namespace == one));
        is_elsewhere && scope_of(api_version, written.kind()) != Some(manifest::Scope::Cluster)
    }
}
