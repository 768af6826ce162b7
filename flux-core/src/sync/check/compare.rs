//! The checker's own comparison of objects, made to be simple rather than to be exact in every
//! case.

use serde_json::Value;

/// Returns the paths at which two contents differ.
///
/// Lists are compared as wholes.
pub(super) fn differences(one: &Value, other: &Value) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    collect(Some(one), Some(other), &mut Vec::new(), &mut found);
    found
}

fn collect(one: Option<&Value>, other: Option<&Value>, at: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    if one == other {
        return;
    }
    let empty = Value::Object(serde_json::Map::new());
    match (one.unwrap_or(&empty), other.unwrap_or(&empty)) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                at.push(key.clone());
                collect(a.get(key), b.get(key), at, found);
                at.pop();
            }
        }
        _ => found.push(at.clone()),
    }
}

/// Returns the fields that `desired` names and that `live` does not have with that value.
///
/// Fields that it does not name do not count, nor do empty ones.
pub(super) fn unmet(desired: &Value, live: &Value) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (key, value) in desired.as_object().into_iter().flatten() {
        let identity = ["apiVersion", "kind"].contains(&key.as_str());
        if !identity {
            walk(value, live.get(key), &mut vec![key.clone()], &mut found);
        }
    }
    found.retain(|path| path != &["metadata", "namespace"] && path != &["metadata", "name"]);
    found
}

fn walk(desired: &Value, live: Option<&Value>, at: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    match (desired, live) {
        (Value::Object(fields), Some(Value::Object(live))) => {
            for (key, value) in fields {
                at.push(key.clone());
                walk(value, live.get(key), at, found);
                at.pop();
            }
        }
        (Value::Object(fields), None) => {
            for (key, value) in fields {
                at.push(key.clone());
                walk(value, None, at, found);
                at.pop();
            }
        }
        (Value::Array(items), Some(Value::Array(live))) if is_plain_list(items, at) => {
            if items.len() != live.len() || !items.iter().zip(live).all(|(a, b)| contains(a, Some(b))) {
                found.push(at.clone());
            }
        }
        _ if contains(desired, live) => {}
        _ => found.push(at.clone()),
    }
}

/// Returns `true` if a list is one value: it has scalars only, and no other manager adds to it.
fn is_plain_list(items: &[Value], at: &[String]) -> bool {
    let shared = at.last().is_some_and(|name| name == "finalizers");
    !items.is_empty() && !shared && items.iter().all(|item| !item.is_object() && !item.is_array())
}

/// Returns `true` if a live value has all that a desired one says.
fn contains(desired: &Value, live: Option<&Value>) -> bool {
    if is_empty(desired) && live.is_none_or(is_empty) {
        return true;
    }
    match (desired, live) {
        (Value::Null, _) => true,
        (Value::Array(items), None | Some(Value::Null)) => items.is_empty(),
        (Value::Object(fields), None | Some(Value::Null)) => {
            fields.values().all(|value| contains(value, None))
        }
        (Value::Object(fields), Some(Value::Object(live))) => {
            fields.iter().all(|(key, value)| contains(value, live.get(key)))
        }
        (Value::Array(items), Some(Value::Array(live))) => {
            items.iter().all(|item| live.iter().any(|other| contains(item, Some(other))))
        }
        (Value::Number(a), Some(Value::Number(b))) => a == b || a.as_f64() == b.as_f64(),
        (desired, live) => Some(desired) == live,
    }
}

/// Returns `true` if a value says as little as its absence.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// Returns the text of a path, as people write it.
pub(super) fn display(path: &[String]) -> String {
    path.join(".")
}
