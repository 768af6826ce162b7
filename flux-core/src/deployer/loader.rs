//! Loading the config repository at a revision: only contents that were never parsed are read.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use super::{DeployError, Options};
use crate::{
    backend::{Clock, ConfigRepo, ContentId, RepoError, Revision, Tree},
    finding::{Code, Finding, Place},
    generate::{self, Engine, GeneratedManifests, Generation, Method, PathSources},
    kustomize_checks,
    manifest::{self, Build, Manifests, ParsedFile},
    parse_cache::{CachedParser, ParseCache, Parsed},
    path::name,
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
    pub files: BTreeMap<String, ContentId>,
    /// The address of each file that kustomize builds from.
    pub built_from: BTreeMap<String, ContentId>,
    /// The manifests that commands made, by the paths that they are known under.
    pub generated: BTreeMap<String, GeneratedManifests>,
    /// The findings about files and paths, sorted.
    pub findings: Vec<Finding>,
    /// The cost of loading it.
    pub stats: LoadStats,
}

impl LoadedRepo {
    /// Returns the address of a file whose text is of interest: a manifest, or one that kustomize builds from.
    pub(super) fn address(&self, path: &str) -> Option<&ContentId> {
        self.files.get(path).or_else(|| self.built_from.get(path))
    }
}

/// The cost of a load. Files that kustomize builds from and kustomizations outside of the configured paths are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadStats {
    /// Manifest files at the revision.
    pub files: usize,
    /// Of these, how many were read and parsed. The others were known by their address.
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
    /// Returns whether it still counts: what failed is tried again after a while.
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
        let engine = Engine::new(&self.generation, repo, &tree);
        let sources = engine.detect().await?;
        let files: BTreeMap<String, ContentId> = sources
            .raw_manifests(tree.files.keys().map(String::as_str))
            .into_iter()
            .filter_map(|path| Some((path.to_owned(), tree.files.get(path)?.clone())))
            .collect();
        let Parsed { files: parsed, fresh } = parser.parse(files.values()).await?;
        let (generated, failed) = engine.generate(&sources.generated).await?;
        let generated: BTreeMap<String, GeneratedManifests> =
            generated.into_iter().map(|of| (of.source.output_path(), of)).collect();
        let (builds, built_from) = builds(parser, &tree, &generated).await?;
        let mut by_path: BTreeMap<String, Arc<ParsedFile>> =
            files.iter().filter_map(|(path, id)| Some((path.clone(), parsed.get(id)?.clone()))).collect();
        by_path.extend(generated.iter().map(|(path, of)| (path.clone(), of.file.clone())));
        let marks = generated.iter().map(|(path, of)| (path.clone(), of.to_generated())).collect();
        let manifests = Arc::new(Manifests::of(by_path, marks).with_builds(builds));
        let mut findings = manifests.findings();
        findings.extend(self.not_loaded(&tree, &sources));
        findings.extend(failed);
        let of_kustomize = sources.generated.iter().filter(|source| source.method == Method::Kustomize);
        let built = of_kustomize.map(|source| source.by.clone());
        findings.extend(kustomize_checks::check(parser, &tree, &files, &parsed, built).await?);
        findings.extend(sources.findings);
        findings.sort();
        findings.dedup();
        let stats = LoadStats { files: files.len(), parsed: fresh };
        Ok(LoadedRepo { revision: at.clone(), manifests, files, built_from, generated, findings, stats })
    }

    /// Parses the files with these addresses, those that the cache does not know.
    pub(super) async fn parse(
        &self,
        repo: &dyn ConfigRepo,
        ids: impl IntoIterator<Item = &ContentId>,
        options: &Options,
    ) -> Result<HashMap<ContentId, Arc<ParsedFile>>, RepoError> {
        Ok(self.parser(repo, options).parse(ids).await?.files)
    }

    fn parser<'a>(&'a self, repo: &'a dyn ConfigRepo, options: &Options) -> CachedParser<'a> {
        CachedParser { repo, cache: &*self.cache, batch: options.read_batch }
    }

    /// Returns the findings about paths, files and folders that are not loaded though they count.
    fn not_loaded(&self, tree: &Tree, sources: &PathSources) -> Vec<Finding> {
        // Those of the configured paths are among the sources' findings; a `.flux.yaml` above them may be there, and need not.
        let in_view = generate::in_view(&self.generation.paths);
        let missing = tree.missing.iter().filter(|path| !in_view.contains(path));
        let mut findings: Vec<Finding> = missing.map(|path| generate::missing_path(path)).collect();
        let misnamed_ones = tree.misnamed.iter().filter(|path| sources.may_hold_manifests(path));
        findings.extend(misnamed_ones.map(|path| misnamed(path)));
        let manifests = sources.raw_manifests(tree.files.keys().chain(&tree.links).map(String::as_str));
        // What is called like a folder may be one, with manifests in it; README and LICENSE are not.
        let is_bare = |name: &str| !name.contains('.') && !name.contains(char::is_uppercase);
        let is_raw = sources.are_raw();
        let may_be_folder = |path: &str| is_bare(name(path)) && is_raw(path);
        let leads_on = |path: &&String| manifests.contains(path.as_str()) || may_be_folder(path);
        findings.extend(tree.links.iter().filter(leads_on).map(|path| linked(path)));
        let hidden = tree.unreadable.iter().filter(|(path, _)| sources.counts(path));
        findings.extend(hidden.map(|(path, why)| unreadable(path, why)));
        findings
    }
}

/// Reads what kustomize builds from: the builds by the paths under which they are known, and the addresses of their files.
async fn builds(
    parser: CachedParser<'_>,
    tree: &Tree,
    generated: &BTreeMap<String, GeneratedManifests>,
) -> Result<(BTreeMap<String, Build>, BTreeMap<String, ContentId>), RepoError> {
    let built: Vec<(&String, &str)> = generated
        .iter()
        .filter(|(_, of)| of.source.method == Method::Kustomize)
        .map(|(path, of)| (path, of.source.by.as_str()))
        .collect();
    if built.is_empty() {
        return Ok(Default::default());
    }
    let address = |path: &str| Some((path.to_owned(), tree.files.get(path)?.clone()));
    let kustomizations: BTreeMap<String, ContentId> = tree
        .files
        .keys()
        .filter(|path| manifest::is_kustomization_file(path))
        .filter_map(|path| address(path))
        .collect();
    let all = parser.parse_paths(&kustomizations).await?;
    let wanted: Vec<(&String, &str, BTreeSet<String>)> =
        built.into_iter().map(|(path, root)| (path, root, Build::wants(root, &all))).collect();
    let mut from = kustomizations;
    from.extend(wanted.iter().flat_map(|(_, _, wanted)| wanted).filter_map(|path| address(path)));
    let files = parser.parse_paths(&from).await?;
    let build = |(path, root, wanted): (&String, &str, BTreeSet<String>)| {
        let counts = |path: &str| wanted.contains(path) || all.contains_key(path);
        let files =
            files.iter().filter(|(path, _)| counts(path)).map(|(path, file)| (path.clone(), file.clone()));
        (path.clone(), Build { root: root.to_owned(), files: files.collect() })
    };
    Ok((wanted.into_iter().map(build).collect(), from))
}

fn misnamed(path: &str) -> Finding {
    let what = if path.ends_with('/') { "folder and all that is in it" } else { "file" };
    Finding {
        code: Code::InvalidName,
        subject: path.to_owned(),
        place: Some(Place::start_of(path)),
        evidence: format!("its name is not UTF-8 (shown with `\u{fffd}`), so the {what} is not loaded"),
        remedy: "rename it".to_owned(),
    }
}

fn linked(path: &str) -> Finding {
    Finding {
        code: Code::LinkedManifest,
        subject: path.to_owned(),
        place: Some(Place::start_of(path)),
        evidence:
            "it is a symbolic link or a submodule, which is not followed: manifests that it leads to are not loaded"
                .to_owned(),
        remedy: "put the manifests themselves there, or name the folder that it leads to as a path too".to_owned(),
    }
}

fn unreadable(path: &str, why: &str) -> Finding {
    let what = if path.ends_with('/') { "the folder, and all that is in it, is" } else { "the file is" };
    Finding {
        code: Code::UnreadableFile,
        subject: path.to_owned(),
        place: Some(Place::start_of(path)),
        evidence: format!("{what} not loaded: {why}"),
        remedy: "let the user that runs this read it, or keep it elsewhere".to_owned(),
    }
}
