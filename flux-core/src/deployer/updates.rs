//! Changing what commands make: updaters and patches in a private copy, and the proof that what is made then differs as intended.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use super::{
    DeployError, Deployer, Look, Made,
    generate::{Sources, copy, make, values},
    proof::{meant, proven},
};
use crate::{
    backend::Tree,
    generate::{self, Checkout, GenerateError, GeneratedChange, GeneratedEdit, How, Source},
    manifest::{Manifests, ParsedFile, is_kustomization_file},
    release::ReleasePlan,
};

/// Why the changes of a generated path cannot be made. The other changes of a plan can be, without these.
#[derive(Debug)]
pub(super) struct Refused {
    path: String,
    why: String,
}

impl Refused {
    fn new(path: &str, why: impl Into<String>) -> Self {
        Self { path: path.to_owned(), why: why.into() }
    }

    /// The same manifests, with the path's workloads left as they are.
    pub(super) fn mark(self, manifests: &Manifests) -> Manifests {
        let mut generated = manifests.generated().clone();
        let marks = generated.entry(self.path).or_default();
        marks.refuses_images = Some(self.why.clone());
        marks.refuses_policies = Some(self.why);
        manifests.clone().with_generated(generated)
    }
}

type Files = BTreeMap<String, Bytes>;

impl Deployer {
    /// The new contents of the files that bring a plan's changes of generated workloads about. `edited` are those that it edits in place.
    ///
    /// # Errors
    /// [`DeployError`] if the repository cannot be read. What else goes wrong refuses the path it is about.
    pub(super) async fn update_generated(
        &self,
        look: &Look,
        plan: &ReleasePlan,
        edited: &Files,
    ) -> Result<Result<Files, Refused>, DeployError> {
        let mut by_path: BTreeMap<&str, Vec<&GeneratedEdit>> = BTreeMap::new();
        for edit in &plan.generated {
            by_path.entry(&edit.path).or_default().push(edit);
        }
        let Some(&first) = by_path.keys().next() else { return Ok(Ok(Files::new())) };
        let generation = &self.looker.generation;
        let Some(generator) = &generation.generator else {
            return Ok(Err(Refused::new(first, "no commands of the repository are run here")));
        };
        let tree = self.repo.tree(&look.revision).await?;
        let mut checkout = match copy(&**generator, &*self.repo, &tree, edited).await? {
            Ok(checkout) => checkout,
            Err(error) => return Ok(Err(Refused::new(first, error.to_string()))),
        };
        let before = plain(look, &look.generated);
        let sources = Sources::read(generation, &*self.repo, &tree, edited).await?;
        let mut changed = Files::new();
        for (path, edits) in &by_path {
            let updated = match look.generated.get(*path) {
                Some(made) => {
                    let file = before.files().get(*path).unwrap_or(&made.file);
                    self.update(made, file, edits, &tree, &mut *checkout).await
                }
                None => Err("nothing is generated under this path".to_owned()),
            };
            let updated = match updated {
                Ok(files) => files,
                Err(why) => return Ok(Err(Refused::new(path, why))),
            };
            // What an updater changed before is that one's, not this one's.
            let fresh: Files =
                updated.into_iter().filter(|(file, body)| changed.get(file) != Some(body)).collect();
            let mut over = edited.clone();
            over.extend(changed.clone());
            over.extend(fresh.clone());
            if let Some(why) = self.oversteps(&sources, &tree, &over, &fresh).await? {
                return Ok(Err(Refused::new(path, why)));
            }
            changed.extend(fresh);
        }
        drop(checkout);
        if changed.is_empty() && edited.is_empty() {
            let why = look.generated.get(first).map_or(NOTHING, |made| made.source.how.changed_nothing());
            return Ok(Err(Refused::new(first, why)));
        }
        let mut over = edited.clone();
        over.extend(changed.clone());
        let sources: Vec<Source> = look.generated.values().map(|made| made.source.clone()).collect();
        let (made, findings) = make(generation, &*self.repo, &tree, &over, &sources).await?;
        let blamed = |path: &str| by_path.keys().copied().find(|p| *p == path).unwrap_or(first).to_owned();
        if let Some(finding) = findings.first() {
            let why = format!("what is generated after the update is broken: {}", finding.evidence);
            return Ok(Err(Refused { path: blamed(&finding.subject), why }));
        }
        let made: BTreeMap<String, Made> =
            made.into_iter().map(|made| (made.source.output_path(), made)).collect();
        let after = plain(look, &made);
        for (path, made) in &look.generated {
            let edits = by_path.get(path.as_str()).map(Vec::as_slice).unwrap_or_default();
            let [before, after] = [&before, &after].map(|manifests| manifests.files().get(path));
            let none = Arc::default();
            let (before, after) = (before.unwrap_or(&none), after.unwrap_or(&none));
            if let Err(why) = proven(&made.source.how, before, after, edits) {
                return Ok(Err(Refused { path: blamed(path), why }));
            }
        }
        Ok(Ok(changed))
    }

    /// Runs the updaters of a path, or makes its patch file.
    async fn update(
        &self,
        made: &Made,
        file: &ParsedFile,
        edits: &[&GeneratedEdit],
        tree: &Tree,
        checkout: &mut dyn Checkout,
    ) -> Result<Files, String> {
        match &made.source.how {
            // The plan has edited the files that it is built from.
            How::Kustomize => Ok(Files::new()),
            How::Patches { file: path, .. } => {
                may_be_written(tree, path)?;
                Ok([(path.clone(), patches(made, file, edits)?.into())].into())
            }
            How::Commands { .. } => {
                let timeout = self.looker.generation.timeout;
                for edit in edits {
                    let runs = match &edit.change {
                        GeneratedChange::Image { container, after, .. } => {
                            generate::image_runs(&made.source, &edit.workload, container, after, timeout)
                        }
                        GeneratedChange::Policy { policy, value, .. } => {
                            let value = value.as_deref();
                            generate::policy_runs(&made.source, &edit.workload, policy, value, timeout)
                        }
                    };
                    for run in runs {
                        checkout.run(&run).await.map_err(|e: GenerateError| format!("{}: {e}", run.place))?;
                    }
                }
                changes(checkout, tree).await
            }
        }
    }

    /// Why files must not be changed or added for what is generated, if so: something else would be described by them, or in another way. `over`
    /// are all files that differ from the tree, `fresh` those of a path.
    async fn oversteps(
        &self,
        sources: &Sources,
        tree: &Tree,
        over: &Files,
        fresh: &Files,
    ) -> Result<Option<String>, DeployError> {
        let files = || tree.file_paths().chain(over.keys().map(String::as_str));
        let raw = sources.raw_manifests(files());
        if let Some(file) = fresh.keys().find(|file| raw.contains(file.as_str())) {
            return Ok(Some(format!(
                "{file} would be changed, which is read as it stands; only what manifests are generated from may be"
            )));
        }
        let after = Sources::read(&self.looker.generation, &*self.repo, tree, over).await?;
        if let Some(path) = sources.differs(&after) {
            let decides = |file: &&String| generate::is_config(file) || is_kustomization_file(file);
            let file = fresh.keys().find(decides).or(fresh.keys().next()).map_or("a file", String::as_str);
            let path = if path.is_empty() { "the repository" } else { path };
            return Ok(Some(format!(
                "{file} would be changed, which says how the manifests of {path} are made"
            )));
        }
        let before = sources.raw_manifests(tree.file_paths());
        Ok(before.symmetric_difference(&raw).next().map(|file| {
            format!("{file} would no longer be read as it stands, as the files beside it would make a chart")
        }))
    }
}

/// What is said of an update that changed nothing.
const NOTHING: &str = "the updaters changed no file of the repository";

impl How {
    fn changed_nothing(&self) -> &'static str {
        match self {
            Self::Commands { .. } => NOTHING,
            Self::Patches { .. } => "the patch file says so already, and something else is generated",
            Self::Kustomize => "it is not known which of the files that kustomize builds from says it",
        }
    }
}

/// Whether a file is there, or can be added.
fn may_be_written(tree: &Tree, path: &str) -> Result<(), String> {
    match tree.refuses(path).filter(|_| !tree.file(path).is_some()) {
        Some(why) => Err(format!("{path} cannot be added to the repository: {why}")),
        None => Ok(()),
    }
}

/// The files that updaters changed or made.
async fn changes(checkout: &mut dyn Checkout, tree: &Tree) -> Result<Files, String> {
    let changes = checkout.changes().await.map_err(|error| error.to_string())?;
    changes
        .into_iter()
        .map(|(path, body)| match body {
            Some(body) => may_be_written(tree, &path).map(|()| (path, body)),
            None => Err(format!("the updaters took {path} away; only the contents of files can be changed")),
        })
        .collect()
}

/// The patch file that makes of what was printed what is wanted.
fn patches(made: &Made, file: &ParsedFile, edits: &[&GeneratedEdit]) -> Result<String, String> {
    let wanted = meant(file, edits)?;
    generate::patch_file(&values(&made.printed), &wanted).map_err(|error| error.to_string())
}

/// What was made, by path, where the rules of the manifests say what is a workload.
fn plain(look: &Look, made: &BTreeMap<String, Made>) -> Manifests {
    let mut files = look.manifests.files().clone();
    files.retain(|path, _| !look.generated.contains_key(path));
    files.extend(made.iter().map(|(path, made)| (path.clone(), made.file.clone())));
    Manifests::new(files)
}
