//! The proof that edits make the intended changes and no others: the result is read again and
//! compared, value by value.

use serde_json::Value;

use super::{Edit, EditError, Intent, apply};
use crate::{
    finding::{Code, Problem},
    manifest::{ParsedFile, Resource},
    pointer::unescape,
    workload::parse,
};

/// Applies edits and proves, by parsing the result again, that exactly the intended values differ.
///
/// # Errors
/// [`EditError`] if the edits do not fit, or change anything else than intended.
pub fn prove(source: &[u8], edits: &[Edit], intents: &[Intent]) -> Result<Vec<u8>, EditError> {
    let edited = apply(source, edits)?;
    let (before, after) = (parse(source), parse(&edited));
    compare(&before, &after, intents).map_err(EditError::NotProven)?;
    Ok(edited)
}

fn compare(before: &ParsedFile, after: &ParsedFile, intents: &[Intent]) -> Result<(), String> {
    if before.resources.len() != after.resources.len() {
        return Err(format!(
            "there would be {} objects, not {}",
            after.resources.len(),
            before.resources.len()
        ));
    }
    let (old, new) = (document_problems(before), document_problems(after));
    if old != new {
        let fresh = new.iter().find(|p| !old.contains(p)).map_or("one less", |p| p.1);
        return Err(format!("the file would have other problems: {fresh}"));
    }
    let duplicates = |file: &ParsedFile| file.problems.iter().filter(|problem| is_duplicate(problem)).count();
    if duplicates(before) < duplicates(after) {
        return Err("a key would stand twice in its mapping".to_owned());
    }
    if let Some(lost) = intents.iter().find(|intent| intent.resource >= before.resources.len()) {
        return Err(format!("there is no object number {}", lost.resource));
    }
    for (index, (old, new)) in before.resources.iter().zip(&after.resources).enumerate() {
        let mut wanted = old.object.value();
        for intent in intents.iter().filter(|intent| intent.resource == index) {
            put(&mut wanted, &intent.pointer, intent.value.as_ref())
                .ok_or_else(|| format!("{} has no place {}", named(old), intent.pointer))?;
        }
        let new = new.object.value();
        if wanted != new {
            let at = difference(&wanted, &new).unwrap_or_default();
            return Err(format!("{} would differ at `{at}`", named(old)));
        }
    }
    Ok(())
}

/// Returns the problems of the documents, without their positions.
///
/// The problems of objects follow from their values.
fn document_problems(file: &ParsedFile) -> Vec<(Code, &str)> {
    let of_documents =
        file.problems.iter().filter(|problem| problem.subject.is_none() && !is_duplicate(problem));
    of_documents.map(|problem| (problem.code, problem.evidence.as_str())).collect()
}

/// Returns `true` if a problem is about a duplicate key.
///
/// An edit may remove one of the two keys, and moves their lines.
fn is_duplicate(problem: &Problem) -> bool {
    problem.code == Code::DuplicateKey
}

fn named(resource: &Resource) -> String {
    format!("{} {}", resource.kind, resource.name)
}

/// Sets or removes the value at a pointer.
///
/// Missing mappings on the way are added; list items are not.
fn put(object: &mut Value, pointer: &str, value: Option<&Value>) -> Option<()> {
    let (parent, last) = pointer.rsplit_once('/')?;
    let mut at = object;
    for token in parent.split('/').skip(1) {
        at = match at {
            Value::Array(items) => items.get_mut(token.parse::<usize>().ok()?)?,
            other => as_map(other)?.entry(unescape(token)).or_insert(Value::Null),
        };
    }
    let last = unescape(last);
    match (at, value) {
        (Value::Array(items), Some(value)) => *items.get_mut(last.parse::<usize>().ok()?)? = value.clone(),
        (other, Some(value)) => {
            as_map(other)?.insert(last, value.clone());
        }
        (other, None) => {
            as_map(other)?.remove(&last)?;
        }
    }
    Some(())
}

/// Returns a value as a mapping; null becomes an empty one.
fn as_map(value: &mut Value) -> Option<&mut serde_json::Map<String, Value>> {
    if value.is_null() {
        *value = Value::Object(serde_json::Map::new());
    }
    value.as_object_mut()
}

/// Returns the path of the first difference.
fn difference(a: &Value, b: &Value) -> Option<String> {
    let below = |key: &str, a: Option<&Value>, b: Option<&Value>| match (a, b) {
        (Some(a), Some(b)) => difference(a, b).map(|rest| format!("/{key}{rest}")),
        _ => Some(format!("/{key}")),
    };
    match (a, b) {
        _ if a == b => None,
        (Value::Object(a), Value::Object(b)) => a
            .keys()
            .chain(b.keys())
            .find_map(|key| if a.get(key) == b.get(key) { None } else { below(key, a.get(key), b.get(key)) }),
        (Value::Array(a), Value::Array(b)) => (0..a.len().max(b.len())).find_map(|i| {
            if a.get(i) == b.get(i) { None } else { below(&i.to_string(), a.get(i), b.get(i)) }
        }),
        _ => Some(String::new()),
    }
}
