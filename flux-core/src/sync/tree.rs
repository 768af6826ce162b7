//! Trees of managed fields, as they are changed.

use serde_json::{Map, Value, json};

use super::fields;
use crate::schema::path::{Elem, FieldPath};

/// Adds the fields of one tree to another.
pub(super) fn unite(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (key, child) in from {
        match (into.get_mut(key), child) {
            (Some(Value::Object(into)), Value::Object(child)) => {
                // A field that is owned as a whole stays so beside a part of it.
                if into.is_empty() != child.is_empty() {
                    into.insert(".".to_owned(), json!({}));
                }
                unite(into, child);
            }
            _ => {
                into.insert(key.clone(), child.clone());
            }
        }
    }
}

/// Splits a tree in two: the fields that are wanted, and the others.
pub(super) fn split(
    tree: &Map<String, Value>,
    is_wanted: impl Fn(&FieldPath) -> bool,
) -> (Map<String, Value>, Map<String, Value>) {
    let mut parts = (Map::new(), Map::new());
    for path in fields::owned(tree) {
        insert(if is_wanted(&path) { &mut parts.0 } else { &mut parts.1 }, &path.0);
    }
    parts
}

/// Puts a field into a tree, as itself.
pub(super) fn insert(tree: &mut Map<String, Value>, path: &[Elem]) {
    let Some((elem, rest)) = path.split_first() else { return };
    let key = fields::key_in(tree, elem).unwrap_or_else(|| elem.to_fields_v1());
    let child = tree.entry(key).or_insert_with(|| json!({}));
    let Some(child) = child.as_object_mut() else { return };
    match rest {
        [] if child.is_empty() && !matches!(elem, Elem::Key(_)) => {}
        [] => {
            child.insert(".".to_owned(), json!({}));
        }
        rest => insert(child, rest),
    }
}

/// Takes a field and all that is in it out of a tree; returns whether it was there.
pub(super) fn remove(tree: &mut Map<String, Value>, path: &[Elem]) -> bool {
    let Some((elem, rest)) = path.split_first() else { return false };
    let Some(key) = fields::key_in(tree, elem) else { return false };
    if rest.is_empty() {
        return tree.remove(&key).is_some();
    }
    let Some(child) = tree.get_mut(&key).and_then(Value::as_object_mut) else { return false };
    let removed = remove(child, rest);
    if removed && child.is_empty() {
        tree.remove(&key);
    }
    removed
}
