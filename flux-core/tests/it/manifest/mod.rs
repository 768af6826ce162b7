//! Manifests: what is read of any file, and that edits change only what they name.

mod annotations;
mod corpus;
mod files;
mod helm;
mod hostile;
mod images;
mod laws;
mod reading;
mod scalars;
mod workloads;

use std::collections::BTreeMap;

use flux_core::{
    Code,
    manifest::{Container, EditError, ParsedFile, annotation_edits, parse, prove},
};

/// The codes and places of a file's problems.
fn problems(file: &ParsedFile) -> Vec<(Code, u32, u32)> {
    file.problems.iter().map(|p| (p.code, p.line, p.column)).collect()
}

/// The containers of the first workload of a file.
fn containers(source: &str) -> Vec<Container> {
    let file = parse(source.as_bytes());
    let workload = file.resources.into_iter().find_map(|r| r.workload);
    workload.unwrap_or_else(|| panic!("no workload, but {:?}", file.problems))
}

/// Names and images of containers, bad images as `!text`.
fn images(containers: &[Container]) -> Vec<(String, String)> {
    let image = |c: &Container| match &c.image {
        Ok(image) => image.to_string(),
        Err(bad) => format!("!{}", bad.text),
    };
    containers.iter().map(|c| (c.name.clone(), image(c))).collect()
}

/// Sets the images of containers, by their names, all over a file.
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
