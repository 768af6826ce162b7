//! Objects as they stand in files: [`ParsedFile`], [`Resource`] and its annotations.

use std::{collections::BTreeMap, sync::Arc};

use super::{CLUSTER, Container, DocumentId, ScalarRef, Scope, WorkloadId, scope_of};
use crate::{
    api_version::ApiVersion, finding::Problem, object::Object, position::Position, repo_path::RepoPath,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
    pub annotations: Annotations,
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

impl ParsedFile {
    /// Returns the bytes that it takes in memory, about.
    #[cfg(feature = "deployer")]
    pub(crate) fn footprint(&self) -> usize {
        let resources = self.resources.iter().map(Resource::footprint);
        resources.sum::<usize>() + self.problems.len() * size_of::<Problem>()
    }
}

impl Resource {
    #[cfg(feature = "deployer")]
    fn footprint(&self) -> usize {
        let Self { kind, name, namespace, object, annotations, workload, scalars, version_labels, .. } = self;
        let texts = kind.len() + name.len() + namespace.as_ref().map_or(0, String::len);
        let annotations = annotations
            .iter()
            .map(|(key, annotation)| size_of::<(String, Annotation)>() + key.len() + annotation.value.len());
        let containers = workload.iter().flatten().map(|container| {
            let sites =
                container.sites.iter().map(|site| size_of_val(site) + site.pointer.len() + site.source.len());
            size_of_val(container) + container.name.len() + sites.sum::<usize>()
        });
        let scalars = scalars.iter().chain(version_labels).map(|one| size_of_val(one) + one.text.len());
        let parts = annotations.sum::<usize>() + containers.sum::<usize>() + scalars.sum::<usize>();
        size_of::<Self>() + texts + object.footprint() + parts
    }

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

/// The annotations of an object by their keys, in order.
///
/// Most objects have none or a few, for which a list takes a tenth of the memory of a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations(Box<[(String, Annotation)]>);

impl Annotations {
    /// Returns an annotation.
    pub fn get(&self, key: &str) -> Option<&Annotation> {
        let at = self.0.binary_search_by(|(other, _)| other.as_str().cmp(key)).ok()?;
        self.0.get(at).map(|(_, annotation)| annotation)
    }

    /// Returns `true` if there is an annotation of this key.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Returns all of them, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Annotation)> {
        self.0.iter().map(|(key, annotation)| (key.as_str(), annotation))
    }

    /// Returns all of them to be changed, by key.
    #[cfg(feature = "deployer")]
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Annotation)> {
        self.0.iter_mut().map(|(key, annotation)| (key.as_str(), annotation))
    }
}

impl FromIterator<(String, Annotation)> for Annotations {
    /// Of several of one key, the last counts.
    fn from_iter<I: IntoIterator<Item = (String, Annotation)>>(annotations: I) -> Self {
        let by_key: BTreeMap<String, Annotation> = annotations.into_iter().collect();
        Self(by_key.into_iter().collect())
    }
}

impl Serialize for Annotations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Annotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(BTreeMap::<String, Annotation>::deserialize(deserializer)?.into_iter().collect())
    }
}
