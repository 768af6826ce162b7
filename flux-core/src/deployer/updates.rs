//! Changing what commands make: updaters and patches in a private copy, and the proof that what is made then differs as intended.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::Value;

use super::{
    DeployError, Deployer, Look, Made,
    generate::{copy, make, values},
};
use crate::{
    backend::Tree,
    generate::{self, Checkout, GenerateError, GeneratedChange, GeneratedEdit, How, Source},
    manifest::{Manifests, ParsedFile, WorkloadId},
    policy::Policies,
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
        let mut changed = Files::new();
        for (path, edits) in &by_path {
            let updated = match look.generated.get(*path) {
                Some(made) => self.update(made, edits, &tree, &mut *checkout).await,
                None => Err("nothing is generated under this path".to_owned()),
            };
            match updated {
                Ok(files) => changed.extend(files),
                Err(why) => return Ok(Err(Refused::new(path, why))),
            }
        }
        match changes(&mut *checkout, &tree).await {
            Ok(files) => changed.extend(files),
            Err(why) => return Ok(Err(Refused::new(first, why))),
        }
        drop(checkout);
        if changed.is_empty() && edited.is_empty() {
            return Ok(Err(Refused::new(first, "the updaters changed no file of the repository")));
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
        for (path, before) in &look.generated {
            let edits = by_path.get(path.as_str()).map(Vec::as_slice).unwrap_or_default();
            let after = made.get(path).map(|made| &*made.file);
            if let Err(why) = proven(&before.file, after.unwrap_or(&ParsedFile::default()), edits) {
                return Ok(Err(Refused { path: blamed(path), why }));
            }
        }
        Ok(Ok(changed))
    }

    /// Runs the updaters of a path, or makes its patch file.
    async fn update(
        &self,
        made: &Made,
        edits: &[&GeneratedEdit],
        tree: &Tree,
        checkout: &mut dyn Checkout,
    ) -> Result<Files, String> {
        match &made.source.how {
            // The plan has edited the files that it is built from.
            How::Kustomize => Ok(Files::new()),
            How::Patches { file, .. } => {
                may_be_written(tree, file)?;
                Ok([(file.clone(), patches(made, edits)?.into())].into())
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
                Ok(Files::new())
            }
        }
    }
}

/// Whether a file is there, or can be added.
fn may_be_written(tree: &Tree, path: &str) -> Result<(), String> {
    match tree.refuses(path).filter(|_| !tree.files.contains_key(path)) {
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
fn patches(made: &Made, edits: &[&GeneratedEdit]) -> Result<String, String> {
    let mut wanted = values(&made.file);
    for edit in edits {
        let GeneratedEdit { workload, change, .. } = edit;
        let at = made
            .file
            .resources
            .iter()
            .position(|resource| {
                let namespace = resource.namespace.as_deref().unwrap_or("default");
                WorkloadId::new(namespace, &resource.kind, &resource.name) == *workload
            })
            .ok_or_else(|| format!("{workload} is not generated"))?;
        let (resource, object) = (&made.file.resources[at], &mut wanted[at]);
        match change {
            GeneratedChange::Image { container, after, .. } => {
                let containers = resource.workload.iter().flatten().filter(|c| c.name == *container);
                for (_, intent) in containers
                    .map(|container| container.edits(after))
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|error| error.to_string())?
                    .into_iter()
                    .flatten()
                {
                    if let (Some(place), Some(value)) = (object.pointer_mut(&intent.pointer), intent.value) {
                        *place = value;
                    }
                }
            }
            GeneratedChange::Policy { key, value, .. } => annotate(object, key, value.as_deref()),
        }
    }
    generate::patch_file(&values(&made.printed), &wanted).map_err(|error| error.to_string())
}

/// Sets or removes an annotation.
fn annotate(object: &mut Value, key: &str, value: Option<&str>) {
    let annotations = &mut object["metadata"]["annotations"];
    match value {
        Some(value) => annotations[key] = value.into(),
        None => {
            annotations.as_object_mut().and_then(|map| map.remove(key));
        }
    }
}

/// Proves that of two generations the images and policies differ as `edits` say, and nowhere else.
fn proven(before: &ParsedFile, after: &ParsedFile, edits: &[&GeneratedEdit]) -> Result<(), String> {
    let mut wanted = facts(before);
    for edit in edits {
        let id = edit.workload.to_string();
        match &edit.change {
            GeneratedChange::Image { container, after, .. } => {
                wanted.insert((id, format!("container {container}")), after.to_string());
            }
            GeneratedChange::Policy { policy, value, .. } => {
                let key = (id, format!("policy {policy}"));
                match value.as_ref().filter(|value| *value != UNSET) {
                    Some(value) => drop(wanted.insert(key, value.clone())),
                    None => drop(wanted.remove(&key)),
                }
            }
        }
    }
    let made = facts(after);
    let keys: BTreeSet<_> = wanted.keys().chain(made.keys()).collect();
    for key in keys {
        let (wanted, made) = (wanted.get(key), made.get(key));
        if wanted != made {
            let said = |text: Option<&String>| text.map_or("nothing".to_owned(), |text| format!("`{text}`"));
            let ((id, what), wanted, made) = (key, said(wanted), said(made));
            return Err(format!(
                "after the update, {id} would have {made} for {what}, where {wanted} is meant"
            ));
        }
    }
    Ok(())
}

/// A policy of this value says what one that is not there says.
const UNSET: &str = "false";

/// The objects of a file, their images and their policies.
fn facts(file: &ParsedFile) -> BTreeMap<(String, String), String> {
    let mut facts = BTreeMap::new();
    for resource in &file.resources {
        let namespace = resource.namespace.as_deref().unwrap_or("default");
        let id = WorkloadId::new(namespace, &resource.kind, &resource.name).to_string();
        facts.insert((id.clone(), "its API group".to_owned()), resource.group().to_owned());
        for container in resource.workload.iter().flatten() {
            let image = match &container.image {
                Ok(image) => image.to_string(),
                Err(bad) => bad.text.clone(),
            };
            facts.insert((id.clone(), format!("container {}", container.name)), image);
        }
        if resource.workload.is_some() {
            let policies = Policies::of(&resource.annotations).all.into_iter();
            let set = policies.filter(|(_, text)| text.value != UNSET);
            facts.extend(set.map(|(name, text)| ((id.clone(), format!("policy {name}")), text.value)));
        }
    }
    facts
}
