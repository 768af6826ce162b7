//! Manifests: any file is read with a result, and edits change only the intended values.

mod annotations;
mod built;
mod corpus;
mod custom;
mod files;
mod helm;
mod hostile;
mod images;
mod kubectl;
mod kustomize;
mod labels;
mod laws;
mod merges;
mod reading;
mod scalars;
mod setters;
mod shared;
mod workloads;

use std::{collections::BTreeMap, sync::Arc};

use flux_core::{
    Code, RepoPath,
    edit::{EditError, ImageChange, annotation_edits, image_edits, prove},
    manifest::{Container, ParsedFile},
    manifest_set::Manifests,
    workload::parse,
};

/// Returns the codes and places of a file's problems.
fn problems(file: &ParsedFile) -> Vec<(Code, u32, u32)> {
    file.problems.iter().map(|p| (p.code, p.position.line, p.position.column)).collect()
}

/// Returns the containers of the first workload of a file.
fn containers(source: &str) -> Vec<Container> {
    let file = parse(source.as_bytes());
    let workload = file.resources.into_iter().find_map(|r| r.workload);
    workload.unwrap_or_else(|| panic!("no workload, but {:?}", file.problems))
}

/// Returns the names and images of containers, invalid images as `!text`.
fn images(containers: &[Container]) -> Vec<(String, String)> {
    let image = |c: &Container| match &c.image {
        Ok(image) => image.to_string(),
        Err(bad) => format!("!{}", bad.text),
    };
    containers.iter().map(|c| (c.name.clone(), image(c))).collect()
}

/// Sets the images of containers, by their names, in all objects of a file.
fn set_images(source: &str, changes: &[(&str, &str)]) -> Result<String, EditError> {
    let (mut edits, mut intents) = (Vec::new(), Vec::new());
    for container in parse(source.as_bytes()).resources.iter().flat_map(|r| r.workload.iter().flatten()) {
        for (_, to) in changes.iter().filter(|(name, _)| *name == container.name) {
            for (edit, intent) in container.edits(&to.parse().unwrap())? {
                edits.push(edit);
                intents.push(intent);
            }
        }
    }
    prove(source.as_bytes(), &edits, &intents).map(|bytes| String::from_utf8(bytes).unwrap())
}

/// Sets or removes annotations of the object with an index.
fn annotate(source: &str, resource: usize, changes: &[(&str, Option<&str>)]) -> Result<String, EditError> {
    let changes: BTreeMap<_, _> =
        changes.iter().map(|(k, v)| ((*k).to_owned(), v.map(str::to_owned))).collect();
    let (edits, intents) = annotation_edits(source.as_bytes(), resource, &changes)?;
    prove(source.as_bytes(), &edits, &intents).map(|bytes| String::from_utf8(bytes).unwrap())
}

/// Returns the manifests of files by their paths.
fn manifests(files: &[(&str, &str)]) -> Manifests {
    let parsed = |(path, text): &(&str, &str)| (path.parse().unwrap(), Arc::new(parse(text.as_bytes())));
    Manifests::new(files.iter().map(parsed).collect())
}

/// Sets images by the text of `workload container`, as one set, and returns the files that change
/// with their new texts.
fn set_together(
    files: &[(&str, &str)],
    changes: &[(&str, &str)],
) -> Result<BTreeMap<String, String>, EditError> {
    let manifests = manifests(files);
    let targets: Vec<flux_core::image::ImageRef> =
        changes.iter().map(|(_, to)| to.parse().unwrap()).collect();
    let change = |(&(name, _), to)| {
        let (workload, container) = str::split_once(name, ' ').unwrap();
        let id = workload.parse().unwrap();
        let located = manifests.workload(&id).unwrap_or_else(|| panic!("no {workload}"));
        let mut containers = located.resource.workload.iter().flatten();
        let container = containers.find(|c| c.name == container).unwrap_or_else(|| panic!("no {name}"));
        ImageChange { path: located.path, container, to }
    };
    let changes: Vec<_> = changes.iter().zip(&targets).map(change).collect();
    let mut by_path: BTreeMap<RepoPath, (Vec<_>, Vec<_>)> = BTreeMap::new();
    let answers = image_edits(&changes);
    let refused = answers.iter().filter_map(|answer| answer.as_ref().err());
    if let Some(error) = refused.min_by_key(|error| matches!(error, EditError::NotAlone)) {
        return Err(error.clone());
    }
    for edits in answers {
        for placed in edits? {
            let (edits, intents) = by_path.entry(placed.path).or_default();
            edits.push(placed.edit);
            intents.push(placed.intent);
        }
    }
    let source = |path: &str| files.iter().find(|(p, _)| *p == path).unwrap().1;
    by_path
        .into_iter()
        .map(|(path, (edits, intents))| {
            let text = String::from_utf8(prove(source(&path).as_bytes(), &edits, &intents)?).unwrap();
            Ok((path.into(), text))
        })
        .collect()
}
