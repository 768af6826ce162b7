//! The engine: detects what is generated, generates it, and changes what it is generated from.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Checkout, GenerateError, GeneratedChange, GeneratedEdit, GeneratedManifests, Generation, Method, Source,
    detect::PathSources,
    files::{Files, RevisionFiles},
    findings::path_or_repository,
    image_runs,
    manifests::generate,
    objects::objects_of,
    patch_file, policy_runs,
    proof::{expected, verify},
    source::is_config,
};
use crate::{
    backend::{ConfigRepo, Error as BackendError, Tree},
    finding::Finding,
    manifest::{ParsedFile, is_kustomization_file},
    manifest_set::Manifests,
    repo_path::RepoPath,
};

/// The engine of generation over one revision of a repository.
///
/// The methods fail with [`GenerateError::Repo`] if the repository cannot be read. Everything else
/// that goes wrong is a finding, or refuses the path that it is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Engine<'a> {
    generation: &'a Generation,
    repo: &'a dyn ConfigRepo,
    tree: &'a Tree,
}

/// A generated path whose changes cannot be made.
///
/// The other changes of a plan can be, without these.
#[derive(Debug)]
pub(crate) struct RefusedPath {
    path: RepoPath,
    why: String,
}

impl RefusedPath {
    fn new(path: &RepoPath, why: impl Into<String>) -> Self {
        Self { path: path.clone(), why: why.into() }
    }

    /// Returns the same manifests, with the workloads of the path marked as not to be changed.
    pub(crate) fn mark(self, manifests: &Manifests) -> Manifests {
        let mut generated = manifests.generated().clone();
        let marks = generated.entry(self.path).or_default();
        marks.refuses_images = Some(self.why.clone());
        marks.refuses_policies = Some(self.why);
        manifests.clone().with_generated(generated)
    }

    /// Returns the path, and why its changes cannot be made.
    pub(crate) fn into_parts(self) -> (RepoPath, String) {
        (self.path, self.why)
    }
}

impl<'a> Engine<'a> {
    pub(crate) fn new(generation: &'a Generation, repo: &'a dyn ConfigRepo, tree: &'a Tree) -> Self {
        Self { generation, repo, tree }
    }

    /// Returns the files of the revision, those in `over` with these contents instead.
    fn files<'f>(&self, over: &'f Files) -> RevisionFiles<'f>
    where
        'a: 'f,
    {
        RevisionFiles { repo: self.repo, tree: self.tree, over }
    }

    /// Detects where the manifests of every configured path come from.
    pub(crate) async fn detect(&self) -> Result<PathSources, GenerateError> {
        Ok(PathSources::detect(self.generation, self.files(&Files::new())).await?)
    }

    /// Generates the manifests of these sources, each on its own.
    pub(crate) async fn generate(
        &self,
        sources: &[Source],
    ) -> Result<(Vec<GeneratedManifests>, Vec<Finding>), GenerateError> {
        Ok(generate(self.generation, self.files(&Files::new()), sources).await?)
    }

    /// Changes the files from which workloads are generated, and verifies what is generated from
    /// them then.
    ///
    /// Returns the new contents of the files that bring `changes` about. `current` are the
    /// manifests as they are generated from the revision, among all `manifests`; `edited` are the
    /// files that the same plan edits in place.
    pub(crate) async fn update(
        &self,
        manifests: &Manifests,
        current: &BTreeMap<RepoPath, GeneratedManifests>,
        changes: &[GeneratedEdit],
        edited: &Files,
    ) -> Result<Result<Files, RefusedPath>, GenerateError> {
        let update = Update { engine: *self, manifests, current, edited };
        Ok(update.run(changes).await?)
    }
}

/// An update of generated workloads.
#[derive(Clone, Copy)]
struct Update<'a> {
    engine: Engine<'a>,
    manifests: &'a Manifests,
    current: &'a BTreeMap<RepoPath, GeneratedManifests>,
    /// The files that the plan edits in place.
    edited: &'a Files,
}

/// The changes by the paths under which their workloads are known.
type ByPath<'c> = BTreeMap<&'c RepoPath, Vec<&'c GeneratedEdit>>;

impl Update<'_> {
    async fn run(&self, changes: &[GeneratedEdit]) -> Result<Result<Files, RefusedPath>, BackendError> {
        let mut by_path = ByPath::new();
        for change in changes {
            by_path.entry(&change.path).or_default().push(change);
        }
        let before = self.as_manifests(self.current);
        let changed = match self.change_files(&by_path, &before).await? {
            Ok(changed) => changed,
            Err(refused) => return Ok(Err(refused)),
        };
        Ok(match self.verify(&by_path, &before, &changed).await? {
            Some(refused) => Err(refused),
            None => Ok(changed),
        })
    }

    /// Runs the updaters and makes the patch files of all paths, in one private copy.
    async fn change_files(
        &self,
        by_path: &ByPath<'_>,
        before: &Manifests,
    ) -> Result<Result<Files, RefusedPath>, BackendError> {
        let Some(&first) = by_path.keys().next() else { return Ok(Ok(Files::new())) };
        let revision = self.engine.files(self.edited);
        let Some(generator) = &self.engine.generation.generator else {
            return Ok(Err(RefusedPath::new(first, "no commands of the repository are run here")));
        };
        let mut checkout = match revision.checkout(&**generator).await? {
            Ok(checkout) => checkout,
            Err(error) => return Ok(Err(RefusedPath::new(first, error.to_string()))),
        };
        let sources = PathSources::detect(self.engine.generation, revision).await?;
        let mut changed = Files::new();
        for (path, edits) in by_path {
            let updated = match self.current.get(*path) {
                Some(generated) => {
                    let file = before.files().get(*path).unwrap_or(&generated.file);
                    self.change_path(generated, file, edits, &mut *checkout).await
                }
                None => Err("nothing is generated under this path".to_owned()),
            };
            let updated = match updated {
                Ok(files) => files,
                Err(why) => return Ok(Err(RefusedPath::new(path, why))),
            };
            // The changes of an updater that ran before are that one's, not this one's.
            let fresh: Files =
                updated.into_iter().filter(|(file, body)| changed.get(file) != Some(body)).collect();
            let mut over = self.edited.clone();
            over.extend(changed.clone());
            over.extend(fresh.clone());
            if let Some(why) = self.overstep(&sources, revision.with(&over), &fresh).await? {
                return Ok(Err(RefusedPath::new(path, why)));
            }
            changed.extend(fresh);
        }
        if changed.is_empty() && self.edited.is_empty() {
            let why = self.current.get(first).map_or(NOTHING, |of| of.source.method.changed_nothing());
            return Ok(Err(RefusedPath::new(first, why)));
        }
        Ok(Ok(changed))
    }

    /// Runs the updaters of a path, or makes its patch file.
    async fn change_path(
        &self,
        generated: &GeneratedManifests,
        file: &ParsedFile,
        edits: &[&GeneratedEdit],
        checkout: &mut dyn Checkout,
    ) -> Result<Files, String> {
        let tree = self.engine.tree;
        let source = &generated.source;
        match &source.method {
            // The plan has edited the files that it is built from.
            Method::Kustomize => Ok(Files::new()),
            Method::Patches { file: path, .. } => {
                check_writable(tree, path)?;
                let wanted = expected(file, edits, self.manifests.default_namespace())?;
                let patches = patch_file(&objects_of(&generated.printed), &wanted);
                Ok([(path.clone(), patches.map_err(|error| error.to_string())?.into())].into())
            }
            Method::Commands { .. } => {
                let timeout = self.engine.generation.timeout;
                for edit in edits {
                    let runs = match &edit.change {
                        GeneratedChange::Image { container, after, .. } => {
                            image_runs(source, &edit.workload, container, after, timeout)
                        }
                        GeneratedChange::Policy { policy, value, .. } => {
                            policy_runs(source, &edit.workload, policy, value.as_deref(), timeout)
                        }
                    };
                    for run in runs {
                        checkout.run(&run).await.map_err(|error| format!("{}: {error}", run.place))?;
                    }
                }
                updated_files(checkout, tree).await
            }
        }
    }

    /// Generates everything from a fresh copy with the changed files, and verifies that it differs
    /// as intended.
    ///
    /// Returns the path for which it does not.
    async fn verify(
        &self,
        by_path: &ByPath<'_>,
        before: &Manifests,
        changed: &Files,
    ) -> Result<Option<RefusedPath>, BackendError> {
        let Some(&first) = by_path.keys().next() else { return Ok(None) };
        let mut over = self.edited.clone();
        over.extend(changed.clone());
        let sources: Vec<Source> = self.current.values().map(|of| of.source.clone()).collect();
        let (after, findings) = generate(self.engine.generation, self.engine.files(&over), &sources).await?;
        let blamed = |path: &str| by_path.keys().copied().find(|p| **p == *path).unwrap_or(first);
        if let Some(finding) = findings.first() {
            let why = format!("what is generated after the update is broken: {}", finding.evidence);
            return Ok(Some(RefusedPath::new(blamed(&finding.subject), why)));
        }
        let after: BTreeMap<RepoPath, GeneratedManifests> =
            after.into_iter().map(|of| (of.source.output_path(), of)).collect();
        let after = self.as_manifests(&after);
        for (path, generated) in self.current {
            let edits = by_path.get(path).map(Vec::as_slice).unwrap_or_default();
            let [before, after] = [before, &after].map(|manifests| manifests.files().get(path));
            let none = Arc::default();
            let (before, after) = (before.unwrap_or(&none), after.unwrap_or(&none));
            if let Err(why) =
                verify(&generated.source.method, before, after, edits, self.manifests.default_namespace())
            {
                return Ok(Some(RefusedPath::new(blamed(path), why)));
            }
        }
        Ok(None)
    }

    /// Returns why files must not be changed or added for what is generated, if so: something else
    /// would be described by them, or in another way.
    ///
    /// `fresh` are the files that a path changes.
    async fn overstep(
        &self,
        sources: &PathSources,
        revision: RevisionFiles<'_>,
        fresh: &Files,
    ) -> Result<Option<String>, BackendError> {
        let raw = sources.raw_manifests(revision.paths());
        if let Some(file) = fresh.keys().find(|file| raw.contains(file)) {
            return Ok(Some(format!(
                "{file} would be changed, which is read as it stands; only what manifests are generated from may be"
            )));
        }
        let after = PathSources::detect(self.engine.generation, revision).await?;
        if let Some(path) = sources.differs(&after) {
            let decides = |file: &&RepoPath| is_config(file) || is_kustomization_file(file);
            let file = fresh.keys().find(decides).or(fresh.keys().next()).map_or("a file", RepoPath::as_str);
            let path = path_or_repository(path);
            return Ok(Some(format!(
                "{file} would be changed, which says how the manifests of {path} are made"
            )));
        }
        let before = sources.raw_manifests(revision.tree.file_paths());
        Ok(before.symmetric_difference(&raw).next().map(|file| {
            format!("{file} would no longer be read as it stands, as the files beside it would make a chart")
        }))
    }

    /// Returns these generated manifests beside those that are read as they stand, whose rules
    /// decide which objects are workloads.
    fn as_manifests(&self, generated: &BTreeMap<RepoPath, GeneratedManifests>) -> Manifests {
        let mut files = self.manifests.files().clone();
        files.retain(|path, _| !self.current.contains_key(path));
        files.extend(generated.iter().map(|(path, of)| (path.clone(), of.file.clone())));
        Manifests::of(files, BTreeMap::new(), self.manifests.default_namespace())
    }
}

/// The message of an update that changed nothing.
const NOTHING: &str = "the updaters changed no file of the repository";

impl Method {
    fn changed_nothing(&self) -> &'static str {
        match self {
            Self::Commands { .. } => NOTHING,
            Self::Patches { .. } => "the patch file says so already, and something else is generated",
            Self::Kustomize => "it is not known which of the files that kustomize builds from says it",
        }
    }
}

/// Checks that a file is there, or can be added.
fn check_writable(tree: &Tree, path: &str) -> Result<(), String> {
    match tree.refuses(path).filter(|_| tree.file(path).is_none()) {
        Some(why) => Err(format!("{path} cannot be added to the repository: {why}")),
        None => Ok(()),
    }
}

/// Returns the files that updaters changed or made.
async fn updated_files(checkout: &mut dyn Checkout, tree: &Tree) -> Result<Files, String> {
    let changes = checkout.changes().await.map_err(|error| error.to_string())?;
    changes
        .into_iter()
        .map(|(path, body)| match body {
            Some(body) => check_writable(tree, &path).map(|()| (path, body)),
            None => Err(format!("the updaters took {path} away; only the contents of files can be changed")),
        })
        .collect()
}
