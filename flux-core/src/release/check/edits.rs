//! The rules of edits: they bring about what the verdicts say, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{
    scope::{described, moved},
    violation::Violation,
};
use crate::{
    edit::{Edit, Intent},
    manifest::{Container, ParsedFile, WorkloadId},
    manifest_set::Located,
    plan::GeneratedChange,
    release::{Operation, ReleasePlan, Snapshot, Status},
    repo_path::RepoPath,
    workload,
};

/// A document, by its file and its index there.
type Document<'a> = (&'a str, usize);

/// The documents that changed workloads are written in.
#[derive(Default)]
struct Written<'a> {
    documents: BTreeSet<Document<'a>>,
    generated: BTreeSet<WorkloadId>,
}

pub(super) fn check(plan: &ReleasePlan, snapshot: &Snapshot) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut written = Written::default();
    let edited: BTreeSet<&RepoPath> = plan.edits.iter().map(|edit| &edit.path).collect();
    for (id, verdict) in plan.workloads.iter().filter(|(_, verdict)| verdict.status == Status::Success) {
        let Some(at) = described(plan, snapshot, id) else { continue };
        written.documents.insert((at.path, at.index));
        let described = snapshot.manifests.described(&at);
        written
            .documents
            .extend(described.iter().map(|(of, _)| (of.document.path.as_str(), of.document.index)));
        written.generated.insert(id.clone());
        if matches!(plan.request.operation, Operation::Policy(_)) {
            if !changes_policies(plan, id, &written.documents, &at) {
                violations.push(Violation::MissingEdit { id: id.clone(), container: None });
            }
            continue;
        }
        for (container, verdict) in moved(&at, verdict) {
            if let Some(elsewhere) = &container.origin {
                written.documents.insert((&elsewhere.document.path, elsewhere.document.index));
            }
            let in_files = at.generated.is_none() || container.origin.is_some();
            let same = container.image.as_ref().ok() == verdict.target.as_ref();
            let found = same
                || if in_files {
                    is_edited(plan, &edited, &at, container)
                } else {
                    is_generated(plan, id, verdict.target.as_ref().map(ToString::to_string), container)
                };
            if !found {
                let container = Some(container.name.clone());
                violations.push(Violation::MissingEdit { id: id.clone(), container });
            }
        }
    }
    violations.extend(stray(plan, &written));
    let mut files: BTreeMap<&RepoPath, Vec<&Edit>> = BTreeMap::new();
    for edit in &plan.edits {
        files.entry(&edit.path).or_default().push(&edit.edit);
    }
    for (path, edits) in files {
        violations.extend(file(path, &edits, plan, snapshot, &written));
    }
    violations
}

/// Returns `true` if an edit is intended to change the image of a container where it is written.
fn is_edited(
    plan: &ReleasePlan,
    edited: &BTreeSet<&RepoPath>,
    at: &Located<'_>,
    container: &Container,
) -> bool {
    let (path, resource) = match &container.origin {
        Some(elsewhere) => (&elsewhere.document.path, elsewhere.document.index),
        None => (at.path, container.resource),
    };
    let is_site = |intent: &Intent| {
        intent.resource == resource && container.sites.iter().any(|site| site.pointer == intent.pointer)
    };
    edited.contains(path) && plan.intents.get(path).is_some_and(|intents| intents.iter().any(is_site))
}

/// Returns `true` if commands are to bring about the image of a container.
fn is_generated(plan: &ReleasePlan, id: &WorkloadId, target: Option<String>, container: &Container) -> bool {
    plan.generated.iter().any(|edit| {
        let change = match &edit.change {
            GeneratedChange::Image { container, after, .. } => Some((container, after.to_string())),
            GeneratedChange::Policy { .. } => None,
        };
        edit.workload == *id
            && change.is_some_and(|(name, after)| *name == container.name && Some(after) == target)
    })
}

/// Returns `true` if an edit, or a command, changes the annotations of a workload.
fn changes_policies(
    plan: &ReleasePlan,
    id: &WorkloadId,
    documents: &BTreeSet<Document<'_>>,
    at: &Located<'_>,
) -> bool {
    let of_workload = |document: &Document<'_>| {
        plan.intents.get(document.0).is_some_and(|intents| intents.iter().any(|i| i.resource == document.1))
    };
    let generated = plan
        .generated
        .iter()
        .any(|e| e.workload == *id && matches!(e.change, GeneratedChange::Policy { .. }));
    generated || of_workload(&(at.path, at.index)) || documents.iter().any(of_workload)
}

/// Edits, intents and commands that belong to no changed workload.
fn stray(plan: &ReleasePlan, written: &Written<'_>) -> Vec<Violation> {
    let mut paths: BTreeSet<&RepoPath> = BTreeSet::new();
    for (path, intents) in &plan.intents {
        let belongs = |intent: &Intent| written.documents.contains(&(path.as_str(), intent.resource));
        if !intents.iter().all(belongs) {
            paths.insert(path);
        }
    }
    let without_intent =
        plan.edits.iter().filter(|edit| plan.intents.get(&edit.path).is_none_or(Vec::is_empty));
    paths.extend(without_intent.map(|edit| &edit.path));
    let generated = plan.generated.iter().filter(|edit| !written.generated.contains(&edit.workload));
    paths.extend(generated.map(|edit| &edit.path));
    paths.into_iter().map(|path| Violation::StrayEdit { path: path.clone() }).collect()
}

/// Checks the edits of one file: against its bytes and against what they are to bring about, where
/// these are at hand.
fn file(
    path: &RepoPath,
    edits: &[&Edit],
    plan: &ReleasePlan,
    snapshot: &Snapshot,
    written: &Written<'_>,
) -> Vec<Violation> {
    let is_raw =
        snapshot.manifests.files().contains_key(path) && !snapshot.manifests.generated().contains_key(path);
    let is_part = written.documents.iter().any(|(document, _)| path == document);
    if snapshot.manifests.generated().contains_key(path) || !(is_raw || is_part) {
        return vec![Violation::UnknownFile { path: path.clone() }];
    }
    let misplaced = |edit: &Edit| Violation::Misplaced { path: path.clone(), start: edit.start };
    let mut sorted = edits.to_vec();
    sorted.sort_by_key(|edit| (edit.start, edit.end));
    let overlap = sorted.windows(2).find_map(|pair| match pair {
        [first, second] if second.start < first.end => Some(misplaced(second)),
        _ => None,
    });
    if let Some(violation) = overlap.or_else(|| sorted.iter().find(|e| e.end < e.start).map(|e| misplaced(e)))
    {
        return vec![violation];
    }
    let Some(source) = snapshot.sources.get(path) else { return Vec::new() };
    let fits = |edit: &&&Edit| source.get(edit.start..edit.end) == Some(edit.before.as_bytes());
    if let Some(edit) = sorted.iter().find(|edit| !fits(edit)) {
        return vec![misplaced(edit)];
    }
    let (mut edited, mut copied) = (Vec::with_capacity(source.len()), 0);
    for edit in sorted {
        if let Some(kept) = source.get(copied..edit.start) {
            edited.extend_from_slice(kept);
        }
        edited.extend_from_slice(edit.after.as_bytes());
        copied = edit.end;
    }
    edited.extend_from_slice(source.get(copied..).unwrap_or_default());
    let intents = plan.intents.get(path).map(Vec::as_slice).unwrap_or_default();
    let other = other_than_intended(&workload::parse(source), &workload::parse(&edited), intents);
    other.map(|at| Violation::WrongResult { path: path.clone(), at }).into_iter().collect()
}

/// Returns the first place at which an edited file differs from the file with the intended values
/// put into it.
fn other_than_intended(before: &ParsedFile, after: &ParsedFile, intents: &[Intent]) -> Option<String> {
    if before.resources.len() != after.resources.len() {
        return Some("the number of objects would change".to_owned());
    }
    // What is wrong with objects follows from their values, which are compared below.
    let of_documents = |file: &ParsedFile| file.problems.iter().filter(|p| p.subject.is_none()).count();
    if of_documents(before) < of_documents(after) {
        return Some("the file would have more problems".to_owned());
    }
    let mut by_object: BTreeMap<usize, Vec<&Intent>> = BTreeMap::new();
    for intent in intents {
        by_object.entry(intent.resource).or_default().push(intent);
    }
    for (n, (old, new)) in before.resources.iter().zip(&after.resources).enumerate() {
        if old.object == new.object && !by_object.contains_key(&n) {
            continue;
        }
        let mut wanted = old.object.value();
        for intent in by_object.get(&n).into_iter().flatten() {
            let tokens: Vec<String> = intent
                .pointer
                .split('/')
                .skip(1)
                .map(|token| token.replace("~1", "/").replace("~0", "~"))
                .collect();
            if !put(&mut wanted, &tokens, intent.value.as_ref()) {
                return Some(intent.pointer.clone());
            }
        }
        let new = new.object.value();
        if wanted != new {
            return Some(difference(&wanted, &new, String::new()));
        }
    }
    None
}

/// Puts a value at a place, or takes it away.
///
/// Returns `true` if there is such a place.
fn put(value: &mut Value, tokens: &[String], wanted: Option<&Value>) -> bool {
    let Some((token, rest)) = tokens.split_first() else {
        if let Some(wanted) = wanted {
            *value = wanted.clone();
        }
        return wanted.is_some();
    };
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Array(items) => {
            let item = token.parse().ok().and_then(|n: usize| items.get_mut(n));
            item.is_some_and(|item| put(item, rest, wanted))
        }
        Value::Object(fields) if rest.is_empty() && wanted.is_none() => fields.remove(token).is_some(),
        Value::Object(fields) => put(fields.entry(token.clone()).or_insert(Value::Null), rest, wanted),
        _ => false,
    }
}

fn difference(one: &Value, other: &Value, at: String) -> String {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            let key = keys.into_iter().find(|key| a.get(*key) != b.get(*key));
            match key.map(|key| (key, a.get(key), b.get(key))) {
                Some((key, Some(a), Some(b))) => difference(a, b, format!("{at}/{key}")),
                Some((key, ..)) => format!("{at}/{key}"),
                None => at,
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            match a.iter().zip(b).enumerate().find(|(_, (a, b))| a != b) {
                Some((n, (a, b))) => difference(a, b, format!("{at}/{n}")),
                None => at,
            }
        }
        _ => at,
    }
}
