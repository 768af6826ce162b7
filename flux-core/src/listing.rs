//! Lists as data: workloads with the images that run, and images with the tags that could run.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    backend::RolloutState,
    finding::Findings,
    image::{ArtifactKind, Digest, Tag},
    manifest::WorkloadId,
};

/// A list, and the findings about the parts that could not be listed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Listing<T> {
    /// The entries, sorted by id.
    pub entries: Vec<T>,
    /// The findings.
    pub findings: Findings,
}

/// A workload with the images that run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WorkloadView {
    /// Its id.
    pub id: WorkloadId,
    /// Its containers: as the cluster runs them, or as git has them if the cluster does not have
    /// the workload.
    pub containers: Vec<ContainerView>,
    /// The progress of its rollout.
    pub status: RolloutState,
    /// Its policies by v1's names, with their values as written.
    pub policies: BTreeMap<String, String>,
}

/// A container with its image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ContainerView {
    /// Its name.
    pub name: String,
    /// Its image as written.
    pub image: String,
    /// The images that its pods run, by digest; empty if the pods were not asked for, or do not
    /// tell.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub running: Vec<RunningImage>,
}

/// An image that pods run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RunningImage {
    /// Its digest.
    pub digest: Digest,
    /// How many pods run it.
    pub pods: usize,
}

impl RunningImage {
    /// Makes an entry.
    #[cfg(feature = "deployer")]
    pub(crate) fn new(digest: Digest, pods: usize) -> Self {
        Self { digest, pods }
    }
}

/// A workload with the images that its containers could run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ImagesView {
    /// Its id.
    pub id: WorkloadId,
    /// Its containers.
    pub containers: Vec<ContainerImages>,
}

/// A container with the tags of its image repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ContainerImages {
    /// Its name.
    pub name: String,
    /// Its image as the cluster runs it, or as git has it if the cluster does not have the
    /// workload.
    pub current: String,
    /// All tags, newest first by the container's pattern; artifacts come last.
    pub available: Vec<AvailableTag>,
}

/// A tag of an image repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AvailableTag {
    /// The tag.
    pub tag: Tag,
    /// The time when its image was built; `None` if unknown.
    pub created: Option<Timestamp>,
    /// The digest that the tag points to; `None` if unknown.
    pub digest: Option<Digest>,
    /// The kind of artifact under the tag; `None` if there is or may be an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<ArtifactKind>,
    /// `true` if the container's pattern matches the tag, and it is no artifact.
    pub matches: bool,
}
