//! Finding a value in a tree by its path, and knowing who else uses it.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    scalar::{Scalar, resolve, to_key},
    tree::{Kind, NodeId, Style, Tree},
    value::is_merge,
};

/// A value in a tree, with its path from the object and what it is shared through.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'t, 's> {
    pub tree: &'t Tree<'s>,
    /// The text of the file.
    pub source: &'s str,
    /// The node where the value is written; it may be an alias.
    pub node: NodeId,
    /// The path from the object, as a JSON pointer.
    pub pointer: String,
    /// Why a change inside this value would change other places as well, if it would.
    pub shared: Option<String>,
}

impl<'t, 's> Cursor<'t, 's> {
    /// Starts at the node of an object.
    pub(super) fn at(tree: &'t Tree<'s>, source: &'s str, node: NodeId) -> Self {
        Self { tree, source, node, pointer: String::new(), shared: None }
    }

    /// The same value as an object of its own: paths start here.
    pub(super) fn as_object(&self) -> Self {
        Self { pointer: String::new(), ..self.clone() }
    }

    /// The entry of a mapping that counts: the last with this key, where merged keys count as well.
    pub(super) fn get(&self, key: &str) -> Option<Self> {
        let inside = self.inside();
        let (node, shared) = find_within(self.tree, inside.node, key, 0)?;
        Some(Self {
            tree: self.tree,
            source: self.source,
            node,
            pointer: format!("{}/{}", self.pointer, escape(key)),
            shared: inside.shared.or(shared),
        })
    }

    /// The value at a path of keys.
    pub(super) fn path(&self, keys: &[&str]) -> Option<Self> {
        keys.iter().try_fold(self.clone(), |at, key| at.get(key))
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Option<Vec<Self>> {
        let inside = self.inside();
        let Kind::Seq { items, .. } = &self.tree[inside.node].kind else { return None };
        let item = |(index, &node): (usize, &NodeId)| Self {
            tree: self.tree,
            source: self.source,
            node,
            pointer: format!("{}/{index}", self.pointer),
            shared: inside.shared.clone(),
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// The entries of a mapping, sorted by key; of equal keys the one that counts. None if it is no mapping.
    pub(super) fn entries(&self) -> Option<Vec<(String, Self)>> {
        let inside = self.inside();
        let mut found = BTreeMap::new();
        collect(self.tree, inside.node, None, &mut found, 0)?;
        let entry = |(key, (node, shared)): (String, (NodeId, Option<String>))| {
            let at = Self {
                tree: self.tree,
                source: self.source,
                node,
                pointer: format!("{}/{}", self.pointer, escape(&key)),
                shared: inside.shared.clone().or(shared),
            };
            (key, at)
        };
        Some(found.into_iter().map(entry).collect())
    }

    /// Whether it is a mapping.
    pub(super) fn is_map(&self) -> bool {
        matches!(self.tree[self.tree.target(self.node)].kind, Kind::Map { .. })
    }

    /// The text of a scalar and its style.
    pub(super) fn scalar(&self) -> Option<(&'t str, Style)> {
        self.tree.scalar(self.node)
    }

    /// The text, if the value is one to Kubernetes: not a number, a truth value or null.
    pub(super) fn text(&self) -> Option<&'t str> {
        let (text, style) = self.scalar()?;
        let tag = self.tree[self.tree.target(self.node)].tag;
        match resolve(text, style, tag) {
            Ok(Scalar::Text(Cow::Borrowed(text))) => Some(text),
            _ => None,
        }
    }

    /// Whether it is null, or nothing is written.
    pub(super) fn is_null(&self) -> bool {
        self.scalar().is_some_and(|(text, style)| {
            let tag = self.tree[self.tree.target(self.node)].tag;
            resolve(text, style, tag) == Ok(Scalar::Null)
        })
    }

    /// Where the value is written: line and column, counted from 1.
    pub(super) fn place(&self) -> (u32, u32) {
        (self.tree[self.node].line, self.tree[self.node].column)
    }

    /// The bytes of a block scalar from its header (`|`, `>`) to its end.
    pub(super) fn block_span(&self) -> Option<(usize, usize)> {
        let node = &self.tree[self.node];
        let before = self.source.get(..node.start)?.trim_end();
        let line_start = before.rfind('\n').map_or(0, |nl| nl + 1);
        let line = &before[line_start..];
        let header = line.char_indices().find(|&(at, c)| {
            matches!(c, '|' | '>')
                && line[..at].ends_with([' ', '\t', '-', ':'])
                && is_header_rest(&line[at + 1..])
        });
        header.map(|(at, _)| (line_start + at, node.end))
    }

    /// This value with any alias followed, and the sharing that this brings.
    fn inside(&self) -> Self {
        let target = self.tree.target(self.node);
        let shared = self.shared.clone().or_else(|| {
            let name = self.tree.used_anchor(target)?;
            Some(if target == self.node {
                format!("it stands under the anchor `&{name}`, which other places use")
            } else {
                format!("it stands under the anchor `&{name}` and is reached by the alias `*{name}`")
            })
        });
        Self { tree: self.tree, source: self.source, node: target, pointer: self.pointer.clone(), shared }
    }
}

/// Whether a text is what can follow the `|` or `>` of a block scalar on its line.
fn is_header_rest(rest: &str) -> bool {
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
    rest.trim().is_empty() || (rest.starts_with([' ', '\t']) && rest.trim_start().starts_with('#'))
}

/// A key as a token of a JSON pointer.
pub(super) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The text of a key, unless it can be none.
pub(super) fn key_text(tree: &Tree<'_>, key: NodeId) -> Option<String> {
    let (text, style) = tree.scalar(key)?;
    to_key(resolve(text, style, tree[tree.target(key)].tag).ok()?).ok()
}

/// How deep merges may be nested for the look-up of a single key.
const MERGES: usize = 16;

/// Whether a key has this text.
fn is_key(tree: &Tree<'_>, key: NodeId, wanted: &str) -> bool {
    let Some((text, style)) = tree.scalar(key) else { return false };
    match resolve(text, style, tree[tree.target(key)].tag) {
        Ok(Scalar::Text(text)) => text == wanted,
        Ok(other) => to_key(other).is_ok_and(|text| text == wanted),
        Err(_) => false,
    }
}

fn find_within(tree: &Tree<'_>, map: NodeId, wanted: &str, depth: usize) -> Option<(NodeId, Option<String>)> {
    let Kind::Map { entries, .. } = &tree[map].kind else { return None };
    for &(key, value) in entries.iter().rev() {
        if is_merge(tree, key) {
            if depth < MERGES
                && let Some(found) =
                    merged(tree, value).into_iter().find_map(|m| find_within(tree, m, wanted, depth + 1))
            {
                return Some((found.0, Some(merged_from(tree, value))));
            }
        } else if is_key(tree, key, wanted) {
            return Some((value, None));
        }
    }
    None
}

/// The mappings that a merge takes in, the first of them the strongest.
fn merged(tree: &Tree<'_>, value: NodeId) -> Vec<NodeId> {
    match &tree[tree.target(value)].kind {
        Kind::Map { .. } => vec![tree.target(value)],
        Kind::Seq { items, .. } => items.iter().map(|&item| tree.target(item)).collect(),
        _ => Vec::new(),
    }
}

fn merged_from(tree: &Tree<'_>, value: NodeId) -> String {
    match tree[tree.target(value)].anchor.as_ref() {
        Some(anchor) => format!("it comes by the merge key `<<` from the anchor `&{}`", anchor.name),
        None => "it comes by the merge key `<<`".to_owned(),
    }
}

fn collect(
    tree: &Tree<'_>,
    map: NodeId,
    shared: Option<&str>,
    into: &mut BTreeMap<String, (NodeId, Option<String>)>,
    depth: usize,
) -> Option<()> {
    let Kind::Map { entries, .. } = &tree[map].kind else { return None };
    for &(key, value) in entries {
        if is_merge(tree, key) {
            let from = merged_from(tree, value);
            for map in merged(tree, value).into_iter().rev().filter(|_| depth < MERGES) {
                collect(tree, map, Some(&from), into, depth + 1);
            }
        } else if let Some(key) = key_text(tree, key) {
            into.insert(key, (value, shared.map(str::to_owned)));
        }
    }
    Some(())
}
