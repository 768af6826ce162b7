//! Loading the config repository at a revision: only contents that were never parsed are read.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use super::{DeployError, Options, desired::desired};
use crate::{
    backend::{Clock, ConfigRepo, ContentId, Entry, Error as BackendError, Revision, Tree},
    finding::{Code, Findings},
    generate::{self, Engine, GeneratedManifests, Generation, Method},
    kustomize_checks,
    manifest::ParsedFile,
    manifest_set::Manifests,
    parse_cache::{CachedParser, ParseCache, Parsed},
    repo_path::RepoPath,
    sync::Desired,
};

/// The config repository as loaded at a revision.
#[derive(Debug)]
#[non_exhaustive]
pub struct LoadedRepo {
    /// The revision.
    pub revision: Revision,
    /// The manifests.
    pub manifests: Arc<Manifests>,
    /// The address of each manifest file.
    pub files: BTreeMap<RepoPath, ContentId>,
    /// The address of each file that kustomize builds from.
    pub built_from: BTreeMap<RepoPath, ContentId>,
    /// The manifests that commands made, by the paths that they are known under.
    pub generated: BTreeMap<RepoPath, GeneratedManifests>,
    /// The findings about files and paths.
    pub findings: Findings,
    /// The cost of loading it.
    pub stats: LoadStats,
    /// The objects of it that the cluster should have.
    desired: Arc<Desired>,
    tree: Tree,
    /// The findings about more than the manifests.
    others: Findings,
}

impl LoadedRepo {
    /// Returns the objects that git says the cluster should have, and what a sync has to know about
    /// them.
    pub(crate) fn desired(&self) -> &Arc<Desired> {
        &self.desired
    }

    /// Returns the repository at another revision, if all that has changed is the content of
    /// manifests that speak for themselves alone.
    async fn with_changes(
        &self,
        at: &Revision,
        tree: &Tree,
        parser: CachedParser<'_>,
    ) -> Result<Option<Self>, BackendError> {
        // What a failed command would have made may be there now.
        let is_plain = self.generated.is_empty() && self.built_from.is_empty() && self.others.is_empty();
        let Some(changed) = changed_files(&self.tree, tree).filter(|_| is_plain) else { return Ok(None) };
        if !changed.keys().all(|path| self.files.contains_key(path)) {
            return Ok(None);
        }
        let parsed = parser.parse(changed.values()).await?;
        let with = changed.iter().filter_map(|(path, id)| Some((path, parsed.files.get(id)?)));
        let Some(manifests) = self.manifests.with_files(with).map(Arc::new) else { return Ok(None) };
        let mut files = self.files.clone();
        files.extend(changed);
        let findings = Findings::from(manifests.findings());
        let desired = Arc::new(desired(at, &manifests, &findings));
        Ok(Some(Self {
            revision: at.clone(),
            stats: LoadStats { files: files.len(), parsed: parsed.fresh },
            manifests,
            files,
            built_from: BTreeMap::new(),
            generated: BTreeMap::new(),
            findings,
            desired,
            tree: tree.clone(),
            others: Findings::default(),
        }))
    }

    /// Returns the address of a file whose text is of interest: a manifest, or one that kustomize
    /// builds from.
    pub(super) fn address(&self, path: &str) -> Option<&ContentId> {
        self.files.get(path).or_else(|| self.built_from.get(path))
    }
}

/// Above this number of changed files, all manifests are assembled anew.
const FEW: usize = 1_000;

/// Returns the files whose content differs between two trees; `None` if there is another
/// difference, or many.
fn changed_files(before: &Tree, now: &Tree) -> Option<BTreeMap<RepoPath, ContentId>> {
    let mut changed = BTreeMap::new();
    let (mut old, mut new) = (before.entries(), now.entries());
    loop {
        match (old.next(), new.next()) {
            (None, None) => break,
            (Some((path, before)), Some((other, now))) if path == other => match (before, now) {
                (before, now) if before == now => {}
                (Entry::File { .. }, Entry::File { id, .. }) if changed.len() < FEW => {
                    changed.insert(path.clone(), id.clone());
                }
                _ => return None,
            },
            _ => return None,
        }
    }
    (before.roots() == now.roots() && before.missing() == now.missing()).then_some(changed)
}

/// The cost of a load.
///
/// Files that kustomize builds from and kustomizations outside of the configured paths are not
/// counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadStats {
    /// Manifest files at the revision.
    pub files: usize,
    /// Of these, how many were read and parsed.
    ///
    /// The others were known by their address.
    pub parsed: usize,
}

/// Loads the repository, and remembers the last load.
#[derive(Debug)]
pub(super) struct Loader {
    cache: Arc<dyn ParseCache>,
    pub(super) generation: Generation,
    last: Mutex<Option<LastLoad>>,
}

#[derive(Clone, Debug)]
struct LastLoad {
    loaded: Arc<LoadedRepo>,
    /// When it was made, if commands failed.
    failed: Option<Timestamp>,
}

impl LastLoad {
    /// Returns `true` if it still counts: what failed is tried again after a while.
    fn is_fresh(&self, now: Timestamp, failure_memory: Duration) -> bool {
        self.failed.is_none_or(|failed| {
            let age = now.duration_since(failed);
            !age.is_negative() && age.unsigned_abs() < failure_memory
        })
    }
}

impl Loader {
    pub(super) fn new(cache: Arc<dyn ParseCache>, generation: Generation) -> Self {
        Self { cache, generation, last: Mutex::new(None) }
    }

    /// Returns the same with another cache, nothing loaded yet.
    pub(super) fn with_cache(&self, cache: Arc<dyn ParseCache>) -> Self {
        Self::new(cache, self.generation.clone())
    }

    /// Returns the same with other rules for generated manifests, nothing loaded yet.
    pub(super) fn with_generation(&self, generation: Generation) -> Self {
        Self::new(self.cache.clone(), generation)
    }

    /// Returns what was loaded last.
    pub(super) fn last(&self) -> Option<Arc<LoadedRepo>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|last| last.loaded.clone())
    }

    /// Loads a revision, or returns the last load if it is the same.
    pub(super) async fn load(
        &self,
        repo: &dyn ConfigRepo,
        at: &Revision,
        clock: &dyn Clock,
        options: &Options,
    ) -> Result<Arc<LoadedRepo>, DeployError> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_fresh = |last: &LastLoad| last.is_fresh(clock.now(), options.failure_memory);
        if let Some(last) = last.filter(|last| last.loaded.revision == *at && is_fresh(last)) {
            return Ok(last.loaded);
        }
        let loaded = Arc::new(self.read(repo, at, options).await?);
        let LoadStats { files, parsed } = loaded.stats;
        tracing::debug!(revision = %at, files, parsed, "read the config repository");
        let failed = loaded.findings.iter().any(|finding| finding.code == Code::GenerationFailed);
        let last = LastLoad { loaded: loaded.clone(), failed: failed.then(|| clock.now()) };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
        Ok(loaded)
    }

    /// Reads a revision, leaving the last load as it is.
    pub(super) async fn read(
        &self,
        repo: &dyn ConfigRepo,
        at: &Revision,
        options: &Options,
    ) -> Result<LoadedRepo, DeployError> {
        let tree = repo.tree(at).await?;
        let parser = self.parser(repo, options);
        if let Some(last) = self.last()
            && last.manifests.default_namespace() == options.default_namespace
            && let Some(loaded) = last.with_changes(at, &tree, parser).await?
        {
            return Ok(loaded);
        }
        let engine = Engine::new(&self.generation, repo, &tree);
        let sources = engine.detect().await?;
        let files: BTreeMap<RepoPath, ContentId> = sources
            .raw_manifests(tree.file_paths())
            .into_iter()
            .filter_map(|path| Some((path.clone(), tree.file(path)?.clone())))
            .collect();
        let Parsed { files: parsed, fresh } = parser.parse(files.values()).await?;
        let (generated, failed) = engine.generate(&sources.generated).await?;
        let generated: BTreeMap<RepoPath, GeneratedManifests> =
            generated.into_iter().map(|of| (of.source.output_path(), of)).collect();
        let (builds, built_from) = generate::builds(parser, &tree, &generated).await?;
        let mut by_path: BTreeMap<RepoPath, Arc<ParsedFile>> =
            files.iter().filter_map(|(path, id)| Some((path.clone(), parsed.get(id)?.clone()))).collect();
        by_path.extend(generated.iter().map(|(path, of)| (path.clone(), of.file.clone())));
        let marks = generated.iter().map(|(path, of)| (path.clone(), of.to_generated())).collect();
        let manifests =
            Arc::new(Manifests::of(by_path, marks, &options.default_namespace).with_builds(builds));
        let mut others = Findings::default();
        others.extend(sources.not_loaded(&self.generation, &tree));
        others.extend(failed);
        let of_kustomize = sources.generated.iter().filter(|source| source.method == Method::Kustomize);
        let built = of_kustomize.map(|source| source.by.clone());
        others.extend(kustomize_checks::check(parser, &tree, &files, &parsed, built).await?);
        others.extend(sources.findings);
        let mut findings = Findings::from(manifests.findings());
        findings.extend(others.iter().cloned());
        let stats = LoadStats { files: files.len(), parsed: fresh };
        let desired = Arc::new(desired(at, &manifests, &findings));
        let revision = at.clone();
        Ok(LoadedRepo {
            revision,
            manifests,
            files,
            built_from,
            generated,
            findings,
            stats,
            desired,
            tree,
            others,
        })
    }

    /// Parses the files with these addresses, those that the cache does not know.
    pub(super) async fn parse(
        &self,
        repo: &dyn ConfigRepo,
        ids: impl IntoIterator<Item = &ContentId>,
        options: &Options,
    ) -> Result<HashMap<ContentId, Arc<ParsedFile>>, BackendError> {
        Ok(self.parser(repo, options).parse(ids).await?.files)
    }

    fn parser<'a>(&'a self, repo: &'a dyn ConfigRepo, options: &Options) -> CachedParser<'a> {
        CachedParser { repo, cache: &*self.cache, batch: options.read_batch }
    }
}
