//! Patches of generated objects: strategic merge for built-in kinds, JSON merge for custom ones.

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use crate::{
    api_version::group_of,
    manifest::WorkloadId,
    schema::{
        lists::{Schema, Shape},
        path::{Elem, FieldPath},
    },
    yaml::emit,
};

/// Why patches cannot be applied or made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatchError {
    /// Nothing that was generated is what a patch is for.
    #[error("the patch is for {0}, and nothing of that name is generated")]
    Unmatched(String),
    /// A patch is for no object.
    #[error("the patch has no kind or no name")]
    Nameless,
    /// No patch makes of one object the other.
    #[error("no patch says what is to change in {0}")]
    NotExpressible(String),
}

/// Applies patches to generated objects, each to the one of its group, kind, namespace and name.
///
/// The problems of single patches are returned with their indexes; the other patches are applied.
pub fn apply_patches(objects: &mut [Value], patches: &[Value]) -> Vec<(usize, PatchError)> {
    let mut wrong = Vec::new();
    for (at, patch) in patches.iter().enumerate() {
        let Some(id) = Identity::of(patch) else {
            wrong.push((at, PatchError::Nameless));
            continue;
        };
        match objects.iter_mut().find(|object| Identity::of(object).as_ref() == Some(&id)) {
            Some(object) => apply(object, patch, id.kind()),
            None => wrong.push((at, PatchError::Unmatched(id.to_string()))),
        }
    }
    wrong
}

/// Returns the text of the patch file that makes of generated objects others: one document for each
/// that differs, sorted by id.
///
/// # Errors
/// [`PatchError`] if an object is not among the generated ones, or if no patch expresses the
/// difference.
pub fn patch_file(generated: &[Value], wanted: &[Value]) -> Result<String, PatchError> {
    let mut documents = Vec::new();
    for wanted in wanted {
        let id = Identity::of(wanted).ok_or(PatchError::Nameless)?;
        let base = generated
            .iter()
            .find(|object| Identity::of(object).as_ref() == Some(&id))
            .ok_or_else(|| PatchError::Unmatched(id.to_string()))?;
        let Some(mut patch) = difference(base, wanted, &FieldPath::default(), id.kind()) else { continue };
        for key in ["apiVersion", "kind"] {
            patch[key] = wanted[key].clone();
        }
        for key in ["name", "namespace"] {
            if let Some(value) = wanted["metadata"].get(key) {
                patch["metadata"][key] = value.clone();
            }
        }
        let mut patched = base.clone();
        apply(&mut patched, &patch, id.kind());
        if patched != *wanted {
            return Err(PatchError::NotExpressible(id.to_string()));
        }
        documents.push((id.to_string(), emit(&patch)));
    }
    documents.sort();
    Ok(documents.into_iter().map(|(_, text)| format!("---\n{text}")).collect())
}

/// The key that tells objects apart.
///
/// A namespace that is not written is `default`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    group: String,
    id: WorkloadId,
}

impl Identity {
    fn of(object: &Value) -> Option<Self> {
        let text = |at: &str| object.pointer(at).and_then(Value::as_str).filter(|text| !text.is_empty());
        let group = group_of(text("/apiVersion")?);
        let namespace = text("/metadata/namespace").unwrap_or("default");
        let id = WorkloadId::new(namespace, text("/kind")?, text("/metadata/name")?);
        Some(Self { group: group.to_owned(), id })
    }

    fn kind(&self) -> Merge {
        let schema = Schema::of_group(&self.group);
        // Only the lists of built-in kinds merge by key.
        let containers = FieldPath::from_fields(&["spec", "containers"]);
        if schema.list(&containers) == Shape::Atomic { Merge::Json } else { Merge::Strategic(schema) }
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.id.fmt(f)
    }
}

/// How patches merge.
#[derive(Clone, Copy, Debug)]
enum Merge {
    /// As JSON merge patches: lists are replaced.
    Json,
    /// As strategic merge patches: lists of named items merge, and directives count.
    Strategic(Schema),
}

/// How a list merges.
enum ListMerge {
    ByKey(&'static str),
    Set,
    Replace,
}

impl Merge {
    fn list(self, path: &FieldPath) -> ListMerge {
        match self {
            Self::Json => ListMerge::Replace,
            Self::Strategic(schema) => match schema.list(path) {
                // Where server-side apply has several keys, the first is the one that patches go
                // by.
                Shape::Map([key, ..]) => ListMerge::ByKey(key),
                Shape::Map([]) | Shape::Atomic => ListMerge::Replace,
                Shape::Set => ListMerge::Set,
            },
        }
    }

    fn directives(self) -> bool {
        matches!(self, Self::Strategic(_))
    }
}

const PATCH: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const ORDER: &str = "$setElementOrder/";
const DELETE: &str = "$deleteFromPrimitiveList/";

fn apply(object: &mut Value, patch: &Value, merge: Merge) {
    into(object, patch, &FieldPath::default(), merge);
}

/// Merges a patch into a value.
fn into(value: &mut Value, patch: &Value, path: &FieldPath, merge: Merge) {
    let Value::Object(changes) = patch else {
        *value = patch.clone();
        return;
    };
    let replaces = merge.directives() && changes.get(PATCH).is_some_and(|p| p == "replace");
    if replaces || !value.is_object() {
        *value = json!({});
    }
    let Some(map) = value.as_object_mut() else { return };
    for (key, change) in changes.iter().filter(|(key, _)| !(merge.directives() && key.starts_with('$'))) {
        if change.is_null() {
            map.remove(key);
            continue;
        }
        let path = path.join(Elem::Field(key.clone()));
        match change {
            Value::Object(_) => into(map.entry(key).or_insert(Value::Null), change, &path, merge),
            Value::Array(items) => {
                let list = map.entry(key).or_insert_with(|| json!([]));
                into_list(list, items, &path, merge);
            }
            scalar => drop(map.insert(key.clone(), scalar.clone())),
        }
    }
    if merge.directives() {
        directives(map, changes, path, merge);
    }
}

/// Applies the directives beside the keys of a patch to the lists and keys.
fn directives(map: &mut Map<String, Value>, changes: &Map<String, Value>, path: &FieldPath, merge: Merge) {
    for (key, value) in changes {
        let Some(items) = value.as_array() else { continue };
        if key == RETAIN {
            map.retain(|key, _| items.iter().any(|item| item == key));
        } else if let Some(list) = key.strip_prefix(DELETE).and_then(|name| map.get_mut(name)?.as_array_mut())
        {
            list.retain(|item| !items.contains(item));
        } else if let Some(name) = key.strip_prefix(ORDER) {
            let by = merge.list(&path.join(Elem::Field(name.to_owned())));
            let Some(list) = map.get_mut(name).and_then(Value::as_array_mut) else { continue };
            let place = |item: &Value| {
                items.iter().position(|ordered| match by {
                    ListMerge::ByKey(key) => ordered.get(key) == item.get(key),
                    ListMerge::Set | ListMerge::Replace => ordered == item,
                })
            };
            // What the order does not name stays behind what it does.
            list.sort_by_key(|item| place(item).unwrap_or(usize::MAX));
        }
    }
}

fn into_list(list: &mut Value, items: &[Value], path: &FieldPath, merge: Merge) {
    let is = |item: &Value, directive: &str| item.get(PATCH).is_some_and(|p| p == directive);
    let by = merge.list(path);
    let replaces = match &by {
        ListMerge::Replace => true,
        ListMerge::ByKey(_) | ListMerge::Set => items.iter().any(|item| is(item, "replace")),
    };
    if replaces || !list.is_array() {
        let kept = items.iter().filter(|item| !(merge.directives() && is(item, "replace")));
        *list = Value::Array(kept.cloned().collect());
        return;
    }
    let Some(list) = list.as_array_mut() else { return };
    for item in items {
        let ListMerge::ByKey(key) = &by else {
            if !list.contains(item) {
                list.push(item.clone());
            }
            continue;
        };
        let at = item.get(*key).and_then(|name| list.iter().position(|other| other.get(*key) == Some(name)));
        match at {
            Some(at) if is(item, "delete") => drop(list.remove(at)),
            Some(at) => into(&mut list[at], item, &path.join(Elem::Key(Vec::new())), merge),
            None if is(item, "delete") => {}
            None => {
                let mut fresh = Value::Null;
                into(&mut fresh, item, &path.join(Elem::Key(Vec::new())), merge);
                list.push(fresh);
            }
        }
    }
}

/// Returns the patch that makes of one value the other; `None` if they are equal.
fn difference(from: &Value, to: &Value, path: &FieldPath, merge: Merge) -> Option<Value> {
    if from == to {
        return None;
    }
    let (Value::Object(from), Value::Object(to)) = (from, to) else { return Some(to.clone()) };
    let mut patch = Map::new();
    for key in from.keys().filter(|key| !to.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in to {
        let path = path.join(Elem::Field(key.clone()));
        match (from.get(key), value) {
            (None, _) => drop(patch.insert(key.clone(), value.clone())),
            (Some(Value::Array(old)), Value::Array(new)) => {
                list_difference(key, old, new, &path, merge, &mut patch);
            }
            (Some(Value::Object(_)), Value::Object(new)) if new.is_empty() => {
                // An empty patch would change nothing.
                if let Some(change) = from.get(key).and_then(|old| difference(old, value, &path, merge)) {
                    patch.insert(key.clone(), change);
                }
            }
            (Some(old), _) => {
                if let Some(change) = difference(old, value, &path, merge) {
                    patch.insert(key.clone(), change);
                }
            }
        }
    }
    Some(Value::Object(patch))
}

fn list_difference(
    name: &str,
    old: &[Value],
    new: &[Value],
    path: &FieldPath,
    merge: Merge,
    patch: &mut Map<String, Value>,
) {
    if old == new {
        return;
    }
    let items = match merge.list(path) {
        ListMerge::Replace => new.to_vec(),
        ListMerge::Set => {
            let gone: Vec<Value> = old.iter().filter(|item| !new.contains(item)).cloned().collect();
            if !gone.is_empty() {
                patch.insert(format!("{DELETE}{name}"), gone.into());
            }
            new.iter().filter(|item| !old.contains(item)).cloned().collect()
        }
        ListMerge::ByKey(key) => keyed_difference(key, old, new, path, merge)
            .unwrap_or_else(|| [json!({PATCH: "replace"})].into_iter().chain(new.iter().cloned()).collect()),
    };
    patch.insert(name.to_owned(), items.into());
}

/// Returns the items that patch a list of named items; `None` if their names do not tell them
/// apart, or if they change places.
fn keyed_difference(
    key: &str,
    old: &[Value],
    new: &[Value],
    path: &FieldPath,
    merge: Merge,
) -> Option<Vec<Value>> {
    let names = |list: &[Value]| -> Option<Vec<Value>> {
        let names: Vec<Value> = list.iter().map(|item| item.get(key).cloned()).collect::<Option<_>>()?;
        (1..names.len()).all(|i| !names[..i].contains(&names[i])).then_some(names)
    };
    let (had, has) = (names(old)?, names(new)?);
    let stay: Vec<&Value> = had.iter().filter(|name| has.contains(name)).collect();
    let come: Vec<&Value> = has.iter().filter(|name| !had.contains(name)).collect();
    if !stay.iter().chain(&come).copied().eq(&has) {
        return None;
    }
    let mut items = Vec::new();
    for (name, item) in had.iter().zip(old) {
        match has.iter().position(|other| other == name) {
            None => items.push(json!({key: name, PATCH: "delete"})),
            Some(at) => {
                let path = path.join(Elem::Key(Vec::new()));
                if let Some(mut change) = difference(item, &new[at], &path, merge) {
                    change[key] = name.clone();
                    items.push(change);
                }
            }
        }
    }
    items.extend(new.iter().zip(&has).filter(|(_, name)| come.contains(name)).map(|(item, _)| item.clone()));
    Some(items)
}
