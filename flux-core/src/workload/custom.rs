//! Workloads of custom kinds, by the rules in `spec.workloads` of a repository's `FluxPolicy`
//! documents.
//!
//! The page of the module above shows such a rule.
//!
//! A path is written with dots, or as a JSON pointer (`/spec/a.b`) where keys have dots; `*` stands
//! for every item of a list and every entry of a mapping. A container is called by its `name`, else
//! by the item or entry on the way, else by the last key of the path. A path that matches nothing
//! in an object is ignored. Built-in kinds of Kubernetes, and the kinds that need no rule, cannot
//! be named.

mod rule;

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use super::{
    context::{Context, QUOTES},
    custom::rule::{ImagePaths, Path, Rule, rules},
    image_parts::ImageParts,
    pods::LISTS,
    unread::matches,
};
use crate::{
    finding::{Finding, Problem},
    manifest::{
        BadImage, Container, ContainerRole, ParsedFile, Resource, WorkloadId, is_policy_document,
        scalar_ref::ScalarRef,
    },
    repo_path::RepoPath,
    yaml::scalar::other_than_text,
};

/// Turns the objects that rules match into workloads, and returns the findings about the rules.
pub(crate) fn apply(files: &mut BTreeMap<RepoPath, Arc<ParsedFile>>) -> Vec<Finding> {
    let (all, findings) = rules_in(files);
    apply_rules(&all, files);
    findings
}

/// Turns the objects that the rules in other files match into workloads.
pub(crate) fn apply_those_of(
    others: &BTreeMap<RepoPath, Arc<ParsedFile>>,
    files: &mut BTreeMap<RepoPath, Arc<ParsedFile>>,
) {
    apply_rules(&rules_in(others).0, files);
}

/// Returns `true` if any file has rules for custom workloads.
pub(crate) fn has_rules(files: &BTreeMap<RepoPath, Arc<ParsedFile>>) -> bool {
    let documents = files.values().flat_map(|file| &file.resources).filter(|one| is_policy_document(one));
    documents.into_iter().any(|document| !rules(document).0.is_empty())
}

fn rules_in(files: &BTreeMap<RepoPath, Arc<ParsedFile>>) -> (Vec<Rule>, Vec<Finding>) {
    let mut all = Vec::new();
    let mut findings = Vec::new();
    for (path, file) in files {
        for document in file.resources.iter().filter(|resource| is_policy_document(resource)) {
            let (rules, problems) = rules(document);
            all.extend(rules);
            findings.extend(problems.iter().map(|problem| problem.at(path)));
        }
    }
    (all, findings)
}

fn apply_rules(all: &[Rule], files: &mut BTreeMap<RepoPath, Arc<ParsedFile>>) {
    if all.is_empty() {
        return;
    }
    for file in files.values_mut() {
        let mut found = Vec::new();
        for (index, resource) in file.resources.iter().enumerate() {
            let rules: Vec<&Rule> = all.iter().filter(|rule| rule.is_for(resource)).collect();
            if !rules.is_empty() {
                found.push((index, read(index, resource, &rules)));
            }
        }
        for (index, (containers, problems)) in found {
            let file = Arc::make_mut(file);
            file.problems.extend(problems);
            if !containers.is_empty() {
                file.resources[index].workload.get_or_insert_default().extend(containers);
            }
        }
    }
}

/// Returns the containers of an object by the rules for it.
///
/// Images that comments already mark are left out.
fn read(index: usize, resource: &Resource, rules: &[&Rule]) -> (Vec<Container>, Vec<Problem>) {
    let namespace = resource.namespace.as_deref().unwrap_or("default");
    let subject = WorkloadId::new(namespace, &resource.kind, &resource.name).to_string();
    let mut problems = Vec::new();
    let (read_only_reason, encrypted) = (resource.read_only_reason(), resource.is_encrypted());
    let mut context =
        Context { subject: &subject, resource: index, read_only_reason, encrypted, problems: &mut problems };
    let mut reader = Reader {
        object: &resource.object.value(),
        resource,
        seen: resource.workload.iter().flatten().flat_map(|c| &c.sites).map(|s| s.pointer.clone()).collect(),
        containers: Vec::new(),
    };
    for rule in rules {
        for (path, role) in rule.lists() {
            reader.containers_at(&path, role, &mut context);
        }
        for image in &rule.images {
            reader.images_at(image, &mut context);
        }
    }
    let containers = reader.containers;
    (containers, problems)
}

struct Reader<'a> {
    resource: &'a Resource,
    /// The resource's object.
    object: &'a Value,
    /// The pointers of the images found so far.
    seen: Vec<String>,
    containers: Vec<Container>,
}

impl Reader<'_> {
    fn containers_at(&mut self, path: &Path, role: ContainerRole, context: &mut Context<'_>) {
        for (pointer, name, value) in matches(self.object, &path.0) {
            let last = path.0.iter().rev().find(|step| *step != "*");
            let fallback = name.as_deref().or(last.map(String::as_str)).unwrap_or_default();
            match value {
                Value::Array(items) => {
                    for (index, item) in items.iter().enumerate() {
                        let fallback = format!("{fallback}-{}", index + 1);
                        self.container(&format!("{pointer}/{index}"), item, &fallback, role, context);
                    }
                }
                value => self.container(&pointer, value, fallback, role, context),
            }
        }
    }

    fn container(
        &mut self,
        pointer: &str,
        value: &Value,
        fallback: &str,
        role: ContainerRole,
        context: &mut Context<'_>,
    ) {
        let name = value.get("name").and_then(Value::as_str).filter(|n| !n.is_empty()).unwrap_or(fallback);
        let at = format!("{pointer}/image");
        if self.is_text(name, &at, value.get("image"), role, context)
            && let Some(image) = self.resource.scalar_at(&at)
        {
            self.add(name, &ImageParts::whole(image.clone()), role, context);
        }
    }

    fn images_at(&mut self, image: &ImagePaths, context: &mut Context<'_>) {
        for (pointer, name, value) in matches(self.object, &image.repository.0) {
            let name = image.name.clone().or(name).unwrap_or_default();
            if !self.is_text(&name, &pointer, Some(value), ContainerRole::Main, context) {
                continue;
            }
            let beside = |path: &Option<Path>| -> Option<ScalarRef> {
                let pointer = path.as_ref()?.beside(&image.repository, &pointer);
                self.resource.scalar_at(&pointer).filter(|leaf| !leaf.text.is_empty()).cloned()
            };
            let Some(repository) = self.resource.scalar_at(&pointer).cloned() else { continue };
            let parts = ImageParts {
                registry: beside(&image.registry),
                repository,
                tag: beside(&image.tag),
                digest: beside(&image.digest),
            };
            self.add(&name, &parts, ContainerRole::Main, context);
        }
    }

    /// Returns `true` if a value may be an image.
    ///
    /// A number or a boolean is reported; null counts as absent.
    fn is_text(
        &mut self,
        name: &str,
        pointer: &str,
        value: Option<&Value>,
        role: ContainerRole,
        context: &mut Context<'_>,
    ) -> bool {
        let Some(value @ (Value::Number(_) | Value::Bool(_))) = value else { return true };
        if !self.seen.iter().any(|seen| seen == pointer) {
            self.seen.push(pointer.to_owned());
            let text =
                self.resource.scalar_at(pointer).map_or_else(|| value.to_string(), |leaf| leaf.text.clone());
            let what = other_than_text(value).unwrap_or_default();
            let image = Err(BadImage::other_than_text(&text, &what));
            let position = self.resource.position_of(pointer);
            self.containers.push(context.container((name, role), image, position, Vec::new(), QUOTES));
        }
        false
    }

    fn add(&mut self, name: &str, parts: &ImageParts, role: ContainerRole, context: &mut Context<'_>) {
        let pointer = &parts.repository.site.pointer;
        if !self.seen.contains(pointer) {
            self.seen.push(pointer.clone());
            self.containers.push(parts.container(name, role, context));
        }
    }
}

impl Rule {
    /// Returns the paths of lists of containers, with the roles of these in their pods.
    fn lists(&self) -> Vec<(Path, ContainerRole)> {
        let of_pod = |pod: &Path| LISTS.map(|(list, role)| (pod.below(list), role));
        let lists = self.containers.iter().map(|path| (path.clone(), ContainerRole::Main));
        self.pods.iter().flat_map(of_pod).chain(lists).collect()
    }
}
