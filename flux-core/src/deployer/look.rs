//! Looking at the config repository: only what was never parsed is read.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use super::{
    DeployError,
    generate::{Made, Sources, make, told},
};
use crate::{
    backend::{Clock, ConfigRepo, ContentId, FileBody, Revision, Tree},
    finding::{Code, Finding, Place},
    generate::{self, Generation, How},
    manifest::{self, Build, Manifests, ParsedFile, Problem},
};

/// What git describes at a revision.
#[derive(Debug)]
pub struct Look {
    /// The revision.
    pub revision: Revision,
    /// The manifests.
    pub manifests: Arc<Manifests>,
    /// The address of each manifest file.
    pub files: BTreeMap<String, ContentId>,
    /// The address of each file that kustomize builds from.
    pub built_from: BTreeMap<String, ContentId>,
    /// What commands made, by the paths that it is known under.
    pub generated: BTreeMap<String, Made>,
    /// What is wrong with files and paths.
    pub findings: Vec<Finding>,
    /// What it cost.
    pub reading: Reading,
}

impl Look {
    /// The address of a file whose text is of interest: a manifest, or what kustomize builds from.
    pub(super) fn address(&self, path: &str) -> Option<&ContentId> {
        self.files.get(path).or_else(|| self.built_from.get(path))
    }
}

/// What a look cost. Files that kustomize builds from and kustomizations outside of the configured paths are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Manifest files at the revision.
    pub files: usize,
    /// Of these, how many were read and parsed. The others were known by their address.
    pub parsed: usize,
}

/// Where parsed files are kept, by the address of their content. An entry never changes, so a cache may forget, but never be wrong.
///
/// Calls may block for as long as a small local file takes to read.
pub trait ParseCache: fmt::Debug + Send + Sync {
    /// The parses of `ids`, in their order; none where unknown.
    fn get(&self, ids: &[ContentId]) -> Vec<Option<Arc<ParsedFile>>>;

    /// Keeps parses.
    fn put(&self, parsed: &[(ContentId, Arc<ParsedFile>)]);
}

/// A [`ParseCache`] for the life of the process.
#[derive(Debug, Default)]
pub struct MemoryParseCache(Mutex<HashMap<ContentId, Arc<ParsedFile>>>);

impl ParseCache for MemoryParseCache {
    fn get(&self, ids: &[ContentId]) -> Vec<Option<Arc<ParsedFile>>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ids.iter().map(|id| known.get(id).cloned()).collect()
    }

    fn put(&self, parsed: &[(ContentId, Arc<ParsedFile>)]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(parsed.iter().cloned());
    }
}

/// Looks at the repository and remembers the last look.
#[derive(Debug)]
pub(super) struct Looker {
    cache: Arc<dyn ParseCache>,
    pub(super) generation: Generation,
    last: Mutex<Option<Last>>,
}

/// How long it is remembered that commands failed. Long enough for one operation, which looks several times; what failed is then tried again.
const FAILURE_KEPT: SignedDuration = SignedDuration::from_secs(30);

/// The last look.
#[derive(Clone, Debug)]
struct Last {
    look: Arc<Look>,
    /// When it was made, if commands failed.
    failed: Option<Timestamp>,
}

impl Last {
    fn is_fresh(&self, now: Timestamp) -> bool {
        self.failed.is_none_or(|failed| {
            let age = now.duration_since(failed);
            !age.is_negative() && age < FAILURE_KEPT
        })
    }
}

impl Looker {
    pub(super) fn new(cache: Arc<dyn ParseCache>, generation: Generation) -> Self {
        Self { cache, generation, last: Mutex::new(None) }
    }

    /// The same with another cache, nothing looked at yet.
    pub(super) fn with_cache(&self, cache: Arc<dyn ParseCache>) -> Self {
        Self::new(cache, self.generation.clone())
    }

    /// The same with other rules for generated manifests, nothing looked at yet.
    pub(super) fn with_generation(&self, generation: Generation) -> Self {
        Self::new(self.cache.clone(), generation)
    }

    pub(super) async fn look(
        &self,
        repo: &dyn ConfigRepo,
        at: &Revision,
        clock: &dyn Clock,
    ) -> Result<Arc<Look>, DeployError> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(last) = last.filter(|last| last.look.revision == *at && last.is_fresh(clock.now())) {
            return Ok(last.look);
        }
        let look = Arc::new(self.read(repo, at).await?);
        let Reading { files, parsed } = look.reading;
        tracing::debug!(revision = %at, files, parsed, "read the config repository");
        // What failed may succeed next time.
        let failed = look.findings.iter().any(|finding| finding.code == Code::GenerationFailed);
        let last = Last { look: look.clone(), failed: failed.then(|| clock.now()) };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
        Ok(look)
    }

    /// Reads what git describes at a revision, leaving the last look as it is.
    pub(super) async fn read(&self, repo: &dyn ConfigRepo, at: &Revision) -> Result<Look, DeployError> {
        let tree = repo.tree(at).await?;
        let sources = Sources::read(&self.generation, repo, &tree, &BTreeMap::new()).await?;
        let files: BTreeMap<String, ContentId> = sources
            .raw_manifests(tree.file_paths())
            .into_iter()
            .filter_map(|path| Some((path.to_owned(), tree.file(path)?.clone())))
            .collect();
        let (known, parsed) = self.parsed(repo, files.values()).await?;
        let reading = Reading { files: files.len(), parsed };
        let (made, failed) =
            make(&self.generation, repo, &tree, &BTreeMap::new(), &sources.generated).await?;
        let generated: BTreeMap<String, Made> =
            made.into_iter().map(|made| (made.source.output_path(), made)).collect();
        let marks = generated.iter().map(|(path, made)| (path.clone(), made.marks())).collect();
        let mut by_path: BTreeMap<String, Arc<ParsedFile>> =
            files.iter().filter_map(|(path, id)| Some((path.clone(), known.get(id)?.clone()))).collect();
        by_path.extend(generated.iter().map(|(path, made)| (path.clone(), made.file.clone())));
        let (builds, built_from) = self.builds(repo, &tree, &generated).await?;
        let manifests = Arc::new(Manifests::new(by_path).with_generated(marks).with_builds(builds));
        let mut findings = manifests.findings();
        // Of the configured paths it is told already; a `.flux.yaml` above them may be there, and need not.
        let seen = generate::in_view(&self.generation.paths);
        let missing = tree.missing().iter().filter(|path| !seen.contains(path));
        findings.extend(missing.map(|path| missing_path(path)));
        findings.extend(tree.misnamed().filter(|path| sources.hold(path)).map(|path| misnamed(path)));
        let named = sources.raw_manifests(tree.file_paths().chain(tree.links()));
        // What is called like a folder may be one, with manifests in it; README and LICENSE are not.
        let is_bare = |name: &str| !name.contains('.') && !name.contains(char::is_uppercase);
        let is_raw = sources.are_raw();
        let may_be_folder = |path: &str| is_bare(crate::path::name(path)) && is_raw(path);
        let leads_on = |path: &&str| named.contains(path) || may_be_folder(path);
        findings.extend(tree.links().filter(leads_on).map(|path| linked(path)));
        let hidden = tree.unreadable().filter(|(path, _)| sources.want(path));
        findings.extend(hidden.map(|(path, why)| unreadable(path, why)));
        findings.extend(sources.findings.iter().cloned());
        findings.extend(failed);
        findings.extend(self.kustomizations(repo, &tree, (&files, &known), &sources.generated).await?);
        told(&generated, &mut findings);
        findings.sort();
        findings.dedup();
        Ok(Look { revision: at.clone(), manifests, files, built_from, generated, findings, reading })
    }

    /// What kustomize built from what, by the path under which it is known, with the addresses of these files.
    async fn builds(
        &self,
        repo: &dyn ConfigRepo,
        tree: &Tree,
        generated: &BTreeMap<String, Made>,
    ) -> Result<(BTreeMap<String, Build>, BTreeMap<String, ContentId>), DeployError> {
        let built: Vec<(&String, &str)> = generated
            .iter()
            .filter(|(_, made)| made.source.how == How::Kustomize)
            .map(|(path, made)| (path, made.source.by.as_str()))
            .collect();
        if built.is_empty() {
            return Ok(Default::default());
        }
        let address = |path: &str| Some((path.to_owned(), tree.file(path)?.clone()));
        let kustomizations: BTreeMap<String, ContentId> = tree
            .file_paths()
            .filter(|path| manifest::is_kustomization_file(path))
            .filter_map(address)
            .collect();
        let all = self.parsed_files(repo, &kustomizations).await?;
        let wanted: Vec<(&String, &str, BTreeSet<String>)> =
            built.into_iter().map(|(path, root)| (path, root, Build::wants(root, &all))).collect();
        let mut from = kustomizations;
        from.extend(wanted.iter().flat_map(|(_, _, wanted)| wanted).filter_map(|path| address(path)));
        let files = self.parsed_files(repo, &from).await?;
        let build = |(path, root, wanted): (&String, &str, BTreeSet<String>)| {
            let counts = |path: &str| wanted.contains(path) || all.contains_key(path);
            let files = files
                .iter()
                .filter(|(path, _)| counts(path))
                .map(|(path, file)| (path.clone(), file.clone()));
            (path.clone(), Build { root: root.to_owned(), files: files.collect() })
        };
        Ok((wanted.into_iter().map(build).collect(), from))
    }

    /// Files by their paths, parsed.
    async fn parsed_files(
        &self,
        repo: &dyn ConfigRepo,
        files: &BTreeMap<String, ContentId>,
    ) -> Result<BTreeMap<String, Arc<ParsedFile>>, DeployError> {
        let (known, _) = self.parsed(repo, files.values()).await?;
        Ok(files.iter().filter_map(|(path, id)| Some((path.clone(), known.get(id)?.clone()))).collect())
    }

    /// The parses of files, and how many of them had to be made.
    pub(super) async fn parsed(
        &self,
        repo: &dyn ConfigRepo,
        ids: impl IntoIterator<Item = &ContentId>,
    ) -> Result<(HashMap<ContentId, Arc<ParsedFile>>, usize), DeployError> {
        let ids: BTreeSet<&ContentId> = ids.into_iter().collect();
        let ids: Vec<ContentId> = ids.into_iter().cloned().collect();
        let mut known: HashMap<ContentId, Arc<ParsedFile>> = HashMap::with_capacity(ids.len());
        let mut unknown = Vec::new();
        for (id, parsed) in ids.iter().zip(self.cache.get(&ids)) {
            match parsed {
                Some(file) => drop(known.insert(id.clone(), file)),
                None => unknown.push(id.clone()),
            }
        }
        let mut fresh = Vec::with_capacity(unknown.len());
        // In portions, so that a large repository is never held in memory as bytes.
        for portion in unknown.chunks(256) {
            let bodies = repo.read(portion, manifest::MAX_FILE_BYTES).await?;
            for (id, body) in portion.iter().zip(bodies) {
                fresh.push((id.clone(), Arc::new(parse(&body))));
            }
        }
        let made = fresh.len();
        if made > 0 {
            self.cache.put(&fresh);
            known.extend(fresh);
        }
        Ok((known, made))
    }
}

fn parse(body: &FileBody) -> ParsedFile {
    match body {
        FileBody::Bytes(bytes) => manifest::parse(bytes),
        FileBody::TooLarge { size } => ParsedFile {
            resources: Vec::new(),
            problems: vec![Problem {
                code: Code::TooLarge,
                subject: None,
                line: 1,
                column: 1,
                evidence: format!("the file has {size} bytes; at most {} are read", manifest::MAX_FILE_BYTES),
                remedy: "split the file, or keep it outside the configured paths".to_owned(),
            }],
        },
    }
}

fn misnamed(path: &str) -> Finding {
    let what = if path.ends_with('/') { "folder and all that is in it" } else { "file" };
    Finding {
        code: Code::InvalidName,
        subject: path.to_owned(),
        place: Some(Place { path: path.to_owned(), line: 1, column: 1 }),
        evidence: format!("its name is not UTF-8 (shown with `\u{fffd}`), so the {what} is not loaded"),
        remedy: "rename it".to_owned(),
    }
}

fn linked(path: &str) -> Finding {
    Finding {
        code: Code::LinkedManifest,
        subject: path.to_owned(),
        place: Some(Place { path: path.to_owned(), line: 1, column: 1 }),
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
        place: Some(Place { path: path.to_owned(), line: 1, column: 1 }),
        evidence: format!("{what} not loaded: {why}"),
        remedy: "let the user that runs this read it, or keep it elsewhere".to_owned(),
    }
}

pub(super) fn missing_path(path: &str) -> Finding {
    Finding {
        code: Code::PathNotFound,
        subject: path.to_owned(),
        place: None,
        evidence: "the repository has no such path at this revision".to_owned(),
        remedy: "correct the configured path, or add it to the repository".to_owned(),
    }
}
