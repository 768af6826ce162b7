//! The shared part of the reference binaries: the flags for the backends, and their composition.

mod cache;
mod cluster_file;
mod failure;
pub(crate) mod flags;

use std::{
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Args;
use flux::{
    backend::{Clock, Cluster, FixedClock, Registry, SystemClock},
    deployer::{Deployer, MemoryParseCache, Options, ParseCache},
    generate::{Generation, in_view},
    git::{self, GitRepo},
    k8s::KubeCluster,
    memory::{ImagesFile, MemoryCluster, MemoryRegistry},
    registry::{Credentials, OciRegistry},
    sync::{SyncOptions, SyncSet},
};
use flux_generate::ProcessGenerator;
use jiff::Timestamp;

pub(crate) use cluster_file::ClusterFile;
pub(crate) use failure::Failure;

/// The flags that choose the backends. They stand before or after the verb; each can be set in the
/// environment.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Backends")]
pub(crate) struct BackendArgs {
    /// The config repository: a path, file://, http(s)://, ssh:// or user@host:path
    #[arg(long, global = true, env = "FLUX_GIT_URL", value_name = "URL", hide_env_values = true)]
    pub(crate) git_url: Option<String>,
    /// The branch [default: the remote's HEAD]
    #[arg(long, global = true, env = "FLUX_GIT_BRANCH", value_name = "BRANCH")]
    pub(crate) git_branch: Option<String>,
    /// A path in the repository that holds manifests; repeatable [default: the whole repository]
    #[arg(long, global = true, env = "FLUX_GIT_PATH", value_name = "PATH", value_delimiter = ',')]
    pub(crate) git_path: Vec<String>,
    /// The private key for git over SSH [default: the SSH agent]
    #[arg(long, global = true, env = "FLUX_GIT_SSH_IDENTITY", value_name = "FILE")]
    pub(crate) git_ssh_identity: Option<PathBuf>,
    /// The known host keys for git over SSH [default: ~/.ssh/known_hosts]
    #[arg(long, global = true, env = "FLUX_GIT_KNOWN_HOSTS", value_name = "FILE")]
    pub(crate) git_known_hosts: Option<PathBuf>,
    /// A certificate authority for git over HTTPS
    #[arg(long, global = true, env = "FLUX_GIT_CA_FILE", value_name = "FILE")]
    pub(crate) git_ca_file: Option<PathBuf>,
    /// The kubeconfig [default: $KUBECONFIG, ~/.kube/config or the pod's own account]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig [default: its current context]
    #[arg(long, global = true, env = "FLUX_KUBE_CONTEXT", value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// A namespace that may be looked at and touched; repeatable. A Role in each is then enough
    /// [default: all]
    #[arg(
        long,
        global = true,
        env = "FLUX_K8S_ALLOW_NAMESPACE",
        value_name = "NAMESPACE",
        value_delimiter = ','
    )]
    pub(crate) k8s_allow_namespace: Vec<String>,
    /// The namespace of objects that name none
    #[arg(
        long,
        global = true,
        env = "FLUX_K8S_DEFAULT_NAMESPACE",
        value_name = "NAMESPACE",
        default_value = "default"
    )]
    pub(crate) k8s_default_namespace: String,
    /// The account in whose name the cluster is asked, as
    /// system:serviceaccount:NAMESPACE:NAME; the own one needs the right to impersonate it
    #[arg(long, global = true, env = "FLUX_K8S_IMPERSONATE", value_name = "USER")]
    pub(crate) k8s_impersonate: Option<String>,
    /// Write Kubernetes Events about what syncs do, beside the objects
    #[arg(long, global = true, env = "FLUX_K8S_EVENTS")]
    pub(crate) k8s_events: bool,
    /// Look at everything again at each sync, and compare its plan with one that is made from
    /// nothing
    #[arg(long, global = true, env = "FLUX_RECHECK")]
    pub(crate) recheck: bool,
    /// Instead of a real cluster: `memory` (runs what the repository's tip says), or a file that
    /// holds the cluster's objects
    #[arg(long, global = true, env = "FLUX_CLUSTER", value_name = "memory|FILE", conflicts_with_all = ["kubeconfig", "context"])]
    pub(crate) cluster: Option<String>,
    /// Instead of real registries: a YAML file, image name → list of {tag, created?, digest?,
    /// labels?, platforms?, artifact?, error?}
    #[arg(long, global = true, env = "FLUX_IMAGES", value_name = "FILE")]
    pub(crate) images: Option<PathBuf>,
    /// The registry credentials; the helpers that it names are run
    /// [default: $DOCKER_CONFIG/config.json or ~/.docker/config.json]
    #[arg(long, global = true, env = "FLUX_DOCKER_CONFIG", value_name = "FILE")]
    pub(crate) docker_config: Option<PathBuf>,
    /// A registry host to talk plain HTTP with; repeatable (loopback addresses always are)
    #[arg(
        long,
        global = true,
        env = "FLUX_REGISTRY_INSECURE_HOST",
        value_name = "HOST",
        value_delimiter = ','
    )]
    pub(crate) registry_insecure_host: Vec<String>,
    /// A certificate authority for registries
    #[arg(long, global = true, env = "FLUX_REGISTRY_CA_FILE", value_name = "FILE")]
    pub(crate) registry_ca_file: Option<PathBuf>,
    /// An image repository whose images are dated by their labels
    /// (`org.opencontainers.image.created`, `org.label-schema.build-date`): a glob of canonical
    /// names; repeatable, an empty text for none
    #[arg(
        long,
        global = true,
        env = "FLUX_REGISTRY_USE_LABELS",
        value_name = "GLOB",
        value_delimiter = ',',
        default_value = "index.docker.io/weaveworks/*,index.docker.io/fluxcd/*"
    )]
    pub(crate) registry_use_labels: Vec<String>,
    /// Run the commands of .flux.yaml files, and kustomize, to make manifests: whoever can write to
    /// the repository then runs commands here
    #[arg(long, global = true, env = "FLUX_MANIFEST_GENERATION", num_args = 0..=1, default_missing_value = "true", default_value_t = false, action = clap::ArgAction::Set, require_equals = true, value_name = "BOOL")]
    pub(crate) manifest_generation: bool,
    /// How long such a command may run that says nothing itself
    #[arg(long, global = true, env = "FLUX_SYNC_TIMEOUT", default_value = "1m", value_parser = duration, value_name = "DURATION")]
    pub(crate) sync_timeout: Duration,
    /// The time to take for now, RFC 3339
    #[arg(long, global = true, env = "FLUX_NOW", value_name = "TIME")]
    pub(crate) now: Option<Timestamp>,
    /// Where the mirror and what was parsed are kept [default: $XDG_CACHE_HOME/flux or
    /// ~/.cache/flux]
    #[arg(long, global = true, env = "FLUX_CACHE_DIR", value_name = "DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
}

/// The composition that the flags describe.
#[derive(Debug)]
pub(crate) struct Composition {
    /// The deployer over the three backends.
    pub(crate) deployer: Deployer,
    /// The repository.
    pub(crate) repo: Arc<GitRepo>,
    /// The address of the repository, as it was given.
    pub(crate) url: String,
    /// The paths in it, as they were given.
    pub(crate) paths: Vec<String>,
    /// The namespaces that may be touched; `None` for all.
    pub(crate) namespaces: Option<Vec<String>>,
    /// The file that holds the cluster, if there is one.
    pub(crate) cluster_file: Option<ClusterFile>,
}

/// The flags of a sync.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct SyncArgs {
    /// The name of the sync set: what one configuration keeps equal to one cluster [default: made
    /// of the URL, the branch and the paths]
    #[arg(long, env = "FLUX_SYNC_SET", value_name = "NAME")]
    sync_set: Option<String>,
    /// A sync set whose objects this one takes over, marks anew and may prune; repeatable
    #[arg(long, value_name = "NAME")]
    take_over: Vec<String>,
    /// A sync set that goes on, and from which objects have moved to this one; repeatable
    #[arg(long, value_name = "NAME")]
    moved_from: Vec<String>,
    /// Delete what this tool created and git no longer names
    #[arg(long, visible_alias = "sync-garbage-collection")]
    prune: bool,
    /// Only say what --prune would delete
    #[arg(long, visible_alias = "sync-garbage-collection-dry")]
    prune_dry_run: bool,
    /// Let --prune delete more than half of the objects at once
    #[arg(long)]
    prune_all: bool,
}

impl Composition {
    /// Returns the options of a sync.
    ///
    /// The branch is asked for where none was given: its name is part of the name of the set.
    pub(crate) async fn sync_options(&self, args: &SyncArgs) -> Result<SyncOptions, Failure> {
        let branch = self.repo.branch().await?;
        let own = SyncSet::of_repository(&self.url, &branch, &self.paths);
        // As v1 named it, and as it was named where no branch was given.
        let former = [branch.as_str(), ""].map(|branch| SyncSet::v1(&self.url, branch, &self.paths));
        // An empty variable, as charts leave it, names nothing.
        let named = args.sync_set.as_ref().filter(|name| !name.trim().is_empty());
        let sync_set = named.map_or_else(|| own.clone(), SyncSet::new);
        let mut takes_over: Vec<SyncSet> = args.take_over.iter().map(SyncSet::new).collect();
        takes_over.extend([own].into_iter().chain(former).filter(|set| *set != sync_set));
        takes_over.dedup();
        Ok(SyncOptions {
            takes_over,
            moved_from: args.moved_from.iter().map(SyncSet::new).collect(),
            prune: args.prune,
            prune_dry_run: args.prune_dry_run,
            prune_all: args.prune_all,
            namespaces: self.namespaces.clone(),
            ..SyncOptions::new(sync_set)
        })
    }
}

impl Composition {
    /// Lets a cluster in memory run what the repository's tip says.
    async fn run_all_in(&self, cluster: &MemoryCluster) -> Result<(), Failure> {
        let options = self.sync_options(&SyncArgs::default()).await?;
        self.deployer.sync(&options, &()).await?;
        // It runs all workloads of the tip, also those that policy excludes from a sync.
        for located in self.deployer.load().await?.manifests.workloads() {
            if cluster.get(&located.id).is_none() {
                let mut object = located.resource.object.value();
                object["metadata"]["namespace"] = located.id.namespace().map(str::to_owned).into();
                // The sync has reported the objects that cannot be created.
                let _ = cluster.create(object);
            }
        }
        Ok(())
    }
}

impl BackendArgs {
    /// Composes the backends, without network access but for the API server of a real cluster.
    pub(crate) async fn compose(&self) -> Result<Composition, Failure> {
        let url = self.url()?;
        self.check_paths()?;
        let (repo, parsed) = self.repo()?;
        let registry = self.registry()?;
        let clock: Arc<dyn Clock> = match self.now {
            Some(now) => Arc::new(FixedClock(now)),
            None => Arc::new(SystemClock),
        };
        let mut memory = None;
        let (cluster, cluster_file): (Arc<dyn Cluster>, _) = match self.cluster.as_deref() {
            None => (Arc::new(self.kube().await?), None),
            Some("memory") => {
                let cluster = Arc::new(MemoryCluster::new());
                memory = Some(cluster.clone());
                (cluster, None)
            }
            Some(file) => {
                let file = ClusterFile::open(Path::new(file))?;
                (file.cluster(), Some(file))
            }
        };
        let composition = Composition {
            deployer: Deployer::new(repo.clone(), registry, cluster)
                .with_clock(clock)
                .with_parse_cache(parsed)
                .with_generation(self.generation())
                .with_options(self.options()),
            cluster_file,
            repo,
            url: url.to_owned(),
            paths: self.git_path.clone(),
            namespaces: self.allowed_namespaces(),
        };
        if let Some(memory) = memory {
            composition.run_all_in(&memory).await?;
        }
        Ok(composition)
    }

    /// Returns the namespaces that may be touched; `None` for all.
    ///
    /// An empty variable, as charts leave it, names none.
    pub(crate) fn allowed_namespaces(&self) -> Option<Vec<String>> {
        let named = self.k8s_allow_namespace.iter().filter(|namespace| !namespace.trim().is_empty());
        Some(named.cloned().collect::<Vec<_>>()).filter(|namespaces| !namespaces.is_empty())
    }

    /// Returns the options of the deployer.
    pub(crate) fn options(&self) -> Options {
        let mut options = Options::default();
        options.default_namespace.clone_from(&self.k8s_default_namespace);
        options.recheck = self.recheck;
        options.label_dates.clone_from(&self.registry_use_labels);
        options
    }

    async fn kube(&self) -> Result<KubeCluster, Failure> {
        let mut builder = KubeCluster::builder();
        if let Some(file) = &self.kubeconfig {
            builder = builder.kubeconfig(file);
        }
        if let Some(context) = &self.context {
            builder = builder.context(context);
        }
        if let Some(namespaces) = self.allowed_namespaces() {
            builder = builder.limited_to(namespaces);
        }
        if let Some(user) = &self.k8s_impersonate {
            builder = builder.impersonate(user);
        }
        if self.k8s_events {
            // In a pod it is the name of the pod.
            builder = builder.events(std::env::var("HOSTNAME").unwrap_or_else(|_| "flux".to_owned()));
        }
        Ok(builder.open().await?)
    }

    fn check_paths(&self) -> Result<(), Failure> {
        let outside = |path: &&String| path.starts_with('/') || path.split('/').any(|part| part == "..");
        match self.git_path.iter().find(outside) {
            Some(path) => Err(Failure::usage(format!(
                "--git-path {path} is outside of the repository: write it from the repository's root, as in --git-path deploy/prod"
            ))),
            None => Ok(()),
        }
    }

    /// Returns the repository, and the cache of its parsed files.
    pub(crate) fn repo(&self) -> Result<(Arc<GitRepo>, Arc<dyn ParseCache>), Failure> {
        if self.manifest_generation || self.git_path.is_empty() {
            // Commands may read files outside of the paths.
            return self.repo_of(&[]);
        }
        // Without generation, the files that ask for it still have to be seen.
        self.repo_of(&in_view(&self.git_path))
    }

    /// Returns the same for these paths only; for no paths, the whole repository.
    pub(crate) fn repo_of(&self, paths: &[String]) -> Result<(Arc<GitRepo>, Arc<dyn ParseCache>), Failure> {
        let url = self.url()?;
        let cache = self.cache_folder(url)?;
        let parsed: Arc<dyn ParseCache> = match &cache {
            Some(folder) => Arc::new(cache::FileParseCache::open(folder)),
            None => Arc::new(MemoryParseCache::default()),
        };
        Ok((Arc::new(self.git(url, paths, cache.as_deref())?), parsed))
    }

    /// Returns the generation of manifests that the flags choose.
    pub(crate) fn generation(&self) -> Generation {
        let paths = self.git_path.clone();
        let generation = match self.manifest_generation {
            true => Generation::by(Arc::new(ProcessGenerator::builder().build()), paths),
            false => Generation::off(paths),
        };
        generation.with_timeout(self.sync_timeout)
    }

    fn url(&self) -> Result<&str, Failure> {
        self.git_url.as_deref().ok_or_else(|| {
            Failure::usage("no config repository is named: give --git-url URL, or set FLUX_GIT_URL")
        })
    }

    fn git(&self, url: &str, paths: &[String], cache: Option<&Path>) -> Result<GitRepo, Failure> {
        let mut credentials = git::Credentials::default();
        if let Some(file) = &self.git_ssh_identity {
            credentials = credentials.ssh_identity(file);
        }
        if let Some(file) = &self.git_known_hosts {
            credentials = credentials.known_hosts(file);
        }
        let mut builder = GitRepo::builder(url).paths(paths).credentials(credentials);
        if let Some(cache) = cache {
            builder = builder.mirror(cache.join("mirror.git"));
        }
        if let Some(branch) = &self.git_branch {
            builder = builder.branch(branch);
        }
        if let Some(file) = &self.git_ca_file {
            builder = builder.ca_file(file);
        }
        Ok(builder.open()?)
    }

    fn registry(&self) -> Result<Arc<dyn Registry>, Failure> {
        if let Some(path) = &self.images {
            let name = path.display();
            let text = std::fs::read_to_string(path)
                .map_err(|e| Failure::failed(format!("the images file {name} cannot be read: {e}")))?;
            let file: ImagesFile = serde_yaml::from_str(&text)
                .map_err(|e| Failure::failed(format!("the images file {name} cannot be read: {e}")))?;
            let registry = MemoryRegistry::from_images(&file)
                .map_err(|e| Failure::failed(format!("the images file {name} cannot be used: {e}")))?;
            return Ok(Arc::new(registry));
        }
        let config = self.docker_config.clone().or_else(Credentials::docker_config_path);
        let mut builder = OciRegistry::builder();
        if let Some(file) = config {
            builder = builder.credentials(Credentials::from_docker_config_file(&file)?);
        }
        for host in &self.registry_insecure_host {
            builder = builder.insecure_host(host);
        }
        if let Some(file) = &self.registry_ca_file {
            builder = builder.ca_file(file);
        }
        Ok(Arc::new(builder.build()?))
    }

    /// Returns the cache folder for this repository, branch and set of paths.
    ///
    /// It is `None`, and nothing is cached, if no folder is given and the default one cannot be
    /// used.
    fn cache_folder(&self, url: &str) -> Result<Option<PathBuf>, Failure> {
        let Some(root) = self.cache_dir.clone().or_else(default_cache) else { return Ok(None) };
        let branch = self.git_branch.as_deref().unwrap_or_default();
        let name = SyncSet::v1(url, branch, &self.git_path);
        let folder = root.join(name.as_str());
        // It will hold what manifests hold.
        match std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder) {
            Ok(()) => Ok(Some(folder)),
            Err(error) if self.cache_dir.is_none() => {
                tracing::warn!(folder = %folder.display(), %error, "nothing is cached");
                Ok(None)
            }
            Err(error) => Err(Failure::failed(format!(
                "the cache folder {} cannot be made: {error}; name another with --cache-dir",
                folder.display()
            ))),
        }
    }
}

/// Returns the default cache folder, by the XDG rules.
fn default_cache() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let root = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    Some(root.join("flux"))
}

/// Parses a duration as people write it: `90s`, `5m`, `1h30m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let signed: jiff::SignedDuration = text.parse().map_err(|e| format!("{e}; write 90s, 5m or 1h30m"))?;
    let duration = Duration::try_from(signed).map_err(|e| e.to_string())?;
    if duration.is_zero() { Err("it must be longer than nothing".to_owned()) } else { Ok(duration) }
}

/// Sends logs to standard error, filtered by `RUST_LOG`.
///
/// Without the variable they are those of Flux from a level on; errors that its dependencies log
/// are in these too.
pub(crate) fn log(level: &str) {
    use std::io::{IsTerminal, stderr};

    use tracing_subscriber::EnvFilter;

    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(format!("off,flux={level},fluxd={level}")));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .with_target(false)
        .init();
}
