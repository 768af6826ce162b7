//! The checker's own reading of objects: ids, marks, annotations, autoscalers.
//!
//! None of it is the planner's.

use std::collections::BTreeMap;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    backend::{Observation, Observed},
    manifest::ResourceId,
    plan::sync::{ADOPTED_ANNOTATION, CHECKSUM_ANNOTATION, MARK_LABEL},
    sync::{SyncOptions, SyncSet},
};

/// The fields of `metadata` that only a server writes.
const SERVER_FIELDS: [&str; 8] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Returns the text at a JSON pointer; `None` if there is none or it is empty.
pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer)?.as_str().filter(|text| !text.is_empty())
}

/// Returns the group of an `apiVersion`.
pub(super) fn group(api_version: &str) -> &str {
    api_version.rsplit_once('/').map_or("", |(group, _)| group)
}

/// Whose an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Created,
    Adopted,
    None,
}

/// Returns the hash that binds a mark to a sync set and an id: v1's formula.
fn mark_hash(sync_set: &SyncSet, id: &ResourceId) -> String {
    let namespace = id.namespace().unwrap_or("<cluster>");
    let bound = format!("{}{namespace}:{}/{}", sync_set.as_str(), id.kind().to_lowercase(), id.name());
    URL_SAFE_NO_PAD.encode(Sha256::digest(bound))
}

/// Reads the mark of an object, as that of a sync set or of one that it takes over; of an object
/// that git names (`in_git`) also as that of one from which it has moved.
pub(super) fn mark_of(object: &Value, options: &SyncOptions, id: &ResourceId, in_git: bool) -> Mark {
    let annotations = &object["metadata"]["annotations"];
    let before = annotations[ADOPTED_ANNOTATION].as_str();
    let former = options.takes_over.iter().chain(&options.moved_from);
    let was_created = |mark: &str| former.clone().any(|set| read_mark(mark, set, id) == Mark::Created);
    let own = mark(object, &options.sync_set, id);
    let came_back = |before: &str| {
        !options.moved_from.is_empty() && read_mark(before, &options.sync_set, id) == Mark::Created
    };
    let created_before = before.is_some_and(|before| was_created(before) || came_back(before));
    if own == Mark::Adopted && created_before {
        return Mark::Created;
    }
    let has_label = object["metadata"]["labels"].get(MARK_LABEL).is_some();
    if in_git && !has_label && before.is_none() {
        let is_ours = annotations[CHECKSUM_ANNOTATION].is_string() && applied_fields(object).is_some();
        return if is_ours { Mark::Created } else { Mark::None };
    }
    let moved = options.moved_from.iter().filter(|_| in_git);
    let others = options.takes_over.iter().chain(moved).map(|set| mark(object, set, id));
    match std::iter::once(own).chain(others).find(|mark| *mark != Mark::None).unwrap_or(Mark::None) {
        Mark::Adopted if created_before => Mark::Created,
        mark => mark,
    }
}

/// Reads the mark of an object.
pub(super) fn mark(object: &Value, sync_set: &SyncSet, id: &ResourceId) -> Mark {
    object["metadata"]["labels"][MARK_LABEL].as_str().map_or(Mark::None, |mark| read_mark(mark, sync_set, id))
}

fn read_mark(mark: &str, sync_set: &SyncSet, id: &ResourceId) -> Mark {
    match mark.split_once('.') {
        Some(("sha256", hash)) if hash == mark_hash(sync_set, id) => Mark::Created,
        Some(("adopted", hash)) if hash == mark_hash(sync_set, id) => Mark::Adopted,
        _ => Mark::None,
    }
}

/// Returns the object as git wants it, without what only a server writes and without mark and
/// checksum.
pub(super) fn content(object: &Value, namespace: Option<&str>) -> Value {
    let mut content = object.clone();
    if let Some(top) = content.as_object_mut() {
        top.remove("status");
    }
    let Some(metadata) = content.get_mut("metadata").and_then(Value::as_object_mut) else { return content };
    metadata.retain(|key, _| !SERVER_FIELDS.contains(&key.as_str()) && key != "namespace");
    if let Some(namespace) = namespace {
        metadata.insert("namespace".to_owned(), namespace.into());
    }
    let marks =
        [("labels", MARK_LABEL), ("annotations", CHECKSUM_ANNOTATION), ("annotations", ADOPTED_ANNOTATION)];
    for (field, key) in marks {
        if let Some(entries) = metadata.get_mut(field).and_then(Value::as_object_mut) {
            entries.remove(key);
        }
        if metadata.get(field).is_some_and(Value::is_null) {
            metadata.remove(field);
        }
    }
    if text(&content, "/apiVersion").is_some_and(|version| is_builtin(group(version))) {
        content = without_nulls(&content, "");
    }
    match (text(&content, "/apiVersion"), text(&content, "/kind")) {
        (Some("v1"), Some("Secret")) => keep_as_data(&mut content),
        (Some(version), Some("ClusterRole")) if group(version) == "rbac.authorization.k8s.io" => {
            let is_aggregated = content.get("aggregationRule").is_some_and(Value::is_object);
            if let (true, Some(top)) = (is_aggregated, content.as_object_mut()) {
                top.remove("rules");
            }
        }
        _ => {}
    }
    content
}

/// Returns `true` for a group of Kubernetes' own.
fn is_builtin(group: &str) -> bool {
    group.ends_with(".k8s.io") || !group.contains('.')
}

/// Returns a value without fields that are null; the entries of mappings that hold texts stay.
fn without_nulls(value: &Value, name: &str) -> Value {
    let holds_texts = matches!(
        name,
        "annotations"
            | "labels"
            | "matchLabels"
            | "nodeSelector"
            | "selector"
            | "data"
            | "stringData"
            | "binaryData"
            | "limits"
            | "requests"
            | "hard"
    );
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, field)| holds_texts || !field.is_null());
            kept.map(|(name, field)| (name.clone(), without_nulls(field, name))).collect()
        }
        Value::Array(items) => items.iter().map(|item| without_nulls(item, "")).collect(),
        scalar => scalar.clone(),
    }
}

/// Rewrites a Secret as the API server keeps it: its texts encoded, its base64 in one line.
fn keep_as_data(secret: &mut Value) {
    encode_strings(secret);
    let Some(data) = secret.get_mut("data").and_then(Value::as_object_mut) else { return };
    for value in data.values_mut() {
        if let Some(text) = value.as_str() {
            *value = text.split_whitespace().collect::<String>().into();
        }
    }
}

/// Writes the `stringData` of a Secret as the `data` that a server keeps; with a value that is no
/// text, which a server refuses, it stays.
fn encode_strings(object: &mut Value) {
    let strings = object.get("stringData").and_then(Value::as_object);
    let has_others = strings.is_some_and(|strings| {
        strings.values().any(|value| !matches!(value, Value::String(_) | Value::Null))
    });
    if has_others {
        return;
    }
    let Some(Value::Object(strings)) = object.as_object_mut().and_then(|top| top.remove("stringData")) else {
        return;
    };
    let Some(top) = object.as_object_mut() else { return };
    let data = top.entry("data").or_insert(Value::Null);
    if data.is_null() {
        *data = Value::Object(serde_json::Map::new());
    }
    let Some(data) = data.as_object_mut() else { return };
    let texts =
        strings.into_iter().filter_map(|(key, value)| Some((key, STANDARD.encode(value.as_str()?).into())));
    data.extend(texts);
}

/// Returns `true` if every object of the kind of an object was seen.
pub(super) fn is_seen(observed: &Observation<Observed>, id: &ResourceId) -> bool {
    let unseen = &observed.value.unseen;
    let of_kind =
        |(group, kind): &(String, String)| *group == id.group() && (kind.is_empty() || *kind == id.kind());
    let known_what = observed.completeness.is_complete() || !unseen.is_empty();
    known_what && !unseen.iter().any(of_kind)
}

/// Returns the SHA-256, in hex, of the JSON of a content with its keys sorted.
pub(super) fn checksum(content: &Value) -> String {
    fn sorted(value: &Value) -> String {
        match value {
            Value::Object(fields) => {
                let fields: BTreeMap<&String, String> = fields.iter().map(|(k, v)| (k, sorted(v))).collect();
                let fields = fields.into_iter().map(|(k, v)| format!("{}:{v}", Value::from(k.as_str())));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
            }
            Value::Array(items) => format!("[{}]", items.iter().map(sorted).collect::<Vec<_>>().join(",")),
            scalar => scalar.to_string(),
        }
    }
    Sha256::digest(sorted(content)).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the value of an annotation of this library, under either prefix.
fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let annotations = &object["metadata"]["annotations"];
    let of = |prefix: &str| annotations.get(format!("{prefix}/{name}"));
    of("fluxcd.io").or_else(|| of("flux.weave.works"))
}

fn ignore(object: &Value) -> Option<&Value> {
    annotation(object, "ignore")
}

/// Returns `true` if an annotation says that the syncs of an object are suspended.
pub(super) fn is_suspended(object: &Value) -> bool {
    let off = [Value::Null, false.into(), "false".into(), "".into()];
    annotation(object, "suspended").is_some_and(|value| !off.contains(value))
}

/// Returns the wish of the `prune` annotation; what cannot be read wishes that it stays.
pub(super) fn may_be_pruned(object: &Value) -> Option<bool> {
    let value = annotation(object, "prune")?;
    let text = value.as_str().map(str::trim);
    let says_nothing = value.is_null() || text == Some("");
    (!says_nothing).then(|| *value == true || text == Some("true"))
}

/// Returns `true` if an annotation says that an object is neither applied nor deleted.
pub(super) fn is_ignored(object: &Value) -> bool {
    ignore(object).is_some_and(|value| *value == true || *value == "true")
}

/// Returns `true` if an annotation says that an object is not deleted.
pub(super) fn is_kept(object: &Value) -> bool {
    is_ignored(object) || ignore(object).is_some_and(|value| *value == "sync_only")
}

/// Returns `true` if the annotation `ignore-fields` of an object names a field, or one in it or
/// around it: lists are compared as wholes here.
pub(super) fn is_left(object: &Value, field: &[String]) -> bool {
    let annotations = &object["metadata"]["annotations"];
    let list =
        annotations.get("fluxcd.io/ignore-fields").or(annotations.get("flux.weave.works/ignore-fields"));
    let list = list.and_then(Value::as_str).unwrap_or_default();
    list.split([',', ' ', '\n', '\t']).filter(|pointer| pointer.starts_with('/')).any(|pointer| {
        let tokens = pointer.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~"));
        tokens.zip(field).all(|(token, name)| token == *name)
    })
}

/// Returns `true` if SOPS encrypted an object.
pub(super) fn is_encrypted(object: &Value) -> bool {
    object.pointer("/sops/mac").is_some_and(Value::is_string)
}

/// Returns `true` if the options allow touching an object.
pub(super) fn is_allowed(id: &ResourceId, options: &SyncOptions) -> bool {
    let Some(allowed) = &options.namespaces else { return true };
    let is_namespace = id.kind() == "Namespace" && id.group().is_empty();
    let contains = |namespace: &str| allowed.iter().any(|one| one == namespace);
    match (id.namespace(), is_namespace) {
        (Some(namespace), _) => contains(namespace),
        (None, true) => contains(id.name()),
        (None, false) => true,
    }
}

/// Returns `true` if a tree of managed fields has a field, as itself or within something that is
/// owned as a whole.
pub(super) fn covers(tree: &Value, field: &[String]) -> bool {
    let mut at = tree;
    for name in field {
        if at.as_object().is_some_and(serde_json::Map::is_empty) {
            return true;
        }
        match at.get(format!("f:{name}")) {
            Some(child) => at = child,
            None => return false,
        }
    }
    true
}

/// Returns the fields that this library's field manager applied.
pub(super) fn applied_fields(live: &Value) -> Option<&Value> {
    let mut entries = live["metadata"]["managedFields"].as_array()?.iter();
    let entry = entries.find(|entry| {
        text(entry, "/manager") == Some("flux")
            && text(entry, "/operation") == Some("Apply")
            && text(entry, "/subresource").is_none()
    })?;
    entry.get("fieldsV1")
}
