//! Applying the patches of a file to what commands printed.

use bytes::Bytes;
use serde_json::Value;

use super::{Source, apply_patches, files::RevisionFiles, findings::failed, objects::objects_of};
use crate::{
    backend::Error as BackendError,
    finding::{Code, Finding, Place},
    manifest::{self, ParsedFile, Resource},
    position::Position,
    workload, yaml,
};

/// The objects that commands printed, with the patches of a file applied.
pub(super) struct Patched {
    pub(super) file: ParsedFile,
    /// The findings about the patches.
    pub(super) findings: Vec<Finding>,
    /// The part of the patch file that was not applied, if any.
    pub(super) unapplied: Option<String>,
}

impl Patched {
    /// Reads the patch file; `None` if there is none yet.
    pub(super) async fn read(
        revision: RevisionFiles<'_>,
        source: &Source,
        path: &str,
        printed: &ParsedFile,
    ) -> Result<Option<Self>, BackendError> {
        Ok(match patch_file(revision, path).await? {
            Ok(text) => text.map(|text| Self::of(source, path, printed, &text)),
            Err(why) => {
                let remedy = "put a file there that can be read, or name another patch file";
                let finding = failed(source, Place::start_of(path), why, remedy);
                let unapplied = Some(not_rewritten(&finding));
                Some(Self { file: printed.clone(), findings: vec![finding], unapplied })
            }
        })
    }

    fn of(source: &Source, path: &str, printed: &ParsedFile, patches: &[u8]) -> Self {
        let patches = workload::parse(patches);
        // That a patch is no whole workload is no mistake.
        let wrong = patches.problems.iter().filter(|p| p.subject.is_none() || UNREAD.contains(&p.code));
        let mut findings: Vec<Finding> = wrong.map(|problem| problem.at(path)).collect();
        let generated = objects_of(printed);
        let mut objects = generated.clone();
        for (at, error) in apply_patches(&mut objects, &objects_of(&patches)) {
            let place = patches
                .resources
                .get(at)
                .map_or_else(|| source.place(), |patch| Place::in_file(path, patch.position));
            let remedy = "remove the patch, or correct its kind, namespace and name";
            findings.push(failed(source, place, error.to_string(), remedy));
        }
        let lost =
            |finding: &&Finding| UNREAD.contains(&finding.code) || finding.code == Code::GenerationFailed;
        let unapplied = findings.iter().find(lost).map(not_rewritten);
        Self { file: replaced(printed, &generated, &objects), findings, unapplied }
    }
}

/// Reads a patch file; `None` if there is none yet, or why it cannot be read.
async fn patch_file(
    revision: RevisionFiles<'_>,
    path: &str,
) -> Result<Result<Option<Bytes>, String>, BackendError> {
    let RevisionFiles { tree, over, .. } = revision;
    if !over.contains_key(path) && tree.is_link(path) {
        return Ok(Err("the patch file is a link or a submodule, which is not followed".to_owned()));
    }
    Ok(match revision.read(path).await? {
        None if tree.file(path).is_some() => {
            Err(format!("the patch file has more than {} bytes", manifest::MAX_FILE_BYTES))
        }
        bytes => Ok(bytes),
    })
}

/// The problems that keep a document of a patch file from being read.
const UNREAD: [Code; 7] = [
    Code::InvalidYaml,
    Code::TooLarge,
    Code::Template,
    Code::NotAnObject,
    Code::NotForKubernetes,
    Code::MissingName,
    Code::Encrypted,
];

/// Returns why a patch file cannot be rewritten of which something was not applied.
fn not_rewritten(wrong: &Finding) -> String {
    let place = wrong.place.as_ref().map_or_else(|| wrong.subject.clone(), ToString::to_string);
    format!(
        "{place}: {}; rewriting the patch file would lose this patch, so correct it first",
        wrong.evidence
    )
}

/// Returns the printed objects, with others in the place of those that patches changed.
///
/// The others stay as they were read: a tag that YAML takes for a number is known as it was
/// written.
fn replaced(printed: &ParsedFile, generated: &[Value], objects: &[Value]) -> ParsedFile {
    let mut file = ParsedFile::default();
    let starts: Vec<Position> = printed.resources.iter().map(|r| r.position).collect();
    let is_new: Vec<bool> = generated.iter().zip(objects).map(|(was, is)| was != is).collect();
    for problem in &printed.problems {
        let object = starts.partition_point(|start| *start <= problem.position).checked_sub(1);
        // What is wrong with the documents themselves is so whatever patches do; what is wrong with
        // an object, patches may mend.
        if problem.subject.is_none() || !object.is_some_and(|at| is_new[at]) {
            file.problems.push(problem.clone());
        }
    }
    for ((resource, object), is_new) in printed.resources.iter().zip(objects).zip(is_new) {
        if !is_new {
            file.resources.push(numbered(resource.clone(), file.resources.len()));
            continue;
        }
        let mut patched = workload::parse(yaml::emit(object).as_bytes());
        stand_as_printed(&mut patched, resource);
        file.problems.append(&mut patched.problems);
        for resource in patched.resources {
            file.resources.push(numbered(resource, file.resources.len()));
        }
    }
    file
}

/// Returns an object as the one of its file of this index.
fn numbered(mut resource: Resource, index: usize) -> Resource {
    for container in resource.workload.iter_mut().flatten() {
        container.resource = index;
    }
    resource
}

/// Gives a patched object the lines of the printed one: the text between them is never shown.
fn stand_as_printed(file: &mut ParsedFile, printed: &Resource) {
    for problem in &mut file.problems {
        problem.position = printed.position;
    }
    for resource in &mut file.resources {
        resource.position = printed.position;
        for (key, annotation) in resource.annotations.iter_mut() {
            let same = printed.annotations.get(key);
            annotation.position = same.map_or(printed.position, |other| other.position);
        }
        for container in resource.workload.iter_mut().flatten() {
            let same = printed.workload.iter().flatten().find(|other| other.name == container.name);
            container.position = same.map_or(printed.position, |other| other.position);
        }
    }
}
