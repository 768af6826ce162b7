//! Objects as they stand in files: [`ParsedFile`], [`Resource`] and its annotations.

use std::{collections::BTreeMap, sync::Arc};

use super::{CLUSTER, Container, DocumentId, ScalarRef, Scope, WorkloadId, scope_of};
use crate::{
    api_version::ApiVersion, finding::Problem, object::Object, position::Position, repo_path::RepoPath,
};
use serde::{Deserialize, Serialize};

/// The parse of one file.
///
/// It holds no path: equal bytes have equal parses.
///
/// Exhaustive: caches and readers of other formats make it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ParsedFile {
    /// The objects, in the order in which they stand.
    ///
    /// Items of a list stand as objects of their own.
    pub resources: Vec<Resource>,
    /// The problems of the parts that could not be read.
    ///
    /// The rest of the file is used.
    pub problems: Vec<Problem>,
}

/// One Kubernetes object of a file.
///
/// Exhaustive: caches and readers of other formats make it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// `apiVersion`.
    pub api_version: ApiVersion,
    /// `kind`, as written.
    pub kind: String,
    /// `metadata.namespace`, if written.
    pub namespace: Option<String>,
    /// `metadata.name`.
    pub name: String,
    /// The position at which the object starts.
    pub position: Position,
    /// The object as Kubernetes reads it.
    pub object: Object,
    /// `true` if SOPS has encrypted the document.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub encrypted: bool,
    /// The annotations, with the positions of their values.
    pub annotations: BTreeMap<String, Annotation>,
    /// The containers, if this is a workload: containers, then init containers, then ephemeral
    /// ones.
    pub workload: Option<Vec<Container>>,
    /// The scalars that may hold images, if the kind of the object does not define where images
    /// stand.
    ///
    /// A rule in another file may define it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scalars: Vec<ScalarRef>,
    /// The labels that may repeat the tag of a container: `version` and
    /// `app.kubernetes.io/version`, of the object and of its pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub version_labels: Vec<ScalarRef>,
}

impl Resource {
    /// Returns the API group; empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version.group()
    }

    /// Returns `true` if an id may name this object.
    ///
    /// An object without a namespace of its own is in `default_namespace`, or in none if its kind
    /// is cluster-scoped; for kinds that are not built in, either may be the case.
    pub fn is(&self, id: &WorkloadId, default_namespace: &str) -> bool {
        let is_there = match (self.namespace.as_deref(), scope_of(self.api_version.as_str(), &self.kind)) {
            (_, Some(Scope::Cluster)) => id.namespace() == CLUSTER,
            (Some(namespace), _) => id.namespace() == namespace,
            (None, Some(Scope::Namespaced)) => id.namespace() == default_namespace,
            (None, None) => [default_namespace, CLUSTER].contains(&id.namespace()),
        };
        is_there
            && self.name == id.name()
            && self.kind.to_lowercase() == id.kind()
            && id.group().is_none_or(|group| self.group().eq_ignore_ascii_case(group))
    }

    /// Returns `true` if SOPS has encrypted the document.
    ///
    /// It is not the object that the cluster should get, and an edit would invalidate its MAC.
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }
}

impl DocumentId {
    /// Returns the document; `None` if these files do not have it.
    pub fn find<'a>(&self, files: &'a BTreeMap<RepoPath, Arc<ParsedFile>>) -> Option<&'a Resource> {
        files.get(&self.path)?.resources.get(self.index)
    }
}

/// The value of an annotation and its position.
///
/// Exhaustive: callers make those that a workload is to get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// The value.
    pub value: String,
    /// The position of the value.
    pub position: Position,
}
