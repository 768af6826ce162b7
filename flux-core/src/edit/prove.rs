//! The proof that edits make the intended changes and no others: the result is read again and
//! compared, value by value.
//!
//! Of a file of many documents, those that no edit touches need not be read again: see
//! [`windows`](super::windows) for why. A proof on windows only ever answers yes. Whatever it
//! cannot prove is proven, or refused, on the whole file.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Edit, EditError, Intent, apply,
    windows::{Window, count_lines, windows},
};
use crate::{
    finding::{Code, Problem},
    manifest::{
        ParsedFile, Resource,
        load::{Cost, read, read_measured},
    },
    pointer::unescape,
    yaml::text::checked,
};

/// Applies edits and proves, by parsing the result again, that exactly the intended values differ.
///
/// The file is read once for that, and the documents that the edits touch once more, before and
/// after. [`prove_parsed`] reads only those.
///
/// # Errors
/// [`EditError`] if the edits do not fit, or change anything else than intended.
pub fn prove(source: &[u8], edits: &[Edit], intents: &[Intent]) -> Result<Vec<u8>, EditError> {
    let edited = apply(source, edits)?;
    let before = read(source, None, &mut |_| {});
    if on_windows(source, &edited, &before, edits, intents).is_none() {
        on_whole(&edited, &before, intents).map_err(EditError::NotProven)?;
    }
    Ok(edited)
}

/// Does what [`prove`] does, with the parse of the file at hand: only the documents that the edits
/// touch are read again, before and after.
///
/// `parsed` must be the parse of `source`, or of one that has other values at the same places. It
/// tells which object is where; the values that are compared are read anew.
///
/// # Errors
/// [`EditError`] if the edits do not fit, or change anything else than intended.
///
/// # Example
///
/// ```
/// use flux_core::{edit::prove_parsed, workload::parse};
///
/// let document = |name: &str| {
///     format!(
///         "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\n\
///          spec: {{template: {{spec: {{containers: [\
///          {{name: web, image: \"example/web:1.19\"}}]}}}}}}\n"
///     )
/// };
/// let stream: String = ["a", "b", "c"].map(document).concat();
/// let parsed = parse(stream.as_bytes());
/// let web = &parsed.resources[1].workload.as_ref().unwrap()[0];
/// let edits = web.edits(&"example/web:1.20".parse()?)?;
/// let (edits, intents): (Vec<_>, Vec<_>) = edits.into_iter().unzip();
/// let edited = prove_parsed(stream.as_bytes(), &parsed, &edits, &intents)?;
/// let edited = String::from_utf8(edited)?;
/// assert_eq!(edited.matches("web:1.20").count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn prove_parsed(
    source: &[u8],
    parsed: &ParsedFile,
    edits: &[Edit],
    intents: &[Intent],
) -> Result<Vec<u8>, EditError> {
    let edited = apply(source, edits)?;
    if on_windows(source, &edited, parsed, edits, intents).is_none() {
        let before = read(source, None, &mut |_| {});
        on_whole(&edited, &before, intents).map_err(EditError::NotProven)?;
    }
    Ok(edited)
}

/// Proves edits on the whole file.
fn on_whole(edited: &[u8], before: &ParsedFile, intents: &[Intent]) -> Result<(), String> {
    compare(before, &read(edited, None, &mut |_| {}), &by_resource(intents))
}

/// The problems that a file may have, so that an edit cannot pass the limit of reported ones.
const PROBLEMS: usize = 500;

/// Proves edits on the documents that they touch; `None` if that proves nothing.
///
/// It takes a file without problems of documents, such as a text that is no YAML, or a key that
/// stands twice.
fn on_windows(
    source: &[u8],
    edited: &[u8],
    parsed: &ParsedFile,
    edits: &[Edit],
    intents: &[Intent],
) -> Option<()> {
    if parsed.problems.len() > PROBLEMS || parsed.problems.iter().any(|problem| problem.subject.is_none()) {
        return None;
    }
    let (source, edited) = (checked(source).ok()?, checked(edited).ok()?);
    let intents = by_resource(intents);
    let mut proven = 0;
    let (mut cost_before, mut cost_after) = (Cost::default(), Cost::default());
    for window in windows(source, edited, edits)? {
        let text = source.get(window.before.clone())?;
        let (before, cost) = read_measured(text)?;
        cost_before += cost;
        let (after, cost) = read_measured(edited.get(window.after.clone())?)?;
        cost_after += cost;
        let first = place(&window, text, parsed, &before)?;
        let own: Intents<'_> = intents
            .range(first..first + before.resources.len())
            .map(|(resource, intents)| (resource - first, intents.clone()))
            .collect();
        compare(&before, &after, &own).ok()?;
        proven += own.len();
    }
    let all = proven == intents.len();
    (all && cost_after.fits_where(cost_before, source)).then_some(())
}

/// Returns the index in the file of the first object of a window.
///
/// `None` if the parse does not have just these objects there.
fn place(window: &Window, text: &str, parsed: &ParsedFile, before: &ParsedFile) -> Option<usize> {
    let line = |resource: &Resource| usize::try_from(resource.position.line).unwrap_or(usize::MAX);
    let first = parsed.resources.partition_point(|resource| line(resource) <= window.line);
    let end = first + before.resources.len();
    let is_same = |(known, read): (&Resource, &Resource)| {
        line(known) == line(read) + window.line
            && known.position.column == read.position.column
            && (&known.api_version, &known.kind) == (&read.api_version, &read.kind)
            && (&known.namespace, &known.name) == (&read.namespace, &read.name)
    };
    let same = parsed.resources.get(first..end)?.iter().zip(&before.resources).all(is_same);
    let last = window.line + count_lines(text);
    (same && parsed.resources.get(end).is_none_or(|next| line(next) > last)).then_some(first)
}

/// The intents by the index of their object.
type Intents<'a> = BTreeMap<usize, Vec<&'a Intent>>;

fn by_resource(intents: &[Intent]) -> Intents<'_> {
    let mut found = Intents::new();
    for intent in intents {
        found.entry(intent.resource).or_default().push(intent);
    }
    found
}

fn compare(before: &ParsedFile, after: &ParsedFile, intents: &Intents<'_>) -> Result<(), String> {
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
    if let Some((lost, _)) = intents.range(before.resources.len()..).next() {
        return Err(format!("there is no object number {lost}"));
    }
    for (index, (old, new)) in before.resources.iter().zip(&after.resources).enumerate() {
        let Some(intents) = intents.get(&index) else {
            if old.object != new.object {
                same(old, &old.object.value(), &new.object.value())?;
            }
            continue;
        };
        let mut wanted = old.object.value();
        for intent in intents {
            put(&mut wanted, &intent.pointer, intent.value.as_ref())
                .ok_or_else(|| format!("{} has no place {}", named(old), intent.pointer))?;
        }
        same(old, &wanted, &new.object.value())?;
    }
    Ok(())
}

/// Compares the value that an object is to have with the one that it has.
fn same(of: &Resource, wanted: &Value, found: &Value) -> Result<(), String> {
    if wanted == found {
        return Ok(());
    }
    let at = difference(wanted, found).unwrap_or_default();
    Err(format!("{} would differ at `{at}`", named(of)))
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

#[cfg(test)]
mod tests;
