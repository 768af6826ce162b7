//! The entries of a mapping: its own, and those that it inherits by merge keys (`<<`).
//!
//! Of equal keys the last counts; a merge counts where it stands, as in Go's reader.

use std::collections::BTreeMap;

use super::{
    scalar::{Scalar, Style, Tag, to_key},
    tree::{Kind, NodeId, Tree},
};

/// An entry that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The node of its value.
    pub value: NodeId,
    /// The merge key by which the mapping inherits it; `None` if it is the mapping's own.
    pub by: Option<Merge>,
}

/// A merge key and a mapping that it merges in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Merge {
    /// The merge key and its value.
    pub entry: (NodeId, NodeId),
    /// The mapping that is merged in.
    pub from: NodeId,
    /// `true` if it overrides an entry that the mapping has of its own, further up.
    pub hides: bool,
}

/// Returns the entry of a mapping with this key.
pub(crate) fn find(tree: &Tree<'_>, map: NodeId, wanted: &str) -> Option<Entry> {
    let Kind::Map { entries, .. } = &tree[map].kind else { return None };
    for (at, &(key, value)) in entries.iter().enumerate().rev() {
        if is_merge(tree, key) {
            for from in merged(tree, value) {
                if let Some(found) = find(tree, from, wanted) {
                    let hides = entries[..at].iter().any(|&(key, _)| is_key(tree, key, wanted));
                    return Some(Entry { by: Some(Merge { entry: (key, value), from, hides }), ..found });
                }
            }
        } else if is_key(tree, key, wanted) {
            return Some(Entry { value, by: None });
        }
    }
    None
}

/// Returns the node of the key of an entry that a mapping has of its own.
#[cfg(feature = "deployer")]
pub(crate) fn key_of(tree: &Tree<'_>, map: NodeId, wanted: &str) -> Option<NodeId> {
    let Kind::Map { entries, .. } = &tree[map].kind else { return None };
    let keys = entries.iter().rev().map(|&(key, _)| key);
    keys.filter(|&key| !is_merge(tree, key)).find(|&key| is_key(tree, key, wanted))
}

/// Returns `true` if a mapping inherits an entry with this key, whatever entries it has of its own.
pub(crate) fn takes_in(tree: &Tree<'_>, map: NodeId, wanted: &str) -> bool {
    let Kind::Map { entries, .. } = &tree[map].kind else { return false };
    let merges = entries.iter().filter(|(key, _)| is_merge(tree, *key));
    merges.flat_map(|&(_, value)| merged(tree, value)).any(|from| find(tree, from, wanted).is_some())
}

/// Returns the entries of a mapping by their keys; `None` if it is no mapping.
pub(crate) fn entries(tree: &Tree<'_>, map: NodeId) -> Option<BTreeMap<String, Entry>> {
    let mut found = BTreeMap::new();
    collect(tree, map, None, &mut found)?;
    Some(found)
}

fn collect(
    tree: &Tree<'_>,
    map: NodeId,
    by: Option<Merge>,
    into: &mut BTreeMap<String, Entry>,
) -> Option<()> {
    let Kind::Map { entries, .. } = &tree[map].kind else { return None };
    for &(key, value) in entries {
        if is_merge(tree, key) {
            for from in merged(tree, value).into_iter().rev() {
                let by = by.or(Some(Merge { entry: (key, value), from, hides: false }));
                collect(tree, from, by, into);
            }
        } else if let Some(key) = key_text(tree, key) {
            let hides = into.get(&key).is_some_and(|old| old.by.is_none_or(|by| by.hides));
            into.insert(key, Entry { value, by: by.map(|by| Merge { hides, ..by }) });
        }
    }
    Some(())
}

/// Returns `true` if a key is the merge key.
pub(crate) fn is_merge(tree: &Tree<'_>, key: NodeId) -> bool {
    match &tree[key].kind {
        Kind::Scalar { text, style } if text == "<<" => match tree[key].tag {
            None => *style == Style::Plain,
            Some(tag) => tag == Tag::Merge,
        },
        _ => false,
    }
}

/// Returns the mappings that a merge key merges in, the one that takes precedence first.
fn merged(tree: &Tree<'_>, value: NodeId) -> Vec<NodeId> {
    match &tree[tree.target(value)].kind {
        Kind::Map { .. } => vec![tree.target(value)],
        Kind::Seq { items, .. } => items.iter().map(|&item| tree.target(item)).collect(),
        _ => Vec::new(),
    }
}

/// Returns the text of a key, unless the node cannot be one.
pub(crate) fn key_text(tree: &Tree<'_>, key: NodeId) -> Option<String> {
    to_key(tree.meaning(key)?).ok()
}

/// Returns `true` if a key has this text.
fn is_key(tree: &Tree<'_>, key: NodeId, wanted: &str) -> bool {
    match tree.meaning(key) {
        Some(Scalar::Text(text)) => text == wanted,
        Some(other) => to_key(other).is_ok_and(|text| text == wanted),
        None => false,
    }
}
