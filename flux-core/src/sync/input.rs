//! The inputs of the planner: what git describes, and how it is to be synced.

use std::{fmt, sync::Arc};

use serde_json::Value;

use super::{SyncSet, object};
use crate::{
    backend::{Revision, Scope, Wanted},
    finding::{Finding, Place},
    plan::redacted::Redacted,
};

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
            .field("object", &Redacted(&self.object))
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
