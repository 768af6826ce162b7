//! [`Deployer`]: the composition of the backends.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use super::{DeployError, LoadedRepo, MemoryParseCache, Options, ParseCache, loader, standing};
use crate::{
    backend::{Clock, Cluster, ConfigRepo, Registry, Revision, SystemClock},
    footprint::Footprint,
    generate::Generation,
    policy::Suspension,
    sync::Contests,
};

/// The composition of the three backends.
///
/// Cheap to clone; clones share what was read and parsed.
///
/// ```
/// use std::sync::Arc;
///
/// use flux_core::{
///     deployer::Deployer,
///     image::ImageInfo,
///     memory::{MemoryCluster, MemoryRegistry, MemoryRepo},
///     release::Request,
///     sync::{SyncOptions, SyncSet},
/// };
///
/// # futures::executor::block_on(async {
/// let manifest = r#"
/// apiVersion: apps/v1
/// kind: Deployment
/// metadata:
///   name: web
///   namespace: shop
///   annotations: {fluxcd.io/tag.web: "semver:~1"}
/// spec: {template: {spec: {containers: [{name: web, image: "team/web:1.0"}]}}}
/// "#;
/// let name = "team/web".parse()?;
/// let registry = MemoryRegistry::new().with_image(&name, "1.1".parse()?, ImageInfo::default());
/// let deployer = Deployer::new(
///     Arc::new(MemoryRepo::new([("web.yaml", manifest)])),
///     Arc::new(registry),
///     Arc::new(MemoryCluster::new()),
/// );
///
/// // Make the cluster equal to git.
/// let options = SyncOptions::new(SyncSet::new("shop"));
/// let report = deployer.sync(&options, &()).await?;
/// assert_eq!(report.to_string(), "created shop:deployment/web (not-in-cluster)\n");
///
/// // Plan a release, read the plan, and carry it out.
/// let request = Request::latest("shop:deployment/web".parse()?);
/// let released = deployer.plan_release(&request).await?;
/// assert_eq!(released.plan.edits[0].edit.after, "\"team/web:1.1\"");
/// let report = deployer.carry_out(released).await?;
/// assert!(report.revision.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Deployer {
    pub(crate) repo: Arc<dyn ConfigRepo>,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) cluster: Arc<dyn Cluster>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(super) loader: Arc<loader::Loader>,
    pub(crate) options: Options,
    pub(super) contests: Arc<Contests>,
    pub(super) standing: Arc<standing::Standing>,
    /// The suspension of the set that git had last.
    pub(super) suspended: Arc<Mutex<Option<Suspension>>>,
}

impl fmt::Debug for Deployer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deployer")
            .field("repo", &self.repo)
            .field("registry", &self.registry)
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}

impl Deployer {
    /// Composes three backends, with the machine's clock and a parse cache in memory.
    pub fn new(repo: Arc<dyn ConfigRepo>, registry: Arc<dyn Registry>, cluster: Arc<dyn Cluster>) -> Self {
        let loader = loader::Loader::new(Arc::new(MemoryParseCache::default()), Generation::default());
        Self {
            repo,
            registry,
            cluster,
            clock: Arc::new(SystemClock),
            loader: Arc::new(loader),
            options: Options::default(),
            contests: Arc::default(),
            standing: Arc::default(),
            suspended: Arc::default(),
        }
    }

    /// Takes the time from `clock`.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Keeps parsed files in `cache`, which may outlive the process.
    #[must_use]
    pub fn with_parse_cache(self, cache: Arc<dyn ParseCache>) -> Self {
        Self { loader: Arc::new(self.loader.with_cache(cache)), ..self }
    }

    /// Generates manifests as `generation` says.
    ///
    /// By default no command of the repository is run, and a path whose manifests commands would
    /// make is a finding.
    #[must_use]
    pub fn with_generation(self, generation: Generation) -> Self {
        Self { loader: Arc::new(self.loader.with_generation(generation)), ..self }
    }

    /// Keeps to other limits.
    #[must_use]
    pub fn with_options(self, options: Options) -> Self {
        Self { options, ..self }
    }

    /// Returns what is kept in memory, part by part: of git, of the last sync, and of the cluster.
    pub fn footprint(&self) -> Vec<Footprint> {
        let loaded = self.loader.last();
        let files = loaded.iter().flat_map(|loaded| loaded.manifests.files().values());
        let mut parts = vec![Footprint::of("files of git", files.map(|file| file.footprint()))];
        parts.push(self.standing.footprint());
        parts.extend(self.cluster.footprint());
        parts
    }

    /// Returns its limits and rules.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Asks upstream for the tip of the branch, without reading it.
    ///
    /// # Errors
    /// Those of [`ConfigRepo::head`].
    pub async fn head(&self) -> Result<Revision, DeployError> {
        Ok(self.repo.head().await?)
    }

    /// Waits until the cluster reports that somebody changed an object: see [`Cluster::changed`].
    pub async fn cluster_changed(&self) {
        self.cluster.changed().await;
    }

    /// Loads what git describes at the tip.
    ///
    /// Files that were parsed before are not read again.
    ///
    /// # Errors
    /// Those of [`ConfigRepo`]. Mistakes in single files are findings.
    pub async fn load(&self) -> Result<Arc<LoadedRepo>, DeployError> {
        let head = self.repo.head().await?;
        self.load_at(&head).await
    }

    pub(crate) async fn load_at(&self, revision: &Revision) -> Result<Arc<LoadedRepo>, DeployError> {
        self.loader.load(&*self.repo, revision, &*self.clock, &self.options).await
    }
}
