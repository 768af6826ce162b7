//! The scalars of objects whose kind does not define where images stand.
//!
//! Rules for such kinds are in other files, and a parse depends on its own file only, so the
//! scalars that a rule may name are kept with the parse.

use serde_json::Value;

use super::pods::is_known;
use crate::{
    manifest::{
        Resource, ScalarRef, kustomization,
        scalar_ref::{beside, scalar_ref},
        scope_of,
    },
    pointer::escape,
    position::Position,
    yaml::{
        cursor::Cursor,
        scalar::{Scalar, Style},
    },
};

/// The longest text that is kept, in bytes.
///
/// Image references are shorter.
const LONGEST: usize = 512;

/// The budget for scalars that are kept of the rest of a file.
///
/// It bounds the memory for a large file full of custom objects.
#[derive(Debug)]
pub(crate) struct ScalarBudget {
    scalars: usize,
    bytes: usize,
}

impl Default for ScalarBudget {
    fn default() -> Self {
        Self { scalars: 200_000, bytes: 32 << 20 }
    }
}

/// Returns the scalars of an object that rules may name.
///
/// These are the scalars that could be an image or a part of one, outside of metadata and status.
/// The result is `None` if the kind is built in or known, or if the scalars exceed the budget.
pub(crate) fn scalars(at: &Cursor<'_, '_>, resource: &Resource, budget: &mut ScalarBudget) -> Vec<ScalarRef> {
    let (group, kind) = (resource.group(), resource.kind.as_str());
    if is_known(group, kind) || scope_of(resource.api_version.as_str(), kind).is_some() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let read_only_reason = resource.read_only_reason();
    for (key, value) in at.entries().unwrap_or_default() {
        let about = ["apiVersion", "kind", "metadata", "status", "sops"].contains(&key.as_str());
        if !about && collect(&value, read_only_reason, budget, &mut found).is_none() {
            return Vec::new();
        }
    }
    if kustomization::is_kind(resource.api_version.as_str(), kind) {
        found.extend(tag_places(at, read_only_reason));
    }
    found
}

/// Returns the places for tags that entries of a kustomization do not have yet.
///
/// Each is behind a digest, and a scalar without a text.
fn tag_places(at: &Cursor<'_, '_>, read_only_reason: Option<&str>) -> Vec<ScalarRef> {
    let place = |item: &Cursor<'_, '_>| {
        let digest =
            item.get("digest").filter(|digest| digest.scalar().is_some_and(|(text, _)| !text.is_empty()))?;
        if item.get("newTag").is_some() {
            return None;
        }
        let pointer = format!("{}/newTag", item.pointer);
        Some(ScalarRef {
            text: String::new(),
            position: digest.position(),
            site: beside(&digest, item, pointer, read_only_reason),
        })
    };
    at.get("images").and_then(|images| images.items()).iter().flatten().filter_map(place).collect()
}

/// Collects the scalars of a value and returns their number; `None` if the budget is spent.
fn collect(
    at: &Cursor<'_, '_>,
    read_only_reason: Option<&str>,
    budget: &mut ScalarBudget,
    found: &mut Vec<ScalarRef>,
) -> Option<()> {
    budget.scalars = budget.scalars.checked_sub(1)?;
    budget.bytes = budget.bytes.checked_sub(at.pointer.len())?;
    if let Some(items) = at.items() {
        return items.iter().try_for_each(|item| collect(item, read_only_reason, budget, found));
    }
    if let Some(entries) = at.entries() {
        return entries.iter().try_for_each(|(_, value)| collect(value, read_only_reason, budget, found));
    }
    if could_be_image(at) {
        let leaf = scalar_ref(at, read_only_reason).filter(|leaf| leaf.site.source.len() <= 2 * LONGEST);
        budget.bytes = budget.bytes.checked_sub(leaf.as_ref().map_or(0, bytes))?;
        found.extend(leaf);
    }
    Some(())
}

/// Returns the bytes of text that are kept of a scalar, without its path.
fn bytes(leaf: &ScalarRef) -> usize {
    let ScalarRef { text, site, .. } = leaf;
    let (shared, adds) = (site.shared.as_ref(), site.adds.as_ref());
    text.len()
        + site.source.len()
        + shared.map_or(0, |shared| shared.source.len())
        + adds.map_or(0, |key| key.lead.len())
        + site.refused.as_ref().map_or(0, String::len)
}

fn could_be_image(at: &Cursor<'_, '_>) -> bool {
    let Some((text, style)) = at.scalar() else { return false };
    let short = text.len() <= LONGEST && !text.contains(char::is_whitespace);
    short && style != Style::Block && !matches!(at.meaning(), None | Some(Scalar::Null | Scalar::Bool(_)))
}

impl Resource {
    /// Returns the scalar at a JSON pointer.
    pub(crate) fn scalar_at(&self, pointer: &str) -> Option<&ScalarRef> {
        self.scalars.iter().find(|leaf| leaf.site.pointer == pointer)
    }

    /// Returns the position of a JSON pointer.
    ///
    /// It is that of the first scalar at the pointer or below it, else that of the object.
    pub(crate) fn position_of(&self, pointer: &str) -> Position {
        let within = |leaf: &&ScalarRef| {
            leaf.site
                .pointer
                .strip_prefix(pointer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let first = self.scalars.iter().filter(within).map(|leaf| leaf.position).min();
        first.unwrap_or(self.position)
    }
}

/// Returns the values at a path, in which `*` stands for every item or entry.
///
/// Each value comes with its JSON pointer and the names on the way: the `name` of an item, or the
/// key of an entry.
pub(crate) fn matches<'v>(value: &'v Value, path: &[String]) -> Vec<(String, Option<String>, &'v Value)> {
    let mut found = vec![(String::new(), None, value)];
    for step in path {
        let below = |(pointer, name, value): (String, Option<String>, &'v Value)| -> Vec<_> {
            match (step.as_str(), value) {
                ("*", Value::Array(items)) => {
                    let named = |item: &Value| item.get("name").and_then(Value::as_str).map(str::to_owned);
                    let item =
                        |(index, item)| (format!("{pointer}/{index}"), named(item).or(name.clone()), item);
                    items.iter().enumerate().map(item).collect()
                }
                ("*", Value::Object(entries)) => {
                    let entry = |(key, value): (&String, &'v Value)| {
                        (format!("{pointer}/{}", escape(key)), Some(key.clone()), value)
                    };
                    entries.iter().map(entry).collect()
                }
                (key, Value::Object(entries)) => {
                    let value =
                        entries.get(key).map(|value| (format!("{pointer}/{}", escape(key)), name, value));
                    value.into_iter().collect()
                }
                _ => Vec::new(),
            }
        };
        found = found.into_iter().flat_map(below).collect();
    }
    found
}
