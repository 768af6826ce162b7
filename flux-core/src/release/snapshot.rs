//! Snapshots: everything that a plan is made from.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    backend::{Commit, Completeness, Error as BackendError, Images, Observation, Revision, Tags},
    image::{CanonicalName, DatePreference, ImageInfo, ImageName, InvalidImage, Tag},
    manifest::{ParsedFile, WorkloadId},
    manifest_set::Manifests,
    repo_path::{InvalidPath, RepoPath},
    workload,
};

/// Everything that a plan is made from.
///
/// ```
/// use flux_core::release::{self, Request, Snapshot};
///
/// let manifest = r#"
/// apiVersion: apps/v1
/// kind: Deployment
/// metadata: {name: web, namespace: shop, annotations: {fluxcd.io/automated: "true"}}
/// spec: {template: {spec: {containers: [{name: web, image: "team/web:1.4.0"}]}}}
/// "#;
/// let snapshot = Snapshot::of_files([("web.yaml", manifest)])?
///     .with_images("team/web", ["1.4.0", "1.4.7"])?;
/// let plan = release::plan(&snapshot, &Request::automation(), "2026-11-21T12:00:00Z".parse()?);
/// // The default pattern orders by build date, and none is known.
/// assert_eq!(plan.verdict("shop:deployment/web").unwrap().reason.as_str(), "no-timestamp");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Exhaustive: callers make it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The revision that the manifests were read at.
    pub base: Revision,
    /// The manifests that git describes.
    pub manifests: Arc<Manifests>,
    /// The facts of the registries, as far as they were asked.
    pub images: ImageFacts,
    /// The workloads that the cluster has; `None` where a composition has no cluster to ask.
    pub cluster: Option<ClusterFacts>,
    /// The texts of files, as far as they were asked for, by path.
    pub sources: BTreeMap<RepoPath, Bytes>,
    /// The files that were asked for and whose texts cannot be had.
    ///
    /// They are not edited.
    pub unreadable: BTreeSet<RepoPath>,
    /// The commits that changed files, as far as they were asked for, by path: the newest first.
    ///
    /// `None` where a composition has no history to ask; then nothing is known to have been taken
    /// back.
    pub past: Option<BTreeMap<RepoPath, Vec<PastFile>>>,
    /// The manifests of other revisions, as far as they were asked for; `None` where there is no
    /// such revision.
    pub revisions: BTreeMap<Revision, Option<Arc<Manifests>>>,
}

impl Snapshot {
    /// Makes a snapshot of manifests, with nothing asked yet.
    pub fn new(base: Revision, manifests: Arc<Manifests>) -> Self {
        Self {
            base,
            manifests,
            images: ImageFacts::default(),
            cluster: None,
            sources: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            past: None,
            revisions: BTreeMap::new(),
        }
    }

    /// Makes a snapshot of files by their paths, with their texts: for tests of policies, and
    /// wherever no repository is at hand.
    ///
    /// The revision is `none`.
    ///
    /// # Errors
    /// [`InvalidPath`] if a file could not have its path.
    pub fn of_files<P, T>(files: impl IntoIterator<Item = (P, T)>) -> Result<Self, InvalidPath>
    where
        P: TryInto<RepoPath, Error: Into<InvalidPath>>,
        T: AsRef<[u8]>,
    {
        let source = |(path, text): (P, T)| {
            Ok((path.try_into().map_err(Into::into)?, Bytes::copy_from_slice(text.as_ref())))
        };
        let sources: BTreeMap<RepoPath, Bytes> =
            files.into_iter().map(source).collect::<Result<_, InvalidPath>>()?;
        let parse = |(path, text): (&RepoPath, &Bytes)| (path.clone(), Arc::new(workload::parse(text)));
        let manifests = Manifests::new(sources.iter().map(parse).collect());
        Ok(Self { sources, ..Self::new(Revision::new("none"), Arc::new(manifests)) })
    }

    /// Adds a repository with all its tags, each an image of which nothing else is known.
    ///
    /// # Errors
    /// [`InvalidImage`] if a text is not a name or a tag.
    pub fn with_images<T: AsRef<str>>(
        mut self,
        name: &str,
        tags: impl IntoIterator<Item = T>,
    ) -> Result<Self, InvalidImage> {
        self.images.change(name, |facts| {
            for tag in tags {
                let tag = Tag::try_from(tag.as_ref())?;
                facts.tags.push(tag.clone());
                facts.images.entry(tag).or_insert_with(|| Ok(ImageInfo::default()));
            }
            Ok(())
        })?;
        Ok(self)
    }

    /// Adds a tag of a repository, with its image.
    ///
    /// # Errors
    /// [`InvalidImage`] if a text is not a name or a tag.
    pub fn with_image(mut self, name: &str, tag: &str, info: ImageInfo) -> Result<Self, InvalidImage> {
        self.images.change(name, |facts| {
            let tag = Tag::try_from(tag)?;
            if !facts.tags.contains(&tag) {
                facts.tags.push(tag.clone());
            }
            facts.images.insert(tag, Ok(info));
            Ok(())
        })?;
        Ok(self)
    }
}

/// A commit that changed a file, with the file before it.
///
/// Exhaustive: callers make it.
#[derive(Clone, Debug)]
pub struct PastFile {
    /// The commit.
    pub commit: Commit,
    /// The file before it; `None` if it was not there.
    pub before: Option<Arc<ParsedFile>>,
}

/// The workloads that a cluster has.
///
/// Exhaustive: callers make it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterFacts {
    /// Their ids.
    pub workloads: BTreeSet<WorkloadId>,
    /// `true` if these are all.
    pub complete: bool,
}

/// The facts of the registries, by canonical name.
///
/// Exhaustive: callers make it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// One entry a repository asked for.
    pub repositories: BTreeMap<CanonicalName, Result<RepositoryFacts, BackendError>>,
}

/// The facts of one image repository.
///
/// Exhaustive: callers make it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RepositoryFacts {
    /// Its tags, in no particular order.
    pub tags: Tags,
    /// Says if these are all.
    pub completeness: Completeness,
    /// The images of the tags that were asked for.
    pub images: Images,
    /// Which of the dates of its images count first, where no policy of a workload says.
    #[serde(default)]
    pub dates: DatePreference,
}

impl RepositoryFacts {
    /// Makes facts of an observation of the tags, with no images yet.
    pub fn of(tags: Observation<Tags>) -> Self {
        Self {
            tags: tags.value,
            completeness: tags.completeness,
            images: Images::new(),
            dates: DatePreference::default(),
        }
    }
}

impl ImageFacts {
    /// Returns the facts of a repository; `None` if it was not asked.
    pub fn get(&self, name: &ImageName) -> Option<&Result<RepositoryFacts, BackendError>> {
        self.repositories.get(&name.canonical())
    }

    /// Changes the facts of a repository; a new one is complete and empty.
    fn change(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut RepositoryFacts) -> Result<(), InvalidImage>,
    ) -> Result<(), InvalidImage> {
        let name = name.parse::<ImageName>()?.canonical();
        let mut facts = match self.repositories.remove(&name) {
            Some(Ok(facts)) => facts,
            _ => RepositoryFacts {
                tags: Tags::new(),
                completeness: Completeness::Complete,
                images: Images::new(),
                dates: DatePreference::default(),
            },
        };
        change(&mut facts)?;
        self.repositories.insert(name, Ok(facts));
        Ok(())
    }
}
