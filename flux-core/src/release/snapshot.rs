//! What was seen, and what must still be asked: the inputs of the planner.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    backend::{Commit, Completeness, Error, Images, Observation, Revision, Tags},
    image::{CanonicalName, ImageName, Tag},
    manifest::{Manifests, ParsedFile, WorkloadId},
};

/// Everything a plan is made from.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The revision that the manifests were read at.
    pub base: Revision,
    /// What git describes.
    pub manifests: Arc<Manifests>,
    /// What the registries hold, as far as it was asked.
    pub images: ImageFacts,
    /// Which workloads the cluster has; none where a composition has no cluster to ask.
    pub cluster: Option<ClusterFacts>,
    /// The texts of files, as far as they were asked for, by path.
    pub sources: BTreeMap<String, Bytes>,
    /// The files whose edits could not be proven when a plan was carried out before, with the reason. Their images are left as they are; what
    /// changes policies in them is proven workload by workload, and left out where it cannot be.
    pub unproven: BTreeMap<String, String>,
    /// What the commits did to files, as far as it was asked for, by path: the newest commit first. None where a composition has no history to
    /// ask; then nothing is known to have been taken back.
    pub past: Option<BTreeMap<String, Vec<PastFile>>>,
    /// What git described at other revisions, as far as it was asked for; none where there is no such revision.
    pub revisions: BTreeMap<Revision, Option<Arc<Manifests>>>,
}

impl Snapshot {
    /// A snapshot of manifests, with nothing asked yet.
    pub fn new(base: Revision, manifests: Arc<Manifests>) -> Self {
        Self {
            base,
            manifests,
            images: ImageFacts::default(),
            cluster: None,
            sources: BTreeMap::new(),
            unproven: BTreeMap::new(),
            past: None,
            revisions: BTreeMap::new(),
        }
    }
}

/// A commit that changed a file, and what the file was before.
#[derive(Clone, Debug)]
pub struct PastFile {
    /// The commit.
    pub commit: Commit,
    /// The file before it; none if it was not there.
    pub before: Option<Arc<ParsedFile>>,
}

/// The workloads that a cluster has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterFacts {
    /// Their ids.
    pub workloads: BTreeSet<WorkloadId>,
    /// Whether these are all.
    pub complete: bool,
}

/// What the registries hold, by canonical name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// One entry a repository asked for.
    pub repositories: BTreeMap<CanonicalName, Result<RepositoryFacts, Error>>,
}

/// What one image repository holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RepositoryFacts {
    /// Its tags, in no particular order.
    pub tags: Tags,
    /// Whether these are all.
    pub completeness: Completeness,
    /// What was learnt of the tags asked for.
    pub images: Images,
}

impl RepositoryFacts {
    /// Of an observation of its tags, with no details yet.
    pub fn of(tags: Observation<Tags>) -> Self {
        Self { tags: tags.value, completeness: tags.completeness, images: Images::new() }
    }
}

impl ImageFacts {
    /// What is known of a repository; none if it was not asked.
    pub fn get(&self, name: &ImageName) -> Option<&Result<RepositoryFacts, Error>> {
        self.repositories.get(&name.canonical())
    }
}

/// What must be asked before a plan can be made. Empty when everything is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// Repositories whose tags are needed.
    pub tags: BTreeMap<CanonicalName, ImageName>,
    /// Tags of which details are needed.
    pub details: BTreeMap<CanonicalName, (ImageName, BTreeSet<Tag>)>,
    /// Files whose text is needed.
    pub sources: BTreeSet<String>,
    /// Files whose past is needed: the commits that changed them.
    pub past: BTreeSet<String>,
    /// Revisions whose manifests are needed.
    pub revisions: BTreeSet<Revision>,
}

impl Needs {
    /// Whether nothing needs to be asked.
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }

    /// Adds a repository whose tags are needed.
    pub(crate) fn tags_of(&mut self, name: &ImageName) {
        self.tags.entry(name.canonical()).or_insert_with(|| name.clone());
    }

    /// Adds tags of which details are needed. Workloads of one repository mostly ask for the same ones: given in ascending order, those are only compared.
    pub(crate) fn details_of(&mut self, name: &ImageName, tags: &[Tag]) {
        if tags.is_empty() {
            return;
        }
        let (_, there) =
            self.details.entry(name.canonical()).or_insert_with(|| (name.clone(), BTreeSet::new()));
        let mut known = there.iter();
        if !tags.iter().all(|tag| known.any(|other| other == tag)) {
            there.extend(tags.iter().cloned());
        }
    }
}
