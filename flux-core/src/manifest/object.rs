//! Objects as they stand in files: [`ParsedFile`], [`Resource`] and its annotations.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CLUSTER, Container, ScalarRef, Scope, WorkloadId, scope_of, sops};
use crate::finding::Problem;

/// Everything that was read of one file. Holds no path: equal bytes have equal parses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ParsedFile {
    /// The objects, in the order in which they stand. Items of a list stand as objects of their own.
    pub resources: Vec<Resource>,
    /// What could not be read. The rest of the file is used.
    pub problems: Vec<Problem>,
}

/// One Kubernetes object of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`, as written.
    pub kind: String,
    /// `metadata.namespace`, if written.
    pub namespace: Option<String>,
    /// `metadata.name`.
    pub name: String,
    /// Where the object starts: line, counted from 1.
    pub line: u32,
    /// Where the object starts: column in characters, counted from 1.
    pub column: u32,
    /// The object as Kubernetes reads it.
    pub object: Arc<Value>,
    /// The annotations, with the places of their values.
    pub annotations: BTreeMap<String, Annotation>,
    /// The containers, if this is a workload: containers, then init containers, then ephemeral ones.
    pub workload: Option<Vec<Container>>,
    /// The scalars that may hold images, of objects whose kind says nothing of where images stand: rules in another file may say it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scalars: Vec<ScalarRef>,
    /// The labels that may repeat the tag of a container: `version` and `app.kubernetes.io/version`, of the object and of its pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub version_labels: Vec<ScalarRef>,
}

impl Resource {
    /// The API group; empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Returns whether it may be what an id names.
    ///
    /// If it names no namespace itself, it is in `default`, or in none if its kind is scoped to the
    /// cluster; of kinds that are not built in, either may be the case.
    pub fn is(&self, id: &WorkloadId) -> bool {
        let is_there = match (self.namespace.as_deref(), scope_of(&self.api_version, &self.kind)) {
            (_, Some(Scope::Cluster)) => id.namespace() == CLUSTER,
            (Some(namespace), _) => id.namespace() == namespace,
            (None, Some(Scope::Namespaced)) => id.namespace() == "default",
            (None, None) => matches!(id.namespace(), "default" | CLUSTER),
        };
        is_there
            && self.name == id.name()
            && self.kind.to_lowercase() == id.kind()
            && id.group().is_none_or(|group| self.group().eq_ignore_ascii_case(group))
    }

    /// Whether SOPS has encrypted the document: it is not what the cluster should get, and an edit would break its seal.
    pub fn is_encrypted(&self) -> bool {
        self.object.as_object().is_some_and(sops::is_sealed)
    }
}

/// The value of an annotation and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// The value.
    pub value: String,
    /// Line, counted from 1.
    pub line: u32,
    /// Column in characters, counted from 1.
    pub column: u32,
}
