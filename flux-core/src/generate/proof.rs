//! The proof that the objects generated after a change differ from those before as intended, and in
//! nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{GeneratedChange, GeneratedEdit, Method, objects::objects_of};
use crate::{
    image::ImageRef,
    manifest::{CLUSTER, Container, ParsedFile, Resource, Scope, WorkloadId, scope_of},
    manifest_set::DEFAULT_NAMESPACE,
    pointer::escape,
    policy::{Policies, is_of_syncs},
    workload::Class,
};

/// Verifies that two generations of a path differ as `edits` say.
///
/// Images and policies differ as they say, and nowhere else. In what no command of the repository's
/// own makes, nothing else differs either.
pub(super) fn verify(
    method: &Method,
    before: &ParsedFile,
    after: &ParsedFile,
    edits: &[&GeneratedEdit],
    default_namespace: &str,
) -> Result<(), String> {
    verify_declared(before, after, edits, default_namespace)?;
    match method {
        // The labels and checksums of a chart may follow.
        Method::Commands { .. } => Ok(()),
        Method::Patches { .. } | Method::Kustomize => verify_exact(before, after, edits, default_namespace),
    }
}

/// Returns the objects of a file as they are to be after `edits`.
pub(super) fn expected(
    file: &ParsedFile,
    edits: &[&GeneratedEdit],
    default_namespace: &str,
) -> Result<Vec<Value>, String> {
    let mut wanted = objects_of(file);
    for GeneratedEdit { workload, change, .. } in edits.iter().copied() {
        let at = file
            .resources
            .iter()
            .position(|resource| is_named(resource, workload, default_namespace))
            .ok_or_else(|| format!("{workload} is not generated"))?;
        let (resource, object) = (&file.resources[at], &mut wanted[at]);
        match change {
            GeneratedChange::Image { container, after, .. } => {
                for container in containers(resource).filter(|c| c.name == *container) {
                    for (_, intent) in container.edits(after).map_err(|error| error.to_string())? {
                        if let (Some(place), Some(value)) =
                            (object.pointer_mut(&intent.pointer), intent.value)
                        {
                            *place = value;
                        }
                    }
                }
            }
            GeneratedChange::Policy { key, value, .. } => annotate(object, key, value.as_deref()),
        }
    }
    Ok(wanted)
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

fn id(resource: &Resource, default_namespace: &str) -> WorkloadId {
    let none = match scope_of(resource.api_version.as_str(), &resource.kind) {
        Some(Scope::Cluster) => CLUSTER,
        Some(Scope::Namespaced) | None => default_namespace,
    };
    WorkloadId::new(resource.namespace.as_deref().unwrap_or(none), &resource.kind, &resource.name)
}

/// Returns `true` if an id names an object, with its API group or without.
fn is_named(resource: &Resource, workload: &WorkloadId, default_namespace: &str) -> bool {
    let id = id(resource, default_namespace);
    id == *workload || id.in_group(resource.group()) == *workload
}

/// Returns the key that tells one object from all others.
fn key(resource: &Resource) -> Key {
    (id(resource, DEFAULT_NAMESPACE), resource.group().to_owned())
}

type Key = (WorkloadId, String);

fn containers(resource: &Resource) -> impl Iterator<Item = &Container> {
    resource.workload.iter().flatten()
}

/// Returns `true` if an image changes as one of the edits changes another.
///
/// A Job is not released by itself, and follows what it takes its image from.
fn follows(edits: &[&GeneratedEdit], was: &str, is: &str) -> bool {
    edits.iter().any(|edit| {
        matches!(&edit.change, GeneratedChange::Image { before, after, .. } if before == was && after.to_string() == is)
    })
}

/// Verifies the images and policies.
fn verify_declared(
    before: &ParsedFile,
    after: &ParsedFile,
    edits: &[&GeneratedEdit],
    default_namespace: &str,
) -> Result<(), String> {
    let mut wanted = facts(before);
    for edit in edits {
        let is_it = |resource: &&Resource| is_named(resource, &edit.workload, default_namespace);
        let object = before.resources.iter().find(is_it);
        let object = object.map(key).ok_or_else(|| format!("{} is not generated", edit.workload))?;
        match &edit.change {
            GeneratedChange::Image { container, after, .. } => {
                wanted.insert((object, container_fact(container)), after.to_string());
            }
            GeneratedChange::Policy { policy, value, .. } => {
                let key = (object, format!("policy {policy}"));
                match value.as_ref().filter(|value| *value != UNSET) {
                    Some(value) => drop(wanted.insert(key, value.clone())),
                    None => drop(wanted.remove(&key)),
                }
            }
        }
    }
    let generated = facts(after);
    let read_only: BTreeSet<(Key, String)> = before
        .resources
        .iter()
        .filter(|resource| is_read_only(resource))
        .flat_map(|resource| containers(resource).map(|c| (key(resource), container_fact(&c.name))))
        .collect();
    let keys: BTreeSet<_> = wanted.keys().chain(generated.keys()).collect();
    for key in keys {
        let (wanted, generated) = (wanted.get(key), generated.get(key));
        let may_follow = || wanted.zip(generated).is_some_and(|(was, is)| follows(edits, was, is));
        if wanted != generated && !(read_only.contains(key) && may_follow()) {
            let quoted =
                |text: Option<&String>| text.map_or("nothing".to_owned(), |text| format!("`{text}`"));
            let (((id, _), what), wanted, generated) = (key, quoted(wanted), quoted(generated));
            return Err(format!(
                "after the update, {id} would have {generated} for {what}, where {wanted} is intended"
            ));
        }
    }
    Ok(())
}

fn is_read_only(resource: &Resource) -> bool {
    matches!(resource.class(), Some(Class::ReadOnly(_)))
}

/// A policy with this value counts as one that is not there.
const UNSET: &str = "false";

/// Returns the images and policies of the objects of a file.
fn facts(file: &ParsedFile) -> BTreeMap<(Key, String), String> {
    let mut facts = BTreeMap::new();
    for resource in &file.resources {
        let object = key(resource);
        facts.insert((object.clone(), "its API group".to_owned()), resource.group().to_owned());
        for container in containers(resource) {
            facts.insert((object.clone(), container_fact(&container.name)), image(container));
        }
        if resource.workload.is_some() {
            let policies = Policies::of(&resource.annotations).all.into_iter();
            let set = policies.filter(|(_, text)| text.value != UNSET);
            facts.extend(set.map(|(name, text)| ((object.clone(), format!("policy {name}")), text.value)));
            let of_syncs = resource.annotations.iter().filter_map(|(key, annotation)| {
                let name = key.rsplit_once('/')?.1;
                (is_of_syncs(name) && name != "ignore").then(|| (name, annotation.value.clone()))
            });
            facts.extend(of_syncs.map(|(name, value)| ((object.clone(), format!("policy {name}")), value)));
        }
    }
    facts
}

fn container_fact(name: &str) -> String {
    format!("container {name}")
}

fn image(container: &Container) -> String {
    container.image.as_ref().map_or_else(|bad| bad.text.clone(), ImageRef::to_string)
}

/// Verifies every field of every object.
fn verify_exact(
    before: &ParsedFile,
    after: &ParsedFile,
    edits: &[&GeneratedEdit],
    default_namespace: &str,
) -> Result<(), String> {
    let mut wanted = expected(before, edits, default_namespace)?;
    let mut objects: BTreeMap<Key, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for (at, resource) in before.resources.iter().enumerate() {
        objects.entry(key(resource)).or_default().0.push(at);
    }
    for (at, resource) in after.resources.iter().enumerate() {
        objects.entry(key(resource)).or_default().1.push(at);
    }
    for ((id, _), (was, is)) in objects {
        if was.len() != is.len() {
            let what = if is.len() < was.len() { "no longer be generated" } else { "be generated anew" };
            return Err(format!("after the update, {id} would {what}"));
        }
        for (was, is) in was.into_iter().zip(is) {
            let (was, is, wanted) = (&before.resources[was], &after.resources[is], &mut wanted[was]);
            if is_read_only(was) {
                follow(wanted, was, is, edits);
            }
            if let Some(field) = difference(wanted, &is.object.value()) {
                return Err(format!(
                    "after the update, `{field}` of {id} would be another as well; nothing but the intended change may come of it"
                ));
            }
        }
    }
    Ok(())
}

/// Lets the images of an object be those that follow.
fn follow(wanted: &mut Value, was: &Resource, is: &Resource, edits: &[&GeneratedEdit]) {
    for (was, is_now) in containers(was).zip(containers(is)) {
        if was.name != is_now.name || !follows(edits, &image(was), &image(is_now)) {
            continue;
        }
        for site in &was.sites {
            let value = is.object.at(&site.pointer);
            if let (Some(place), Some(value)) = (wanted.pointer_mut(&site.pointer), value) {
                *place = value.clone();
            }
        }
    }
}

/// Returns the first field, as a JSON pointer, in which two objects differ.
///
/// No annotations are as good as an empty mapping of them.
fn difference(one: &Value, other: &Value) -> Option<String> {
    field(&without_empty_annotations(one), &without_empty_annotations(other))
}

fn without_empty_annotations(object: &Value) -> Value {
    let mut object = object.clone();
    let is_empty =
        |annotations: &Value| annotations.is_null() || annotations.as_object().is_some_and(Map::is_empty);
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut)
        && metadata.get("annotations").is_some_and(is_empty)
    {
        metadata.remove("annotations");
    }
    object
}

fn field(one: &Value, other: &Value) -> Option<String> {
    let within = |key: &str, one: Option<&Value>, other: Option<&Value>| match (one, other) {
        (Some(one), Some(other)) => field(one, other).map(|rest| format!("/{key}{rest}")),
        (None, None) => None,
        _ => Some(format!("/{key}")),
    };
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            keys.into_iter().find_map(|key| within(&escape(key), one.get(key), other.get(key)))
        }
        (Value::Array(one), Value::Array(other)) => {
            (0..one.len().max(other.len())).find_map(|at| within(&at.to_string(), one.get(at), other.get(at)))
        }
        _ => (one != other).then(String::new),
    }
}
